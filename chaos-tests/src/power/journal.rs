//! The notes that the preloaded library took of a process's changes to its files.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// One change, in the order in which it was made. Paths are relative to the watched folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A file was created.
    Create {
        /// Its inode, until another file is created with it.
        inode: u64,
        /// Its name.
        path: PathBuf,
    },
    /// Bytes were written.
    Write {
        /// The file.
        inode: u64,
        /// Where they begin.
        offset: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A file was cut, or lengthened with zeros.
    Truncate {
        /// The file.
        inode: u64,
        /// Its new length.
        length: u64,
    },
    /// A sync of a file began: it covers what was done to the file up to here.
    SyncBegun {
        /// The file.
        inode: u64,
        /// Who waits for it.
        thread: u64,
    },
    /// It ended well.
    Synced {
        /// The file.
        inode: u64,
        /// Who waited for it.
        thread: u64,
    },
    /// A sync of the names in a folder began.
    FolderSyncBegun {
        /// The folder.
        path: PathBuf,
        /// Who waits for it.
        thread: u64,
    },
    /// It ended well.
    FolderSynced {
        /// The folder.
        path: PathBuf,
        /// Who waited for it.
        thread: u64,
    },
    /// A name was changed.
    Rename {
        /// The former name.
        from: PathBuf,
        /// The new one.
        to: PathBuf,
    },
    /// A second name was given.
    Link {
        /// The name that stays.
        from: PathBuf,
        /// The new one.
        to: PathBuf,
    },
    /// A name was removed, of a file or of an empty folder.
    Remove {
        /// The name.
        path: PathBuf,
    },
    /// A folder was made.
    Folder {
        /// Its name.
        path: PathBuf,
    },
}

/// Reads the notes. A last one that is incomplete, since its process was killed, is left out.
pub fn read(mut bytes: &[u8]) -> Result<Vec<Note>> {
    let mut notes = Vec::new();
    while let Some((note, rest)) = first(bytes) {
        notes.push(note.with_context(|| format!("note {}", notes.len()))?);
        bytes = rest;
    }
    Ok(notes)
}

fn first(bytes: &[u8]) -> Option<(Result<Note>, &[u8])> {
    let (head, rest) = bytes.split_at_checked(17)?;
    let a = u64::from_ne_bytes(head[1..9].try_into().ok()?);
    let b = u64::from_ne_bytes(head[9..17].try_into().ok()?);
    let (one, rest) = sized(rest)?;
    let (two, rest) = sized(rest)?;
    Some((note(head[0], (a, b), one, two), rest))
}

fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(4)?;
    let length = u32::from_ne_bytes(length.try_into().ok()?);
    rest.split_at_checked(usize::try_from(length).ok()?)
}

fn note(kind: u8, (a, b): (u64, u64), one: &[u8], two: &[u8]) -> Result<Note> {
    let path = |bytes: &[u8]| -> Result<PathBuf> { Ok(std::str::from_utf8(bytes)?.into()) };
    Ok(match kind {
        b'C' => Note::Create { inode: a, path: path(one)? },
        b'W' => Note::Write { inode: a, offset: b, bytes: one.to_vec() },
        b'T' => Note::Truncate { inode: a, length: b },
        b's' => Note::SyncBegun { inode: a, thread: b },
        b'S' => Note::Synced { inode: a, thread: b },
        b'd' => Note::FolderSyncBegun { path: path(one)?, thread: b },
        b'D' => Note::FolderSynced { path: path(one)?, thread: b },
        b'R' => Note::Rename { from: path(one)?, to: path(two)? },
        b'L' => Note::Link { from: path(one)?, to: path(two)? },
        b'U' => Note::Remove { path: path(one)? },
        b'M' => Note::Folder { path: path(one)? },
        other => bail!("a note of kind {other} is not known"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(kind: u8, (a, b): (u64, u64), one: &[u8], two: &[u8]) -> Vec<u8> {
        let sized = |bytes: &[u8]| {
            let length = u32::try_from(bytes.len()).unwrap();
            [&length.to_ne_bytes(), bytes].concat()
        };
        let parts = [vec![kind], a.to_ne_bytes().into(), b.to_ne_bytes().into()];
        [parts.concat(), sized(one), sized(two)].concat()
    }

    #[test]
    fn notes_are_read_and_one_that_was_cut_by_the_kill_is_left_out() {
        let whole =
            [noted(b'W', (7, 9), b"bytes", b""), noted(b'R', (0, 0), b"a/b", b"c")].concat();
        let expected = [
            Note::Write { inode: 7, offset: 9, bytes: b"bytes".to_vec() },
            Note::Rename { from: "a/b".into(), to: "c".into() },
        ];
        assert_eq!(read(&whole).unwrap(), expected);
        assert_eq!(read(&whole[..whole.len() - 1]).unwrap(), expected[..1]);
        assert!(read(&noted(b'?', (0, 0), b"", b"")).is_err());
    }
}
