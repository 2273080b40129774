//! One life of a replica's folder: how the former one ended, and whether its tables may be
//! believed.
//!
//! A file records the machine's boot id while a replica runs, and a goodbye when it stopped in
//! order. Tables survive a killed process. They don't survive a power cut, which shows as another
//! boot id without a goodbye.
//!
//! A start asks [`former_end`] first, throws away what it must not believe, and only then calls
//! [`Life::begin`]: one that is killed between the two finds things as the one before did.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// First line of the file.
const FORMAT: &str = "holdfast life 1";
const RUNNING: &str = "running";
const GOODBYE: &str = "goodbye";

/// How the former life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormerEnd {
    /// There was none.
    First,
    /// In order: all was closed and synced.
    Goodbye,
    /// The process was killed, the machine went on: what it handed to the system is there.
    Killed,
    /// The machine went down with it, or nobody knows: what was not synced may be lost.
    PowerCut,
}

impl FormerEnd {
    /// Whether what was written but not synced is there.
    pub fn keeps_unsynced(self) -> bool {
        matches!(self, Self::First | Self::Goodbye | Self::Killed)
    }
}

/// How the last life ended that was noted in the file `path`. `boot_id` is what [`machine_boot_id`]
/// says.
pub fn former_end(path: &Path, boot_id: &str) -> io::Result<FormerEnd> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(judge(&text, boot_id)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(FormerEnd::First),
        // Not text: torn or rotten. Nobody knows.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(FormerEnd::PowerCut),
        Err(error) => Err(error),
    }
}

/// The life that is going on.
#[derive(Debug)]
pub struct Life {
    path: PathBuf,
    boot_id: String,
}

impl Life {
    /// Notes, durably, that a life runs. Only after [`former_end`] was asked and heeded.
    pub fn begin(path: &Path, boot_id: &str) -> io::Result<Self> {
        let life = Self { path: path.to_path_buf(), boot_id: boot_id.to_owned() };
        life.write(RUNNING)?;
        Ok(life)
    }

    /// Notes, durably, that this life ended in order. Only after all else is closed and synced.
    pub fn goodbye(self) -> io::Result<()> {
        self.write(GOODBYE)
    }

    fn write(&self, state: &str) -> io::Result<()> {
        let fresh = self.path.with_extension("new");
        let mut file = File::create(&fresh)?;
        write!(file, "{FORMAT}\n{}\n{state}\n", self.boot_id)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        match self.path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

fn judge(text: &str, boot_id: &str) -> FormerEnd {
    let lines: Vec<&str> = text.lines().collect();
    match lines[..] {
        [FORMAT, _, GOODBYE] => FormerEnd::Goodbye,
        [FORMAT, then, RUNNING] if then == boot_id => FormerEnd::Killed,
        _ => FormerEnd::PowerCut,
    }
}

/// The id that the kernel draws at each boot.
///
/// Source: Linux, `Documentation/admin-guide/sysctl/kernel.rst`, "random".
pub fn machine_boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_former_end_is_told_from_boot_id_and_goodbye() {
        let running = "holdfast life 1\nb1\nrunning\n";
        let goodbye = "holdfast life 1\nb1\ngoodbye\n";
        let cases = [
            ("no file", None, "b1", FormerEnd::First),
            ("killed", Some(running), "b1", FormerEnd::Killed),
            ("another boot", Some(running), "b2", FormerEnd::PowerCut),
            ("goodbye", Some(goodbye), "b1", FormerEnd::Goodbye),
            ("goodbye, then a boot", Some(goodbye), "b2", FormerEnd::Goodbye),
            ("empty", Some(""), "b1", FormerEnd::PowerCut),
            ("torn", Some("holdfast life 1\nb1\n"), "b1", FormerEnd::PowerCut),
            ("zeros", Some("\0\0\0\0"), "b1", FormerEnd::PowerCut),
            ("a later format", Some("holdfast life 2\nb1\ngoodbye\n"), "b1", FormerEnd::PowerCut),
        ];
        for (name, before, boot_id, former) in cases {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("boot");
            if let Some(before) = before {
                fs::write(&path, before).unwrap();
            }
            assert_eq!(former_end(&path, boot_id).unwrap(), former, "{name}");
        }
    }

    #[test]
    fn a_goodbye_is_read_by_the_next_life_only_if_it_was_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("boot");
        Life::begin(&path, "b1").unwrap().goodbye().unwrap();
        assert_eq!(former_end(&path, "b2").unwrap(), FormerEnd::Goodbye);
        let second = Life::begin(&path, "b2").unwrap();
        assert_eq!(former_end(&path, "b2").unwrap(), FormerEnd::Killed);
        assert_eq!(former_end(&path, "b3").unwrap(), FormerEnd::PowerCut);
        second.goodbye().unwrap();
        assert_eq!(former_end(&path, "b3").unwrap(), FormerEnd::Goodbye);
    }

    #[test]
    fn this_machine_has_a_boot_id() {
        assert!(machine_boot_id().unwrap().len() >= 32);
    }
}
