//! Two and three stores that talk over real TLS.

mod owner;
mod together;
mod world;

use std::io;
use std::time::Duration;

use ::blobs::upload::UploadError;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use oci::digest::{Algorithm, Digest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::body::{ByteStream, no_bytes, whole};
use crate::failure::TransferFailure;
use crate::owner::{OwnedUpload, OwnerFailure};

use world::World;

const A: &str = "00000000000a";
const B: &str = "00000000000b";
const C: &str = "00000000000c";
const SHA256: &[Algorithm] = &[Algorithm::Sha256];

fn digest_of(bytes: &[u8]) -> Digest {
    oci::verifier::digest_of(Algorithm::Sha256, bytes)
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(length)
    .collect()
}

fn in_pieces(bytes: &[u8], piece: usize) -> ByteStream {
    let pieces: Vec<_> =
        bytes.chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Box::pin(futures::stream::iter(pieces))
}

/// A body that is sent by hand.
fn by_hand() -> (mpsc::Sender<io::Result<Bytes>>, ByteStream) {
    let (hand, pieces) = mpsc::channel(4);
    let stream = futures::stream::unfold(pieces, |mut pieces| async move {
        Some((pieces.recv().await?, pieces))
    });
    (hand, Box::pin(stream))
}

async fn bytes_of(stream: ByteStream) -> io::Result<Vec<u8>> {
    let pieces: Vec<Bytes> = stream.try_collect().await?;
    Ok(pieces.concat())
}

#[tokio::test]
async fn an_upload_staged_in_pieces_becomes_a_blob_with_a_receipt() {
    let world = World::new();
    let (a, b) = (world.replica(A).await, world.replica(B).await);
    let bytes = noise(3_000_000);
    a.client.stage_create(B, "u1", SHA256).await.unwrap();
    let mut offset = 0;
    for piece in bytes.chunks(1_100_000) {
        offset =
            a.client.stage_append(B, "u1", offset, None, in_pieces(piece, 65_536)).await.unwrap();
        assert_eq!(a.client.stage_status(B, "u1").await.unwrap(), offset);
    }
    let digest = digest_of(&bytes);
    let receipt = a.client.stage_seal(B, "u1", &digest).await.unwrap();
    assert_eq!((receipt.replica_id.as_str(), receipt.applied_index), (B, 42));
    assert_eq!(b.store.size_of(&digest).unwrap(), Some(3_000_000));
    assert!(b.staged().is_empty());
    // The answer was lost: asked again, it is the same.
    assert_eq!(a.client.stage_seal(B, "u1", &digest).await.unwrap(), receipt);
    assert_eq!(a.client.blob_receipt(B, &digest).await.unwrap(), receipt);
}

#[tokio::test]
async fn a_piece_that_begins_elsewhere_learns_the_true_offset_and_changes_nothing() {
    let world = World::new();
    let (a, _b) = (world.replica(A).await, world.replica(B).await);
    a.client.stage_create(B, "u1", SHA256).await.unwrap();
    a.client.stage_append(B, "u1", 0, None, whole(Bytes::from_static(b"hello"))).await.unwrap();
    for wrong in [0, 4, 6, 1000] {
        // A body longer than any buffer: the answer must come through all the same.
        let body = in_pieces(&noise(2_000_000), 65_536);
        let failure = a.client.stage_append(B, "u1", wrong, None, body).await.unwrap_err();
        assert_eq!(failure, TransferFailure::OffsetMismatch { offset: 5 }, "at {wrong}");
    }
    let rest = whole(Bytes::from_static(b" world"));
    assert_eq!(a.client.stage_append(B, "u1", 5, None, rest).await.unwrap(), 11);
    a.client.stage_seal(B, "u1", &digest_of(b"hello world")).await.unwrap();
}

#[tokio::test]
async fn what_is_not_there_is_told_from_what_failed() {
    let world = World::new();
    let (a, b) = (world.replica(A).await, world.replica(B).await);
    let absent = digest_of(b"absent");
    let unknown = Err(TransferFailure::UploadUnknown);
    assert_eq!(a.client.stage_append(B, "no", 0, None, no_bytes()).await, unknown.clone());
    assert_eq!(a.client.stage_status(B, "no").await, unknown);
    assert_eq!(a.client.stage_seal(B, "no", &absent).await, Err(TransferFailure::UploadUnknown));
    assert_eq!(a.client.stage_cancel(B, "no").await, Ok(()));
    assert_eq!(a.client.blob_size(B, &absent).await, Ok(None));
    assert_eq!(a.client.blob_receipt(B, &absent).await, Err(TransferFailure::BlobUnknown));
    let read = a.client.blob_read(B, &absent, 0..5).await.err();
    assert_eq!(read, Some(TransferFailure::BlobUnknown));
    let pulled = a.client.blob_pull(B, &absent, A).await;
    assert_eq!(pulled, Err(TransferFailure::BlobUnknown));
    let failure = a.client.stage_create(B, "../../etc", SHA256).await.unwrap_err();
    assert!(!matches!(failure, TransferFailure::Unreachable { .. }), "{failure}");
    let failure = a.client.blob_size(C, &absent).await.unwrap_err();
    assert!(matches!(failure, TransferFailure::Unreachable { .. }), "{failure}");
    assert!(failure.to_string().contains("nobody has that id"), "{failure}");
    assert!(b.staged().is_empty());
}

#[tokio::test]
async fn bytes_that_hash_otherwise_are_not_sealed_and_not_kept() {
    let world = World::new();
    let (a, b) = (world.replica(A).await, world.replica(B).await);
    a.client.stage_create(B, "u1", SHA256).await.unwrap();
    a.client.stage_append(B, "u1", 0, None, whole(Bytes::from_static(b"hello"))).await.unwrap();
    let other = digest_of(b"other");
    let failure = a.client.stage_seal(B, "u1", &other).await.unwrap_err();
    assert_eq!(failure, TransferFailure::DigestMismatch);
    let body = whole(Bytes::from_static(b"hello"));
    let failure = a.client.blob_put(B, &other, 5, None, body).await.unwrap_err();
    assert_eq!(failure, TransferFailure::DigestMismatch);
    assert_eq!(b.store.size_of(&other).unwrap(), None);
    assert!(b.staged().is_empty());
}

#[tokio::test]
async fn a_body_that_breaks_keeps_what_arrived() {
    let world = World::new();
    let (a, _b) = (world.replica(A).await, world.replica(B).await);
    a.client.stage_create(B, "u1", SHA256).await.unwrap();
    let bytes = noise(500_000);
    let broken = in_pieces(&bytes[..300_000], 50_000)
        .chain(futures::stream::once(async { Err(io::Error::other("the client hung up")) }));
    let failure = a.client.stage_append(B, "u1", 0, None, Box::pin(broken)).await.unwrap_err();
    let TransferFailure::Source { cause } = failure else { panic!("{failure}") };
    assert!(cause.contains("hung up"), "{cause}");
    // What the source gave before it failed may have stayed in a buffer here; never more arrived.
    let offset = a.client.stage_status(B, "u1").await.unwrap();
    assert!(offset <= 300_000, "{offset}");
    let rest = in_pieces(&bytes[usize::try_from(offset).unwrap()..], 50_000);
    assert_eq!(a.client.stage_append(B, "u1", offset, None, rest).await.unwrap(), 500_000);
    a.client.stage_seal(B, "u1", &digest_of(&bytes)).await.unwrap();
}

#[tokio::test]
async fn an_upload_costs_no_file_before_its_first_byte_and_the_first_byte_may_begin_it() {
    let world = World::new();
    let (a, b) = (world.replica(A).await, world.replica(B).await);
    a.client.stage_create(B, "u1", SHA256).await.unwrap();
    assert!(b.staged().is_empty());
    // A blob that came at one stroke takes its place.
    let (digest, body) = (digest_of(b"hello"), whole(Bytes::from_static(b"hello")));
    a.client.blob_put(B, &digest, 5, Some("u1"), body).await.unwrap();
    assert_eq!(a.client.stage_status(B, "u1").await, Err(TransferFailure::UploadUnknown));
    // One whose size is not the announced one is not kept.
    let body = whole(Bytes::from_static(b"hello you"));
    let failure = a.client.blob_put(B, &digest_of(b"hello you"), 5, None, body).await.unwrap_err();
    assert_eq!(failure, TransferFailure::BodyBroken { offset: 0 });
    assert_eq!(b.store.size_of(&digest_of(b"hello you")).unwrap(), None);
    // Another was never told of, and begins with its first bytes; only at the beginning.
    let bytes = || whole(Bytes::from_static(b"hello"));
    let late = a.client.stage_append(B, "u2", 1, Some(SHA256), bytes()).await;
    assert_eq!(late, Err(TransferFailure::UploadUnknown));
    assert_eq!(a.client.stage_append(B, "u2", 0, Some(SHA256), bytes()).await, Ok(5));
    a.client.stage_seal(B, "u2", &digest).await.unwrap();
    assert!(b.staged().is_empty());
}

#[tokio::test]
async fn a_later_request_takes_the_place_of_one_that_hangs() {
    let world = World::new();
    let (a, _b) = (world.replica(A).await, world.replica(B).await);
    a.client.stage_create(B, "u1", SHA256).await.unwrap();
    let (hand, body) = by_hand();
    let client = a.client.clone();
    let hanging = tokio::spawn(async move { client.stage_append(B, "u1", 0, None, body).await });
    hand.send(Ok(Bytes::from_static(b"hello"))).await.unwrap();
    // The first bytes are on their way; asking where the upload stands ends the hanging append.
    let mut offset = 0;
    for _ in 0..1000 {
        offset = a.client.stage_status(B, "u1").await.unwrap();
        if offset == 5 || hanging.is_finished() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ended = hanging.await.unwrap().unwrap_err();
    assert_eq!(ended, TransferFailure::Superseded { offset });
    let rest = &b"hello"[usize::try_from(offset).unwrap()..];
    let rest = whole(Bytes::copy_from_slice(rest));
    assert_eq!(a.client.stage_append(B, "u1", offset, None, rest).await.unwrap(), 5);
}

#[tokio::test]
async fn a_blob_is_read_whole_in_ranges_and_beyond_its_end() {
    let world = World::new();
    let (a, b) = (world.replica(A).await, world.replica(B).await);
    let bytes = noise(1_500_000);
    let digest = b.keep(&bytes).await;
    let empty = b.keep(b"").await;
    assert_eq!(a.client.blob_size(B, &digest).await, Ok(Some(1_500_000)));
    let cases =
        [(0, 1_500_000), (0, u64::MAX), (0, 1), (700_000, 1_200_000), (1_499_999, 1_500_000)];
    for (from, to) in cases {
        let (size, stream) = a.client.blob_read(B, &digest, from..to).await.unwrap();
        assert_eq!(size, 1_500_000);
        let expected =
            &bytes[usize::try_from(from).unwrap()..usize::try_from(to.min(size)).unwrap()];
        assert!(bytes_of(stream).await.unwrap() == expected, "{from}..{to}");
    }
    let (size, stream) = a.client.blob_read(B, &empty, 0..u64::MAX).await.unwrap();
    assert_eq!((size, bytes_of(stream).await.unwrap().len()), (0, 0));
    let outside = a.client.blob_read(B, &digest, 1_500_001..1_500_002).await.err();
    assert_eq!(outside, Some(TransferFailure::RangeInvalid { size_bytes: 1_500_000 }));
}

#[tokio::test]
async fn a_replica_fetches_a_copy_when_it_is_told_to() {
    let world = World::new();
    let (a, b) = (world.replica(A).await, world.replica(B).await);
    let c = world.replica(C).await;
    let bytes = noise(2_000_000);
    let digest = b.keep(&bytes).await;
    // Two ask at once; the third copy comes from the second holder.
    let (one, two) =
        tokio::join!(a.client.blob_pull(C, &digest, B), b.client.blob_pull(C, &digest, B),);
    assert_eq!((one.unwrap().replica_id.as_str(), two.unwrap().replica_id.as_str()), (C, C));
    assert_eq!(c.store.size_of(&digest).unwrap(), Some(2_000_000));
    b.break_connections();
    // It is there already, so that it does not matter whether the source answers.
    assert_eq!(a.client.blob_pull(C, &digest, "00000000000d").await.unwrap().replica_id, C);
    let receipt =
        a.client.blob_put(A, &digest_of(b"x"), 1, None, whole(Bytes::from_static(b"x"))).await;
    assert_eq!(receipt.unwrap().replica_id, A);
    assert!(c.staged().is_empty());
}

#[tokio::test]
async fn a_holder_with_rotten_bytes_does_not_spread_them() {
    let world = World::new();
    let (a, b) = (world.replica(A).await, world.replica(B).await);
    let c = world.replica(C).await;
    let bytes = noise(400_000);
    let digest = b.keep(&bytes).await;
    let mut rotten = bytes.clone();
    rotten[200_000] ^= 1;
    let file = b.file(&digest);
    let mut permissions = std::fs::metadata(&file).unwrap().permissions();
    #[allow(clippy::permissions_set_readonly_false)]
    permissions.set_readonly(false);
    std::fs::set_permissions(&file, permissions).unwrap();
    std::fs::write(&file, &rotten).unwrap();
    let failure = a.client.blob_pull(C, &digest, B).await.unwrap_err();
    // Either the holder noticed it itself and cut the connection, or the reader did.
    assert!(
        matches!(failure, TransferFailure::DigestMismatch | TransferFailure::Unreachable { .. }),
        "{failure}"
    );
    assert_eq!(c.store.size_of(&digest).unwrap(), None);
    assert!(c.staged().is_empty());
}

#[tokio::test]
async fn a_peer_that_dies_while_it_sends_ends_the_stream_in_an_error() {
    let world = World::new();
    let (a, b) = (world.replica(A).await, world.replica(B).await);
    let digest = b.keep(&noise(30_000_000)).await;
    let (_, mut stream) = a.client.blob_read(B, &digest, 0..u64::MAX).await.unwrap();
    let mut received = stream.next().await.unwrap().unwrap().len();
    b.break_connections();
    let ended = loop {
        match stream.next().await {
            Some(Ok(piece)) => received += piece.len(),
            ended => break ended,
        }
    };
    assert!(matches!(ended, Some(Err(_))), "after {received} bytes");
    assert!(received < 30_000_000);
    // The pool does not hand out the broken connection again.
    assert_eq!(a.client.blob_size(B, &digest).await, Ok(Some(30_000_000)));
}

#[tokio::test]
async fn a_peer_that_dies_while_it_takes_leaves_what_arrived() {
    let world = World::new();
    let (a, b) = (world.replica(A).await, world.replica(B).await);
    a.client.stage_create(B, "u1", SHA256).await.unwrap();
    let (hand, body) = by_hand();
    let client = a.client.clone();
    let sending = tokio::spawn(async move { client.stage_append(B, "u1", 0, None, body).await });
    for _ in 0..8 {
        hand.send(Ok(vec![7; 100_000].into())).await.unwrap();
    }
    b.break_connections();
    // The source may go on for a moment; the append ends all the same.
    while !sending.is_finished() {
        let _ =
            tokio::time::timeout(Duration::from_millis(50), hand.send(Ok(vec![7; 100_000].into())))
                .await;
    }
    let failure = sending.await.unwrap().unwrap_err();
    assert!(matches!(failure, TransferFailure::Unreachable { .. }), "{failure}");
    let offset = a.client.stage_status(B, "u1").await.unwrap();
    assert_eq!(offset % 100_000, 0, "whole pieces were taken");
    match b.store.open_upload("u1").await {
        Ok(upload) => assert_eq!(upload.offset(), offset),
        Err(UploadError::Unknown) => panic!("the upload is gone"),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_peer_that_stands_still_is_given_up() {
    let world = World::new();
    let (a, b) = (world.replica(A).await, world.idle(B).await);
    let digest = digest_of(b"x");
    let silent = async {
        let mut stream = b.accept().await;
        // It takes the request, and then nothing: no byte, and no end either.
        let mut taken = [0; 1024];
        let _ = stream.read(&mut taken).await;
        stream
    };
    let (asked, _stream) = tokio::join!(a.client.blob_size(B, &digest), silent);
    let failure = asked.unwrap_err();
    assert!(failure.to_string().contains("stood still for 2 s"), "{failure}");

    let half = async {
        let mut stream = b.accept().await;
        let mut taken = [0; 1024];
        let _ = stream.read(&mut taken).await;
        let head = b"HTTP/1.1 206 Partial Content\r\ncontent-length: 10\r\n\
                     content-range: bytes 0-9/10\r\n\r\nabc";
        stream.write_all(head).await.unwrap();
        stream.flush().await.unwrap();
        stream
    };
    let (read, _stream) = tokio::join!(a.client.blob_read(B, &digest, 0..10), half);
    let (size, stream) = read.unwrap();
    assert_eq!(size, 10);
    let error = bytes_of(stream).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
}

#[tokio::test]
async fn a_slow_source_is_no_slow_peer() {
    let world = World::new();
    let (a, _b) = (world.replica(A).await, world.replica(B).await);
    a.client.stage_create(B, "u1", SHA256).await.unwrap();
    let (hand, body) = by_hand();
    let slow = async {
        hand.send(Ok(Bytes::from_static(b"hello"))).await.unwrap();
        // Longer than a peer may stand still in these tests.
        tokio::time::sleep(Duration::from_millis(2600)).await;
        hand.send(Ok(Bytes::from_static(b" world"))).await.unwrap();
        drop(hand);
    };
    let (offset, ()) = tokio::join!(a.client.stage_append(B, "u1", 0, None, body), slow);
    assert_eq!(offset.unwrap(), 11);
}

#[tokio::test]
async fn requests_on_an_upload_reach_its_owner_and_its_answers_come_back() {
    let world = World::new();
    let (a, b) = (world.replica(A).await, world.replica(B).await);
    let upload = |id: &str| OwnedUpload {
        id: id.to_owned(),
        repository: "team/app".to_owned(),
        account: "jörg".to_owned(),
        voucher: vec![0, 255, b'v'],
        origin: vec![1, 0, 255],
    };
    let (known, other) = (upload("known"), upload("other"));
    let hello = || whole(Bytes::from_static(b"hello"));
    let digest = digest_of(b"hello");
    let anew = OwnedUpload { id: String::new(), ..known.clone() };
    assert_eq!(a.client.owner_open(B, &anew, &Algorithm::ALL).await, Ok("known".to_owned()));
    let nobody = OwnedUpload { account: String::new(), ..anew };
    let refused = a.client.owner_open(B, &nobody, SHA256).await;
    assert_eq!(refused, Err(OwnerFailure::NoRoom));
    assert_eq!(a.client.owner_append(B, &known, Some(2), hello()).await, Ok(7));
    assert_eq!(a.client.owner_append(B, &known, None, hello()).await, Ok(5));
    assert_eq!(a.client.owner_status(B, &known).await, Ok(5));
    assert_eq!(a.client.owner_finish(B, &known, None, hello(), &digest).await, Ok(5));
    assert_eq!(a.client.owner_cancel(B, &known).await, Ok(()));
    let refused = OwnerFailure::Refused { refusal: vec![1, 2, 3] };
    assert_eq!(a.client.owner_finish(B, &known, None, no_bytes(), &digest).await, Err(refused));
    let elsewhere = OwnerFailure::OffsetMismatch { offset: 3 };
    let long = in_pieces(&noise(2_000_000), 65_536);
    assert_eq!(a.client.owner_append(B, &known, Some(9), long).await, Err(elsewhere));
    assert_eq!(a.client.owner_status(B, &other).await, Err(OwnerFailure::UploadUnknown));
    let failure = a.client.owner_status(C, &known).await.unwrap_err();
    assert!(matches!(failure, OwnerFailure::Unreachable { .. }), "{failure}");
    let asked = b.owner.asked.lock().unwrap().clone();
    assert_eq!(asked[0], "open  team/app jörg [Sha256, Sha512]");
    assert_eq!(asked[2], "append known team/app jörg Some(2)");
    assert_eq!(asked[5], format!("finish known team/app jörg None {digest}"));
}
