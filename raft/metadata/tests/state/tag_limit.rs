//! Tag limits: the tags that were first pushed longest ago go.

use metadata::manifests;
use metadata::outcome::{Answer, Outcome};
use metadata::refusal::Refusal;
use metadata::repositories::commands::{RepositoryCreate, RepositoryUpdate};
use metadata::repositories::{self, Visibility};
use metadata::settings::SettingsSet;
use metadata::tables::Table;
use metadata::tags::order::LIMIT_MAX;
use metadata::tags::{self, TagDelete};
use proptest::prelude::*;

use crate::cluster::{Cluster, case, check, digest, repository, tag};

/// Sets the limit.
pub(crate) fn limited(name: &str, limit: u64) -> RepositoryUpdate {
    RepositoryUpdate {
        repository: repository(name),
        actor: "admin".into(),
        visibility: None,
        immutable_tags: None,
        short_description: None,
        long_description: None,
        tag_limit: Some(limit),
    }
}

fn immutable(name: &str, limit: Option<u64>) -> RepositoryUpdate {
    RepositoryUpdate { immutable_tags: Some(true), tag_limit: limit, ..limited(name, 0) }
}

pub(crate) fn names(cluster: &Cluster, name: &str) -> Vec<String> {
    let page = tags::page(&cluster.tables, &repository(name), "", usize::MAX).unwrap();
    page.items.iter().map(|(tag, _)| tag.to_string()).collect()
}

fn put(cluster: &mut Cluster, text: &str, tags: &[&str]) -> Vec<String> {
    let command = cluster.manifest_put("a/r", text, &[], tags);
    match cluster.does(command) {
        Answer::ManifestPut { evicted, .. } => evicted.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

/// A cluster with the repository `a/r` of that limit.
fn with_limit(limit: u64) -> Cluster {
    let mut cluster = Cluster::new(1);
    cluster.does(RepositoryCreate {
        repository: repository("a/r"),
        actor: "admin".into(),
        visibility: Visibility::Private,
        on_push: true,
        immutable_tags: false,
        short_description: String::new(),
        long_description: String::new(),
        tag_limit: limit,
    });
    cluster
}

#[test]
fn the_third_new_tag_takes_the_place_of_the_first_and_none_is_renewed() {
    let mut cluster = with_limit(2);
    assert!(put(&mut cluster, "m1", &["v2"]).is_empty());
    assert!(put(&mut cluster, "m2", &["v1"]).is_empty());
    // Pushed again, with another image too: it stays the first.
    assert!(put(&mut cluster, "m3", &["v2"]).is_empty());
    assert_eq!(put(&mut cluster, "m4", &["v3"]), ["v2"]);
    assert_eq!(names(&cluster, "a/r"), ["v1", "v3"]);
    // Its manifest stays, as after every deletion of a tag.
    let there = |text| manifests::find(&cluster.tables, &repository("a/r"), &digest(text)).unwrap();
    assert!(there("m3").is_some());
    // What was evicted comes anew, as the newest.
    assert_eq!(put(&mut cluster, "m3", &["v2"]), ["v1"]);
    assert_eq!(names(&cluster, "a/r"), ["v2", "v3"]);
    // A deleted one makes room.
    let (repository, tag) = (repository("a/r"), tag("v3"));
    cluster.does(TagDelete { repository, tag, precondition: None, actor: "admin".into() });
    assert!(put(&mut cluster, "m5", &["v4"]).is_empty());
}

#[test]
fn signatures_and_fallback_tags_neither_count_nor_go() {
    let mut cluster = with_limit(1);
    let bare = format!("sha256-{}", "0a".repeat(32));
    for ending in ["", ".sig", ".att", ".sbom"] {
        assert!(put(&mut cluster, "s", &[&format!("{bare}{ending}")]).is_empty());
    }
    assert!(put(&mut cluster, "m1", &["v1"]).is_empty());
    assert_eq!(put(&mut cluster, "m2", &["v2"]), ["v1"]);
    assert_eq!(names(&cluster, "a/r").len(), 5);
    assert_eq!(cluster.tables.count(Table::TagOrder), 1);
}

#[test]
fn a_push_keeps_the_tags_that_it_names() {
    let mut cluster = with_limit(2);
    put(&mut cluster, "m1", &["old"]);
    put(&mut cluster, "m1", &["newer"]);
    // `old` came first, but this very push names it.
    assert_eq!(put(&mut cluster, "m2", &["old", "newest"]), ["newer"]);
    assert_eq!(names(&cluster, "a/r"), ["newest", "old"]);
    let three = cluster.manifest_put("a/r", "m3", &[], &["a", "b", "c"]);
    assert_eq!(cluster.run(three), Err(Refusal::TagsOverLimit { limit: 2 }));
    assert_eq!(put(&mut cluster, "m3", &["a", "b"]), ["old", "newest"]);
}

#[test]
fn pushes_that_come_in_one_entry_keep_to_the_limit_too() {
    let mut cluster = with_limit(3);
    let proposals = (0..9).map(|number| {
        let text = format!("m{number}");
        let command = cluster.manifest_put("a/r", &text, &[], &[&text]);
        cluster.proposal(&command.into())
    });
    let proposals = proposals.collect();
    let outcomes = cluster.propose(proposals, 0);
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(names(&cluster, "a/r"), ["m6", "m7", "m8"]);
}

#[test]
fn a_limit_and_immutable_tags_are_refused_together_however_they_meet() {
    let together = || Err(Refusal::TagLimitOnImmutable { repository: repository("a/r") });
    let given: fn(&mut Cluster) = |c| drop(c.push("a/r", "m", &[], &["v1"]));
    let given_limit: fn(&mut Cluster) = |c| {
        c.push("a/r", "m", &[], &["v1"]);
        c.does(limited("a/r", 2));
    };
    let given_immutable: fn(&mut Cluster) = |c| {
        c.push("a/r", "m", &[], &["v1"]);
        c.does(immutable("a/r", None));
    };
    let done: Outcome = Ok(Answer::Done);
    check([
        case("both", given, |_| immutable("a/r", Some(2)).into(), together()),
        case("immutability later", given_limit, |_| immutable("a/r", None).into(), together()),
        case("a limit later", given_immutable, |_| limited("a/r", 2).into(), together()),
        case("one for the other", given_limit, |_| immutable("a/r", Some(0)).into(), done.clone()),
        case("no limit", given_immutable, |_| limited("a/r", 0).into(), done.clone()),
        case("the most", given, |_| limited("a/r", LIMIT_MAX).into(), done),
        case(
            "more than the most",
            given,
            |_| limited("a/r", LIMIT_MAX + 1).into(),
            Err(Refusal::SettingOutOfBounds { setting: "tagLimit".into(), min: 0, max: LIMIT_MAX }),
        ),
    ]);
    let mut cluster = Cluster::new(1);
    let create = RepositoryCreate {
        repository: repository("a/r"),
        actor: "admin".into(),
        visibility: Visibility::Private,
        on_push: false,
        immutable_tags: true,
        short_description: String::new(),
        long_description: String::new(),
        tag_limit: 1,
    };
    assert_eq!(cluster.run(create), together());
}

#[test]
fn lowering_the_limit_evicts_some_at_once_and_the_rest_with_the_entries_that_follow() {
    let mut cluster = with_limit(0);
    for round in 0..2 {
        let names: Vec<String> = (0..60).map(|number| format!("t{round}{number:02}")).collect();
        put(&mut cluster, "m", &names.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let revision = |cluster: &Cluster| {
        repositories::find(&cluster.tables, &repository("a/r")).unwrap().unwrap().revision
    };
    let before = revision(&cluster);
    cluster.does(limited("a/r", 5));
    assert_eq!(names(&cluster, "a/r").len(), 120 - 32);
    assert!(revision(&cluster) > before, "lists changed");
    // A push goes on, and evicts more than it adds.
    assert_eq!(put(&mut cluster, "n", &["new"]).len(), 9);
    // While the cluster is read-only no tag goes.
    cluster.does(SettingsSet { read_only: Some(true), ..SettingsSet::default() });
    let left = names(&cluster, "a/r");
    cluster.pass(1);
    assert_eq!(names(&cluster, "a/r"), left);
    cluster.does(SettingsSet { read_only: Some(false), ..SettingsSet::default() });
    cluster.pass(1);
    assert_eq!(names(&cluster, "a/r"), ["new", "t156", "t157", "t158", "t159"]);
    assert_eq!(cluster.tables.count(Table::TagEvictions), 0);
    // A limit that is raised again evicts nothing.
    cluster.does(limited("a/r", 50));
    assert!(put(&mut cluster, "o", &["newer"]).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn after_any_pushes_the_newest_tags_are_there(
        limit in 1..5_u64,
        pushes in proptest::collection::vec(0..8_usize, 1..40),
    ) {
        let mut cluster = with_limit(limit);
        // By first push since they were last evicted.
        let mut expected: Vec<String> = Vec::new();
        for (round, number) in pushes.into_iter().enumerate() {
            let name = format!("t{number}");
            put(&mut cluster, &format!("m{round}"), &[&name]);
            if !expected.contains(&name) {
                expected.push(name);
            }
            if expected.len() > usize::try_from(limit).unwrap() {
                expected.remove(0);
            }
            let mut sorted = expected.clone();
            sorted.sort();
            prop_assert_eq!(names(&cluster, "a/r"), sorted);
        }
    }
}
