//! The writer: a process that writes into one folder until it is killed.
//!
//! It goes on from what is there, as a replica does at its start.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use blobs::store::{BlobStore, Options as BlobOptions};
use blobs::sweep::Boot;
use bytes::Bytes;
use consensus::log::durable::{DurableLog, Options as LogOptions};
use consensus::log::{LogId, LogStore, Vote, wait};
use kv::life::{Life, former_end};
use kv::store::{KvError, Store};
use oci::digest::Algorithm;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::content;
use super::files::PlainFiles;
use super::told::Told;

/// Names the folder; a process that has it is a writer.
pub const ROOT: &str = "HOLDFAST_POWER_ROOT";
/// Stands for the boot id of the machine: another one after every power cut.
pub const BOOT: &str = "HOLDFAST_POWER_BOOT";
/// What the writer's choices are drawn from.
pub const SEED: &str = "HOLDFAST_POWER_SEED";
/// While this file is there, the writer goes on.
pub const GOING: &str = "HOLDFAST_POWER_GOING";

/// Appends that are under way at once.
const APPENDS_MAX: usize = 4;

/// Bounds of the writer's log: small files, so that many begin and end.
pub fn log_options() -> LogOptions {
    LogOptions { file_bytes_max: 96 * 1024, ..LogOptions::default() }
}

/// Writes until it is killed, or until it is told to end.
pub fn write() -> Result<()> {
    let root = PathBuf::from(std::env::var(ROOT)?);
    let boot = std::env::var(BOOT)?;
    let seed: u64 = std::env::var(SEED)?.parse()?;
    let going = PathBuf::from(std::env::var(GOING)?);
    let blobs = clear_up(&root, &boot)?;
    let life = Life::begin(&root.join("boot"), &boot)?;
    let ended = AtomicBool::new(false);
    let ended = &ended;
    thread::scope(|scope| -> Result<()> {
        let log = scope.spawn(|| write_log(&root, seed, ended));
        let tables = scope.spawn(|| write_tables(&root, seed, ended));
        let blobs = scope.spawn(|| write_blobs(&blobs, seed, ended));
        while going.exists() && !(log.is_finished() || tables.is_finished() || blobs.is_finished())
        {
            thread::sleep(Duration::from_millis(5));
        }
        ended.store(true, Ordering::SeqCst);
        for writer in [log, tables, blobs] {
            writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))??;
        }
        Ok(())
    })?;
    Ok(life.goodbye()?)
}

/// What a replica does before it notes that it runs: after a power cut the tables are thrown away
/// and unfinished uploads are removed.
fn clear_up(root: &Path, boot: &str) -> Result<Arc<BlobStore>> {
    let believed = former_end(&root.join("boot"), boot)?.keeps_unsynced();
    if !believed {
        Store::discard(&root.join("tables"))?;
    }
    let blobs = open_blobs(&root.join("content"))?;
    blobs.adopt_after_start(if believed { Boot::SameBoot } else { Boot::PowerCut })?;
    Ok(blobs)
}

fn say(told: Told) {
    println!("{told}");
}

/// Entries, votes, truncations and purges, with several appends under way.
fn write_log(root: &Path, seed: u64, ended: &AtomicBool) -> Result<()> {
    let mut random = StdRng::seed_from_u64(seed ^ 1);
    let log = DurableLog::open(&root.join("log"), log_options())?;
    say_found(&log)?;
    // Here a replica would answer others by what it found.
    thread::sleep(Duration::from_millis(random.random_range(0..30)));
    let mut term = log.read_vote().map_or(1, |vote| vote.term);
    vote(&log, term)?;
    let (free, freed) = sync_channel(APPENDS_MAX);
    for _ in 0..APPENDS_MAX {
        free.send(())?;
    }
    while !ended.load(Ordering::SeqCst) {
        let last = log.last().map_or(0, |last| last.index);
        match random.random_range(0..60) {
            0 => {
                all_told(&freed, &free)?;
                term += 1;
                vote(&log, term)?;
            }
            1 => {
                all_told(&freed, &free)?;
                // As a follower does: entries no majority had make room for those of a new leader.
                term += 1;
                vote(&log, term)?;
                truncate(&log, last.saturating_sub(random.random_range(0..20)))?;
            }
            2 => {
                all_told(&freed, &free)?;
                purge(&log, last.saturating_sub(random.random_range(5..300)))?;
            }
            3 => log.save_committed(id_of(&log, last.saturating_sub(40))?)?,
            _ => append(&log, term, last + 1..=last + random.random_range(1..9), (&freed, &free))?,
        }
        thread::sleep(Duration::from_micros(random.random_range(0..800)));
    }
    all_told(&freed, &free)
}

/// The last entries count as durable from now on: they are there for whoever asks.
fn say_found(log: &DurableLog) -> Result<()> {
    say(Told::Opened);
    let last = log.last().map_or(0, |last| last.index);
    let first = log.purged().map_or(0, |purged| purged.index).max(last.saturating_sub(100)) + 1;
    for (id, _) in log.read(first, last + 1, u64::MAX)? {
        say(Told::Found(id.term, id.index));
    }
    Ok(())
}

/// Waits until no append is under way.
fn all_told(freed: &Receiver<()>, free: &SyncSender<()>) -> Result<()> {
    for _ in 0..APPENDS_MAX {
        freed.recv()?;
    }
    for _ in 0..APPENDS_MAX {
        free.send(())?;
    }
    Ok(())
}

fn append(
    log: &DurableLog,
    term: u64,
    indexes: std::ops::RangeInclusive<u64>,
    (freed, free): (&Receiver<()>, &SyncSender<()>),
) -> Result<()> {
    freed.recv()?;
    let entry =
        |index| (LogId { term, leader: 1, index }, Bytes::from(content::payload(term, index)));
    let entries = indexes.clone().map(entry).collect();
    let free = free.clone();
    let done = move |outcome: io::Result<()>| {
        outcome.expect("the log is written");
        indexes.for_each(|index| say(Told::Appended(term, index)));
        // The receiver is gone once the writer has ended.
        let _ = free.send(());
    };
    Ok(log.append(entries, Box::new(done))?)
}

fn vote(log: &DurableLog, term: u64) -> Result<()> {
    say(Told::Voting(term));
    wait(|done| log.save_vote(Vote { term, leader: 1, committed: true }, done))?;
    say(Told::Voted(term));
    Ok(())
}

fn truncate(log: &DurableLog, index: u64) -> Result<()> {
    let kept = log.committed().max(log.purged()).map_or(0, |kept| kept.index);
    if let Some(since) = id_of(log, index)?.filter(|since| since.index > kept) {
        say(Told::Truncating(since.index));
        wait(|done| log.truncate_since(since, done))?;
        say(Told::Truncated(since.index));
    }
    Ok(())
}

fn purge(log: &DurableLog, index: u64) -> Result<()> {
    if let Some(upto) = id_of(log, index)? {
        log.save_committed(Some(upto))?;
        say(Told::Purging(upto.index));
        wait(|done| log.purge_upto(upto, done))?;
        say(Told::Purged(upto.index));
    }
    Ok(())
}

fn id_of(log: &DurableLog, index: u64) -> Result<Option<LogId>> {
    Ok(log.read(index, index + 1, 0)?.first().map(|(id, _)| *id))
}

/// Batches, one after another.
fn write_tables(root: &Path, seed: u64, ended: &AtomicBool) -> Result<()> {
    let mut random = StdRng::seed_from_u64(seed ^ 2);
    // A writer that was killed while it made them leaves tables that don't open.
    let (store, _) = Store::open_or_discard(&root.join("tables"))?;
    let mut number = batches(&store)?;
    while !ended.load(Ordering::SeqCst) {
        number += 1;
        say(Told::Committing(number));
        store.commit(&content::batch(number))?;
        if random.random_ratio(1, 40) {
            store.flush()?;
            say(Told::Flushed(number));
        }
        thread::sleep(Duration::from_micros(random.random_range(0..1500)));
    }
    Ok(store.close()?)
}

/// The number of the last batch in the tables.
pub fn batches(store: &Store) -> Result<u64, KvError> {
    let row = store.get(content::COUNT.0, content::COUNT.1)?;
    Ok(row.and_then(|row| row.try_into().ok()).map_or(0, u64::from_be_bytes))
}

/// Uploads in pieces, some of them never finished, some blobs removed again.
fn write_blobs(store: &Arc<BlobStore>, seed: u64, ended: &AtomicBool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut random = StdRng::seed_from_u64(seed ^ 3);
    runtime.block_on(async {
        for number in 0_u64.. {
            if ended.load(Ordering::SeqCst) {
                break;
            }
            let number = (seed << 20) + number;
            upload(store, number, &mut random).await?;
            if random.random_ratio(1, 10) {
                say(Told::Removing(number));
                let digest = content::blob(number).0;
                let locked = store.lock(&digest).await;
                store.remove(&locked).await?;
            }
            tokio::time::sleep(Duration::from_micros(random.random_range(0..3000))).await;
        }
        store.close()?;
        Ok(())
    })
}

async fn upload(store: &Arc<BlobStore>, number: u64, random: &mut StdRng) -> Result<()> {
    let (digest, bytes) = content::blob(number);
    let mut upload = store.create_upload(&format!("upload-{number}"), &[Algorithm::Sha256]).await?;
    let length = upload_length(bytes.len(), random);
    for piece in bytes[..length].chunks(random.random_range(1000..40_000)) {
        upload.append(Bytes::copy_from_slice(piece)).await?;
    }
    if length < bytes.len() {
        return Ok(upload.save().await?);
    }
    upload.seal(&digest).await.context("seal")?;
    say(Told::Sealed(number));
    Ok(())
}

/// All of it, but for the uploads that are left unfinished.
fn upload_length(length: usize, random: &mut StdRng) -> usize {
    if random.random_ratio(1, 6) { random.random_range(0..length) } else { length }
}

/// The blobs in `folder`.
pub fn open_blobs(folder: &Path) -> io::Result<Arc<BlobStore>> {
    BlobStore::open(folder, Arc::new(PlainFiles), BlobOptions::default())
}
