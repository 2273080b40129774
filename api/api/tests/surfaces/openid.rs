//! Sign-in by OpenID as far as it goes without a provider: settings, who is tied to whom, providers
//! that are not what they should be. With a real one it is tested in chaos-tests.

use std::time::{Duration, Instant};

use consensus::cluster::Freshness;
use metadata::openid;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{Answer, Registry};
use crate::people::users;
use crate::roles::credentials;

const SETTINGS: &str = "/enzi/v0/config/openid";
const UNVERIFIED: &str = "/enzi/v0/config/openid?verify=false";
const LOGIN: &str = "/api/v0/openid/login";
const CALLBACK: &str = "/api/v0/openid/callback";

async fn put(registry: &Registry, path: &str, document: &Value) -> Answer {
    registry.ask("PUT", path).by_admin().body(document.to_string()).send().await
}

fn settings(issuer: &str) -> Value {
    json!({ "issuerIdentifier": issuer, "clientID": "registry", "clientSecret": "s3cret-of-ours" })
}

fn with(mut document: Value, name: &str, value: Value) -> Value {
    document[name] = value;
    document
}

fn without_secret(mut document: Value) -> Value {
    document.as_object_mut().unwrap().remove("clientSecret");
    document
}

#[tokio::test]
async fn the_secret_is_kept_sealed_and_goes_nowhere_else() {
    let registry = Registry::start().await;
    users(&registry, &["ann"]).await;
    let ask = |method: &str| registry.ask(method, SETTINGS);
    ask("GET").send().await.is(401);
    ask("GET").by(credentials("ann")).send().await.is(403);
    ask("PUT").by(credentials("ann")).body("{}").send().await.is(403);
    let shown = ask("GET").by_admin().send().await.is(200).json();
    assert_eq!((&shown["enabled"], &shown["issuerIdentifier"]), (&json!(false), &json!("")));
    assert_eq!(shown["callbackURL"], format!("http://reg.example{CALLBACK}"));

    let good = settings("http://127.0.0.1:1");
    let shown = put(&registry, UNVERIFIED, &good).await.is(200);
    assert!(!String::from_utf8_lossy(&shown.body).contains("s3cret"));
    let kept = async || {
        let read = registry.cluster.read(Freshness::Local, |view| openid::settings(view));
        read.await.unwrap().unwrap()
    };
    let sealed = kept().await.sealed_client_secret;
    assert!(sealed.len() > "s3cret-of-ours".len());
    assert!(!sealed.windows(6).any(|part| part == b"s3cret"));
    // Kept where it is not given; another provider or client is not told it.
    let again = without_secret(good.clone());
    put(&registry, UNVERIFIED, &again).await.is(200);
    assert!(!kept().await.sealed_client_secret.is_empty());
    for (name, value) in
        [("issuerIdentifier", json!("https://evil.example")), ("clientID", json!("other"))]
    {
        let elsewhere = with(again.clone(), name, value);
        let refused = put(&registry, UNVERIFIED, &elsewhere).await.is(400).json();
        assert!(refused.to_string().contains("give clientSecret again"), "{refused}");
    }
    put(&registry, UNVERIFIED, &with(again, "clientSecret", json!(""))).await.is(200);
    assert!(kept().await.sealed_client_secret.is_empty());
}

#[tokio::test]
async fn settings_that_do_not_do_are_refused_with_what_would() {
    let registry = Registry::start().await;
    let good = settings("http://127.0.0.1:1");
    let pair = json!([{ "group": "g", "organization": "acme", "team": "nobody" }]);
    for (name, value, said) in [
        ("issuerIdentifier", json!("http://id.example"), "issuerIdentifier reads like"),
        ("clientID", json!(""), "clientID"),
        ("rootCerts", json!("x"), "rootCerts"),
        ("scopes", json!(["a b"]), "no scope"),
        ("groupTeams", pair, "there is no team"),
        ("adminGroup", json!("a\nb"), "adminGroup"),
    ] {
        let refused = put(&registry, UNVERIFIED, &with(good.clone(), name, value)).await;
        let refused = refused.fails_with(400, "INVALID_PARAMETERS");
        assert!(refused.contains(said), "{name}: {refused}");
    }
    let refused = put(&registry, "/enzi/v0/config/openid?verify=maybe", &good).await;
    refused.fails(400, "INVALID_PARAMETERS");
    let unreadable = with(good, "groupTeams", json!([{ "group": "g" }]));
    put(&registry, UNVERIFIED, &unreadable).await.fails(400, "INVALID_JSON");
}

impl Answer {
    /// The text of an error with this code.
    #[track_caller]
    fn fails_with(self, status: u16, code: &str) -> String {
        self.fails(status, code).json()["errors"][0]["message"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_user_is_tied_to_a_subject_and_has_no_password_then() {
    let registry = Registry::start().await;
    users(&registry, &["ann", "bob"]).await;
    let path = "/enzi/v0/accounts/ann/openid";
    let tie = json!({ "subject": "s-1" });
    put(&registry, path, &tie).await.fails(400, "INVALID_PARAMETERS");
    put(&registry, UNVERIFIED, &settings("http://127.0.0.1:1")).await.is(200);
    put(&registry, path, &json!({ "subject": "" })).await.fails(400, "INVALID_PARAMETERS");
    let by_bob = registry.ask("PUT", path).by(credentials("bob")).body(tie.to_string());
    by_bob.send().await.fails(403, "NOT_AUTHORIZED");
    let nobody = "/enzi/v0/accounts/nobody/openid";
    put(&registry, nobody, &tie).await.fails(404, "NO_SUCH_ACCOUNT");
    let tied = put(&registry, path, &tie).await.is(200).json();
    assert_eq!(tied, json!({ "issuerIdentifier": "http://127.0.0.1:1", "subject": "s-1" }));
    registry.ask("GET", path).by(credentials("ann")).send().await.is(401);
    put(&registry, "/enzi/v0/accounts/bob/openid", &tie).await.fails(400, "INVALID_PARAMETERS");
    put(&registry, "/enzi/v0/accounts/admin/openid", &tie).await.is(400);
    let own = json!({ "subject": "s-2" });
    put(&registry, "/enzi/v0/accounts/admin/openid", &own).await.fails(405, "NOT_ALLOWED");
    let change = registry.ask("POST", "/enzi/v0/accounts/ann/changePassword").by_admin();
    let change = change.body(json!({ "newPassword": "violet-kettle-37" }).to_string());
    let said = change.send().await.fails_with(400, "INVALID_PARAMETERS");
    assert!(said.contains("signs in by OpenID"), "{said}");
    registry.ask("DELETE", path).by_admin().send().await.is(204);
    let tied = registry.ask("GET", path).by_admin().send().await.is(200).json();
    assert_eq!(tied, json!({ "issuerIdentifier": "", "subject": "" }));
}

#[tokio::test]
async fn who_comes_without_a_sign_in_of_this_browser_is_nobody() {
    let registry = Registry::start().await;
    let get = |path: &str| registry.ask("GET", path);
    let said = get(LOGIN).send().await.fails_with(400, "INVALID_PARAMETERS");
    assert!(said.contains("do not sign in by OpenID"), "{said}");
    for path in ["//evil.example", "/%5Cevil.example", "https://evil.example", "x", "/%0d%0aa"] {
        let said = get(&format!("{LOGIN}?return={path}")).send().await;
        let said = said.fails_with(400, "INVALID_PARAMETERS");
        assert!(said.contains("return is a path"), "{said}");
    }
    put(&registry, UNVERIFIED, &settings("http://127.0.0.1:1")).await.is(200);
    let features = registry.ask("GET", "/api/v0/meta/features").by_admin().send().await.is(200);
    assert_eq!(features.json()["openIDEnabled"], true);
    for cookie in ["", "__Host-holdfast-openid=", "__Host-holdfast-openid=AAAA", "x=y"] {
        let answer = get(&format!("{CALLBACK}?code=a&state=b")).with("cookie", cookie).send().await;
        assert!(answer.header("set-cookie").ends_with("Max-Age=0"));
        answer.fails(400, "INVALID_PARAMETERS");
    }
    let page = get(&format!("{CALLBACK}?error=%3Cscript%3E")).with("accept", "text/html, */*");
    let page = page.send().await;
    assert_eq!(
        (page.status.as_u16(), page.header("content-type")),
        (400, "text/html; charset=utf-8")
    );
    let body = String::from_utf8_lossy(&page.body);
    assert!(body.contains("begin again") && !body.contains("<script>"), "{body}");
    let token = registry.ask("POST", "/api/v0/openid/access_token").body("days=3&csrfToken=x");
    token.send().await.fails(401, "NOT_AUTHENTICATED");
    let token = registry.ask("POST", "/api/v0/openid/access_token").by_admin();
    for days in ["", "0", "367", "-1", "x"] {
        let token = registry.ask("POST", "/api/v0/openid/access_token").by_admin();
        token.body(format!("days={days}")).send().await.fails(400, "INVALID_PARAMETERS");
    }
    let page = token.body("days=3").send().await.is(200);
    assert!(
        String::from_utf8_lossy(&page.body).contains("docker login --username admin reg.example")
    );
}

/// Listens and answers every request by its path, as long as the test runs.
async fn provider(answer: impl Fn(&str, &str) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let own = issuer.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { break };
                head.push(byte);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let _ = stream.write_all(answer(&own, &path).as_bytes()).await;
        }
    });
    issuer
}

fn http(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn document(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/auth"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
    })
}

#[tokio::test]
async fn a_provider_that_is_not_what_it_should_be_is_found_out_when_it_is_set() {
    type Answering = fn(&str, &str) -> String;
    let cases: [(Answering, &str); 9] = [
        (|_, _| http("200 OK", "<html>"), "no JSON"),
        (|_, _| http("404 Not Found", "{}"), "404"),
        (
            |_, _| http("302 Found\r\nlocation: http://127.0.0.1:1/", ""),
            "redirects are not followed",
        ),
        (|_, _| http("200 OK", &" ".repeat(600 * 1024)), "512 KiB"),
        (|_, _| "nonsense\r\n\r\n".to_owned(), "cannot be reached"),
        (|_, _| http("200 OK", r#"{"issuer":"https://evil.example"}"#), "it calls itself"),
        (|own, _| http("200 OK", &json!({ "issuer": own }).to_string()), "is missing"),
        (
            |own, path| match path {
                "/keys" => http("200 OK", r#"{"keys":[]}"#),
                _ => http("200 OK", &document(own).to_string()),
            },
            "no key",
        ),
        (
            |own, _| {
                let unsafe_one = with(document(own), "jwks_uri", json!("http://10.0.0.1/keys"));
                http("200 OK", &unsafe_one.to_string())
            },
            "jwks_uri",
        ),
    ];
    let registry = Registry::start().await;
    for (answer, said) in cases {
        let issuer = provider(answer).await;
        let refused = put(&registry, SETTINGS, &settings(&issuer)).await;
        let refused = refused.fails_with(400, "INVALID_PARAMETERS");
        assert!(refused.contains(said), "{said}: {refused}");
        assert!(!refused.contains("s3cret"), "{refused}");
    }
    let shown = registry.ask("GET", SETTINGS).by_admin().send().await.is(200).json();
    assert_eq!(shown["issuerIdentifier"], "", "nothing was changed");
}

#[tokio::test]
async fn who_signs_in_is_not_told_what_is_wrong_with_the_provider_and_does_not_wait_for_it() {
    let registry = Registry::start().await;
    let issuer = provider(|_, _| http("500 Internal Server Error", "secret-thing")).await;
    put(&registry, UNVERIFIED, &settings(&issuer)).await.is(200);
    for _ in 0..3 {
        let said = registry.ask("GET", LOGIN).send().await.fails_with(503, "UNAVAILABLE");
        assert!(said.contains("tell an administrator"), "{said}");
        assert!(!said.contains("127.0.0.1") && !said.contains("secret-thing"), "{said}");
    }
    // One that takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", silent.local_addr().unwrap());
    put(&registry, UNVERIFIED, &settings(&issuer)).await.is(200);
    let begun = Instant::now();
    registry.ask("GET", LOGIN).send().await.fails(503, "UNAVAILABLE");
    registry.ask("GET", LOGIN).send().await.fails(503, "UNAVAILABLE");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}
