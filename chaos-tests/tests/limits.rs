//! Limits: what a replica does not take, and what it says then; what it bears without harm.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "limits/bodies.rs"]
mod bodies;
#[path = "limits/by_hand.rs"]
mod by_hand;
#[path = "limits/connections.rs"]
mod connections;
#[path = "limits/floods.rs"]
mod floods;
#[path = "limits/frames.rs"]
mod frames;
#[path = "limits/heads.rs"]
mod heads;
#[path = "limits/memory.rs"]
mod memory;
#[path = "limits/rates.rs"]
mod rates;
#[path = "limits/slow.rs"]
mod slow;
#[path = "limits/uploads.rs"]
mod uploads;

use chaos_tests::cluster::Cluster;
use chaos_tests::process::Tuning;
use chaos_tests::registry::{Credentials, Registry};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// The repository that the tests push to.
const REPOSITORY: &str = "limits/input";

/// Of the accounts that the tests make.
const PASSWORD: &str = "correct-horse";

/// Replicas with these lines at the end of their configuration.
async fn with_limits(replicas: usize, lines: &str) -> Cluster {
    let tuning = Tuning { extra: format!("[limits]\n{lines}\n"), ..Tuning::default() };
    Cluster::start_tuned(&vec![tuning; replicas]).await.unwrap()
}

/// A client that is another account, made for the purpose.
async fn account(cluster: &Cluster, name: &str) -> Registry {
    let made = cluster.registry.basic(0, Method::POST, "/enzi/v0/accounts");
    let made = made.json(&json!({ "name": name, "password": PASSWORD })).send().await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    let addresses = cluster.replicas.iter().map(|it| it.http.clone()).collect();
    let who = Credentials { name: name.to_owned(), password: PASSWORD.to_owned() };
    Registry::new(addresses, Some(who), None).unwrap()
}

/// What was answered: status, the first error's code and reason, its message, and `Retry-After`.
#[derive(Debug)]
struct Said {
    status: u16,
    code: String,
    reason: String,
    message: String,
    retry_after_s: Option<u32>,
}

impl Said {
    async fn of(request: reqwest::RequestBuilder) -> Self {
        Self::in_answer(request.send().await.unwrap()).await
    }

    async fn in_answer(answer: reqwest::Response) -> Self {
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get("retry-after").map(|it| it.to_str().unwrap());
        let retry_after_s = retry_after.map(|it| it.parse().unwrap());
        let body = answer.bytes().await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let error = &body["errors"][0];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            status,
            code: text(&error["code"]),
            reason: text(&error["detail"]["reason"]),
            message: text(&error["message"]),
            retry_after_s,
        }
    }
}
