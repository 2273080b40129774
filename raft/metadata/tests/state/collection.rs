//! Condemn and delete.

use metadata::blobs;
use metadata::blobs::commands::BlobUnlink;
use metadata::collection::{self, Condemn, Delete, Needed};
use metadata::manifests::delete::ManifestDelete;
use metadata::outcome::Answer;
use metadata::refusal::Refusal;
use metadata::settings::SettingsSet;

use crate::cluster::{Cluster, HOUR_MS, case, check, digest, repository};

fn condemn() -> Condemn {
    Condemn { digest: digest("x") }
}

/// A blob whose lease was taken away.
fn idle(cluster: &mut Cluster) {
    cluster.commit("a/r", "x");
    let (repository, digest, actor) = (repository("a/r"), digest("x"), "admin".into());
    cluster.does(BlobUnlink { repository, digest, actor });
}

fn generation(cluster: &Cluster) -> u64 {
    blobs::find(&cluster.tables, &digest("x")).unwrap().unwrap().generation
}

#[test]
fn only_what_nothing_needs_is_condemned_and_only_after_the_grace_time() {
    let needed = |reason| Err(Refusal::BlobNeeded { digest: digest("x"), reason });
    let case = |name, given, outcome| case(name, given, |_| condemn().into(), outcome);
    check([
        case("unknown", |_| (), Err(Refusal::BlobUnknown { digest: digest("x") })),
        case("leased", |c| drop(c.commit("a/r", "x")), needed(Needed::Leased)),
        case(
            "named",
            |c| {
                c.push("a/r", "m", &["x"], &[]);
                c.pass(100 * HOUR_MS);
            },
            needed(Needed::Named),
        ),
        case("idle, in grace", idle, needed(Needed::InGrace)),
        case(
            "idle, a millisecond too early",
            |c| {
                idle(c);
                c.pass(24 * HOUR_MS - 1);
            },
            needed(Needed::InGrace),
        ),
        case(
            "condemned",
            |c| {
                idle(c);
                c.pass(24 * HOUR_MS);
                c.does(condemn());
            },
            needed(Needed::Condemned),
        ),
        case(
            "leased again",
            |c| {
                idle(c);
                c.pass(24 * HOUR_MS);
                c.commit("a/q", "x");
            },
            needed(Needed::Leased),
        ),
    ]);
    let mut cluster = Cluster::new(3);
    idle(&mut cluster);
    let before = generation(&cluster);
    cluster.pass(24 * HOUR_MS);
    assert_eq!(collection::collectable(&cluster.tables, 10).unwrap(), [digest("x")]);
    assert_eq!(cluster.does(condemn()), Answer::Condemned { generation: before + 1 });
    assert_eq!(collection::collectable(&cluster.tables, 10).unwrap(), []);
    let condemned = collection::condemned(&cluster.tables, 10).unwrap();
    assert_eq!(condemned, [(digest("x"), before + 1)]);
}

#[test]
fn without_a_grace_time_an_idle_blob_is_condemned_at_once() {
    let mut cluster = Cluster::new(3);
    cluster.does(SettingsSet { grace_s: Some(0), ..SettingsSet::default() });
    idle(&mut cluster);
    assert_eq!(collection::collectable(&cluster.tables, 10).unwrap(), [digest("x")]);
    cluster.does(condemn());
}

#[test]
fn a_condemned_blob_is_deleted_by_the_generation_it_was_condemned_with() {
    fn condemned(cluster: &mut Cluster) {
        idle(cluster);
        cluster.pass(24 * HOUR_MS);
        cluster.does(condemn());
    }
    fn delete(cluster: &Cluster, back: u64) -> Delete {
        Delete { digest: digest("x"), generation: generation(cluster) - back }
    }
    let passed = || Err(Refusal::GenerationPassed { digest: digest("x") });
    check([
        case("condemned", condemned, |c| delete(c, 0).into(), Ok(Answer::Done)),
        case("another generation", condemned, |c| delete(c, 1).into(), passed()),
        case("live", idle, |c| delete(c, 0).into(), passed()),
        case(
            "back again",
            |c| {
                condemned(c);
                c.commit("a/r", "x");
            },
            |c| delete(c, 0).into(),
            passed(),
        ),
        case(
            "unknown",
            |_| (),
            |_| Delete { digest: digest("x"), generation: 1 }.into(),
            Err(Refusal::BlobUnknown { digest: digest("x") }),
        ),
    ]);
}

#[test]
fn a_receipt_from_before_a_deletion_counts_no_more_and_one_from_after_it_does() {
    let mut cluster = Cluster::new(3);
    idle(&mut cluster);
    cluster.pass(24 * HOUR_MS);
    let old_generation = generation(&cluster);
    let late = cluster.blob_commit("a/r", "x", &[1, 2]);
    cluster.does(condemn());
    cluster.does(Delete { digest: digest("x"), generation: old_generation + 1 });
    assert_eq!(cluster.run(late), Err(Refusal::ReceiptsTooFew { counted: 0, needed: 2 }));
    cluster.commit("a/r", "x");
    assert!(generation(&cluster) > old_generation + 1, "an old Delete can't name it");
}

#[test]
fn the_layers_of_a_deleted_manifest_are_collected_when_their_leases_are_over() {
    let mut cluster = Cluster::new(3);
    // Without a tag that could come back.
    let m = cluster.push("a/r", "m", &["x", "y"], &[]);
    let (repository, actor) = (repository("a/r"), "admin".to_owned());
    cluster.does(ManifestDelete { repository, digest: m.clone(), actor });
    let mut needed = vec![digest("x"), digest("y")];
    cluster.pass(24 * HOUR_MS);
    // The manifest's own bytes had no lease and went idle at once.
    assert_eq!(collection::collectable(&cluster.tables, 10).unwrap(), std::slice::from_ref(&m));
    cluster.pass(24 * HOUR_MS);
    let mut collectable = collection::collectable(&cluster.tables, 10).unwrap();
    collectable.sort();
    needed.push(m);
    needed.sort();
    assert_eq!(collectable, needed);
}

#[test]
fn what_was_idle_longest_is_collected_first() {
    let mut cluster = Cluster::new(3);
    for text in ["x", "y", "z"] {
        cluster.commit("a/r", text);
        let (repository, digest) = (repository("a/r"), digest(text));
        cluster.does(BlobUnlink { repository, digest, actor: "admin".into() });
        cluster.pass(HOUR_MS);
    }
    cluster.pass(24 * HOUR_MS);
    let two = collection::collectable(&cluster.tables, 2).unwrap();
    assert_eq!(two, [digest("x"), digest("y")]);
}
