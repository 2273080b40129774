//! Appending to the log: many callers share an fsync.

use std::sync::mpsc;

use bytes::Bytes;
use consensus::log::durable::{DurableLog, Options};
use consensus::log::{LogId, LogStore};
use criterion::{Criterion, Throughput};

/// About what an entry with one manifest push has.
const ENTRY_BYTES: usize = 600;

/// So many appends are asked for at once, each with a promise of its own, on a real disk.
pub(crate) fn group_commit(criterion: &mut Criterion) {
    let folder = tempfile::tempdir_in(".").unwrap();
    let log = DurableLog::open(folder.path(), Options::default()).unwrap();
    let payload = Bytes::from(vec![0x5a; ENTRY_BYTES]);
    let mut next = log.last().map_or(0, |last| last.index + 1);
    let mut group = criterion.benchmark_group("log append");
    for at_once in [1_u64, 16, 64] {
        group.throughput(Throughput::Elements(at_once));
        group.bench_function(format!("{at_once} at once"), |bencher| {
            bencher.iter(|| {
                let (tell, told) = mpsc::channel();
                for _ in 0..at_once {
                    let tell = tell.clone();
                    let id = LogId { term: 1, leader: 1, index: next };
                    next += 1;
                    let done = Box::new(move |outcome| tell.send(outcome).unwrap());
                    log.append(vec![(id, payload.clone())], done).unwrap();
                }
                for _ in 0..at_once {
                    told.recv().unwrap().unwrap();
                }
            });
        });
    }
    group.finish();
}
