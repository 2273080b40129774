//! Request lines and headers that are too long, over both versions of HTTP.

use crate::by_hand::exchange;
use crate::frames::{Came, Http2};
use crate::with_limits;

/// A request of HTTP/1.1 that asks the replica to close.
fn get(path: &str, headers: &str) -> Vec<u8> {
    let head =
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}connection: close\r\n\r\n");
    head.into_bytes()
}

/// Headers of so many bytes together, in lines of 4,000.
fn wide(bytes: usize) -> String {
    (0..bytes / 4_000).map(|number| format!("x-wide-{number}: {}\r\n", "w".repeat(3_980))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_too_long_is_refused_in_words() {
    let cluster = with_limits(1, "").await;
    let http = &cluster.replicas[0].http;
    let long = |bytes: usize| format!("/v2/_catalog?last={}", "l".repeat(bytes));
    let management = format!("/api/v0/repositories?pageStart={}", "l".repeat(17_000));
    let cases = [
        ("16,000 bytes of line", get(&long(16_000), ""), "401", ""),
        ("17,000 bytes of line", get(&long(17_000), ""), "414", "request line"),
        ("60,000 bytes of line", get(&long(60_000), ""), "414", "request line"),
        ("a long line to the management API", get(&management, ""), "414", "INVALID_PARAMETERS"),
        ("28,000 bytes of headers", get("/v2/", &wide(28_000)), "401", ""),
        ("40,000 bytes of headers", get("/v2/", &wide(40_000)), "431", "the headers"),
        ("100,000 bytes of headers", get("/v2/", &wide(100_000)), "431", "the headers"),
        // Beyond what is read of a head there is a status, and no more words.
        ("70,000 bytes of line", get(&long(70_000), ""), "414", ""),
        ("200,000 bytes of headers", get("/v2/", &wide(200_000)), "431", ""),
    ];
    for (name, request, status, word) in cases {
        let answer = exchange(http, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{name}: {answer}");
        assert!(answer.contains(word), "{name}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_too_long_over_http2_is_refused_and_the_connection_goes_on() {
    let cluster = with_limits(1, "").await;
    let mut http2 = Http2::open(&cluster.replicas[0].http, &[]).await;
    let long = format!("/v2/_catalog?last={}", "l".repeat(17_000));
    http2.request(1, ("GET", &long), &[], true).await;
    assert_eq!(http2.outcome(1).await, Came::Status(414, true));
    let body = String::from_utf8(http2.body(1).await).unwrap();
    assert!(body.contains("request line"), "{body}");

    let value = "w".repeat(3_980);
    let names: Vec<String> = (0..10).map(|number| format!("x-wide-{number}")).collect();
    let headers: Vec<_> = names.iter().map(|name| (name.as_str(), value.as_str())).collect();
    http2.request(3, ("GET", "/v2/"), &headers, true).await;
    assert_eq!(http2.outcome(3).await, Came::Status(431, true));
    let body = String::from_utf8(http2.body(3).await).unwrap();
    assert!(body.contains("the headers"), "{body}");

    let many: Vec<_> = headers.iter().copied().chain(headers.iter().copied()).collect();
    http2.request(5, ("GET", "/v2/"), &many, true).await;
    assert_eq!(http2.outcome(5).await, Came::Status(431, false), "80,000 bytes");
    http2.request(7, ("GET", "/v2/"), &[], true).await;
    assert_eq!(http2.outcome(7).await, Came::Status(401, true), "an ordinary request after that");
}
