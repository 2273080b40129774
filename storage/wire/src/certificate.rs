//! Making and reading certificates: the cluster's authority, its replicas, a server of one's own.

use std::net::IpAddr;
use std::ops::Range;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber,
};
use ring::rand::{SecureRandom, SystemRandom};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use zeroize::Zeroizing;

use crate::peer_identity::{PeerKey, hex, san_uri, sha256};
use crate::pem;

/// How long a replica's certificate is good for.
pub const REPLICA_CERTIFICATE_DAYS: i64 = 90;
const CA_DAYS: i64 = 20 * 365;
const SERVER_DAYS: i64 = 825;

/// Why a certificate could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// What was handed in reads wrong, and how.
    #[error("{0}")]
    Invalid(String),
    /// Making it failed.
    #[error("cannot make a certificate: {0}")]
    Making(#[from] rcgen::Error),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

impl From<std::io::Error> for CertificateError {
    fn from(error: std::io::Error) -> Self {
        Self::Invalid(error.to_string())
    }
}

/// A certificate and its private key. The key is wiped when dropped, and never shown.
#[derive(Clone)]
pub struct CertifiedKey {
    /// PEM.
    pub certificate_pem: String,
    /// PKCS#8 as PEM.
    pub key_pem: Zeroizing<String>,
}

impl std::fmt::Debug for CertifiedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let certificate_pem = &self.certificate_pem;
        f.debug_struct("CertifiedKey")
            .field("certificate_pem", certificate_pem)
            .finish_non_exhaustive()
    }
}

/// A new private key (ECDSA P-256) as PKCS#8 in PEM.
pub fn generate_key() -> Result<Zeroizing<String>, CertificateError> {
    Ok(Zeroizing::new(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?.serialize_pem()))
}

/// The peer key that belongs to the private key `key_pem`.
pub fn peer_key_of(key_pem: &str) -> Result<PeerKey, CertificateError> {
    let key = KeyPair::from_pem(key_pem)?;
    Ok(PeerKey::of_public_key(&key.subject_public_key_info()))
}

/// Makes the authority of the cluster `cluster_id`, good for twenty years from `wall_ms`.
pub fn make_ca(cluster_id: &str, wall_ms: u64) -> Result<CertifiedKey, CertificateError> {
    let mut params = params(&format!("Holdfast cluster {cluster_id}"), wall_ms, CA_DAYS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate_pem = params.self_signed(&key)?.pem();
    Ok(CertifiedKey { certificate_pem, key_pem: Zeroizing::new(key.serialize_pem()) })
}

/// A certificate request that proves the possession of `key_pem`. Names are chosen by the issuer.
pub fn csr(key_pem: &str) -> Result<String, CertificateError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Holdfast replica");
    Ok(params.serialize_request(&KeyPair::from_pem(key_pem)?)?.pem()?)
}

/// The key that a certificate request is for, once its signature was checked.
pub fn key_of_csr(csr_pem: &str) -> Result<PeerKey, CertificateError> {
    let request = CertificateSigningRequestParams::from_pem(csr_pem)?;
    Ok(PeerKey::of_public_key(&request.public_key.subject_public_key_info()))
}

/// What a replica's certificate says.
#[derive(Clone, Debug)]
pub struct ReplicaNames<'a> {
    /// The cluster it belongs to.
    pub cluster_id: &'a str,
    /// The replica it is for.
    pub replica_id: &'a str,
    /// Host names and addresses it may be reached at.
    pub hosts: &'a [String],
}

/// Issues a replica's certificate for the key of `csr_pem`, good for 90 days from `wall_ms`.
///
/// Of the request only the key is used; the names are the caller's.
pub fn issue(
    ca: &CertifiedKey,
    csr_pem: &str,
    names: &ReplicaNames<'_>,
    wall_ms: u64,
) -> Result<String, CertificateError> {
    let life_ms = REPLICA_CERTIFICATE_DAYS.unsigned_abs() * 24 * 3600 * 1000;
    issue_for(ca, csr_pem, names, wall_ms..wall_ms.saturating_add(life_ms))
}

/// The same, good for so long, in milliseconds since the Unix epoch.
pub fn issue_for(
    ca: &CertifiedKey,
    csr_pem: &str,
    names: &ReplicaNames<'_>,
    life_ms: Range<u64>,
) -> Result<String, CertificateError> {
    let request = CertificateSigningRequestParams::from_pem(csr_pem)?;
    let common_name = format!("Holdfast replica {}", names.replica_id);
    let mut params = params(&common_name, life_ms.start, REPLICA_CERTIFICATE_DAYS)?;
    params.not_after = moment(life_ms.end)?;
    params.subject_alt_names = sans(names.hosts)?;
    let uri = san_uri(names.cluster_id, names.replica_id);
    params.subject_alt_names.push(SanType::URI(uri.try_into()?));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params.signed_by(&request.public_key, &issuer(ca)?)?.pem())
}

/// Issues a server certificate for `hosts` with a new key.
///
/// The chain in the answer holds the authority as well, so that a client can pin either.
pub fn issue_server(
    ca: &CertifiedKey,
    hosts: &[String],
    wall_ms: u64,
) -> Result<CertifiedKey, CertificateError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = server_params(hosts, wall_ms)?.signed_by(&key, &issuer(ca)?)?;
    let certificate_pem = format!("{}{}", certificate.pem(), ca.certificate_pem);
    Ok(CertifiedKey { certificate_pem, key_pem: Zeroizing::new(key.serialize_pem()) })
}

/// Makes a self-signed server certificate for `hosts` with a new key.
pub fn self_signed(hosts: &[String], wall_ms: u64) -> Result<CertifiedKey, CertificateError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate_pem = server_params(hosts, wall_ms)?.self_signed(&key)?.pem();
    Ok(CertifiedKey { certificate_pem, key_pem: Zeroizing::new(key.serialize_pem()) })
}

/// What a certificate says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Valid from, in milliseconds since the Unix epoch (0 where it is earlier).
    pub not_before_ms: u64,
    /// Valid until, in milliseconds since the Unix epoch.
    pub not_after_ms: u64,
    /// The key it is for.
    pub key: PeerKey,
    /// Host names and addresses it is for.
    pub hosts: Vec<String>,
    /// URIs it is for.
    pub uris: Vec<String>,
}

/// Reads the first certificate of `certificate_pem`.
pub fn parse(certificate_pem: &str) -> Result<Facts, CertificateError> {
    facts_of(&pem::chain(certificate_pem)?[0])
}

/// The SHA-256 digest, as hex, of the first certificate of `certificate_pem` in its DER form.
pub fn digest_of(certificate_pem: &str) -> Result<String, CertificateError> {
    Ok(hex(&sha256(&pem::chain(certificate_pem)?[0])))
}

/// Reads a certificate in its DER form.
pub(crate) fn facts_of(der: &[u8]) -> Result<Facts, CertificateError> {
    let invalid = |error: &dyn std::fmt::Display| {
        CertificateError::Invalid(format!("the certificate cannot be read: {error}"))
    };
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| invalid(&error))?;
    let ms = |seconds: i64| u64::try_from(seconds).unwrap_or(0).saturating_mul(1000);
    let validity = certificate.validity();
    let mut facts = Facts {
        not_before_ms: ms(validity.not_before.timestamp()),
        not_after_ms: ms(validity.not_after.timestamp()),
        key: PeerKey::of_public_key(certificate.public_key().raw),
        hosts: vec![],
        uris: vec![],
    };
    let names = certificate.subject_alternative_name().map_err(|error| invalid(&error))?;
    for name in names.iter().flat_map(|names| &names.value.general_names) {
        match name {
            GeneralName::DNSName(host) => facts.hosts.push((*host).to_owned()),
            GeneralName::IPAddress(bytes) => facts.hosts.extend(ip_text(bytes)),
            GeneralName::URI(uri) => facts.uris.push((*uri).to_owned()),
            _ => {}
        }
    }
    Ok(facts)
}

fn ip_text(bytes: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::from(four).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|sixteen| IpAddr::from(sixteen).to_string())
}

fn issuer(ca: &CertifiedKey) -> Result<Issuer<'static, KeyPair>, CertificateError> {
    Ok(Issuer::from_ca_cert_pem(&ca.certificate_pem, KeyPair::from_pem(&ca.key_pem)?)?)
}

fn server_params(hosts: &[String], wall_ms: u64) -> Result<CertificateParams, CertificateError> {
    let common_name = hosts.first().map_or("Holdfast", String::as_str);
    let mut params = params(common_name, wall_ms, SERVER_DAYS)?;
    params.subject_alt_names = sans(hosts)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn params(
    common_name: &str,
    wall_ms: u64,
    days: i64,
) -> Result<CertificateParams, CertificateError> {
    let now = moment(wall_ms)?;
    let mut serial = [0; 16];
    SystemRandom::new().fill(&mut serial).map_err(|_| CertificateError::Random)?;
    // RFC 5280 §4.1.2.2: a positive number.
    serial[0] &= 0x7f;
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    // An hour back, for machines whose clock is a little behind.
    params.not_before = now - Duration::hours(1);
    params.not_after = now + Duration::days(days);
    params.distinguished_name = DistinguishedName::new();
    // RFC 5280, appendix A.1: a common name has at most 64 characters.
    let common_name: String = common_name.chars().take(64).collect();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn moment(wall_ms: u64) -> Result<OffsetDateTime, CertificateError> {
    let out_of_range = |_| CertificateError::Invalid("the clock is out of range".to_owned());
    let seconds = i64::try_from(wall_ms / 1000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).map_err(out_of_range)
}

fn sans(hosts: &[String]) -> Result<Vec<SanType>, CertificateError> {
    hosts
        .iter()
        .map(|host| match host.parse::<IpAddr>() {
            Ok(address) => Ok(SanType::IpAddress(address)),
            Err(_) => Ok(SanType::DnsName(host.clone().try_into()?)),
        })
        .collect()
}

#[cfg(test)]
mod tests;
