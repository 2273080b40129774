//! The store on a real disk.

use super::*;
use crate::files::DiskFiles;

fn open(folder: &Path) -> Arc<BlobStore> {
    BlobStore::open(folder, Arc::new(DiskFiles), Options::default()).unwrap()
}

fn named(algorithm: Algorithm, bytes: &'static [u8]) -> (Digest, Bytes) {
    (digest_of(algorithm, bytes), Bytes::from_static(bytes))
}

#[tokio::test]
async fn a_blob_is_there_from_put_to_remove() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (digest, bytes) = named(Algorithm::Sha256, b"some bytes");
    assert_eq!(store.size_of(&digest).unwrap(), None);
    assert_eq!(store.put(&digest, bytes.clone()).await.unwrap(), 10);
    assert_eq!(store.size_of(&digest).unwrap(), Some(10));
    assert_eq!(store.put(&digest, bytes).await.unwrap(), 10, "again is no error");
    let locked = store.lock(&digest).await;
    assert!(store.remove(&locked).await.unwrap());
    assert!(!store.remove(&locked).await.unwrap());
    assert_eq!(store.size_of(&digest).unwrap(), None);
    assert!(store.free_bytes().unwrap() > 0);
}

#[tokio::test]
async fn bytes_under_a_wrong_name_are_refused_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (digest, _) = named(Algorithm::Sha256, b"a");
    let refused = store.put(&digest, Bytes::from_static(b"b")).await;
    assert!(matches!(refused, Err(UploadError::Mismatch { .. })), "{refused:?}");
    assert_eq!(store.list().count(), 0);
    assert!(store.files.list(&store.layout.staging()).unwrap().is_empty());
}

#[tokio::test]
async fn every_blob_is_listed_and_other_files_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut expected = Vec::new();
    for n in 0..40_u8 {
        let bytes = Bytes::from(vec![n; usize::from(n)]);
        for algorithm in Algorithm::ALL {
            let digest = digest_of(algorithm, &bytes);
            store.put(&digest, bytes.clone()).await.unwrap();
            expected.push((digest, u64::from(n)));
        }
    }
    expected.sort();
    let strange = store.layout.blob_folder(&expected[0].0).join("README");
    std::fs::write(strange, "x").unwrap();
    std::fs::write(store.layout.algorithm(Algorithm::Sha256).join("stray"), "x").unwrap();
    let found: io::Result<Vec<_>> = store.list().collect();
    assert_eq!(found.unwrap(), expected);
}

#[tokio::test]
async fn a_start_removes_what_was_on_its_way_in() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("staging")).unwrap();
    std::fs::write(folder.path().join("staging/17"), "half").unwrap();
    let store = open(folder.path());
    assert!(store.files.list(&store.layout.staging()).unwrap().is_empty());
}

#[tokio::test]
async fn a_damaged_file_under_the_name_is_replaced_by_the_next_copy() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (digest, bytes) = named(Algorithm::Sha512, b"right");
    std::fs::create_dir_all(store.layout.blob_folder(&digest)).unwrap();
    std::fs::write(store.layout.blob(&digest), b"wrong").unwrap();
    store.put(&digest, bytes.clone()).await.unwrap();
    assert_eq!(store.read_small(&digest, 100).await.unwrap(), bytes);
}
