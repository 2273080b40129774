//! Settings: who may read and set them, that their secrets stay in, and what a trial says.

use serde_json::{Value, json};

use super::slapd::{BACKEND, LDAP, READER, SYNC, Slapd, person, settings};
use crate::harness::Registry;
use crate::roles::ask;

const TRY: &str = "/enzi/v0/config/auth/ldap/tryLogin";

#[tokio::test]
async fn only_administrators_see_and_set_how_the_directory_is_reached() {
    let registry = Registry::start().await;
    registry.user("bob").await;
    registry.organization("org").await;
    for (method, path) in [
        ("GET", BACKEND),
        ("PUT", BACKEND),
        ("GET", LDAP),
        ("PUT", LDAP),
        ("POST", TRY),
        ("GET", SYNC),
        ("POST", SYNC),
        ("GET", "/enzi/v0/accounts/org/adminMemberSyncConfig"),
        ("PUT", "/enzi/v0/accounts/org/adminMemberSyncConfig"),
        ("GET", "/enzi/v0/config/accounts"),
        ("PUT", "/enzi/v0/config/accounts"),
        ("POST", "/enzi/v0/admin/importAccounts"),
    ] {
        let by_bob = registry.ask(method, path).by(("bob", "pw")).body("{}").send().await;
        by_bob.fails(403, "NOT_AUTHORIZED");
        registry.ask(method, path).body("{}").send().await.is(401);
    }
}

#[tokio::test]
async fn the_readers_password_goes_in_and_never_out_and_never_elsewhere() {
    let registry = Registry::start().await;
    let here = settings("ldap://127.0.0.1:9");
    let set = ask(&registry, "PUT", LDAP, &here.to_string()).await.is(200);
    let shown = ask(&registry, "GET", LDAP, "").await.is(200);
    for answer in [&set, &shown] {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!text.contains(READER.1) && text.contains("cn=reader"), "{text}");
    }
    let kept = registry
        .cluster
        .read(consensus::cluster::Freshness::Local, |view| metadata::directory::ldap(view));
    let sealed = kept.await.unwrap().unwrap().sealed_reader_password;
    let secret = READER.1.as_bytes();
    assert!(!sealed.is_empty() && !sealed.windows(secret.len()).any(|part| part == secret));

    // As it was shown it is kept, with the password.
    ask(&registry, "PUT", LDAP, &shown.json().to_string()).await.is(200);
    for (field, value) in [
        ("serverURL", json!("ldap://evil.example")),
        ("readerDN", json!("cn=other,dc=example")),
        ("tlsSkipVerify", json!(true)),
    ] {
        let mut elsewhere = shown.json();
        elsewhere[field] = value;
        for (path, body) in [
            (LDAP, elsewhere.clone()),
            (TRY, json!({ "username": "a", "password": "b", "ldapSettings": elsewhere })),
        ] {
            let method = if path == LDAP { "PUT" } else { "POST" };
            let answer = ask(&registry, method, path, &body.to_string()).await;
            let answer = answer.fails(400, "INVALID_PARAMETERS");
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(text.contains("give readerPassword again"), "{field}: {text}");
        }
    }
}

#[tokio::test]
async fn the_backend_wants_settings_and_somebody_for_bad_days() {
    let registry = Registry::start().await;
    let use_ldap = r#"{"backend":"ldap"}"#;
    let refused = ask(&registry, "PUT", BACKEND, use_ldap).await.fails(400, "INVALID_PARAMETERS");
    assert!(String::from_utf8_lossy(&refused.body).contains("how it is reached"));
    ask(&registry, "PUT", BACKEND, r#"{"backend":"nis"}"#).await.fails(400, "INVALID_PARAMETERS");
    ask(&registry, "PUT", BACKEND, "{}").await.fails(400, "INVALID_JSON");
    let mut nobody = settings("ldap://127.0.0.1:9");
    nobody["recoveryAdminUsername"] = json!("nobody");
    ask(&registry, "PUT", LDAP, &nobody.to_string()).await.is(200);
    let refused = ask(&registry, "PUT", BACKEND, use_ldap).await.fails(400, "INVALID_PARAMETERS");
    assert!(String::from_utf8_lossy(&refused.body).contains("recoveryAdminUsername"));
    ask(&registry, "POST", SYNC, "").await.fails(400, "INVALID_PARAMETERS");

    // Given with its password, the recovery administrator is made.
    nobody["recoveryAdminPassword"] = json!("short");
    ask(&registry, "PUT", LDAP, &nobody.to_string()).await.fails(400, "INVALID_PARAMETERS");
    nobody["recoveryAdminPassword"] = json!("copper-lantern-64");
    ask(&registry, "PUT", LDAP, &nobody.to_string()).await.is(200);
    ask(&registry, "PUT", BACKEND, use_ldap).await.is(200);
    let by = ("nobody", "copper-lantern-64");
    let shown = registry.ask("GET", BACKEND).by(by).send().await.is(200).json();
    assert_eq!(shown, json!({ "backend": "ldap" }));
    let gone = registry.ask("DELETE", "/enzi/v0/accounts/nobody").by(by).send().await;
    gone.fails(405, "NOT_ALLOWED");
}

#[tokio::test]
async fn a_trial_says_what_is_wrong_and_changes_nothing() {
    let Some(slapd) = Slapd::start(&person("ann", "ann", "Ann Lee", "violet-kettle-37")) else {
        return;
    };
    let registry = Registry::start().await;
    let try_it = async |changes: &[(&str, Value)], (username, password): (&str, &str)| {
        let mut settings = slapd.settings();
        for (place, value) in changes {
            *settings.pointer_mut(place).unwrap() = value.clone();
        }
        let body = json!({
            "username": username, "password": password, "ldapSettings": settings,
        });
        ask(&registry, "POST", TRY, &body.to_string()).await
    };
    let ann = ("ann", "violet-kettle-37");
    let tried = try_it(&[], ann).await.is(200).json();
    assert_eq!((&tried["name"], &tried["fullName"]), (&json!("ann"), &json!("Ann Lee")));
    ask(&registry, "GET", "/enzi/v0/accounts/ann", "").await.fails(404, "NO_SUCH_ACCOUNT");
    let cases = [
        (vec![], ("ann", "wrong"), "does not let them in"),
        (vec![], ("eve", "wrong"), "find nobody"),
        (vec![("/readerPassword", json!("wrong"))], ann, "readerDN or readerPassword is wrong"),
        (vec![("/userSearchConfigs/0/baseDN", json!("ou=x,dc=example"))], ann, "result 32"),
        (vec![("/userSearchConfigs/0/filter", json!("objectClass=device"))], ann, "find nobody"),
        (vec![("/userSearchConfigs/0/usernameAttr", json!("mail"))], ann, "find nobody"),
        (vec![("/serverURL", json!("ldap://127.0.0.1:1"))], ann, "cannot be reached"),
        (vec![("/serverURL", json!("ldap:/x"))], ann, "serverURL reads like"),
        (vec![], ("ann", ""), "username and password are needed"),
    ];
    for (changes, who, said) in cases {
        let answer = try_it(&changes, who).await.fails(400, "INVALID_PARAMETERS");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(text.contains(said), "{changes:?} {who:?}: {text}");
    }
    // Settings that are kept are tried where none are given.
    let body = json!({ "username": "ann", "password": "violet-kettle-37" }).to_string();
    ask(&registry, "POST", TRY, &body).await.fails(400, "INVALID_PARAMETERS");
    ask(&registry, "PUT", LDAP, &slapd.settings().to_string()).await.is(200);
    ask(&registry, "POST", TRY, &body).await.is(200);
}
