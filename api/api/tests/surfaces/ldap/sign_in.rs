//! Who signs in by the directory, and who does not.

use serde_json::{Value, json};

use super::slapd::{MONITORED, Options, READER, Slapd, person, signs_in, use_directory};
use crate::harness::{ADMIN, Registry};
use crate::roles::ask;

fn people() -> String {
    [
        person("ann", "ann", "Ann Lee", "violet-kettle-37"),
        person("Bob", "bob", "Bob Ray", "marble-harbor-52"),
        // In base64, as LDIF wants what is not ASCII: "jürgen" and "Jürgen Süß".
        "dn:: dWlkPWrDvHJnZW4sb3U9cGVvcGxlLGRjPWV4YW1wbGU=\nobjectClass: inetOrgPerson\n\
         uid:: asO8cmdlbg==\ncn:: SsO8cmdlbiBTw7zDnw==\nsn: x\nuserPassword: umlaut-secret-1\n\n"
            .to_owned(),
        person("star", "a\\2cb*()\\\\c", "Star (\\*,)", "odd-letters-99"),
        person("two", "two-1", "First Two", "double-trouble-1"),
        person("two", "two-2", "Second Two", "double-trouble-2"),
    ]
    .concat()
}

#[tokio::test]
async fn people_sign_in_by_the_directory_and_get_an_account() {
    let Some(slapd) = Slapd::start(&people()) else { return };
    let registry = Registry::start().await;
    registry.user("local").await;
    use_directory(&registry, &slapd.settings()).await;

    signs_in(&registry, ("ann", "violet-kettle-37")).await.is(200);
    let ann = ask(&registry, "GET", "/enzi/v0/accounts/ann", "").await.is(200).json();
    let expected = (&json!("Ann Lee"), &json!(true), &json!(false));
    assert_eq!((&ann["fullName"], &ann["isImported"], &ann["isAdmin"]), expected);
    // Names have no upper case here, and the directory does not mind.
    for name in ["bob", "Bob", "BOB"] {
        signs_in(&registry, (name, "marble-harbor-52")).await.is(200);
    }
    ask(&registry, "GET", "/enzi/v0/accounts/bob", "").await.is(200);
    // Whoever is in the directory by an odd name is found by a plain one.
    signs_in(&registry, ("star", "odd-letters-99")).await.is(200);
    let who = ("ann", "violet-kettle-37");
    let token = registry.token(Some(who), &[]).await;
    registry.ask("GET", "/v2/").bearing(&token).send().await.is(200);

    for (name, password) in [
        ("ann", "violet-kettle-38"),
        ("ann", ""),
        ("", "violet-kettle-37"),
        ("nobody", "violet-kettle-37"),
        ("an*", "violet-kettle-37"),
        ("ann)(uid=*", "violet-kettle-37"),
        ("ann\\", "violet-kettle-37"),
        ("two", "double-trouble-1"),
        ("two", "double-trouble-2"),
        ("reader", READER.1),
        // Kept here, and no longer good.
        ("local", "pw"),
    ] {
        signs_in(&registry, (name, password)).await.is(401);
    }
    // Known there, and no name for an account here.
    let answer = signs_in(&registry, ("jürgen", "umlaut-secret-1")).await.is(401);
    assert!(String::from_utf8_lossy(&answer.body).contains("directory lets you in"), "{answer:?}");
    let count = ask(&registry, "GET", "/enzi/v0/accounts?filter=users", "").await.json();
    assert_eq!(count["usersCount"], 5, "admin, ann, bob, local, star");
}

#[tokio::test]
async fn the_recovery_administrator_signs_in_whatever_the_directory_does() {
    let Some(slapd) = Slapd::start(&people()) else { return };
    let registry = Registry::start().await;
    use_directory(&registry, &slapd.settings()).await;
    drop(slapd);
    signs_in(&registry, ADMIN).await.is(200);
    let down = signs_in(&registry, ("ann", "violet-kettle-37")).await.is(503);
    assert!(String::from_utf8_lossy(&down.body).contains("cannot be reached"), "{down:?}");
    ask(&registry, "PUT", "/enzi/v0/config/auth", r#"{"backend":"managed"}"#).await.is(200);
}

#[tokio::test]
async fn a_local_administrator_is_nobodys_by_the_same_name() {
    let Some(slapd) = Slapd::start(&people()) else { return };
    let registry = Registry::start().await;
    let body = r#"{"name":"ann","password":"copper-lantern-64","isAdmin":true}"#;
    ask(&registry, "POST", "/enzi/v0/accounts", body).await.is(201);
    registry.user("bob").await;
    use_directory(&registry, &slapd.settings()).await;
    let refused = signs_in(&registry, ("ann", "violet-kettle-37")).await.is(401);
    assert!(String::from_utf8_lossy(&refused.body).contains("not yours"), "{refused:?}");
    // A user who is none becomes theirs, and keeps what is granted to that name.
    signs_in(&registry, ("bob", "marble-harbor-52")).await.is(200);
    ask(&registry, "PATCH", "/enzi/v0/accounts/ann", r#"{"isAdmin":false}"#).await.is(200);
    signs_in(&registry, ("ann", "violet-kettle-37")).await.is(200);
}

#[tokio::test]
async fn an_account_is_made_from_the_directory_before_its_owner_signs_in() {
    let Some(slapd) = Slapd::start(&people()) else { return };
    let registry = Registry::start().await;
    let body = |name: &str| json!({ "name": name, "searchLDAP": true }).to_string();
    let accounts = "/enzi/v0/accounts";
    ask(&registry, "POST", accounts, &body("ann")).await.fails(400, "INVALID_PARAMETERS");
    use_directory(&registry, &slapd.settings()).await;
    let made = ask(&registry, "POST", accounts, &body("ann")).await.is(201).json();
    assert_eq!((&made["name"], &made["fullName"]), (&json!("ann"), &json!("Ann Lee")));
    ask(&registry, "POST", accounts, &body("nobody")).await.fails(400, "INVALID_PARAMETERS");

    let change = r#"{"newPassword":"another-secret-1"}"#;
    let path = "/enzi/v0/accounts/ann/changePassword";
    let refused = ask(&registry, "POST", path, change).await.fails(400, "INVALID_PARAMETERS");
    assert!(String::from_utf8_lossy(&refused.body).contains("change the password there"));
    let change = r#"{"oldPassword":"admin's password","newPassword":"another-secret-1"}"#;
    let path = "/enzi/v0/accounts/admin/changePassword";
    ask(&registry, "POST", path, change).await.is(200);
}

#[tokio::test]
async fn tls_is_wanted_and_its_certificate_is_checked() {
    let Some(slapd) = Slapd::start(&people()) else { return };
    let registry = Registry::start().await;
    let (plain, tls) = (format!("ldap://{}", slapd.plain), format!("ldaps://{}", slapd.tls));
    let other = wire::certificate::make_ca("other", 1_700_000_000_000).unwrap().certificate_pem;
    let try_it = async |changes: Value| {
        let mut settings = slapd.settings();
        for (field, value) in changes.as_object().unwrap() {
            settings[field] = value.clone();
        }
        let body = json!({
            "username": "ann", "password": "violet-kettle-37", "ldapSettings": settings,
        });
        let path = "/enzi/v0/config/auth/ldap/tryLogin";
        ask(&registry, "POST", path, &body.to_string()).await
    };
    let good = [
        json!({ "serverURL": tls, "rootCerts": slapd.ca }),
        json!({ "serverURL": plain, "startTLS": true, "rootCerts": slapd.ca }),
        json!({ "serverURL": tls, "startTLS": true, "rootCerts": slapd.ca }),
        json!({ "serverURL": tls, "tlsSkipVerify": true }),
    ];
    for changes in good {
        assert_eq!(try_it(changes).await.is(200).json()["name"], "ann");
    }
    let bad = [
        json!({ "serverURL": tls, "rootCerts": other }),
        json!({ "serverURL": plain, "startTLS": true, "rootCerts": other }),
        json!({ "serverURL": tls }),
        // TLS where there is none, and none where there is.
        json!({ "serverURL": format!("ldaps://{}", slapd.plain), "tlsSkipVerify": true }),
        json!({ "serverURL": format!("ldap://{}", slapd.tls) }),
    ];
    for changes in bad {
        let answer = try_it(changes.clone()).await.fails(400, "INVALID_PARAMETERS");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let is_named = ["cannot be reached", "did not answer", "rootCerts"];
        assert!(is_named.iter().any(|said| text.contains(said)), "{changes} {text}");
    }
}

#[tokio::test]
async fn whom_the_directory_does_not_know_costs_what_a_wrong_password_costs() {
    let options = Options { ldif: people(), lines: MONITORED };
    let Some(slapd) = Slapd::start_with(&options) else { return };
    let registry = Registry::start().await;
    use_directory(&registry, &slapd.settings()).await;
    let mut steps = Vec::new();
    for name in ["ann", "nobody"] {
        let before = slapd.binds();
        signs_in(&registry, (name, "violet-kettle-38")).await.is(401);
        steps.push(slapd.binds() - before);
    }
    assert_eq!(steps, [2, 2], "the reader's, and the person's");
}
