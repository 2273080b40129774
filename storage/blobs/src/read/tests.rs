//! Reads: whole and by range, mapped and copied, of files that are right and that are not.

use super::pieces::{copied, mapped, part_of, resident};
use super::*;
use crate::files::{DiskFiles, Files};
use crate::store::Options;
use oci::digest::Algorithm;
use std::sync::atomic::{AtomicU64, Ordering};

const LENGTH: usize = 1_000_003;

fn content() -> Bytes {
    (0..LENGTH).map(|n| (n / 251).to_le_bytes()[0]).collect::<Vec<_>>().into()
}

struct Stage {
    _folder: tempfile::TempDir,
    store: Arc<BlobStore>,
    now: Arc<AtomicU64>,
    digest: Digest,
}

/// A store with one blob, read in pieces of `piece_bytes`.
async fn stage(piece_bytes: usize) -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let now = Arc::new(AtomicU64::new(1_000));
    let clock = now.clone();
    let now_ms = Arc::new(move || clock.load(Ordering::Relaxed));
    let options = Options { now_ms, piece_bytes, check_age_max_ms: 1_000, ..Options::default() };
    let store = BlobStore::open(folder.path(), Arc::new(DiskFiles), options).unwrap();
    let digest = digest_of(Algorithm::Sha256, &content());
    store.put(&digest, content()).await.unwrap();
    Stage { _folder: folder, store, now, digest }
}

async fn collect(mut read: BlobRead) -> (Vec<u8>, Option<io::Error>) {
    let mut bytes = Vec::new();
    while let Some(piece) = read.next().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(error) => {
                assert!(read.next().await.is_none(), "nothing follows an error");
                return (bytes, Some(error));
            }
        }
    }
    (bytes, None)
}

#[tokio::test]
async fn every_range_gives_its_bytes_mapped_or_copied_verified_or_not() {
    let whole = content();
    for piece_bytes in [10_000, 100_000, 1 << 20] {
        let stage = stage(piece_bytes).await;
        for (from, to) in [
            (0, LENGTH),
            (0, 0),
            (LENGTH, LENGTH),
            (0, 1),
            (1, 200_001),
            (99_999, 300_000),
            (LENGTH - 1, LENGTH),
            (500_000, LENGTH),
        ] {
            for age_ms in [0, 1_000] {
                stage.now.fetch_add(age_ms, Ordering::Relaxed);
                let range = from as u64..to as u64;
                let read = stage.store.read(&stage.digest, range.clone()).await.unwrap();
                assert_eq!((read.size(), read.range()), (LENGTH as u64, range));
                let verified = read.is_verified();
                assert!(!verified || (from, to) == (0, LENGTH));
                let (bytes, error) = collect(read).await;
                assert!(error.is_none());
                assert_eq!(bytes, whole[from..to], "{from}..{to} by {piece_bytes}");
            }
        }
    }
}

#[tokio::test]
async fn a_range_outside_the_blob_and_an_unknown_blob_are_refused() {
    let stage = stage(100_000).await;
    let length = LENGTH as u64;
    #[allow(clippy::reversed_empty_ranges)]
    for range in [0..length + 1, length + 1..length + 1, 5..4] {
        let refused = stage.store.read(&stage.digest, range.clone()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{range:?}");
    }
    let unknown = digest_of(Algorithm::Sha256, b"unknown");
    let refused = stage.store.read(&unknown, 0..0).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    let refused = stage.store.read_small(&stage.digest, LENGTH - 1).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn the_last_piece_of_a_damaged_blob_is_never_sent() {
    for at in [0, 500_000, LENGTH - 1] {
        let stage = stage(100_000).await;
        let mut bytes = content().to_vec();
        bytes[at] ^= 1;
        std::fs::write(stage.store.layout.blob(&stage.digest), &bytes).unwrap();
        // The file was written since it was checked, so its age does not matter.
        let read = stage.store.read_whole(&stage.digest).await.unwrap();
        assert!(read.is_verified());
        let (sent, error) = collect(read).await;
        assert_eq!(error.unwrap().kind(), ErrorKind::InvalidData);
        assert_eq!(sent.len(), LENGTH / 100_000 * 100_000, "all pieces but the last");
        assert_eq!(stage.store.damaged(), std::slice::from_ref(&stage.digest));
    }
}

#[tokio::test]
async fn a_range_of_a_blob_not_checked_lately_starts_a_check() {
    let stage = stage(100_000).await;
    let mut bytes = content().to_vec();
    bytes[LENGTH - 1] ^= 1;
    std::fs::write(stage.store.layout.blob(&stage.digest), &bytes).unwrap();
    let read = stage.store.read(&stage.digest, 0..1_000).await.unwrap();
    assert!(!read.is_verified());
    let (sent, error) = collect(read).await;
    assert!(error.is_none());
    assert_eq!(sent, bytes[..1_000]);
    stage.store.damage_noted().await;
    assert_eq!(stage.store.damaged(), std::slice::from_ref(&stage.digest));
}

#[tokio::test]
async fn a_verified_read_counts_as_a_check() {
    let stage = stage(100_000).await;
    stage.now.fetch_add(1_000, Ordering::Relaxed);
    let read = stage.store.read_whole(&stage.digest).await.unwrap();
    assert!(read.is_verified());
    assert!(collect(read).await.1.is_none());
    assert!(!stage.store.read_whole(&stage.digest).await.unwrap().is_verified());
}

#[tokio::test]
async fn a_file_that_is_cut_short_ends_the_read_with_an_error() {
    let stage = stage(100_000).await;
    let mut read = stage.store.read_whole(&stage.digest).await.unwrap();
    let first = read.next().await.unwrap().unwrap();
    assert_eq!(first.len(), 100_000);
    let path = stage.store.layout.blob(&stage.digest);
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(300_000).unwrap();
    let (_, error) = collect(read).await;
    assert_eq!(error.unwrap().kind(), ErrorKind::UnexpectedEof);

    std::fs::write(&path, b"").unwrap();
    let refused = stage.store.read_whole(&stage.digest).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_read_under_way_outlives_the_blobs_removal_and_replacement() {
    let stage = stage(100_000).await;
    let read = stage.store.read_whole(&stage.digest).await.unwrap();
    let replaced = stage.store.read_whole(&stage.digest).await.unwrap();
    stage.store.put(&stage.digest, content()).await.unwrap();
    assert_eq!(collect(replaced).await.0, content());
    let locked = stage.store.lock(&stage.digest).await;
    stage.store.remove(&locked).await.unwrap();
    assert_eq!(collect(read).await.0, content());
}

#[tokio::test]
async fn an_empty_blob_reads_as_nothing() {
    let stage = stage(100_000).await;
    let empty = digest_of(Algorithm::Sha512, b"");
    stage.store.put(&empty, Bytes::new()).await.unwrap();
    let read = stage.store.read_whole(&empty).await.unwrap();
    assert_eq!(read.size(), 0);
    assert_eq!(stage.store.read_small(&empty, 0).await.unwrap(), Bytes::new());
}

#[test]
fn a_piece_is_the_same_mapped_and_copied() {
    let folder = tempfile::tempdir().unwrap();
    let file = DiskFiles.create(&folder.path().join("f")).unwrap();
    file.write_at(0, &[content()]).unwrap();
    let os_file = file.as_os_file().unwrap();
    for (offset, length) in [(0, LENGTH), (1, 70_000), (4_095, 4_097), (900_000, 100_003)] {
        let mapped = mapped(os_file, offset, length).unwrap();
        assert_eq!(mapped, copied(&*file, offset, length).unwrap());
        assert_eq!(mapped, content()[usize::try_from(offset).unwrap()..][..length]);
        if length >= 64 * 1024 {
            assert_eq!(resident(os_file, offset, length).unwrap(), mapped, "just written");
        }
    }
    assert!(mapped(os_file, 900_000, 100_004).is_none());
    assert!(mapped(os_file, u64::MAX, 1).is_none());
    assert!(resident(os_file, 900_000, 100_004).is_none());
    assert!(resident(os_file, 0, 1_000).is_none(), "a copy costs less");
}

#[test]
fn a_mapped_piece_names_its_file_for_as_long_as_it_lives() {
    let folder = tempfile::tempdir().unwrap();
    let file = DiskFiles.create(&folder.path().join("f")).unwrap();
    file.write_at(0, &[content()]).unwrap();
    let os_file = file.as_os_file().unwrap();
    for (offset, length) in [(0, LENGTH), (1, 70_000), (900_000, 100_003)] {
        let bytes = mapped(os_file, offset, length).unwrap();
        for (from, to) in [(0, length), (0, 1), (5, 60_000), (length - 1, length)] {
            let (found, at) = part_of(&bytes[from..to]).unwrap();
            assert!(Arc::ptr_eq(&found, os_file));
            assert_eq!(at, offset + from as u64, "{from}..{to} of {offset}, {length}");
        }
        let part = bytes.slice(10..20);
        drop(bytes);
        assert_eq!(part_of(&part).unwrap().1, offset + 10, "a part keeps the piece alive");
    }
    assert!(part_of(&content()).is_none());
    assert!(part_of(&copied(&*file, 0, LENGTH).unwrap()).is_none());
    assert_eq!(Arc::strong_count(os_file), 1, "no piece is left listed");
}

#[tokio::test]
async fn a_small_blob_that_is_damaged_is_refused_before_it_is_read() {
    let stage = stage(1 << 20).await;
    let mut bytes = content()[..200_000].to_vec();
    let digest = digest_of(Algorithm::Sha256, &bytes);
    stage.store.put(&digest, bytes.clone().into()).await.unwrap();
    bytes[100_000] ^= 1;
    std::fs::write(stage.store.layout.blob(&digest), &bytes).unwrap();
    let refused = stage.store.read_whole(&digest).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidData);
    assert_eq!(stage.store.damaged(), std::slice::from_ref(&digest));
}

#[test]
fn what_the_page_cache_lacks_is_not_taken_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = DiskFiles.create(&folder.path().join("f")).unwrap();
    file.write_at(0, &[content()]).unwrap();
    file.sync().unwrap();
    let os_file = file.as_os_file().unwrap();
    let drop_all = rustix::fs::Advice::DontNeed;
    rustix::fs::fadvise(&**os_file, 0, None, drop_all).unwrap();
    // A file system that lives in memory, and one that is asked nicely, may keep it.
    match resident(os_file, 0, LENGTH) {
        None => println!("the page cache let go"),
        Some(kept) => assert_eq!(kept, content()),
    }
    assert_eq!(mapped(os_file, 0, LENGTH).unwrap(), content());
    assert_eq!(resident(os_file, 0, LENGTH).unwrap(), content());
}

#[tokio::test]
async fn a_copy_that_the_disk_cannot_give_is_none() {
    let stage = stage(100_000).await;
    let read = stage.store.read_whole(&stage.digest).await.unwrap();
    assert!(stage.store.size_of(&stage.digest).unwrap().is_some());
    let cut = read.source.failed(ErrorKind::UnexpectedEof.into());
    assert_eq!(cut.kind(), ErrorKind::UnexpectedEof);
    assert!(stage.store.damaged().is_empty());
    let bad_sector = io::Error::from(rustix::io::Errno::IO);
    read.source.failed(bad_sector);
    assert_eq!(stage.store.damaged(), std::slice::from_ref(&stage.digest));
    assert_eq!(stage.store.size_of(&stage.digest).unwrap(), None);
}
