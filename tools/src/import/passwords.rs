//! Passwords of users that are made: nobody can read the old ones out of the source.
//!
//! Without a file each user gets one that nobody knows, and can't sign in until an administrator
//! gives them another. With a file each gets one that stands in it, written before the user is
//! made, so that no run ends with a user whose password is lost.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

use super::trouble::Trouble;
use crate::exit::Stop;
use crate::password;

const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

type Password = Zeroizing<String>;

/// Where passwords come from.
pub enum Passwords {
    /// Nobody knows them.
    Forgotten,
    /// A file will hold them, but nothing is to be changed now.
    Planned,
    /// They stand in a file, `NAME<tab>PASSWORD` a line.
    Written(Box<Mutex<Written>>),
}

/// A file of passwords.
pub struct Written {
    file: File,
    path: PathBuf,
    known: HashMap<String, Password>,
}

impl Passwords {
    /// Opens or makes the file, which only its owner may read.
    pub fn open(path: Option<&Path>) -> Result<Self, Stop> {
        let Some(path) = path else { return Ok(Self::Forgotten) };
        let unusable = |error: &std::io::Error| Stop::file("use the password file", path, error);
        let options = OpenOptions::new().read(true).append(true).create(true).mode(0o600).clone();
        let mut file = options.open(path).map_err(|error| unusable(&error))?;
        let seen = file.metadata().map_err(|error| unusable(&error))?;
        if seen.permissions().mode() & 0o077 != 0 {
            let path = path.display();
            return Err(Stop::usage(format!("others may read {path}: chmod 600 {path}")));
        }
        if seen.len() > FILE_BYTES_MAX {
            return Err(Stop::usage(format!("{} is too long", path.display())));
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(|error| unusable(&error))?;
        let known = read(&text).ok_or_else(|| {
            Stop::usage(format!(
                "{} is no list of passwords, a line NAME<tab>PASSWORD for each user",
                path.display()
            ))
        })?;
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n").map_err(|error| unusable(&error))?;
        }
        let written = Written { file, path: path.to_owned(), known };
        Ok(Self::Written(Box::new(Mutex::new(written))))
    }

    /// Whether users can sign in with theirs.
    pub fn are_known(&self) -> bool {
        matches!(self, Self::Written(_) | Self::Planned)
    }

    /// The password that a user is to have. In the file before it is anywhere else.
    pub fn of(&self, user: &str) -> Result<Password, Trouble> {
        let Self::Written(written) = self else { return Ok(random()) };
        let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = written.known.get(user) {
            return Ok(known.clone());
        }
        let password = random();
        let line = Zeroizing::new(format!("{user}\t{}\n", password.as_str()));
        let kept = written.file.write_all(line.as_bytes()).and_then(|()| written.file.sync_data());
        kept.map_err(|error| {
            Trouble::lasting(Stop::file("write the password file", &written.path, &error).text)
        })?;
        written.known.insert(user.to_owned(), password.clone());
        Ok(password)
    }
}

fn read(text: &str) -> Option<HashMap<String, Password>> {
    let pair = |line: &str| {
        let (name, password) = line.split_once('\t')?;
        let is_right = !name.is_empty() && !password.is_empty();
        is_right.then(|| (name.to_owned(), Zeroizing::new(password.to_owned())))
    };
    text.lines().map(pair).collect()
}

fn random() -> Password {
    Zeroizing::new(password::random())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_password_is_written_once_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwords");
        let first = Passwords::open(Some(&path)).unwrap();
        let (ann, bob) = (first.of("ann").unwrap(), first.of("bob").unwrap());
        assert!(ann != bob && first.of("ann").unwrap() == ann);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("ann\t{}\nbob\t{}\n", ann.as_str(), bob.as_str()));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = Passwords::open(Some(&path)).unwrap();
        assert_eq!(again.of("bob").unwrap(), bob);
        assert!(again.are_known() && !Passwords::Forgotten.are_known());
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert_eq!(Passwords::open(Some(&path)).err().unwrap().exit, Exit::Usage);
    }

    #[test]
    fn a_file_that_is_no_list_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwords");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        file.as_mut().unwrap().write_all(b"just text\n").unwrap();
        assert_eq!(Passwords::open(Some(&path)).err().unwrap().exit, Exit::Usage);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "just text\n");
    }
}
