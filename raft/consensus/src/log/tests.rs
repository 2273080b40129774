//! What every log store does alike, and what the one on disk does about damage.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::durable::{DurableLog, OpenError, Options};
use super::memory::{Flush, MemoryLog};
use super::{LogId, LogStore, Vote, wait};

fn id(term: u64, index: u64) -> LogId {
    LogId { term, leader: 1, index }
}

fn payload(index: u64, length: usize) -> Bytes {
    Bytes::from(vec![u8::try_from(index % 251).unwrap(); length])
}

/// Five at a time, each batch synced before the next.
fn append(log: &dyn LogStore, term: u64, indexes: std::ops::Range<u64>, length: usize) {
    let entries: Vec<_> = indexes.map(|index| (id(term, index), payload(index, length))).collect();
    for batch in entries.chunks(5) {
        wait(|done| log.append(batch.to_vec(), done)).unwrap();
    }
}

fn small() -> Options {
    Options { file_bytes_max: 4096, ..Options::default() }
}

fn indexes(log: &dyn LogStore, from: u64, to: u64) -> Vec<u64> {
    let entries = log.read(from, to, u64::MAX).unwrap();
    for (id, bytes) in &entries {
        assert_eq!(bytes[0], payload(id.index, 1)[0]);
    }
    entries.iter().map(|(id, _)| id.index).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = all.filter(|path| path.extension() == Some("log".as_ref())).collect();
    files.sort();
    files
}

/// Every store, made anew by `reopen` after each step where it can be.
fn behaves(mut log: Box<dyn LogStore>, reopen: &dyn Fn(Box<dyn LogStore>) -> Box<dyn LogStore>) {
    assert_eq!((log.last(), log.purged(), log.read_vote(), log.committed()), Default::default());
    assert!(indexes(&*log, 0, 100).is_empty());

    let vote = Vote { term: 1, leader: 1, committed: true };
    wait(|done| log.save_vote(vote, done)).unwrap();
    append(&*log, 1, 1..51, 200);
    log.save_committed(Some(id(1, 20))).unwrap();
    log.save_committed(Some(id(1, 10))).unwrap();
    log.save_committed(Some(id(1, 99))).unwrap();
    assert_eq!(log.committed(), Some(id(1, 20)), "neither back nor beyond the last");
    append(&*log, 1, 51..61, 200);
    log = reopen(log);
    assert_eq!((log.read_vote(), log.last()), (Some(vote), Some(id(1, 60))));
    assert_eq!(log.committed(), Some(id(1, 20)));
    assert_eq!(indexes(&*log, 0, 100), [0; 0], "the log does not begin at 0");
    assert_eq!(indexes(&*log, 1, 100), (1..61).collect::<Vec<_>>());
    assert_eq!(indexes(&*log, 7, 9), [7, 8]);
    assert_eq!(log.read(5, 60, 500).unwrap().len(), 3, "up to the one that passes the limit");
    assert_eq!(log.read(5, 60, 0).unwrap().len(), 1, "at least one");
    assert!(log.size_bytes_since(1) >= 60 * 200 && log.size_bytes_since(51) >= 10 * 200);
    assert!(log.size_bytes_since(51) < 20 * 200);
    assert_eq!(log.size_bytes_since(61), 0);

    refusals(&*log);

    wait(|done| log.truncate_since(id(1, 31), done)).unwrap();
    assert_eq!(log.last(), Some(id(1, 30)));
    append(&*log, 2, 31..41, 300);
    log = reopen(log);
    assert_eq!(log.last(), Some(id(2, 40)));
    assert_eq!(log.read(31, 32, 0).unwrap()[0].0, id(2, 31));

    wait(|done| log.purge_upto(id(1, 25), done)).unwrap();
    log = reopen(log);
    assert_eq!((log.purged(), log.last()), (Some(id(1, 25)), Some(id(2, 40))));
    assert!(indexes(&*log, 25, 41).is_empty());
    assert_eq!(indexes(&*log, 26, 41), (26..41).collect::<Vec<_>>());

    wait(|done| log.purge_upto(id(3, 500), done)).unwrap();
    log = reopen(log);
    assert_eq!((log.purged(), log.last()), (Some(id(3, 500)), Some(id(3, 500))));
    append(&*log, 3, 501..511, 100);
    log = reopen(log);
    assert_eq!(indexes(&*log, 501, 600), (501..511).collect::<Vec<_>>());
}

fn refusals(log: &dyn LogStore) {
    let never = || Box::new(|_: io::Result<()>| panic!("a refused call tells nothing"));
    let gap = log.append(vec![(id(1, 62), Bytes::new())], never());
    let back = log.append(vec![(id(1, 60), Bytes::new())], never());
    let within = vec![(id(1, 61), Bytes::new()), (id(1, 63), Bytes::new())];
    let within = log.append(within, never());
    let committed = log.truncate_since(id(1, 20), never());
    let older = log.save_vote(Vote { term: 0, leader: 9, committed: true }, never());
    for refused in [gap, back, within, committed, older] {
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
    assert_eq!(log.last(), Some(id(1, 60)), "nothing changed");
}

#[test]
fn the_log_in_memory_behaves() {
    behaves(Box::new(MemoryLog::new(Flush::AtOnce)), &|log| log);
}

#[test]
fn the_log_on_disk_behaves_and_is_the_same_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let open = || Box::new(DurableLog::open(&path, small()).unwrap());
    behaves(open(), &|log| {
        drop(log);
        open()
    });
}

#[test]
fn completions_come_in_the_order_of_the_calls() {
    let folder = tempfile::tempdir().unwrap();
    let log = DurableLog::open(folder.path(), small()).unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    for index in 1..200 {
        let told = Arc::clone(&told);
        let done = Box::new(move |outcome: io::Result<()>| {
            outcome.unwrap();
            told.lock().unwrap().push(index);
        });
        log.append(vec![(id(1, index), payload(index, 100))], done).unwrap();
    }
    wait(|done| log.save_vote(Vote::default(), done)).unwrap();
    assert_eq!(*told.lock().unwrap(), (1..200).collect::<Vec<_>>());
}

#[test]
fn purging_removes_files_and_keeps_what_comes_after() {
    let folder = tempfile::tempdir().unwrap();
    let log = DurableLog::open(folder.path(), small()).unwrap();
    append(&log, 1, 1..101, 300);
    let before = files(folder.path()).len();
    assert!(before > 5, "{before} files");
    wait(|done| log.purge_upto(id(1, 90), done)).unwrap();
    // Removal comes behind the flush; the next one is behind the removal.
    wait(|done| log.purge_upto(id(1, 90), done)).unwrap();
    assert!(files(folder.path()).len() <= 2, "{:?}", files(folder.path()));
    assert_eq!(indexes(&log, 91, 200), (91..101).collect::<Vec<_>>());
}

#[test]
fn a_purge_after_a_truncation_takes_no_more_than_it_was_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let log = DurableLog::open(folder.path(), small()).unwrap();
    append(&log, 1, 1..101, 300);
    wait(|done| log.truncate_since(id(1, 51), done)).unwrap();
    append(&log, 2, 51..121, 300);
    // Files were closed with ids of the first term beyond this index.
    wait(|done| log.purge_upto(id(2, 60), done)).unwrap();
    assert_eq!(log.purged(), Some(id(2, 60)));
    drop(log);
    let log = DurableLog::open(folder.path(), small()).unwrap();
    assert_eq!(log.purged(), Some(id(2, 60)));
    assert_eq!(indexes(&log, 61, 200), (61..121).collect::<Vec<_>>());
}

#[test]
fn a_purged_file_that_comes_back_is_removed_again_and_a_missing_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = DurableLog::open(folder.path(), small()).unwrap();
    append(&log, 1, 1..101, 300);
    let all = files(folder.path());
    let kept: Vec<Vec<u8>> = all.iter().map(|file| fs::read(file).unwrap()).collect();
    wait(|done| log.purge_upto(id(1, 60), done)).unwrap();
    drop(log);
    let gone = all.iter().filter(|file| !file.exists()).count();
    assert!(gone > 2);
    // The machine went down between removing it and the sync of the folder.
    fs::write(&all[gone - 1], &kept[gone - 1]).unwrap();
    let log = DurableLog::open(folder.path(), small()).unwrap();
    assert_eq!((log.purged(), log.last()), (Some(id(1, 60)), Some(id(1, 100))));
    assert_eq!(indexes(&log, 61, 200), (61..101).collect::<Vec<_>>());
    wait(|done| log.save_vote(Vote::default(), done)).unwrap();
    assert!(!all[gone - 1].exists());
    drop(log);
    fs::remove_file(&all[all.len() - 2]).unwrap();
    let opened = DurableLog::open(folder.path(), small());
    assert!(matches!(opened, Err(OpenError::Damaged(_))));
}

#[test]
fn a_second_opener_is_told_who_is_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let log = DurableLog::open(folder.path(), small()).unwrap();
    assert!(matches!(DurableLog::open(folder.path(), small()), Err(OpenError::InUse(_))));
    drop(log);
    DurableLog::open(folder.path(), small()).unwrap();
}

/// A log of three flushed batches in one file, and the file's length after each.
fn three_batches() -> (tempfile::TempDir, PathBuf, Vec<u64>) {
    let folder = tempfile::tempdir().unwrap();
    let log = DurableLog::open(folder.path(), Options::default()).unwrap();
    let mut ends = Vec::new();
    wait(|done| log.save_vote(Vote { term: 1, leader: 1, committed: true }, done)).unwrap();
    let file = files(folder.path()).remove(0);
    for batch in 0..3 {
        let indexes = batch * 10 + 1..batch * 10 + 11;
        let entries = indexes.map(|index| (id(1, index), payload(index, 50))).collect();
        wait(|done| log.append(entries, done)).unwrap();
        ends.push(fs::metadata(&file).unwrap().len());
    }
    drop(log);
    (folder, file, ends)
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

#[test]
fn a_tail_cut_at_any_byte_is_repaired_and_keeps_what_was_flushed_before() {
    let (folder, file, ends) = three_batches();
    let whole = fs::read(&file).unwrap();
    for length in (place(ends[1])..whole.len()).step_by(7) {
        fs::write(&file, &whole[..length]).unwrap();
        let log = DurableLog::open(folder.path(), Options::default()).unwrap();
        let last = log.last().unwrap().index;
        assert!((20..=30).contains(&last), "cut at {length}: {last}");
        assert_eq!(indexes(&log, 1, 100), (1..=last).collect::<Vec<_>>());
        append(&log, 2, last + 1..last + 3, 10);
        drop(log);
        let log = DurableLog::open(folder.path(), Options::default()).unwrap();
        assert_eq!(log.last(), Some(id(2, last + 2)));
        drop(log);
        files(folder.path()).into_iter().skip(1).for_each(|file| fs::remove_file(file).unwrap());
    }
}

#[test]
fn a_hole_in_the_last_batch_is_cut_and_a_hole_before_it_is_refused() {
    let (folder, file, ends) = three_batches();
    let whole = fs::read(&file).unwrap();
    let (second, third) = (place(ends[0]), place(ends[1]));
    // Up to the stamp of the last record that begins before it, so never all of the last batch.
    for start in (0..whole.len() - 200).step_by(13) {
        let mut bytes = whole.clone();
        bytes[start..start + 30].fill(0xee);
        fs::write(&file, &bytes).unwrap();
        let opened = DurableLog::open(folder.path(), Options::default());
        if start + 30 <= third {
            let Err(OpenError::Damaged(text)) = opened else {
                panic!("hole at {start} of {third}")
            };
            assert!(text.contains("rejoin") && text.contains("damaged"), "{text}");
            assert_eq!(fs::read(&file).unwrap(), bytes, "a refused log is left as it is");
        } else if start >= third {
            let last = opened.unwrap().last().unwrap().index;
            assert!((20..30).contains(&last), "hole at {start}: {last}");
        }
    }
    assert!(second < third);
}

#[test]
fn any_flipped_bit_below_the_last_batch_is_refused() {
    let (folder, file, ends) = three_batches();
    let whole = fs::read(&file).unwrap();
    for at in (0..place(ends[1])).step_by(5) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&file, &bytes).unwrap();
        let opened = DurableLog::open(folder.path(), Options::default());
        assert!(matches!(opened, Err(OpenError::Damaged(_))), "byte {at}");
    }
}

#[test]
fn damage_in_an_older_file_is_refused_and_an_unwritten_newer_one_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let log = DurableLog::open(folder.path(), small()).unwrap();
    append(&log, 1, 1..41, 300);
    drop(log);
    let all = files(folder.path());
    assert!(all.len() > 2);

    let older = fs::read(&all[1]).unwrap();
    for length in [0, 100, older.len() - 1] {
        fs::write(&all[1], &older[..length]).unwrap();
        let opened = DurableLog::open(folder.path(), small());
        assert!(matches!(opened, Err(OpenError::Damaged(_))), "cut to {length}");
    }
    for at in (0..older.len()).step_by(61) {
        let mut bytes = older.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&all[1], &bytes).unwrap();
        let opened = DurableLog::open(folder.path(), small());
        assert!(matches!(opened, Err(OpenError::Damaged(_))), "byte {at}");
    }
    fs::write(&all[1], &older).unwrap();

    let newest = all.last().unwrap();
    let start: u64 = newest.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    let end = start + fs::metadata(newest).unwrap().len();
    let unwritten = folder.path().join(format!("{end:020}.log"));
    for content in [vec![], vec![0; 5000]] {
        fs::write(&unwritten, content).unwrap();
        let log = DurableLog::open(folder.path(), small()).unwrap();
        assert_eq!(log.last(), Some(id(1, 40)));
        drop(log);
        assert!(!unwritten.exists());
    }
}

#[test]
fn a_failed_write_ends_the_process_and_no_caller_is_told_of_success() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let failures = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&failures);
    let on_failure = Arc::new(move |error: &io::Error| seen.lock().unwrap().push(error.kind()));
    let log = DurableLog::open(&path, Options { on_failure, ..small() }).unwrap();
    append(&log, 1, 1..16, 300);
    // The file is full. The next file of the log can't be created.
    fs::remove_dir_all(&path).unwrap();
    let entries = vec![(id(1, 16), payload(16, 300))];
    wait(|done| log.append(entries, done)).unwrap_err();
    assert_eq!(failures.lock().unwrap().first(), Some(&io::ErrorKind::NotFound));
    wait(|done| log.save_vote(Vote::default(), done)).unwrap_err();
}
