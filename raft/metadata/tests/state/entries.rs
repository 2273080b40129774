//! Entries, clocks, and what halts a replica.

use metadata::apply::{Halt, Position, apply};
use metadata::clocks;
use metadata::codec::Malformed;
use metadata::command::Command;
use metadata::entry::{Entry, FORMAT, Stamp};
use metadata::tables::{Damage, Read, Row, Table, Write};

use crate::cluster::Cluster;

fn entry(elapsed_ms: u64, wall_ms: u64) -> Entry {
    Entry { format: FORMAT, stamp: Stamp { elapsed_ms, wall_ms }, proposals: Vec::new() }
}

#[test]
fn cluster_time_adds_up_and_wall_time_never_goes_back() {
    let mut cluster = Cluster::of_one();
    let start = clocks::now(&cluster.tables).unwrap();
    for (elapsed_ms, wall_ms, cluster_after, wall_after) in [
        (10, start.wall_ms + 5, 10, 5),
        (0, start.wall_ms + 9, 10, 9),
        (7, start.wall_ms - 1000, 17, 9),
        (0, 0, 17, 9),
    ] {
        cluster.index += 1;
        let position = Position { log_index: cluster.index, term: 1 };
        apply(&mut cluster.tables, position, &entry(elapsed_ms, wall_ms)).unwrap();
        let now = clocks::now(&cluster.tables).unwrap();
        assert_eq!(now.cluster_ms - start.cluster_ms, cluster_after);
        assert_eq!(now.wall_ms - start.wall_ms, wall_after);
    }
}

#[test]
fn what_a_newer_version_wrote_halts_the_replica_and_changes_nothing() {
    let mut cluster = Cluster::of_one();
    let position = Position { log_index: cluster.index + 1, term: 1 };
    let before = cluster.tables.clone();

    let newer = Entry { format: FORMAT + 1, ..entry(1, 1) };
    let halt = apply(&mut cluster.tables, position, &newer).unwrap_err();
    assert!(halt.to_string().contains("format 2"), "{halt}");
    assert_eq!(Entry::read(&newer.encode()), Err(Malformed::NewerFormat(FORMAT + 1)));

    // Command 120, an empty message.
    let command: Command = metadata::settings::SettingsSet::default().into();
    let mut proposal = cluster.proposal(&command);
    proposal.command = vec![0xc2, 0x07, 0x00];
    let known = cluster.proposal(&command);
    let unknown = Entry { proposals: vec![known, proposal], ..entry(1, 1) };
    let halt = apply(&mut cluster.tables, position, &unknown).unwrap_err();
    assert!(halt.to_string().contains("Command carries field 120"), "{halt}");

    // A field that this version does not know in a command that it does.
    let mut proposal = cluster.proposal(&command);
    proposal.command = vec![0x1a, 0x03, 0xc0, 0x07, 0x01];
    let unknown = Entry { proposals: vec![proposal], ..entry(1, 1) };
    let halt = apply(&mut cluster.tables, position, &unknown).unwrap_err();
    assert!(halt.to_string().contains("SettingsSet carries field 120"), "{halt}");

    assert_eq!(cluster.tables, before);
}

/// Tables whose rows read as garbage.
struct Damaged;

impl Read for Damaged {
    fn get(&self, _: Table, _: &[u8]) -> Result<Option<Vec<u8>>, Damage> {
        Ok(Some(vec![0xff; 5]))
    }

    fn range(&self, _: Table, _: &[u8], _: Option<&[u8]>, _: usize) -> Result<Vec<Row>, Damage> {
        Err(Damage("a checksum is wrong".into()))
    }
}

impl Write for Damaged {
    fn put(&mut self, _: Table, _: Vec<u8>, _: Vec<u8>) {}

    fn delete(&mut self, _: Table, _: &[u8]) {}
}

#[test]
fn damaged_tables_halt_the_replica() {
    let position = Position { log_index: 5, term: 1 };
    let halt = apply(&mut Damaged, position, &entry(1, 1)).unwrap_err();
    assert!(matches!(&halt, Halt::TablesDamaged { log_index: 5, .. }), "{halt}");
    assert!(halt.to_string().contains("rebuilt"), "{halt}");
}
