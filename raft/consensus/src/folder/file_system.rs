//! File systems that forget what was written, or that two machines may have open at once.

use std::path::Path;

use crate::folder::FolderError;

const FORGETS: &str = "forgets everything when the machine stops";
const NETWORK: &str = "is a network file system, whose locks and syncs cannot be relied on";
const FOREIGN: &str = "is served by another program, whose syncs cannot be relied on";

/// By the magic number of `statfs`. Source: statfs(2) and the kernel's `magic.h`.
const UNFIT: [(u32, &str, &str); 13] = [
    (0x0102_1994, "tmpfs", FORGETS),
    (0x8584_58f6, "ramfs", FORGETS),
    (0x6969, "NFS", NETWORK),
    (0xff53_4d42, "CIFS", NETWORK),
    (0xfe53_4d42, "SMB", NETWORK),
    (0x517b, "SMB", NETWORK),
    (0x5346_414f, "AFS", NETWORK),
    (0x6b41_4653, "AFS", NETWORK),
    (0x7375_7245, "Coda", NETWORK),
    (0x00c3_6400, "CephFS", NETWORK),
    (0x0bd0_0bd0, "Lustre", NETWORK),
    (0x6573_5546, "FUSE", FOREIGN),
    (0x0102_1997, "9P", FOREIGN),
];

/// Refuses a folder on a volatile or network file system, unless `allowed`.
///
/// The folder need not be there yet: the nearest one above it that is counts.
pub fn check(folder: &Path, allowed: bool) -> Result<(), FolderError> {
    if allowed {
        return Ok(());
    }
    let relative = if folder.is_relative() { Path::new(".").join(folder) } else { folder.into() };
    let Some(there) = relative.ancestors().find(|above| above.exists()) else { return Ok(()) };
    let stat = rustix::fs::statfs(there).map_err(|error| {
        FolderError::io("cannot examine the file system of", there)(error.into())
    })?;
    // The number has 32 bits; some systems widen it with its sign.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let magic = stat.f_type as u32;
    match UNFIT.iter().find(|(number, ..)| *number == magic) {
        Some((_, kind, why)) => {
            Err(FolderError::FileSystem { folder: folder.to_owned(), kind, why })
        }
        None => Ok(()),
    }
}
