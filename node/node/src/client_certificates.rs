//! Which certificates of clients are taken on this replica, followed while it runs: the cluster's
//! setting, and the files that the configuration names.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use auth::certificates::Local;
use edge::context::Context;
use tools::config::listeners::Public;
use tools::pem::Pem;
use wire::client_certificate::check_lists;
use wire::server_tls::ServerTls;

/// A file or a setting that changed is noticed within so long. What a setting takes back holds at
/// once all the same: every request is judged by it.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Follows files and setting for as long as the replica runs.
pub(crate) struct ClientCertificates {
    pub(crate) public: Public,
    pub(crate) tls: Arc<ServerTls>,
    pub(crate) context: Arc<Context>,
}

impl ClientCertificates {
    /// Never ends.
    pub(crate) async fn follow(self) {
        let mut said = String::new();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            match self.look().await {
                Ok(()) => said.clear(),
                Err(cause) if cause != said => {
                    tracing::error!(cause, "client certificates are not taken as configured");
                    said = cause;
                }
                Err(_) => {}
            }
        }
    }

    /// Reads the files, and asks clients for certificates where they are taken.
    pub(crate) async fn look(&self) -> Result<(), String> {
        let public = self.public.clone();
        let local = tokio::task::spawn_blocking(move || read(&public)).await;
        let local = local.map_err(|error| error.to_string())?;
        // A file that can't be read now leaves what was read before.
        let read = local.map(|local| self.context.auth.configure_certificates(local));
        let takes = self.context.auth.takes_certificates().await;
        // Who is asked and shows one is told what is wrong here.
        let asks = takes.as_ref().copied().unwrap_or(true);
        let asked = self.tls.ask_for_certificates(asks);
        read.and(asked).map_err(|error| error.to_string())?;
        takes.map(drop).map_err(|error| error.to_string())
    }
}

fn read(public: &Public) -> io::Result<Local> {
    let crl_pems = public.client_crls.iter().map(Pem::read).collect::<io::Result<Vec<_>>>()?;
    check_lists(&crl_pems)?;
    let ca_pem = public.client_ca.as_ref().map(Pem::read).transpose()?;
    Ok(Local { takes: public.client_certificates, ca_pem, crl_pems })
}
