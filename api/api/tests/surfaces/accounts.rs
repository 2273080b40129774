//! `/enzi/v0/accounts`: users and organizations.

use serde_json::{Value, json};

use crate::harness::{ADMIN, Registry};
use crate::roles::{ask, check, follow, text};

const ALL: &str = "/enzi/v0/accounts";

fn at(account: &str) -> String {
    format!("{ALL}/{account}")
}

#[tokio::test]
async fn a_user_is_created_shown_changed_and_deleted() {
    let registry = Registry::start().await;
    let body = r#"{"name":"ann","fullName":"Ann Lee","password":"long-enough","unknown":1}"#;
    let made = ask(&registry, "POST", ALL, body).await.is(201).json();
    let id = text(&made, "/id");
    assert_eq!(id.len(), 36, "{id}");
    let expected = json!({
        "id": id, "name": "ann", "fullName": "Ann Lee", "isOrg": false, "isAdmin": false,
        "isActive": true, "isImported": false, "onDemand": false, "otpEnabled": false,
        "membersCount": 0, "teamsCount": 0, "quotaBytes": 0, "usedBytes": 0,
    });
    assert_eq!(made, expected);
    ask(&registry, "POST", ALL, body).await.fails(400, "ACCOUNT_EXISTS");
    let who = ("ann", "long-enough");
    for name in ["ann", &id, &id.replace('-', "")] {
        let shown = registry.ask("GET", &at(name)).by(who).send().await.is(200).json();
        assert_eq!(shown, expected, "{name}");
    }
    let change = r#"{"isAdmin":true,"fullName":null}"#;
    let changed = ask(&registry, "PATCH", &at(&id), change).await.is(200).json();
    assert_eq!((&changed["isAdmin"], &changed["fullName"]), (&json!(true), &json!("Ann Lee")));
    let change = r#"{"isActive":false}"#;
    let changed = ask(&registry, "PATCH", &at("ann"), change).await.is(200).json();
    assert_eq!((&changed["isAdmin"], &changed["isActive"]), (&json!(true), &json!(false)));
    registry.ask("GET", ALL).by(who).send().await.is(401);
    ask(&registry, "DELETE", &at("ann"), "").await.is(204);
    for method in ["GET", "PATCH", "DELETE"] {
        ask(&registry, method, &at("ann"), "").await.fails(404, "NO_SUCH_ACCOUNT");
        ask(&registry, method, &at(&id), "").await.fails(404, "NO_SUCH_ACCOUNT");
    }
}

#[tokio::test]
async fn a_user_may_begin_as_an_administrator_or_inactive() {
    let registry = Registry::start().await;
    let cases = [
        ("", false, true, 200),
        (r#","isAdmin":true"#, true, true, 200),
        (r#","isActive":true,"isAdmin":false"#, false, true, 200),
        (r#","isActive":false,"isAdmin":true"#, true, false, 401),
        (r#","isActive":null,"isAdmin":null,"isOrg":null,"searchLDAP":false"#, false, true, 200),
    ];
    for (at, (fields, is_admin, is_active, signs_in)) in cases.into_iter().enumerate() {
        let name = format!("user{at}");
        let body = format!(r#"{{"name":"{name}","password":"long-enough"{fields}}}"#);
        let made = ask(&registry, "POST", ALL, &body).await.is(201).json();
        let standing = (&made["isAdmin"], &made["isActive"]);
        assert_eq!(standing, (&json!(is_admin), &json!(is_active)), "{fields}");
        registry.ask("GET", "/v2/").by((&name, "long-enough")).send().await.is(signs_in);
    }
}

#[tokio::test]
async fn of_two_who_create_the_same_user_one_is_told() {
    let registry = Registry::start().await;
    let body = r#"{"name":"eve","password":"long-enough"}"#;
    let twice = || ask(&registry, "POST", ALL, body);
    let (first, second) = tokio::join!(twice(), twice());
    let (made, refused) = if first.status == 201 { (first, second) } else { (second, first) };
    assert_eq!(made.is(201).json()["name"], "eve");
    refused.fails(400, "ACCOUNT_EXISTS");
}

#[tokio::test]
async fn an_organization_is_an_account_without_a_password() {
    let registry = Registry::start().await;
    let body = r#"{"name":"org","isOrg":true,"fullName":"The Org","password":"","isAdmin":false}"#;
    let made = ask(&registry, "POST", ALL, body).await.is(201).json();
    assert_eq!((&made["isOrg"], &made["fullName"]), (&json!(true), &json!("The Org")));
    ask(&registry, "POST", ALL, body).await.fails(400, "ACCOUNT_EXISTS");
    let user = r#"{"name":"org","password":"long-enough"}"#;
    ask(&registry, "POST", ALL, user).await.fails(400, "ACCOUNT_EXISTS");
    registry.user("ann").await;
    ask(&registry, "PUT", &at("org/members/ann"), "").await.is(200);
    ask(&registry, "POST", &at("org/teams"), r#"{"name":"dev"}"#).await.is(201);
    let shown = ask(&registry, "GET", &at("org"), "").await.is(200).json();
    assert_eq!((&shown["membersCount"], &shown["teamsCount"]), (&json!(1), &json!(1)));
    let change = r#"{"isAdmin":true}"#;
    ask(&registry, "PATCH", &at("org"), change).await.fails(400, "INVALID_PARAMETERS");
    let change = r#"{"fullName":"Other"}"#;
    let changed = ask(&registry, "PATCH", &at("org"), change).await.is(200).json();
    assert_eq!(changed["fullName"], "Other");
    registry.push_image("org/app", "v1", "one").await;
    ask(&registry, "DELETE", "/api/v0/accounts/org", "").await.is(204);
    ask(&registry, "DELETE", "/api/v0/accounts/org", "").await.fails(404, "NO_SUCH_ACCOUNT");
    ask(&registry, "GET", "/v2/org/app/manifests/v1", "").await.is(404);
    let shown = ask(&registry, "GET", &at("ann/organizations"), "").await.is(200).json();
    assert_eq!(shown, json!({ "memberOrgs": [] }));
}

#[tokio::test]
async fn what_does_not_do_is_refused_with_its_code() {
    let registry = Registry::start().await;
    let cases = [
        ("{}", "INVALID_PARAMETERS"),
        (r#"{"name":"","password":"long-enough"}"#, "INVALID_PARAMETERS"),
        (r#"{"name":null,"password":"long-enough"}"#, "INVALID_PARAMETERS"),
        (r#"{"name":"Bad Name","password":"long-enough"}"#, "INVALID_PARAMETERS"),
        (r#"{"name":"a/b","password":"long-enough"}"#, "INVALID_PARAMETERS"),
        (r#"{"name":"docker-datacenter","password":"long-enough"}"#, "INVALID_PARAMETERS"),
        (r#"{"name":"language","isOrg":true}"#, "INVALID_PARAMETERS"),
        (r#"{"name":"bob"}"#, "INVALID_PARAMETERS"),
        (r#"{"name":"bob","password":"short-1"}"#, "INVALID_PARAMETERS"),
        (r#"{"name":"bob","password":"PassWord1"}"#, "INVALID_PARAMETERS"),
        (r#"{"name":"bob-the-builder","password":"Bob-The-Builder"}"#, "INVALID_PARAMETERS"),
        (r#"{"name":"bob","password":"long-enough","searchLDAP":true}"#, "INVALID_PARAMETERS"),
        (r#"{"name":"org","isOrg":true,"password":"long-enough"}"#, "INVALID_PARAMETERS"),
        (r#"{"name":"org","isOrg":true,"isAdmin":true}"#, "INVALID_PARAMETERS"),
        (r#"{"name":"bob","password":12345678}"#, "INVALID_JSON"),
        (r#"{"name":"bob","password":"long-enough","isAdmin":"yes"}"#, "INVALID_JSON"),
        (r#"["bob"]"#, "INVALID_JSON"),
        (r#"{"name":"#, "INVALID_JSON"),
    ];
    for (body, code) in cases {
        ask(&registry, "POST", ALL, body).await.fails(400, code);
    }
    let id = "0123456789abcdef0123456789abcdef";
    let long = "x".repeat(1_025);
    let documents = [
        json!({ "name": "a".repeat(101), "password": "long-enough" }),
        json!({ "name": id, "password": "long-enough" }),
        json!({ "name": "bob", "password": "long-enough", "fullName": long }),
        json!({ "name": "org", "isOrg": true, "fullName": long }),
        json!({ "name": "bob", "password": "x".repeat(4_097) }),
    ];
    for document in documents {
        let answer = ask(&registry, "POST", ALL, &document.to_string()).await;
        answer.fails(400, "INVALID_PARAMETERS");
    }
    let long = json!({ "fullName": long }).to_string();
    ask(&registry, "PATCH", &at("admin"), &long).await.fails(400, "INVALID_PARAMETERS");
    ask(&registry, "PATCH", &at("admin"), "{").await.fails(400, "INVALID_JSON");
    for query in
        ["filter=some", "limit=0", "limit=-1", "limit=x", "start=a%2Fb", &format!("start={id}")]
    {
        let path = format!("{ALL}?{query}");
        ask(&registry, "GET", &path, "").await.fails(400, "INVALID_PARAMETERS");
    }
    let listed = ask(&registry, "GET", ALL, "").await.is(200).json();
    assert_eq!(listed["resourceCount"], 1, "nothing came of all that");
}

#[tokio::test]
async fn everyone_who_signed_in_reads_accounts_and_administrators_make_them() {
    let registry = Registry::start().await;
    registry.user("ann").await;
    registry.user("bob").await;
    let user = r#"{"name":"carl","password":"long-enough"}"#;
    let named = r#"{"fullName":"X"}"#;
    let admin = r#"{"isAdmin":false}"#;
    let active = r#"{"isActive":true}"#;
    let password = r#"{"oldPassword":"pw","newPassword":"pw"}"#;
    check(
        &registry,
        ["", "bob", "ann", "admin"],
        &[
            ("GET", ALL, "", [401, 200, 200, 200]),
            ("GET", "/enzi/v0/accounts/ann", "", [401, 200, 200, 200]),
            ("GET", "/enzi/v0/accounts/none", "", [401, 404, 404, 404]),
            ("POST", ALL, user, [401, 403, 403, 201]),
            ("POST", ALL, "{", [401, 403, 403, 400]),
            ("PATCH", "/enzi/v0/accounts/ann", named, [401, 403, 200, 200]),
            ("PATCH", "/enzi/v0/accounts/ann", admin, [401, 403, 403, 200]),
            ("PATCH", "/enzi/v0/accounts/ann", active, [401, 403, 403, 200]),
            ("PATCH", "/enzi/v0/accounts/none", named, [401, 403, 403, 404]),
            ("GET", "/enzi/v0/accounts/ann/organizations", "", [401, 403, 200, 200]),
            ("GET", "/enzi/v0/accounts/none/organizations", "", [401, 404, 404, 404]),
            ("POST", "/enzi/v0/accounts/ann/changePassword", password, [401, 403, 400, 400]),
            ("POST", "/enzi/v0/accounts/none/changePassword", password, [401, 403, 403, 404]),
            ("DELETE", "/enzi/v0/accounts/none", "", [401, 403, 403, 404]),
            ("DELETE", "/api/v0/accounts/none", "", [401, 403, 403, 404]),
            ("DELETE", "/api/v0/accounts/carl", "", [401, 403, 403, 204]),
            ("DELETE", "/enzi/v0/accounts/ann", "", [401, 403, 403, 204]),
            ("GET", "/enzi/v0/accounts/ann", "", [401, 404, 401, 404]),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let registry = Registry::start().await;
    let ways = [("PATCH", r#"{"isAdmin":false}"#), ("PATCH", r#"{"isActive":false}"#)];
    for (method, body) in ways.into_iter().chain([("DELETE", "")]) {
        ask(&registry, method, &at("admin"), body).await.fails(405, "NOT_ALLOWED");
    }
    ask(&registry, "DELETE", "/api/v0/accounts/admin", "").await.fails(405, "NOT_ALLOWED");
    registry.user("ann").await;
    ask(&registry, "PATCH", &at("ann"), r#"{"isAdmin":true}"#).await.is(200);
    ask(&registry, "PATCH", &at("admin"), r#"{"isAdmin":false}"#).await.is(200);
    ask(&registry, "PATCH", &at("ann"), "{}").await.fails(403, "NOT_AUTHORIZED");
    let answer = registry.ask("DELETE", &at("ann")).by(("ann", "pw")).send().await;
    answer.fails(405, "NOT_ALLOWED");
    registry.ask("DELETE", &at("admin")).by(("ann", "pw")).send().await.is(204);
    registry.ask("GET", ALL).by(ADMIN).send().await.is(401);
}

/// Names under a filter, in the parts that the list comes in.
async fn names(registry: &Registry, query: &str) -> Vec<String> {
    let listed = follow(registry, (&format!("{ALL}{query}"), "accounts"), async |_| ()).await;
    listed.iter().map(|account| text(account, "/name")).collect()
}

#[tokio::test]
async fn lists_are_filtered_counted_and_begin_where_they_are_told_to() {
    let registry = Registry::start().await;
    for name in ["ann", "bob", "carl"] {
        registry.user(name).await;
    }
    registry.organization("org").await;
    ask(&registry, "PATCH", &at("bob"), r#"{"isActive":false}"#).await.is(200);
    ask(&registry, "PATCH", &at("carl"), r#"{"isAdmin":true}"#).await.is(200);
    let cases = [
        ("", vec!["admin", "ann", "bob", "carl", "org"]),
        ("?filter=", vec!["admin", "ann", "bob", "carl", "org"]),
        ("?filter=all", vec!["admin", "ann", "bob", "carl", "org"]),
        ("?filter=users", vec!["admin", "ann", "bob", "carl"]),
        ("?filter=orgs", vec!["org"]),
        ("?filter=admins", vec!["admin", "carl"]),
        ("?filter=non-admins", vec!["ann", "bob"]),
        ("?filter=active-users", vec!["admin", "ann", "carl"]),
        ("?filter=inactive-users", vec!["bob"]),
    ];
    for (query, expected) in cases {
        assert_eq!(names(&registry, query).await, expected, "{query}");
        let listed = ask(&registry, "GET", &format!("{ALL}{query}"), "").await.is(200).json();
        let counts = ["usersCount", "orgsCount", "resourceCount"].map(|key| listed[key].clone());
        assert_eq!(counts, [json!(4), json!(1), json!(expected.len())], "{query}");
        assert_eq!(listed.get("nextPageStart"), None, "{query}");
    }
    let bob = text(&ask(&registry, "GET", &at("bob"), "").await.is(200).json(), "/id");
    for start in ["bob", "b", "ann0", &bob, &bob.replace('-', "")] {
        let path = format!("{ALL}?start={start}&limit=1&count=true");
        let answer = ask(&registry, "GET", &path, "").await.is(200);
        assert_eq!(answer.header("x-next-page-start"), "carl", "{start}");
        assert_eq!(answer.header("x-resource-count"), "5", "{start}");
        let listed = answer.json();
        assert_eq!(listed["nextPageStart"], "carl", "{start}");
        assert_eq!(text(&listed, "/accounts/0/name"), "bob", "{start}");
    }
}

#[tokio::test]
async fn a_list_goes_on_though_accounts_come_and_go() {
    let registry = Registry::start().await;
    for name in ["d", "f", "h", "j"] {
        registry.organization(name).await;
    }
    let listed = follow(&registry, (ALL, "accounts"), async |part| {
        if part == 1 {
            // After `admin` and `d`: one before, one after, and the very one where it goes on.
            registry.organization("b").await;
            registry.organization("g").await;
            ask(&registry, "DELETE", &at("f"), "").await.is(204);
        }
    });
    let listed: Vec<Value> = listed.await;
    let names: Vec<String> = listed.iter().map(|account| text(account, "/name")).collect();
    assert_eq!(names, ["admin", "d", "g", "h", "j"]);
}
