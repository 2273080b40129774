//! How the directory is reached, made ready once: the address read, the trust built, the reader's
//! password unsealed.

use consensus::cluster::Cluster;
use metadata::directory::{LdapRow, READER_PASSWORD};
use wire::client_tls::{ClientTls, Trust};
use zeroize::Zeroizing;

use super::server_url::ServerUrl;
use crate::failure::DirectoryFailure;

/// Settings that can be used.
pub(crate) struct Plan {
    pub(crate) url: ServerUrl,
    /// What a connection is secured with; `None` for one in clear.
    pub(crate) tls: Option<ClientTls>,
    pub(crate) start_tls: bool,
    pub(crate) reader_password: Zeroizing<String>,
    pub(crate) row: LdapRow,
}

impl Plan {
    /// Prepares what is kept.
    pub(crate) fn of_row(cluster: &Cluster, row: &LdapRow) -> Result<Self, DirectoryFailure> {
        let sealed = &row.sealed_reader_password;
        let password = if sealed.is_empty() {
            Zeroizing::default()
        } else {
            let opened = cluster.open_sealed(READER_PASSWORD, sealed);
            let opened = opened.map_err(|error| {
                let text = format!("readerPassword cannot be unsealed ({error}); set it again");
                DirectoryFailure::Settings(text)
            })?;
            Zeroizing::new(String::from_utf8_lossy(&opened).into_owned())
        };
        Self::new(row, password).map_err(DirectoryFailure::Settings)
    }

    /// Prepares settings with the reader's password.
    ///
    /// # Errors
    ///
    /// In words: which setting does not do.
    pub(crate) fn new(row: &LdapRow, reader_password: Zeroizing<String>) -> Result<Self, String> {
        let url = ServerUrl::parse(&row.server_url)?;
        let start_tls = row.start_tls && !url.is_tls;
        let trust = if row.tls_skip_verify {
            Trust::None
        } else if row.root_certs.trim().is_empty() {
            Trust::System
        } else {
            Trust::Pinned(row.root_certs.clone())
        };
        let is_secured = url.is_tls || start_tls;
        let tls = is_secured.then(|| ClientTls::new(&trust)).transpose();
        let tls = tls.map_err(|error| format!("rootCerts cannot be used: {error}"))?;
        Ok(Self { url, tls, start_tls, reader_password, row: row.clone() })
    }
}
