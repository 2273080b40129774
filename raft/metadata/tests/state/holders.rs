//! Holders and releases.

use metadata::blobs;
use metadata::holders::{Forget, HolderAdd, HolderDrop, HolderLost};
use metadata::members::MemberRemove;
use metadata::outcome::Answer;
use metadata::receipts::Receipt;
use metadata::refusal::Refusal;
use metadata::tables::Table;

use crate::cluster::{Cluster, case, check, digest, id, join, repository};

fn holders(cluster: &Cluster) -> Vec<metadata::replica::ReplicaId> {
    let blob = blobs::find(&cluster.tables, &digest("x")).unwrap().unwrap();
    blobs::holders(&cluster.tables, &blob).unwrap()
}

/// Four voters want three copies; the fourth is one too many.
fn four_copies(cluster: &mut Cluster) {
    cluster.does(join(4));
    cluster.set_voters(&[1, 2, 3, 4]);
    let command = cluster.blob_commit("a/r", "x", &[1, 2, 3, 4]);
    cluster.does(command);
}

#[test]
fn a_holder_is_added_by_a_receipt_that_counts() {
    fn add(cluster: &Cluster, replica: u64, change: fn(&mut Receipt)) -> HolderAdd {
        let mut receipt = cluster.receipt(replica);
        change(&mut receipt);
        HolderAdd { digest: digest("x"), receipt }
    }
    let given: fn(&mut Cluster) = |c| drop(c.commit("a/r", "x"));
    let stale = || Err(Refusal::ReceiptStale { digest: digest("x") });
    check([
        case("new", given, |c| add(c, 3, |_| ()).into(), Ok(Answer::Done)),
        case("listed already", given, |c| add(c, 1, |_| ()).into(), Ok(Answer::Done)),
        case("a stranger", given, |c| add(c, 8, |_| ()).into(), stale()),
        case(
            "another life's disk",
            given,
            |c| add(c, 3, |r| r.incarnation.clear()).into(),
            stale(),
        ),
        case(
            "released since",
            |c| {
                c.commit("a/r", "x");
                c.does(Forget { digest: digest("x"), replica_id: id(3) });
            },
            |c| add(c, 3, |r| r.applied_index -= 1).into(),
            stale(),
        ),
        case(
            "given after the release was applied",
            |c| {
                c.commit("a/r", "x");
                c.does(Forget { digest: digest("x"), replica_id: id(3) });
            },
            |c| add(c, 3, |_| ()).into(),
            Ok(Answer::Done),
        ),
        case(
            "no such blob",
            |_| (),
            |c| add(c, 3, |_| ()).into(),
            Err(Refusal::BlobUnknown { digest: digest("x") }),
        ),
    ]);
}

#[test]
fn a_copy_in_surplus_may_go_and_no_other() {
    fn drop_of(replica: u64) -> HolderDrop {
        HolderDrop { digest: digest("x"), replica_id: id(replica) }
    }
    check([
        case("a fourth", four_copies, |_| drop_of(1).into(), Ok(Answer::Done)),
        case(
            "one that is wanted",
            |c| {
                let command = c.blob_commit("a/r", "x", &[1, 2, 3]);
                c.does(command);
            },
            |_| drop_of(1).into(),
            Err(Refusal::CopiesTooFew { digest: digest("x"), left: 2, needed: 3 }),
        ),
        case(
            "not listed",
            |c| drop(c.commit("a/r", "x")),
            |_| drop_of(3).into(),
            Err(Refusal::HolderUnlisted { digest: digest("x"), replica_id: id(3) }),
        ),
        case(
            "no such blob",
            |_| (),
            |_| drop_of(3).into(),
            Err(Refusal::BlobUnknown { digest: digest("x") }),
        ),
        case(
            "no such member",
            |c| drop(c.commit("a/r", "x")),
            |_| drop_of(9).into(),
            Err(Refusal::MemberUnknown { replica_id: id(9) }),
        ),
        case(
            "one that votes no more, while enough voters have it",
            |c| {
                four_copies(c);
                c.set_voters(&[1, 2, 3]);
            },
            |_| drop_of(4).into(),
            Ok(Answer::Done),
        ),
    ]);
}

#[test]
fn a_replica_that_is_listed_is_not_let_go() {
    fn forget(replica: u64) -> Forget {
        Forget { digest: digest("x"), replica_id: id(replica) }
    }
    let given: fn(&mut Cluster) = |c| drop(c.commit("a/r", "x"));
    let listed = Refusal::HolderListed { digest: digest("x"), replica_id: id(1) };
    check([
        case("listed", given, |_| forget(1).into(), Err(listed)),
        case("not listed", given, |_| forget(3).into(), Ok(Answer::Done)),
        case("no such blob", |_| (), |_| forget(1).into(), Ok(Answer::Done)),
        case(
            "no such member",
            |_| (),
            |_| forget(9).into(),
            Err(Refusal::MemberUnknown { replica_id: id(9) }),
        ),
    ]);
}

#[test]
fn a_lost_copy_is_struck_however_few_are_left_and_its_old_receipts_count_no_more() {
    let mut cluster = Cluster::new(3);
    let late = cluster.blob_commit("a/r", "x", &[1, 2]);
    let lost = |replica| HolderLost { digest: digest("x"), replica_id: id(replica) };
    cluster.does(lost(2));
    assert_eq!(
        cluster.run(late),
        Err(Refusal::ReceiptsTooFew { counted: 1, needed: 2 }),
        "lost before it was listed"
    );
    cluster.commit("a/r", "x");
    let late = HolderAdd { digest: digest("x"), receipt: cluster.receipt(2) };
    cluster.does(lost(1));
    cluster.does(lost(2));
    assert_eq!(holders(&cluster), []);
    assert_eq!(cluster.run(late), Err(Refusal::ReceiptStale { digest: digest("x") }));
    assert!(blobs::readable(&cluster.tables, &repository("a/r"), &digest("x")).unwrap().is_some());
    assert!(blobs::kept(&cluster.tables, &repository("a/r"), &digest("x")).unwrap().is_none());
    let unknown = Err(Refusal::MemberUnknown { replica_id: id(9) });
    assert_eq!(cluster.run(lost(9)), unknown);
}

#[test]
fn a_removed_member_is_no_holder() {
    let mut cluster = Cluster::new(3);
    cluster.commit("a/r", "x");
    cluster.set_voters(&[1, 3]);
    cluster.does(MemberRemove { replica_id: id(2) });
    assert_eq!(holders(&cluster), [id(1)]);
    let blob = blobs::find(&cluster.tables, &digest("x")).unwrap().unwrap();
    assert_eq!(blobs::missing_copies(&cluster.tables, &digest("x"), &blob).unwrap(), [id(3)]);
}

#[test]
fn releases_are_forgotten_once_no_receipt_can_be_older() {
    let mut cluster = Cluster::new(3);
    for text in ["x", "y"] {
        cluster.does(Forget { digest: digest(text), replica_id: id(3) });
    }
    cluster.does(Forget { digest: digest("x"), replica_id: id(3) });
    assert_eq!(cluster.tables.count(Table::Releases), 2);
    let released_y = cluster.index - 2;
    cluster.index = released_y + 1_000_000 - 2;
    cluster.propose(Vec::new(), 0);
    assert_eq!(cluster.tables.count(Table::Releases), 2);
    cluster.pass(0);
    assert_eq!(cluster.tables.count(Table::Releases), 0);
    assert_eq!(cluster.tables.count(Table::ReleaseIndexes), 0);
}
