//! Floods over HTTP/2: requests given up at once, pings, settings, tiny pieces of a body.

use std::time::{Duration, Instant};

use chaos_tests::cluster::Cluster;
use reqwest::Method;
use tokio::time::sleep;

use crate::frames::{Came, Http2, PING, RESET, SETTINGS, WINDOW_UPDATE};
use crate::{REPOSITORY, Said, with_limits};

const REFUSED_STREAM: u32 = 7;
const CANCEL: [u8; 4] = 8_u32.to_be_bytes();

/// An upload's path and the header that lets in to it.
pub(crate) async fn upload(cluster: &Cluster) -> (String, String) {
    let scope = format!("repository:{REPOSITORY}:pull,push,delete");
    let token = cluster.registry.token(0, &scope).await.unwrap();
    let path = format!("/v2/{REPOSITORY}/blobs/uploads/");
    let answer = cluster.registry.basic(0, Method::POST, &path).send().await.unwrap();
    let place = answer.headers()["location"].to_str().unwrap().to_owned();
    (place, format!("Bearer {token}"))
}

/// An ordinary request over another connection is answered at once.
async fn assert_well(cluster: &Cluster) {
    let begun = Instant::now();
    let said = Said::of(cluster.registry.bare(0, Method::GET, "/v2/")).await;
    assert_eq!(said.status, 401);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_given_up_at_once_end_their_connection_and_harm_no_other() {
    let cluster = with_limits(1, "").await;
    let http = &cluster.replicas[0].http;
    let mut some = Http2::open(http, &[]).await;
    for number in 0..100 {
        some.request(2 * number + 1, ("GET", "/v2/_catalog"), &[], true).await;
        let _ = some.send(RESET, 0, 2 * number + 1, &CANCEL).await;
        // A client that changes its mind now and then: the replica sees each request first.
        some.flush().await;
        sleep(Duration::from_millis(5)).await;
    }
    some.request(1_001, ("GET", "/v2/"), &[], true).await;
    assert_eq!(some.outcome(1_001).await, Came::Status(401, true), "a hundred are nothing");

    let mut floods = Vec::new();
    for _ in 0..4 {
        let mut flood = Http2::open(http, &[]).await;
        for number in 0..5_000 {
            flood.request(2 * number + 1, ("GET", "/v2/_catalog"), &[], true).await;
            let _ = flood.send(RESET, 0, 2 * number + 1, &CANCEL).await;
        }
        flood.flush().await;
        floods.push(flood);
    }
    assert_well(&cluster).await;
    for mut flood in floods {
        let begun = Instant::now();
        flood.closed().await;
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
    assert_well(&cluster).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_and_settings_are_answered_but_not_without_end() {
    let cluster = with_limits(1, "").await;
    let http = &cluster.replicas[0].http;
    for (name, kind, payload) in [("pings", PING, &[7; 8][..]), ("settings", SETTINGS, &[])] {
        let mut http2 = Http2::open(http, &[]).await;
        for _ in 0..1_000 {
            let _ = http2.send(kind, 0, 0, payload).await;
        }
        http2.request(1, ("GET", "/v2/"), &[], true).await;
        assert_eq!(http2.outcome(1).await, Came::Status(401, true), "a thousand {name}");
        for _ in 0..50_000 {
            let _ = http2.send(kind, 0, 0, payload).await;
        }
        http2.flush().await;
        http2.closed().await;
        assert_well(&cluster).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_requests_at_once_and_one_more_is_refused() {
    let cluster = with_limits(1, "").await;
    let (place, bearer) = upload(&cluster).await;
    let mut http2 = Http2::open(&cluster.replicas[0].http, &[]).await;
    // Their bodies do not end, so neither do they.
    for number in 0..251 {
        let headers = [("authorization", bearer.as_str())];
        http2.request(2 * number + 1, ("PATCH", &place), &headers, false).await;
    }
    assert_eq!(http2.outcome(501).await, Came::Reset(REFUSED_STREAM));
}

/// Sends one byte a frame, as many as are given, and the end; how the replica answers.
async fn byte_by_byte(cluster: &Cluster, count: usize, pause: Option<Duration>) -> Came {
    let (place, bearer) = upload(cluster).await;
    let headers = [("authorization", bearer.as_str())];
    let mut http2 = Http2::open(&cluster.replicas[0].http, &[]).await;
    if pause.is_none() {
        // An earlier request on the same upload is given five seconds to end: so long nothing of
        // the later one is read.
        http2.request(1, ("PATCH", &place), &headers, false).await;
        http2.data(1, b"f", false).await;
        http2.flush().await;
        sleep(Duration::from_millis(300)).await;
    }
    http2.request(3, ("PATCH", &place), &headers, false).await;
    for _ in 0..count {
        http2.data(3, b"b", false).await;
        if let Some(pause) = pause {
            http2.flush().await;
            sleep(pause).await;
        }
    }
    http2.data(3, b"", true).await;
    http2.flush().await;
    http2.outcome(3).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_writes_byte_by_byte_loses_no_connection() {
    let cluster = with_limits(1, "").await;
    let slowly = byte_by_byte(&cluster, 3_000, Some(Duration::from_millis(1))).await;
    assert_eq!(slowly, Came::Status(202, false), "slowly");
    let waiting = byte_by_byte(&cluster, 50_000, None).await;
    assert_eq!(waiting, Came::Status(202, false), "while the replica is busy");
}

/// What lies unread is bounded over all connections: beyond that they wait, and then go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_bytes_of_all_connections_stay_within_their_bound() {
    let (bounded, unbounded) = (unread_mib(4).await, unread_mib(1_024).await);
    println!("80 bodies of 900,000 bytes unread: {bounded} MiB bounded, {unbounded} MiB without");
    assert!(unbounded > 50, "{unbounded} MiB: the bodies are read");
    // Each connection may hold a piece beyond the bound, and the buffer that it came in.
    assert!(bounded < 16, "{bounded} MiB for a bound of 4 and 80 connections");
}

/// MiB that a replica with this bound takes for bodies that come while it reads none of them.
async fn unread_mib(bound: u32) -> u64 {
    let cluster = with_limits(1, &format!("unread_mib_max = {bound}")).await;
    let mut senders = Vec::new();
    for _ in 0..80 {
        let (place, bearer) = upload(&cluster).await;
        let headers = [("authorization", bearer.as_str())];
        let mut http2 = Http2::open(&cluster.replicas[0].http, &[]).await;
        while http2.frame().await.unwrap().kind != WINDOW_UPDATE {}
        // As above: the second body waits for five seconds because of the first one.
        http2.request(1, ("PATCH", &place), &headers, false).await;
        http2.data(1, b"f", false).await;
        http2.flush().await;
        senders.push((http2, place, bearer));
    }
    sleep(Duration::from_millis(300)).await;
    let before = cluster.replicas[0].memory_bytes("RssAnon").unwrap();
    let begun = Instant::now();
    let sending = senders.into_iter().map(|(mut http2, place, bearer)| {
        tokio::spawn(async move {
            let headers = [("authorization", bearer.as_str())];
            http2.request(3, ("PATCH", &place), &headers, false).await;
            for _ in 0..90 {
                http2.data(3, &[7; 10_000], false).await;
            }
            http2.data(3, b"", true).await;
            http2.flush().await;
            http2.outcome(3).await
        })
    });
    let sending: Vec<_> = sending.collect();
    let mut highest = 0;
    while begun.elapsed() < Duration::from_secs(4) {
        highest = highest.max(cluster.replicas[0].memory_bytes("RssAnon").unwrap());
        sleep(Duration::from_millis(100)).await;
    }
    for sent in sending {
        assert_eq!(sent.await.unwrap(), Came::Status(202, false));
    }
    highest.saturating_sub(before) >> 20
}
