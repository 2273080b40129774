//! The health paths.

use health::checks::Part;

use crate::harness::Registry;

#[tokio::test]
async fn ping_and_health_say_the_same_without_credentials() {
    let registry = Registry::start().await;
    for path in ["/_ping", "/health", "/_ping?reads=1"] {
        let answer = registry.ask("GET", path).send().await.is(200);
        assert_eq!(answer.body, br#"{"Error":"","Healthy":true}"#, "{path}");
        assert_eq!(answer.header("content-type"), "application/json");
    }
    for _ in 0..3 {
        registry.health.checks.note(Part::Storage, Err("the disk is full".to_owned()));
    }
    let answer = registry.ask("GET", "/_ping").send().await.is(503);
    assert_eq!(answer.json()["Error"], "storage: the disk is full");
    registry.health.checks.note(Part::Storage, Ok(()));
    registry.context.start_draining();
    let answer = registry.ask("GET", "/health").send().await.is(503);
    assert_eq!(answer.json()["Error"], "metadata: this replica is shutting down");
}

#[tokio::test]
async fn people_collectors_and_engines_find_what_they_look_for() {
    let registry = Registry::start().await;
    let page = registry.ask("GET", "/load_balancer_status").send().await.is(200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(page.header("content-security-policy").contains("style-src 'unsafe-inline'"));
    let text = String::from_utf8(page.body).unwrap();
    assert!(text.contains("<table>") && text.contains("content trust"), "{text}");

    let nginx = registry.ask("GET", "/nginx_status").send().await.is(200);
    let text = String::from_utf8(nginx.body).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("Active connections: "));
    assert_eq!(lines[1], "server accepts handled requests");
    assert_eq!(lines[2].split_whitespace().count(), 3);
    assert!(lines[3].starts_with("Reading: 0 Writing: "), "{text}");

    let ca = registry.ask("GET", "/ca").send().await.is(200);
    assert!(ca.body.starts_with(b"-----BEGIN CERTIFICATE-----"));

    registry.context.content.heal_once().await.unwrap();
    registry.ask("POST", "/v2/a/b/blobs/uploads/").by_admin().send().await.is(202);
    let metrics = registry.ask("GET", "/metrics").send().await.is(200);
    let text = String::from_utf8(metrics.body).unwrap();
    for name in [
        "holdfast_raft_term ",
        "holdfast_raft_voters 1",
        "holdfast_raft_leader 1",
        "holdfast_disk_free_bytes ",
        "holdfast_blobs_under_replicated 0",
        "holdfast_blobs_lost 0",
        "holdfast_blobs_corrupt 0",
        "holdfast_uploads_open 1",
        "holdfast_http_requests_total{surface=\"health\"",
    ] {
        assert!(text.contains(name), "{name} in\n{text}");
    }
}

#[tokio::test]
async fn every_answer_is_safe_to_show_in_a_browser() {
    let registry = Registry::start().await;
    for path in ["/_ping", "/v2/", "/api/v0/meta/settings", "/nothing", "/v1/_ping"] {
        let answer = registry.ask("GET", path).send().await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{path}");
        assert_eq!(answer.header("x-request-id").len(), 16, "{path}");
    }
    let nothing = registry.ask("GET", "/v1/_ping").send().await.is(404);
    assert!(nothing.header("content-type").starts_with("text/plain"));
}
