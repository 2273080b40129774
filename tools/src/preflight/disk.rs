//! The disk: writable, local, with room, and honest when it says that bytes are on it.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{statfs, statvfs};

/// File systems that lose their files with the machine's power.
const VOLATILE: [(i64, &str); 2] = [(0x0102_1994, "tmpfs"), (0x8584_58f6, "ramfs")];

/// File systems that another machine serves.
const REMOTE: [(i64, &str); 5] = [
    (0x6969, "NFS"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "CephFS"),
];

/// What a replica needs free to run at all: it stops below the smaller of these two.
const FREE_MIN_BYTES: u64 = 2 << 30;
const FREE_MIN_PERCENT: u64 = 5;

/// No disk writes 4 KiB through to its medium in less.
const SYNC_MIN: Duration = Duration::from_micros(3);

/// Makes the data folder, for its owner only, where it is not there yet.
pub fn make_folder(folder: &Path) -> Result<(), String> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| format!("the folder {} cannot be made: {error}", folder.display()))
}

/// Checks the disk that `folder` lies on.
pub fn check(folder: &Path, allow_volatile: bool) -> Result<(), String> {
    let name = folder.display();
    if !folder.is_dir() {
        return Err(format!("{name} is not a folder"));
    }
    if !allow_volatile {
        kind(folder)?;
    }
    room(folder)?;
    let took = write_and_sync(folder)
        .map_err(|error| format!("nothing can be written to {name}: {error}"))?;
    if took < SYNC_MIN && !allow_volatile {
        eprintln!(
            "warning: the disk of {name} says after {took:?} that bytes are on it, faster than any \
             medium: a write cache without a battery may lose what was acknowledged"
        );
    }
    Ok(())
}

fn kind(folder: &Path) -> Result<(), String> {
    let found = statfs(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    // The type's width differs between platforms; the numbers fit 32 bits.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::unnecessary_cast)]
    let found = i64::from(found.f_type as u32);
    let named = |list: &[(i64, &'static str)]| {
        list.iter().find(|(number, _)| *number == found).map(|(_, name)| *name)
    };
    if let Some(kind) = named(&VOLATILE) {
        return Err(format!(
            "{} lies on {kind}, which forgets everything at a power cut: choose a folder on a disk \
             (tests may set `storage.allow_volatile = true`)",
            folder.display()
        ));
    }
    if let Some(kind) = named(&REMOTE) {
        return Err(format!(
            "{} lies on {kind}, which another machine serves: each replica needs a disk of its own \
             (`storage.allow_volatile = true` allows it at your own risk)",
            folder.display()
        ));
    }
    Ok(())
}

/// Free and all bytes of the disk that `folder` lies on, as an ordinary user may use them.
pub fn space(folder: &Path) -> std::io::Result<(u64, u64)> {
    let found = statvfs(folder)?;
    Ok((
        found.f_bavail.saturating_mul(found.f_frsize),
        found.f_blocks.saturating_mul(found.f_frsize),
    ))
}

fn room(folder: &Path) -> Result<(), String> {
    let (free, all) = space(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let needed = FREE_MIN_BYTES.min(all / 100 * FREE_MIN_PERCENT);
    if free >= needed {
        return Ok(());
    }
    Err(format!(
        "the disk of {} is full: {} MiB are free and a replica needs {} MiB; free some room or \
         choose another disk",
        folder.display(),
        free >> 20,
        needed >> 20
    ))
}

/// Writes a file, has it synced a few times, reads it back; returns the shortest sync.
fn write_and_sync(folder: &Path) -> std::io::Result<Duration> {
    let path = folder.join(format!(".preflight-{}", std::process::id()));
    let result = write_and_sync_at(&path);
    let removed = fs::remove_file(&path);
    let took = result?;
    removed?;
    Ok(took)
}

fn write_and_sync_at(path: &Path) -> std::io::Result<Duration> {
    let mut file = File::options().write(true).create(true).truncate(true).open(path)?;
    let mut shortest = Duration::MAX;
    for round in 0..4_u8 {
        file.write_all_at(&[round; 4_096], 0)?;
        let started = Instant::now();
        file.sync_data()?;
        shortest = shortest.min(started.elapsed());
    }
    file.flush()?;
    let mut back = Vec::new();
    File::open(path)?.read_to_end(&mut back)?;
    if back != [3; 4_096] {
        return Err(std::io::Error::other("the file reads back otherwise than it was written"));
    }
    Ok(shortest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writable_folder_passes_and_is_left_empty() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(check(folder.path(), true), Ok(()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_in_place_of_the_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(check(&file, true).unwrap_err().contains("is not a folder"));
        assert!(make_folder(&file.join("below")).is_err());
    }

    #[test]
    fn a_volatile_file_system_is_refused_unless_allowed() {
        let memory = Path::new("/dev/shm");
        if statfs(memory).is_ok_and(|found| found.f_type == VOLATILE[0].0) {
            assert!(check(memory, false).unwrap_err().contains("tmpfs"));
        }
    }
}
