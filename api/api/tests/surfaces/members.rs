//! `/enzi/v0/accounts/{org}/members`, and what a user is a member of.

use serde_json::{Value, json};

use crate::harness::Registry;
use crate::roles::{ask, check, follow, text};

const MEMBERS: &str = "/enzi/v0/accounts/org/members";

fn member(name: &str) -> String {
    format!("{MEMBERS}/{name}")
}

/// The organization `org` with the owner `olga` and the members `mia` and `max`; `sam` is no
/// member.
async fn organization() -> Registry {
    let registry = Registry::start().await;
    registry.organization("org").await;
    for name in ["olga", "mia", "max", "sam"] {
        registry.user(name).await;
    }
    ask(&registry, "PUT", &member("olga"), r#"{"isAdmin":true}"#).await.is(200);
    for name in ["mia", "max"] {
        ask(&registry, "PUT", &member(name), "").await.is(200);
    }
    registry
}

async fn id(registry: &Registry, account: &str) -> String {
    let path = format!("/enzi/v0/accounts/{account}");
    text(&ask(registry, "GET", &path, "").await.is(200).json(), "/id")
}

#[tokio::test]
async fn a_user_becomes_a_member_is_changed_and_leaves() {
    let registry = organization().await;
    let path = member("sam");
    ask(&registry, "GET", &path, "").await.fails(404, "NO_SUCH_MEMBER");
    ask(&registry, "PATCH", &path, r#"{"isAdmin":true}"#).await.fails(404, "NO_SUCH_MEMBER");
    ask(&registry, "DELETE", &path, "").await.fails(404, "NO_SUCH_MEMBER");
    let made = ask(&registry, "PUT", &path, "{}").await.is(200).json();
    let account = ask(&registry, "GET", "/enzi/v0/accounts/sam", "").await.is(200);
    let mut account = account.json();
    // What an account may hold and holds is told where it is asked for by itself.
    for field in ["quotaBytes", "usedBytes"] {
        assert_eq!(account.as_object_mut().unwrap().remove(field), Some(json!(0)));
    }
    assert_eq!(made, json!({ "member": account, "isAdmin": false }));
    // By id as well; a repetition changes nothing, and nothing said leaves what is.
    let by_id = format!("/enzi/v0/accounts/{}/members", id(&registry, "org").await);
    let by_id = format!("{by_id}/{}", id(&registry, "sam").await);
    let steps = [
        ("GET", "", false),
        ("PATCH", r#"{"isAdmin":true}"#, true),
        ("PUT", "", true),
        ("PATCH", r#"{"isAdmin":null}"#, true),
        ("PUT", r#"{"isAdmin":false}"#, false),
        ("GET", "", false),
    ];
    for (method, body, is_admin) in steps {
        let shown = ask(&registry, method, &by_id, body).await.is(200).json();
        assert_eq!(shown["isAdmin"], is_admin, "{method} {body}");
    }
    let count = ask(&registry, "GET", "/enzi/v0/accounts/org", "").await.is(200).json();
    assert_eq!(count["membersCount"], 4);
    ask(&registry, "DELETE", &by_id, "").await.is(204);
    ask(&registry, "GET", &path, "").await.fails(404, "NO_SUCH_MEMBER");
}

#[tokio::test]
async fn members_see_each_other_and_owners_say_who_is_one() {
    let registry = organization().await;
    let admin = r#"{"isAdmin":true}"#;
    let plain = r#"{"isAdmin":false}"#;
    let teams = "/enzi/v0/accounts/org/members/mia/teams";
    check(
        &registry,
        ["", "sam", "mia", "olga", "admin"],
        &[
            ("GET", MEMBERS, "", [401, 403, 200, 200, 200]),
            ("GET", "/enzi/v0/accounts/org/members/max", "", [401, 403, 200, 200, 200]),
            ("GET", "/enzi/v0/accounts/org/members/sam", "", [401, 403, 404, 404, 404]),
            ("GET", "/enzi/v0/accounts/org/members/none", "", [401, 403, 404, 404, 404]),
            ("GET", teams, "", [401, 403, 200, 200, 200]),
            ("GET", "/enzi/v0/accounts/org/members/sam/teams", "", [401, 403, 404, 404, 404]),
            ("PUT", "/enzi/v0/accounts/org/members/mia", admin, [401, 403, 403, 200, 200]),
            ("PATCH", "/enzi/v0/accounts/org/members/mia", plain, [401, 403, 200, 200, 200]),
            ("PATCH", "/enzi/v0/accounts/org/members/mia", admin, [401, 403, 403, 200, 200]),
            ("PATCH", "/enzi/v0/accounts/org/members/mia", plain, [401, 403, 200, 200, 200]),
            ("PUT", "/enzi/v0/accounts/org/members/none", "", [401, 403, 404, 404, 404]),
            ("PATCH", "/enzi/v0/accounts/org/members/sam", "", [401, 403, 403, 404, 404]),
            ("DELETE", "/enzi/v0/accounts/org/members/sam", "", [401, 403, 403, 404, 404]),
            ("DELETE", "/enzi/v0/accounts/org/members/max", "", [401, 403, 403, 204, 404]),
            ("DELETE", "/enzi/v0/accounts/org/members/mia", "", [401, 403, 204, 404, 404]),
            ("GET", MEMBERS, "", [401, 403, 403, 200, 200]),
            ("DELETE", "/enzi/v0/accounts/org/members/olga", "", [401, 403, 403, 204, 404]),
            ("GET", MEMBERS, "", [401, 403, 403, 403, 200]),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_does_not_do_is_refused_with_its_code() {
    let registry = organization().await;
    registry.organization("other").await;
    let cases = [
        ("GET", "/enzi/v0/accounts/none/members", "", 404, "NO_SUCH_ACCOUNT"),
        ("GET", "/enzi/v0/accounts/sam/members", "", 400, "NAMESPACE_NOT_ORGANIZATION"),
        ("PUT", "/enzi/v0/accounts/sam/members/mia", "", 400, "NAMESPACE_NOT_ORGANIZATION"),
        ("PUT", "/enzi/v0/accounts/org/members/other", "", 404, "NO_SUCH_USER"),
        ("PUT", "/enzi/v0/accounts/org/members/none", "", 404, "NO_SUCH_ACCOUNT"),
        ("PUT", "/enzi/v0/accounts/org/members/sam", r#"{"isAdmin":1}"#, 400, "INVALID_JSON"),
        ("PUT", "/enzi/v0/accounts/org/members/sam", "[", 400, "INVALID_JSON"),
        ("POST", "/enzi/v0/accounts/org/members", "", 405, "NOT_ALLOWED"),
        ("GET", "/enzi/v0/accounts/org/organizations", "", 404, "NO_SUCH_USER"),
        ("GET", "/enzi/v0/accounts/org/members?filter=users", "", 400, "INVALID_PARAMETERS"),
        ("GET", "/enzi/v0/accounts/org/members?limit=0", "", 400, "INVALID_PARAMETERS"),
        ("GET", "/enzi/v0/accounts/org/members?start=none", "", 400, "INVALID_PARAMETERS"),
        ("GET", "/enzi/v0/accounts/sam/organizations?start=none", "", 400, "INVALID_PARAMETERS"),
        ("GET", "/enzi/v0/accounts/org/members/mia/teams?start=x", "", 400, "INVALID_PARAMETERS"),
    ];
    for (method, path, body, status, code) in cases {
        let answer = ask(&registry, method, path, body).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{path}");
    }
    ask(&registry, "GET", &member("sam"), "").await.fails(404, "NO_SUCH_MEMBER");
}

fn names(listed: &[Value], place: &str) -> Vec<String> {
    let mut names: Vec<String> = listed.iter().map(|entry| text(entry, place)).collect();
    names.sort();
    names
}

#[tokio::test]
async fn members_are_listed_by_id_to_the_end_though_some_come_and_go() {
    let registry = organization().await;
    let all = follow(&registry, (MEMBERS, "members"), async |_| ()).await;
    let ids: Vec<String> = all.iter().map(|entry| text(entry, "/member/id")).collect();
    assert!(ids.is_sorted(), "{ids:?}");
    assert_eq!(names(&all, "/member/name"), ["max", "mia", "olga"]);
    for (filter, expected) in [("admins", vec!["olga"]), ("non-admins", vec!["max", "mia"])] {
        let path = format!("{MEMBERS}?filter={filter}");
        let listed = follow(&registry, (&path, "members"), async |_| ()).await;
        assert_eq!(names(&listed, "/member/name"), expected, "{filter}");
    }
    // From the second one on: by its id, and by its name.
    for start in [&ids[1], &text(&all[1], "/member/name")] {
        let path = format!("{MEMBERS}?start={start}");
        let listed = ask(&registry, "GET", &path, "").await.is(200).json();
        assert_eq!(listed["members"], json!(all[1..]), "{start}");
    }
    // The last one goes with their account while the list is read; where it went on stays good.
    let last = text(&all[2], "/member/name");
    let listed = follow(&registry, (MEMBERS, "members"), async |_| {
        ask(&registry, "DELETE", &format!("/enzi/v0/accounts/{last}"), "").await.is(204);
        ask(&registry, "PUT", &member("sam"), "").await.is(200);
    });
    let listed = listed.await;
    assert_eq!(listed[..2], all[..2]);
    assert!(listed[2..].iter().all(|entry| text(entry, "/member/name") == "sam"), "{listed:?}");
}

#[tokio::test]
async fn a_user_sees_what_they_are_a_member_of() {
    let registry = organization().await;
    for name in ["two", "three"] {
        registry.organization(name).await;
        let path = format!("/enzi/v0/accounts/{name}/members/mia");
        ask(&registry, "PUT", &path, r#"{"isAdmin":true}"#).await.is(200);
    }
    for name in ["dev", "ops", "qa"] {
        let body = json!({ "name": name }).to_string();
        ask(&registry, "POST", "/enzi/v0/accounts/org/teams", &body).await.is(201);
        let path = format!("/enzi/v0/accounts/org/teams/{name}/members/mia");
        ask(&registry, "PUT", &path, "").await.is(200);
    }
    let lists = [
        ("/enzi/v0/accounts/mia/organizations", "memberOrgs", "/org/name", ["org", "three", "two"]),
        (
            "/enzi/v0/accounts/org/members/mia/teams",
            "memberTeams",
            "/team/name",
            ["dev", "ops", "qa"],
        ),
    ];
    for (path, key, place, expected) in lists {
        let listed = follow(&registry, (path, key), async |_| ()).await;
        assert_eq!(names(&listed, place), expected, "{path}");
        let by_mia = registry.ask("GET", path).by(("mia", "pw")).send().await.is(200).json();
        let count = by_mia[key].as_array().unwrap().len();
        assert_eq!(count, expected.len(), "{path}");
    }
    let owns: Vec<Value> = follow(&registry, (lists[0].0, lists[0].1), async |_| ()).await;
    for entry in &owns {
        assert_eq!(entry["isAdmin"], text(entry, "/org/name") != "org", "{entry}");
    }
    // Whoever leaves an organization leaves its teams.
    ask(&registry, "DELETE", &member("mia"), "").await.is(204);
    ask(&registry, "PUT", &member("mia"), "").await.is(200);
    let teams = ask(&registry, "GET", lists[1].0, "").await.is(200).json();
    assert_eq!(teams, json!({ "memberTeams": [] }));
    let team = ask(&registry, "GET", "/enzi/v0/accounts/org/teams/dev", "").await.is(200).json();
    assert_eq!(team["membersCount"], 0);
}
