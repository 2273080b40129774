//! Where things lie in the store's folder.
//!
//! ```text
//! blobs/<algorithm>/<first 2 hex digits>/<hex>   sealed blobs
//! uploads/<id>/data, state                       uploads that may be resumed
//! staging/<n>                                    blobs on their way in at one stroke
//! damaged/<algorithm>-<hex>                      files that did not hash to their name
//! checked                                        when blobs were last hashed
//! ```

use std::path::{Path, PathBuf};

use oci::digest::{Algorithm, Digest};

/// The longest id of an upload, in bytes.
const ID_BYTES_MAX: usize = 64;

/// The paths of one store.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout below `root`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The store's own folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of all sealed blobs.
    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// The folder of all blobs of one algorithm.
    pub fn algorithm(&self, algorithm: Algorithm) -> PathBuf {
        self.blobs().join(algorithm.name())
    }

    /// The folder that holds a blob.
    pub fn blob_folder(&self, digest: &Digest) -> PathBuf {
        self.algorithm(digest.algorithm()).join(&digest.hex()[..2])
    }

    /// The file of a blob.
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        self.blob_folder(digest).join(digest.hex())
    }

    /// The folder of all uploads.
    pub fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }

    /// The folder of one upload.
    pub fn upload(&self, id: &UploadId) -> PathBuf {
        self.uploads().join(id.as_str())
    }

    /// The bytes of one upload.
    pub fn upload_data(&self, id: &UploadId) -> PathBuf {
        self.upload(id).join("data")
    }

    /// The state of one upload's hash.
    pub fn upload_state(&self, id: &UploadId) -> PathBuf {
        self.upload(id).join("state")
    }

    /// Where the state of one upload's hash is written before it takes the place of the last one.
    pub fn upload_state_new(&self, id: &UploadId) -> PathBuf {
        self.upload(id).join("state.new")
    }

    /// The folder of blobs that come in at one stroke.
    pub fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    /// The folder of files that did not hash to their name.
    pub fn damaged(&self) -> PathBuf {
        self.root.join("damaged")
    }

    /// Where a damaged blob is put aside.
    pub fn damaged_blob(&self, digest: &Digest) -> PathBuf {
        self.damaged().join(format!("{}-{}", digest.algorithm(), digest.hex()))
    }

    /// The list of when blobs were last hashed.
    pub fn checked(&self) -> PathBuf {
        self.root.join("checked")
    }

    /// Where the list of checks is written before it takes the place of the last one.
    pub fn checked_new(&self) -> PathBuf {
        self.root.join("checked.new")
    }
}

/// The id of an upload: a word that is safe as a folder name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId(String);

impl UploadId {
    /// Reads `[0-9A-Za-z-]{1,64}`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let fits = !text.is_empty() && text.len() <= ID_BYTES_MAX && text.bytes().all(word);
        fits.then(|| Self(text.to_owned()))
    }

    /// The id as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_would_leave_their_folder_are_refused() {
        for text in ["", ".", "..", "../x", "a/b", "a.b", "a\0", "ä", " ", "a_b", &"a".repeat(65)]
        {
            assert_eq!(UploadId::parse(text), None, "{text:?}");
        }
        for text in ["0", "018f2c3a-7b11-8abc-9def-0123456789ab", &"a".repeat(64)] {
            assert_eq!(UploadId::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_blob_lies_under_its_algorithm_and_two_digits() {
        let hex = "ab".repeat(64);
        let digest = Digest::new(Algorithm::Sha512, &hex).unwrap();
        let expected = format!("/s/blobs/sha512/ab/{hex}");
        assert_eq!(Layout::new(Path::new("/s")).blob(&digest), Path::new(&expected));
    }
}
