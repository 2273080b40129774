//! A disk of which everything is known: what was written, what was synced, and so what a power cut
//! may leave.
//!
//! A file is its synced bytes and the changes since; a name likewise is there for certain only once
//! its folder was synced. [`Disk::cut`] draws one of the disks that the rules allow.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rand::Rng;
use rand::rngs::StdRng;

use super::journal::Note;
use content::{Change, Content};

mod content;

/// Which of the unsynced changes survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Any page of any unsynced change, and any unsynced name, each for itself.
    AnyPage,
    /// Bytes that replace others survive, growth of files is lost from some byte on; of the
    /// unsynced changes of names those up to some moment survive.
    GrowthLost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Folder,
    /// By its place in `Disk::contents`.
    File(usize),
}

/// A change of names that is not synced: removals, then additions, all at once.
#[derive(Clone, Debug, Default)]
struct Naming {
    /// When it was made.
    at: u64,
    removed: Vec<PathBuf>,
    added: Vec<(PathBuf, Node)>,
}

type Names = BTreeMap<PathBuf, Node>;

/// The files below one folder, as they are and as they are certain to be after a power cut.
#[derive(Default)]
pub struct Disk {
    contents: Vec<Content>,
    by_inode: HashMap<u64, usize>,
    live: Names,
    synced: Names,
    since: Vec<Naming>,
    /// Changes are numbered by their moment.
    now: u64,
    /// When the sync began that a thread waits for.
    begun: HashMap<u64, u64>,
}

/// What a power cut left.
pub struct Image {
    folders: BTreeSet<PathBuf>,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Disk {
    /// The files below `root` as they are, all of them synced.
    pub fn of(root: &Path) -> Result<Self> {
        let mut disk = Self::default();
        disk.add_folder(root, Path::new(""))?;
        disk.synced = disk.live.clone();
        Ok(disk)
    }

    fn add_folder(&mut self, root: &Path, folder: &Path) -> Result<()> {
        for entry in fs::read_dir(root.join(folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                self.live.insert(path.clone(), Node::Folder);
                self.add_folder(root, &path)?;
            } else {
                let content = Content::of(fs::read(entry.path())?);
                self.add_file(entry.metadata()?.ino(), path, content);
            }
        }
        Ok(())
    }

    fn add_file(&mut self, inode: u64, path: PathBuf, content: Content) -> Node {
        let node = Node::File(self.contents.len());
        self.by_inode.insert(inode, self.contents.len());
        self.contents.push(content);
        self.live.insert(path, node);
        node
    }

    /// The live files lie in `root` now, where another process goes on with them.
    pub fn go_on_in(&mut self, root: &Path) -> Result<()> {
        self.begun.clear();
        self.by_inode.clear();
        for (path, node) in &self.live {
            if let Node::File(at) = node {
                self.by_inode.insert(fs::metadata(root.join(path))?.ino(), *at);
            }
        }
        Ok(())
    }

    /// Carries out what was noted.
    pub fn apply(&mut self, change: Note) -> Result<()> {
        self.now += 1;
        let at = self.now;
        match change {
            Note::Create { inode, path } => {
                let node = self.add_file(inode, path.clone(), Content::default());
                self.named(Vec::new(), vec![(path, node)]);
            }
            Note::Write { inode, offset, bytes } => {
                let offset = usize::try_from(offset)?;
                self.content(inode)?.change(at, Change::Write { offset, bytes });
            }
            Note::Truncate { inode, length } => {
                let length = usize::try_from(length)?;
                self.content(inode)?.change(at, Change::Truncate(length));
            }
            Note::SyncBegun { thread, .. } | Note::FolderSyncBegun { thread, .. } => {
                self.begun.insert(thread, at);
            }
            Note::Synced { inode, thread } => {
                let upto = self.begun.remove(&thread).context("a sync that never began")?;
                self.content(inode)?.sync(upto);
            }
            Note::FolderSynced { path, thread } => {
                let upto = self.begun.remove(&thread).context("a sync that never began")?;
                self.sync_folder(&path, upto);
            }
            Note::Rename { from, to } => {
                let node = self.live.remove(&from).context("an unknown name is renamed")?;
                ensure!(node != Node::Folder, "renamed folders are not modelled");
                self.live.insert(to.clone(), node);
                self.named(vec![from], vec![(to, node)]);
            }
            Note::Link { from, to } => {
                let node = *self.live.get(&from).context("an unknown name is linked")?;
                self.live.insert(to.clone(), node);
                self.named(Vec::new(), vec![(to, node)]);
            }
            Note::Remove { path } => {
                self.live.remove(&path).context("an unknown name is removed")?;
                self.named(vec![path], Vec::new());
            }
            Note::Folder { path } => {
                self.live.insert(path.clone(), Node::Folder);
                self.named(Vec::new(), vec![(path, Node::Folder)]);
            }
        }
        Ok(())
    }
}

impl Disk {
    fn named(&mut self, removed: Vec<PathBuf>, added: Vec<(PathBuf, Node)>) {
        self.since.push(Naming { at: self.now, removed, added });
    }

    fn content(&mut self, inode: u64) -> Result<&mut Content> {
        let unknown = || format!("inode {inode} is not known");
        let at = *self.by_inode.get(&inode).with_context(unknown)?;
        Ok(&mut self.contents[at])
    }

    /// The names in `folder` are certain as they were at the moment `upto`.
    fn sync_folder(&mut self, folder: &Path, upto: u64) {
        // A rename between two folders is one change: synced with either.
        let covered = |naming: &Naming| {
            naming.at < upto && naming.paths().any(|path| path.parent() == Some(folder))
        };
        let (certain, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.since).into_iter().partition(covered);
        self.since = rest;
        for naming in certain {
            let paths: BTreeSet<&PathBuf> = naming.paths().collect();
            // What was done to these names before is superseded, also in a folder not synced yet.
            for earlier in self.since.iter_mut().filter(|earlier| earlier.at < naming.at) {
                earlier.removed.retain(|path| !paths.contains(path));
                earlier.added.retain(|(path, _)| !paths.contains(path));
            }
            naming.apply(&mut self.synced);
        }
    }

    /// The disk as the process saw it last.
    pub fn live(&self) -> Image {
        let contents = |at: usize| self.contents[at].live();
        Image::new(&self.live, contents)
    }

    /// One of the disks that a power cut may leave.
    pub fn cut(&self, cut: Cut, random: &mut StdRng) -> Image {
        let mut names = self.synced.clone();
        match cut {
            Cut::AnyPage => {
                for naming in self.since.iter().filter(|_| random.random()) {
                    naming.apply(&mut names);
                }
            }
            Cut::GrowthLost => {
                let kept = random.random_range(0..=self.since.len());
                for naming in &self.since[..kept] {
                    naming.apply(&mut names);
                }
            }
        }
        let left: Vec<Vec<u8>> =
            self.contents.iter().map(|content| content.cut(cut, random)).collect();
        Image::new(&names, |at| left[at].clone())
    }
}

impl Naming {
    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.removed.iter().chain(self.added.iter().map(|(path, _)| path))
    }

    fn apply(&self, names: &mut Names) {
        for path in &self.removed {
            names.remove(path);
        }
        names.extend(self.added.iter().cloned());
    }
}

impl Image {
    fn new(names: &Names, content: impl Fn(usize) -> Vec<u8>) -> Self {
        let is_folder =
            |path: &Path| path.as_os_str().is_empty() || names.get(path) == Some(&Node::Folder);
        let mut image = Self { folders: BTreeSet::new(), files: BTreeMap::new() };
        for (path, node) in names {
            // A name in a folder that is not there is not there either.
            if !path.ancestors().skip(1).all(is_folder) {
                continue;
            }
            match node {
                Node::Folder => drop(image.folders.insert(path.clone())),
                Node::File(at) => drop(image.files.insert(path.clone(), content(*at))),
            }
        }
        image
    }

    /// Bytes of the files of `other` below `folder` that are missing or others here.
    pub fn missing_of(&self, other: &Self, folder: &str) -> u64 {
        let missing = |(path, bytes): (&PathBuf, &Vec<u8>)| {
            let here = self.files.get(path).map_or(&[][..], |bytes| bytes);
            let differ = bytes.iter().zip(here).filter(|(one, two)| one != two).count();
            (differ + bytes.len().saturating_sub(here.len())) as u64
        };
        other.files.iter().filter(|(path, _)| path.starts_with(folder)).map(missing).sum()
    }

    /// Makes this disk in `root`, which must not exist.
    pub fn write(&self, root: &Path) -> Result<()> {
        fs::create_dir(root)?;
        // In order: a folder before what is in it.
        for folder in &self.folders {
            fs::create_dir(root.join(folder))?;
        }
        for (path, bytes) in &self.files {
            fs::write(root.join(path), bytes)?;
        }
        Ok(())
    }

    /// The names of all files.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.keys().map(PathBuf::as_path)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    const INODE: u64 = 7;

    fn create(path: &str) -> Note {
        Note::Create { inode: INODE, path: path.into() }
    }

    fn write(offset: u64, bytes: &[u8]) -> Note {
        Note::Write { inode: INODE, offset, bytes: bytes.to_vec() }
    }

    fn sync() -> [Note; 2] {
        let (inode, thread) = (INODE, 1);
        [Note::SyncBegun { inode, thread }, Note::Synced { inode, thread }]
    }

    fn sync_folder(path: &str) -> [Note; 2] {
        let begun = Note::FolderSyncBegun { path: path.into(), thread: 1 };
        [begun, Note::FolderSynced { path: path.into(), thread: 1 }]
    }

    /// The file `path` after each of many power cuts; `None` where it is not there.
    fn left(notes: impl IntoIterator<Item = Note>, path: &str) -> BTreeSet<Option<Vec<u8>>> {
        let mut disk = Disk::default();
        for note in notes {
            disk.apply(note).unwrap();
        }
        let mut random = StdRng::seed_from_u64(1);
        let cuts = [Cut::AnyPage, Cut::GrowthLost].into_iter().cycle().take(400);
        cuts.map(|cut| disk.cut(cut, &mut random).files.remove(Path::new(path))).collect()
    }

    #[test]
    fn what_was_synced_with_its_folder_survives_every_cut() {
        let notes =
            [create("f"), write(0, b"kept")].into_iter().chain(sync()).chain(sync_folder(""));
        assert_eq!(left(notes, "f"), BTreeSet::from([Some(b"kept".to_vec())]));
    }

    #[test]
    fn a_name_without_a_sync_of_its_folder_may_be_lost_with_all_below_it() {
        let named = [create("f"), write(0, b"kept")].into_iter().chain(sync());
        assert_eq!(left(named, "f"), BTreeSet::from([None, Some(b"kept".to_vec())]));
        let below = [Note::Folder { path: "d".into() }, create("d/f")];
        let below = below.into_iter().chain(sync_folder("d"));
        assert_eq!(left(below, "d/f"), BTreeSet::from([None, Some(Vec::new())]));
    }

    #[test]
    fn a_write_after_a_sync_began_is_not_covered_by_it() {
        let [begun, synced] = sync();
        let notes = [create("f"), write(0, b"old"), begun, write(0, b"new"), synced];
        let left = left(notes.into_iter().chain(sync_folder("")), "f");
        assert_eq!(left, [b"old", b"new"].map(|bytes| Some(bytes.to_vec())).into());
    }

    #[test]
    fn any_page_of_an_unsynced_write_may_be_missing_and_no_synced_byte() {
        let page = |byte| vec![byte; 4096];
        let first = [create("f"), write(0, &[page(1), page(1), page(1)].concat())];
        let first = first.into_iter().chain(sync()).chain(sync_folder(""));
        let notes = first.chain([write(4096, &[page(2), page(2), page(2)].concat())]);
        let left = left(notes, "f");
        let has = |length: usize, bytes: [u8; 4]| {
            let whole: Vec<u8> = bytes.into_iter().flat_map(page).collect();
            left.contains(&Some(whole[..length].to_vec()))
        };
        assert!(has(4 * 4096, [1, 2, 2, 2]) && has(3 * 4096, [1, 1, 1, 0]));
        assert!(has(4 * 4096, [1, 1, 2, 0]) && has(4 * 4096, [1, 1, 1, 2]));
        for bytes in left.iter().flatten() {
            assert!(bytes.len() >= 3 * 4096, "synced length");
            assert!(
                bytes[..4096].iter().all(|byte| *byte == 1),
                "a page that was not written again"
            );
        }
    }

    #[test]
    fn a_rename_is_certain_once_either_folder_is_synced() {
        let folders = ["a", "b"].map(|path| Note::Folder { path: path.into() });
        let made = folders.into_iter().chain(sync_folder("")).chain([create("a/f")]);
        let moved = Note::Rename { from: "a/f".into(), to: "b/g".into() };
        let notes: Vec<Note> = made.chain([moved]).chain(sync_folder("b")).collect();
        assert_eq!(left(notes.clone(), "b/g"), BTreeSet::from([Some(Vec::new())]));
        assert_eq!(left(notes, "a/f"), BTreeSet::from([None]));
    }
}
