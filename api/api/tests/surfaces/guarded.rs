//! Who lacks the right costs no entry of the log, whatever they ask for.

use metadata::repositories::Visibility;

use crate::harness::Registry;
use crate::people::{acme, repository, users};
use crate::roles::credentials;

/// Entries that come by themselves while a hundred requests are answered: clocks and health.
const BY_THEMSELVES_MAX: u64 = 20;
const ROUNDS: usize = 2;

/// Requests of `mia`, who is in `acme` and in none of its teams, with the status of each.
const REFUSED: &[(&str, &str, &str, u16)] = &[
    ("POST", "/api/v0/repositories/acme", r#"{"name":"new"}"#, 403),
    ("PATCH", "/api/v0/repositories/acme/open", "{}", 403),
    ("DELETE", "/api/v0/repositories/acme/open", "", 403),
    ("DELETE", "/api/v0/accounts/acme/repositories", "", 403),
    ("DELETE", "/api/v0/accounts/acme", "", 403),
    ("PATCH", "/api/v0/accounts/stan/settings", "{}", 403),
    ("POST", "/api/v0/meta/adoption/finish", "", 403),
    ("GET", "/api/v0/meta/backup", "", 403),
    ("POST", "/api/v0/meta/settings", r#"{"readOnlyRegistry":true}"#, 403),
    ("POST", "/api/v0/join_tokens", "{}", 403),
    ("PATCH", "/api/v0/replicas/0123456789ab", r#"{"isDraining":true}"#, 403),
    ("DELETE", "/api/v0/replicas/0123456789ab", "", 403),
    ("PUT", "/api/v0/repositories/acme/open/teamAccess/writers", READ, 403),
    ("DELETE", "/api/v0/repositories/acme/open/teamAccess/writers", "", 403),
    ("PUT", "/api/v0/repositoryNamespaces/acme/teamAccess/writers", READ, 403),
    ("DELETE", "/api/v0/repositoryNamespaces/acme/teamAccess/writers", "", 403),
    ("POST", "/enzi/v0/accounts", r#"{"name":"new"}"#, 403),
    ("PATCH", "/enzi/v0/accounts/acme", r#"{"fullName":"x"}"#, 403),
    ("PATCH", "/enzi/v0/accounts/mia", r#"{"isAdmin":true}"#, 403),
    ("PATCH", "/enzi/v0/accounts/mia", r#"{"quotaBytes":5}"#, 403),
    ("DELETE", "/enzi/v0/accounts/stan", "", 403),
    ("POST", "/enzi/v0/accounts/acme/robots", r#"{"name":"ci"}"#, 403),
    ("DELETE", "/enzi/v0/accounts/acme/robots/ci", "", 403),
    ("POST", "/enzi/v0/accounts/walt/publicKeys", r#"{"publicKey":""}"#, 403),
    ("PUT", "/enzi/v0/config/auth", r#"{"backend":"managed"}"#, 403),
    ("PUT", "/enzi/v0/config/accounts", r#"{"systemAccounts":[]}"#, 403),
    ("POST", "/enzi/v0/admin/importAccounts", r#"{"accounts":[]}"#, 403),
    ("POST", "/api/v0/admin/tokens/rotate", "{}", 403),
    ("PUT", "/enzi/v0/accounts/acme/members/stan", "{}", 403),
    ("PATCH", "/enzi/v0/accounts/acme/members/walt", r#"{"isAdmin":true}"#, 403),
    ("DELETE", "/enzi/v0/accounts/acme/members/walt", "", 403),
    ("POST", "/enzi/v0/accounts/acme/teams", r#"{"name":"new"}"#, 403),
    ("PATCH", "/enzi/v0/accounts/acme/teams/writers", r#"{"name":"new"}"#, 403),
    ("DELETE", "/enzi/v0/accounts/acme/teams/writers", "", 403),
    ("PUT", "/enzi/v0/accounts/acme/teams/writers/members/stan", "{}", 403),
    ("PATCH", "/enzi/v0/accounts/acme/teams/writers/members/walt", "{}", 403),
    ("DELETE", "/enzi/v0/accounts/acme/teams/writers/members/walt", "", 403),
    ("POST", "/api/v0/api_tokens?username=walt", "{}", 403),
    ("DELETE", "/api/v0/api_tokens?username=walt", "", 403),
    ("POST", "/enzi/v0/accounts/walt/changePassword", r#"{"newPassword":"a-new-one"}"#, 403),
    ("POST", "/api/v0/jobs", r#"{"action":"sleep"}"#, 403),
    ("POST", "/api/v0/crons", r#"{"action":"sleep","schedule":"@daily"}"#, 403),
    ("POST", "/api/v0/action_configs", r#"{"action":"sleep"}"#, 403),
];

const READ: &str = r#"{"accessLevel":"read-only"}"#;

#[tokio::test]
async fn a_refusal_for_want_of_a_right_is_no_entry_of_the_log() {
    let registry = acme().await;
    let token = registry.ask("POST", "/api/v0/api_tokens").by(credentials("walt"));
    let token = token.send().await.is(200).json()["hashedToken"].as_str().unwrap().to_owned();
    let of_another = format!("/api/v0/api_tokens/{token}");
    let before = registry.cluster.applied_index();
    let mut asked = 0;
    for _ in 0..ROUNDS {
        for (method, path, body, status) in REFUSED {
            let answer = as_mia(&registry, method, path, body).await;
            assert_eq!(answer, *status, "{method} {path}");
            asked += 1;
        }
        for (method, body) in [("PATCH", r#"{"isActive":false}"#), ("DELETE", "")] {
            assert_eq!(as_mia(&registry, method, &of_another, body).await, 404, "{method}");
            asked += 1;
        }
    }
    let entries = registry.cluster.applied_index() - before;
    assert!(entries < BY_THEMSELVES_MAX && asked > 50, "{entries} entries of {asked} requests");
}

async fn as_mia(registry: &Registry, method: &str, path: &str, body: &str) -> u16 {
    let ask = registry.ask(method, path).by(credentials("mia")).body(body);
    ask.send().await.status.as_u16()
}

/// Pages and counts are put together of many short reads: nothing is lost between them.
#[tokio::test]
async fn a_list_longer_than_one_read_comes_whole_and_in_order() {
    let registry = Registry::start().await;
    users(&registry, &["ann"]).await;
    for number in 0..300 {
        repository(&registry, &format!("ann/r{number:03}"), Visibility::Public).await;
    }
    for who in ["ann", "admin"] {
        let path = "/api/v0/repositories/ann?pageSize=299&count=true";
        let page = registry.ask("GET", path).by(credentials(who)).send().await.is(200);
        assert_eq!(page.header("x-resource-count"), "300");
        assert_eq!(page.header("x-next-page-start"), "ann/r299");
        let document = page.json();
        let names = document["repositories"].as_array().unwrap().iter();
        let names: Vec<&str> = names.map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!((names.len(), names.is_sorted()), (299, true));
        let catalog = registry.ask("GET", "/v2/_catalog").by(credentials(who)).send().await;
        assert_eq!(catalog.is(200).json()["repositories"].as_array().unwrap().len(), 300);
        let found = registry.ask("GET", "/api/v0/index/autocomplete?query=r299&limit=5");
        let found = found.by(credentials(who)).send().await.is(200).json();
        assert_eq!(found["repositoryResults"][0]["name"], "r299");
    }
    let all = registry.ask("DELETE", "/api/v0/accounts/ann/repositories");
    all.by(credentials("ann")).send().await.is(204);
    let left = registry.ask("GET", "/api/v0/repositories?count=true").by_admin().send().await;
    assert_eq!(left.is(200).header("x-resource-count"), "0");
}
