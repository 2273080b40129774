//! Who could take bytes just now, and in which order they are chosen.

use std::time::Duration;

use consensus::cluster::Freshness;
use consensus::status::ReplicaStatus;
use metadata::placement::order;
use metadata::quorum;
use metadata::receipts::Receipt;
use metadata::replica::{MemberNumber, ReplicaId};

use crate::content::Content;
use crate::failure::ContentFailure;

/// A replica that was silent for longer is not chosen, and not waited for.
const SILENT_MAX: Duration = Duration::from_secs(5);

/// A replica that was silent for longer counts as missing its copies.
const GONE_AFTER: Duration = Duration::from_mins(30);

/// The members as this replica sees them now.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// This replica.
    pub(crate) own: ReplicaId,
    /// Copies on voters that a commit needs.
    pub(crate) write: usize,
    /// Copies on voters that a blob should have.
    pub(crate) copies: usize,
    members: Vec<Seen>,
}

#[derive(Clone, Debug)]
struct Seen {
    id: ReplicaId,
    number: MemberNumber,
    votes: bool,
    silent: Duration,
    takes_blobs: bool,
}

impl Content {
    /// Looks at the members now.
    pub(crate) async fn field(&self) -> Result<Field, ContentFailure> {
        let cluster = &self.shared.cluster;
        let quorum = cluster.read(Freshness::Local, |view| quorum::of(view)).await?;
        let status = cluster.status();
        let own = status.replica_id;
        let (began, has_room) = (self.shared.began, self.shared.store.check_room().is_ok());
        let seen = |replica: &ReplicaStatus| {
            let silent = replica.last_contact_ms.map_or(began.elapsed(), Duration::from_millis);
            Seen {
                id: replica.replica_id,
                number: MemberNumber(replica.number),
                // What one holds that is being drained counts no more, and it gets nothing new.
                votes: status.voters.contains(&replica.replica_id) && !replica.is_draining,
                // One that was never heard is not known to be there.
                silent: if replica.last_contact_ms.is_none() {
                    silent.max(SILENT_MAX)
                } else {
                    silent
                },
                takes_blobs: if replica.replica_id == own { has_room } else { replica.takes_blobs },
            }
        };
        let members = status.replicas.iter().map(seen).collect();
        Ok(Field { own, write: quorum.write, copies: quorum.copies, members })
    }

    /// Whether a replica was heard lately.
    pub(crate) fn is_live(&self, replica: ReplicaId) -> bool {
        let status = self.shared.cluster.status();
        let found = status.replicas.iter().find(|seen| seen.replica_id == replica);
        let silent = found.and_then(|seen| seen.last_contact_ms).map(Duration::from_millis);
        silent.is_some_and(|silent| silent < SILENT_MAX)
    }
}

impl Field {
    fn seen(&self, id: ReplicaId) -> Option<&Seen> {
        self.members.iter().find(|seen| seen.id == id)
    }

    /// This replica's number; `None` before it is a member.
    pub(crate) fn own_number(&self) -> Option<MemberNumber> {
        self.number(self.own)
    }

    /// A member's number.
    pub(crate) fn number(&self, id: ReplicaId) -> Option<MemberNumber> {
        self.seen(id).map(|seen| seen.number)
    }

    /// The member of a number.
    pub(crate) fn member(&self, number: MemberNumber) -> Option<ReplicaId> {
        self.members.iter().find(|seen| seen.number == number).map(|seen| seen.id)
    }

    /// Whether this replica can make a copy that counts.
    pub(crate) fn own_counts(&self) -> bool {
        self.votes(self.own) && self.has_room(self.own)
    }

    /// Whether a replica's disk takes new content.
    pub(crate) fn has_room(&self, id: ReplicaId) -> bool {
        self.seen(id).is_some_and(|seen| seen.takes_blobs)
    }

    /// Voters that are heard, with room or without.
    pub(crate) fn live_voters(&self) -> usize {
        self.members.iter().filter(|seen| seen.votes && self.is_live(seen.id)).count()
    }

    /// Whether copies of a replica count.
    pub(crate) fn votes(&self, id: ReplicaId) -> bool {
        self.seen(id).is_some_and(|seen| seen.votes)
    }

    /// Whether a replica was heard lately, or is this one.
    pub(crate) fn is_live(&self, id: ReplicaId) -> bool {
        id == self.own || self.seen(id).is_some_and(|seen| seen.silent < SILENT_MAX)
    }

    /// Whether a replica has been away for so long that its copies count as missing.
    pub(crate) fn is_gone(&self, id: ReplicaId) -> bool {
        id != self.own && self.seen(id).is_none_or(|seen| seen.silent > GONE_AFTER)
    }

    /// The other voters that could take bytes now, in the order in which `seed` chooses them.
    pub(crate) fn others(&self, seed: &[u8]) -> Vec<ReplicaId> {
        let able = |seen: &&Seen| {
            seen.votes && seen.takes_blobs && seen.id != self.own && seen.silent < SILENT_MAX
        };
        let able: Vec<ReplicaId> = self.members.iter().filter(able).map(|seen| seen.id).collect();
        order(seed, &able)
    }

    /// How many of `receipts` are from voters.
    pub(crate) fn counted(&self, receipts: &[Receipt]) -> usize {
        receipts.iter().filter(|receipt| self.votes(receipt.replica_id)).count()
    }

    /// Copies that others must make beside this replica's own before a commit.
    pub(crate) fn needed_from_others(&self) -> usize {
        self.write.saturating_sub(usize::from(self.own_counts()))
    }

    /// Copies that others should make beside this replica's own.
    pub(crate) fn wanted_from_others(&self) -> usize {
        self.copies.saturating_sub(usize::from(self.own_counts()))
    }

    /// The voters that should get a copy of what `seed` names, beside `holders`: those that are
    /// lost for long count for nothing. In order; dead ones are passed over.
    pub(crate) fn should_pull(&self, seed: &[u8], holders: &[ReplicaId]) -> Vec<ReplicaId> {
        let counted = holders.iter().filter(|id| self.votes(**id) && !self.is_gone(**id)).count();
        let missing = self.copies.saturating_sub(counted);
        let able = |seen: &&Seen| {
            let live = seen.id == self.own || seen.silent < SILENT_MAX;
            seen.votes && live && seen.takes_blobs && !holders.contains(&seen.id)
        };
        let able: Vec<ReplicaId> = self.members.iter().filter(able).map(|seen| seen.id).collect();
        let mut chosen = order(seed, &able);
        chosen.truncate(missing);
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> ReplicaId {
        ReplicaId::from_u64(number).unwrap()
    }

    /// Replicas 1 to `silences.len()`, all voting, silent for so many seconds; replica 1 is this
    /// one.
    fn field(silences: &[u64]) -> Field {
        let seen = |(at, silent_s): (usize, &u64)| Seen {
            id: id(at as u64 + 1),
            number: MemberNumber(u16::try_from(at).unwrap() + 1),
            votes: true,
            silent: Duration::from_secs(*silent_s),
            takes_blobs: true,
        };
        let members: Vec<Seen> = silences.iter().enumerate().map(seen).collect();
        let count = members.len();
        let (write, copies) = (quorum::write_quorum(count), quorum::replication_factor(count));
        Field { own: id(1), write, copies, members }
    }

    #[test]
    fn the_silent_and_the_full_are_not_chosen() {
        let mut field = field(&[0, 0, 6, 0, 0]);
        field.members[3].takes_blobs = false;
        let mut others = field.others(b"upload");
        others.sort();
        assert_eq!(others, [id(2), id(5)]);
        assert_eq!((field.needed_from_others(), field.wanted_from_others()), (2, 2));
        field.members[0].votes = false;
        assert_eq!((field.needed_from_others(), field.wanted_from_others()), (3, 3));
    }

    #[test]
    fn copies_of_the_long_gone_are_made_anew_and_those_of_the_briefly_gone_are_not() {
        // (silence of holder 2 in s, how many are to pull)
        for (silent_s, pulls) in [(0, 0), (60, 0), (31 * 60, 1)] {
            let field = field(&[0, silent_s, 0, 0, 0]);
            let chosen = field.should_pull(b"digest", &[id(1), id(2), id(3)]);
            assert_eq!(chosen.len(), pulls, "{silent_s}");
            assert!(chosen.iter().all(|chosen| [id(4), id(5)].contains(chosen)));
        }
        let field = field(&[0, 0, 0]);
        assert_eq!(field.should_pull(b"digest", &[id(2), id(3)]), [id(1)]);
    }
}
