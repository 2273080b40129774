//! A request that is sent again under its client's key is carried out once.

use metadata::command::Command;
use metadata::invariants;
use metadata::outcome::{Answer, Outcome};
use metadata::refusal::Refusal;
use metadata::request_keys::{
    self, BODY_BYTES_MAX, KEPT_MS, KEYS_OF_ACCOUNT_MAX, RequestAnswered, RequestKey, RequestKeyRow,
};
use metadata::tables::{Table, Write};
use metadata::tags::TagDelete;

use crate::cluster::{Cluster, HOUR_MS, repository, tag};
use crate::organizations::organization;

fn key(account: u8, name: u8, request: u8) -> RequestKey {
    RequestKey { account: [account; 16], key: [name; 32], request: [request; 32] }
}

fn sent(cluster: &mut Cluster, key: &RequestKey, command: impl Into<Command>) -> Outcome {
    let mut proposal = cluster.proposal(&command.into());
    proposal.request_key = Some(key.clone());
    cluster.propose(vec![proposal], 0).remove(0)
}

fn kept(cluster: &Cluster, key: &RequestKey) -> Option<RequestKeyRow> {
    let now_ms = metadata::clocks::cluster_ms(&cluster.tables).unwrap();
    request_keys::kept(&cluster.tables, key, now_ms).unwrap()
}

/// A row of each kind, for the golden file.
pub(crate) fn fill(cluster: &mut Cluster) {
    let key = crate::samples::request_key();
    sent(cluster, &key, organization("keyed")).unwrap();
    cluster.does(RequestAnswered { key, status: 201, body: b"{}".to_vec() });
}

fn delete(name: &str) -> TagDelete {
    let (repository, actor) = (repository("a/r"), "admin".into());
    TagDelete { repository, tag: tag(name), precondition: None, actor }
}

#[test]
fn what_was_carried_out_under_a_key_is_not_done_twice() {
    let mut cluster = Cluster::new(3);
    cluster.push("a/r", "m", &["x"], &["v1"]);
    let first = key(1, 1, 1);
    let done = Ok(Answer::Deleted { tags: vec![tag("v1")], more: false });
    assert_eq!(sent(&mut cluster, &first, delete("v1")), done);
    // It was pushed again before the client sent its request again, which must not see that.
    cluster.push("a/r", "m", &["x"], &["v1"]);
    assert_eq!(sent(&mut cluster, &first, delete("v1")), done);
    assert!(
        metadata::tags::find(&cluster.tables, &repository("a/r"), &tag("v1")).unwrap().is_some()
    );
    // Another request under that key, the same under another, and another's key of that name.
    let other = key(1, 1, 2);
    assert_eq!(sent(&mut cluster, &other, delete("v1")), Err(Refusal::RequestKeyReused));
    assert_eq!(sent(&mut cluster, &key(2, 1, 2), delete("v1")), done);
    assert_eq!(
        sent(&mut cluster, &key(1, 2, 1), delete("v1")),
        Err(Refusal::TagUnknown { tag: tag("v1") })
    );
    assert!(kept(&cluster, &key(1, 2, 1)).is_none(), "what was refused may be tried again");
    assert_eq!(cluster.tables.count(Table::RequestKeyEnds), 2);
}

#[test]
fn what_the_client_was_told_is_kept_with_it_once() {
    let mut cluster = Cluster::new(1);
    let first = key(1, 1, 1);
    let told = |key: &RequestKey, body: &[u8]| RequestAnswered {
        key: key.clone(),
        status: 201,
        body: body.to_vec(),
    };
    cluster.does(told(&first, b"too early"));
    assert!(kept(&cluster, &first).is_none());
    sent(&mut cluster, &first, organization("org")).unwrap();
    assert_eq!(kept(&cluster, &first).unwrap().status, 0);
    cluster.does(told(&key(1, 1, 2), b"of another request"));
    cluster.does(told(&first, b"{}"));
    cluster.does(told(&first, b"later"));
    let row = kept(&cluster, &first).unwrap();
    assert_eq!((row.status, row.body.as_slice()), (201, b"{}".as_slice()));
    let long = told(&first, &[0; BODY_BYTES_MAX + 1]);
    assert!(matches!(cluster.run(long), Err(Refusal::TooMuch { .. })));
}

#[test]
fn a_key_is_forgotten_after_a_day_of_the_cluster() {
    let mut cluster = Cluster::new(1);
    let first = key(1, 1, 1);
    sent(&mut cluster, &first, organization("org")).unwrap();
    cluster.pass(23 * HOUR_MS);
    assert!(kept(&cluster, &first).is_some());
    // With the entry after its end it counts no more.
    let proposal = cluster.proposal(&organization("org").into());
    let again = metadata::entry::Proposal { request_key: Some(first.clone()), ..proposal };
    let exists = Err(Refusal::AccountExists { name: "org".into() });
    assert_eq!(cluster.propose(vec![again], KEPT_MS), [exists]);
    cluster.pass(1);
    let left = [Table::RequestKeys, Table::RequestKeyEnds].map(|it| cluster.tables.count(it));
    assert_eq!(left, [0, 0]);
    sent(&mut cluster, &first, organization("again")).unwrap();
    assert!(kept(&cluster, &first).is_some());
}

#[test]
fn one_account_has_no_more_keys_than_it_may() {
    let mut cluster = Cluster::new(1);
    let first = key(1, 1, 1);
    sent(&mut cluster, &first, organization("org")).unwrap();
    // The rest of them, as if by ten thousand entries.
    let row = cluster.tables.rows().find(|(table, _, _)| *table == Table::RequestKeyEnds);
    let until = row.unwrap().1[..8].to_vec();
    let (_, _, value) = cluster
        .tables
        .rows()
        .find(|(table, key, _)| *table == Table::RequestKeys && key.len() > 16)
        .unwrap();
    let value = value.to_vec();
    for number in 1..KEYS_OF_ACCOUNT_MAX {
        let mut name = vec![1; 16];
        name.extend_from_slice(&[9; 24]);
        name.extend_from_slice(&number.to_be_bytes());
        let end = [until.as_slice(), &name].concat();
        for tables in [&mut cluster.tables, &mut cluster.follower] {
            tables.put(Table::RequestKeys, name.clone(), value.clone());
            tables.put(Table::RequestKeyEnds, end.clone(), Vec::new());
        }
    }
    let count = KEYS_OF_ACCOUNT_MAX.to_be_bytes().to_vec();
    let of_account = request_keys::AccountKeysRow { keys: KEYS_OF_ACCOUNT_MAX }.encode();
    for tables in [&mut cluster.tables, &mut cluster.follower] {
        tables.put(Table::Singles, b"request_keys".to_vec(), count.clone());
        tables.put(Table::RequestKeys, vec![1; 16], of_account.clone());
    }
    assert_eq!(invariants::check(&cluster.tables).unwrap(), []);
    let full = Err(Refusal::RequestKeysFull { max: KEYS_OF_ACCOUNT_MAX });
    assert_eq!(sent(&mut cluster, &key(1, 2, 1), organization("other")), full);
    assert_eq!(sent(&mut cluster, &first, organization("org")), Ok(Answer::Done), "that is known");
    sent(&mut cluster, &key(2, 2, 1), organization("other")).unwrap();
    cluster.propose(Vec::new(), KEPT_MS);
    let before = cluster.tables.count(Table::RequestKeyEnds);
    cluster.propose(Vec::new(), 0);
    let swept = before - cluster.tables.count(Table::RequestKeyEnds);
    assert!((1..=64).contains(&swept), "some with each entry: {swept}");
}
