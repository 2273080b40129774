//! A disk without room: Raft has stopped here, since its log or its tables could not be written.
//!
//! The process stays and says so to whoever asks; the other replicas go on. As soon as there is
//! room it starts over in the place of itself, under the same process id, as after a kill.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::disk;

/// Between two looks at the disk.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Whether the disk under `folder` has no room left for what is written all the time.
pub fn is_full(folder: &Path) -> bool {
    disk::room(folder).is_ok_and(health::facts::Disk::is_full)
}

/// Waits until the disk under `folder` has room again.
pub async fn room_again(folder: &Path) {
    while is_full(folder) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Begins this program anew with the same arguments; returns only if that fails.
pub fn start_over() -> io::Error {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // The file itself, also where an upgrade has put another one in its place.
    let mut command = Command::new("/proc/self/exe");
    if let Some((name, rest)) = arguments.split_first() {
        command.arg0(name).args(rest);
    }
    command.exec()
}
