//! Who votes: copied from the consensus into the tables, so that apply can count copies on voters.

use crate::codec::message;
use crate::members;
use crate::replica::{MemberNumber, ReplicaId};
use crate::row;
use crate::tables::{Damage, Read, Table, Write};

const KEY: &[u8] = b"voters";

message! {
    /// The membership as of the last membership entry applied.
    #[derive(Default)]
    pub struct VotersRow {
        /// Those who vote.
        1 voters: Vec<ReplicaId>,
        /// Those who only follow.
        2 learners: Vec<ReplicaId>,
        /// Numbers of the voters that are members and keep content, sorted; the first membership
        /// entry comes before its members' rows, so this is filled in as they come.
        3 voter_numbers: Vec<MemberNumber>,
        /// Numbers of the voters that are being drained, sorted: they vote, and what they hold
        /// counts no more. They are not among `voter_numbers`.
        4 draining: Vec<MemberNumber>,
    }
}

/// Who votes and who follows.
pub fn voters(read: &impl Read) -> Result<VotersRow, Damage> {
    Ok(row::find(read, Table::Singles, KEY)?.unwrap_or_default())
}

/// How many of `members`, each named once, are voters.
pub fn count_voters(read: &impl Read, members: &[MemberNumber]) -> Result<usize, Damage> {
    let row = voters(read)?;
    Ok(row.count(members))
}

impl VotersRow {
    /// How many of `members`, each named once, are voters.
    pub fn count(&self, members: &[MemberNumber]) -> usize {
        members.iter().filter(|member| self.voter_numbers.binary_search(member).is_ok()).count()
    }
}

/// To be called when a membership entry is applied; W and RF follow from it.
pub fn voters_changed(
    tables: &mut impl Write,
    voters: &[ReplicaId],
    learners: &[ReplicaId],
) -> Result<(), Damage> {
    let voters = sorted(voters);
    let learners = sorted(learners);
    write(tables, VotersRow { voters, learners, ..VotersRow::default() })
}

/// Fills in the numbers again after a member came or went.
pub(crate) fn refresh(tables: &mut impl Write) -> Result<(), Damage> {
    let row = voters(tables)?;
    write(tables, row)
}

fn write(tables: &mut impl Write, mut row: VotersRow) -> Result<(), Damage> {
    (row.voter_numbers, row.draining) = (Vec::new(), Vec::new());
    for voter in &row.voters {
        let Some(member) = members::find(tables, *voter)? else { continue };
        let numbers = if member.is_draining { &mut row.draining } else { &mut row.voter_numbers };
        numbers.push(member.number);
    }
    row.voter_numbers.sort_unstable();
    row.draining.sort_unstable();
    members::mark_voters(tables, &row.voter_numbers)?;
    members::mark_voters(tables, &row.draining)?;
    row::put(tables, Table::Singles, KEY.to_vec(), &row);
    Ok(())
}

fn sorted(ids: &[ReplicaId]) -> Vec<ReplicaId> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    ids
}
