//! The store against a map in memory: random batches, reads, reopening, and snapshots between them.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use crate::batch::Batch;
use crate::snapshot::{Row, Snapshot};
use crate::store::{KvError, Pair, Store};

/// What the tables should hold.
type Model = BTreeMap<(u8, Vec<u8>), Vec<u8>>;
/// One change: table, key, and the value to put or `None` to delete.
type Change = (u8, Vec<u8>, Option<Vec<u8>>);

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Change>),
    Reopen,
    Clear,
    OpenSnapshot,
    /// Rows of the open snapshot to read now, while batches go on around it.
    ReadSnapshot(usize),
    Range {
        table: u8,
        from: Vec<u8>,
        to: Option<Vec<u8>>,
        limit: usize,
    },
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    // Few different ones, so that changes meet; the empty key and prefixes of others among them.
    prop::collection::vec(0..4_u8, 0..4)
}

fn change() -> impl Strategy<Value = Change> {
    let table = prop::sample::select(vec![0, 1, 7, 255]);
    let value = prop::option::weighted(0.6, prop::collection::vec(any::<u8>(), 0..200));
    (table, key(), value)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => prop::collection::vec(change(), 0..40).prop_map(Step::Commit),
        1 => Just(Step::Reopen),
        1 => Just(Step::Clear),
        3 => Just(Step::OpenSnapshot),
        4 => (0..200_usize).prop_map(Step::ReadSnapshot),
        3 => (prop::sample::select(vec![0, 1, 7, 255]), key(), prop::option::of(key()), 0..20_usize)
            .prop_map(|(table, from, to, limit)| Step::Range { table, from, to, limit }),
    ]
}

fn commit(store: &Store, model: &mut Model, changes: &[Change]) {
    let mut batch = Batch::new();
    for (table, key, value) in changes {
        if let Some(value) = value {
            batch.put(*table, key, value);
            model.insert((*table, key.clone()), value.clone());
        } else {
            batch.delete(*table, key);
            model.remove(&(*table, key.clone()));
        }
    }
    store.commit(&batch).unwrap();
}

fn rows_of(model: &Model) -> Vec<Row> {
    let row = |((table, key), value): (&(u8, Vec<u8>), &Vec<u8>)| Row {
        table: *table,
        key: key.clone(),
        value: value.clone(),
    };
    model.iter().map(row).collect()
}

fn pairs_of(model: &Model, table: u8, from: &[u8], to: Option<&[u8]>) -> Vec<Pair> {
    let within = |key: &[u8]| key >= from && to.is_none_or(|to| key < to);
    let rows = model.iter().filter(|((at, key), _)| *at == table && within(key));
    rows.map(|((_, key), value)| (key.clone(), value.clone())).collect()
}

fn check_range(store: &Store, model: &Model, range: (u8, &[u8], Option<&[u8]>, usize)) {
    let (table, from, to, limit) = range;
    let all = pairs_of(model, table, from, to);
    let first: Vec<_> = all.iter().take(limit).cloned().collect();
    let last: Vec<_> = all.iter().rev().take(limit).cloned().collect();
    assert_eq!(store.range(table, from, to, limit).unwrap(), first);
    assert_eq!(store.range_back(table, from, to, limit).unwrap(), last);
    if let Some((key, value)) = all.first() {
        assert_eq!(store.get(table, key).unwrap().as_ref(), Some(value));
    }
}

/// A snapshot, the tables as they were when it was opened, and how many rows were read since.
struct Opened {
    snapshot: Snapshot,
    then: Vec<Row>,
}

impl Opened {
    fn check(self, model_now: &Model) {
        let rows: Vec<Row> = self.snapshot.rows().map(Result::unwrap).collect();
        assert_eq!(rows, self.then);
        for ((table, key), _) in model_now.iter().take(20) {
            let then = self.then.iter().find(|row| row.table == *table && row.key == *key);
            let got = self.snapshot.get(*table, key).unwrap();
            assert_eq!(got.as_ref(), then.map(|row| &row.value));
        }
    }
}

fn run(folder: &Path, steps: Vec<Step>) {
    let mut store = Store::open(folder).unwrap();
    let mut model = Model::new();
    let mut opened: Option<Opened> = None;
    for step in steps {
        match step {
            Step::Commit(changes) => commit(&store, &mut model, &changes),
            Step::Reopen => {
                opened = None;
                drop(store);
                store = Store::open(folder).unwrap();
            }
            Step::Clear => {
                store.clear().unwrap();
                model.clear();
                if let Some(opened) = opened.take() {
                    let first = opened.snapshot.rows().next();
                    assert!(matches!(first, Some(Err(KvError::SnapshotLost))));
                }
            }
            Step::OpenSnapshot if opened.is_some() => {
                assert!(matches!(store.snapshot(), Err(KvError::SnapshotOpen)));
                opened.take().unwrap().check(&model);
            }
            Step::OpenSnapshot => {
                opened =
                    Some(Opened { snapshot: store.snapshot().unwrap(), then: rows_of(&model) });
            }
            Step::ReadSnapshot(count) => {
                if let Some(opened) = &opened {
                    let rows = opened.snapshot.rows().take(count);
                    let rows: Vec<Row> = rows.map(Result::unwrap).collect();
                    assert_eq!(rows[..], opened.then[..rows.len()]);
                }
            }
            Step::Range { table, from, to, limit } => {
                check_range(&store, &model, (table, &from, to.as_deref(), limit));
            }
        }
    }
    if let Some(opened) = opened {
        opened.check(&model);
    }
    drop(store);
    let store = Store::open(folder).unwrap();
    let snapshot = store.snapshot().unwrap();
    let rows: Vec<Row> = snapshot.rows().map(Result::unwrap).collect();
    assert_eq!(rows, rows_of(&model));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_a_map_does_also_after_reopening(
        steps in prop::collection::vec(step(), 1..40)
    ) {
        let folder = tempfile::tempdir().unwrap();
        run(&folder.path().join("tables"), steps);
    }
}

/// Rows are read step by step while every one of them is changed, removed or joined by others.
#[test]
fn a_snapshot_read_slowly_shows_nothing_of_what_came_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("tables")).unwrap();
    let mut model = Model::new();
    let even: Vec<Change> =
        (0..4000_u32).map(|n| (3, (n * 2).to_be_bytes().to_vec(), Some(vec![1; 20]))).collect();
    commit(&store, &mut model, &even);
    let then = rows_of(&model);
    let snapshot = store.snapshot().unwrap();
    let mut read = Vec::new();
    for (n, row) in (0_u32..).zip(snapshot.rows()) {
        read.push(row.unwrap());
        // Behind the reader, ahead of it, and right where it is.
        let places = [n.wrapping_mul(7919) % 8000, n * 2 + 1, 7999 - n % 8000];
        let value = |at: u32| (!at.is_multiple_of(3)).then(|| vec![2; 20]);
        let change = |at: u32| (3, at.to_be_bytes().to_vec(), value(at));
        commit(&store, &mut model, &places.map(change));
    }
    assert_eq!(read, then);
    drop(snapshot);
    let now: Vec<Row> = store.snapshot().unwrap().rows().map(Result::unwrap).collect();
    assert_eq!(now, rows_of(&model));
}

#[test]
fn a_commit_never_falls_between_the_gets_of_one_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("tables")).unwrap();
    let write = |n: u64| {
        let mut batch = Batch::new();
        batch.put(1, b"left", &n.to_be_bytes());
        batch.put(2, b"right", &n.to_be_bytes());
        store.commit(&batch).unwrap();
    };
    write(0);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (1..3000).for_each(write));
        while !writer.is_finished() {
            let both = store.read(|reader| {
                Ok::<_, KvError>((reader.get(1, b"left")?, reader.get(2, b"right")?))
            });
            let (left, right) = both.unwrap();
            assert_eq!(left, right);
        }
    });
}

#[test]
fn a_refused_batch_changes_nothing_and_a_closed_store_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tables");
    let store = Store::open(&path).unwrap();
    let mut batch = Batch::new();
    batch.put(1, b"small", b"value");
    batch.put(1, b"large", &vec![0; 64 * 1024]);
    assert!(matches!(store.commit(&batch), Err(KvError::TooLarge { table: 1, bytes: 65536 })));
    assert_eq!(store.get(1, b"small").unwrap(), None);

    let second = std::thread::scope(|scope| scope.spawn(|| Store::open(&path)).join().unwrap());
    assert!(matches!(second.err(), Some(KvError::InUse { .. })));

    let mut batch = Batch::new();
    batch.put(1, b"small", b"value");
    store.commit(&batch).unwrap();
    store.close().unwrap();
    assert!(matches!(store.get(1, b"small"), Err(KvError::Closed)));
    assert!(matches!(store.snapshot().err(), Some(KvError::Closed)));
    let store = Store::open(&path).unwrap();
    assert_eq!(store.get(1, b"small").unwrap().as_deref(), Some(&b"value"[..]));
}

#[test]
fn tables_that_do_not_open_are_thrown_away_where_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tables");
    let (store, damage) = Store::open_or_discard(&path).unwrap();
    assert!(damage.is_none());
    let mut batch = Batch::new();
    batch.put(1, b"key", b"value");
    store.commit(&batch).unwrap();
    store.close().unwrap();
    // Killed while it was made, sled leaves its settings without their checksum.
    std::fs::write(path.join("conf"), b"segment_size: 524288\nuse_compr").unwrap();
    assert!(Store::open(&path).err().is_some_and(|error| error.must_rebuild()));
    let (store, damage) = Store::open_or_discard(&path).unwrap();
    assert!(matches!(damage, Some(KvError::Broken(_))));
    assert_eq!(store.get(1, b"key").unwrap(), None);
}
