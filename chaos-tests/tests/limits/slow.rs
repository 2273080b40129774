//! Clients that send or take slowly, or not at all: cut in time where they hold something, served
//! for as long as it takes where they go on.

use std::time::Duration;

use chaos_tests::cluster::Cluster;
use chaos_tests::image::Blob;
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

use crate::by_hand::{connect, read_head, read_to_end};
use crate::frames::{Came, Http2};
use crate::{REPOSITORY, with_limits};

/// Shorter than the defaults, so that a test need not wait for minutes.
const LINES: &str = "head_max_s = 2\nbody_idle_max_s = 3\nconnection_idle_max_s = 4";
/// What scheduling may add on a busy machine.
const SLACK: Duration = Duration::from_secs(3);

fn assert_within(name: &str, took: Duration, expected_s: u64) {
    let expected = Duration::from_secs(expected_s);
    let early = expected.saturating_sub(Duration::from_millis(600));
    assert!(took >= early && took <= expected + SLACK, "{name} took {took:?}");
}

/// Opens an upload; its path and a token for it.
async fn open(cluster: &Cluster) -> (String, String) {
    let scope = format!("repository:{REPOSITORY}:pull,push,delete");
    let token = cluster.registry.token(0, &scope).await.unwrap();
    let path = format!("/v2/{REPOSITORY}/blobs/uploads/");
    let answer = cluster.registry.basic(0, Method::POST, &path).send().await.unwrap();
    (answer.headers()["location"].to_str().unwrap().to_owned(), token)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_say_nothing_or_too_little_are_cut() {
    let cluster = with_limits(1, LINES).await;
    let (http, https) = (&cluster.replicas[0].http, &cluster.replicas[0].url);

    let mut silent = connect(http).await;
    let (_, took) = read_to_end(&mut silent).await;
    assert_within("a connection without a byte", took, 2);

    let mut trickle = connect(http).await;
    let begun = Instant::now();
    for byte in b"GET /v2/ HTTP/1.1\r\nhost: localhost\r\nx-slow: ".iter().cycle() {
        if trickle.write_all(&[*byte]).await.is_err() || begun.elapsed() > Duration::from_secs(9) {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert_within("a head that trickles in", begun.elapsed(), 2);

    let mut idle = connect(http).await;
    for _ in 0..3 {
        idle.write_all(b"GET /_ping HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        assert!(read_head(&mut idle).await.starts_with("HTTP/1.1 200"));
        let mut body = [0; 27];
        idle.read_exact(&mut body).await.unwrap();
        // It stays open in between, also for longer than it keeps its buffers.
        sleep(Duration::from_millis(1_500)).await;
    }
    let (_, took) = read_to_end(&mut idle).await;
    assert_within("an idle connection", took + Duration::from_millis(1_500), 4);

    let mut http2 = Http2::open(http, &[]).await;
    http2.request(1, ("GET", "/v2/"), &[], true).await;
    assert_eq!(http2.outcome(1).await, Came::Status(401, true));
    let begun = Instant::now();
    http2.closed().await;
    assert_within("an idle connection of HTTP/2", begun.elapsed(), 4);

    let mut handshake = connect(https).await;
    handshake.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await.unwrap();
    let (_, took) = read_to_end(&mut handshake).await;
    assert_within("a handshake that does not go on", took, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_begins_with_the_one_before_may_end_later() {
    let cluster = with_limits(1, LINES).await;
    let mut stream = connect(&cluster.replicas[0].http).await;
    let both = b"GET /_ping HTTP/1.1\r\nhost: a\r\n\r\nGET /v2/ HTT";
    stream.write_all(both).await.unwrap();
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200"));
    sleep(Duration::from_millis(1_200)).await;
    stream.write_all(b"P/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let (answer, _) = read_to_end(&mut stream).await;
    assert!(answer.contains("HTTP/1.1 401"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_may_take_any_time_while_it_goes_on_and_none_where_it_stands_still() {
    let cluster = with_limits(1, LINES).await;
    let http = &cluster.replicas[0].http;
    let (place, token) = open(&cluster).await;
    let head = |length: usize| {
        format!(
            "PATCH {place} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n"
        )
    };
    let mut slow = connect(http).await;
    slow.write_all(head(9).as_bytes()).await.unwrap();
    for _ in 0..9 {
        sleep(Duration::from_secs(1)).await;
        slow.write_all(b"s").await.unwrap();
    }
    let (answer, _) = read_to_end(&mut slow).await;
    assert!(answer.starts_with("HTTP/1.1 202"), "a byte a second: {answer}");

    let mut stands = connect(http).await;
    stands.write_all(head(9).as_bytes()).await.unwrap();
    stands.write_all(b"some").await.unwrap();
    let (answer, took) = read_to_end(&mut stands).await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("SIZE_INVALID"), "{answer}");
    // What is left of the body is waited for a moment.
    assert!(took < Duration::from_secs(5) + SLACK, "{took:?}");
    let status = cluster.registry.basic(0, Method::GET, &place).send().await.unwrap();
    assert_eq!(status.headers()["range"], "0-12", "what arrived stays");
}

/// Connections that are open at the replica, its own health checks aside.
async fn connections(cluster: &Cluster) -> u64 {
    let text = cluster.registry.bare(0, Method::GET, "/metrics").send().await.unwrap();
    let text = text.text().await.unwrap();
    let line = text.lines().find_map(|it| it.strip_prefix("holdfast_http_connections_open "));
    line.unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_takes_nothing_of_its_answer_holds_nothing_for_long() {
    let cluster = with_limits(1, LINES).await;
    let http = &cluster.replicas[0].http;
    let blob = Blob::random(1, 32 << 20);
    cluster.registry.push_blob(0, REPOSITORY, &blob).await.unwrap();
    let (_, token) = open(&cluster).await;
    let path = format!("/v2/{REPOSITORY}/blobs/{}", blob.digest);
    let bearer = format!("Bearer {token}");
    let before = connections(&cluster).await;

    let mut idle = Vec::new();
    for _ in 0..4 {
        let mut http1 = connect(http).await;
        let head =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: {bearer}\r\n\r\n");
        http1.write_all(head.as_bytes()).await.unwrap();
        idle.push(http1);
    }
    let mut without_window = Vec::new();
    for _ in 0..4 {
        // SETTINGS_INITIAL_WINDOW_SIZE 0: no byte of any answer may be sent.
        let mut http2 = Http2::open(http, &[(4, 0)]).await;
        http2.request(1, ("GET", &path), &[("authorization", &bearer)], true).await;
        assert_eq!(http2.outcome(1).await, Came::Status(200, true));
        without_window.push(http2);
    }
    assert!(connections(&cluster).await >= before + 8);
    let begun = Instant::now();
    while connections(&cluster).await > before + 1 {
        assert!(begun.elapsed() < Duration::from_secs(10) + SLACK, "they are still open");
        sleep(Duration::from_millis(200)).await;
    }

    // One that takes a little now and then is served to the end.
    let mut slow = connect(http).await;
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: {bearer}\r\n\
         connection: close\r\n\r\n"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut taken = 0;
    for _ in 0..6 {
        sleep(Duration::from_secs(1)).await;
        let mut piece = vec![0; 1 << 20];
        slow.read_exact(&mut piece).await.unwrap();
        taken += piece.len();
    }
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).await.unwrap();
    assert!(taken + rest.len() > blob.bytes.len());
}
