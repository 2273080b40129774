//! Commit, mount, unlink and leases.

use metadata::blobs::commands::{BlobCommit, BlobMount, BlobUnlink};
use metadata::blobs::{self, State};
use metadata::collection::Condemn;
use metadata::leases::{self, LeaseRenew};
use metadata::outcome::{Answer, Outcome};
use metadata::receipts::Receipt;
use metadata::refusal::Refusal;
use metadata::settings::SettingsSet;

use crate::cluster::{Cluster, HOUR_MS, SIZE, case, check, digest, id, repository};

fn too_few(counted: u32) -> Refusal {
    Refusal::ReceiptsTooFew { counted, needed: 2 }
}

fn committed(missing: &[u64]) -> Outcome {
    Ok(Answer::BlobCommitted { missing: missing.iter().map(|number| id(*number)).collect() })
}

#[test]
fn a_commit_needs_receipts_of_a_write_quorum_that_count() {
    check([
        case(
            "two of three",
            |_| (),
            |c| c.blob_commit("a/r", "x", &[1, 2]).into(),
            committed(&[3]),
        ),
        case("all", |_| (), |c| c.blob_commit("a/r", "x", &[1, 2, 3]).into(), committed(&[])),
        case("one", |_| (), |c| c.blob_commit("a/r", "x", &[1]).into(), Err(too_few(1))),
        case("none", |_| (), |c| c.blob_commit("a/r", "x", &[]).into(), Err(too_few(0))),
        case("one twice", |_| (), |c| c.blob_commit("a/r", "x", &[1, 1]).into(), Err(too_few(1))),
        case("a stranger", |_| (), |c| c.blob_commit("a/r", "x", &[1, 9]).into(), Err(too_few(1))),
        case(
            "another incarnation",
            |_| (),
            |c| with_receipt(c, |r| r.incarnation = "other".into()).into(),
            Err(too_few(1)),
        ),
        case(
            "from the future",
            |_| (),
            |c| with_receipt(c, |r| r.applied_index += 1000).into(),
            Err(too_few(1)),
        ),
        case(
            "a member that is no voter",
            |c| c.set_voters(&[1, 2]),
            |c| c.blob_commit("a/r", "x", &[1, 3]).into(),
            Err(too_few(1)),
        ),
        case(
            "too old",
            |c| c.index += 1_000_000,
            |c| with_receipt(c, |r| r.applied_index -= 999_998).into(),
            Err(too_few(1)),
        ),
        case(
            "just not too old",
            |c| c.index += 1_000_000,
            |c| with_receipt(c, |r| r.applied_index -= 999_997).into(),
            committed(&[3]),
        ),
    ]);
}

#[test]
fn a_blob_that_is_kept_takes_more_holders_and_no_other_size() {
    check([
        case(
            "another size than stored",
            |c| drop(c.commit("a/r", "x")),
            |c| BlobCommit { size: 7, ..c.blob_commit("a/r", "x", &[1, 2]) }.into(),
            Err(Refusal::SizeMismatch { digest: digest("x"), stored: SIZE, stated: 7 }),
        ),
        case(
            "again",
            |c| drop(c.commit("a/r", "x")),
            |c| c.blob_commit("a/r", "x", &[2, 3]).into(),
            committed(&[]),
        ),
        case(
            "while read-only",
            |c| drop(c.does(SettingsSet { read_only: Some(true), ..SettingsSet::default() })),
            |c| c.blob_commit("a/r", "x", &[1, 2]).into(),
            Err(Refusal::ReadOnly),
        ),
    ]);
}

/// A commit whose second receipt is changed. `run` writes an empty entry first, so the command
/// stands two entries after its receipts.
fn with_receipt(cluster: &Cluster, change: fn(&mut Receipt)) -> BlobCommit {
    let mut command = cluster.blob_commit("a/r", "x", &[1, 2]);
    change(&mut command.receipts[1]);
    command
}

#[test]
fn a_committed_blob_is_linked_leased_and_counted_where_it_was_pushed() {
    let mut cluster = Cluster::new(3);
    let x = cluster.commit("a/r", "x");
    let tables = &cluster.tables;
    let blob = blobs::kept(tables, &repository("a/r"), &x).unwrap().unwrap();
    assert_eq!((blob.size, blob.state, blob.refs), (SIZE, State::Live, 0));
    assert_eq!(blobs::holders(tables, &blob).unwrap(), [id(1), id(2)]);
    assert!(!blobs::linked(tables, &repository("a/other"), &x).unwrap());
    assert!(leases::find(tables, &repository("a/r"), &x).unwrap().is_some());
    let unreferenced = leases::unreferenced(tables, &repository("a/r"), None, 10).unwrap();
    assert_eq!(unreferenced, std::slice::from_ref(&x));
    // Two more voters raise W to three: two holders are not enough any more.
    cluster.does(crate::cluster::join(4));
    cluster.does(crate::cluster::join(5));
    cluster.set_voters(&[1, 2, 3, 4, 5]);
    assert!(blobs::kept(&cluster.tables, &repository("a/r"), &x).unwrap().is_none());
    assert!(blobs::readable(&cluster.tables, &repository("a/r"), &x).unwrap().is_some());
}

#[test]
fn a_mount_links_what_the_actor_may_read_and_tells_nothing_else() {
    fn mount(actor: &str, from: Option<&str>) -> BlobMount {
        BlobMount {
            repository: repository(&format!("{actor}/target")),
            from: from.map(repository),
            digest: digest("x"),
            actor: actor.into(),
        }
    }
    let unknown = || Err(Refusal::BlobUnknown { digest: digest("x") });
    let given: fn(&mut Cluster) = |c| drop(c.commit("alice/r", "x"));
    check([
        case("own", given, |_| mount("alice", Some("alice/r")).into(), Ok(Answer::Done)),
        case("own, anywhere", given, |_| mount("alice", None).into(), Ok(Answer::Done)),
        case("another's", given, |_| mount("bob", Some("alice/r")).into(), unknown()),
        case("another's, anywhere", given, |_| mount("bob", None).into(), unknown()),
        case("no such source", given, |_| mount("alice", Some("alice/q")).into(), unknown()),
        case("not kept", |_| (), |_| mount("alice", None).into(), unknown()),
        case(
            "not linked in that source",
            |c| {
                c.commit("alice/r", "x");
                c.commit("alice/q", "y");
            },
            |_| mount("alice", Some("alice/q")).into(),
            unknown(),
        ),
        case(
            "too few holders",
            |c| {
                c.commit("alice/r", "x");
                c.set_voters(&[1, 3]);
            },
            |_| mount("alice", Some("alice/r")).into(),
            unknown(),
        ),
        case(
            "the lease of the source is over",
            |c| {
                c.commit("alice/r", "x");
                c.pass(24 * HOUR_MS);
            },
            |_| mount("alice", Some("alice/r")).into(),
            unknown(),
        ),
    ]);
}

#[test]
fn a_blob_is_unlinked_unless_a_manifest_names_it() {
    fn unlink(repository_name: &str, text: &str, actor: &str) -> BlobUnlink {
        let (repository, digest) = (repository(repository_name), digest(text));
        BlobUnlink { repository, digest, actor: actor.into() }
    }
    let given: fn(&mut Cluster) = |c| {
        c.push("alice/r", "m", &["x"], &["v1"]);
        c.commit("alice/r", "y");
    };
    let unknown = |text| Err(Refusal::BlobUnknown { digest: digest(text) });
    let named =
        |text| Err(Refusal::BlobReferenced { digest: digest(text), manifests: vec![digest("m")] });
    check([
        case("leased only", given, |_| unlink("alice/r", "y", "alice").into(), Ok(Answer::Done)),
        case("a layer", given, |_| unlink("alice/r", "x", "alice").into(), named("x")),
        case(
            "a manifest's own bytes",
            given,
            |_| unlink("alice/r", "m", "alice").into(),
            named("m"),
        ),
        case("not linked", given, |_| unlink("alice/r", "z", "alice").into(), unknown("z")),
        case(
            "a second time",
            |c| {
                c.commit("alice/r", "y");
                c.does(unlink("alice/r", "y", "alice"));
            },
            |_| unlink("alice/r", "y", "alice").into(),
            unknown("y"),
        ),
        case(
            "without the right",
            given,
            |_| unlink("alice/r", "y", "bob").into(),
            Err(Refusal::Denied {
                actor: "bob".into(),
                repository: repository("alice/r"),
                reason: metadata::access::Reason::ReadRequired,
            }),
        ),
    ]);
}

#[test]
fn a_renewal_prolongs_what_is_linked_live_and_held_and_names_the_rest() {
    fn renew(repository_name: &str) -> LeaseRenew {
        let digests = vec![digest("x"), digest("y")];
        LeaseRenew { repository: repository(repository_name), digests }
    }
    let refused = |texts: &[&str]| {
        Ok(Answer::LeasesRenewed { refused: texts.iter().map(|text| digest(text)).collect() })
    };
    check([
        case("linked", |c| drop(c.commit("a/r", "x")), |_| renew("a/r").into(), refused(&["y"])),
        case(
            "linked elsewhere",
            |c| {
                c.commit("a/r", "x");
                c.commit("a/q", "y");
            },
            |_| renew("a/q").into(),
            refused(&["x"]),
        ),
        case(
            "no such repository",
            |_| (),
            |_| renew("a/r").into(),
            Err(Refusal::RepositoryUnknown { repository: repository("a/r") }),
        ),
        case(
            "too few holders",
            |c| {
                c.commit("a/r", "x");
                c.set_voters(&[1, 3]);
            },
            |_| renew("a/r").into(),
            refused(&["x", "y"]),
        ),
        case(
            "over",
            |c| {
                c.commit("a/r", "x");
                c.pass(24 * HOUR_MS);
            },
            |_| renew("a/r").into(),
            refused(&["x", "y"]),
        ),
    ]);
}

#[test]
fn a_lease_counts_in_cluster_time_and_is_renewed_below_three_quarters() {
    let mut cluster = Cluster::new(3);
    let (r, x) = (repository("a/r"), cluster.commit("a/r", "x"));
    let renewal_due = |c: &Cluster| leases::needs_renewal(&c.tables, &r, &x).unwrap();
    assert!(!renewal_due(&cluster));
    cluster.pass(6 * HOUR_MS);
    assert!(!renewal_due(&cluster), "exactly three quarters are left");
    cluster.pass(1);
    assert!(renewal_due(&cluster));
    cluster.does(LeaseRenew { repository: r.clone(), digests: vec![x.clone()] });
    assert!(!renewal_due(&cluster));
    cluster.pass(24 * HOUR_MS - 1);
    assert!(blobs::linked(&cluster.tables, &r, &x).unwrap());
    // The very millisecond it ends it counts no more, whether swept or not.
    cluster.propose(Vec::new(), 1);
    assert!(!blobs::linked(&cluster.tables, &r, &x).unwrap());
    assert!(blobs::find(&cluster.tables, &x).unwrap().unwrap().idle_since_ms.is_some());
}

#[test]
fn a_commit_brings_a_condemned_blob_back() {
    let mut cluster = Cluster::new(3);
    let x = cluster.commit("a/r", "x");
    cluster.pass(24 * HOUR_MS);
    cluster.pass(24 * HOUR_MS);
    cluster.does(Condemn { digest: x.clone() });
    assert!(blobs::readable(&cluster.tables, &repository("a/r"), &x).unwrap().is_none());
    cluster.commit("a/r", "x");
    let blob = blobs::kept(&cluster.tables, &repository("a/r"), &x).unwrap().unwrap();
    assert_eq!((blob.state, blob.idle_since_ms), (State::Live, None));
}
