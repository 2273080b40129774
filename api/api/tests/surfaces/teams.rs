//! `/enzi/v0/accounts/{org}/teams`, and who is in them.

use serde_json::{Value, json};

use crate::harness::Registry;
use crate::roles::{ask, check, follow, text};

const TEAMS: &str = "/enzi/v0/accounts/org/teams";

fn team(name: &str) -> String {
    format!("{TEAMS}/{name}")
}

/// The organization `org` with the team `dev`: `olga` owns it, `tess` administers the team, `mia`
/// is in it, `max` only in the organization; `sam` is a stranger.
async fn organization() -> Registry {
    let registry = Registry::start().await;
    registry.organization("org").await;
    for name in ["olga", "tess", "mia", "max", "sam"] {
        registry.user(name).await;
    }
    let owner = r#"{"isAdmin":true}"#;
    ask(&registry, "PUT", "/enzi/v0/accounts/org/members/olga", owner).await.is(200);
    ask(&registry, "PUT", "/enzi/v0/accounts/org/members/max", "").await.is(200);
    ask(&registry, "POST", TEAMS, r#"{"name":"dev"}"#).await.is(201);
    ask(&registry, "PUT", &team("dev/members/tess"), owner).await.is(200);
    ask(&registry, "PUT", &team("dev/members/mia"), "").await.is(200);
    registry
}

const PEOPLE: [&str; 7] = ["", "sam", "max", "mia", "tess", "olga", "admin"];

#[tokio::test]
async fn a_team_is_created_shown_changed_and_deleted() {
    let registry = organization().await;
    let body = r#"{"name":"ops","description":"who is on call","unknown":1}"#;
    let made = ask(&registry, "POST", TEAMS, body).await.is(201).json();
    let organization = ask(&registry, "GET", "/enzi/v0/accounts/org", "").await.is(200).json();
    assert_eq!(organization["teamsCount"], 2);
    let id = text(&made, "/id");
    let expected = json!({
        "id": id, "orgID": organization["id"], "name": "ops", "description": "who is on call",
        "membersCount": 0, "clientUserIsMember": false,
    });
    assert_eq!((id.len(), &made), (36, &expected));
    ask(&registry, "POST", TEAMS, body).await.fails(400, "TEAM_EXISTS");
    for name in ["ops", &id, &id.replace('-', "")] {
        assert_eq!(ask(&registry, "GET", &team(name), "").await.is(200).json(), expected);
    }
    let steps = [
        (r#"{"description":"nights"}"#, Ok(("ops", "nights"))),
        (r#"{"name":"on-call","description":null}"#, Ok(("on-call", "nights"))),
        (r#"{"name":"on-call"}"#, Ok(("on-call", "nights"))),
        (r#"{"name":"dev"}"#, Err("TEAM_EXISTS")),
        (r#"{"name":""}"#, Err("INVALID_PARAMETERS")),
        (r#"{"description":""}"#, Ok(("on-call", ""))),
    ];
    for (body, expected) in steps {
        let answer = ask(&registry, "PATCH", &team(&id), body).await;
        match expected {
            Ok((name, said)) => {
                let changed = answer.is(200).json();
                assert_eq!(
                    (&changed["name"], &changed["description"]),
                    (&json!(name), &json!(said))
                );
            }
            Err(code) => drop(answer.fails(400, code)),
        }
    }
    ask(&registry, "GET", &team("ops"), "").await.fails(404, "NO_SUCH_TEAM");
    ask(&registry, "DELETE", &team(&id), "").await.is(204);
    for method in ["GET", "PATCH", "DELETE"] {
        ask(&registry, method, &team(&id), "").await.fails(404, "NO_SUCH_TEAM");
    }
}

#[tokio::test]
async fn members_of_the_organization_see_teams_and_its_owners_make_them() {
    let registry = organization().await;
    let (new, said) = (r#"{"name":"new"}"#, r#"{"description":"said"}"#);
    check(
        &registry,
        PEOPLE,
        &[
            ("GET", TEAMS, "", [401, 403, 200, 200, 200, 200, 200]),
            ("POST", TEAMS, new, [401, 403, 403, 403, 403, 201, 400]),
            ("GET", "/enzi/v0/accounts/org/teams/dev", "", [401, 403, 200, 200, 200, 200, 200]),
            ("GET", "/enzi/v0/accounts/org/teams/none", "", [401, 403, 404, 404, 404, 404, 404]),
            ("PATCH", "/enzi/v0/accounts/org/teams/dev", said, [401, 403, 403, 403, 403, 200, 200]),
            ("DELETE", "/enzi/v0/accounts/org/teams/none", "", [401, 403, 404, 404, 404, 404, 404]),
            ("DELETE", "/enzi/v0/accounts/org/teams/new", "", [401, 403, 403, 403, 403, 204, 404]),
            ("DELETE", "/enzi/v0/accounts/org/teams/dev", "", [401, 403, 403, 403, 403, 204, 404]),
        ],
    )
    .await;
}

#[tokio::test]
async fn administrators_of_a_team_say_who_is_in_it() {
    let registry = organization().await;
    let all = "/enzi/v0/accounts/org/teams/dev/members";
    let [mia, max, sam, none] = [
        "/enzi/v0/accounts/org/teams/dev/members/mia",
        "/enzi/v0/accounts/org/teams/dev/members/max",
        "/enzi/v0/accounts/org/teams/dev/members/sam",
        "/enzi/v0/accounts/org/teams/dev/members/none",
    ];
    let plain = r#"{"isAdmin":false}"#;
    check(
        &registry,
        PEOPLE,
        &[
            ("GET", all, "", [401, 403, 200, 200, 200, 200, 200]),
            ("GET", mia, "", [401, 403, 200, 200, 200, 200, 200]),
            ("GET", max, "", [401, 403, 404, 404, 404, 404, 404]),
            ("GET", none, "", [401, 403, 404, 404, 404, 404, 404]),
            ("PATCH", mia, plain, [401, 403, 403, 403, 200, 200, 200]),
            ("PATCH", max, plain, [401, 403, 403, 403, 404, 404, 404]),
            ("PUT", none, "", [401, 403, 404, 404, 404, 404, 404]),
            ("PUT", max, plain, [401, 403, 403, 403, 200, 200, 200]),
            ("DELETE", max, "", [401, 403, 204, 403, 404, 404, 404]),
            ("DELETE", mia, "", [401, 403, 403, 204, 404, 404, 404]),
            // A stranger to the organization: its owners bring them in.
            ("PUT", sam, plain, [401, 403, 403, 403, 403, 200, 200]),
            ("GET", all, "", [401, 200, 200, 200, 200, 200, 200]),
            ("DELETE", sam, "", [401, 204, 403, 403, 404, 404, 404]),
            // Sam stays in the organization.
            ("GET", "/enzi/v0/accounts/org/members/sam", "", [401, 200, 200, 200, 200, 200, 200]),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_does_not_do_is_refused_with_its_code() {
    let registry = organization().await;
    registry.organization("other").await;
    let path = "/enzi/v0/accounts/other/teams";
    let foreign = ask(&registry, "POST", path, r#"{"name":"far"}"#).await.is(201).json();
    let foreign = team(&text(&foreign, "/id"));
    let cases = [
        ("{}", "INVALID_PARAMETERS"),
        (r#"{"name":null}"#, "INVALID_PARAMETERS"),
        (r#"{"name":"two words"}"#, "INVALID_PARAMETERS"),
        (r#"{"name":"-dev"}"#, "INVALID_PARAMETERS"),
        (r#"{"name":"a/b"}"#, "INVALID_PARAMETERS"),
        (r#"{"name":"0123456789abcdef0123456789abcdef"}"#, "INVALID_PARAMETERS"),
        (r#"{"name":7}"#, "INVALID_JSON"),
        (r#"{"name":"ops","description":[]}"#, "INVALID_JSON"),
        ("{", "INVALID_JSON"),
    ];
    for (body, code) in cases {
        ask(&registry, "POST", TEAMS, body).await.fails(400, code);
    }
    for (name, description) in [("a".repeat(101), 0), ("ops".to_owned(), 4_097)] {
        let body = json!({ "name": name, "description": "x".repeat(description) }).to_string();
        ask(&registry, "POST", TEAMS, &body).await.fails(400, "INVALID_PARAMETERS");
    }
    let cases = [
        ("GET", foreign.clone(), 400, "TEAM_NOT_IN_ORGANIZATION"),
        ("PATCH", foreign.clone(), 400, "TEAM_NOT_IN_ORGANIZATION"),
        ("DELETE", foreign.clone(), 400, "TEAM_NOT_IN_ORGANIZATION"),
        ("GET", format!("{foreign}/members"), 400, "TEAM_NOT_IN_ORGANIZATION"),
        ("PUT", format!("{foreign}/members/mia"), 400, "TEAM_NOT_IN_ORGANIZATION"),
        ("GET", team("far"), 404, "NO_SUCH_TEAM"),
        ("GET", "/enzi/v0/accounts/mia/teams".to_owned(), 400, "NAMESPACE_NOT_ORGANIZATION"),
        ("GET", "/enzi/v0/accounts/none/teams".to_owned(), 404, "NO_SUCH_ACCOUNT"),
        ("GET", team("dev/members/max"), 404, "NO_SUCH_MEMBER"),
        ("PATCH", team("dev/members/max"), 404, "NO_SUCH_MEMBER"),
        ("DELETE", team("dev/members/max"), 404, "NO_SUCH_MEMBER"),
        ("PUT", team("dev/members/other"), 404, "NO_SUCH_USER"),
        ("GET", team("dev/members?filter=x"), 400, "INVALID_PARAMETERS"),
        ("GET", team("dev/members?start=none"), 400, "INVALID_PARAMETERS"),
        ("GET", format!("{TEAMS}?limit=x"), 400, "INVALID_PARAMETERS"),
        ("GET", format!("{TEAMS}?start=a%20b"), 400, "INVALID_PARAMETERS"),
        ("GET", format!("{TEAMS}?start={}", "0".repeat(32)), 400, "INVALID_PARAMETERS"),
    ];
    for (method, path, status, code) in cases {
        let answer = ask(&registry, method, &path, "").await;
        let answered = (answer.status.as_u16(), answer.code());
        assert_eq!(answered, (status, code.to_owned()), "{method} {path}");
    }
    ask(&registry, "DELETE", "/enzi/v0/accounts/mia", "").await.is(204);
    ask(&registry, "PUT", &team("dev/members/mia"), "").await.fails(404, "NO_SUCH_ACCOUNT");
    let left = ask(&registry, "GET", &team("dev/members"), "").await.is(200).json();
    assert_eq!(text(&left, "/members/0/member/name"), "tess");
    assert_eq!(left["members"].as_array().unwrap().len(), 1, "{left}");
}

#[tokio::test]
async fn teams_are_listed_by_name_to_the_end_though_some_come_and_go() {
    let registry = organization().await;
    let create = async |name: &str| {
        let body = json!({ "name": name }).to_string();
        text(&ask(&registry, "POST", TEAMS, &body).await.is(201).json(), "/id")
    };
    for name in ["f", "h", "j"] {
        create(name).await;
    }
    let listed = follow(&registry, (TEAMS, "teams"), async |part| {
        if part == 1 {
            // After `dev` and `f`: one before, one after, and the very one where it goes on.
            create("b").await;
            create("i").await;
            ask(&registry, "DELETE", &team("h"), "").await.is(204);
        }
    });
    let listed: Vec<Value> = listed.await;
    let names: Vec<String> = listed.iter().map(|entry| text(entry, "/name")).collect();
    assert_eq!(names, ["dev", "f", "i", "j"]);
    let id = create("g").await;
    for start in ["g", &id, "fz"] {
        let path = format!("{TEAMS}?start={start}&limit=1");
        let answer = registry.ask("GET", &path).by(("mia", "pw")).send().await.is(200);
        assert_eq!(answer.header("x-next-page-start"), "i", "{start}");
        assert_eq!(text(&answer.json(), "/teams/0/name"), "g", "{start}");
    }
    let dev = registry.ask("GET", &team("dev")).by(("mia", "pw")).send().await.is(200).json();
    assert_eq!((&dev["clientUserIsMember"], &dev["membersCount"]), (&json!(true), &json!(2)));
}
