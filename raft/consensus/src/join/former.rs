//! The folder of a former replica that joins anew: what was its own is set aside, its content
//! stays.
//!
//! A replica that was removed, or whose cluster is no more, comes back under another id: its log
//! and its vote must not be believed any more. Its blobs are as good as ever, once they are hashed.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::folder::{Folder, FolderError};

/// Where it goes, by the replica's id.
pub(super) const FORMER: &str = "former";

/// There while content is still to be offered to the cluster.
pub const ADOPT: &str = "adopt";

/// What belongs to one life of a folder. The identity goes first: without it nothing starts.
const OWN: [&str; 12] = [
    "identity.toml",
    "log",
    "tables",
    "snapshots",
    "keys",
    "boot",
    "bootstrap",
    "tables.distrust",
    "repairing",
    "repaired",
    "public.pem",
    "public.key",
];

/// Moves all that was the replica's own to `former/ID`. May be cut short and done again: what is
/// there already is not moved a second time.
pub(super) fn set_aside(folder: &Folder, replica_id: &str) -> Result<(), FolderError> {
    let to = folder.join(FORMER).join(replica_id);
    fs::create_dir_all(&to).map_err(failed(&to))?;
    for name in OWN {
        let (from, to) = (folder.join(name), to.join(name));
        if to.exists() {
            continue;
        }
        match fs::rename(&from, &to) {
            Ok(()) => sync(folder.path()).map_err(failed(&from))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&from)(error)),
        }
    }
    sync(&to).map_err(failed(&to))?;
    folder.write(ADOPT, format!("{replica_id}\n").as_bytes())
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> FolderError + '_ {
    FolderError::io("cannot set aside", path)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_the_replicas_own_is_moved_once_and_content_stays() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::create(&parent.path().join("data")).unwrap();
        let put = |name: &str, text: &str| folder.write(name, text.as_bytes()).unwrap();
        for name in ["identity.toml", "log/1", "keys/ca.pem", "content/blob"] {
            put(name, "old");
        }
        set_aside(&folder, "0123456789ab").unwrap();
        let read = |name: &str| folder.read(name).unwrap().map(|it| String::from_utf8(it).unwrap());
        assert_eq!(read("identity.toml"), None);
        assert_eq!(read("content/blob").as_deref(), Some("old"));
        assert_eq!(read("adopt").as_deref(), Some("0123456789ab\n"));
        // Cut short, after the new life has begun to write.
        put("keys/ca.pem", "new");
        set_aside(&folder, "0123456789ab").unwrap();
        assert_eq!(read("keys/ca.pem").as_deref(), Some("new"));
        for name in ["identity.toml", "log/1", "keys/ca.pem"] {
            assert_eq!(read(&format!("former/0123456789ab/{name}")).as_deref(), Some("old"));
        }
    }
}
