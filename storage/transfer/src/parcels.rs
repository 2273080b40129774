//! Small things for one peer that travel in one request: their form on the wire.
//!
//! Each begins with a line of JSON, [`Head`]; the bytes of a blob follow it. The answer is a list
//! with one [`Outcome`](crate::protocol::Outcome) for each, in the same order.

use bytes::{Buf, Bytes, BytesMut};
use oci::digest::{Algorithm, Digest};
use serde::{Deserialize, Serialize};

use crate::failure::TransferFailure;
use crate::receipt::Receipt;

/// A blob above this has a request to itself: there is little to win, and it would hold up others.
pub const PARCEL_BYTES_MAX: usize = 64 * 1024;
/// Parcels in one request.
pub(crate) const PARCELS_MAX: usize = 64;
/// Bytes of one request; a parcel is begun below it.
pub(crate) const TOGETHER_BYTES_MAX: usize = 1024 * 1024;
/// A receiver takes no more: a sender's last parcel and all lines come on top.
pub(crate) const RECEIVED_BYTES_MAX: usize = 2 * TOGETHER_BYTES_MAX;
/// A line is never longer.
const HEAD_BYTES_MAX: usize = 1024;

/// One thing that a peer is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parcel {
    /// Keep a blob.
    Keep {
        /// Its name.
        digest: Digest,
        /// All of it.
        bytes: Bytes,
        /// An upload to be forgotten, which the peer was told of and which has no bytes there.
        instead_of: Option<String>,
    },
    /// Take note of an upload whose first bytes may come to the peer.
    Announce {
        /// The upload's id.
        upload: String,
        /// By which its bytes are to be hashed.
        algorithms: Vec<Algorithm>,
    },
}

/// What came of a parcel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Done {
    /// The blob is durable there.
    Kept(Receipt),
    /// The upload is known there.
    Announced,
}

/// The line before a parcel's bytes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Head {
    Keep {
        digest: String,
        size: usize,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upload: Option<String>,
    },
    Announce {
        upload: String,
        algorithms: Vec<String>,
    },
}

impl Parcel {
    /// Bytes of the blob that it carries.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Keep { bytes, .. } => bytes.len(),
            Self::Announce { .. } => 0,
        }
    }

    fn head(&self) -> Head {
        match self {
            Self::Keep { digest, bytes, instead_of } => Head::Keep {
                digest: digest.to_string(),
                size: bytes.len(),
                upload: instead_of.clone(),
            },
            Self::Announce { upload, algorithms } => Head::Announce {
                upload: upload.clone(),
                algorithms: algorithms.iter().map(|known| known.name().to_owned()).collect(),
            },
        }
    }
}

/// Parcels as the body of one request.
pub(crate) fn packed<'a>(parcels: impl Iterator<Item = &'a Parcel>) -> Bytes {
    let mut body = BytesMut::new();
    for parcel in parcels {
        // Texts and numbers: writing those as JSON does not fail.
        body.extend(serde_json::to_vec(&parcel.head()).unwrap_or_default());
        body.extend_from_slice(b"\n");
        if let Parcel::Keep { bytes, .. } = parcel {
            body.extend_from_slice(bytes);
        }
    }
    body.freeze()
}

/// The parcels in the body of a request.
pub(crate) fn unpacked(mut body: Bytes) -> Result<Vec<Parcel>, TransferFailure> {
    let malformed = |text: &str| TransferFailure::Malformed { text: text.to_owned() };
    let mut parcels = Vec::new();
    while !body.is_empty() {
        if parcels.len() == PARCELS_MAX {
            return Err(malformed("there are too many parcels"));
        }
        let window = &body[..body.len().min(HEAD_BYTES_MAX)];
        let end = window.iter().position(|byte| *byte == b'\n');
        let line = body.split_to(end.ok_or_else(|| malformed("a parcel's line has no end"))?);
        body.advance(1);
        let head = serde_json::from_slice(&line).map_err(|error| malformed(&error.to_string()))?;
        parcels.push(match head {
            Head::Keep { size, .. } if size > body.len().min(PARCEL_BYTES_MAX) => {
                return Err(malformed("a parcel is longer than the rest of the request"));
            }
            Head::Keep { digest, size, upload } => Parcel::Keep {
                digest: Digest::parse(&digest).map_err(|error| malformed(&error.to_string()))?,
                bytes: body.split_to(size),
                instead_of: upload,
            },
            Head::Announce { upload, algorithms } => {
                let known = |name: &String| Algorithm::from_name(name);
                let algorithms: Option<Vec<_>> = algorithms.iter().map(known).collect();
                let algorithms = algorithms.filter(|known| !known.is_empty());
                let algorithms = algorithms.ok_or_else(|| malformed("an algorithm is unknown"))?;
                Parcel::Announce { upload, algorithms }
            }
        });
    }
    Ok(parcels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci::verifier::digest_of;

    fn keep(bytes: &'static [u8], instead_of: Option<&str>) -> Parcel {
        Parcel::Keep {
            digest: digest_of(Algorithm::Sha256, bytes),
            bytes: Bytes::from_static(bytes),
            instead_of: instead_of.map(str::to_owned),
        }
    }

    #[test]
    fn parcels_come_out_as_they_went_in() {
        let announce = Parcel::Announce { upload: "u2".into(), algorithms: Algorithm::ALL.into() };
        let parcels = [keep(b"one\n{}", Some("u1")), announce, keep(b"", None), keep(b"\n", None)];
        assert_eq!(unpacked(packed(parcels.iter())).unwrap(), parcels);
        assert_eq!(unpacked(Bytes::new()).unwrap(), []);
    }

    #[test]
    fn the_form_of_a_request_stays_as_it_was() {
        let announce =
            Parcel::Announce { upload: "u2".into(), algorithms: vec![Algorithm::Sha256] };
        let body = packed([announce, keep(b"", Some("u1"))].iter());
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let wanted = format!(
            "{{\"announce\":{{\"upload\":\"u2\",\"algorithms\":[\"sha256\"]}}}}\n\
             {{\"keep\":{{\"digest\":\"sha256:{empty}\",\"size\":0,\"upload\":\"u1\"}}}}\n"
        );
        assert_eq!(body, wanted);
    }

    #[test]
    fn the_form_of_an_answer_stays_as_it_was() {
        let receipt = Receipt {
            replica_id: "r".to_owned(),
            incarnation: "i".to_owned(),
            applied_index: 42,
            generation: 3,
        };
        let text = serde_json::to_string(&[Done::Announced, Done::Kept(receipt)]).unwrap();
        let receipt = r#"{"replica_id":"r","incarnation":"i","applied_index":42,"generation":3}"#;
        let wanted = format!(r#"["announced",{{"kept":{receipt}}}]"#);
        assert_eq!(text, wanted);
    }

    #[test]
    fn what_reads_wrong_is_refused_as_a_whole() {
        let whole = packed([keep(b"hello", None)].iter());
        for cut in 1..whole.len() {
            assert!(unpacked(whole.slice(..cut)).is_err(), "cut at {cut}");
        }
        let none = Bytes::from_static(b"{\"announce\":{\"upload\":\"u\",\"algorithms\":[]}}\n");
        assert!(unpacked(none).is_err());
        let large = vec![b'x'; PARCEL_BYTES_MAX + 1];
        let digest = digest_of(Algorithm::Sha256, &large);
        let large = Parcel::Keep { digest, bytes: large.into(), instead_of: None };
        assert!(unpacked(packed([large].iter())).is_err());
        let endless = Bytes::from(vec![b' '; 2 * HEAD_BYTES_MAX]);
        assert!(unpacked(endless).is_err());
        let many = vec![keep(b"x", None); PARCELS_MAX + 1];
        assert!(unpacked(packed(many.iter())).is_err());
        assert_eq!(unpacked(packed(many[1..].iter())).unwrap().len(), PARCELS_MAX);
    }
}
