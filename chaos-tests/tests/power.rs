//! Power cuts, kills and failed syncs under log, tables and blobs of a real process.
//!
//! `HOLDFAST_CUTS` sets the number of power cuts (30), `HOLDFAST_SEED` what they are drawn from.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use chaos_tests::power::disk::{Cut, Disk};
use chaos_tests::power::judge::TablesFound;
use chaos_tests::power::run::{End, Ended, Line};
use chaos_tests::power::{shim, writer};
use kv::life::{FormerEnd, former_end};
use rand::Rng;
use tempfile::TempDir;

/// Cuts in one folder, each on top of what the one before left.
const CUTS_PER_LINE: u64 = 5;

/// Runs as the writer when it is started as one; as a test it does nothing.
#[test]
#[ignore = "is started by the other tests, which kill it"]
fn the_writer() {
    if std::env::var_os(writer::ROOT).is_some() {
        writer::write().unwrap();
    }
}

fn start_writer() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["the_writer", "--exact", "--ignored", "--nocapture"]);
    command
}

fn number_from(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().expect("a number"))
}

fn seed() -> u64 {
    number_from("HOLDFAST_SEED").unwrap_or_else(|| rand::rng().random_range(0..1_000_000))
}

/// The compiled library, or `None` with a notice where nothing can compile it.
fn compiled() -> Option<(TempDir, PathBuf)> {
    let folder = tempfile::tempdir().unwrap();
    let library = shim::compile(folder.path()).unwrap();
    if library.is_none() {
        println!("SKIPPED: no C compiler (cc, gcc or clang) for the power-cut library");
    }
    library.map(|library| (folder, library))
}

fn line(library: &Path, seed: u64) -> Line {
    Line::new(library, seed, start_writer).unwrap()
}

/// A copy of the folder for the judge, whose looking repairs and writes: the next writer shall find
/// what the end of the last one left.
fn copy(line: &Line) -> (TempDir, PathBuf) {
    let copy = line.copy().unwrap();
    let root = copy.path().join("root");
    (copy, root)
}

fn former(line: &Line) -> FormerEnd {
    former_end(&line.root().join("boot"), &line.boot()).unwrap()
}

/// Runs a writer until it is killed, and looks at what a killed process leaves.
fn kill_once(line: &mut Line, end: End) -> Ended {
    let at_start = matches!(end, End::KilledAtStart);
    let ended = line.live(end).unwrap();
    // Killed before it noted that it runs, it has thrown away what the power cut left, or not yet.
    let tables_count = former(line) == FormerEnd::Killed;
    let (_copy, root) = copy(line);
    // By a judge that forgets it: what is there and was not synced may still be lost.
    let mut wrong = line.expected.clone().check_log(&root);
    wrong.extend(line.expected.check_blobs(&root).unwrap());
    if tables_count {
        match line.expected.check_tables(&root).unwrap() {
            // The library that holds them mends them while it opens them, and one that is killed
            // there may leave them so that they don't open. They are made anew then.
            TablesFound::Unopened(why) if at_start => {
                println!("tables that a kill cut short while they were opened: {why}");
                line.expected.tables_lost();
            }
            found => wrong.extend(found.wrong()),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    ended
}

/// Cuts the power after that and looks at what is left. Answers how many bytes of the log, and of
/// everything, did not survive.
fn cut_once(line: &mut Line, cut: Cut) -> (u64, u64) {
    let (before, after) = line.cut_power(cut).unwrap();
    assert_eq!(former(line), FormerEnd::PowerCut, "tables that may be wrong would be believed");
    line.expected.tables_lost();
    let (_copy, root) = copy(line);
    let mut wrong = line.expected.check_log(&root);
    wrong.extend(line.expected.check_blobs(&root).unwrap());
    assert!(wrong.is_empty(), "{wrong:#?}");
    (after.missing_of(&before, "log"), after.missing_of(&before, ""))
}

/// Cuts on top of each other in one folder. Answers how many bytes of logs did not survive.
fn cut_line(library: &Path, seed: u64, cuts: u64) -> u64 {
    let mut line = line(library, seed);
    let mut dropped_of_logs = 0;
    for n in 0..cuts {
        let cut = if n % 3 == 2 { Cut::GrowthLost } else { Cut::AnyPage };
        let told = kill_once(&mut line, End::Killed { acknowledged_min: 150 }).acknowledged;
        // The next writer is killed while it starts: what it found and answered by must stay as
        // well.
        if n % 2 == 0 {
            kill_once(&mut line, End::KilledAtStart);
        }
        let (of_log, dropped) = cut_once(&mut line, cut);
        println!(
            "seed {seed} cut {n}: {cut:?}, {told} acknowledged, {dropped} bytes dropped, {of_log} \
             of them of the log"
        );
        assert!(told > 0 && dropped > 0);
        dropped_of_logs += of_log;
        // And one after the cut, so that the next finds what it cleared up only in part.
        kill_once(&mut line, End::KilledAtStart);
        if n % 2 == 1 {
            cut_once(&mut line, cut);
        }
    }
    dropped_of_logs
}

#[test]
fn power_cuts_lose_nothing_that_was_acknowledged() {
    let Some((_folder, library)) = compiled() else { return };
    let (cuts, seed) = (number_from("HOLDFAST_CUTS").unwrap_or(30), seed());
    println!("{cuts} power cuts from HOLDFAST_SEED={seed}");
    let lines = cuts.div_ceil(CUTS_PER_LINE);
    let (next, dropped_of_logs) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    if n >= lines {
                        break;
                    }
                    let cuts = CUTS_PER_LINE.min(cuts - n * CUTS_PER_LINE);
                    let dropped = cut_line(&library, seed + n, cuts);
                    dropped_of_logs.fetch_add(dropped, Ordering::SeqCst);
                }
            });
        }
    });
    assert!(dropped_of_logs.load(Ordering::SeqCst) > 0, "no log was ever torn");
}

#[test]
fn without_fsync_a_power_cut_does_lose_something() {
    let Some((_folder, library)) = compiled() else { return };
    let first = seed();
    for seed in first..first + 20 {
        let mut line = line(&library, seed);
        line.no_sync = true;
        line.live(End::Killed { acknowledged_min: 150 }).unwrap();
        line.cut_power(Cut::AnyPage).unwrap();
        let root = line.root();
        let log = line.expected.check_log(&root).len();
        let blobs = line.expected.check_blobs(&root).map_or(1, |wrong| wrong.len());
        println!("seed {seed} without fsync: {log} losses in the log, {blobs} of blobs");
        if log > 0 && blobs > 0 {
            return;
        }
    }
    panic!("the model of a power cut loses nothing");
}

#[test]
fn a_killed_process_finds_its_tables_as_they_were_after_some_batch() {
    let Some((_folder, library)) = compiled() else { return };
    let seed = seed();
    let mut line = line(&library, seed);
    for n in 0..6 {
        let ended = kill_once(&mut line, End::Killed { acknowledged_min: 200 });
        println!("seed {seed} kill {n}: {} acknowledged", ended.acknowledged);
        assert_eq!(former(&line), FormerEnd::Killed);
    }
}

/// The model itself: what was noted is what the process did.
#[test]
fn the_notes_of_a_process_that_ended_in_order_make_up_its_folder() {
    let Some((_folder, library)) = compiled() else { return };
    let mut line = line(&library, seed());
    for _ in 0..2 {
        line.live(End::InOrder).unwrap();
        let (noted, there) = (line.live_image().unwrap(), Disk::of(&line.root()).unwrap().live());
        assert!(noted.paths().eq(there.paths()));
        assert_eq!((noted.missing_of(&there, ""), there.missing_of(&noted, "")), (0, 0));
    }
    assert_eq!(former(&line), FormerEnd::Goodbye);
    let (_copy, root) = copy(&line);
    assert!(line.expected.check_tables(&root).unwrap().wrong().is_empty());
}

/// After a goodbye the tables are believed under another boot id too, so they must be synced by
/// then.
#[test]
fn tables_that_were_closed_in_order_survive_a_power_cut() {
    let Some((_folder, library)) = compiled() else { return };
    let mut line = line(&library, seed());
    line.live(End::InOrder).unwrap();
    for cut in [Cut::AnyPage, Cut::AnyPage, Cut::GrowthLost] {
        line.cut_power(cut).unwrap();
        assert_eq!(former(&line), FormerEnd::Goodbye);
        let (_copy, root) = copy(&line);
        let wrong = line.expected.check_tables(&root).unwrap().wrong();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

#[test]
fn a_failed_fsync_ends_the_process_and_what_was_acknowledged_stays() {
    const ABORTED: i32 = 6;
    let Some((_folder, library)) = compiled() else { return };
    let mut line = line(&library, seed());
    let ended = line.live(End::SyncFails { acknowledged_min: 100 }).unwrap();
    assert_eq!(ended.signal, Some(ABORTED));
    line.cut_power(Cut::AnyPage).unwrap();
    let wrong = line.expected.check_log(&line.root());
    assert!(wrong.is_empty(), "{wrong:#?}");
}
