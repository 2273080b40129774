//! A PEM value: the text itself, or the file that holds it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What a flag or a key that wants PEM was given: the text, `@FILE`, or a path.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pem(String);

impl Pem {
    /// Takes what was given; nothing is read yet.
    pub fn new(given: impl Into<String>) -> Self {
        Self(given.into())
    }

    /// The file, where a file was given.
    pub fn path(&self) -> Option<&Path> {
        (!self.0.contains("-----BEGIN"))
            .then(|| Path::new(self.0.strip_prefix('@').unwrap_or(&self.0)))
    }

    /// The text, read anew each time where it lies in a file.
    ///
    /// # Errors
    ///
    /// Names the file that cannot be read.
    pub fn read(&self) -> io::Result<String> {
        let Some(path) = self.path() else { return Ok(self.0.clone()) };
        std::fs::read_to_string(path)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }

    /// Takes a relative path from `folder`.
    pub(crate) fn root_at(&mut self, folder: &Path) {
        let rooted: Option<PathBuf> =
            self.path().filter(|path| path.is_relative()).map(|path| folder.join(path));
        if let Some(rooted) = rooted {
            self.0 = rooted.display().to_string();
        }
    }
}

impl From<&str> for Pem {
    fn from(given: &str) -> Self {
        Self::new(given)
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path() {
            Some(path) => write!(out, "Pem({})", path.display()),
            // A private key may stand here.
            None => out.write_str("Pem(…)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_an_at_sign_and_a_path_are_all_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let text = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
        std::fs::write(&file, text).unwrap();
        for given in [text.to_owned(), file.display().to_string(), format!("@{}", file.display())] {
            assert_eq!(Pem::new(given).read().unwrap(), text);
        }
        let mut relative = Pem::from("@ca.pem");
        relative.root_at(folder.path());
        assert_eq!(relative.read().unwrap(), text);
    }

    #[test]
    fn a_missing_file_is_named_and_a_key_never_shown() {
        assert!(Pem::from("/no/such.pem").read().unwrap_err().to_string().contains("/no/such.pem"));
        let key = Pem::from("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----");
        assert!(!format!("{key:?}").contains("c2VjcmV0"));
    }
}
