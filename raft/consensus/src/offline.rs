//! What a data folder says of itself while no replica runs on it.

pub mod examination;
mod looking;

use std::path::Path;

use metadata::replica::ReplicaId;

use crate::folder::{Folder, FolderError};
use crate::identity::Identity;

/// A data folder, looked at from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No replica was ever begun there.
    Vacant,
    /// An installation or a join did not come to its end.
    Begun,
    /// It belongs to a replica.
    Replica {
        /// Its cluster.
        cluster_id: String,
        /// Its id.
        replica_id: ReplicaId,
    },
}

/// Says whose folder `path` is, without keeping it.
///
/// # Errors
///
/// [`FolderError::InUse`] while a replica runs on it; or it is of a newer format, or damaged.
pub fn standing(path: &Path) -> Result<Standing, FolderError> {
    let folder = match Folder::open(path) {
        Err(FolderError::NotInstalled { .. }) => return Ok(Standing::Vacant),
        folder => folder?,
    };
    Ok(match Identity::find(&folder)? {
        Some(Identity { cluster_id, replica_id, .. }) => {
            Standing::Replica { cluster_id, replica_id }
        }
        None => Standing::Begun,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_says_whose_it_is() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        assert_eq!(standing(&path).unwrap(), Standing::Vacant);
        drop(Folder::create(&path).unwrap());
        assert_eq!(standing(&path).unwrap(), Standing::Begun);
        let other = parent.path().join("other");
        let installed =
            crate::bootstrap::install(crate::bootstrap::tests::options(&other)).unwrap();
        let (cluster_id, replica_id) = (installed.cluster_id, installed.replica_id);
        assert_eq!(standing(&other).unwrap(), Standing::Replica { cluster_id, replica_id });
        let used = Folder::open(&other).unwrap();
        assert!(matches!(standing(&other), Err(FolderError::InUse { .. })));
        drop(used);
    }
}
