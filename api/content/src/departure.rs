//! What a member holds, and what would be missing without it: looked at before it is removed.

use consensus::cluster::Freshness;
use metadata::blobs::{self, BlobRow, State};
use metadata::members;
use metadata::membership;
use metadata::quorum;
use metadata::replica::{MemberNumber, ReplicaId};
use oci::digest::Digest;

use crate::content::Content;
use crate::failure::ContentFailure;

/// Rows that are read at once; commits wait for no more.
const PAGE_ROWS: usize = 500;

/// Digests that are named; the rest is counted.
pub const NAMED_MAX: usize = 100;

/// What the cluster has of one member. What nothing needs is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Departure {
    /// Blobs of which it has a copy.
    pub held: u64,
    /// Those that fewer other voters hold than a commit needs.
    pub to_copy: u64,
    /// Those that no other member holds.
    pub last_copies: u64,
    /// Some of these, at most [`NAMED_MAX`], in the order of their digests.
    pub last_digests: Vec<Digest>,
}

/// Who counts beside the member.
struct Others {
    own: MemberNumber,
    /// Voters that keep content.
    voters: Vec<MemberNumber>,
    /// Every other member.
    members: Vec<MemberNumber>,
    /// Copies on voters that are enough.
    wanted: usize,
}

impl Content {
    /// Looks at everything that `member` holds, as of now.
    ///
    /// # Errors
    ///
    /// No majority answers, or there is no such member.
    pub async fn departure_of(&self, member: ReplicaId) -> Result<Departure, ContentFailure> {
        let cluster = &self.shared.cluster;
        let others = cluster.read(Freshness::Linearizable, |view| {
            let Some(own) = members::number_of(view, member)? else { return Ok(None) };
            let not_own = |number: &MemberNumber| *number != own;
            let voters = membership::voters(view)?.voter_numbers;
            let voters: Vec<MemberNumber> = voters.into_iter().filter(not_own).collect();
            let members = members::list(view)?.into_iter().map(|member| member.number);
            let members = members.filter(not_own).collect();
            let wanted = quorum::of(view)?.write.min(voters.len());
            Ok(Some(Others { own, voters, members, wanted }))
        });
        let mut found = Departure::default();
        let Some(others) = others.await? else { return Ok(found) };
        let mut last: Option<Digest> = None;
        loop {
            let page =
                cluster.read(Freshness::Local, |view| blobs::page(view, last.as_ref(), PAGE_ROWS));
            let page = page.await?;
            last = page.items.last().map(|(digest, _)| digest.clone());
            for (digest, row) in page.items {
                found.note(&others, digest, &row);
            }
            if !page.more {
                return Ok(found);
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Departure {
    fn note(&mut self, others: &Others, digest: Digest, row: &BlobRow) {
        let is_needed = row.state == State::Live && row.idle_since_ms.is_none();
        if !is_needed || !row.holders.contains(&others.own) {
            return;
        }
        self.held += 1;
        let copies = row.holders.iter().filter(|holder| others.voters.contains(holder)).count();
        self.to_copy += u64::from(copies < others.wanted);
        if !row.holders.iter().any(|holder| others.members.contains(holder)) {
            self.last_copies += 1;
            if self.last_digests.len() < NAMED_MAX {
                self.last_digests.push(digest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use oci::digest::Algorithm;
    use oci::verifier::digest_of;

    use super::*;

    #[test]
    fn what_is_held_elsewhere_too_little_or_nowhere_else_is_counted() {
        let numbers = |numbers: &[u16]| numbers.iter().map(|it| MemberNumber(*it)).collect();
        // Three leaves; four is a member that does not vote, nine was one.
        let others = Others {
            own: MemberNumber(3),
            voters: numbers(&[1, 2]),
            members: numbers(&[1, 2, 4]),
            wanted: 2,
        };
        let row = |holders: &[u16]| BlobRow {
            size: 1,
            generation: 1,
            state: State::Live,
            refs: 1,
            idle_since_ms: None,
            holders: numbers(holders),
        };
        let idle = BlobRow { idle_since_ms: Some(1), ..row(&[3]) };
        let condemned = BlobRow { state: State::Condemned, ..row(&[3]) };
        // (row, held, to be copied, last copies)
        let cases = [
            (row(&[1, 2, 3]), (1, 0, 0)),
            (row(&[1, 3]), (1, 1, 0)),
            (row(&[3, 4]), (1, 1, 0)),
            (row(&[3, 9]), (1, 1, 1)),
            (row(&[3]), (1, 1, 1)),
            (row(&[1]), (0, 0, 0)),
            (idle, (0, 0, 0)),
            (condemned, (0, 0, 0)),
        ];
        let digest = digest_of(Algorithm::Sha256, b"x");
        for (row, expected) in cases {
            let mut found = Departure::default();
            found.note(&others, digest.clone(), &row);
            assert_eq!((found.held, found.to_copy, found.last_copies), expected, "{row:?}");
            assert_eq!(found.last_digests.len() as u64, found.last_copies);
        }
    }
}
