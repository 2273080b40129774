//! `bench-peers [--quick] PAGE`: measures Holdfast beside its peers and writes the page.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use chaos_tests::peers::lines::{Contender, Ground, Length, Line, lines};
use chaos_tests::peers::machine::ProcessorTime;
use chaos_tests::peers::page::{Occasion, page};
use chaos_tests::peers::results::{Raw, Results};
use chaos_tests::peers::stage::Stage;
use chaos_tests::peers::{figures, machine};
use tempfile::TempDir;

/// What is on a file system in memory on every Linux machine.
const MEMORY: &str = "/dev/shm";

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.iter().any(|it| it == "--quick");
    arguments.retain(|it| it != "--quick");
    let [page] = &arguments[..] else {
        eprintln!("usage: bench-peers [--quick] PAGE");
        return ExitCode::from(2);
    };
    if page.starts_with('-') {
        eprintln!("error: there is no option {page}\nusage: bench-peers [--quick] PAGE");
        return ExitCode::from(2);
    }
    let length = if quick { Length::Quick } else { Length::Full };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let done = runtime.map_err(Into::into).and_then(|it| it.block_on(run(length, page.into())));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs all of it on a thread of its own, so that a signal ends the servers too.
async fn run(length: Length, page: PathBuf) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let mut all = tokio::task::spawn_blocking(move || {
        let goes_on = || !stopped.load(std::sync::atomic::Ordering::Relaxed);
        compare(length, &page, &goes_on)
    });
    tokio::select! {
        done = &mut all => return done?,
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    eprintln!("ending the servers …");
    all.await?
}

fn compare(length: Length, path: &Path, goes_on: &dyn Fn() -> bool) -> Result<()> {
    let began = Instant::now();
    let (load, time) = (load(), ProcessorTime::now());
    let beside = std::env::current_exe()?;
    let beside = beside.parent().context("this program lies in no folder")?;
    let mut results = Results::default();
    for ground in [Ground::Disk, Ground::Memory, Ground::Scale] {
        let within = if ground == Ground::Memory { Path::new(MEMORY) } else { beside };
        let mut place = Place::new(ground, within)?;
        for round in 1..=length.rounds(ground) {
            if round > 1 && ground != Ground::Scale {
                // All rounds would not fit on many a disk; a million tags take too long to make.
                drop(place);
                place = Place::new(ground, within)?;
            }
            for line in lines(ground, length) {
                measure(&place.stage, ground, &line, &mut results, goes_on)?;
            }
            around(&place, ground, &mut results)?;
            eprintln!("{ground:?}: round {round} of {} is done", length.rounds(ground));
        }
    }
    let occasion = Occasion {
        date: said("date", &["-u", "+%Y-%m-%d"]),
        length,
        minutes: began.elapsed().as_secs().div_ceil(60),
        file_system: said("stat", &["-f", "-c", "%T", &beside.to_string_lossy()]),
        load: [load, self::load()],
        stolen: ProcessorTime::now().stolen_since(time),
    };
    std::fs::write(path, page(&results, &occasion))?;
    eprintln!("{} is written", path.display());
    Ok(())
}

/// The servers and the folder that they write to, which is removed after they have ended.
struct Place {
    stage: Stage,
    folder: TempDir,
}

impl Place {
    fn new(ground: Ground, within: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("holdfast-bench-").tempdir_in(within)?;
        let stage = Stage::start(ground, folder.path())?;
        Ok(Self { stage, folder })
    }
}

fn measure(
    stage: &Stage,
    ground: Ground,
    line: &Line,
    results: &mut Results,
    goes_on: &dyn Fn() -> bool,
) -> Result<()> {
    for contender in &line.contenders {
        if !goes_on() {
            bail!("stopped before the end; the page is not written");
        }
        let Some(figures) = stage.measure(*contender, line.run)? else { continue };
        eprintln!(
            "{ground:?} {:>3} × {:<22} {:<28} {:>9.1}/s {:>6.0} MiB/s p50 {:.2} ms",
            line.run.concurrency,
            line.run.workload,
            contender.name(),
            figures.per_second,
            figures.mib_per_second,
            figures.ms.p50
        );
        results.add(ground, line.run, *contender, figures);
    }
    Ok(())
}

/// What the machine does by itself, and what three replicas write, in the same round.
fn around(place: &Place, ground: Ground, results: &mut Results) -> Result<()> {
    if ground == Ground::Scale {
        return Ok(());
    }
    results.add_raw(Raw::Hash(ground), machine::sha256_mib_per_second(1_024));
    let file = machine::write_mib_per_second(place.folder.path(), 512)?;
    results.add_raw(Raw::Write(ground), file);
    if ground == Ground::Disk {
        let run = figures::Run { workload: "push-unique-100m", concurrency: 2, samples: 4 };
        let before = machine::written_bytes(place.stage.three())?;
        let figures = place.stage.measure(Contender::Three, run)?.context("three replicas")?;
        let written = machine::written_bytes(place.stage.three())? - before;
        results.add_raw(Raw::Written, quotient(written, figures.bytes * 3));
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "a ratio of two digits")]
fn quotient(one: u64, other: u64) -> f64 {
    one as f64 / other as f64
}

/// What a program prints.
fn said(program: &str, arguments: &[&str]) -> String {
    let out = Command::new(program).args(arguments).output();
    out.map(|it| String::from_utf8_lossy(&it.stdout).trim().to_owned()).unwrap_or_default()
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
