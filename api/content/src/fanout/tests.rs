//! Lanes to peers that take bytes, that stand still, and that are not there.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use metadata::replica::{MemberNumber, ReplicaId};
use oci::digest::Algorithm;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use transfer::client::{Client, Limits};
use transfer::peer_dial::PeerDial;
use wire::stream::BoxStream;

use super::{Bounds, Fanout, Lanes};
use crate::upload_id::UploadId;

const TAKING: u64 = 1;
const STUCK: u64 = 2;
const LAGGARD_STALL_MAX: Duration = Duration::from_millis(300);

fn id(number: u64) -> ReplicaId {
    ReplicaId::from_u64(number).unwrap()
}

/// Peers by id: one takes everything, one takes nothing, all others refuse.
#[derive(Default)]
struct Peers {
    stuck: Mutex<Vec<DuplexStream>>,
}

#[async_trait]
impl PeerDial for Peers {
    async fn dial(&self, replica_id: &str) -> io::Result<BoxStream> {
        let (ours, theirs) = duplex(64 * 1024);
        match ReplicaId::parse(replica_id).map(ReplicaId::as_u64) {
            Ok(TAKING) => drop(tokio::spawn(take_all(theirs))),
            Ok(STUCK) => self.stuck.lock().unwrap().push(theirs),
            _ => return Err(io::ErrorKind::ConnectionRefused.into()),
        }
        Ok(Box::new(ours))
    }
}

/// Reads one request with a chunked body and answers with the number of its bytes.
async fn take_all(stream: DuplexStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).await?;
    }
    let mut taken = 0;
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let length = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
        let mut chunk = vec![0; length + 2];
        stream.read_exact(&mut chunk).await?;
        if length == 0 {
            break;
        }
        taken += length;
    }
    let body = format!("{{\"done\":{taken}}}");
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await?;
    // Until the client has read it.
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}

/// Sends 8 MiB to `replicas`; returns who has all of it, and how long that took.
async fn send(replicas: &[u64], needed: usize) -> (Vec<ReplicaId>, Duration) {
    let client = Client::new(Arc::new(Peers::default()), Limits::default());
    let replicas: Vec<ReplicaId> = replicas.iter().map(|number| id(*number)).collect();
    let upload = UploadId::new(MemberNumber(1), None, [1; 12]);
    let algorithms = &[Algorithm::Sha256];
    let lanes = Lanes { id: &upload, offset: 0, replicas: &replicas, needed, algorithms };
    let bounds = Bounds {
        in_flight: Arc::new(Semaphore::new(32 * 1024)),
        needed_stall_max: Duration::from_secs(2),
        laggard_stall_max: LAGGARD_STALL_MAX,
    };
    let began = Instant::now();
    let mut fanout = Fanout::open(&client, &lanes, bounds.clone());
    for _ in 0..64 {
        fanout.send(Bytes::from(vec![7; 128 * 1024])).await;
    }
    let complete = fanout.close(64 * 128 * 1024).await;
    let took = began.elapsed();
    let all_shares =
        tokio::time::timeout(Duration::from_secs(5), bounds.in_flight.acquire_many(32 * 1024));
    assert!(all_shares.await.is_ok(), "every share is given back");
    (complete, took)
}

#[tokio::test]
async fn a_holder_that_takes_everything_is_complete() {
    let (complete, _) = send(&[TAKING], 1).await;
    assert_eq!(complete, [id(TAKING)]);
}

#[tokio::test]
async fn one_that_stands_still_beyond_the_quorum_costs_little_and_is_left_behind() {
    let (complete, took) = send(&[STUCK, TAKING], 1).await;
    assert_eq!(complete, [id(TAKING)]);
    assert!(took >= LAGGARD_STALL_MAX && took < LAGGARD_STALL_MAX * 5, "{took:?}");
}

#[tokio::test]
async fn one_that_is_needed_is_waited_for_longer_and_then_given_up() {
    let (complete, took) = send(&[STUCK], 1).await;
    assert_eq!(complete, []);
    assert!(took >= Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn one_that_is_not_there_costs_nothing() {
    let (complete, took) = send(&[3, TAKING], 1).await;
    assert_eq!(complete, [id(TAKING)]);
    assert!(took < LAGGARD_STALL_MAX, "{took:?}");
}
