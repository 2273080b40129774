//! Uploads that were closed lately, so that a client whose answer was lost gets it again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::content::{Committed, UploadMeta};
use crate::upload_id::UploadId;

/// How long a close can be repeated.
const KEPT_FOR: Duration = Duration::from_mins(10);

/// How many are kept at most; the oldest go first.
const KEPT_MAX: usize = 20_000;

/// The closes of the last minutes.
#[derive(Default)]
pub(crate) struct Closed {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_id: HashMap<UploadId, (UploadMeta, Committed)>,
    by_age: VecDeque<(Instant, UploadId)>,
}

impl Closed {
    /// Remembers what came of an upload.
    pub(crate) fn insert(&self, id: UploadId, meta: UploadMeta, committed: Committed) {
        let now = Instant::now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { by_id, by_age } = &mut *kept;
        while by_age.front().is_some_and(|(at, _)| by_age.len() >= KEPT_MAX || now - *at > KEPT_FOR)
        {
            if let Some((_, old)) = by_age.pop_front() {
                by_id.remove(&old);
            }
        }
        by_id.insert(id, (meta, committed));
        by_age.push_back((now, id));
    }

    /// What came of an upload, for whom it concerns.
    pub(crate) fn find(&self, id: &UploadId, meta: &UploadMeta) -> Option<Committed> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (whose, committed) = kept.by_id.get(id)?;
        whose.agrees_with(meta).then(|| committed.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metadata::replica::MemberNumber;
    use oci::digest::Algorithm;
    use oci::name::RepositoryName;
    use oci::verifier::digest_of;

    fn meta(account: &str) -> UploadMeta {
        let repository = RepositoryName::parse("a/b").unwrap();
        UploadMeta { repository, account: account.into(), voucher: None }
    }

    fn id(fill: u8) -> UploadId {
        UploadId::new(MemberNumber(1), None, [fill; 12])
    }

    #[tokio::test(start_paused = true)]
    async fn a_close_is_told_again_to_its_account_and_forgotten_later() {
        let closed = Closed::default();
        let committed = Committed { digest: digest_of(Algorithm::Sha256, b"x"), size: 1 };
        closed.insert(id(1), meta("ann"), committed.clone());
        assert_eq!(closed.find(&id(1), &meta("ann")), Some(committed.clone()));
        assert_eq!(closed.find(&id(1), &meta("bob")), None);
        assert_eq!(closed.find(&id(2), &meta("ann")), None);
        tokio::time::advance(KEPT_FOR + Duration::from_secs(1)).await;
        closed.insert(id(2), meta("ann"), committed);
        assert_eq!(closed.find(&id(1), &meta("ann")), None);
    }
}
