//! Members: the replicas that belong to the cluster, each known by its key.
//!
//! Ids, numbers and keys of former members are remembered for ever, so that none is used again and
//! a struck key never connects.

use crate::bootstrap;
use crate::codec::message;
use crate::jobs::workers;
use crate::join_tokens;
use crate::membership;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::replica::{MemberNumber, ReplicaId};
use crate::row;
use crate::ruling::Ruling;
use crate::sessions;
use crate::tables::{Damage, Read, Table, Write};

/// An eighth voter would make writes slower and tolerate no more failures than seven do.
pub const MEMBERS_MAX: usize = 7;

message! {
    /// A member, present or former.
    pub struct MemberRow {
        /// Its id.
        1 replica_id: ReplicaId,
        /// Its number; what a command says here is replaced.
        2 number: MemberNumber,
        /// The SHA-256 of its public key in hexadecimal: what its certificate must hold.
        3 public_key: String,
        /// `host:port` where its peers reach it.
        4 address: String,
        /// Its machine's name, for people.
        5 host_name: String,
        /// Its machine's id, to keep two voters off one machine.
        6 machine_id: String,
        /// Fixed when it joined; a wiped disk comes back under another id.
        7 incarnation: String,
        /// The version of the binary it runs.
        8 version: String,
        /// Milliseconds since 1970.
        9 joined_wall_ms: u64,
        /// Whether it has ever been a voter.
        10 was_voter: bool,
        /// Whether it was removed: its key is struck.
        11 is_removed: bool,
        /// Whether its content moves to the others, so that it can be removed: what it holds counts
        /// no more, and it gets nothing new.
        12 is_draining: bool,
        /// The newest version of the state that its binary knows; 0 for 1.
        13 supports: u32,
    }
}

message! {
    /// A number given for ever.
    pub struct MemberNumberRow {
        /// The member.
        1 number: MemberNumber,
    }
}

message! {
    /// Makes a replica a member. The same key and token again give the same answer and take one
    /// use.
    pub struct MemberJoin {
        /// The join token's id.
        1 token_id: String,
        /// Hash of its secret.
        2 secret_hash: Vec<u8>,
        /// As in [`MemberRow`].
        3 public_key: String,
        /// The id that the newcomer is to have.
        4 replica_id: ReplicaId,
        /// As in [`MemberRow`].
        5 address: String,
        /// As in [`MemberRow`].
        6 host_name: String,
        /// As in [`MemberRow`].
        7 machine_id: String,
        /// As in [`MemberRow`].
        8 incarnation: String,
        /// Whether another member on the same machine is fine.
        9 allow_same_machine: bool,
        /// As in [`MemberRow`].
        10 version: String,
        /// As in [`MemberRow`].
        11 supports: u32,
    }
}

message! {
    /// What a replica says of itself when it starts.
    pub struct MemberUpdate {
        /// The member.
        1 replica_id: ReplicaId,
        /// As in [`MemberRow`]; `None` leaves it.
        2 address: Option<String>,
        /// As in [`MemberRow`]; `None` leaves it.
        3 version: Option<String>,
        /// As in [`MemberRow`]; `None` leaves it.
        4 supports: Option<u32>,
    }
}

message! {
    /// Has a member's content moved to the others, or stops that.
    pub struct MemberDrain {
        /// The member.
        1 replica_id: ReplicaId,
        /// Whether it is to be drained.
        2 is_draining: bool,
    }
}

message! {
    /// Strikes a member's key. It must have left the voters before.
    pub struct MemberRemove {
        /// The member.
        1 replica_id: ReplicaId,
    }
}

impl MemberJoin {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let token = join_tokens::checked(tables, &self.token_id, &self.secret_hash)?;
        bootstrap::require_known(tables, self.supports)?;
        if let Some(member) = by_any_key(tables, &self.public_key)? {
            if member.is_removed {
                return Err(Refusal::KeyStruck { public_key: self.public_key.clone() }.into());
            }
            return Ok(joined(&member));
        }
        join_tokens::take_use(tables, &self.token_id, token, moment)?;
        if !self.allow_same_machine && !self.machine_id.is_empty() {
            self.clear_machine(tables)?;
        }
        check_room(tables)?;
        let row = MemberRow {
            replica_id: self.replica_id,
            number: MemberNumber(0),
            public_key: self.public_key.clone(),
            address: self.address.clone(),
            host_name: self.host_name.clone(),
            machine_id: self.machine_id.clone(),
            incarnation: self.incarnation.clone(),
            version: self.version.clone(),
            joined_wall_ms: moment.wall_ms,
            was_voter: false,
            is_removed: false,
            is_draining: false,
            supports: self.supports,
        };
        let member = enter(tables, row, moment)?;
        membership::refresh(tables)?;
        bootstrap::settle_version(tables)?;
        Ok(joined(&member))
    }
}

impl MemberJoin {
    /// Refuses where a member runs on the newcomer's machine. One that joined there and never
    /// served, so that it is neither voter nor learner, is what a broken join left behind: it is
    /// struck.
    fn clear_machine(&self, tables: &mut impl Write) -> Ruling<()> {
        let membership = membership::voters(tables)?;
        for member in list(tables)?.into_iter().filter(|m| m.machine_id == self.machine_id) {
            let replica_id = member.replica_id;
            let known = |ids: &[ReplicaId]| ids.contains(&replica_id);
            if member.was_voter || known(&membership.voters) || known(&membership.learners) {
                return Err(Refusal::MachineTaken { replica_id }.into());
            }
            strike(tables, member)?;
        }
        Ok(())
    }
}

impl MemberUpdate {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        let member = known(tables, self.replica_id)?;
        let address = self.address.clone().unwrap_or_else(|| member.address.clone());
        let version = self.version.clone().unwrap_or_else(|| member.version.clone());
        let supports = self.supports.unwrap_or(member.supports);
        put(tables, &MemberRow { address, version, supports, ..member });
        bootstrap::settle_version(tables)?;
        Ok(Answer::Done)
    }
}

impl MemberDrain {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        let replica_id = self.replica_id;
        let member = known(tables, replica_id)?;
        if self.is_draining {
            let keepers = membership::voters(tables)?.voter_numbers;
            if keepers.iter().all(|keeper| *keeper == member.number) {
                return Err(Refusal::MemberIsLast { replica_id }.into());
            }
        }
        put(tables, &MemberRow { is_draining: self.is_draining, ..member });
        membership::refresh(tables)?;
        Ok(Answer::Done)
    }
}

impl MemberRemove {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        let replica_id = self.replica_id;
        let member = known(tables, replica_id)?;
        if membership::voters(tables)?.voters.contains(&replica_id) {
            return Err(Refusal::MemberIsVoter { replica_id }.into());
        }
        strike(tables, member)?;
        membership::refresh(tables)?;
        bootstrap::settle_version(tables)?;
        Ok(Answer::Done)
    }
}

/// Refuses where there are as many members as there can be, however many replicas answer joins at
/// the same time.
fn check_room(read: &impl Read) -> Ruling<()> {
    let members = list(read)?.len();
    if members < MEMBERS_MAX {
        return Ok(());
    }
    let members = u32::try_from(members).unwrap_or(u32::MAX);
    Err(Refusal::ClusterFull { members }.into())
}

/// Ends a membership for ever: the key is struck, the session closed.
pub(crate) fn strike(tables: &mut impl Write, member: MemberRow) -> Ruling<()> {
    let replica_id = member.replica_id;
    put(tables, &MemberRow { is_removed: true, ..member });
    workers::forget(tables, replica_id)?;
    Ok(sessions::close_of(tables, replica_id)?)
}

/// Ends the draining of a member that was under way.
pub(crate) fn keeps_content(tables: &mut impl Write, member: MemberRow) {
    put(tables, &MemberRow { is_draining: false, ..member });
}

fn joined(member: &MemberRow) -> Answer {
    Answer::Joined { replica_id: member.replica_id, number: member.number }
}

/// Gives `member` the next number and enters it.
pub(crate) fn enter(
    tables: &mut impl Write,
    member: MemberRow,
    moment: &Moment,
) -> Ruling<MemberRow> {
    let replica_id = member.replica_id;
    if number_of(tables, replica_id)?.is_some() {
        return Err(Refusal::ReplicaIdTaken { replica_id }.into());
    }
    let number = row::next_number(tables, b"last_member")?;
    let number = u16::try_from(number).map_err(|_| Refusal::MembersExhausted)?;
    let number = MemberNumber(number);
    let joined_wall_ms = moment.wall_ms;
    let member =
        MemberRow { number, joined_wall_ms, was_voter: false, is_removed: false, ..member };
    let given = MemberNumberRow { number };
    row::put(tables, Table::MemberIds, id_key(replica_id), &given);
    row::put(tables, Table::MemberKeys, member.public_key.as_bytes().to_vec(), &given);
    put(tables, &member);
    Ok(member)
}

/// The members, by number; former ones are left out.
pub fn list(read: &impl Read) -> Result<Vec<MemberRow>, Damage> {
    let rows = read.range(Table::Members, &[], None, usize::MAX)?;
    let members = rows.iter().map(|(_, value)| row::decode(Table::Members, value));
    let members: Vec<MemberRow> = members.collect::<Result<_, _>>()?;
    Ok(members.into_iter().filter(|member| !member.is_removed).collect())
}

/// The member of that id.
pub fn find(read: &impl Read, replica_id: ReplicaId) -> Result<Option<MemberRow>, Damage> {
    match number_of(read, replica_id)? {
        Some(number) => by_number(read, number),
        None => Ok(None),
    }
}

/// The member with that key: who it is that connects. A struck key finds none.
pub fn by_key(read: &impl Read, public_key: &str) -> Result<Option<MemberRow>, Damage> {
    Ok(by_any_key(read, public_key)?.filter(|member| !member.is_removed))
}

/// The member with that number.
pub fn by_number(read: &impl Read, number: MemberNumber) -> Result<Option<MemberRow>, Damage> {
    Ok(any_by_number(read, number)?.filter(|member| !member.is_removed))
}

/// The number that an id has, or had.
pub fn number_of(read: &impl Read, replica_id: ReplicaId) -> Result<Option<MemberNumber>, Damage> {
    let row: Option<MemberNumberRow> = row::find(read, Table::MemberIds, &id_key(replica_id))?;
    Ok(row.map(|row| row.number))
}

/// The ids behind numbers; former members are left out.
pub fn replicas(read: &impl Read, numbers: &[MemberNumber]) -> Result<Vec<ReplicaId>, Damage> {
    let mut replicas = Vec::with_capacity(numbers.len());
    for number in numbers {
        replicas.extend(by_number(read, *number)?.map(|member| member.replica_id));
    }
    Ok(replicas)
}

/// The member of that id, or a refusal.
pub(crate) fn known(read: &impl Read, replica_id: ReplicaId) -> Ruling<MemberRow> {
    Ok(find(read, replica_id)?.ok_or(Refusal::MemberUnknown { replica_id })?)
}

/// Remembers that these members have been voters.
pub(crate) fn mark_voters(tables: &mut impl Write, numbers: &[MemberNumber]) -> Result<(), Damage> {
    for number in numbers {
        if let Some(member) = any_by_number(tables, *number)?.filter(|member| !member.was_voter) {
            put(tables, &MemberRow { was_voter: true, ..member });
        }
    }
    Ok(())
}

fn by_any_key(read: &impl Read, public_key: &str) -> Result<Option<MemberRow>, Damage> {
    let row: Option<MemberNumberRow> = row::find(read, Table::MemberKeys, public_key.as_bytes())?;
    match row {
        Some(row) => any_by_number(read, row.number),
        None => Ok(None),
    }
}

fn any_by_number(read: &impl Read, number: MemberNumber) -> Result<Option<MemberRow>, Damage> {
    row::find(read, Table::Members, &number.0.to_be_bytes())
}

fn put(tables: &mut impl Write, member: &MemberRow) {
    row::put(tables, Table::Members, member.number.0.to_be_bytes().to_vec(), member);
}

fn id_key(replica_id: ReplicaId) -> Vec<u8> {
    replica_id.as_u64().to_be_bytes().to_vec()
}
