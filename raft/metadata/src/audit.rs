//! The audit log: what was done to the cluster, its accounts, rights and repositories, in a chain.
//!
//! Apply writes a record with each change of that kind ([`deed`] says which), in the same entry or
//! not at all. A record's hash covers the hash of the one before it, so that none can be changed,
//! taken out or moved without every later hash telling; whoever keeps a copy, or only the newest
//! hash, can prove it. What was refused is not here: refusals change nothing.

use oci::digest::Algorithm;
use oci::verifier::Verifier;

use crate::accounts::AccountId;
use crate::audit::deed::Deed;
use crate::codec::message;
use crate::entry::Origin;
use crate::moment::Moment;
use crate::row;
use crate::tables::{Damage, Read, Table, Write};

mod credentials;
pub mod deed;
mod jobs;
pub mod listing;
mod people;
mod places;

/// Records that are kept, at most: the oldest goes for each that comes beyond them, and the hash it
/// had is kept in its place.
pub const RECORDS_MAX: u64 = 1_000_000;

/// A text of a record in bytes, at most; a longer one is cut.
pub const TEXT_BYTES_MAX: usize = 512;

/// Facts of a record, at most.
pub const FACTS_MAX: usize = 16;

const KEY: &[u8] = b"audit";

/// The hash of a record, over the one before it.
pub type RecordHash = [u8; 32];

/// What the first record of a cluster goes on from.
pub const BEGINNING: RecordHash = [0; 32];

message! {
    /// Something about a deed.
    pub struct Fact {
        /// What.
        1 name: String,
        /// How it was.
        2 value: String,
    }
}

message! {
    /// What was done. Its hash is over these bytes, so fields are only ever added.
    pub struct AuditRecord {
        /// Counts up from one, without gaps.
        1 number: u64,
        /// The entry that did it.
        2 log_index: u64,
        /// When, milliseconds since 1970.
        3 wall_ms: u64,
        /// Who: the account's name; empty for the cluster itself and for who is at its machine.
        4 actor: String,
        /// Who: the account's id.
        5 actor_id: Option<AccountId>,
        /// From where: the client's address; empty where no request asked.
        6 address: String,
        /// By which request, as in the log of the replica that took it.
        7 request_id: String,
        /// What was done: a noun and a verb, `repository.create`.
        8 action: String,
        /// To what: the kind of thing.
        9 object_type: String,
        /// To what: its name.
        10 object: String,
        /// How, and what came of it.
        11 facts: Vec<Fact>,
    }
}

impl AuditRecord {
    /// The record's hash: SHA-256 over the hash of the record before and its own bytes.
    pub fn hash(&self, previous: &RecordHash) -> RecordHash {
        let mut verifier = Verifier::new(&[Algorithm::Sha256]);
        verifier.update(previous);
        verifier.update(&self.encode());
        let digest = verifier.finish().pop().map(|digest| digest.to_bytes()).unwrap_or_default();
        // The key form of a digest has its algorithm in front.
        digest.last_chunk().copied().unwrap_or_default()
    }
}

message! {
    /// A record in its chain, under its number.
    pub struct AuditRow {
        /// What was done.
        1 record: AuditRecord,
        /// Over the record before and this one.
        2 hash: RecordHash,
    }
}

message! {
    /// Both ends of the chain.
    pub struct ChainRow {
        /// The number of the oldest record that is kept.
        1 first: u64,
        /// The number of the newest; one less than `first` where there is none.
        2 last: u64,
        /// The hash before the oldest.
        3 anchor: RecordHash,
        /// The hash of the newest.
        4 head: RecordHash,
    }
}

impl ChainRow {
    /// How many records there are.
    pub fn count(&self) -> u64 {
        (self.last + 1).saturating_sub(self.first)
    }
}

/// Both ends of the chain.
pub fn chain(read: &impl Read) -> Result<ChainRow, Damage> {
    let empty = ChainRow { first: 1, last: 0, anchor: BEGINNING, head: BEGINNING };
    Ok(row::find(read, Table::Singles, KEY)?.unwrap_or(empty))
}

/// The record with that number, if it is kept.
pub fn find(read: &impl Read, number: u64) -> Result<Option<AuditRow>, Damage> {
    row::find(read, Table::AuditRecords, &number.to_be_bytes())
}

fn existing(read: &impl Read, number: u64) -> Result<AuditRow, Damage> {
    let found = find(read, number)?;
    found.ok_or_else(|| Damage(format!("audit record {number} is counted and not there")))
}

/// Writes down what was done.
pub(crate) fn note(
    tables: &mut impl Write,
    deed: Deed,
    origin: Option<&Origin>,
    moment: &Moment,
) -> Result<(), Damage> {
    let mut chain = chain(tables)?;
    let asked = origin.filter(|origin| !origin.account.is_empty());
    let (actor, actor_id) = match asked {
        Some(origin) => (origin.account.as_str(), origin.account_id),
        None => (deed.actor.as_str(), deed.actor_id),
    };
    let facts = deed.facts.into_iter().take(FACTS_MAX);
    let record = AuditRecord {
        number: chain.last + 1,
        log_index: moment.index,
        wall_ms: moment.wall_ms,
        actor: cut(actor),
        actor_id,
        address: cut(origin.map_or("", |origin| &origin.address)),
        request_id: cut(origin.map_or("", |origin| &origin.request_id)),
        action: deed.action.to_owned(),
        object_type: deed.object_type.to_owned(),
        object: cut(&deed.object),
        facts: facts.map(|(name, value)| Fact { name, value: cut(&value) }).collect(),
    };
    add(tables, &mut chain, record, RECORDS_MAX)?;
    row::put(tables, Table::Singles, KEY.to_vec(), &chain);
    Ok(())
}

/// Writes a record to the chain's end; the oldest goes where there would be more than `most`.
fn add(
    tables: &mut impl Write,
    chain: &mut ChainRow,
    record: AuditRecord,
    most: u64,
) -> Result<(), Damage> {
    while chain.count() >= most {
        chain.anchor = existing(tables, chain.first)?.hash;
        tables.delete(Table::AuditRecords, &chain.first.to_be_bytes());
        chain.first += 1;
    }
    chain.last = record.number;
    chain.head = record.hash(&chain.head);
    let key = record.number.to_be_bytes().to_vec();
    row::put(tables, Table::AuditRecords, key, &AuditRow { record, hash: chain.head });
    Ok(())
}

/// As much of a text as a record holds.
fn cut(text: &str) -> String {
    let end = (0..=text.len().min(TEXT_BYTES_MAX)).rev().find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or(0)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Memory;

    fn record(number: u64) -> AuditRecord {
        AuditRecord {
            number,
            log_index: number + 10,
            wall_ms: 5,
            actor: "admin".to_owned(),
            actor_id: Some([1; 16]),
            address: String::new(),
            request_id: String::new(),
            action: "user.create".to_owned(),
            object_type: "account".to_owned(),
            object: "ann".to_owned(),
            facts: Vec::new(),
        }
    }

    #[test]
    fn the_oldest_goes_where_there_are_too_many_and_its_hash_stays() {
        let (mut tables, mut chain) = (Memory::default(), chain(&Memory::default()).unwrap());
        let mut hashes = vec![BEGINNING];
        for number in 1..=12 {
            add(&mut tables, &mut chain, record(number), 5).unwrap();
            hashes.push(chain.head);
        }
        assert_eq!((chain.first, chain.last, chain.count()), (8, 12, 5));
        assert_eq!((chain.anchor, chain.head), (hashes[7], hashes[12]));
        assert_eq!(tables.count(Table::AuditRecords), 5);
        let oldest = existing(&tables, 8).unwrap();
        assert_eq!(oldest.record.hash(&chain.anchor), oldest.hash);
    }

    #[test]
    fn a_hash_covers_every_field_and_what_came_before() {
        let (one, before) = (record(1), [7; 32]);
        let fact = Fact { name: "a".to_owned(), value: "b".to_owned() };
        let others = [
            AuditRecord { number: 2, ..one.clone() },
            AuditRecord { log_index: 2, ..one.clone() },
            AuditRecord { wall_ms: 2, ..one.clone() },
            AuditRecord { actor: "x".to_owned(), ..one.clone() },
            AuditRecord { actor_id: None, ..one.clone() },
            AuditRecord { address: "x".to_owned(), ..one.clone() },
            AuditRecord { request_id: "x".to_owned(), ..one.clone() },
            AuditRecord { action: "x".to_owned(), ..one.clone() },
            AuditRecord { object_type: "x".to_owned(), ..one.clone() },
            AuditRecord { object: "x".to_owned(), ..one.clone() },
            AuditRecord { facts: vec![fact], ..one.clone() },
        ];
        for other in others {
            assert_ne!(other.hash(&before), one.hash(&before), "{other:?}");
        }
        assert_ne!(one.hash(&before), one.hash(&BEGINNING));
    }

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        assert_eq!(cut("ann"), "ann");
        assert_eq!(cut(&"é".repeat(400)).len(), TEXT_BYTES_MAX);
        assert_eq!(cut(&format!("a{}", "é".repeat(400))).len(), TEXT_BYTES_MAX - 1);
    }
}
