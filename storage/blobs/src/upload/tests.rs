//! Uploads: whole, broken off, resumed, contended, and wrong.

use super::*;
use crate::files::DiskFiles;
use crate::store::Options;
use crate::tap::Tapped;
use oci::verifier::digest_of;
use proptest::prelude::*;
use std::path::Path;

const SHA256: [Algorithm; 1] = [Algorithm::Sha256];

fn open(folder: &Path, batch_bytes: usize) -> Arc<BlobStore> {
    let options = Options { batch_bytes, save_every_bytes: 300_000, ..Options::default() };
    BlobStore::open(folder, Arc::new(DiskFiles), options).unwrap()
}

fn content(length: usize) -> Bytes {
    (0..length).map(|n| (n / 253).to_le_bytes()[0]).collect::<Vec<_>>().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_in_pieces_of_any_size_become_the_blob() {
    let bytes = content(2_000_001);
    for (batch, piece) in [(1 << 20, 2_000_001), (400_000, 65_536), (1_000, 999), (300_000, 50_000)]
    {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), batch);
        let both = [Algorithm::Sha256, Algorithm::Sha512];
        for algorithm in both {
            let mut upload = store.create_upload("u", &both).await.unwrap();
            for piece in bytes.chunks(piece) {
                upload.append(bytes.slice_ref(piece)).await.unwrap();
            }
            assert_eq!(upload.offset(), bytes.len() as u64);
            let digest = digest_of(algorithm, &bytes);
            assert_eq!(upload.seal(&digest).await.unwrap(), bytes.len() as u64);
            assert_eq!(store.read_small(&digest, bytes.len()).await.unwrap(), bytes);
            assert!(store.list_uploads().unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn an_empty_upload_is_the_empty_blob() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 1_000);
    let mut upload = store.create_upload("u", &SHA256).await.unwrap();
    upload.append(Bytes::new()).await.unwrap();
    upload.save().await.unwrap();
    assert_eq!(upload.seal(&digest_of(Algorithm::Sha256, b"")).await.unwrap(), 0);
}

#[tokio::test]
async fn a_digest_by_an_algorithm_that_was_not_announced_is_found_by_reading_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 1_000);
    let mut upload = store.create_upload("u", &SHA256).await.unwrap();
    upload.append(content(5_000)).await.unwrap();
    let digest = digest_of(Algorithm::Sha512, &content(5_000));
    assert_eq!(upload.seal(&digest).await.unwrap(), 5_000);
}

#[tokio::test]
async fn wrong_bytes_end_the_upload_and_make_no_blob() {
    for algorithm in Algorithm::ALL {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), 1_000);
        let mut upload = store.create_upload("u", &SHA256).await.unwrap();
        upload.append(content(5_000)).await.unwrap();
        let expected = digest_of(algorithm, b"other");
        match upload.seal(&expected).await {
            Err(UploadError::Mismatch { found, .. }) => {
                assert_eq!(found, digest_of(algorithm, &content(5_000)));
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(store.open_upload("u").await, Err(UploadError::Unknown)));
        assert_eq!(store.list().count(), 0);
    }
}

#[tokio::test]
async fn an_upload_that_is_dropped_in_mid_request_keeps_what_arrived() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 1_000_000);
    let mut upload = store.create_upload("u", &SHA256).await.unwrap();
    upload.append(content(5_000)).await.unwrap();
    drop(upload);
    // Opening waits for the saving in the background.
    let upload = store.open_upload("u").await.unwrap();
    assert_eq!(upload.offset(), 5_000);
    let digest = digest_of(Algorithm::Sha256, &content(5_000));
    assert_eq!(upload.seal(&digest).await.unwrap(), 5_000);
}

/// A second store on the same folder is what a restarted process sees.
#[tokio::test]
async fn after_a_kill_the_upload_goes_on_from_what_the_file_holds() {
    let bytes = content(2_000_000);
    let digest = digest_of(Algorithm::Sha512, &bytes);
    for state in ["saved", "older", "missing", "damaged", "ahead"] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), 1_000);
        let both = [Algorithm::Sha256, Algorithm::Sha512];
        let mut upload = store.create_upload("u", &both).await.unwrap();
        upload.append(bytes.slice(..700_000)).await.unwrap();
        upload.save().await.unwrap();
        let saved = store.layout.upload_state(&UploadId::parse("u").unwrap());
        let data = store.layout.upload_data(&UploadId::parse("u").unwrap());
        let mut offset = 700_000;
        match state {
            "saved" => {}
            "missing" => std::fs::remove_file(saved).unwrap(),
            "damaged" => std::fs::write(saved, b"junk").unwrap(),
            "older" => {
                use std::io::Write as _;
                let mut file = std::fs::OpenOptions::new().append(true).open(data).unwrap();
                file.write_all(&bytes[700_000..800_000]).unwrap();
                offset = 800_000;
            }
            _ => {
                let file = std::fs::OpenOptions::new().write(true).open(data).unwrap();
                file.set_len(600_000).unwrap();
                offset = 600_000;
            }
        }
        let restarted = open(folder.path(), 1_000);
        let mut again = restarted.open_upload("u").await.unwrap();
        assert_eq!(again.offset(), offset, "{state}");
        again.append(bytes.slice(usize::try_from(offset).unwrap()..)).await.unwrap();
        assert_eq!(again.seal(&digest).await.unwrap(), bytes.len() as u64, "{state}");
        assert_eq!(restarted.read_small(&digest, bytes.len()).await.unwrap(), bytes);
    }
}

#[tokio::test]
async fn one_upload_has_one_writer_and_the_next_one_waits() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 1_000);
    let mut first = store.create_upload("u", &SHA256).await.unwrap();
    let mut second = Box::pin(store.open_upload("u"));
    assert!(futures::poll!(second.as_mut()).is_pending());
    first.append(content(10_000)).await.unwrap();
    assert!(futures::poll!(second.as_mut()).is_pending());
    drop(first);
    assert_eq!(second.await.unwrap().offset(), 10_000);
}

#[tokio::test]
async fn a_cancelled_upload_is_gone_and_its_id_may_be_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 1_000);
    let mut upload = store.create_upload("u", &SHA256).await.unwrap();
    upload.append(content(10_000)).await.unwrap();
    upload.cancel().await.unwrap();
    assert!(matches!(store.open_upload("u").await, Err(UploadError::Unknown)));
    assert_eq!(store.create_upload("u", &SHA256).await.unwrap().offset(), 0);
    for id in ["", "..", "a/b"] {
        assert!(store.create_upload(id, &SHA256).await.is_err(), "{id}");
    }
}

#[tokio::test]
async fn an_id_that_is_on_disk_is_started_over_with_its_state() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 1_000);
    let mut old = store.create_upload("u", &[Algorithm::Sha512]).await.unwrap();
    old.append(content(10_000)).await.unwrap();
    old.save().await.unwrap();
    drop(old);
    drop(store.create_upload("u", &SHA256).await.unwrap());
    let mut again = store.open_upload("u").await.unwrap();
    assert_eq!((again.offset(), again.algorithms()), (0, SHA256.to_vec()));
    again.append(content(20_000)).await.unwrap();
    again.seal(&digest_of(Algorithm::Sha256, &content(20_000))).await.unwrap();
}

#[tokio::test]
async fn the_same_blob_from_two_uploads_is_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 1_000);
    let digest = digest_of(Algorithm::Sha256, &content(9_000));
    let mut uploads = Vec::new();
    for id in ["a", "b"] {
        let mut upload = store.create_upload(id, &SHA256).await.unwrap();
        upload.append(content(9_000)).await.unwrap();
        uploads.push(upload.seal(&digest));
    }
    for sealed in futures::future::join_all(uploads).await {
        assert_eq!(sealed.unwrap(), 9_000);
    }
    assert_eq!(store.list().count(), 1);
    assert!(store.list_uploads().unwrap().is_empty());
}

#[tokio::test]
async fn a_tap_sees_the_bytes_and_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 1_000);
    let mut upload = store.create_upload("u", &SHA256).await.unwrap();
    let mut tap = upload.tap(10);
    let digest = digest_of(Algorithm::Sha256, b"abc");
    for piece in [&b"a"[..], b"bc"] {
        upload.append(Bytes::from_static(piece)).await.unwrap();
    }
    upload.seal(&digest).await.unwrap();
    assert_eq!(tap.next().await, Tapped::Bytes(Bytes::from_static(b"a")));
    assert_eq!(tap.next().await, Tapped::Bytes(Bytes::from_static(b"bc")));
    assert_eq!(tap.next().await, Tapped::Sealed);

    let mut upload = store.create_upload("v", &SHA256).await.unwrap();
    let mut tap = upload.tap(10);
    upload.append(Bytes::from_static(b"x")).await.unwrap();
    drop(upload);
    assert!(matches!(tap.next().await, Tapped::Bytes(_)));
    assert_eq!(tap.next().await, Tapped::Lost);
}

/// What a client, a broken connection or a restart may do to an upload.
#[derive(Clone, Debug)]
enum Act {
    Append(usize),
    Save,
    Drop,
    Restart,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0_usize..3_000).prop_map(Act::Append),
        1 => Just(Act::Save),
        1 => Just(Act::Drop),
        1 => Just(Act::Restart),
    ];
    prop::collection::vec(act, 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn whatever_happens_to_an_upload_its_bytes_are_those_that_were_sent(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let mut store = open(folder.path(), 2_000);
            let mut upload = store.create_upload("u", &SHA256).await.unwrap();
            let all = content(60_000);
            let mut sent = 0;
            for act in acts {
                match act {
                    Act::Append(bytes) => {
                        upload.append(all.slice(sent..sent + bytes)).await.unwrap();
                        sent += bytes;
                    }
                    Act::Save => upload.save().await.unwrap(),
                    Act::Drop => {
                        drop(upload);
                        upload = store.open_upload("u").await.unwrap();
                    }
                    Act::Restart => {
                        // A kill in good order: what was saved is there.
                        upload.save().await.unwrap();
                        store = open(folder.path(), 2_000);
                        upload = store.open_upload("u").await.unwrap();
                    }
                }
                assert_eq!(upload.offset(), sent as u64);
            }
            let digest = digest_of(Algorithm::Sha256, &all[..sent]);
            assert_eq!(upload.seal(&digest).await.unwrap(), sent as u64);
            assert_eq!(store.read_small(&digest, sent).await.unwrap(), all[..sent]);
        });
    }
}
