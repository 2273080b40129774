//! The store at every point where the power may go.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use oci::digest::{Algorithm, Digest};
use oci::verifier::digest_of;

use super::{Lies, Lost, Model};
use crate::check::Checked;
use crate::store::{BlobStore, Options};
use crate::sweep::Boot;
use crate::upload::UploadError;

const ROOT: &str = "/content";
const SEEDS: u64 = 6;

fn options() -> Options {
    Options { now_ms: Arc::new(|| 1_000), batch_bytes: 10_000, ..Options::default() }
}

fn open(model: &Model) -> std::io::Result<Arc<BlobStore>> {
    BlobStore::open(Path::new(ROOT), Arc::new(model.clone()), options())
}

/// Bytes that differ from page to page, so that a page that is missing shows.
fn content(tag: u8, length: usize) -> Bytes {
    (0..length).map(|n| (n / 64).to_le_bytes()[0] ^ tag).collect::<Vec<_>>().into()
}

/// A layer, the same layer again by another upload, one by sha512, and a manifest.
fn contents() -> Vec<(Digest, Bytes)> {
    [(Algorithm::Sha256, 1, 50_000), (Algorithm::Sha512, 2, 9_000), (Algorithm::Sha256, 3, 500)]
        .map(|(algorithm, tag, length)| {
            let bytes = content(tag, length);
            (digest_of(algorithm, &bytes), bytes)
        })
        .into()
}

/// Pushes all contents; returns those that were acknowledged.
async fn push(model: &Model) -> Vec<Digest> {
    let mut acknowledged = Vec::new();
    let Ok(store) = open(model) else { return acknowledged };
    let contents = contents();
    for (n, (digest, bytes)) in [&contents[0], &contents[0], &contents[1]].into_iter().enumerate() {
        let id = format!("upload-{n}");
        if upload(&store, &id, digest, bytes).await.is_ok() {
            acknowledged.push(digest.clone());
        }
    }
    let (digest, bytes) = &contents[2];
    if store.put(digest, bytes.clone()).await.is_ok() {
        acknowledged.push(digest.clone());
    }
    acknowledged
}

async fn upload(
    store: &Arc<BlobStore>,
    id: &str,
    digest: &Digest,
    bytes: &Bytes,
) -> Result<u64, UploadError> {
    let mut upload = store.create_upload(id, &[digest.algorithm()]).await?;
    for piece in bytes.chunks(7_000) {
        upload.append(Bytes::copy_from_slice(piece)).await?;
    }
    upload.save().await?;
    upload.seal(digest).await
}

/// What a store that was reopened after a cut holds of what it should.
async fn judge(model: &Model, acknowledged: &[Digest]) -> Result<(), String> {
    let store = open(model).map_err(|error| error.to_string())?;
    store.adopt_after_start(Boot::PowerCut).unwrap();
    assert!(store.list_uploads().unwrap().is_empty(), "a staged upload outlived a power cut");
    for (digest, bytes) in contents() {
        let checked = store.check(&digest).await.unwrap();
        if checked == Checked::Damaged {
            return Err(format!("{digest} is there but wrong"));
        }
        if checked == Checked::Absent && acknowledged.contains(&digest) {
            return Err(format!("{digest} was acknowledged and is gone"));
        }
        if checked == Checked::Right {
            assert_eq!(store.read_small(&digest, 100_000).await.unwrap(), bytes);
        }
    }
    Ok(())
}

/// Cuts the power before each step in turn; returns the failures, the cuts, and what was lost.
async fn cut_everywhere(lies: Lies) -> (Vec<String>, usize, Lost) {
    let whole = Model::default();
    assert_eq!(push(&whole).await.len(), 4);
    let steps = whole.disk().steps;
    let (mut failures, mut cuts, mut lost) = (Vec::new(), 0, Lost::default());
    for cut_at in 0..=steps {
        let model = Model::default();
        {
            let mut disk = model.disk();
            disk.cut_at = Some(cut_at);
            disk.lies = lies;
        }
        let acknowledged = push(&model).await;
        for seed in 0..SEEDS {
            let (after, taken) = model.survive(seed);
            lost.pages += taken.pages;
            lost.names += taken.names;
            cuts += 1;
            if let Err(failure) = judge(&after, &acknowledged).await {
                failures.push(format!("cut at {cut_at}, seed {seed}: {failure}"));
            }
        }
    }
    (failures, cuts, lost)
}

#[tokio::test]
async fn a_power_cut_at_any_step_leaves_the_whole_blob_or_none() {
    let (failures, cuts, lost) = cut_everywhere(Lies::Never).await;
    println!("{cuts} cuts, {lost:?}");
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(cuts > 100 && lost.pages > 100 && lost.names > 100, "{cuts} cuts took only {lost:?}");
}

#[tokio::test]
async fn on_a_disk_that_lies_about_syncing_the_same_cuts_lose_blobs() {
    for (lies, ending) in [(Lies::OfFiles, "there but wrong"), (Lies::OfFolders, "is gone")] {
        let (failures, cuts, _) = cut_everywhere(lies).await;
        println!("{lies:?}: {} of {cuts} cuts lost something", failures.len());
        assert!(failures.iter().any(|failure| failure.ends_with(ending)), "{lies:?}");
    }
}

#[tokio::test]
async fn a_full_disk_takes_the_upload_back_to_what_it_held() {
    let model = Model::default();
    let store = open(&model).unwrap();
    let (digest, bytes) = contents().remove(0);
    let mut upload = store.create_upload("full", &[Algorithm::Sha256]).await.unwrap();
    upload.append(bytes.slice(..12_000)).await.unwrap();
    upload.save().await.unwrap();
    model.disk().capacity_bytes = Some(25_000);
    let mut refused = upload.append(bytes.slice(12_000..30_000)).await;
    if refused.is_ok() {
        refused = upload.save().await;
    }
    assert!(matches!(refused, Err(UploadError::NoSpace(_))), "{refused:?}");
    assert_eq!(upload.offset(), 12_000, "what was acknowledged before is still there");
    assert!(matches!(
        store.put(&contents()[2].0, contents()[2].1.clone()).await,
        Err(UploadError::NoSpace(_)) | Ok(_)
    ));
    drop(upload);
    model.disk().capacity_bytes = None;
    let mut upload = store.open_upload("full").await.unwrap();
    assert_eq!(upload.offset(), 12_000);
    upload.append(bytes.slice(12_000..)).await.unwrap();
    assert_eq!(upload.seal(&digest).await.unwrap(), bytes.len() as u64);
    assert_eq!(store.check(&digest).await.unwrap(), Checked::Right);
}

#[tokio::test]
async fn after_a_failed_sync_the_upload_is_gone_and_no_blob_exists() {
    let model = Model::default();
    let store = open(&model).unwrap();
    let (digest, bytes) = contents().remove(0);
    let mut upload = store.create_upload("lost", &[Algorithm::Sha256]).await.unwrap();
    upload.append(bytes.clone()).await.unwrap();
    model.disk().fail_sync = true;
    assert!(matches!(upload.seal(&digest).await, Err(UploadError::Io(_))));
    assert_eq!(store.size_of(&digest).unwrap(), None);
    assert!(matches!(store.open_upload("lost").await, Err(UploadError::Unknown)));
    model.disk().fail_sync = true;
    assert!(matches!(store.put(&digest, bytes).await, Err(UploadError::Io(_))));
    assert_eq!(store.size_of(&digest).unwrap(), None);
}

#[tokio::test]
async fn a_disk_that_rots_is_found_out_when_the_last_check_is_old() {
    let model = Model::default();
    let now = Arc::new(std::sync::atomic::AtomicU64::new(5_000));
    let clock = now.clone();
    let now_ms = Arc::new(move || clock.load(std::sync::atomic::Ordering::Relaxed));
    let options = Options { now_ms, check_age_max_ms: 1_000, ..options() };
    let store = BlobStore::open(Path::new(ROOT), Arc::new(model.clone()), options).unwrap();
    let (digest, bytes) = contents().remove(2);
    store.put(&digest, bytes.clone()).await.unwrap();
    let path = store.layout.blob(&digest);
    model.disk().rot(&path, 100);
    // The file looks as it did and was hashed just now: nothing tells.
    assert!(!store.read_whole(&digest).await.unwrap().is_verified());
    now.fetch_add(1_000, std::sync::atomic::Ordering::Relaxed);
    let refused = store.read_small(&digest, 1_000).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::InvalidData);
    assert_eq!(store.damaged(), std::slice::from_ref(&digest));
    store.damage_noted().await;
    assert_eq!(store.size_of(&digest).unwrap(), None, "a damaged blob counts as absent");
    // A new copy takes the name and heals it.
    store.put(&digest, bytes.clone()).await.unwrap();
    assert_eq!(store.read_small(&digest, 1_000).await.unwrap(), bytes);
    assert!(store.damaged().is_empty());
}
