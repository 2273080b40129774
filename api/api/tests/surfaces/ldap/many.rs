//! A directory of ten thousand people.

use std::time::{Duration, Instant};

use serde_json::json;

use super::slapd::{Options, Slapd, group, person, signs_in, sync, use_directory};
use crate::harness::Registry;
use crate::roles::ask;

const PEOPLE: usize = 10_000;
/// On a machine with two cores that others use as well.
const SYNCED_WITHIN: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_people_are_carried_over_in_pages() {
    let names: Vec<String> = (0..PEOPLE).map(|number| format!("person{number}")).collect();
    let mut ldif: String = names
        .iter()
        .map(|name| person(name, name, &format!("The {name}"), "secret-of-all"))
        .collect();
    let half: Vec<&str> = names.iter().step_by(2).map(String::as_str).collect();
    ldif += &group("half", &half);
    // No answer may have more than 500 entries; pages may go on.
    let lines = "sizelimit size.soft=500 size.hard=500 size.prtotal=unlimited";
    let Some(slapd) = Slapd::start_with(&Options { ldif, lines }) else { return };
    let registry = Registry::start().await;
    registry.organization("acme").await;
    ask(&registry, "POST", "/enzi/v0/accounts/acme/teams", r#"{"name":"half"}"#).await.is(201);
    use_directory(&registry, &slapd.settings()).await;
    let follow = json!({
        "enableSync": true, "selectGroupMembers": true,
        "groupDN": "cn=half,ou=groups,dc=example", "groupMemberAttr": "member",
    });
    let path = "/enzi/v0/accounts/acme/teams/half";
    let config = format!("{path}/memberSyncConfig");
    ask(&registry, "PUT", &config, &follow.to_string()).await.is(200);

    let begun = Instant::now();
    let done = sync(&registry).await;
    let took = begun.elapsed();
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(done["report"]["usersCreated"], PEOPLE, "{done}");
    assert!(took < SYNCED_WITHIN, "{took:?}");
    let team = ask(&registry, "GET", path, "").await.is(200).json();
    assert_eq!(team["membersCount"], PEOPLE / 2);
    signs_in(&registry, ("person9999", "secret-of-all")).await.is(200);
}
