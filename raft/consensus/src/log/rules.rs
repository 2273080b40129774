//! What makes sense of a log: checked before anything is written, the same for every store.

use std::io;

use bytes::Bytes;

use super::{LogId, Vote};

/// `entries` are consecutive, ascend, and follow `last`.
pub(super) fn append(last: Option<LogId>, entries: &[(LogId, Bytes)]) -> io::Result<()> {
    let mut before = last;
    for (id, _) in entries {
        let follows = before.is_none_or(|before| id.index == before.index + 1 && *id > before);
        if !follows {
            let before = before.unwrap_or_default();
            return refuse(format!("entry {id} does not follow {before} in the log"));
        }
        before = Some(*id);
    }
    Ok(())
}

/// `since` lies above what was purged and what is committed.
pub(super) fn truncate(
    purged: Option<LogId>,
    committed: Option<LogId>,
    since: LogId,
) -> io::Result<()> {
    match purged.max(committed) {
        Some(kept) if since.index <= kept.index => {
            refuse(format!("the log can't be truncated from {since} on: {kept} must stay"))
        }
        _ => Ok(()),
    }
}

/// `vote` is not older than `former`.
pub(super) fn vote(former: Option<Vote>, vote: Vote) -> io::Result<()> {
    match former {
        Some(former) if vote < former => {
            refuse(format!("the vote {vote:?} is older than the stored one, {former:?}"))
        }
        _ => Ok(()),
    }
}

/// Whether `committed` is news, and of an entry that the log has.
pub(super) fn commits(former: Option<LogId>, last: Option<LogId>, committed: LogId) -> bool {
    Some(committed) > former && Some(committed) <= last
}

fn refuse(why: String) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}
