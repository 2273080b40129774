//! Runs writers one after another in one folder, and ends each of them.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

use super::disk::{Cut, Disk, Image};
use super::judge::Expected;
use super::told::Told;
use super::{journal, writer};

/// A writer that says nothing for so long has failed.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// How a writer's life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Killed a little after it was told so many times that something is durable.
    Killed {
        /// Acknowledgements to wait for.
        acknowledged_min: u64,
    },
    /// Killed while it starts, or a little after it found what is in its log.
    KilledAtStart,
    /// Asked to end.
    InOrder,
    /// Its log's fsync fails after so many acknowledgements.
    SyncFails {
        /// Acknowledgements to wait for.
        acknowledged_min: u64,
    },
}

/// One folder, and the writers in it.
pub struct Line {
    space: TempDir,
    shim: PathBuf,
    writer: Box<dyn Fn() -> Command + Send>,
    random: StdRng,
    seed: u64,
    boot: u64,
    lives: u64,
    /// As the last life left it, with all that is not synced; `None` where nothing is unsynced.
    disk: Option<Disk>,
    was_cut: bool,
    /// Whether fsync does nothing: the control.
    pub no_sync: bool,
    /// What was told so far.
    pub expected: Expected,
}

/// A writer's life.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// The signal that ended it, or `None`.
    pub signal: Option<i32>,
    /// How often it was told in this life that something is durable.
    pub acknowledged: u64,
}

impl Line {
    /// An empty folder. `writer` makes the command that runs [`writer::write`].
    pub fn new(
        shim: &Path,
        seed: u64,
        writer: impl Fn() -> Command + Send + 'static,
    ) -> Result<Self> {
        let space = tempfile::tempdir()?;
        fs::create_dir(space.path().join("root"))?;
        Ok(Self {
            shim: shim.to_path_buf(),
            writer: Box::new(writer),
            random: StdRng::seed_from_u64(seed),
            seed,
            boot: 1,
            lives: 0,
            disk: None,
            was_cut: false,
            no_sync: false,
            expected: Expected::default(),
            space,
        })
    }

    /// The folder.
    pub fn root(&self) -> PathBuf {
        // Links in the path would hide it from the shim.
        let space = self.space.path().canonicalize().unwrap_or_else(|_| self.space.path().into());
        space.join("root")
    }

    /// What stands for the machine's boot id now.
    pub fn boot(&self) -> String {
        format!("boot-{}", self.boot)
    }

    /// Runs a writer until its end.
    pub fn live(&mut self, end: End) -> Result<Ended> {
        let mut disk = self.disk()?;
        let (going, fail, notes) =
            (self.beside("going"), self.beside("fail"), self.beside("notes"));
        fs::write(&going, "")?;
        for former in [&fail, &notes] {
            if former.exists() {
                fs::remove_file(former)?;
            }
        }
        let before = self.expected.acknowledged;
        let (mut child, heard) = self.start(&going, &fail, &notes)?;
        let outcome = self.hear_until(end, &heard);
        match end {
            _ if outcome.is_err() => drop(child.kill()),
            End::Killed { .. } | End::KilledAtStart => child.kill()?,
            End::InOrder => fs::remove_file(&going)?,
            End::SyncFails { .. } => fs::write(&fail, "")?,
        }
        // What it said before its end was said after it was told.
        for told in heard {
            self.expected.hear(told?);
        }
        let status = child.wait()?;
        outcome?;
        ensure!(end != End::InOrder || status.success(), "the writer ended with {status}");
        for note in journal::read(&fs::read(&notes).unwrap_or_default())? {
            disk.apply(note)?;
        }
        (self.disk, self.was_cut) = (Some(disk), false);
        let acknowledged = self.expected.acknowledged - before;
        Ok(Ended { signal: status.signal(), acknowledged })
    }

    /// The disk that the next life finds.
    fn disk(&mut self) -> Result<Disk> {
        let root = self.root();
        match self.disk.take() {
            // The machine went on, and what was not synced still is not. By the notes, since a
            // process may be killed between a change and its note.
            Some(mut disk) if !self.was_cut => {
                fs::remove_dir_all(&root)?;
                disk.live().write(&root)?;
                disk.go_on_in(&root)?;
                Ok(disk)
            }
            _ => Disk::of(&root),
        }
    }

    /// Cuts the power after a life: the folder becomes what might be left of it, and the next life
    /// has another boot id. Called again, it draws again. Answers the disk before and after.
    pub fn cut_power(&mut self, cut: Cut) -> Result<(Image, Image)> {
        let disk = self.disk.as_ref().context("no writer has lived here")?;
        let (before, after) = (disk.live(), disk.cut(cut, &mut self.random));
        fs::remove_dir_all(self.root())?;
        after.write(&self.root())?;
        self.boot += 1;
        self.was_cut = true;
        Ok((before, after))
    }
}

impl Line {
    /// The folder as the last writer saw it.
    pub fn live_image(&self) -> Result<Image> {
        Ok(self.disk.as_ref().context("no writer has lived here")?.live())
    }

    /// A copy of the folder, to be looked at without a trace.
    pub fn copy(&self) -> Result<TempDir> {
        let copy = tempfile::tempdir()?;
        Disk::of(&self.root())?.live().write(&copy.path().join("root"))?;
        Ok(copy)
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.root().with_file_name(name)
    }

    fn start(
        &mut self,
        going: &Path,
        fail: &Path,
        notes: &Path,
    ) -> Result<(Child, Receiver<Result<Told>>)> {
        self.lives += 1;
        let mut command = (self.writer)();
        command
            .env("LD_PRELOAD", &self.shim)
            .env("HOLDFAST_POWER_JOURNAL", notes)
            .env("HOLDFAST_POWER_FAIL", fail)
            .env(writer::ROOT, self.root())
            .env(writer::BOOT, self.boot())
            .env(writer::SEED, OsString::from(format!("{}", (self.seed << 8) + self.lives)))
            .env(writer::GOING, going)
            .stdout(Stdio::piped())
            .stderr(fs::File::create(self.beside("errors"))?);
        if self.no_sync {
            command.env("HOLDFAST_POWER_NO_SYNC", "1");
        }
        let mut child = command.spawn().context("the writer does not start")?;
        let output = child.stdout.take().context("the writer has no output")?;
        let (say, heard) = channel();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = String::new();
            // A line without an end was cut by the kill.
            while output.read_line(&mut line).is_ok_and(|length| length > 0) && line.ends_with('\n')
            {
                // Lines of the test harness that runs the writer are between ours.
                if let Some(at) = line.find("told ")
                    && say.send(line[at..].trim_end().parse()).is_err()
                {
                    return;
                }
                line.clear();
            }
        });
        Ok((child, heard))
    }

    fn hear_until(&mut self, end: End, heard: &Receiver<Result<Told>>) -> Result<()> {
        let (mut acknowledged_min, mut opened_min) = (0, 0);
        match end {
            End::Killed { acknowledged_min: min } | End::SyncFails { acknowledged_min: min } => {
                acknowledged_min = min;
            }
            End::InOrder => acknowledged_min = 100,
            End::KilledAtStart => opened_min = self.random.random_range(0..2),
        }
        acknowledged_min += self.expected.acknowledged;
        opened_min += self.expected.opened;
        let mut last = Instant::now();
        while self.expected.acknowledged < acknowledged_min || self.expected.opened < opened_min {
            match heard.recv_timeout(SILENCE_MAX) {
                Ok(told) => self.expected.hear(told?),
                Err(RecvTimeoutError::Timeout) => bail!("the writer says nothing"),
                Err(RecvTimeoutError::Disconnected) => {
                    let errors = fs::read_to_string(self.beside("errors"))?;
                    bail!("the writer ended by itself:\n{errors}")
                }
            }
            last = Instant::now();
        }
        let more = Duration::from_micros(self.random.random_range(0..60_000));
        while let Some(rest) = more.checked_sub(last.elapsed()) {
            match heard.recv_timeout(rest) {
                Ok(told) => self.expected.hear(told?),
                Err(_) => break,
            }
        }
        Ok(())
    }
}
