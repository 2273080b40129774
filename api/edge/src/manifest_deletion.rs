//! Deleting a manifest with all its tags, however many: some with each command.

use consensus::cluster::{Cluster, Failure};
use metadata::manifests::delete::ManifestDelete;
use metadata::outcome::Answer;
use oci::name::TagName;

use crate::caller::Caller;

/// Tags that are named, at most.
const NAMED_MAX: usize = 100;

/// Commands for one request: beyond some hundred thousand tags somebody pushes them faster than
/// they go, and the client is told to ask again.
const COMMANDS_MAX: usize = 2_000;

/// Tags that went with their manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// The first of them.
    pub named: Vec<TagName>,
    /// All of them.
    pub count: usize,
}

/// Has it deleted, on behalf of `caller`; the tags that went with it.
///
/// Where it ends early some tags are gone and the manifest is there: the same again goes on.
///
/// # Errors
///
/// As `Cluster::propose_for`.
pub async fn run(
    cluster: &Cluster,
    caller: &Caller,
    delete: ManifestDelete,
) -> Result<Gone, Failure> {
    let mut gone = Gone::default();
    for _ in 0..COMMANDS_MAX {
        match cluster.propose_for(caller.voucher(), delete.clone().into()).await? {
            Answer::Deleted { tags, more } => {
                gone.count += tags.len();
                let room = NAMED_MAX.saturating_sub(gone.named.len());
                gone.named.extend(tags.into_iter().take(room));
                if !more {
                    return Ok(gone);
                }
            }
            other => return Err(Failure::Fault(format!("a deletion was answered by {other:?}"))),
        }
    }
    Err(Failure::unavailable(consensus::cluster::Unavailable::Unknown))
}
