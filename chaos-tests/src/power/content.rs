//! What the writer writes: drawn from numbers, so that the judge knows every byte of it.

use std::collections::BTreeMap;

use kv::batch::Batch;
use oci::digest::{Algorithm, Digest};
use oci::verifier::digest_of;
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

/// The row that holds the number of the last batch.
pub const COUNT: (u8, &[u8]) = (0, b"batches");

/// The payload of a log entry.
pub fn payload(term: u64, index: u64) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64((term << 40) ^ index);
    // Mostly small as commands are, some beyond a page or two.
    let length = if random.random_ratio(1, 8) { 9000 } else { 400 };
    bytes(&mut random, length)
}

/// The bytes of a blob, and their digest.
pub fn blob(number: u64) -> (Digest, Vec<u8>) {
    let mut random = StdRng::seed_from_u64(number ^ 0xb10b);
    let bytes = bytes(&mut random, 150_000);
    (digest_of(Algorithm::Sha256, &bytes), bytes)
}

fn bytes(random: &mut StdRng, length_max: usize) -> Vec<u8> {
    let mut bytes = vec![0; random.random_range(8..=length_max)];
    random.fill_bytes(&mut bytes);
    bytes
}

/// One change of a table: the key, and the value or its removal.
type Change = ((u8, Vec<u8>), Option<Vec<u8>>);

/// What the tables hold.
pub type Tables = BTreeMap<(u8, Vec<u8>), Vec<u8>>;

fn changes(number: u64) -> Vec<Change> {
    let mut random = StdRng::seed_from_u64(number ^ 0x7ab1e);
    let mut change = |_| {
        let key = random.random_range(0..1500_u16).to_be_bytes().to_vec();
        let table = random.random_range(1..4);
        let value = random.random_ratio(4, 5).then(|| bytes(&mut random, 500));
        ((table, key), value)
    };
    let mut changes: Vec<Change> = (0..20).map(&mut change).collect();
    changes.push(((COUNT.0, COUNT.1.to_vec()), Some(number.to_be_bytes().to_vec())));
    changes
}

/// The batch with this number.
pub fn batch(number: u64) -> Batch {
    let mut batch = Batch::new();
    for ((table, key), value) in changes(number) {
        match value {
            Some(value) => batch.put(table, &key, &value),
            None => batch.delete(table, &key),
        }
    }
    batch
}

/// The tables after all batches up to and including `last`.
pub fn tables(last: u64) -> Tables {
    let mut tables = Tables::new();
    for (key, value) in (1..=last).flat_map(changes) {
        match value {
            Some(value) => drop(tables.insert(key, value)),
            None => drop(tables.remove(&key)),
        }
    }
    tables
}
