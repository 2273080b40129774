//! Signing in, and what ends it, on every replica at once.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "sign_in/behind.rs"]
mod behind;
#[path = "sign_in/certificates.rs"]
mod certificates;
#[path = "sign_in/guessing.rs"]
mod guessing;

use std::fs;
use std::time::Instant;

use chaos_tests::cluster::{ADMIN, Cluster};
use chaos_tests::executable::{self, text};
use chaos_tests::logs;
use futures::future::join_all;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

/// Rounds; without the read barrier a follower would answer by the old state within a few.
const ROUNDS: usize = 8;
const PASSWORD: &str = "violet-kettle-37";

/// No replica may have panicked or logged a secret.
fn ends_well(cluster: &Cluster) {
    let complaints = logs::complaints(cluster).unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The administrator's request at the replica at `place`, which must go well.
async fn asked(cluster: &Cluster, place: usize, asked: (Method, &str, Value)) -> Value {
    let (method, path, body) = asked;
    let request = cluster.registry.basic(place, method, path).json(&body);
    let answer = request.send().await.unwrap();
    let (status, body) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{path}: {status} {body}");
    serde_json::from_str(&body).unwrap_or(Value::Null)
}

async fn user(cluster: &Cluster, name: &str) {
    let body = json!({"name": name, "password": PASSWORD});
    asked(cluster, 0, (Method::POST, "/enzi/v0/accounts", body)).await;
}

/// Reads for whoever signed in, and for a token that was given for it.
const PING_PATH: &str = "/v2/";
const ACCOUNTS_PATH: &str = "/enzi/v0/accounts?limit=1";
const CATALOG_PATH: &str = "/v2/_catalog?n=1";

/// What every replica answers to the same request, asked side by side.
async fn everywhere(
    (cluster, path): (&Cluster, &str),
    with: impl Fn(RequestBuilder) -> RequestBuilder,
) -> [u16; 3] {
    let at = |place| with(cluster.registry.bare(place, Method::GET, path)).send();
    let answers = join_all([0, 1, 2].map(at)).await;
    let statuses = answers.into_iter().map(|answer| answer.unwrap().status().as_u16());
    statuses.collect::<Vec<_>>().try_into().unwrap()
}

/// What somebody signs in with.
#[derive(Clone, Debug)]
enum Shown {
    Basic(String),
    Bearer(String),
    Cookie(String),
}

impl Shown {
    fn with(&self, name: &str, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Basic(secret) => request.basic_auth(name, Some(secret)),
            Self::Bearer(token) => request.bearer_auth(token),
            Self::Cookie(cookie) => request.header("cookie", cookie),
        }
    }
}

async fn of_user(
    cluster: &Cluster,
    place: usize,
    name: &str,
    asked: (Method, &str, Value),
) -> Value {
    let (method, path, body) = asked;
    let request = cluster.registry.bare(place, method, path).basic_auth(name, Some(PASSWORD));
    let answer = request.json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.unwrap()
}

async fn session(cluster: &Cluster, place: usize, name: &str) -> String {
    let body = json!({"username": name, "password": PASSWORD});
    let request = cluster.registry.bare(place, Method::POST, "/api/v0/session").json(&body);
    let answer = request.send().await.unwrap();
    let set = answer.headers()["set-cookie"].to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

/// An access token's id and text, a token of the token endpoint, its refresh token, a session.
async fn signed_in(cluster: &Cluster, place: usize, name: &str) -> (String, [Shown; 4]) {
    let path = "/api/v0/api_tokens";
    let made = of_user(cluster, place, name, (Method::POST, path, json!({}))).await;
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let path = "/auth/token?service=s&offline_token=true&client_id=docker";
    let given = of_user(cluster, place, name, (Method::GET, path, json!({}))).await;
    let shown = [
        Shown::Basic(word(&made["token"])),
        Shown::Bearer(word(&given["token"])),
        Shown::Basic(word(&given["refresh_token"])),
        Shown::Cookie(session(cluster, place, name).await),
    ];
    (word(&made["hashedToken"]), shown)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_back_opens_nothing_on_any_replica_once_that_was_answered() {
    let cluster = Cluster::start(3).await.unwrap();
    for round in 0..ROUNDS {
        let (name, place) = (format!("user-{round}"), round % 3);
        user(&cluster, &name).await;
        let (id, shown) = signed_in(&cluster, place, &name).await;
        let account = format!("/enzi/v0/accounts/{name}");
        // What is taken back, and which of the four it ends.
        let (request, ends) = match round % 4 {
            0 => ((Method::DELETE, format!("/api/v0/api_tokens/{id}"), json!({})), [0].as_slice()),
            1 => {
                let body = json!({"newPassword": "marble-harbor-52"});
                ((Method::POST, format!("{account}/changePassword"), body), [1, 2, 3].as_slice())
            }
            2 => ((Method::PATCH, account, json!({"isActive": false})), [0, 1, 2, 3].as_slice()),
            _ => ((Method::DELETE, account, json!({})), [0, 1, 2, 3].as_slice()),
        };
        for one in &shown {
            // Every replica has seen it and remembers what it remembers.
            let before =
                everywhere((&cluster, ACCOUNTS_PATH), |request| one.with(&name, request)).await;
            assert_eq!(before, [200; 3], "round {round}: {one:?}");
        }
        let (method, path, body) = request;
        asked(&cluster, place, (method, &path, body)).await;
        for (number, one) in shown.iter().enumerate() {
            let expected = if ends.contains(&number) { [401; 3] } else { [200; 3] };
            for path in [PING_PATH, ACCOUNTS_PATH] {
                let after = everywhere((&cluster, path), |request| one.with(&name, request)).await;
                assert_eq!(after, expected, "round {round}: number {number}, {path}");
            }
        }
    }
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_of_tokens_is_exchanged_while_clients_go_on() {
    let cluster = Cluster::start(3).await.unwrap();
    let mut tokens = Vec::new();
    for round in 0..ROUNDS {
        let place = round % 3;
        tokens.push(cluster.registry.token(place, "registry:catalog:*").await.unwrap());
        let rotate = "/api/v0/admin/tokens/rotate";
        asked(&cluster, (place + 1) % 3, (Method::POST, rotate, json!({}))).await;
        for token in &tokens {
            let answers =
                everywhere((&cluster, CATALOG_PATH), |request| request.bearer_auth(token)).await;
            assert_eq!(answers, [200; 3], "round {round}");
        }
    }
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_gives_an_administrator_a_new_password_at_any_replica() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new-password");
    let reset = async |cluster: &Cluster, place: usize, more: &[&str]| {
        let config = text(&cluster.replicas[place].config);
        let file = text(&file);
        let arguments = ["admin-reset", "--config", &config, "--new-password-file", &file];
        executable::run(&[&arguments[..], more].concat()).await.unwrap()
    };
    user(&cluster, "ann").await;
    let signs_in = async |cluster: &Cluster, name: &str, password: &str| {
        everywhere((cluster, ACCOUNTS_PATH), |request| request.basic_auth(name, Some(password)))
            .await
    };
    for place in 0..3 {
        let password = format!("copper-lantern-{place}");
        fs::write(&file, &password).unwrap();
        let ended = reset(&cluster, place, &[]).await;
        assert_eq!(ended.status, Some(0), "{ended}");
        assert_eq!(signs_in(&cluster, ADMIN, &password).await, [200; 3], "replica {place}");
        assert_eq!(signs_in(&cluster, ADMIN, &cluster.password).await, [401; 3]);
        let log = fs::read_to_string(&cluster.replicas[place].log).unwrap();
        assert!(log.contains("gave an administrator another password"), "replica {place}");
    }
    let ended = reset(&cluster, 0, &["--admin", "nobody"]).await;
    assert_eq!(ended.status, Some(1), "{ended}");
    assert!(ended.err.contains("there is no account nobody"), "{ended}");
    let ended = reset(&cluster, 0, &["--admin", "nobody", "--create"]).await;
    assert_eq!(ended.status, Some(0), "{ended}");
    assert_eq!(signs_in(&cluster, "nobody", "copper-lantern-2").await, [200; 3]);

    let settings = "/api/v0/meta/settings";
    let request = cluster.registry.bare(0, Method::POST, settings);
    let request = request.basic_auth("nobody", Some("copper-lantern-2"));
    let answer = request.json(&json!({"refusePasswords": true})).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    assert_eq!(signs_in(&cluster, ADMIN, "copper-lantern-2").await, [401; 3]);
    let ended = reset(&cluster, 1, &[]).await;
    assert_eq!(ended.status, Some(1), "{ended}");
    assert!(ended.err.contains("--allow-passwords"), "{ended}");
    let ended = reset(&cluster, 1, &["--allow-passwords"]).await;
    assert_eq!(ended.status, Some(0), "{ended}");
    assert_eq!(signs_in(&cluster, ADMIN, "copper-lantern-2").await, [200; 3]);

    cluster.kill(2).await.unwrap();
    let ended = reset(&cluster, 2, &[]).await;
    assert_eq!(ended.status, Some(4), "{ended}");
}

/// Accounts of each kind, and tries at each: as many as cost nothing.
const ACCOUNTS: usize = 10;
const TRIES: usize = 3;

/// Neither the answer nor, as a person may read off what this prints, the time it takes tells
/// whether there is an account of that name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_is_not_looks_like_one_that_is() {
    let cluster = Cluster::start(1).await.unwrap();
    for number in 0..ACCOUNTS {
        user(&cluster, &format!("wrong-{number}")).await;
        user(&cluster, &format!("inactive-{number}")).await;
        let path = format!("/enzi/v0/accounts/inactive-{number}");
        asked(&cluster, 0, (Method::PATCH, &path, json!({"isActive": false}))).await;
    }
    let kinds = [("unknown", "x"), ("wrong", "x"), ("inactive", PASSWORD)];
    let mut took_us = kinds.map(|_| Vec::new());
    let mut said = Vec::new();
    for number in 0..ACCOUNTS * TRIES {
        for ((kind, password), took_us) in kinds.iter().zip(&mut took_us) {
            let name = format!("{kind}-{}", number % ACCOUNTS);
            let request = cluster.registry.bare(0, Method::GET, "/v2/");
            let began = Instant::now();
            let answer = request.basic_auth(&name, Some(password)).send().await.unwrap();
            took_us.push(began.elapsed().as_micros());
            let (status, challenge) =
                (answer.status(), answer.headers()["www-authenticate"].clone());
            said.push((status, challenge, answer.text().await.unwrap()));
        }
    }
    for ((kind, _), took_us) in kinds.iter().zip(&mut took_us) {
        took_us.sort_unstable();
        println!("{kind}: median {} µs of {}", took_us[took_us.len() / 2], took_us.len());
    }
    assert_eq!(said[0].0, 401);
    assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
    ends_well(&cluster);
}
