//! Uploads after a start and after a long silence.

use super::*;
use crate::files::DiskFiles;
use crate::store::Options;
use bytes::Bytes;
use oci::digest::Algorithm;

fn open(folder: &std::path::Path, later_ms: u64) -> Arc<BlobStore> {
    let default = Options::default();
    let now_ms = default.now_ms.clone();
    let options = Options { now_ms: Arc::new(move || now_ms() + later_ms), ..default };
    BlobStore::open(folder, Arc::new(DiskFiles), options).unwrap()
}

async fn stage(store: &Arc<BlobStore>, id: &str) {
    let mut upload = store.create_upload(id, &[Algorithm::Sha256]).await.unwrap();
    upload.append(Bytes::from_static(b"abc")).await.unwrap();
    upload.save().await.unwrap();
}

#[tokio::test]
async fn uploads_are_resumed_after_a_kill_and_removed_after_a_power_cut() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 0);
    stage(&store, "one").await;
    std::fs::create_dir(store.layout.uploads().join("half-made")).unwrap();
    std::fs::write(store.layout.uploads().join("stray"), "x").unwrap();
    let store = open(folder.path(), 0);
    assert_eq!(store.adopt_after_start(Boot::SameBoot).unwrap(), 0);
    assert_eq!(store.open_upload("one").await.unwrap().offset(), 3);
    assert_eq!(store.adopt_after_start(Boot::PowerCut).unwrap(), 3);
    assert!(store.list_uploads().unwrap().is_empty());
    assert!(matches!(store.open_upload("one").await, Err(UploadError::Unknown)));
}

#[tokio::test]
async fn idle_uploads_go_and_open_ones_stay() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 0);
    stage(&store, "idle").await;
    stage(&store, "open").await;
    assert_eq!(store.sweep_uploads(60_000).await.unwrap(), 0, "none is idle for a minute");
    let store = open(folder.path(), 3_600_000);
    std::fs::create_dir(store.layout.uploads().join("half-made")).unwrap();
    let open = store.open_upload("open").await.unwrap();
    assert_eq!(store.sweep_uploads(60_000).await.unwrap(), 2);
    let left: Vec<_> = store.list_uploads().unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].id.as_str(), left[0].bytes), ("open", 3));
    drop(open);
    store.cancel_upload("open").await.unwrap();
    for id in ["open", "../x", ""] {
        assert!(matches!(store.cancel_upload(id).await, Err(UploadError::Unknown)), "{id}");
    }
}
