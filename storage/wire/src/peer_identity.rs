//! Who a replica is to its peers: a key, and a name in the certificate around it.

use std::fmt;
use std::str::FromStr;

use ring::digest::{SHA256, digest};

/// The SHA-256 digest of a certificate's public key (its `SubjectPublicKeyInfo`), as 64 hex
/// digits.
///
/// A peer is its key: certificates are renewed around it, and the membership row lists it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerKey([u8; 32]);

impl PeerKey {
    /// The key whose `SubjectPublicKeyInfo` is `der`.
    pub fn of_public_key(der: &[u8]) -> Self {
        Self(sha256(der))
    }
}

impl fmt::Display for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerKey({self})")
    }
}

/// The text is not 64 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a peer's key is written as 64 lower-case hex digits")]
pub struct PeerKeyInvalid;

impl FromStr for PeerKey {
    type Err = PeerKeyInvalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        from_hex(text).map(Self).ok_or(PeerKeyInvalid)
    }
}

/// What a peer has proved about itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PeerIdentity {
    /// The cluster that it belongs to.
    pub cluster_id: String,
    /// The replica that it is.
    pub replica_id: String,
    /// The key that it holds.
    pub key: PeerKey,
}

/// The URI in a replica's certificate that names it: `holdfast://<cluster id>/<replica id>`.
pub fn san_uri(cluster_id: &str, replica_id: &str) -> String {
    format!("holdfast://{cluster_id}/{replica_id}")
}

/// Cluster and replica out of a [`san_uri`].
pub(crate) fn parse_san_uri(uri: &str) -> Option<(&str, &str)> {
    let (cluster_id, replica_id) = uri.strip_prefix("holdfast://")?.split_once('/')?;
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    (plain(cluster_id) && plain(replica_id)).then_some((cluster_id, replica_id))
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut out = [0; 32];
    for (byte, at) in out.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::{PeerKey, parse_san_uri, san_uri};

    #[test]
    fn a_key_reads_back_as_it_was_written() {
        let key = PeerKey::of_public_key(b"some key");
        assert_eq!(key.to_string().parse(), Ok(key));
        let (long, upper) = (format!("{key}0"), key.to_string().to_uppercase());
        for bad in ["", "zz", &long, &upper, &"é".repeat(32)] {
            assert!(bad.parse::<PeerKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_uri_names_one_cluster_and_one_replica() {
        let uri = san_uri("c-1", "0123456789ab");
        assert_eq!(parse_san_uri(&uri), Some(("c-1", "0123456789ab")));
        for bad in
            ["https://c/r", "holdfast://c", "holdfast:///r", "holdfast://c/", "holdfast://c/r/x"]
        {
            assert_eq!(parse_san_uri(bad), None, "{bad}");
        }
    }
}
