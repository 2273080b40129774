//! Small things that go together.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;

use super::{A, B, SHA256, World, digest_of, noise};
use crate::failure::TransferFailure;
use crate::parcels::PARCEL_BYTES_MAX;

#[tokio::test]
async fn many_small_blobs_are_kept_and_one_that_hashes_otherwise_spoils_no_other() {
    let world = World::new();
    let (a, b) = (world.replica(A).await, world.replica(B).await);
    let bytes = noise(PARCEL_BYTES_MAX);
    let put = |n: usize| {
        let bytes = Bytes::copy_from_slice(&bytes[n..n + n * 150]);
        let claimed = digest_of(if n % 50 == 7 { b"other" } else { &bytes });
        let client = a.client.clone();
        async move { (client.blob_put_small(B, &claimed, bytes, None).await, claimed) }
    };
    for (n, (outcome, digest)) in join_all((0..300).map(put)).await.into_iter().enumerate() {
        if n % 50 == 7 {
            assert_eq!(outcome, Err(TransferFailure::DigestMismatch), "{n}");
            assert_eq!(b.store.size_of(&digest).unwrap(), None, "{n}");
        } else {
            assert_eq!(outcome.unwrap().replica_id, B, "{n}");
            assert_eq!(b.store.size_of(&digest).unwrap(), Some(n as u64 * 150), "{n}");
        }
    }
    // The largest that may go so, and the same one from two senders at once.
    let (digest, whole) = (digest_of(&bytes), Bytes::from(bytes));
    let both = [(); 2].map(|()| a.client.blob_put_small(B, &digest, whole.clone(), None));
    assert!(join_all(both).await.iter().all(Result::is_ok));
    assert!(b.staged().is_empty());
}

#[tokio::test]
async fn uploads_are_announced_together_and_a_small_blob_takes_the_place_of_its_own() {
    let world = World::new();
    let (a, _b) = (world.replica(A).await, world.replica(B).await);
    let names: Vec<String> = (0..200).map(|n| format!("u{n}")).collect();
    let announced = join_all(names.iter().map(|id| a.client.stage_create(B, id, SHA256))).await;
    assert!(announced.iter().all(Result::is_ok));
    let kept = Bytes::from_static(b"hello");
    a.client.blob_put_small(B, &digest_of(&kept), kept, Some("u7")).await.unwrap();
    for id in &names {
        let wanted = if id == "u7" { Err(TransferFailure::UploadUnknown) } else { Ok(0) };
        assert_eq!(a.client.stage_status(B, id).await, wanted, "{id}");
    }
}

#[tokio::test]
async fn a_peer_that_does_not_answer_fails_all_of_them_after_the_same_time() {
    let world = World::new();
    let a = world.replica(A).await;
    let _silent = world.idle(B).await;
    let began = Instant::now();
    let asked = join_all((0..3_000).map(|n| {
        let client = a.client.clone();
        async move { client.stage_create(B, &format!("u{n}"), SHA256).await }
    }));
    let outcomes = tokio::time::timeout(Duration::from_secs(60), asked).await.unwrap();
    assert!(outcomes.iter().all(Result::is_err));
    // There are 47 requests at least: one pair after the other would take 2 s each.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
