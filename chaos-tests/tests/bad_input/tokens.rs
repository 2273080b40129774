//! Tokens and passwords: wrong, forged, narrowed and expired ones.

use std::time::Duration;

use chaos_tests::cluster::ADMIN;
use chaos_tests::length::Length;
use chaos_tests::registry::{Credentials, Registry};
use chaos_tests::secrets::base64;
use reqwest::Method;
use tokio::time::sleep;

use crate::{REPOSITORY, answers, unharmed, with_an_image};

/// Base64 as tokens have it.
fn url_safe(text: &str) -> String {
    base64(text.as_bytes()).replace('+', "-").replace('/', "_").replace('=', "")
}

/// The same token with one letter of a part changed.
fn tampered(token: &str, part: usize) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let middle = parts[part].len() / 2;
    let letter = if parts[part].as_bytes()[middle] == b'A' { "B" } else { "A" };
    parts[part].replace_range(middle..=middle, letter);
    parts.join(".")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_token_is_refused_with_the_challenge() {
    let (cluster, image) = with_an_image(3).await;
    let (stranger, strange_image) = with_an_image(1).await;
    let registry = &cluster.registry;
    let scope = format!("repository:{REPOSITORY}:pull,push,delete");
    let good = registry.token(0, &scope).await.unwrap();
    let claims = good.split('.').nth(1).unwrap();
    let unsigned = format!("{}.{claims}.", url_safe("{\"alg\":\"none\",\"typ\":\"JWT\"}"));
    let symmetric = format!("{}.{claims}.AAAA", url_safe("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"));
    let cases = [
        ("no token at all", "x".to_owned()),
        ("empty", String::new()),
        ("unsigned", unsigned),
        ("signed with a shared key", symmetric),
        ("another head", tampered(&good, 0)),
        ("other claims", tampered(&good, 1)),
        ("another signature", tampered(&good, 2)),
        ("of another cluster", stranger.registry.token(0, &scope).await.unwrap()),
    ];
    for (place, (name, token)) in cases.iter().enumerate() {
        let path = format!("/v2/{REPOSITORY}/tags/list");
        let request = registry.bare(place % 3, Method::GET, &path).bearer_auth(token);
        let headers = answers(name, request, 401, "UNAUTHORIZED").await;
        let challenge = headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Bearer realm="), "{name}: {challenge}");
        assert!(challenge.contains("invalid_token"), "{name}: {challenge}");
        assert!(
            challenge.contains(&format!("scope=\"repository:{REPOSITORY}:pull")),
            "{challenge}"
        );
    }
    let narrow = registry.token(1, &format!("repository:{REPOSITORY}:pull")).await.unwrap();
    let path = format!("/v2/{REPOSITORY}/blobs/uploads/");
    let push = registry.bare(2, Method::POST, &path).bearer_auth(narrow);
    let headers = answers("a narrow token", push, 401, "UNAUTHORIZED").await;
    let challenge = headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("insufficient_scope"), "{challenge}");
    unharmed(stranger, &strange_image).await;
    unharmed(cluster, &image).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_gets_no_token_and_no_content() {
    let (cluster, image) = with_an_image(3).await;
    let addresses: Vec<String> = cluster.replicas.iter().map(|it| it.http.clone()).collect();
    let with = |name: &str, password: &str| {
        let who = Credentials { name: name.to_owned(), password: password.to_owned() };
        Registry::new(addresses.clone(), Some(who), None).unwrap()
    };
    let scope = format!("/auth/token?service=holdfast&scope=repository:{REPOSITORY}:pull");
    for (name, password) in [(ADMIN, "wrong"), ("nobody", "wrong"), (ADMIN, "")] {
        let wrong = with(name, password);
        let headers = answers(name, wrong.basic(0, Method::GET, &scope), 401, "").await;
        assert!(headers["www-authenticate"].to_str().unwrap().starts_with("Basic"), "{headers:?}");
        let tags = wrong.basic(1, Method::GET, &format!("/v2/{REPOSITORY}/tags/list"));
        answers(name, tags, 401, "UNAUTHORIZED").await;
    }
    let nobody = Registry::new(addresses, None, None).unwrap();
    let ping = answers("ping", nobody.bare(0, Method::GET, "/v2/"), 401, "UNAUTHORIZED").await;
    let challenge = ping["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with("Bearer realm=\"http://127.0.0.1:"), "{challenge}");
    for path in [format!("/v2/{REPOSITORY}/tags/list"), "/v2/not/there/tags/list".to_owned()] {
        answers(&path, nobody.bare(1, Method::GET, &path), 401, "UNAUTHORIZED").await;
    }
    let status = nobody.bare(2, Method::GET, "/api/v0/meta/cluster_status");
    answers("cluster_status", status, 401, "").await;
    unharmed(cluster, &image).await;
}

/// A token lives for five minutes and is accepted for a while more, so this runs with the long
/// ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_token_is_refused() {
    if Length::of_this_run().minutes == 0 {
        println!("notice: skipped: a token takes minutes to expire; `make chaos` waits for it");
        return;
    }
    let (cluster, image) = with_an_image(1).await;
    let scope = format!("repository:{REPOSITORY}:pull");
    let token = cluster.registry.token(0, &scope).await.unwrap();
    let path = format!("/v2/{REPOSITORY}/tags/list");
    let list = || cluster.registry.bare(0, Method::GET, &path).bearer_auth(&token);
    answers("fresh", list(), 200, "").await;
    sleep(Duration::from_secs(300 + 90)).await;
    let headers = answers("expired", list(), 401, "UNAUTHORIZED").await;
    assert!(headers["www-authenticate"].to_str().unwrap().contains("invalid_token"));
    unharmed(cluster, &image).await;
}
