//! As much of a browser as a sign-in needs: cookies, and redirects that it follows by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use chaos_tests::cluster::Cluster;
use reqwest::{Certificate, Client, Response, Url};
use serde_json::Value;

use crate::provider::CALLBACK;

/// Redirects of a provider, until it sends the browser back.
const REDIRECTS_MAX: usize = 10;
const SESSION: &str = "__Host-holdfast";
const STATE: &str = "__Host-holdfast-openid";

/// A client that follows no redirect and trusts these certificates; empty texts are passed over.
pub(crate) fn client(trusted: &[&str]) -> Client {
    wire::provider::install();
    let mut builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .timeout(Duration::from_secs(30));
    for pem in trusted.iter().filter(|pem| !pem.is_empty()) {
        builder = builder.add_root_certificate(Certificate::from_pem(pem.as_bytes()).unwrap());
    }
    builder.build().unwrap()
}

/// What is shown at last.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// Of the session; empty where none began.
    pub(crate) cookie: String,
}

/// A browser that nobody used before.
pub(crate) struct Browser {
    http: Client,
    /// By host and port, and by name.
    cookies: BTreeMap<(String, String), String>,
}

impl Browser {
    pub(crate) fn new(http: &Client) -> Self {
        Self { http: http.clone(), cookies: BTreeMap::new() }
    }

    /// Goes to an address and keeps what cookies it sets.
    pub(crate) async fn get(&mut self, url: &Url) -> Response {
        let host = url.authority().to_owned();
        let own = self.cookies.iter().filter(|((of, _), _)| *of == host);
        let own: Vec<String> = own.map(|((_, name), value)| format!("{name}={value}")).collect();
        let request = self.http.get(url.clone()).header("accept", "text/html");
        let answer = request.header("cookie", own.join("; ")).send().await.unwrap();
        for set in answer.headers().get_all("set-cookie") {
            let (pair, attributes) = set.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if name.starts_with("__Host-") {
                let lower = attributes.to_lowercase();
                for needed in ["path=/", "secure", "httponly", "samesite"] {
                    assert!(lower.contains(needed), "{name} without {needed}: {attributes}");
                }
            }
            let key = (host.clone(), name.to_owned());
            if value.is_empty() {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.to_owned());
            }
        }
        answer
    }

    /// Begins to sign in at a replica, as far as the provider sends it back; where to, the host
    /// left out.
    pub(crate) async fn leave(&mut self, origin: &str, more: &str) -> String {
        let login = Url::parse(&format!("{origin}/api/v0/openid/login{more}")).unwrap();
        let answer = self.get(&login).await;
        let mut next = location(&login, &answer);
        for _ in 0..REDIRECTS_MAX {
            if next.path() == CALLBACK {
                return format!("{CALLBACK}?{}", next.query().unwrap_or_default());
            }
            let answer = self.get(&next).await;
            next = location(&next, &answer);
        }
        panic!("the provider goes on and on: {next}");
    }

    /// What was carried to the provider by one replica is shown to another, as it is where both
    /// stand behind one name.
    pub(crate) fn carry(&mut self, from: &str, to: &str) {
        let host = |origin: &str| Url::parse(origin).unwrap().authority().to_owned();
        let carried = self.cookies.get(&(host(from), STATE.to_owned())).cloned();
        if let Some(carried) = carried {
            self.cookies.insert((host(to), STATE.to_owned()), carried);
        }
    }

    /// Comes back to a replica.
    pub(crate) async fn arrive(&mut self, origin: &str, back: &str) -> Page {
        let url = Url::parse(&format!("{origin}{back}")).unwrap();
        let answer = self.get(&url).await;
        let status = answer.status().as_u16();
        let body = answer.text().await.unwrap();
        let host = url.authority().to_owned();
        assert!(!self.cookies.contains_key(&(host.clone(), STATE.to_owned())), "one attempt each");
        let session = self.cookies.get(&(host, SESSION.to_owned()));
        let cookie = session.map(|value| format!("{SESSION}={value}")).unwrap_or_default();
        Page { status, body, cookie }
    }
}

fn location(from: &Url, answer: &Response) -> Url {
    let status = answer.status().as_u16();
    assert!(matches!(status, 302 | 303), "{from} answers {status}");
    from.join(answer.headers()["location"].to_str().unwrap()).unwrap()
}

/// Signs in at the replica `leave` and comes back to `arrive`.
pub(crate) async fn sign_in(
    cluster: &Cluster,
    http: &Client,
    (leave, arrive): (usize, usize),
) -> Page {
    let [from, to] = [leave, arrive].map(|place| cluster.replicas[place].url.clone());
    let mut browser = Browser::new(http);
    let back = browser.leave(&from, "?return=/somewhere%3Fa%3Db").await;
    browser.carry(&from, &to);
    browser.arrive(&to, &back).await
}

/// What a session is shown of itself at a replica; null where it is none.
pub(crate) async fn session(cluster: &Cluster, place: usize, cookie: &str) -> Value {
    let request = cluster.registry.bare(place, reqwest::Method::GET, "/api/v0/session");
    let answer = request.header("cookie", cookie).send().await.unwrap();
    if answer.status() == 200 { answer.json().await.unwrap() } else { Value::Null }
}
