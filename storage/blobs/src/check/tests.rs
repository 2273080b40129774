//! Notes of checks: kept, believed, saved, and let go.

use super::*;
use crate::files::DiskFiles;
use crate::store::Options;
use std::sync::atomic::{AtomicU64, Ordering};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn store_at(folder: &std::path::Path, now: &Arc<AtomicU64>) -> Arc<BlobStore> {
    let now = now.clone();
    let options =
        Options { now_ms: Arc::new(move || now.load(Ordering::Relaxed)), ..Options::default() };
    BlobStore::open(folder, Arc::new(DiskFiles), options).unwrap()
}

#[test]
fn a_note_is_believed_for_a_day_and_only_of_the_same_file() {
    let digest = digest_of(Algorithm::Sha256, b"x");
    let checks = Checks::load(&DiskFiles, &Layout::new(std::path::Path::new("/nonexistent")));
    let seen = Metadata { length: 1, modified_ns: 5 };
    checks.note(&digest, seen, 1_000);
    for (name, seen, now_ms, fresh) in [
        ("at once", seen, 1_000, true),
        ("just within", seen, 999 + DAY_MS, true),
        ("a day later", seen, 1_000 + DAY_MS, false),
        ("before it was taken", seen, 999, false),
        ("written since", Metadata { modified_ns: 6, ..seen }, 1_000, false),
        ("cut since", Metadata { length: 0, ..seen }, 1_000, false),
    ] {
        assert_eq!(checks.is_fresh(&digest, seen, now_ms, DAY_MS), fresh, "{name}");
    }
    checks.forget(&digest);
    assert!(!checks.is_fresh(&digest, seen, 1_000, DAY_MS));
}

#[test]
fn notes_are_bounded_and_the_newer_ones_stay() {
    let checks = Checks::load(&DiskFiles, &Layout::new(std::path::Path::new("/nonexistent")));
    let seen = Metadata { length: 0, modified_ns: 0 };
    let digest = |n: usize| {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&n.to_le_bytes());
        Digest::from_bytes(Algorithm::Sha256, &hash).unwrap()
    };
    for n in 0..=NOTES_MAX {
        checks.note(&digest(n), seen, n as u64);
    }
    assert!(held(&checks.notes).len() <= NOTES_MAX);
    assert!(checks.is_fresh(&digest(NOTES_MAX), seen, NOTES_MAX as u64, DAY_MS));
    assert!(!checks.is_fresh(&digest(0), seen, NOTES_MAX as u64, DAY_MS));
}

#[tokio::test]
async fn notes_outlive_a_restart_and_damaged_ones_are_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let now = Arc::new(AtomicU64::new(1_000));
    let digest = digest_of(Algorithm::Sha256, b"x");
    let store = store_at(folder.path(), &now);
    store.put(&digest, Bytes::from_static(b"x")).await.unwrap();
    store.close().unwrap();
    let store = store_at(folder.path(), &now);
    assert!(!store.read_whole(&digest).await.unwrap().is_verified());
    let path = store.layout.checked();
    let saved = std::fs::read(&path).unwrap();
    for bit in 0..saved.len() * 8 {
        let mut changed = saved.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, changed).unwrap();
        assert!(read_notes(&DiskFiles, &store.layout).is_none(), "bit {bit}");
    }
    let store = store_at(folder.path(), &now);
    assert!(store.read_whole(&digest).await.unwrap().is_verified());
}

#[tokio::test]
async fn a_damaged_blob_is_reported_then_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_at(folder.path(), &Arc::new(AtomicU64::new(1_000)));
    let digest = digest_of(Algorithm::Sha256, b"right");
    assert_eq!(store.check(&digest).await.unwrap(), Checked::Absent);
    store.put(&digest, Bytes::from_static(b"right")).await.unwrap();
    assert_eq!(store.check(&digest).await.unwrap(), Checked::Right);
    std::fs::write(store.layout.blob(&digest), b"wrong").unwrap();
    assert_eq!(store.check(&digest).await.unwrap(), Checked::Damaged);
    assert_eq!(store.damaged(), std::slice::from_ref(&digest));
    let refused = store.read_whole(&digest).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    let locked = store.lock(&digest).await;
    store.set_aside(&locked).await.unwrap();
    assert!(store.damaged().is_empty());
    assert_eq!(store.check(&digest).await.unwrap(), Checked::Absent);
    assert_eq!(std::fs::read(store.layout.damaged_blob(&digest)).unwrap(), b"wrong");
    store.set_aside(&locked).await.unwrap();
}

/// The notes outlive the binary that wrote them, so their form is fixed.
#[test]
fn the_saved_notes_are_as_they_always_were() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let checks = Checks::load(&DiskFiles, &layout);
    let seen = Metadata { length: 8, modified_ns: -2 };
    checks.note(&digest_of(Algorithm::Sha512, b"holdfast"), seen, 1_767_225_600_000);
    checks.save(&DiskFiles, &layout).unwrap();
    let saved = std::fs::read(layout.checked()).unwrap();
    let hex = saved.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    assert_eq!(hex, include_str!("../../golden/checked-v1.hex").trim());
}
