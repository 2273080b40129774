//! Members, join tokens and voters.

use metadata::bootstrap::{self, Bootstrap};
use metadata::certificates;
use metadata::join_tokens::{self, JoinTokenCreate, JoinTokenRevoke};
use metadata::members::{self, MEMBERS_MAX, MemberJoin, MemberRemove, MemberUpdate};
use metadata::membership;
use metadata::outcome::{Answer, Outcome};
use metadata::refusal::Refusal;
use metadata::replica::MemberNumber;
use metadata::sessions;

use crate::cluster::{Cluster, HOUR_MS, START_WALL_MS, bootstrap, case, check, id, join};

fn token(name: &str, uses: u32) -> JoinTokenCreate {
    JoinTokenCreate {
        id: name.into(),
        secret_hash: b"secret".to_vec(),
        expires_wall_ms: START_WALL_MS + HOUR_MS,
        uses,
    }
}

#[test]
fn a_cluster_begins_once() {
    let mut cluster = Cluster::of_one();
    assert_eq!(cluster.does(bootstrap()), Answer::Done, "the answer was lost");
    let other = Bootstrap { cluster_id: "other".into(), ..bootstrap() };
    let refused = Refusal::ClusterExists { cluster_id: "c0ffee".into() };
    assert_eq!(cluster.run(other), Err(refused));
    let row = bootstrap::cluster(&cluster.tables).unwrap().unwrap();
    assert_eq!((row.cluster_id.as_str(), row.version), ("c0ffee", 1));
    assert_eq!(certificates::ca(&cluster.tables).unwrap().unwrap().certificate_pem, "pem");
    assert_eq!(certificates::token_key(&cluster.tables).unwrap().unwrap().id, "k1");
    let member = members::find(&cluster.tables, id(1)).unwrap().unwrap();
    assert_eq!((member.number, member.was_voter), (MemberNumber(1), true));
}

#[test]
fn join_tokens_are_made_and_revoked() {
    let exists: fn(&mut Cluster) = |c| drop(c.does(token("t", 1)));
    let (known, unknown) = (
        Err(Refusal::JoinTokenExists { id: "t".into() }),
        Err(Refusal::JoinTokenUnknown { id: "t".into() }),
    );
    let unfit = Err(Refusal::JoinTokenUnfit { id: "t".into() });
    check([
        case("new", |_| (), |_| token("t", 1).into(), Ok(Answer::Done)),
        case("again", exists, |_| token("t", 1).into(), known),
        case("without a use", |_| (), |_| token("t", 0).into(), unfit),
        case("revoked", exists, |_| JoinTokenRevoke { id: "t".into() }.into(), Ok(Answer::Done)),
        case("not there", |_| (), |_| JoinTokenRevoke { id: "t".into() }.into(), unknown),
    ]);
    let mut cluster = Cluster::new(1);
    cluster.does(token("old", 1));
    cluster.pass(HOUR_MS + 7 * 24 * HOUR_MS);
    cluster.does(token("new", 1));
    let ids: Vec<_> =
        join_tokens::list(&cluster.tables).unwrap().into_iter().map(|t| t.0).collect();
    assert_eq!(ids, ["new", "token"], "long expired ones are forgotten");
}

/// A join with token `t`, changed.
fn with(change: fn(&mut MemberJoin)) -> MemberJoin {
    let mut command = join(7);
    command.token_id = "t".into();
    command.secret_hash = b"secret".to_vec();
    change(&mut command);
    command
}

fn given_token(cluster: &mut Cluster) {
    cluster.does(token("t", 1));
}

fn joined(number: u16) -> Outcome {
    Ok(Answer::Joined { replica_id: id(7), number: MemberNumber(number) })
}

#[test]
fn a_newcomer_needs_a_token_that_holds() {
    let id_of_token = || "t".to_owned();
    let unknown = || Err(Refusal::JoinTokenUnknown { id: "t".into() });
    check([
        case("right", given_token, |_| with(|_| ()).into(), joined(4)),
        case("no token", |_| (), |_| with(|_| ()).into(), unknown()),
        case("a wrong secret", given_token, |_| with(|j| j.secret_hash.push(0)).into(), unknown()),
        case("no secret", given_token, |_| with(|j| j.secret_hash.clear()).into(), unknown()),
        case(
            "expired",
            |c| {
                c.does(token("t", 1));
                c.pass(HOUR_MS);
            },
            |_| with(|_| ()).into(),
            Err(Refusal::JoinTokenExpired { id: id_of_token() }),
        ),
        case(
            "used up",
            |c| {
                c.does(token("t", 1));
                c.does(with(|j| (j.replica_id, j.public_key) = (id(6), "key-6".into())));
            },
            |_| with(|_| ()).into(),
            Err(Refusal::JoinTokenUsedUp { id: id_of_token() }),
        ),
        case(
            "the same again, though the use is taken",
            |c| {
                c.does(token("t", 1));
                c.does(with(|_| ()));
            },
            |_| with(|j| j.replica_id = id(8)).into(),
            joined(4),
        ),
    ]);
}

#[test]
fn a_newcomer_needs_an_id_a_key_and_a_machine_of_its_own() {
    check([
        case(
            "another's id",
            given_token,
            |_| with(|j| j.replica_id = id(2)).into(),
            Err(Refusal::ReplicaIdTaken { replica_id: id(2) }),
        ),
        case(
            "a voter's machine",
            given_token,
            |_| with(|j| j.machine_id = "machine-2".into()).into(),
            Err(Refusal::MachineTaken { replica_id: id(2) }),
        ),
        case(
            "a voter's machine, allowed",
            given_token,
            |_| {
                let same = |j: &mut MemberJoin| {
                    (j.machine_id, j.allow_same_machine) = ("machine-2".into(), true);
                };
                with(same).into()
            },
            joined(4),
        ),
        case(
            "the machine of one that joined and never served",
            |c| {
                c.does(token("t", 2));
                c.does(with(|j| (j.replica_id, j.public_key) = (id(6), "key-6".into())));
            },
            |_| with(|_| ()).into(),
            joined(5),
        ),
        case(
            "a struck key",
            |c| {
                c.does(token("t", 1));
                c.set_voters(&[1, 2]);
                c.does(MemberRemove { replica_id: id(3) });
            },
            |_| with(|j| j.public_key = "key-3".into()).into(),
            Err(Refusal::KeyStruck { public_key: "key-3".into() }),
        ),
        case(
            "the id of one that was removed",
            |c| {
                c.does(token("t", 1));
                c.set_voters(&[1, 2]);
                c.does(MemberRemove { replica_id: id(3) });
            },
            |_| with(|j| j.replica_id = id(3)).into(),
            Err(Refusal::ReplicaIdTaken { replica_id: id(3) }),
        ),
    ]);
}

#[test]
fn an_eighth_member_is_refused_until_one_has_left() {
    let mut cluster = Cluster::new(3);
    for number in 4..=7 {
        cluster.does(join(number));
    }
    let full = Refusal::ClusterFull { members: 7 };
    assert!(full.to_string().contains("7 replicas, the most there can be"), "{full}");
    assert_eq!(cluster.run(join(8)), Err(full));
    assert_eq!(members::list(&cluster.tables).unwrap().len(), MEMBERS_MAX);
    let again = Answer::Joined { replica_id: id(7), number: MemberNumber(7) };
    assert_eq!(cluster.does(join(7)), again, "one whose answer was lost is no eighth");
    cluster.does(MemberRemove { replica_id: id(7) });
    let joined = Answer::Joined { replica_id: id(8), number: MemberNumber(8) };
    assert_eq!(cluster.does(join(8)), joined);
}

#[test]
fn a_member_updates_its_address_and_is_removed_only_after_it_left_the_voters() {
    fn remove(number: u64) -> MemberRemove {
        MemberRemove { replica_id: id(number) }
    }
    fn update(number: u64) -> MemberUpdate {
        MemberUpdate {
            replica_id: id(number),
            address: Some("b:9".into()),
            version: None,
            supports: None,
        }
    }
    let unknown = |number| Err(Refusal::MemberUnknown { replica_id: id(number) });
    let removed: fn(&mut Cluster) = |c| {
        c.set_voters(&[1, 2]);
        c.does(remove(3));
    };
    check([
        case("update", |_| (), |_| update(2).into(), Ok(Answer::Done)),
        case("update of a stranger", |_| (), |_| update(9).into(), unknown(9)),
        case("update of one removed", removed, |_| update(3).into(), unknown(3)),
        case(
            "a voter",
            |_| (),
            |_| remove(3).into(),
            Err(Refusal::MemberIsVoter { replica_id: id(3) }),
        ),
        case("a former voter", |c| c.set_voters(&[1, 2]), |_| remove(3).into(), Ok(Answer::Done)),
        case("a second time", removed, |_| remove(3).into(), unknown(3)),
    ]);

    let mut cluster = Cluster::new(3);
    cluster.does(update(2));
    let member = members::find(&cluster.tables, id(2)).unwrap().unwrap();
    assert_eq!((member.address.as_str(), member.version.as_str()), ("b:9", "0.1.0"));
    removed(&mut cluster);
    assert!(members::by_key(&cluster.tables, "key-3").unwrap().is_none());
    assert!(members::by_number(&cluster.tables, MemberNumber(3)).unwrap().is_none());
    assert!(members::by_key(&cluster.tables, "key-2").unwrap().is_some());
    assert!(sessions::of_replica(&cluster.tables, id(3)).unwrap().is_none());
    let numbers: Vec<_> =
        members::list(&cluster.tables).unwrap().iter().map(|m| m.number.0).collect();
    assert_eq!(numbers, [1, 2]);
    cluster.does(join(4));
    assert!(
        members::by_number(&cluster.tables, MemberNumber(4)).unwrap().is_some(),
        "3 is not reused"
    );
}

#[test]
fn voters_are_known_by_number_as_soon_as_they_are_members() {
    let mut cluster = Cluster::new(1);
    cluster.set_voters(&[1, 2]);
    let row = membership::voters(&cluster.tables).unwrap();
    assert_eq!((row.voters, row.voter_numbers), (vec![id(1), id(2)], vec![MemberNumber(1)]));
    cluster.does(join(2));
    let row = membership::voters(&cluster.tables).unwrap();
    assert_eq!(row.voter_numbers, [MemberNumber(1), MemberNumber(2)]);
    assert!(members::find(&cluster.tables, id(2)).unwrap().unwrap().was_voter);
}
