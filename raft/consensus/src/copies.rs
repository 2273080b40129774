//! Whether every blob has the copies that one more voter asks for.

use metadata::blobs::{self, BlobRow};
use metadata::members;
use metadata::membership;
use metadata::quorum::{failures_tolerated, write_quorum};
use metadata::replica::{MemberNumber, ReplicaId};

use crate::cluster::Failure;
use crate::machine::Tables;

/// Blobs read at a time; commits wait for no more.
const PAGE: usize = 500;

/// Whether `learner` may vote beside `voters`: either one failure more is not tolerated with it, or
/// no blob has fewer copies on voters than will then be written.
pub(crate) async fn suffice_with(
    tables: &Tables,
    voters: usize,
    learner: ReplicaId,
) -> Result<bool, Failure> {
    if failures_tolerated(voters + 1) <= failures_tolerated(voters) {
        return Ok(true);
    }
    let wanted = write_quorum(voters + 1);
    let counted = tables.read(|view| {
        let mut counted = membership::voters(view)?.voter_numbers;
        counted.extend(members::number_of(view, learner)?);
        Ok(counted)
    });
    let counted = counted.await?;
    let mut last = None;
    loop {
        let page = tables.read(|view| blobs::page(view, last.as_ref(), PAGE)).await?;
        if page.items.iter().any(|(_, blob)| too_few(blob, &counted, wanted)) {
            return Ok(false);
        }
        match page.items.last() {
            Some((digest, _)) if page.more => last = Some(digest.clone()),
            _ => return Ok(true),
        }
    }
}

/// What nothing names is on its way out, and what has no holder is lost: neither counts.
fn too_few(blob: &BlobRow, counted: &[MemberNumber], wanted: usize) -> bool {
    let held = blob.holders.iter().filter(|holder| counted.contains(holder)).count();
    blob.refs > 0 && !blob.holders.is_empty() && held < wanted
}
