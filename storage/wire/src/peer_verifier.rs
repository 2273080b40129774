//! rustls' questions about a peer's certificate, answered by the cluster's rules.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DistinguishedName, RootCertStore};

use crate::peer_chain::{PeerRefusal, chained};
use crate::peer_identity::PeerIdentity;
use crate::peer_tls::PeerRules;
use crate::provider;

/// Judges the certificate of a peer, on either side of a connection.
pub(crate) struct PeerVerifier {
    pub(crate) roots: RootCertStore,
    pub(crate) cluster_id: String,
    pub(crate) rules: Arc<dyn PeerRules>,
}

impl PeerVerifier {
    /// Who `end_entity` proves to be.
    pub(crate) fn judge(
        &self,
        end_entity: &CertificateDer<'_>,
        now: UnixTime,
    ) -> Result<PeerIdentity, PeerRefusal> {
        let chained = chained(end_entity, &self.roots, now)?;
        let identity = chained.identity;
        if identity.cluster_id != self.cluster_id {
            let (theirs, ours) = (identity.cluster_id, self.cluster_id.clone());
            return Err(PeerRefusal::OtherCluster { theirs, ours });
        }
        if !self.rules.listed(&identity.key, &identity.replica_id) {
            let (replica_id, key) = (identity.replica_id, identity.key.to_string());
            return Err(PeerRefusal::Unlisted { replica_id, key });
        }
        if chained.out_of_date {
            self.rules.out_of_date(&identity, chained.facts.not_after_ms);
        }
        Ok(identity)
    }
}

impl fmt::Debug for PeerVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerVerifier").field("cluster_id", &self.cluster_id).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for PeerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.judge(end_entity, now)?;
        Ok(ServerCertVerified::assertion())
    }

    provider::handshake_signatures!();
}

impl ClientCertVerifier for PeerVerifier {
    /// A newcomer has no certificate yet; all it may do is ask to join.
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.judge(end_entity, now)?;
        Ok(ClientCertVerified::assertion())
    }

    provider::handshake_signatures!();
}
