//! Signing in by OpenID: three replicas, and a real provider that node runs.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "openid/browser.rs"]
mod browser;
#[path = "openid/provider.rs"]
mod provider;
#[path = "openid/refusals.rs"]
mod refusals;

use std::fs;
use std::time::Duration;

use browser::{Browser, session, sign_in};
use chaos_tests::cluster::{ADMIN, Cluster};
use chaos_tests::executable::{self, text};
use chaos_tests::logs;
use provider::{Options, Provider, SECRET};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

const SETTINGS: &str = "/enzi/v0/config/openid";
const PASSWORD: &str = "violet-kettle-37";

/// No replica may have panicked or logged a secret.
fn ends_well(cluster: &Cluster) {
    let complaints = logs::complaints(cluster).unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    for replica in &cluster.replicas {
        let log = replica.log_text();
        for secret in [SECRET, "code=", "id_token", "eyJ"] {
            assert!(!log.contains(secret), "{} tells {secret}", replica.log.display());
        }
    }
}

/// The administrator's request at the replica at `place`: status and answer.
async fn ask(
    cluster: &Cluster,
    place: usize,
    (method, path, body): (Method, &str, Value),
) -> (StatusCode, Value) {
    let request = cluster.registry.basic(place, method, path).json(&body);
    let answer = request.send().await.unwrap();
    let (status, body) = (answer.status(), answer.text().await.unwrap());
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

/// The same, which must go well.
async fn done(cluster: &Cluster, place: usize, asked: (Method, &str, Value)) -> Value {
    let path = asked.1.to_owned();
    let (status, answer) = ask(cluster, place, asked).await;
    assert!(status.is_success(), "{path}: {status} {answer}");
    answer
}

/// Every member of a team, as it is told at a replica.
async fn members(cluster: &Cluster, place: usize, team: &str) -> Vec<String> {
    let path = format!("/enzi/v0/accounts/acme/teams/{team}/members?limit=100");
    let answer = done(cluster, place, (Method::GET, &path, json!({}))).await;
    let members = answer["members"].as_array().unwrap().iter();
    let mut names: Vec<String> =
        members.map(|it| it["member"]["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// An organization with two teams that follow groups, and a provider that says who is in them.
async fn stage(options: Options) -> Option<(Cluster, Provider, Client)> {
    let cluster = Cluster::start(3).await.unwrap();
    let provider = Provider::start(&cluster, options).await?;
    let organization = json!({ "name": "acme", "isOrg": true });
    done(&cluster, 0, (Method::POST, "/enzi/v0/accounts", organization)).await;
    for team in ["builders", "readers"] {
        let body = json!({ "name": team });
        done(&cluster, 0, (Method::POST, "/enzi/v0/accounts/acme/teams", body)).await;
    }
    let ca = fs::read_to_string(cluster.ca_file().await.unwrap()).unwrap();
    let http = browser::client(&[&ca, &provider.certificate]);
    Some((cluster, provider, http))
}

fn with(mut settings: Value, more: &[(&str, Value)]) -> Value {
    for (name, value) in more {
        settings[*name] = value.clone();
    }
    settings
}

fn following() -> [(&'static str, Value); 2] {
    let pair =
        |group: &str, team: &str| json!({ "group": group, "organization": "acme", "team": team });
    [
        ("groupTeams", json!([pair("makers", "builders"), pair("all", "readers")])),
        ("adminGroup", json!("root")),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_leave_one_replica_come_back_to_another_and_are_known_on_all() {
    let Some((cluster, provider, http)) = stage(Options { tls: true, ..Options::default() }).await
    else {
        return;
    };
    let settings = with(provider.settings(), &following());
    let shown = done(&cluster, 0, (Method::PUT, SETTINGS, settings)).await;
    assert!(shown.get("clientSecret").is_none() && shown["enabled"] == true, "{shown}");
    assert_eq!(shown["groupTeams"][0]["team"], "builders");
    let callback = format!("{}{}", cluster.replicas[0].http, provider::CALLBACK);
    assert_eq!(shown["callbackURL"], callback);

    // Groups are told by the provider's userinfo alone here.
    let olga = |name: &str, groups: &[&str]| {
        let full_name = "Olga Dahl";
        json!({ "sub": "s-1", "preferred_username": name, "name": full_name, "groups": groups })
    };
    provider.person(olga("Olga", &["makers", "strangers"])).await;
    let page = sign_in(&cluster, &http, (0, 1)).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("url=/somewhere?a=b\""), "{}", page.body);
    for place in 0..3 {
        let session = session(&cluster, place, &page.cookie).await;
        assert_eq!((&session["username"], &session["isAdmin"]), (&json!("olga"), &json!(false)));
    }
    assert_eq!(members(&cluster, 2, "builders").await, ["olga"]);
    assert!(members(&cluster, 2, "readers").await.is_empty());
    let account = "/enzi/v0/accounts/olga";
    let before = done(&cluster, 0, (Method::GET, account, json!({}))).await;
    assert_eq!((&before["fullName"], &before["isImported"]), (&json!("Olga Dahl"), &json!(true)));

    // Called otherwise by now, in another group, and an administrator.
    provider.person(olga("olga.dahl", &["all", "root"])).await;
    let page = sign_in(&cluster, &http, (2, 0)).await;
    assert_eq!(session(&cluster, 1, &page.cookie).await["isAdmin"], true);
    assert!(members(&cluster, 1, "builders").await.is_empty());
    assert_eq!(members(&cluster, 1, "readers").await, ["olga"]);
    let after = done(&cluster, 1, (Method::GET, account, json!({}))).await;
    assert_eq!(after["id"], before["id"]);
    let (status, _) =
        ask(&cluster, 0, (Method::GET, "/enzi/v0/accounts/olga.dahl", json!({}))).await;
    assert_eq!(status, 404);
    provider.person(olga("olga", &[])).await;
    let page = sign_in(&cluster, &http, (1, 1)).await;
    assert_eq!(session(&cluster, 0, &page.cookie).await["isAdmin"], false);
    assert!(members(&cluster, 0, "readers").await.is_empty());
    tokens_of_a_session(&cluster, &page.cookie).await;

    let records = done(&cluster, 1, (Method::GET, "/api/v0/audit?pageSize=100", json!({}))).await;
    let records = records["records"].to_string();
    assert_eq!(records.matches("\"openid.sign-in\"").count(), 3, "{records}");
    assert!(records.contains("\"openid.update\"") && !records.contains(SECRET), "{records}");
    let path = "/enzi/v0/accounts/olga/openid";
    let tied = done(&cluster, 2, (Method::GET, path, json!({}))).await;
    assert_eq!(tied, json!({ "issuerIdentifier": provider.issuer, "subject": "s-1" }));
    ends_well(&cluster);
}

/// What docker needs is made in a session and good at other replicas; a password is not.
async fn tokens_of_a_session(cluster: &Cluster, cookie: &str) {
    let csrf = session(cluster, 0, cookie).await["csrfToken"].as_str().unwrap().to_owned();
    let request = cluster.registry.bare(0, Method::POST, "/api/v0/api_tokens");
    let made = request.header("cookie", cookie).header("x-csrf-token", &csrf);
    let made: Value = made.json(&json!({})).send().await.unwrap().json().await.unwrap();
    // And by the form of the page, which needs the same proof.
    let form = |csrf: &str| {
        let request = cluster.registry.bare(1, Method::POST, "/api/v0/openid/access_token");
        let request = request.header("cookie", cookie).header("accept", "text/html");
        request.body(format!("csrfToken={csrf}&days=3"))
    };
    assert_eq!(form("").send().await.unwrap().status(), 403);
    let page = form(&csrf).send().await.unwrap().text().await.unwrap();
    let by_page = page.split("<pre>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(by_page.starts_with("hf_"), "{page}");
    for (place, token) in [(1, made["token"].as_str().unwrap()), (2, by_page.as_str())] {
        let as_olga = |path: &str, password: &str| {
            cluster.registry.bare(place, Method::GET, path).basic_auth("olga", Some(password))
        };
        let given = as_olga("/auth/token?service=s&scope=repository:olga/app:pull,push", token);
        let given: Value = given.send().await.unwrap().json().await.unwrap();
        let upload = cluster.registry.bare(place, Method::POST, "/v2/olga/app/blobs/uploads/");
        let upload = upload.bearer_auth(given["token"].as_str().unwrap()).send().await.unwrap();
        assert!(matches!(upload.status().as_u16(), 202 | 404), "{}", upload.status());
        assert_eq!(as_olga("/v2/", token).send().await.unwrap().status(), 200);
        for wrong in ["", "a password", SECRET] {
            let refused = as_olga("/v2/", wrong).send().await.unwrap();
            assert_eq!(refused.status(), 401);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_exchanged_and_a_public_client_signs_people_in_too() {
    let options = Options { claims_in_token: true, ..Options::default() };
    let Some((cluster, provider, http)) = stage(options).await else { return };
    let public = [("clientID", json!("public")), ("clientSecret", json!(""))];
    for (number, more) in [&[][..], &public].into_iter().enumerate() {
        let settings = with(provider.settings(), more);
        done(&cluster, number, (Method::PUT, SETTINGS, settings)).await;
        let name = format!("user-{number}");
        let claims = json!({ "sub": name, "preferred_username": name, "name": "U" });
        provider.person(claims).await;
        let page = sign_in(&cluster, &http, (number, 2)).await;
        assert_eq!(page.status, 200, "{}", page.body);
        provider.exchange_keys().await;
        // The replica knows the former keys, and does not ask again at once.
        tokio::time::sleep(Duration::from_secs(6)).await;
        let page = sign_in(&cluster, &http, (number, 2)).await;
        assert_eq!(page.status, 200, "{}", page.body);
        assert_eq!(session(&cluster, 0, &page.cookie).await["username"], json!(name));
    }
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sets_it_up_from_the_command_line() {
    let options = Options { tls: true, ..Options::default() };
    let Some((cluster, provider, http)) = stage(options).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        text(&path)
    };
    let password = file("password", &cluster.password);
    let (secret, authority) = (file("secret", SECRET), file("ca.pem", &provider.certificate));
    let ca = text(&cluster.ca_file().await.unwrap());
    let holdfast = async |place: usize, line: &str| {
        let mut words: Vec<&str> = line.split(' ').collect();
        let url = cluster.replicas[place].url.clone();
        words.extend(["--url", &url, "--username", ADMIN, "--password-file", &password]);
        words.extend(["--ca", &ca]);
        executable::run(&words).await.unwrap()
    };
    let does = async |place: usize, line: &str| {
        holdfast(place, line).await.expect_done().unwrap_or_else(|it| panic!("{line}: {it}"))
    };
    assert!(does(0, "openid show").await.contains("enabled\tno"));
    let wrong = format!("openid set --issuer {}/ --client-id registry", provider.issuer);
    let wrong = holdfast(0, &format!("{wrong} --root-certs {authority}")).await;
    assert!(wrong.status == Some(1) && wrong.err.contains("it calls itself"), "{wrong}");
    let set = format!(
        "openid set --issuer {} --client-id registry --client-secret-file {secret} \
         --root-certs {authority} --scopes profile,groups --admin-group root",
        provider.issuer
    );
    does(0, &set).await;
    does(1, "openid map makers acme builders").await;
    let unknown = holdfast(1, "openid map makers acme nobody").await;
    assert!(unknown.status == Some(1) && unknown.err.contains("no team"), "{unknown}");
    let shown = does(2, "openid show").await;
    for expected in ["enabled\tyes", "acme/builders of makers", "scopes\topenid profile groups"] {
        assert!(shown.contains(expected), "{shown}");
    }
    // The secret that is kept goes on being used.
    let claims = json!({ "sub": "s-7", "preferred_username": "ann", "groups": ["makers"] });
    provider.person(claims).await;
    let user = json!({ "name": "ann", "password": PASSWORD });
    done(&cluster, 0, (Method::POST, "/enzi/v0/accounts", user)).await;
    assert_eq!(sign_in(&cluster, &http, (0, 0)).await.status, 403, "it is another's");
    does(0, "openid tie ann s-7").await;
    assert!(does(1, "openid subject ann").await.contains("subject\ts-7"));
    assert_eq!(sign_in(&cluster, &http, (0, 0)).await.status, 200);
    assert_eq!(members(&cluster, 1, "builders").await, ["ann"]);
    does(2, "openid unmap makers acme builders").await;
    does(2, "openid untie ann").await;
    assert_eq!(sign_in(&cluster, &http, (0, 0)).await.status, 403);
    does(0, "openid set --enabled false --no-verify").await;
    let mut browser = Browser::new(&http);
    let login = format!("{}/api/v0/openid/login", cluster.replicas[2].url);
    assert_eq!(browser.get(&login.parse().unwrap()).await.status(), 400);
    ends_well(&cluster);
}
