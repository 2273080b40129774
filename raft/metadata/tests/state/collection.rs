//! Condemn and delete.

use metadata::blobs;
use metadata::blobs::commands::BlobUnlink;
use metadata::blobs::kept;
use metadata::collection::plan::{self, Standing};
use metadata::collection::{self, Condemn, Delete, Needed};
use metadata::leases::LeaseSweep;
use metadata::manifests::delete::ManifestDelete;
use metadata::outcome::Answer;
use metadata::refusal::Refusal;
use metadata::releases;
use metadata::settings::SettingsSet;

use crate::cluster::{Cluster, HOUR_MS, case, check, digest, id, repository};

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
    assert_eq!(collection::collectable(&cluster.tables, 0, 10).unwrap(), [digest("x")]);
    assert_eq!(cluster.does(condemn()), Answer::Condemned { generation: before + 1 });
    assert_eq!(collection::collectable(&cluster.tables, 0, 10).unwrap(), []);
    let condemned = collection::condemned(&cluster.tables, None, 10).unwrap();
    let named = condemned.iter().map(|it| (&it.digest, it.generation)).collect::<Vec<_>>();
    assert_eq!(named, [(&digest("x"), before + 1)]);
}

#[test]
fn without_a_grace_time_an_idle_blob_is_condemned_at_once() {
    let mut cluster = Cluster::new(3);
    cluster.does(SettingsSet { grace_s: Some(0), ..SettingsSet::default() });
    idle(&mut cluster);
    assert_eq!(collection::collectable(&cluster.tables, 0, 10).unwrap(), [digest("x")]);
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
    assert_eq!(collection::collectable(&cluster.tables, 0, 10).unwrap(), std::slice::from_ref(&m));
    cluster.pass(24 * HOUR_MS);
    let mut collectable = collection::collectable(&cluster.tables, 0, 10).unwrap();
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
    let two = collection::collectable(&cluster.tables, 0, 2).unwrap();
    assert_eq!(two, [digest("x"), digest("y")]);
}

#[test]
fn the_file_of_a_replica_may_raise_the_grace_time_and_not_lower_it() {
    let mut cluster = Cluster::new(3);
    idle(&mut cluster);
    cluster.pass(24 * HOUR_MS);
    let found = |least_s| collection::collectable(&cluster.tables, least_s, 10).unwrap().len();
    assert_eq!([0, 24 * 3600, 24 * 3600 + 1].map(found), [1, 1, 0]);
}

/// Every part of the plan, as `(blob, standing)`.
fn planned(cluster: &Cluster) -> Vec<(String, Standing)> {
    let mut all = Vec::new();
    type Listing<'a> = &'a dyn Fn(&[u8]) -> plan::Part;
    let listings: [Listing<'_>; 4] = [
        &|last| plan::condemned(&cluster.tables, last, 1).unwrap(),
        &|last| plan::idle(&cluster.tables, 0, last, 1).unwrap(),
        &|last| plan::held(&cluster.tables, last, 1).unwrap(),
        &|last| plan::leased(&cluster.tables, last, 1).unwrap(),
    ];
    for listing in listings {
        let mut last = Vec::new();
        loop {
            let part = listing(&last);
            all.extend(part.blobs.into_iter().map(|it| (it.digest.to_string(), it.standing)));
            let Some(next) = part.next else { break };
            last = next;
        }
    }
    all
}

#[test]
fn the_plan_says_of_each_blob_why_it_goes_or_stays() {
    let mut cluster = Cluster::new(3);
    let actor = || "admin".to_owned();
    for text in ["gone", "ready", "fresh"] {
        cluster.commit("a/r", text);
    }
    let unlink =
        |text| BlobUnlink { repository: repository("a/r"), digest: digest(text), actor: actor() };
    for text in ["gone", "ready"] {
        cluster.does(unlink(text));
    }
    cluster.pass(12 * HOUR_MS);
    cluster.does(unlink("fresh"));
    cluster.pass(12 * HOUR_MS);
    cluster.does(Condemn { digest: digest("gone") });
    // Layers of a deleted image whose tag may come back, one of them named elsewhere as well, and
    // one that a lease keeps in two repositories.
    cluster.push("a/r", "m", &["only", "both"], &["v1"]);
    cluster.push("a/q", "n", &["both"], &["v1"]);
    let (here, m) = (repository("a/r"), digest("m"));
    cluster.does(ManifestDelete { repository: here, digest: m, actor: actor() });
    cluster.commit("a/q", "leased");
    cluster.commit("a/r", "leased");

    let now_ms = metadata::clocks::cluster_ms(&cluster.tables).unwrap();
    let all = planned(&cluster);
    let standing = |text: &str| {
        let found: Vec<_> = all.iter().filter(|(it, _)| *it == digest(text).to_string()).collect();
        assert!(found.len() <= 1, "{found:?}");
        found.first().map(|(_, standing)| standing.clone())
    };
    assert_eq!(standing("gone"), Some(Standing::Condemned));
    assert_eq!(standing("ready"), Some(Standing::Ready));
    let Some(Standing::InGrace { until_ms }) = standing("fresh") else { panic!("{all:?}") };
    assert!(until_ms > now_ms && until_ms <= now_ms + 12 * HOUR_MS, "{until_ms} {now_ms}");
    let held = |text| matches!(standing(text), Some(Standing::Held { repository: Some(_) }));
    assert!(held("m"), "{all:?}");
    assert!(matches!(standing("leased"), Some(Standing::Leased { repository: Some(_), .. })));
    for named in ["both", "n"] {
        assert_eq!(standing(named), None, "{named}");
    }
    let explained = |text| plan::explain(&cluster.tables, 0, &digest(text)).unwrap();
    let goes = |text| explained(text).unwrap().goes(now_ms);
    let all = ["gone", "ready", "fresh", "m", "leased", "both"];
    assert_eq!(all.map(goes), [true, true, false, false, false, false]);
    let both = explained("both").unwrap();
    assert_eq!(both.places.iter().map(|it| it.is_held).collect::<Vec<_>>(), [false, false, true]);
    assert!(explained("nothing").is_none());
}

#[test]
fn sums_tell_how_much_is_kept_and_how_much_goes() {
    let mut cluster = Cluster::new(3);
    let counts = |cluster: &Cluster| {
        let sums = kept::sums(&cluster.tables).unwrap();
        [sums.named, sums.leased, sums.idle, sums.condemned].map(|it| it.blobs)
    };
    cluster.commit("a/r", "x");
    cluster.push("a/r", "m", &["y"], &["v1"]);
    assert_eq!(counts(&cluster), [2, 1, 0, 0]);
    cluster.does(BlobUnlink {
        repository: repository("a/r"),
        digest: digest("x"),
        actor: "admin".into(),
    });
    assert_eq!(counts(&cluster), [2, 0, 1, 0]);
    cluster.pass(24 * HOUR_MS);
    cluster.does(condemn());
    assert_eq!(counts(&cluster), [2, 0, 0, 1]);
    cluster.does(Delete { digest: digest("x"), generation: generation(&cluster) });
    assert_eq!(counts(&cluster), [2, 0, 0, 0]);
    assert!(kept::sums(&cluster.tables).unwrap().all().bytes > 0);
}

#[test]
fn many_leases_whose_time_is_over_end_with_one_command() {
    let mut cluster = Cluster::new(3);
    for number in 0..300 {
        cluster.commit("a/r", &format!("x{number}"));
    }
    assert_eq!(cluster.does(LeaseSweep {}), Answer::Removed { removed: 0, more: false });
    // One entry, which ends some of them by itself.
    cluster.propose(Vec::new(), 24 * HOUR_MS);
    let ended = cluster.does(LeaseSweep {});
    assert!(matches!(ended, Answer::Removed { removed: 1.., more: false }), "{ended:?}");
    assert_eq!(kept::sums(&cluster.tables).unwrap().idle.blobs, 300);
}

#[test]
fn a_replica_is_told_of_its_own_releases_and_of_those_for_everyone() {
    let mut cluster = Cluster::new(3);
    idle(&mut cluster);
    cluster.pass(24 * HOUR_MS);
    cluster.does(condemn());
    cluster.does(Delete { digest: digest("x"), generation: generation(&cluster) });
    let forget =
        |text: &str, who| metadata::holders::Forget { digest: digest(text), replica_id: id(who) };
    cluster.does(forget("y", 1));
    cluster.does(forget("z", 2));
    let told =
        |who, from: &[u8], limit| releases::of(&cluster.tables, id(who), from, limit).unwrap();
    let texts = |releases: &releases::Releases| -> Vec<String> {
        releases.found.iter().map(|(_, digest)| digest.to_string()).collect()
    };
    let of_first = told(1, &[], 10);
    assert_eq!(texts(&of_first), [digest("x").to_string(), digest("y").to_string()]);
    assert_eq!(of_first.next, None);
    assert_eq!(texts(&told(2, &[], 10)), [digest("x").to_string(), digest("z").to_string()]);
    let deleted_at = of_first.found[0].0;
    assert_eq!(texts(&told(1, &releases::after(deleted_at), 10)), [digest("y").to_string()]);
    let first = told(1, &[], 1);
    assert_eq!(told(1, &first.next.unwrap(), 10).found, of_first.found[1..]);
}
