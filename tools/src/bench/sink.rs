//! What becomes of the bytes of an answer: counted, hashed or kept.

use oci::digest::Algorithm;
use oci::verifier::Verifier;

/// Of an answer that is read out, no more is kept.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// Takes a body piece by piece.
pub struct Sink {
    hash: Option<Box<Verifier>>,
    kept: Option<Vec<u8>>,
}

impl Sink {
    /// Forgets the bytes; the connection counts them.
    pub fn count() -> Self {
        Self { hash: None, kept: None }
    }

    /// Hashes the bytes with SHA-256.
    pub fn hash() -> Self {
        Self { hash: Some(Box::new(Verifier::new(&[Algorithm::Sha256]))), kept: None }
    }

    /// Keeps the bytes, as far as a page or an error may reasonably go.
    pub fn keep() -> Self {
        Self { hash: None, kept: Some(Vec::new()) }
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
