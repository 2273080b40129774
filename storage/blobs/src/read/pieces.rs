//! Pieces of sealed files: memory maps, so that bytes go from the page cache to the socket without
//! a copy on our side, or copies where those cost less. The only place that imports memmap2.
//!
//! Maps are listed by their address for as long as they live: a connection that is about to write
//! bytes out of one finds the file ([`part_of`]) and lets the kernel send its pages.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::num::NonZeroU64;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::{Bytes, BytesMut};

use crate::files::File;

/// What is copied at once: it is memory of ours, unlike a map.
const COPIED_BYTES_MAX: usize = 512 * 1024;
/// Below so many bytes a copy costs less than a map.
const MAP_BYTES_MIN: usize = 64 * 1024;

/// The maps that live now, by the address of their first byte.
static LISTED: RwLock<BTreeMap<usize, Listed>> = RwLock::new(BTreeMap::new());

struct Listed {
    length: usize,
    file: Arc<fs::File>,
    offset: u64,
}

/// Where in which file `bytes` lie, if they are part of a piece that is mapped.
///
/// What the file holds there is what `bytes` shows for as long as the piece lives.
pub fn part_of(bytes: &[u8]) -> Option<(Arc<fs::File>, u64)> {
    let address = bytes.as_ptr().addr();
    let maps = LISTED.read().unwrap_or_else(PoisonError::into_inner);
    let (begin, listed) = maps.range(..=address).next_back()?;
    let within = address - begin;
    let is_inside = bytes.len() <= listed.length.checked_sub(within)?;
    is_inside.then(|| (Arc::clone(&listed.file), listed.offset + within as u64))
}

/// A map that is listed.
struct Mapped(memmap2::Mmap);

impl Mapped {
    fn list(map: memmap2::Mmap, file: &Arc<fs::File>, offset: u64) -> Self {
        let listed = Listed { length: map.len(), file: Arc::clone(file), offset };
        let mut maps = LISTED.write().unwrap_or_else(PoisonError::into_inner);
        maps.insert(map.as_ptr().addr(), listed);
        Self(map)
    }
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // Before the map itself ends, whose address another one may then get.
        let mut maps = LISTED.write().unwrap_or_else(PoisonError::into_inner);
        maps.remove(&self.0.as_ptr().addr());
    }
}

/// Reads up to `length` bytes of a sealed file from `offset`: a map of them all where that pays,
/// else a copy of the first of them; never none.
///
/// # Errors
///
/// `UnexpectedEof` where the file is shorter.
pub(crate) fn piece(file: &dyn File, offset: u64, length: usize) -> io::Result<Bytes> {
    if length >= MAP_BYTES_MIN
        && let Some(os_file) = file.as_os_file()
        && let Some(bytes) = mapped(os_file, offset, length)
    {
        return Ok(bytes);
    }
    copied(file, offset, length.min(COPIED_BYTES_MAX))
}

/// Reads exactly `length` bytes from `offset` into memory of our own.
pub(crate) fn copied(file: &dyn File, offset: u64, length: usize) -> io::Result<Bytes> {
    let mut buffer = BytesMut::zeroed(length);
    let mut filled = 0;
    while filled < length {
        match file.read_at(offset + filled as u64, &mut buffer[filled..])? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            more => filled += more,
        }
    }
    Ok(buffer.freeze())
}

/// Maps a part of a file whose pages are all there; `None` where a read should try (and tell why).
/// Blocks.
pub(super) fn mapped(file: &Arc<fs::File>, offset: u64, length: usize) -> Option<Bytes> {
    let map = map(file, offset, length)?;
    // The piece after this one is asked of the disk now, to be there when its turn comes.
    let (end, ahead) = (offset + length as u64, NonZeroU64::new(length as u64));
    let _ = rustix::fs::fadvise(&**file, end, ahead, rustix::fs::Advice::WillNeed);
    // Faults all pages in here, on the blocking pool, and reports a disk that cannot read them,
    // which a fault in the middle of sending would turn into a signal.
    #[cfg(target_os = "linux")]
    map.advise(memmap2::Advice::PopulateRead).ok()?;
    Some(Bytes::from_owner(Mapped::list(map, file, offset)))
}

/// Maps a part of a file that lies in memory as a whole: the page cache has it. `None` where it
/// does not, or a copy costs less. Does not wait for the disk.
pub(super) fn resident(file: &Arc<fs::File>, offset: u64, length: usize) -> Option<Bytes> {
    if length < MAP_BYTES_MIN || !is_told_the_truth(file) {
        return None;
    }
    let map = map(file, offset, length)?;
    is_resident(&map).then(|| Bytes::from_owner(Mapped::list(map, file, offset)))
}

#[allow(unsafe_code)]
fn map(file: &Arc<fs::File>, offset: u64, length: usize) -> Option<memmap2::Mmap> {
    let end = offset.checked_add(length as u64)?;
    if file.metadata().ok()?.len() < end {
        return None;
    }
    // SAFETY: a map is sound while nobody changes or cuts the file below it. Sealed blobs are never
    // written: a new copy takes the name by a rename and leaves this inode as it is; staged ones
    // are read only by the holder of their lock, between two writes. The data folder is locked and
    // open to this user alone. Someone who writes to it all the same changes what is sent, which
    // the client's own check of the digest finds; who cuts it short risks this process, for as long
    // as a piece is on its way.
    unsafe { memmap2::MmapOptions::new().offset(offset).len(length).map(&**file) }.ok()
}

/// Of files that are neither its own nor writable for it, a process is told that all is there.
fn is_told_the_truth(file: &fs::File) -> bool {
    let user = rustix::process::geteuid();
    user.is_root() || file.metadata().is_ok_and(|metadata| metadata.uid() == user.as_raw())
}

/// Whether the page cache has all pages of a map.
#[allow(unsafe_code)]
fn is_resident(map: &memmap2::Mmap) -> bool {
    let page = rustix::param::page_size();
    // The map begins somewhere within its first page.
    let before = map.as_ptr().addr() % page;
    let length = before + map.len();
    let mut pages = vec![0_u8; length.div_ceil(page)];
    let begin = map.as_ptr().wrapping_sub(before).cast_mut().cast();
    // SAFETY: the pages of `begin..begin + length` are mapped, by `map`, and `pages` has a byte for
    // each of them, which is all that the call writes.
    let answer = unsafe { libc::mincore(begin, length, pages.as_mut_ptr()) };
    answer == 0 && pages.iter().all(|page| page & 1 == 1)
}
