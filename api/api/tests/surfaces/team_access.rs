//! What teams are granted: who may say so, who may see it, and what comes of it on `/v2`.

use metadata::grants::Level;
use metadata::repositories::Visibility;
use serde_json::{Value, json};

use crate::harness::Registry;
use crate::people::{EVERYBODY, acme, grant, grant_all, grant_web, repository, team, team_of};
use crate::roles::{self, Case, credentials};

const WEB: &str = "/api/v0/repositories/acme/web/teamAccess";
const WEB_WRITERS: &str = "/api/v0/repositories/acme/web/teamAccess/writers";
const WEB_SPARE: &str = "/api/v0/repositories/acme/web/teamAccess/spare";
const OWN: &str = "/api/v0/repositories/stan/own/teamAccess";
const ALL: &str = "/api/v0/repositoryNamespaces/acme/teamAccess";
const ALL_WRITERS: &str = "/api/v0/repositoryNamespaces/acme/teamAccess/writers";
const ALL_SPARE: &str = "/api/v0/repositoryNamespaces/acme/teamAccess/spare";
const OF_WRITERS: &str = "/api/v0/accounts/acme/teams/writers/repositoryAccess";
const OF_WALT: &str = "/api/v0/accounts/walt/repositoryAccess/acme/web";

const READ: &str = r#"{"accessLevel":"read-only"}"#;

/// Name and level of each entry of a list of grants.
fn listed(answer: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = answer["teamAccessList"].as_array().unwrap().iter();
    list.map(|one| (text(&one["team"]["name"]), text(&one["accessLevel"]))).collect()
}

fn pair(team: &str, level: &str) -> Vec<(String, String)> {
    vec![(team.to_owned(), level.to_owned())]
}

#[tokio::test]
async fn a_team_is_granted_a_repository_and_loses_it_again() {
    let registry = acme().await;
    let owner = credentials("olga");
    let put = async |level: &str| {
        let ask = registry.ask("PUT", WEB_WRITERS).by(owner);
        let body = json!({ "accessLevel": level }).to_string();
        ask.body(body).send().await.is(200).json()
    };
    let list = async || registry.ask("GET", WEB).by(owner).send().await.is(200).json();
    assert!(listed(&list().await).is_empty());
    let granted = put("read-write").await;
    assert_eq!(granted["repository"]["name"], "web");
    let id = team_of(&registry, "acme", "writers").await;
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let team = &granted["teamAccessList"][0]["team"];
    assert_eq!(team["id"].as_str().unwrap().replace('-', ""), id);
    assert_eq!(team["orgID"].as_str().unwrap().len(), 36);
    let rest = ["name", "description", "membersCount", "clientUserIsMember"];
    let rest = rest.map(|key| team[key].clone());
    assert_eq!(rest, [json!("writers"), json!("writers of acme"), json!(1), json!(false)]);
    assert_eq!(listed(&granted), pair("writers", "read-write"));
    assert_eq!(listed(&put("admin").await), pair("writers", "admin"), "in place of the other");
    let seen = registry.ask("GET", WEB).by(credentials("walt")).send().await.is(200).json();
    assert_eq!(seen["teamAccessList"][0]["team"]["clientUserIsMember"], true);
    // Once more is no harm.
    for _ in 0..2 {
        registry.ask("DELETE", WEB_WRITERS).by(owner).send().await.is(204);
    }
    assert!(listed(&list().await).is_empty());
}

#[tokio::test]
async fn a_team_is_granted_everything_in_its_organization_and_loses_it_again() {
    let registry = acme().await;
    let owner = credentials("olga");
    let get = || registry.ask("GET", ALL_WRITERS).by(owner);
    get().send().await.fails(404, "NO_SUCH_NAMESPACE_TEAM_ACCESS");
    let put = registry.ask("PUT", ALL_WRITERS).by(owner).body(READ);
    let granted = put.send().await.is(200).json();
    assert_eq!(granted["namespace"], "acme");
    assert_eq!(granted["team"]["name"], "writers");
    assert_eq!(granted["accessLevel"], "read-only");
    assert_eq!(get().send().await.is(200).json(), granted);
    let list = registry.ask("GET", ALL).by(credentials("mia")).send().await.is(200).json();
    assert_eq!(list["namespace"], "acme");
    assert_eq!(listed(&list), pair("writers", "read-only"));
    for _ in 0..2 {
        registry.ask("DELETE", ALL_WRITERS).by(owner).send().await.is(204);
    }
    get().send().await.fails(404, "NO_SUCH_NAMESPACE_TEAM_ACCESS");
}

#[tokio::test]
async fn those_may_see_and_change_grants_who_administer_what_is_granted() {
    let registry = acme().await;
    grant_web(&registry).await;
    team(&registry, "acme", "spare").await;
    let cases: [Case<8>; 9] = [
        ("GET", WEB, "", [200, 200, 200, 403, 403, 404, 404, 401]),
        ("PUT", WEB_SPARE, READ, [200, 200, 200, 403, 403, 404, 404, 401]),
        ("DELETE", WEB_SPARE, "", [204, 204, 204, 403, 403, 404, 404, 401]),
        ("GET", ALL, "", [200, 200, 200, 200, 200, 200, 403, 401]),
        ("GET", ALL_WRITERS, "", [404, 404, 403, 404, 403, 403, 403, 401]),
        ("PUT", ALL_SPARE, READ, [200, 200, 403, 403, 403, 403, 403, 401]),
        ("DELETE", ALL_SPARE, "", [204, 204, 403, 403, 403, 403, 403, 401]),
        ("GET", OF_WRITERS, "", [200, 200, 403, 200, 403, 403, 403, 401]),
        ("GET", OF_WALT, "", [200, 403, 403, 200, 403, 403, 403, 401]),
    ];
    roles::check(&registry, EVERYBODY, &cases).await;
}

/// A request of the administrator, with `{…}` for the beginning of its path and `{foreign}` for the
/// id of a team of another organization, and what it is answered.
type Wrong = (&'static str, &'static str, &'static str, u16, &'static str);

async fn is_refused(registry: &Registry, cases: &[Wrong]) {
    registry.organization("other").await;
    let foreign = team(registry, "other", "foreign").await;
    let foreign: String = foreign.iter().map(|byte| format!("{byte:02x}")).collect();
    let named = [
        ("{web}", WEB),
        ("{own}", OWN),
        ("{acme}", "/api/v0/repositories/acme"),
        ("{all}", "/api/v0/repositoryNamespaces"),
        ("{of}", "/api/v0/accounts"),
        ("{foreign}", foreign.as_str()),
    ];
    for (method, path, body, status, code) in cases {
        let replaced = |path: String, (name, meant): &(&str, &str)| path.replace(name, meant);
        let path = named.iter().fold((*path).to_owned(), replaced);
        let answer = registry.ask(method, &path).by_admin().body(*body).send().await;
        let found = (answer.status.as_u16(), answer.code());
        assert_eq!(found, (*status, (*code).to_owned()), "{method} {path} {body}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_grant_on_a_repository_is_said_by_its_code() {
    let registry = acme().await;
    repository(&registry, "stan/own", Visibility::Private).await;
    let cases: [Wrong; 16] = [
        ("PUT", "{web}/none", READ, 404, "NO_SUCH_TEAM"),
        ("DELETE", "{web}/none", "", 404, "NO_SUCH_TEAM"),
        ("PUT", "{web}/foreign", READ, 404, "NO_SUCH_TEAM"),
        ("PUT", "{web}/{foreign}", READ, 400, "TEAM_NOT_IN_ORGANIZATION"),
        ("DELETE", "{web}/{foreign}", "", 400, "TEAM_NOT_IN_ORGANIZATION"),
        ("PUT", WEB_WRITERS, r#"{"accessLevel":"owner"}"#, 400, "INVALID_PARAMETERS"),
        ("PUT", WEB_WRITERS, r#"{"accessLevel":null}"#, 400, "INVALID_PARAMETERS"),
        ("PUT", WEB_WRITERS, "", 400, "INVALID_PARAMETERS"),
        ("PUT", WEB_WRITERS, "{", 400, "INVALID_JSON"),
        ("PUT", "{own}/x", READ, 400, "REPOSITORY_NOT_ORGANIZATION_OWNED"),
        ("DELETE", "{own}/x", "", 400, "REPOSITORY_NOT_ORGANIZATION_OWNED"),
        ("GET", "{acme}/none/teamAccess", "", 404, "NO_SUCH_REPOSITORY"),
        ("PUT", "{acme}/none/teamAccess/x", READ, 404, "NO_SUCH_REPOSITORY"),
        ("GET", "{acme}/No/teamAccess", "", 400, "INVALID_REPOSITORY_NAME"),
        ("GET", "{web}?pageStart=writers", "", 400, "INVALID_PARAMETERS"),
        ("GET", "{web}?pageSize=0", "", 400, "INVALID_PARAMETERS"),
    ];
    is_refused(&registry, &cases).await;
    let list = registry.ask("GET", OWN).by_admin().send().await.is(200).json();
    assert!(listed(&list).is_empty(), "a user's repository is shared with nobody");
    // A team by its id.
    let team = "/enzi/v0/accounts/acme/teams/writers";
    let team = registry.ask("GET", team).by_admin().send().await.is(200).json();
    let path = format!("{WEB}/{}", team["id"].as_str().unwrap());
    registry.ask("PUT", &path).by_admin().body(READ).send().await.is(200);
}

#[tokio::test]
async fn what_is_wrong_with_a_grant_on_all_is_said_by_its_code() {
    let registry = acme().await;
    let cases: [Wrong; 17] = [
        ("PUT", "{all}/acme/teamAccess/none", READ, 404, "NO_SUCH_TEAM"),
        ("DELETE", "{all}/acme/teamAccess/none", "", 404, "NO_SUCH_TEAM"),
        ("GET", "{all}/acme/teamAccess/none", "", 404, "NO_SUCH_TEAM"),
        ("PUT", "{all}/acme/teamAccess/{foreign}", READ, 400, "TEAM_NOT_IN_ORGANIZATION"),
        ("DELETE", "{all}/acme/teamAccess/{foreign}", "", 400, "TEAM_NOT_IN_ORGANIZATION"),
        ("PUT", ALL_WRITERS, "{}", 400, "INVALID_PARAMETERS"),
        ("GET", "{all}/acme/teamAccess?pageStart=%00", "", 400, "INVALID_PARAMETERS"),
        ("GET", "{all}/none/teamAccess", "", 404, "NO_SUCH_ACCOUNT"),
        ("GET", "{all}/stan/teamAccess", "", 400, "NAMESPACE_NOT_ORGANIZATION"),
        ("PUT", "{all}/stan/teamAccess/x", READ, 400, "NAMESPACE_NOT_ORGANIZATION"),
        ("GET", "{of}/acme/teams/none/repositoryAccess", "", 404, "NO_SUCH_TEAM"),
        ("GET", "{of}/none/teams/x/repositoryAccess", "", 404, "NO_SUCH_ACCOUNT"),
        ("GET", "{of}/acme/teams/{foreign}/repositoryAccess", "", 400, "TEAM_NOT_IN_ORGANIZATION"),
        ("GET", "{of}/none/repositoryAccess/acme/web", "", 404, "NO_SUCH_ACCOUNT"),
        ("GET", "{of}/acme/repositoryAccess/acme/web", "", 404, "NO_SUCH_USER"),
        ("GET", "{of}/walt/repositoryAccess/acme/none", "", 404, "NO_SUCH_REPOSITORY"),
        (
            "GET",
            "{of}/acme/teams/writers/repositoryAccess?pageStart=A",
            "",
            400,
            "INVALID_PARAMETERS",
        ),
    ];
    is_refused(&registry, &cases).await;
}

/// What a token grants of pulling from and pushing to `acme/web`, and what the two come to with it.
async fn try_out(registry: &Registry, name: &str) -> (String, u16, u16) {
    let (user, password) = credentials(name);
    let form = format!(
        "grant_type=password&username={user}&password={}&scope=repository:acme/web:pull,push",
        password.replace(' ', "+")
    );
    let token = registry.ask("POST", "/auth/token").body(form).send().await.is(200).json();
    let bearer = token["token"].as_str().unwrap();
    let pull = registry.ask("GET", "/v2/acme/web/manifests/v1").bearing(bearer).send().await;
    let push = registry.ask("POST", "/v2/acme/web/blobs/uploads/").bearing(bearer).send().await;
    let granted = token["scope"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    (granted, pull.status.as_u16(), push.status.as_u16())
}

#[tokio::test]
async fn grants_decide_who_pulls_and_who_pushes() {
    let registry = acme().await;
    registry.push_image("acme/web", "v1", "one").await;
    let all = ("pull,push".to_owned(), 200, 202);
    let reads = ("pull".to_owned(), 200, 403);
    let none = (String::new(), 404, 403);
    for (name, expected) in [("olga", &all), ("adam", &none), ("walt", &none), ("mia", &none)] {
        assert_eq!(try_out(&registry, name).await, *expected, "{name}, before any grant");
    }
    grant_web(&registry).await;
    let cases = [
        ("admin", &all),
        ("olga", &all),
        ("adam", &all),
        ("walt", &all),
        ("rita", &reads),
        ("mia", &none),
        ("stan", &none),
    ];
    for (name, expected) in cases {
        assert_eq!(try_out(&registry, name).await, *expected, "{name}, by grants on it");
    }
    // The higher of two grants counts, wherever it is.
    grant_all(&registry, "acme", "readers", Level::ReadWrite).await;
    grant_all(&registry, "acme", "writers", Level::ReadOnly).await;
    for name in ["rita", "walt"] {
        assert_eq!(try_out(&registry, name).await, all, "{name}, by a grant on all");
    }
    repository(&registry, "acme/later", Visibility::Private).await;
    let later = "/api/v0/repositories/acme/later";
    registry.ask("GET", later).by(credentials("rita")).send().await.is(200);
    registry
        .ask("GET", later)
        .by(credentials("adam"))
        .send()
        .await
        .fails(404, "NO_SUCH_REPOSITORY");
}

#[tokio::test]
async fn a_grant_taken_back_ends_what_was_begun_by_it() {
    let registry = acme().await;
    grant_web(&registry).await;
    registry.push_image("acme/web", "v1", "one").await;
    let scopes = ["repository:acme/web:pull,push"];
    let token = registry.token(Some(credentials("walt")), &scopes).await;
    let begin = || registry.ask("POST", "/v2/acme/web/blobs/uploads/").bearing(&token);
    let place = begin().send().await.is(202).header("location").to_owned();
    registry.ask("PUT", WEB_WRITERS).by(credentials("olga")).body(READ).send().await.is(200);
    begin().send().await.fails(403, "DENIED");
    let append = registry.ask("PATCH", &place).bearing(&token).body("more");
    append.send().await.fails(403, "DENIED");
    let pull = || registry.ask("GET", "/v2/acme/web/manifests/v1").bearing(&token);
    pull().send().await.is(200);
    registry.ask("DELETE", WEB_WRITERS).by(credentials("olga")).send().await.is(204);
    pull().send().await.fails(404, "NAME_UNKNOWN");
}

#[tokio::test]
async fn a_users_level_is_the_highest_that_anything_gives() {
    let registry = acme().await;
    grant_web(&registry).await;
    grant_all(&registry, "acme", "readers", Level::ReadOnly).await;
    grant(&registry, "acme/open", "writers", Level::Admin).await;
    let cases = [
        ("admin", "acme/web", "admin"),
        ("olga", "acme/web", "admin"),
        ("adam", "acme/web", "admin"),
        ("walt", "acme/web", "read-write"),
        ("rita", "acme/web", "read-only"),
        ("mia", "acme/web", ""),
        ("stan", "acme/web", ""),
        ("walt", "acme/open", "admin"),
        ("rita", "acme/open", "read-only"),
        ("stan", "acme/open", "read-only"),
    ];
    for (name, repository, expected) in cases {
        let path = format!("/api/v0/accounts/{name}/repositoryAccess/{repository}");
        let answer = registry.ask("GET", &path).by(credentials(name)).send().await;
        if expected.is_empty() {
            answer.fails(404, "NO_SUCH_REPOSITORY");
            continue;
        }
        let answer = answer.is(200).json();
        assert_eq!(answer["accessLevel"], expected, "{name} {repository}");
        assert_eq!(answer["user"]["name"], name);
        assert_eq!(answer["repository"]["namespaceType"], "organization");
    }
}

/// Follows a list to its end, two entries at a time.
async fn walk(registry: &Registry, path: &str) -> Vec<Value> {
    let (mut entries, mut start) = (Vec::new(), String::new());
    loop {
        let page = format!("{path}?pageSize=2&count=true&pageStart={start}");
        let page = registry.ask("GET", &page).by_admin().send().await.is(200);
        assert_eq!(page.header("x-resource-count"), "3", "{path}");
        let document = page.json();
        let list = document.as_object().unwrap().values().find_map(Value::as_array).unwrap();
        entries.extend(list.iter().cloned());
        page.header("x-next-page-start").clone_into(&mut start);
        if start.is_empty() {
            return entries;
        }
    }
}

#[tokio::test]
async fn lists_of_grants_come_in_pages() {
    let registry = acme().await;
    grant_web(&registry).await;
    repository(&registry, "acme/third", Visibility::Private).await;
    for team in ["admins", "writers", "readers"] {
        grant_all(&registry, "acme", team, Level::ReadOnly).await;
    }
    for repository in ["acme/open", "acme/third"] {
        grant(&registry, repository, "writers", Level::ReadOnly).await;
    }
    for path in [WEB, ALL] {
        let mut walked: Vec<String> = Vec::new();
        for entry in walk(&registry, path).await {
            walked.push(entry["team"]["name"].as_str().unwrap().to_owned());
        }
        walked.sort();
        assert_eq!(walked, ["admins", "readers", "writers"], "{path}");
    }
    let walked = walk(&registry, OF_WRITERS).await;
    let names: Vec<&Value> = walked.iter().map(|entry| &entry["repository"]["name"]).collect();
    assert_eq!(names, ["open", "third", "web"]);

    // What a list goes on with may be gone by then.
    let first = registry.ask("GET", &format!("{WEB}?pageSize=1")).by_admin().send().await.is(200);
    let next = first.header("x-next-page-start").to_owned();
    let team = format!("/enzi/v0/accounts/acme/teams/{next}");
    registry.ask("DELETE", &team).by_admin().send().await.is(204);
    let rest = registry.ask("GET", &format!("{WEB}?pageStart={next}")).by_admin().send().await;
    assert_eq!(rest.is(200).json()["teamAccessList"].as_array().unwrap().len(), 1);
}
