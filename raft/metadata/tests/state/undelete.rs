//! Tags that come back, and what is held for them meanwhile.

use metadata::accounts::commands::AccountUpdate;
use metadata::blobs::{self, State};
use metadata::collection::{self, Condemn};
use metadata::manifests::delete::ManifestDelete;
use metadata::manifests::put::ManifestPut;
use metadata::outcome::{Answer, Outcome};
use metadata::refusal::Refusal;
use metadata::settings::SettingsSet;
use metadata::tables::Table;
use metadata::tags::undelete::TagUndelete;
use metadata::tags::{self, TagDelete, TagRow, deleted};
use metadata::{manifests, repositories};
use oci::manifest::Role;

use crate::cluster::{Cluster, HOUR_MS, SIZE, START_WALL_MS, digest, reference, repository, tag};
use crate::tag_limit::{limited, names};

fn undelete(name: &str) -> TagUndelete {
    TagUndelete { repository: repository("a/r"), tag: tag(name), actor: "admin".into() }
}

fn undeleted(text: &str) -> Outcome {
    Ok(Answer::TagUndeleted { digest: digest(text) })
}

fn none(name: &str) -> Outcome {
    Err(Refusal::TagNotDeleted { tag: tag(name) })
}

fn delete_tag(cluster: &mut Cluster, name: &str) {
    let (repository, tag) = (repository("a/r"), tag(name));
    cluster.does(TagDelete { repository, tag, precondition: None, actor: "admin".into() });
}

fn delete(cluster: &mut Cluster, text: &str) {
    let (repository, digest) = (repository("a/r"), digest(text));
    cluster.does(ManifestDelete { repository, digest, actor: "admin".into() });
}

fn row(cluster: &Cluster, name: &str) -> Option<TagRow> {
    tags::find(&cluster.tables, &repository("a/r"), &tag(name)).unwrap()
}

fn is_there(cluster: &Cluster, text: &str) -> bool {
    manifests::find(&cluster.tables, &repository("a/r"), &digest(text)).unwrap().is_some()
}

/// Condemns all that can be; which of `texts` went.
fn collect(cluster: &mut Cluster, texts: &[&'static str]) -> Vec<&'static str> {
    for digest in collection::collectable(&cluster.tables, 0, 100).unwrap() {
        cluster.does(Condemn { digest });
    }
    let state = |text: &&&str| blobs::find(&cluster.tables, &digest(text)).unwrap().unwrap().state;
    texts.iter().filter(|text| state(text) == State::Condemned).copied().collect()
}

/// An index `i` of two images, tagged.
fn with_index() -> Cluster {
    let mut cluster = Cluster::new(3);
    cluster.push("a/r", "m", &["x", "base"], &[]);
    cluster.push("a/r", "n", &["y", "base"], &[]);
    let references = vec![reference("m", Role::Child), reference("n", Role::Child)];
    let command = cluster.manifest_put("a/r", "i", &[], &["v1"]);
    cluster.does(ManifestPut { references, subject: Some(digest("s")), ..command });
    cluster
}

/// What `undelete` can bring back is what the list shows.
#[test]
fn the_tags_that_may_come_back_are_listed_while_they_may() {
    let mut cluster = Cluster::new(3);
    cluster.push("a/r", "m", &["x"], &["v1", "v2", "v3", "v4"]);
    let shown = |cluster: &Cluster| {
        let mut shown = Vec::new();
        let mut start = String::new();
        loop {
            let tables = &cluster.tables;
            let part = deleted::listing(tables, &repository("a/r"), &start, 2).unwrap();
            for (name, _) in part.items {
                if deleted::returnable(tables, &repository("a/r"), &name).unwrap().is_some() {
                    shown.push(name.to_string());
                }
            }
            match part.next {
                Some((next, _)) => start = next.to_string(),
                None => return shown,
            }
        }
    };
    assert_eq!(shown(&cluster), [""; 0]);
    for name in ["v1", "v3", "v4"] {
        delete_tag(&mut cluster, name);
    }
    assert_eq!(shown(&cluster), ["v1", "v3", "v4"]);
    cluster.push("a/r", "n", &["y"], &["v3"]);
    assert_eq!(shown(&cluster), ["v1", "v4"], "another stands in its place");
    cluster.does(undelete("v1"));
    assert_eq!(shown(&cluster), ["v4"]);
    cluster.propose(Vec::new(), 25 * HOUR_MS);
    assert_eq!(shown(&cluster), [""; 0], "too late");
    let none = deleted::listing(&cluster.tables, &repository("no/such"), "", 2).unwrap();
    assert!(none.items.is_empty() && none.next.is_none());
}

#[test]
fn a_deleted_tag_comes_back_as_it_was() {
    let mut cluster = Cluster::new(3);
    cluster.push("a/r", "m", &["x"], &["v1"]);
    cluster.pass(1000);
    let before = row(&cluster, "v1").unwrap();
    delete_tag(&mut cluster, "v1");
    assert!(row(&cluster, "v1").is_none());
    let (found, until) =
        deleted::find(&cluster.tables, &repository("a/r"), &tag("v1")).unwrap().unwrap();
    assert_eq!(found.digest, digest("m"));
    assert_eq!(until, START_WALL_MS + 1000 + 24 * HOUR_MS);
    assert_eq!(cluster.run(undelete("v1")), undeleted("m"));
    assert_eq!(row(&cluster, "v1"), Some(TagRow { recorded: true, ..before }));
    // Once.
    assert_eq!(cluster.run(undelete("v1")), none("v1"));
    assert_eq!(cluster.run(undelete("v2")), none("v2"));
    assert_eq!(cluster.tables.count(Table::HoldEnds), 0);
}

#[test]
fn a_manifest_deleted_with_its_tags_is_gone_for_everybody_and_comes_back_with_one_of_them() {
    let mut cluster = Cluster::new(3);
    cluster.push("a/r", "m", &["x", "x"], &["v1", "v2"]);
    cluster.pass(25 * HOUR_MS);
    delete(&mut cluster, "m");
    assert!(!is_there(&cluster, "m"));
    assert!(!blobs::linked(&cluster.tables, &repository("a/r"), &digest("x")).unwrap());
    assert!(!blobs::linked(&cluster.tables, &repository("a/r"), &digest("m")).unwrap());
    assert_eq!(collect(&mut cluster, &["m", "x"]), [""; 0]);
    assert_eq!(cluster.run(undelete("v2")), undeleted("m"));
    assert_eq!(names(&cluster, "a/r"), ["v2"]);
    assert!(is_there(&cluster, "m"));
    assert!(blobs::readable(&cluster.tables, &repository("a/r"), &digest("x")).unwrap().is_some());
    let children = manifests::children(&cluster.tables, &repository("a/r"), &digest("m")).unwrap();
    assert_eq!(children.len(), 2);
    // The other may still come, and then nothing is held any more.
    assert_eq!(cluster.run(undelete("v1")), undeleted("m"));
    cluster.pass(1);
    assert_eq!(cluster.tables.count(Table::Manifests), 1);
    assert_eq!(blobs::find(&cluster.tables, &digest("x")).unwrap().unwrap().refs, 1);
}

#[test]
fn after_the_window_nothing_comes_back_and_all_is_collected() {
    let mut cluster = Cluster::new(3);
    let settings = SettingsSet { undelete_s: Some(48 * 3600), ..SettingsSet::default() };
    cluster.does(settings);
    cluster.push("a/r", "m", &["x"], &["v1"]);
    delete(&mut cluster, "m");
    cluster.pass(48 * HOUR_MS - 1);
    assert_eq!(collect(&mut cluster, &["m", "x"]), [""; 0]);
    let mut in_time = cluster.clone();
    assert_eq!(in_time.run(undelete("v1")), undeleted("m"));
    cluster.propose(Vec::new(), 1);
    assert_eq!(cluster.run(undelete("v1")), none("v1"));
    cluster.pass(1);
    assert_eq!(cluster.tables.count(Table::Manifests), 0);
    // From now on as long as for anything that nothing needs.
    cluster.pass(24 * HOUR_MS);
    assert_eq!(collect(&mut cluster, &["m", "x"]), ["m", "x"]);
}

#[test]
fn an_index_comes_back_with_the_images_that_were_deleted_after_it() {
    let mut cluster = with_index();
    let before = cluster.tables.count(Table::Edges);
    for text in ["i", "m", "n"] {
        delete(&mut cluster, text);
        assert!(!is_there(&cluster, text), "{text}");
    }
    cluster.pass(23 * HOUR_MS);
    assert_eq!(collect(&mut cluster, &["i", "m", "n", "x", "y", "base"]), [""; 0]);
    assert_eq!(cluster.run(undelete("v1")), undeleted("i"));
    assert!(["i", "m", "n"].iter().all(|text| is_there(&cluster, text)));
    let subject = digest("s");
    let referrers =
        manifests::referrers(&cluster.tables, &repository("a/r"), &subject, None, 10).unwrap();
    assert_eq!(referrers.items.len(), 1);
    cluster.pass(1);
    assert_eq!(cluster.tables.count(Table::Edges), before, "nothing is held any more");
    // And an index that does not come back lets its images go.
    let mut cluster = with_index();
    for text in ["i", "m", "n"] {
        delete(&mut cluster, text);
    }
    cluster.pass(25 * HOUR_MS);
    cluster.pass(25 * HOUR_MS);
    assert_eq!(cluster.tables.count(Table::Manifests), 0);
    assert_eq!(collect(&mut cluster, &["i", "m", "x"]), ["i", "m", "x"]);
}

#[test]
fn a_tag_deleted_before_its_manifest_comes_back_with_it() {
    let mut cluster = Cluster::new(3);
    cluster.push("a/r", "m", &["x"], &["v1"]);
    delete_tag(&mut cluster, "v1");
    cluster.pass(HOUR_MS);
    // Nobody sees that a tag could come back: as untagged as any.
    delete(&mut cluster, "m");
    assert_eq!(cluster.run(undelete("v1")), undeleted("m"));
    assert!(is_there(&cluster, "m"));
}

#[test]
fn a_manifest_that_was_pushed_again_meanwhile_is_not_touched() {
    let mut cluster = Cluster::new(3);
    cluster.push("a/r", "m", &["x"], &["v1"]);
    delete(&mut cluster, "m");
    cluster.push("a/r", "m", &["x"], &["v2"]);
    assert_eq!(cluster.run(undelete("v1")), undeleted("m"));
    assert_eq!(names(&cluster, "a/r"), ["v1", "v2"]);
    cluster.pass(1);
    assert_eq!(cluster.tables.count(Table::Manifests), 1);
    // Deleted once more, it is held once more.
    delete(&mut cluster, "m");
    assert_eq!(cluster.run(undelete("v2")), undeleted("m"));
}

#[test]
fn a_tag_that_was_pushed_again_stays_and_the_later_deletion_is_the_one_undone() {
    let mut cluster = Cluster::new(3);
    cluster.push("a/r", "m", &["x"], &["v1"]);
    delete(&mut cluster, "m");
    cluster.push("a/r", "n", &["x"], &["v1"]);
    assert_eq!(cluster.run(undelete("v1")), Err(Refusal::TagExists { tag: tag("v1") }));
    delete(&mut cluster, "n");
    cluster.pass(1);
    assert_eq!(cluster.tables.count(Table::Manifests), 1, "only the later one is held");
    assert_eq!(cluster.run(undelete("v1")), undeleted("n"));
}

#[test]
fn what_comes_back_keeps_to_immutability_limit_and_quota() {
    let mut cluster = Cluster::new(3);
    cluster.push("a/r", "m", &["x"], &["v1"]);
    cluster.does(limited("a/r", 1));
    cluster.push("a/r", "n", &["x"], &["v2"]);
    assert_eq!(names(&cluster, "a/r"), ["v2"]);
    assert_eq!(cluster.run(undelete("v1")), Err(Refusal::TagLimitReached { limit: 1 }));
    cluster.does(limited("a/r", 2));
    assert_eq!(cluster.run(undelete("v1")), undeleted("m"));
    // It is the first again.
    cluster.push("a/r", "n", &["x"], &["v3"]);
    assert_eq!(names(&cluster, "a/r"), ["v2", "v3"]);

    let immutable = metadata::repositories::commands::RepositoryUpdate {
        immutable_tags: Some(true),
        ..limited("a/r", 0)
    };
    cluster.does(immutable);
    assert_eq!(cluster.run(undelete("v1")), undeleted("m"));

    delete(&mut cluster, "m");
    cluster.pass(1);
    cluster.does(AccountUpdate {
        name: "a".into(),
        actor: "admin".into(),
        full_name: None,
        is_admin: None,
        is_active: None,
        quota_bytes: Some(2 * SIZE),
    });
    let refused = Refusal::QuotaExceeded {
        namespace: "a".into(),
        used: 2 * SIZE,
        limit: 2 * SIZE,
        asked: SIZE,
    };
    assert_eq!(cluster.run(undelete("v1")), Err(refused));
}

#[test]
fn without_a_window_nothing_is_held() {
    let mut cluster = Cluster::new(3);
    cluster.does(SettingsSet { undelete_s: Some(0), ..SettingsSet::default() });
    cluster.push("a/r", "m", &["x"], &["v1"]);
    delete(&mut cluster, "m");
    assert_eq!(cluster.tables.count(Table::Manifests), 0);
    assert_eq!(cluster.tables.count(Table::DeletedTags), 0);
    assert_eq!(cluster.run(undelete("v1")), none("v1"));
}

#[test]
fn who_may_delete_may_undelete_and_nobody_else() {
    let mut cluster = Cluster::new(3);
    cluster.push("alice/r", "m", &["x"], &["v1"]);
    let asks = |actor: &str, name: &str| TagUndelete {
        repository: repository(name),
        tag: tag("v1"),
        actor: actor.into(),
    };
    let (repository, tag) = (repository("alice/r"), tag("v1"));
    cluster.does(TagDelete { repository, tag, precondition: None, actor: "alice".into() });
    assert!(matches!(cluster.run(asks("bob", "alice/r")), Err(Refusal::Denied { .. })));
    // A repository that is not there is not made by it.
    let missing = cluster.run(asks("alice", "alice/q"));
    assert!(matches!(missing, Err(Refusal::RepositoryUnknown { .. })), "{missing:?}");
    assert!(
        repositories::find(&cluster.tables, &crate::cluster::repository("alice/q"))
            .unwrap()
            .is_none()
    );
    assert_eq!(cluster.run(asks("alice", "alice/r")), undeleted("m"));
}

#[test]
fn too_much_to_come_back_in_one_step_is_refused() {
    let mut cluster = Cluster::new(1);
    let texts: Vec<String> = (0..201).map(|number| format!("c{number}")).collect();
    for text in &texts {
        cluster.push("a/r", text, &[], &[]);
    }
    let references = texts.iter().map(|text| reference(text, Role::Child)).collect();
    let command = cluster.manifest_put("a/r", "i", &[], &["v1"]);
    cluster.does(ManifestPut { references, ..command });
    delete(&mut cluster, "i");
    let mut few = cluster.clone();
    assert_eq!(few.run(undelete("v1")), undeleted("i"), "the images are there still");
    for text in &texts {
        delete(&mut cluster, text);
    }
    assert_eq!(cluster.run(undelete("v1")), Err(Refusal::UndeleteTooLarge));
}
