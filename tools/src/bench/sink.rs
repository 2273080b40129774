//! What becomes of the bytes of an answer: counted, hashed or kept.

use oci::digest::Algorithm;
use oci::verifier::Verifier;

/// Of an answer that is read out, no more is kept.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// What is to become of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// It is forgotten; the connection counts its bytes.
    Count,
    /// It is hashed with SHA-256.
    Hash,
    /// It is kept, as far as a page or an error may reasonably go.
    Keep,
}

/// Takes a body piece by piece.
pub struct Sink {
    hash: Option<Box<Verifier>>,
    kept: Option<Vec<u8>>,
}

impl Sink {
    /// Takes nothing yet.
    pub fn new(take: Take) -> Self {
        let hash = (take == Take::Hash).then(|| Box::new(Verifier::new(&[Algorithm::Sha256])));
        Self { hash, kept: (take == Take::Keep).then(Vec::new) }
    }

    /// Takes the next bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
        if let Some(kept) = &mut self.kept {
            let room = KEPT_BYTES_MAX - kept.len();
            kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }

    /// What was kept.
    pub fn kept(&self) -> &[u8] {
        self.kept.as_deref().unwrap_or_default()
    }

    /// The digest of what was hashed; `None` where nothing was to be.
    pub fn digest(self) -> Option<String> {
        let digests = self.hash?.finish();
        digests.first().map(ToString::to_string)
    }
}
