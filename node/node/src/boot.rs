//! How the last life of this replica ended: uploads survive a killed process, not a power cut.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use blobs::sweep::Boot;

/// Which boot of the machine the replica ran in, and whether it ended in order.
const NOTE: &str = "boot";
const GOODBYE: &str = "goodbye";

/// Reads how the last life ended; blocks.
pub fn last(content: &Path) -> Boot {
    let note = fs::read_to_string(content.join(NOTE)).unwrap_or_default();
    judge(&note, &boot_id())
}

/// Notes that a new life begins; blocks. Not before what a power cut left was dealt with: a start
/// that fails on the way there must find the same again.
pub fn begin(content: &Path) -> io::Result<()> {
    fs::create_dir_all(content)?;
    write(content, &boot_id())
}

/// Notes that this life ended in order, once all its uploads are on the disk: the next life
/// believes them even after a power cut. Blocks.
pub fn goodbye(content: &Path) -> io::Result<()> {
    rustix::fs::syncfs(File::open(content)?)?;
    write(content, &format!("{} {GOODBYE}", boot_id()))
}

fn judge(note: &str, now: &str) -> Boot {
    let (before, goodbye) = note.trim().split_once(' ').unwrap_or((note.trim(), ""));
    let same = !now.is_empty() && before == now;
    // Without a note there was no life before, and there is nothing to lose.
    if same || goodbye == GOODBYE || note.is_empty() { Boot::SameBoot } else { Boot::PowerCut }
}

fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

fn write(content: &Path, note: &str) -> io::Result<()> {
    let beside = content.join("boot.new");
    let mut file = File::create(&beside)?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, content.join(NOTE))?;
    File::open(content)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_boot_without_a_goodbye_is_a_power_cut() {
        let cases = [
            ("", "b", Boot::SameBoot),
            ("b", "b", Boot::SameBoot),
            ("a", "b", Boot::PowerCut),
            ("a goodbye", "b", Boot::SameBoot),
            ("a good", "b", Boot::PowerCut),
            ("b goodbye", "b", Boot::SameBoot),
            ("a", "", Boot::PowerCut),
        ];
        for (note, now, expected) in cases {
            assert_eq!(judge(note, now), expected, "{note:?} {now:?}");
        }
    }

    #[test]
    fn a_start_that_failed_on_its_way_finds_the_power_cut_again() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "another boot").unwrap();
        assert_eq!(last(folder.path()), Boot::PowerCut);
        assert_eq!(last(folder.path()), Boot::PowerCut);
        begin(folder.path()).unwrap();
        assert_eq!(last(folder.path()), Boot::SameBoot);
    }

    #[test]
    fn a_life_that_begins_anew_within_one_boot_keeps_its_uploads() {
        let folder = tempfile::tempdir().unwrap();
        let content = folder.path().join("content");
        for _ in 0..2 {
            assert_eq!(last(&content), Boot::SameBoot);
            begin(&content).unwrap();
        }
        goodbye(&content).unwrap();
        assert!(fs::read_to_string(content.join(NOTE)).unwrap().ends_with(GOODBYE));
    }
}
