//! Compare-and-set of tags, immutable tags, and pushes of several tags.

use metadata::manifests::put::ManifestPut;
use metadata::outcome::{Answer, Outcome};
use metadata::refusal::Refusal;
use metadata::repositories::commands::RepositoryUpdate;
use metadata::tags::{self, Precondition, TagDelete};

use crate::cluster::{Cluster, case, check, digest, id, repository, tag};

/// `v1 -> m`; the manifest `n` is there without a tag.
fn given(cluster: &mut Cluster) {
    cluster.push("a/r", "m", &["x"], &["v1"]);
    cluster.push("a/r", "n", &["x"], &[]);
}

fn immutable(cluster: &mut Cluster) {
    given(cluster);
    cluster.does(RepositoryUpdate {
        repository: repository("a/r"),
        actor: "admin".into(),
        visibility: None,
        immutable_tags: Some(true),
        short_description: None,
        long_description: None,
        tag_limit: None,
    });
}

fn push(
    cluster: &Cluster,
    text: &str,
    names: &[&str],
    precondition: Option<Precondition>,
) -> metadata::command::Command {
    ManifestPut { precondition, ..cluster.manifest_put("a/r", text, &["x"], names) }.into()
}

fn at(texts: &[&str]) -> Vec<oci::digest::Digest> {
    texts.iter().map(|text| digest(text)).collect()
}

fn put(text: &str, moved: bool) -> Outcome {
    let (digest, missing) = (digest(text), vec![id(3)]);
    Ok(Answer::ManifestPut { digest, moved, created: false, missing, evicted: vec![] })
}

fn failed(name: &str, current: Option<&str>) -> Outcome {
    let current = current.map(digest);
    Err(Refusal::PreconditionFailed { tag: tag(name), current })
}

#[test]
fn a_push_may_ask_that_the_tag_exists_or_does_not() {
    use Precondition::{Exists, Missing};
    check([
        case("must exist, does", given, |c| push(c, "n", &["v1"], Some(Exists)), put("n", true)),
        case(
            "must exist, does not",
            given,
            |c| push(c, "n", &["v2"], Some(Exists)),
            failed("v2", None),
        ),
        case("must be new, is", given, |c| push(c, "n", &["v2"], Some(Missing)), put("n", true)),
        case(
            "must be new, is not, though already there",
            given,
            |c| push(c, "m", &["v1"], Some(Missing)),
            failed("v1", Some("m")),
        ),
        case(
            "for each of several tags, or nothing happens",
            given,
            |c| push(c, "n", &["v0", "v1", "v2"], Some(Missing)),
            failed("v1", Some("m")),
        ),
    ]);
}

#[test]
fn a_push_may_ask_where_the_tag_points() {
    use Precondition::{PointsAt, PointsElsewhere};
    check([
        case(
            "must point there, does",
            given,
            |c| push(c, "n", &["v1"], Some(PointsAt { digests: at(&["q", "m"]) })),
            put("n", true),
        ),
        case(
            "must point there, points elsewhere",
            given,
            |c| push(c, "n", &["v1"], Some(PointsAt { digests: at(&["q"]) })),
            failed("v1", Some("m")),
        ),
        case(
            "must point there, points at what is pushed: the answer was lost",
            given,
            |c| push(c, "m", &["v1"], Some(PointsAt { digests: at(&["q"]) })),
            put("m", false),
        ),
        case(
            "must point there, does not exist",
            given,
            |c| push(c, "n", &["v2"], Some(PointsAt { digests: at(&["m"]) })),
            failed("v2", None),
        ),
        case(
            "must point elsewhere, does",
            given,
            |c| push(c, "n", &["v1"], Some(PointsElsewhere { digests: at(&["q"]) })),
            put("n", true),
        ),
        case(
            "must point elsewhere, does not exist",
            given,
            |c| push(c, "n", &["v2"], Some(PointsElsewhere { digests: at(&["q"]) })),
            put("n", true),
        ),
        case(
            "must point elsewhere, points there",
            given,
            |c| push(c, "n", &["v1"], Some(PointsElsewhere { digests: at(&["m"]) })),
            failed("v1", Some("m")),
        ),
    ]);
}

#[test]
fn an_immutable_tag_stays_with_its_manifest_unless_it_belongs_to_another() {
    let hex = digest("subject").hex().to_owned();
    let refused = || Err(Refusal::TagImmutable { repository: repository("a/r"), tag: tag("v1") });
    check([
        case("a new tag", immutable, |c| push(c, "n", &["v2"], None), put("n", true)),
        case("another digest", immutable, |c| push(c, "n", &["v1"], None), refused()),
        case("the same again", immutable, |c| push(c, "m", &["v1"], None), put("m", false)),
        case("by digest", immutable, |c| push(c, "n", &[], None), put("n", false)),
        case("all or none", immutable, |c| push(c, "n", &["v0", "v1"], None), refused()),
        case("mutable", given, |c| push(c, "n", &["v1"], None), put("n", true)),
    ]);
    for ending in ["", ".sig", ".att", ".sbom"] {
        let mut cluster = Cluster::new(3);
        immutable(&mut cluster);
        let name = format!("sha256-{hex}{ending}");
        for text in ["m", "n"] {
            let command = push(&cluster, text, &[&name], None);
            assert_eq!(cluster.run(command), put(text, true), "{name}");
        }
    }
}

#[test]
fn a_tag_of_an_immutable_repository_may_be_deleted_and_pushed_anew() {
    let mut cluster = Cluster::new(3);
    immutable(&mut cluster);
    let delete = |precondition| TagDelete {
        repository: repository("a/r"),
        tag: tag("v1"),
        precondition,
        actor: "admin".into(),
    };
    let elsewhere = Some(Precondition::PointsAt { digests: at(&["n"]) });
    assert_eq!(cluster.run(delete(elsewhere)), failed("v1", Some("m")));
    let there = Some(Precondition::PointsAt { digests: at(&["m"]) });
    cluster.does(delete(there));
    let command = push(&cluster, "n", &["v1"], None);
    assert_eq!(cluster.run(command), put("n", true));
}

#[test]
fn a_tag_that_moves_keeps_its_first_push_and_tells_its_last() {
    let mut cluster = Cluster::new(3);
    given(&mut cluster);
    let (r, v1) = (repository("a/r"), tag("v1"));
    let first = tags::find(&cluster.tables, &r, &v1).unwrap().unwrap();
    cluster.pass(5000);
    let command = push(&cluster, "n", &["v1"], None);
    cluster.does(command);
    let second = tags::find(&cluster.tables, &r, &v1).unwrap().unwrap();
    assert_eq!(second.created_index, first.created_index);
    assert_eq!(second.created_wall_ms, first.created_wall_ms);
    assert_eq!(second.moved_wall_ms, first.moved_wall_ms + 5000);
    assert_eq!(second.digest, digest("n"));
    assert_eq!(tags::of_manifest(&cluster.tables, &r, &digest("m"), 9).unwrap(), []);
}
