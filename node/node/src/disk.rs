//! The disk of the content store, as others ask about it.

use std::io;
use std::path::Path;

use health::facts::Disk;
use tools::preflight::disk::space;

/// New content needs a tenth of the disk free, or what is configured where that is less.
const FREE_MIN_PART: u64 = 10;

/// Free bytes below which the disk under `folder` takes no new content.
pub fn watermark(folder: &Path, configured: u64) -> u64 {
    space(folder).map_or(configured, |(_, all)| configured.min(all / FREE_MIN_PART))
}

/// Room on the disk under `folder`.
pub fn room(folder: &Path) -> io::Result<Disk> {
    let (free_bytes, total_bytes) = space(folder)?;
    Ok(Disk { free_bytes, total_bytes })
}

/// Free bytes on the disk under `folder`; 0 where that cannot be told.
pub fn free_bytes(folder: &Path) -> u64 {
    space(folder).map_or(0, |(free, _)| free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watermark_is_a_tenth_of_a_small_disk_and_the_bound_of_a_large_one() {
        let folder = tempfile::tempdir().unwrap();
        let all = room(folder.path()).unwrap().total_bytes;
        assert_eq!(watermark(folder.path(), u64::MAX), all / 10);
        assert_eq!(watermark(folder.path(), 1), 1);
        assert_eq!(watermark(Path::new("/no/such/folder"), 7), 7);
        assert_eq!(free_bytes(Path::new("/no/such/folder")), 0);
    }
}
