//! Pushing and deleting manifests, tags and referrers.

use metadata::access::Reason;
use metadata::blobs;
use metadata::events;
use metadata::manifests::delete::{ManifestDelete, TAGS_MAX};
use metadata::manifests::put::{ManifestPut, ManifestReference};
use metadata::manifests::{self};
use metadata::outcome::{Answer, Outcome};
use metadata::refusal::Refusal;
use metadata::repositories::commands::RepositoryDelete;
use metadata::tables::Table;
use metadata::tags::undelete::TagUndelete;
use metadata::tags::{self, TagDelete, deleted};
use oci::manifest::Role;

use crate::cluster::{Cluster, HOUR_MS, SIZE, case, check, digest, id, reference, repository, tag};

fn put(moved: bool, created: bool) -> Outcome {
    Ok(Answer::ManifestPut {
        digest: digest("m"),
        moved,
        created,
        missing: vec![id(3)],
        evicted: vec![],
    })
}

fn given_layers(cluster: &mut Cluster) {
    cluster.commit("a/r", "x");
    cluster.commit("a/r", "y");
}

fn given_pushed(cluster: &mut Cluster) {
    cluster.push("a/r", "m", &["x", "y"], &["v1"]);
}

fn unknown(texts: &[&str]) -> Outcome {
    let mut digests: Vec<_> = texts.iter().map(|text| digest(text)).collect();
    digests.sort();
    Err(Refusal::ManifestBlobsUnknown { digests })
}

#[test]
fn a_manifest_is_taken_when_all_it_names_is_here_live_and_held() {
    check([
        case("whole", given_layers, |c| plain(c, &["x", "y"]).into(), put(true, true)),
        case("no tag", given_layers, |c| untagged(c).into(), put(false, true)),
        case(
            "a layer named twice",
            given_layers,
            |c| plain(c, &["x", "x"]).into(),
            put(true, true),
        ),
        case("no layers", |_| (), |c| plain(c, &[]).into(), put(true, true)),
        case(
            "layers missing, all named",
            given_layers,
            |c| plain(c, &["p", "x", "q"]).into(),
            unknown(&["p", "q"]),
        ),
        case(
            "a layer of another repository",
            |c| {
                given_layers(c);
                c.commit("a/q", "z");
            },
            |c| plain(c, &["x", "z"]).into(),
            unknown(&["z"]),
        ),
        case(
            "a layer whose lease is over",
            |c| {
                given_layers(c);
                c.pass(24 * HOUR_MS);
            },
            |c| plain(c, &["x"]).into(),
            unknown(&["x"]),
        ),
        case(
            "a foreign layer need not be here",
            given_layers,
            |c| foreign(plain(c, &["x"])).into(),
            put(true, true),
        ),
    ]);
}

#[test]
fn a_manifest_is_refused_while_copies_or_rights_are_too_few_or_sizes_differ() {
    check([
        case(
            "too few holders",
            |c| {
                given_layers(c);
                c.does(metadata::holders::HolderLost { digest: digest("y"), replica_id: id(2) });
            },
            |c| plain(c, &["x", "y"]).into(),
            Err(Refusal::HoldersTooFew { digests: vec![digest("y")] }),
        ),
        case(
            "another size than stored",
            given_layers,
            |c| sized(plain(c, &["x"])).into(),
            Err(Refusal::SizeMismatch { digest: digest("x"), stored: SIZE, stated: 99 }),
        ),
        case(
            "too few receipts",
            given_layers,
            |c| ManifestPut { receipts: c.receipts(&[3]), ..plain(c, &["x"]) }.into(),
            Err(Refusal::ReceiptsTooFew { counted: 1, needed: 2 }),
        ),
        case("the same again", given_pushed, |c| plain(c, &["x", "y"]).into(), put(false, false)),
        case(
            "the same under one more tag",
            given_pushed,
            |c| c.manifest_put("a/r", "m", &["x", "y"], &["v1", "v2", "v2"]).into(),
            put(true, false),
        ),
        case(
            "more tags than one push may set",
            given_layers,
            |c| ManifestPut { tags: vec![tag("v"); 101], ..plain(c, &[]) }.into(),
            Err(Refusal::ManifestTooLarge),
        ),
        case(
            "more references than one manifest may have",
            given_layers,
            |c| plain(c, &vec!["x"; 2001]).into(),
            Err(Refusal::ManifestTooLarge),
        ),
        case(
            "as many as it may",
            given_layers,
            |c| plain(c, &vec!["x"; 2000]).into(),
            put(true, true),
        ),
    ]);
}

fn plain(cluster: &Cluster, layers: &[&str]) -> ManifestPut {
    cluster.manifest_put("a/r", "m", layers, &["v1"])
}

fn untagged(cluster: &Cluster) -> ManifestPut {
    cluster.manifest_put("a/r", "m", &["x"], &[])
}

fn foreign(mut command: ManifestPut) -> ManifestPut {
    let required = false;
    command.references.push(ManifestReference { required, ..reference("far", Role::Layer) });
    command
}

fn sized(mut command: ManifestPut) -> ManifestPut {
    command.references[0].size = 99;
    command
}

#[test]
fn an_index_names_manifests_not_mere_blobs() {
    fn index(cluster: &Cluster, child: &str) -> ManifestPut {
        let references = vec![reference(child, Role::Child)];
        ManifestPut { references, ..cluster.manifest_put("a/r", "i", &[], &["v1"]) }
    }
    let mut cluster = Cluster::new(3);
    cluster.commit("a/r", "x");
    let refused = Err(Refusal::ManifestBlobsUnknown { digests: vec![digest("x")] });
    let command = index(&cluster, "x");
    assert_eq!(cluster.run(command), refused);
    cluster.push("a/r", "m", &["x"], &[]);
    let command = index(&cluster, "m");
    cluster.does(command);
    let r = repository("a/r");
    let parents = manifests::parents(&cluster.tables, &r, &digest("m"), 10).unwrap();
    assert_eq!(parents, [digest("i")]);
    // Child before parent is refused; the other way round both go.
    let delete = |text| ManifestDelete {
        repository: repository("a/r"),
        digest: digest(text),
        actor: "admin".into(),
    };
    let refused = Refusal::ManifestHasParents { digest: digest("m"), parents: vec![digest("i")] };
    assert_eq!(cluster.run(delete("m")), Err(refused));
    assert_eq!(cluster.does(delete("i")), Answer::Deleted { tags: vec![tag("v1")], more: false });
    assert_eq!(cluster.does(delete("m")), Answer::Deleted { tags: vec![], more: false });
}

#[test]
fn a_manifest_counts_what_it_names_once_each_and_its_own_bytes() {
    let mut cluster = Cluster::new(3);
    cluster.push("a/r", "m", &["x", "y", "x"], &["v1", "v2"]);
    let refs = |c: &Cluster, text| blobs::find(&c.tables, &digest(text)).unwrap().unwrap().refs;
    assert_eq!((refs(&cluster, "x"), refs(&cluster, "y"), refs(&cluster, "m")), (1, 1, 1));
    cluster.push("a/q", "m", &["x", "y", "x"], &[]);
    cluster.push("a/r", "n", &["x"], &["v2"]);
    assert_eq!((refs(&cluster, "x"), refs(&cluster, "y"), refs(&cluster, "m")), (3, 2, 2));
    let children = manifests::children(&cluster.tables, &repository("a/r"), &digest("m")).unwrap();
    let children: Vec<_> = children.into_iter().map(|child| child.digest).collect();
    assert_eq!(children, [digest("x"), digest("y"), digest("x")]);
}

#[test]
fn deleting_a_manifest_takes_its_tags_and_links_and_nothing_of_others() {
    fn delete(text: &str, actor: &str) -> ManifestDelete {
        let (repository, digest) = (repository("alice/r"), digest(text));
        ManifestDelete { repository, digest, actor: actor.into() }
    }
    let given: fn(&mut Cluster) = |c| drop(c.push("alice/r", "m", &["x"], &["v2", "v1"]));
    check([
        case(
            "tags are told in order",
            given,
            |_| delete("m", "alice").into(),
            Ok(Answer::Deleted { tags: vec![tag("v1"), tag("v2")], more: false }),
        ),
        case(
            "unknown",
            given,
            |_| delete("n", "alice").into(),
            Err(Refusal::ManifestUnknown { digest: digest("n") }),
        ),
        case(
            "a blob that is no manifest",
            given,
            |_| delete("x", "alice").into(),
            Err(Refusal::ManifestUnknown { digest: digest("x") }),
        ),
        case(
            "without the right",
            given,
            |_| delete("m", "bob").into(),
            Err(Refusal::Denied {
                actor: "bob".into(),
                repository: repository("alice/r"),
                reason: Reason::ReadRequired,
            }),
        ),
        case(
            "no such repository",
            |_| (),
            |_| delete("m", "alice").into(),
            Err(Refusal::RepositoryUnknown { repository: repository("alice/r") }),
        ),
    ]);
    let mut cluster = Cluster::new(3);
    cluster.push("alice/r", "m", &["x", "y"], &["v1"]);
    cluster.push("alice/r", "n", &["y"], &["v2"]);
    cluster.pass(24 * HOUR_MS);
    cluster.does(delete("m", "alice"));
    let r = repository("alice/r");
    let linked = |text| blobs::linked(&cluster.tables, &r, &digest(text)).unwrap();
    assert_eq!((linked("m"), linked("x"), linked("y")), (false, false, true));
    assert!(tags::find(&cluster.tables, &r, &tag("v1")).unwrap().is_none());
    assert!(tags::find(&cluster.tables, &r, &tag("v2")).unwrap().is_some());
}

/// However many tags there are, one command takes some, and each of them is told of.
#[test]
fn a_manifest_with_very_many_tags_goes_in_parts() {
    let mut cluster = Cluster::new(3);
    let names: Vec<String> = (0..=TAGS_MAX * 2).map(|number| format!("v{number:04}")).collect();
    for part in names.chunks(50) {
        let part: Vec<&str> = part.iter().map(String::as_str).collect();
        cluster.push("a/r", "m", &["x"], &part);
    }
    let here = repository("a/r");
    let delete = || ManifestDelete {
        repository: repository("a/r"),
        digest: digest("m"),
        actor: "admin".into(),
    };
    let events = |cluster: &Cluster| events::kept(&cluster.tables).unwrap().last;
    let before = events(&cluster);
    let mut gone = Vec::new();
    for (number, told) in [(100, 100), (100, 200), (1, 202)] {
        let there = manifests::find(&cluster.tables, &here, &digest("m")).unwrap();
        assert!(there.is_some(), "as long as a tag points at it");
        let answer = cluster.does(delete());
        let Answer::Deleted { tags, more } = answer else { panic!("{answer:?}") };
        assert_eq!((tags.len(), more), (number, number > 1));
        gone.extend(tags.iter().map(ToString::to_string));
        assert_eq!(events(&cluster) - before, told);
    }
    assert_eq!(gone, names);
    assert_eq!(cluster.run(delete()), Err(Refusal::ManifestUnknown { digest: digest("m") }));
    for (tag, _) in deleted::listing(&cluster.tables, &here, "", 1_000).unwrap().items {
        assert!(gone.contains(&tag.to_string()));
    }
    let undelete =
        TagUndelete { repository: here.clone(), tag: tag("v0200"), actor: "admin".into() };
    cluster.does(undelete);
    assert!(manifests::find(&cluster.tables, &here, &digest("m")).unwrap().is_some());
}

/// So do the tags of a repository that is deleted.
#[test]
fn a_deleted_repository_loses_its_tags_some_with_each_entry() {
    let mut cluster = Cluster::new(3);
    for part in 0..12 {
        let names: Vec<String> = (0..50).map(|number| format!("v{part}.{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        cluster.push("a/r", "m", &["x"], &names);
    }
    let (repository, actor) = (repository("a/r"), "admin".to_owned());
    cluster.does(RepositoryDelete { repository, actor });
    let mut left = cluster.tables.count(Table::Tags);
    assert_eq!(left, 600);
    while left > 0 {
        cluster.propose(Vec::new(), 0);
        let now = cluster.tables.count(Table::Tags);
        assert!(now < left && left - now <= 256, "{left} to {now}");
        left = now;
    }
    cluster.pass(0);
    assert_eq!(cluster.tables.count(Table::Manifests), 0);
}

#[test]
fn a_tag_goes_alone() {
    fn delete(name: &str) -> TagDelete {
        let (repository, actor) = (repository("a/r"), "admin".into());
        TagDelete { repository, tag: tag(name), precondition: None, actor }
    }
    let mut cluster = Cluster::new(3);
    let m = cluster.push("a/r", "m", &["x"], &["v1", "v2"]);
    assert_eq!(cluster.does(delete("v1")), Answer::Deleted { tags: vec![tag("v1")], more: false });
    assert_eq!(cluster.run(delete("v1")), Err(Refusal::TagUnknown { tag: tag("v1") }));
    cluster.does(delete("v2"));
    assert!(manifests::find(&cluster.tables, &repository("a/r"), &m).unwrap().is_some());
    assert_eq!(cluster.tables.count(Table::ManifestTags), 0);
}

#[test]
fn referrers_are_listed_by_subject_present_or_not_until_deleted() {
    let mut cluster = Cluster::new(3);
    let r = repository("a/r");
    let mut referrers: Vec<_> = ["s1", "s2", "s3"].map(digest).to_vec();
    for text in ["s1", "s2", "s3"] {
        let artifact_type = Some(format!("type/{text}"));
        let subject = Some(digest("nowhere"));
        let command = cluster.manifest_put("a/r", text, &[], &[]);
        cluster.does(ManifestPut { subject, artifact_type, ..command });
    }
    referrers.sort();
    let subject = digest("nowhere");
    let page = |c: &Cluster, last, limit| {
        let page = manifests::referrers(&c.tables, &r, &subject, last, limit).unwrap();
        (page.items.into_iter().map(|(digest, _)| digest).collect::<Vec<_>>(), page.more)
    };
    assert_eq!(page(&cluster, None, 10), (referrers.clone(), false));
    assert_eq!(page(&cluster, None, 2), (referrers[..2].to_vec(), true));
    assert_eq!(page(&cluster, Some(&referrers[1]), 2), (referrers[2..].to_vec(), false));
    let (repository, digest) = (r.clone(), referrers[0].clone());
    cluster.does(ManifestDelete { repository, digest, actor: "admin".into() });
    assert_eq!(page(&cluster, None, 10), (referrers[1..].to_vec(), false));
    assert_eq!(page(&cluster, None, 0), (vec![], false));
}

#[test]
fn a_type_declared_anew_is_stored_for_manifest_and_referrer() {
    let mut cluster = Cluster::new(3);
    let subject = Some(digest("s"));
    let command = cluster.manifest_put("a/r", "m", &[], &["v1"]);
    cluster.does(ManifestPut { subject: subject.clone(), ..command.clone() });
    let media_type = "application/vnd.oci.image.index.v1+json".to_owned();
    let again = ManifestPut { subject, media_type: media_type.clone(), ..command };
    let answer = cluster.does(again);
    let (moved, created) = (false, false);
    let missing = vec![id(3)];
    let evicted = vec![];
    assert_eq!(
        answer,
        Answer::ManifestPut { digest: digest("m"), moved, created, missing, evicted }
    );
    let r = repository("a/r");
    let row = manifests::find(&cluster.tables, &r, &digest("m")).unwrap().unwrap();
    assert_eq!(row.media_type, media_type);
    let page = manifests::referrers(&cluster.tables, &r, &digest("s"), None, 9).unwrap();
    assert_eq!(page.items[0].1.media_type, media_type);
}
