//! What idle connections cost in memory.

use std::time::Duration;

use chaos_tests::cluster::Cluster;
use chaos_tests::length::Length;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;
use wire::client_tls::{ClientTls, Trust};
use wire::stream::BoxStream;

use crate::by_hand::connect;
use crate::frames::Http2;
use crate::with_limits;

/// Bytes that an idle connection may cost: 200 MiB for 10,000 without TLS, 400 MiB with it.
const PLAIN_BYTES_MAX: u64 = 20_971;
const TLS_BYTES_MAX: u64 = 41_943;
/// Descriptors that both sides need beyond those of the connections.
const DESCRIPTORS_BESIDE: u64 = 1_000;
const PING: &[u8] = b"GET /_ping HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Raises the limit of descriptors, which replicas started from here inherit; how many connections
/// that allows, at most as many as asked for.
fn connections(wished: usize) -> usize {
    let needed = 2 * wished as u64 + DESCRIPTORS_BESIDE;
    let limit = getrlimit(Resource::Nofile);
    let wider = Rlimit {
        current: Some(needed.max(limit.current.unwrap_or(u64::MAX))),
        maximum: Some(needed.max(limit.maximum.unwrap_or(u64::MAX))),
    };
    let hard = limit.maximum.unwrap_or(u64::MAX);
    let raised = setrlimit(Resource::Nofile, wider).is_ok();
    if !raised {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(hard), maximum: Some(hard) });
    }
    let allowed = if raised { needed.max(hard) } else { hard };
    let allowed = allowed.saturating_sub(DESCRIPTORS_BESIDE) / 2;
    wished.min(usize::try_from(allowed).unwrap())
}

async fn ask(stream: &mut BoxStream) {
    stream.write_all(PING).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\"Healthy\":true}") {
        answer.push(stream.read_u8().await.unwrap());
    }
}

async fn plain(cluster: &Cluster) -> BoxStream {
    let mut stream: BoxStream = Box::new(connect(&cluster.replicas[0].http).await);
    ask(&mut stream).await;
    stream
}

async fn secure(cluster: &Cluster, tls: &ClientTls) -> BoxStream {
    let stream = Box::new(connect(&cluster.replicas[0].url).await);
    let mut stream = tls.connect(stream, "localhost").await.unwrap();
    ask(&mut stream).await;
    stream
}

async fn http2(cluster: &Cluster) -> Http2 {
    let mut http2 = Http2::open(&cluster.replicas[0].http, &[]).await;
    http2.request(1, ("GET", "/_ping"), &[], true).await;
    http2.body(1).await;
    http2
}

/// Opens connections, lets them idle, and compares the replica's memory.
async fn cost<T>(cluster: &Cluster, count: usize, open: impl AsyncFn() -> T) -> u64 {
    // What the first ones cost belongs to the replica: threads, tables, free lists.
    let mut held = Vec::new();
    for _ in 0..50 {
        held.push(open().await);
    }
    sleep(Duration::from_secs(2)).await;
    let before = cluster.replicas[0].memory_bytes("RssAnon").unwrap();
    for _ in 0..count - held.len() {
        held.push(open().await);
    }
    sleep(Duration::from_secs(2)).await;
    let after = cluster.replicas[0].memory_bytes("RssAnon").unwrap();
    (after.saturating_sub(before)) / (count - 50) as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_costs_little() {
    let count = connections(usize::try_from(Length::of_this_run().connections).unwrap());
    let cases =
        [("HTTP/1.1", PLAIN_BYTES_MAX), ("HTTP/1.1 over TLS", TLS_BYTES_MAX), ("HTTP/2", 0)];
    for (name, bytes_max) in cases {
        let lines = format!("connections_max = {}\nconnection_idle_max_s = 600", count + 100);
        let cluster = with_limits(1, &lines).await;
        let tls = ClientTls::new(&Trust::None).unwrap();
        let bytes = match name {
            "HTTP/1.1" => cost(&cluster, count, async || plain(&cluster).await).await,
            "HTTP/2" => cost(&cluster, count, async || http2(&cluster).await).await,
            _ => cost(&cluster, count, async || secure(&cluster, &tls).await).await,
        };
        println!("{count} idle connections, {name}: {bytes} bytes each");
        assert!(bytes_max == 0 || bytes <= bytes_max, "{name}: {bytes} bytes each");
    }
}
