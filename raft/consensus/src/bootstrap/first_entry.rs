//! The first entry of a cluster, waiting in the data folder for the first start.

use std::path::Path;

use metadata::command::Command;

use crate::folder::{Folder, FolderError, read_if_there, remove_if_there};

const FILE: &str = "bootstrap";

/// The command that begins a cluster, from `install` to the first start.
///
/// The start that finds one makes this replica the only voter, if the log is empty, and proposes
/// the command, if the tables hold no cluster yet; then it removes the file. It may be cut short
/// anywhere and done again: the command changes nothing the second time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstEntry {
    command: Command,
}

impl FirstEntry {
    pub(super) fn new(command: Command) -> Self {
        Self { command }
    }

    /// What is to be proposed.
    pub fn command(&self) -> &Command {
        &self.command
    }

    pub(super) fn write(&self, folder: &Folder) -> Result<(), FolderError> {
        let command = self.command.encode();
        let sum = crc32fast::hash(&command).to_be_bytes();
        folder.write(FILE, &[&sum[..], &command].concat())
    }

    /// The first entry in the data folder `root`, where one still waits.
    pub fn read(root: &Path) -> Result<Option<Self>, FolderError> {
        let file = root.join(FILE);
        let Some(bytes) = read_if_there(&file)? else { return Ok(None) };
        let damaged = |what: String| FolderError::Damaged { file: file.clone(), what };
        let (_, command) = bytes
            .split_at_checked(4)
            .filter(|(sum, command)| crc32fast::hash(command).to_be_bytes() == **sum)
            .ok_or_else(|| damaged("its checksum is wrong".to_owned()))?;
        let command = Command::decode(command).map_err(|error| damaged(error.to_string()))?;
        Ok(Some(Self { command }))
    }

    /// Removes it, once it is in the log for good.
    pub fn remove(root: &Path) -> Result<(), FolderError> {
        remove_if_there(&root.join(FILE))
    }
}
