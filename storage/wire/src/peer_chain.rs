//! Is this certificate one of ours? The check that both sides of a peer connection make.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, OtherError, RootCertStore};

use crate::certificate::{Facts, facts_of};
use crate::peer_identity::{PeerIdentity, parse_san_uri};
use crate::provider;

/// Why the other side is not taken for a peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PeerRefusal {
    #[error("the other side's certificate cannot be read: {0}")]
    Unreadable(String),
    #[error("the other side's certificate was not issued by this cluster (it names {0})")]
    OtherAuthority(String),
    #[error("the other side's certificate names no replica")]
    NoReplica,
    #[error("the other side belongs to cluster {theirs}, not to this one, {ours}")]
    OtherCluster { theirs: String, ours: String },
    #[error("replica {replica_id} with key {key} is no member of this cluster")]
    Unlisted { replica_id: String, key: String },
    #[error("replica {found} answers where {expected} was expected")]
    OtherReplica { found: String, expected: String },
    #[error("the cluster at the other end is not the one that this join token is for")]
    OtherToken,
}

impl From<PeerRefusal> for rustls::Error {
    fn from(refusal: PeerRefusal) -> Self {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refusal))))
    }
}

impl From<PeerRefusal> for std::io::Error {
    fn from(refusal: PeerRefusal) -> Self {
        std::io::Error::new(std::io::ErrorKind::PermissionDenied, refusal)
    }
}

/// The refusal that made a handshake fail on this side.
pub(crate) fn refusal_in(error: &std::io::Error) -> Option<PeerRefusal> {
    let inner = error.get_ref()?;
    if let Some(refusal) = inner.downcast_ref::<PeerRefusal>() {
        return Some(refusal.clone());
    }
    match inner.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) => {
            cause.downcast_ref::<PeerRefusal>().cloned()
        }
        _ => None,
    }
}

/// A handshake's error, in the words of the refusal where there is one.
pub(crate) fn in_words(error: std::io::Error) -> std::io::Error {
    match refusal_in(&error) {
        Some(refusal) => refusal.into(),
        None => error,
    }
}

/// A peer's certificate whose signature leads to the authority.
pub(crate) struct Chained {
    pub(crate) identity: PeerIdentity,
    pub(crate) facts: Facts,
    /// Whether today lies outside its dates.
    pub(crate) out_of_date: bool,
}

/// Checks that one of `roots` has signed `end_entity` and reads whom it names.
///
/// Its dates are not held against it: a peer is its key, which the caller looks up, and a replica
/// that was switched off for a quarter of a year must be able to come back and have itself renewed.
pub(crate) fn chained(
    end_entity: &CertificateDer<'_>,
    roots: &RootCertStore,
    now: UnixTime,
) -> Result<Chained, PeerRefusal> {
    let facts = facts_of(end_entity).map_err(|error| PeerRefusal::Unreadable(error.to_string()))?;
    let (from_s, until_s) = (facts.not_before_ms / 1000, facts.not_after_ms / 1000);
    let judged_at = now.as_secs().clamp(from_s.min(until_s), until_s);

    let parsed = ParsedCertificate::try_from(end_entity)
        .map_err(|error| PeerRefusal::Unreadable(error.to_string()))?;
    verify_server_cert_signed_by_trust_anchor(
        &parsed,
        roots,
        &[],
        UnixTime::since_unix_epoch(Duration::from_secs(judged_at)),
        provider::ring().signature_verification_algorithms.all,
    )
    .map_err(|_| PeerRefusal::OtherAuthority(facts.uris.first().cloned().unwrap_or_default()))?;

    let identity = named(&facts)?;
    Ok(Chained { identity, out_of_date: judged_at != now.as_secs(), facts })
}

/// Whom a certificate names that a verifier of this crate has let through.
pub(crate) fn identity_of(certificate: &CertificateDer<'_>) -> Result<PeerIdentity, PeerRefusal> {
    let facts =
        facts_of(certificate).map_err(|error| PeerRefusal::Unreadable(error.to_string()))?;
    named(&facts)
}

fn named(facts: &Facts) -> Result<PeerIdentity, PeerRefusal> {
    let (cluster_id, replica_id) =
        facts.uris.iter().find_map(|uri| parse_san_uri(uri)).ok_or(PeerRefusal::NoReplica)?;
    Ok(PeerIdentity {
        cluster_id: cluster_id.to_owned(),
        replica_id: replica_id.to_owned(),
        key: facts.key,
    })
}
