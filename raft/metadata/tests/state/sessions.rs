//! Sessions: once, however often; late duplicates never.

use metadata::command::Command;
use metadata::entry::Proposal;
use metadata::join_tokens::JoinTokenCreate;
use metadata::outcome::Answer;
use metadata::refusal::Refusal;
use metadata::sessions::{self, SessionOpen};
use metadata::tables::Table;

use crate::cluster::{Cluster, id, incarnation};

/// A command that can't be carried out twice.
fn command(number: u64) -> Command {
    JoinTokenCreate {
        id: format!("t{number}"),
        secret_hash: b"s".to_vec(),
        expires_wall_ms: u64::MAX,
        uses: 1,
    }
    .into()
}

fn proposal(session: u64, number: u64, lowest_open: u64) -> Proposal {
    let random = [0; 16];
    Proposal {
        session,
        number,
        lowest_open,
        random,
        command: command(number).encode(),
        origin: None,
        voucher: None,
        request_key: None,
    }
}

#[test]
fn a_command_sent_again_is_answered_again_and_carried_out_once() {
    let mut cluster = Cluster::new(1);
    cluster.open_session(1, 9);
    let session = cluster.session;
    let one = |lowest| proposal(session, 1, lowest);
    assert_eq!(cluster.propose(vec![one(1)], 0), [Ok(Answer::Done)]);
    // Within the same entry, and in later ones, also out of order with others.
    let two = proposal(session, 2, 1);
    let outcomes = cluster.propose(vec![two.clone(), one(1), two.clone()], 0);
    assert_eq!(outcomes, [Ok(Answer::Done), Ok(Answer::Done), Ok(Answer::Done)]);
    // A refusal is an outcome, too.
    let again = Proposal { number: 3, ..one(1) };
    let refused = Err(Refusal::JoinTokenExists { id: "t1".into() });
    assert_eq!(cluster.propose(vec![again.clone(), again], 0), [refused.clone(), refused]);
    assert_eq!(cluster.tables.count(Table::Outcomes), 3);
    // Number four says that one and two are closed.
    cluster.propose(vec![proposal(session, 4, 3)], 0);
    assert_eq!(cluster.tables.count(Table::Outcomes), 2);
    let closed = |number| Err(Refusal::NumberClosed { session, number });
    assert_eq!(cluster.propose(vec![one(1), two], 0), [closed(1), closed(2)]);
    // Numbers may arrive out of order while they are open.
    assert_eq!(cluster.propose(vec![proposal(session, 6, 3)], 0), [Ok(Answer::Done)]);
    assert_eq!(cluster.propose(vec![proposal(session, 5, 3)], 0), [Ok(Answer::Done)]);
}

#[test]
fn a_command_never_closes_its_own_number() {
    let mut cluster = Cluster::new(1);
    cluster.open_session(1, 9);
    let proposal = proposal(cluster.session, 3, 100);
    assert_eq!(cluster.propose(vec![proposal.clone()], 0), [Ok(Answer::Done)]);
    assert_eq!(cluster.propose(vec![proposal], 0), [Ok(Answer::Done)]);
}

#[test]
fn opening_a_session_closes_the_former_one_for_ever() {
    let mut cluster = Cluster::new(2);
    cluster.open_session(2, 1);
    let other = cluster.session;
    cluster.open_session(1, 9);
    let first = cluster.session;
    cluster.propose(vec![proposal(first, 1, 1)], 0);
    cluster.open_session(1, 10);
    let second = cluster.session;
    assert!(second > first && first > other);
    assert_eq!(cluster.tables.count(Table::Outcomes), 0);
    let outcomes = cluster.propose(vec![proposal(first, 2, 1), proposal(second, 2, 1)], 0);
    assert_eq!(outcomes, [Err(Refusal::SessionClosed { session: first }), Ok(Answer::Done)]);
    // Another replica's session is its own.
    assert_eq!(cluster.propose(vec![proposal(other, 3, 1)], 0), [Ok(Answer::Done)]);
    let unknown = cluster.propose(vec![proposal(0, 4, 1), proposal(99, 4, 1)], 0);
    let closed = |session| Err(Refusal::SessionClosed { session });
    assert_eq!(unknown, [closed(0), closed(99)]);
}

#[test]
fn the_same_life_gets_the_same_session_and_a_former_life_gets_none() {
    let mut cluster = Cluster::new(2);
    cluster.open_session(1, 9);
    let session = cluster.session;
    cluster.open_session(1, 9);
    assert_eq!(cluster.session, session, "the answer was lost");
    cluster.open_session(1, 10);
    let open = SessionOpen { replica_id: id(1), incarnation: incarnation(1) };
    let late = Proposal { random: [9; 16], ..cluster.proposal(&open.clone().into()) };
    let over = Err(Refusal::LifeOver { replica_id: id(1) });
    assert_eq!(cluster.propose(vec![late], 0), [over]);
    let row = sessions::of_replica(&cluster.tables, id(1)).unwrap().unwrap();
    assert_eq!(row.session, cluster.session);
    for life in 20..40 {
        cluster.open_session(1, life);
    }
    let row = sessions::of_replica(&cluster.tables, id(1)).unwrap().unwrap();
    assert_eq!(row.former_lives.len(), 8);
    assert_eq!(cluster.tables.count(Table::Sessions), 1);
}

#[test]
fn only_a_member_with_its_own_incarnation_opens_a_session() {
    let mut cluster = Cluster::new(2);
    let open = |number, incarnation: &str| SessionOpen {
        replica_id: id(number),
        incarnation: incarnation.into(),
    };
    let stranger = Err(Refusal::MemberUnknown { replica_id: id(9) });
    assert_eq!(cluster.run(open(9, "x")), stranger);
    let wiped = Err(Refusal::IncarnationUnknown { replica_id: id(2) });
    assert_eq!(cluster.run(open(2, "x")), wiped);
    assert!(matches!(cluster.run(open(2, &incarnation(2))), Ok(Answer::Session { .. })));
}
