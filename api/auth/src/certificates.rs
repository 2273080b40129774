//! Which certificates of clients are taken: by the cluster's settings and this replica's own file.

use std::sync::{Mutex, PoisonError};

use consensus::cluster::Failure;
use metadata::sign_in::SignInRow;
use wire::client_certificate::ClientAuthority;

/// What a replica's configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Local {
    /// Certificates are taken here, whatever the cluster's setting says.
    pub takes: bool,
    /// The authorities in PEM, in place of the cluster's.
    pub ca_pem: Option<String>,
    /// Revocation lists in PEM.
    pub crl_pems: Vec<String>,
}

/// The authority in force, made once and kept while nothing it comes from changes.
#[derive(Default)]
pub(crate) struct Certificates {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    local: Local,
    made: Option<Made>,
}

struct Made {
    ca_pem: String,
    authority: Result<ClientAuthority, String>,
}

impl Certificates {
    /// Goes by this from now on.
    pub(crate) fn configure(&self, local: Local) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.local != local {
            *kept = Kept { local, made: None };
        }
    }

    /// Who signs clients' certificates; `None` where none are taken.
    ///
    /// # Errors
    ///
    /// [`Failure::Fault`] where the configured texts do not read: nobody is let in by them.
    pub(crate) fn authority(
        &self,
        settings: &SignInRow,
    ) -> Result<Option<ClientAuthority>, Failure> {
        let mut guard = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = &mut *guard;
        if !kept.local.takes && !settings.takes_certificates {
            return Ok(None);
        }
        let ca_pem = kept.local.ca_pem.as_ref().unwrap_or(&settings.client_ca_pem);
        let authority = match &kept.made {
            Some(made) if made.ca_pem == *ca_pem => made.authority.clone(),
            _ => {
                let made = ClientAuthority::new(ca_pem, &kept.local.crl_pems);
                let authority = made.map_err(|error| error.to_string());
                let ca_pem = ca_pem.clone();
                kept.made = Some(Made { ca_pem, authority: authority.clone() });
                authority
            }
        };
        let fault =
            |cause| Failure::Fault(format!("client certificates cannot be judged: {cause}"));
        authority.map(Some).map_err(fault)
    }
}

#[cfg(test)]
mod tests {
    use metadata::sign_in::SignInRow;
    use wire::certificate::make_ca;

    use super::{Certificates, Local};

    #[test]
    fn the_replicas_own_file_goes_before_the_setting() {
        let certificates = Certificates::default();
        let off = SignInRow::default();
        assert!(certificates.authority(&off).unwrap().is_none());
        let ca_pem = make_ca("c", 1_750_000_000_000).unwrap().certificate_pem;
        let on = SignInRow { takes_certificates: true, client_ca_pem: ca_pem.clone(), ..off };
        assert!(certificates.authority(&on).unwrap().is_some());
        let unreadable = SignInRow { client_ca_pem: "none".into(), ..on.clone() };
        assert!(certificates.authority(&unreadable).is_err());
        assert!(certificates.authority(&on).unwrap().is_some(), "and again");
        let local = Local { takes: true, ca_pem: Some(ca_pem), crl_pems: Vec::new() };
        certificates.configure(local.clone());
        assert!(certificates.authority(&SignInRow::default()).unwrap().is_some());
        assert!(certificates.authority(&unreadable).unwrap().is_some());
        certificates.configure(Local { crl_pems: vec!["none".into()], ..local });
        assert!(certificates.authority(&on).is_err(), "a list that does not read");
    }
}
