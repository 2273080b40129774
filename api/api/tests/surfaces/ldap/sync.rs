//! Carrying over who is there and in which group.

use serde_json::{Value, json};

use super::slapd::{
    LDAP, Options, SYNC, Slapd, group, person, signs_in, sync, sync_ended, use_directory,
};
use crate::harness::{ADMIN, Registry};
use crate::roles::ask;

const TEAM: &str = "/enzi/v0/accounts/acme/teams/builders";

fn company() -> String {
    [
        person("ann", "ann", "Ann Lee", "violet-kettle-37"),
        person("bob", "bob", "Bob Ray", "marble-harbor-52"),
        person("eve", "e\\2cve*()", "Eve", "copper-lantern-64"),
        person("No Name", "noname", "No Name", "x"),
        group("builders", &["ann", "e\\2cve*()"]),
        group("admins", &["bob"]),
    ]
    .concat()
}

/// An organization with a team of one who does not come from the directory.
async fn with_team(registry: &Registry) {
    registry.organization("acme").await;
    registry.user("robot").await;
    ask(registry, "POST", "/enzi/v0/accounts/acme/teams", r#"{"name":"builders"}"#).await.is(201);
    ask(registry, "PUT", &format!("{TEAM}/members/robot"), "{}").await.is(200);
}

fn follows(name: &str) -> Value {
    json!({
        "enableSync": true,
        "selectGroupMembers": true,
        "groupDN": format!("cn={name},ou=groups,dc=example"),
        "groupMemberAttr": "member",
    })
}

async fn members(registry: &Registry, path: &str) -> Vec<String> {
    let answer = ask(registry, "GET", &format!("{path}/members?limit=100"), "").await.is(200);
    let members = answer.json()["members"].as_array().unwrap().clone();
    let name = |entry: &Value| entry["member"]["name"].as_str().unwrap().to_owned();
    let mut names: Vec<String> = members.iter().map(name).collect();
    names.sort_unstable();
    names
}

async fn account(registry: &Registry, name: &str) -> Value {
    ask(registry, "GET", &format!("/enzi/v0/accounts/{name}"), "").await.is(200).json()
}

#[tokio::test]
async fn people_teams_owners_and_administrators_follow_the_directory() {
    let Some(slapd) = Slapd::start(&company()) else { return };
    let registry = Registry::start().await;
    with_team(&registry).await;
    let mut settings = slapd.settings();
    settings["adminSyncOpts"] = follows("admins");
    use_directory(&registry, &settings).await;
    let (team, owners) =
        (format!("{TEAM}/memberSyncConfig"), "/enzi/v0/accounts/acme/adminMemberSyncConfig");
    ask(&registry, "PUT", &team, &follows("builders").to_string()).await.is(200);
    let by_search = json!({
        "enableSync": true, "searchBaseDN": "dc=example", "searchScopeSubtree": true,
        "searchFilter": "(cn=Bob Ray)",
    });
    ask(&registry, "PUT", owners, &by_search.to_string()).await.is(200);
    let shown = ask(&registry, "GET", &team, "").await.is(200).json();
    assert_eq!(shown["groupDN"], "cn=builders,ou=groups,dc=example");
    assert_eq!(ask(&registry, "GET", SYNC, "").await.json(), json!({ "state": "never" }));

    let done = sync(&registry).await;
    let report = &done["report"];
    assert_eq!((&done["state"], &report["error"]), (&json!("done"), &Value::Null), "{done}");
    assert_eq!((&report["usersFound"], &report["usersCreated"]), (&json!(4), &json!(3)), "{done}");
    assert_eq!(report["skipped"][0]["name"], "no name", "{done}");
    assert_eq!(report["administratorsAdded"], 1, "{done}");
    assert_eq!(members(&registry, TEAM).await, ["ann", "eve", "robot"]);
    assert_eq!(account(&registry, "bob").await["isAdmin"], true);
    let bob = ask(&registry, "GET", "/enzi/v0/accounts/acme/members/bob", "").await.is(200);
    assert_eq!(bob.json()["isAdmin"], true);

    // Again, and nothing is left to do.
    let again = sync(&registry).await["report"].clone();
    for count in ["usersCreated", "usersChanged", "usersDeactivated", "administratorsAdded"] {
        assert_eq!(again[count], 0, "{count} {again}");
    }
    assert_eq!(again["groups"], json!([]), "{again}");

    who_leaves_and_comes_back(&slapd, &registry).await;
}

/// One leaves the company, one the team, one is no administrator any more.
async fn who_leaves_and_comes_back(slapd: &Slapd, registry: &Registry) {
    slapd.change(
        "dn: uid=ann,ou=people,dc=example\nchangetype: delete\n\n\
         dn: cn=builders,ou=groups,dc=example\nchangetype: modify\nreplace: member\n\
         member: uid=bob,ou=people,dc=example\n\n\
         dn: cn=admins,ou=groups,dc=example\nchangetype: modify\nreplace: member\n\
         member: uid=ann,ou=people,dc=example\n\n",
    );
    let after = sync(registry).await["report"].clone();
    assert_eq!(after["usersDeactivated"], 1, "{after}");
    assert_eq!(account(registry, "ann").await["isActive"], false);
    assert_eq!(members(registry, TEAM).await, ["bob", "robot"]);
    assert_eq!(account(registry, "bob").await["isAdmin"], false);
    assert_eq!(account(registry, ADMIN.0).await["isAdmin"], true);
    signs_in(registry, ("ann", "violet-kettle-37")).await.is(401);

    // And comes back.
    slapd.change(&format!(
        "dn: uid=ann,ou=people,dc=example\nchangetype: add\n{}",
        person("ann", "ann", "Ann Ray", "violet-kettle-37").split_once('\n').unwrap().1
    ));
    signs_in(registry, ("ann", "violet-kettle-37")).await.is(200);
    let ann = account(registry, "ann").await;
    assert_eq!((&ann["isActive"], &ann["fullName"]), (&json!(true), &json!("Ann Ray")));
}

#[tokio::test]
async fn a_sync_that_cannot_read_everything_changes_nobody() {
    let people: String =
        (0..60).map(|it| person(&format!("p{it}"), &format!("p{it}"), "P", "x")).collect();
    let lines = "sizelimit size.soft=25 size.hard=25 size.prtotal=unlimited";
    let Some(slapd) = Slapd::start_with(&Options { ldif: people, lines }) else { return };
    let registry = Registry::start().await;
    let mut settings = slapd.settings();
    use_directory(&registry, &settings).await;
    // In pages the bound does not count.
    let done = sync(&registry).await;
    assert_eq!((&done["state"], &done["report"]["usersCreated"]), (&json!("done"), &json!(60)));

    settings["noSimplePagination"] = json!(true);
    ask(&registry, "PUT", LDAP, &settings.to_string()).await.is(200);
    let failed = sync(&registry).await;
    assert_eq!(failed["state"], "failed", "{failed}");
    let error = failed["report"]["error"].as_str().unwrap();
    assert!(error.contains("size limit"), "{error}");
    // Nobody is found at all: as likely a mistake.
    settings["noSimplePagination"] = json!(false);
    settings["userSearchConfigs"][0]["filter"] = json!("objectClass=device");
    ask(&registry, "PUT", LDAP, &settings.to_string()).await.is(200);
    let failed = sync(&registry).await;
    assert!(failed["report"]["error"].as_str().unwrap().contains("find nobody"), "{failed}");
    let active = ask(&registry, "GET", "/enzi/v0/accounts?filter=active-users", "").await.json();
    assert_eq!(active["resourceCount"], 61, "nobody was made inactive");
}

#[tokio::test]
async fn one_sync_at_a_time_and_a_group_that_is_gone_stops_no_other() {
    let Some(slapd) = Slapd::start(&company()) else { return };
    let registry = Registry::start().await;
    with_team(&registry).await;
    use_directory(&registry, &slapd.settings()).await;
    let team = format!("{TEAM}/memberSyncConfig");
    ask(&registry, "PUT", &team, &follows("nowhere").to_string()).await.is(200);
    let owners = "/enzi/v0/accounts/acme/adminMemberSyncConfig";
    ask(&registry, "PUT", owners, &follows("builders").to_string()).await.is(200);
    let begin = metadata::directory::sync::DirectoryRunBegin {
        replica_id: registry.cluster.replica_id(),
        job: None,
    };
    registry.cluster.propose(begin.into()).await.unwrap();
    let refused = ask(&registry, "POST", SYNC, "").await.fails(409, "SYNC_RUNNING");
    assert!(String::from_utf8_lossy(&refused.body).contains("is syncing already"));
    let run = registry
        .cluster
        .read(consensus::cluster::Freshness::Local, |view| metadata::directory::run(view));
    let run = run.await.unwrap().unwrap().id;
    let end = metadata::directory::sync::DirectoryRunEnd { run, report: "{}".to_owned() };
    registry.cluster.propose(end.into()).await.unwrap();
    assert_eq!(sync_ended(&registry).await["state"], "done");

    let done = sync(&registry).await;
    assert_eq!(done["state"], "done", "{done}");
    let groups = done["report"]["groups"].as_array().unwrap();
    let failed = groups.iter().find(|group| group["team"] == "builders").unwrap();
    assert!(failed["error"].as_str().unwrap().contains("cn=nowhere"), "{done}");
    let owners = groups.iter().find(|group| group["team"].is_null()).unwrap();
    assert_eq!(owners["added"], 2, "{done}");
    for wrong in [
        json!({ "enableSync": true, "selectGroupMembers": true, "groupDN": "builders" }),
        json!({ "enableSync": true, "searchBaseDN": "dc=x", "searchFilter": "((" }),
    ] {
        let answer = ask(&registry, "PUT", &team, &wrong.to_string()).await;
        answer.fails(400, "INVALID_PARAMETERS");
    }
}
