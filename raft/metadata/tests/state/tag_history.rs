//! What happened to a tag.

use metadata::manifests::delete::ManifestDelete;
use metadata::repositories::commands::RepositoryDelete;
use metadata::settings::SettingsSet;
use metadata::tables::Table;
use metadata::tags::TagDelete;
use metadata::tags::history::{self, EVENTS_MAX, Event, GONE_KEPT_MS};
use metadata::tags::undelete::TagUndelete;

use crate::cluster::{Cluster, START_WALL_MS, digest, repository, tag};
use crate::tag_limit::limited;

/// Events with the text of the manifest, the newest first.
fn events(cluster: &Cluster, name: &str) -> Vec<(Event, &'static str)> {
    let found = history::of(&cluster.tables, &repository("a/r"), &tag(name)).unwrap();
    let text = |wanted| *["m", "n", "o"].iter().find(|text| digest(text) == wanted).unwrap();
    found.into_iter().map(|row| (row.event, text(row.digest))).collect()
}

fn delete(cluster: &mut Cluster, name: &str) {
    let (repository, tag) = (repository("a/r"), tag(name));
    cluster.does(TagDelete { repository, tag, precondition: None, actor: "admin".into() });
}

#[test]
fn every_push_deletion_eviction_and_return_is_there_the_newest_first() {
    let mut cluster = Cluster::new(1);
    cluster.push("a/r", "m", &[], &["v1"]);
    assert_eq!(
        cluster.tables.count(Table::TagHistory),
        0,
        "a tag that is pushed once costs nothing"
    );
    assert_eq!(events(&cluster, "v1"), [(Event::Pushed, "m")]);
    // The same once more is no event.
    cluster.push("a/r", "m", &[], &["v1"]);
    cluster.push("a/r", "n", &[], &["v1"]);
    delete(&mut cluster, "v1");
    let (repository, tag) = (repository("a/r"), tag("v1"));
    cluster.does(TagUndelete { repository, tag, actor: "admin".into() });
    cluster.push("a/r", "o", &[], &["v1"]);
    cluster.does(limited("a/r", 1));
    cluster.push("a/r", "o", &[], &["v2"]);
    let expected = [
        (Event::Evicted, "o"),
        (Event::Pushed, "o"),
        (Event::Undeleted, "n"),
        (Event::Deleted, "n"),
        (Event::Pushed, "n"),
        (Event::Pushed, "m"),
    ];
    assert_eq!(events(&cluster, "v1"), expected);
    assert_eq!(events(&cluster, "v2"), [(Event::Pushed, "o")]);
    assert_eq!(events(&cluster, "v3"), []);
}

#[test]
fn an_event_says_who_and_when() {
    let mut cluster = Cluster::new(1);
    cluster.push("a/r", "m", &[], &["v1"]);
    cluster.pass(5_000);
    let (here, digest) = (repository("a/r"), digest("m"));
    cluster.does(ManifestDelete { repository: here, digest, actor: "admin".into() });
    let found = history::of(&cluster.tables, &repository("a/r"), &tag("v1")).unwrap();
    let said: Vec<_> =
        found.iter().map(|row| (row.number, row.actor.as_str(), row.wall_ms)).collect();
    assert_eq!(said, [(1, "admin", START_WALL_MS + 5_000), (0, "admin", START_WALL_MS)]);
}

#[test]
fn the_newest_events_are_kept() {
    let mut cluster = Cluster::new(1);
    let pushes = EVENTS_MAX + 10;
    for number in 0..pushes {
        cluster.push("a/r", ["m", "n"][usize::try_from(number % 2).unwrap()], &[], &["v1"]);
    }
    let found = history::of(&cluster.tables, &repository("a/r"), &tag("v1")).unwrap();
    assert_eq!(found.len() as u64, EVENTS_MAX + 1, "those of the ring, and where it stands now");
    let numbers: Vec<u64> = found.iter().map(|row| row.number).collect();
    assert_eq!(numbers, (pushes - EVENTS_MAX - 1..pushes).rev().collect::<Vec<_>>());
}

#[test]
fn a_tag_whose_name_begins_like_another_has_a_history_of_its_own() {
    let mut cluster = Cluster::new(1);
    for name in ["v1", "v1.2", "v12"] {
        cluster.push("a/r", "m", &[], &[name]);
        delete(&mut cluster, name);
    }
    assert_eq!(events(&cluster, "v1").len(), 2);
}

#[test]
fn the_history_of_a_tag_that_is_gone_is_forgotten_after_a_while() {
    for undelete_s in [0, 3600] {
        let mut cluster = Cluster::new(1);
        cluster.does(SettingsSet { undelete_s: Some(undelete_s), ..SettingsSet::default() });
        cluster.push("a/r", "m", &[], &["gone", "back"]);
        delete(&mut cluster, "gone");
        delete(&mut cluster, "back");
        cluster.pass(GONE_KEPT_MS / 2);
        assert_eq!(events(&cluster, "gone"), [(Event::Deleted, "m"), (Event::Pushed, "m")]);
        cluster.push("a/r", "n", &[], &["back"]);
        cluster.pass(GONE_KEPT_MS / 2 + 3_600_000);
        assert_eq!(events(&cluster, "gone"), []);
        assert_eq!(events(&cluster, "back").len(), 3, "it is there again");
        // From its second deletion on it is kept as long again.
        delete(&mut cluster, "back");
        cluster.pass(GONE_KEPT_MS - 1);
        assert_eq!(events(&cluster, "back").len(), 4);
        cluster.pass(3_600_001);
        assert_eq!(events(&cluster, "back"), []);
        assert_eq!(cluster.tables.count(Table::TagHistory), 0);
        assert_eq!(cluster.tables.count(Table::HoldEnds), 0);
    }
}

#[test]
fn histories_go_with_their_repository() {
    let mut cluster = Cluster::new(1);
    for name in ["v1", "v2", "v3"] {
        cluster.push("a/r", "m", &["x"], &[name]);
        cluster.push("a/r", "n", &["x"], &[name]);
        delete(&mut cluster, name);
    }
    let (repository, actor) = (repository("a/r"), "admin".to_owned());
    cluster.does(RepositoryDelete { repository, actor });
    for _ in 0..10 {
        cluster.propose(Vec::new(), 0);
    }
    for table in [Table::TagHistory, Table::DeletedTags, Table::HeldTags, Table::Manifests] {
        assert_eq!(cluster.tables.count(table), 0, "{table:?}");
    }
}
