//! Draining a member, and a cluster that goes on alone after it lost its majority.

use metadata::adoption::{self, AdoptionFinish};
use metadata::blobs;
use metadata::blobs::commands::BlobUnlink;
use metadata::bootstrap;
use metadata::certificates;
use metadata::collection::Condemn;
use metadata::holders::{Forget, HolderDrop};
use metadata::members::{self, MemberDrain, MemberJoin, MemberRemove, MemberUpdate};
use metadata::membership;
use metadata::outcome::Answer;
use metadata::quorum;
use metadata::refusal::Refusal;
use metadata::repair::ClusterRepair;
use metadata::replica::MemberNumber;

use crate::cluster::{Cluster, HOUR_MS, case, check, digest, id, join, repository};

fn drain(number: u64) -> MemberDrain {
    MemberDrain { replica_id: id(number), is_draining: true }
}

fn stay(number: u64) -> MemberDrain {
    MemberDrain { is_draining: false, ..drain(number) }
}

fn repair_of(number: u64) -> ClusterRepair {
    ClusterRepair {
        replica_id: id(number),
        cluster_id: "decaf".into(),
        ca_certificate_pem: "another pem".into(),
        sealed_ca_key: vec![9],
        last_log: 300,
        applied: 299,
    }
}

#[test]
fn a_member_is_drained_while_another_voter_keeps_content() {
    let last = |number| Err(Refusal::MemberIsLast { replica_id: id(number) });
    let unknown = |number| Err(Refusal::MemberUnknown { replica_id: id(number) });
    check([
        case("one of three", |_| (), |_| drain(2).into(), Ok(Answer::Done)),
        case("again", |c| drop(c.does(drain(2))), |_| drain(2).into(), Ok(Answer::Done)),
        case("a stranger", |_| (), |_| drain(9).into(), unknown(9)),
        case("the last voter", |c| c.set_voters(&[1]), |_| drain(1).into(), last(1)),
        case(
            "the last that keeps content",
            |c| {
                c.does(drain(1));
                c.does(drain(2));
            },
            |_| drain(3).into(),
            last(3),
        ),
        case(
            "one that stays after all",
            |c| {
                c.does(drain(1));
                c.does(drain(2));
                c.does(stay(1));
            },
            |_| drain(3).into(),
            Ok(Answer::Done),
        ),
    ]);
}

#[test]
fn what_a_drained_member_holds_counts_no_more() {
    let mut cluster = Cluster::new(3);
    cluster.does(drain(3));
    let voters = membership::voters(&cluster.tables).unwrap();
    assert_eq!(voters.voters.len(), 3, "it votes until it is removed");
    assert_eq!(voters.voter_numbers, [MemberNumber(1), MemberNumber(2)]);
    let figures = quorum::of(&cluster.tables).unwrap();
    assert_eq!((figures.voters, figures.write, figures.copies), (3, 2, 2));
    let few = Err(Refusal::ReceiptsTooFew { counted: 1, needed: 2 });
    assert_eq!(cluster.run(cluster.blob_commit("a/r", "x", &[1, 3])), few);
    let committed = cluster.run(cluster.blob_commit("a/r", "x", &[1, 2]));
    assert_eq!(committed, Ok(Answer::BlobCommitted { missing: vec![] }), "no copy goes to it");
    cluster.does(stay(3));
    let row = blobs::find(&cluster.tables, &digest("x")).unwrap().unwrap();
    let missing = blobs::missing_copies(&cluster.tables, &digest("x"), &row).unwrap();
    assert_eq!(missing, [id(3)], "it stays, and is to have its copy again");
}

#[test]
fn one_of_two_can_be_drained_and_the_other_goes_on_alone() {
    let mut cluster = Cluster::new(2);
    cluster.does(drain(2));
    let figures = quorum::of(&cluster.tables).unwrap();
    assert_eq!((figures.write, figures.copies), (1, 1));
    cluster.does(cluster.blob_commit("a/r", "x", &[1]));
    cluster.set_voters(&[1]);
    cluster.does(MemberRemove { replica_id: id(2) });
    let voters = membership::voters(&cluster.tables).unwrap();
    assert_eq!((voters.voter_numbers, voters.draining), (vec![MemberNumber(1)], vec![]));
}

#[test]
fn a_repair_comes_with_a_membership_of_one_and_is_carried_out_once() {
    check([
        case("others vote", |_| (), |_| repair_of(1).into(), Err(Refusal::ClusterNotAlone)),
        case(
            "another votes alone",
            |c| c.set_voters(&[2]),
            |_| repair_of(1).into(),
            Err(Refusal::ClusterNotAlone),
        ),
        case("alone", |c| c.set_voters(&[1]), |_| repair_of(1).into(), Ok(Answer::Done)),
        case(
            "again",
            |c| {
                c.set_voters(&[1]);
                c.does(repair_of(1));
            },
            |_| repair_of(1).into(),
            Ok(Answer::Done),
        ),
    ]);
}

#[test]
fn after_a_repair_the_others_are_struck_and_nothing_is_collected() {
    let mut cluster = Cluster::new(3);
    cluster.commit("a/r", "x");
    let unlink =
        || BlobUnlink { repository: repository("a/r"), digest: digest("x"), actor: "admin".into() };
    cluster.does(unlink());
    cluster.does(drain(1));
    cluster.set_voters(&[1]);
    cluster.does(repair_of(1));
    let left = members::list(&cluster.tables).unwrap();
    assert_eq!(left.iter().map(|member| member.replica_id).collect::<Vec<_>>(), [id(1)]);
    assert!(!left[0].is_draining, "it keeps what there is");
    assert!(members::by_key(&cluster.tables, "key-2").unwrap().is_none());
    let row = bootstrap::cluster(&cluster.tables).unwrap().unwrap();
    assert_eq!(row.cluster_id, "decaf");
    let ca = certificates::ca(&cluster.tables).unwrap().unwrap();
    assert_eq!((ca.certificate_pem.as_str(), ca.sealed_key), ("another pem", vec![9]));
    assert_eq!(quorum::of(&cluster.tables).unwrap().write, 1);

    cluster.pass(100 * HOUR_MS);
    let found = Err(Refusal::AdoptionOpen);
    let (condemn, replica_id) = (Condemn { digest: digest("x") }, id(1));
    assert_eq!(cluster.run(condemn.clone()), found);
    assert_eq!(cluster.run(Forget { digest: digest("y"), replica_id }), found);
    assert_eq!(cluster.run(HolderDrop { digest: digest("x"), replica_id }), found);
    let by = |actor: &str| AdoptionFinish { actor: actor.into() };
    assert!(matches!(cluster.run(by("alice")), Err(Refusal::NotAuthorized { .. })));
    assert!(adoption::open(&cluster.tables).unwrap().is_some());
    cluster.does(by("admin"));
    assert_eq!(adoption::open(&cluster.tables).unwrap(), None);
    assert!(matches!(cluster.run(condemn), Ok(Answer::Condemned { .. })));
}

#[test]
fn the_state_has_the_lowest_version_that_all_members_know_and_never_falls() {
    let version = |c: &Cluster| bootstrap::cluster(&c.tables).unwrap().unwrap().version;
    let knows = |number: u64, supports: u32| MemberUpdate {
        replica_id: id(number),
        address: None,
        version: None,
        supports: Some(supports),
    };
    let mut cluster = Cluster::new(3);
    cluster.does(knows(1, 3));
    cluster.does(knows(2, 2));
    assert_eq!(version(&cluster), 1, "one knows the first only");
    cluster.set_voters(&[1, 2]);
    cluster.does(MemberRemove { replica_id: id(3) });
    assert_eq!(version(&cluster), 2, "it has left");
    let newcomer = |supports| MemberJoin { supports, ..join(4) };
    let unknown = Err(Refusal::VersionUnknown { supports: 1, version: 2 });
    assert_eq!(cluster.run(newcomer(0)), unknown);
    cluster.does(newcomer(2));
    cluster.does(knows(2, 1));
    assert_eq!(version(&cluster), 2, "what was written under it stays");
}
