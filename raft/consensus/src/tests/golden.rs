//! What is kept and sent, byte for byte: a change here is a change of format.

#![allow(clippy::unnecessary_wraps)] // Fields of messages are optional on the wire.

use bytes::Bytes;
use prost::Message;

use crate::protocol::peer;
use crate::protocol::records::{LogId, Membership, NodeSet, Payload, Position, Vote, payload};

fn sender() -> Option<peer::Sender> {
    Some(peer::Sender {
        cluster_id: "c-1".to_owned(),
        replica_id: "0123456789ab".to_owned(),
        incarnation: "life".to_owned(),
    })
}

fn id(index: u64) -> Option<LogId> {
    Some(LogId { term: 3, leader: 7, index })
}

fn vote() -> Option<Vote> {
    Some(Vote { term: 3, leader: 7, committed: true })
}

fn membership() -> Membership {
    let set = |nodes: &[u64]| NodeSet { nodes: nodes.to_vec() };
    Membership { voters: vec![set(&[1, 2]), set(&[1, 2, 3])], learners: vec![4] }
}

fn payloads() -> Vec<(&'static str, Vec<u8>)> {
    let of = |content| Payload { content: Some(content) }.encode_to_vec();
    vec![
        ("payload blank", of(payload::Content::Blank(true))),
        ("payload entry", of(payload::Content::Entry(Bytes::from_static(b"entry")))),
        ("payload membership", of(payload::Content::Membership(membership()))),
        (
            "position",
            Position {
                last_applied: id(12),
                membership_log_id: id(9),
                membership: Some(membership()),
            }
            .encode_to_vec(),
        ),
    ]
}

fn raft_calls() -> Vec<(&'static str, Vec<u8>)> {
    let entry = peer::LogEntry { id: id(12), payload: Bytes::from_static(b"\x08\x01") };
    let append = peer::AppendRequest {
        sender: sender(),
        vote: vote(),
        previous: id(11),
        entries: vec![entry],
        committed: id(10),
    };
    let partial = peer::PartialSuccess { matching: id(11) };
    let partial = peer::append_response::Outcome::Partial(partial);
    let head = peer::SnapshotHead {
        sender: sender(),
        vote: vote(),
        snapshot_id: "s".to_owned(),
        size_bytes: 5,
    };
    vec![
        ("append", append.encode_to_vec()),
        ("appended", peer::AppendResponse { outcome: Some(partial) }.encode_to_vec()),
        (
            "vote",
            peer::VoteRequest { sender: sender(), vote: vote(), last: id(12) }.encode_to_vec(),
        ),
        ("voted", peer::VoteResponse { vote: vote(), granted: true, last: id(12) }.encode_to_vec()),
        ("poll", peer::PollRequest { sender: sender(), term: 3, last: id(12) }.encode_to_vec()),
        ("polled", peer::PollResponse { would_vote: true }.encode_to_vec()),
        ("stand", peer::StandRequest { sender: sender(), term: 3 }.encode_to_vec()),
        (
            "snapshot part",
            peer::SnapshotPart { head: Some(head), data: Bytes::from_static(b"x") }.encode_to_vec(),
        ),
    ]
}

fn other_calls() -> Vec<(&'static str, Vec<u8>)> {
    let propose = peer::ProposeRequest {
        sender: sender(),
        session: 5,
        number: 6,
        lowest_open: 4,
        random: Bytes::from_static(&[9; 16]),
        command: Bytes::from_static(b"command"),
        wait_ms: 4000,
        voucher: Bytes::new(),
        origin: Bytes::from_static(b"origin"),
        request_key: Bytes::new(),
    };
    let outcome = peer::propose_response::Result::Outcome(Bytes::from_static(b"outcome"));
    let index = peer::read_index_response::Outcome::Index(12);
    let report = peer::Report {
        replica_id: "0123456789ab".to_owned(),
        version: "1.0.0".to_owned(),
        role: "leader".to_owned(),
        term: 3,
        leader: "0123456789ab".to_owned(),
        last_log: 12,
        committed: 11,
        applied: 10,
        wall_ms: 1_771_149_601_000,
        disk_free_bytes: 1 << 40,
        ailments: vec![peer::Ailment { part: "storage".to_owned(), cause: "full".to_owned() }],
        connected_to: vec!["ba9876543210".to_owned()],
        certificate_expires_wall_ms: 1_778_889_600_000,
        takes_blobs: true,
        started_wall_ms: 1_771_149_000_000,
        address: String::new(),
    };
    let moved =
        peer::Report { address: "node1.example:4443".to_owned(), ..peer::Report::default() };
    vec![
        ("propose", propose.encode_to_vec()),
        ("proposed", peer::ProposeResponse { result: Some(outcome), index: 12 }.encode_to_vec()),
        ("read index", peer::ReadIndexRequest { sender: sender() }.encode_to_vec()),
        ("read index found", peer::ReadIndexResponse { outcome: Some(index) }.encode_to_vec()),
        ("status", peer::StatusRequest { sender: sender(), report: Some(report) }.encode_to_vec()),
        (
            "demote",
            peer::DemoteRequest { sender: sender(), replica_id: "ba9876543210".to_owned() }
                .encode_to_vec(),
        ),
        ("status moved", peer::StatusResponse { report: Some(moved) }.encode_to_vec()),
    ]
}

#[test]
fn messages_and_records_have_the_bytes_of_format_1() {
    let all = payloads().into_iter().chain(raft_calls()).chain(other_calls());
    let written: Vec<String> =
        all.map(|(name, bytes)| format!("{name}: {}", crate::seal::hex(&bytes).as_str())).collect();
    let kept: Vec<&str> = include_str!("../../golden/messages.hex").lines().collect();
    assert_eq!(written, kept, "written now:\n{}", written.join("\n"));
}
