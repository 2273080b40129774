//! Between the consensus library's types, ours, and the messages that are kept and sent.

use std::collections::BTreeSet;

use bytes::Bytes;
use openraft::{CommittedLeaderId, EntryPayload};
use prost::Message;

use crate::log;
use crate::protocol::{peer, records};
use crate::raft_types::{Entry, EntryBytes, RaftLogId, RaftMembership, RaftVote, StoredMembership};

/// Bytes that do not read as what they should be.
#[derive(Debug, thiserror::Error)]
#[error("{what} does not read: {why}")]
pub(crate) struct Unreadable {
    what: &'static str,
    why: String,
}

impl Unreadable {
    pub(crate) fn new(what: &'static str, why: impl Into<String>) -> Self {
        Self { what, why: why.into() }
    }
}

pub(crate) fn log_id_to_store(id: &RaftLogId) -> log::LogId {
    log::LogId { term: id.leader_id.term, leader: id.leader_id.node_id, index: id.index }
}

pub(crate) fn log_id_from_store(id: log::LogId) -> RaftLogId {
    RaftLogId::new(CommittedLeaderId::new(id.term, id.leader), id.index)
}

pub(crate) fn log_id_to_record(id: &RaftLogId) -> records::LogId {
    records::LogId { term: id.leader_id.term, leader: id.leader_id.node_id, index: id.index }
}

pub(crate) fn log_id_from_record(id: records::LogId) -> RaftLogId {
    RaftLogId::new(CommittedLeaderId::new(id.term, id.leader), id.index)
}

pub(crate) fn vote_to_store(vote: &RaftVote) -> log::Vote {
    log::Vote {
        term: vote.leader_id.term,
        leader: vote.leader_id.node_id,
        committed: vote.committed,
    }
}

/// The stored vote as a promise only: a leader that was restarted must stand for election again,
/// or it would answer reads below what it acknowledged before.
pub(crate) fn vote_from_store(vote: log::Vote) -> RaftVote {
    RaftVote::new(vote.term, vote.leader)
}

pub(crate) fn vote_to_record(vote: &RaftVote) -> records::Vote {
    records::Vote {
        term: vote.leader_id.term,
        leader: vote.leader_id.node_id,
        committed: vote.committed,
    }
}

pub(crate) fn vote_from_record(vote: Option<records::Vote>) -> Result<RaftVote, Unreadable> {
    let vote = vote.ok_or_else(|| Unreadable::new("a vote", "it is missing"))?;
    let mut read = RaftVote::new(vote.term, vote.leader);
    read.committed = vote.committed;
    Ok(read)
}

pub(crate) fn membership_to_record(membership: &RaftMembership) -> records::Membership {
    let set = |nodes: &BTreeSet<u64>| records::NodeSet { nodes: nodes.iter().copied().collect() };
    records::Membership {
        voters: membership.get_joint_config().iter().map(set).collect(),
        learners: membership.learner_ids().collect(),
    }
}

pub(crate) fn membership_from_record(membership: records::Membership) -> RaftMembership {
    let voters: Vec<BTreeSet<u64>> =
        membership.voters.into_iter().map(|set| set.nodes.into_iter().collect()).collect();
    let nodes: BTreeSet<u64> =
        voters.iter().flatten().copied().chain(membership.learners).collect();
    RaftMembership::new(voters, nodes)
}

pub(crate) fn position_to_record(
    last_applied: Option<&RaftLogId>,
    membership: &StoredMembership,
) -> records::Position {
    records::Position {
        last_applied: last_applied.map(log_id_to_record),
        membership_log_id: membership.log_id().as_ref().map(log_id_to_record),
        membership: Some(membership_to_record(membership.membership())),
    }
}

pub(crate) fn position_from_record(
    position: records::Position,
) -> (Option<RaftLogId>, StoredMembership) {
    let membership = membership_from_record(position.membership.unwrap_or_default());
    let log_id = position.membership_log_id.map(log_id_from_record);
    let stored = StoredMembership::new(log_id, membership);
    (position.last_applied.map(log_id_from_record), stored)
}

/// The bytes that the log keeps of an entry.
pub(crate) fn payload_to_bytes(payload: &EntryPayload<crate::raft_types::Types>) -> Bytes {
    use records::payload::Content;
    let content = match payload {
        EntryPayload::Blank => Content::Blank(true),
        EntryPayload::Normal(entry) => Content::Entry(entry.0.clone()),
        EntryPayload::Membership(membership) => {
            Content::Membership(membership_to_record(membership))
        }
    };
    records::Payload { content: Some(content) }.encode_to_vec().into()
}

pub(crate) fn entry_from_bytes(id: RaftLogId, payload: Bytes) -> Result<Entry, Unreadable> {
    use records::payload::Content;
    let payload = records::Payload::decode(payload)
        .map_err(|why| Unreadable::new("a log entry", format!("entry {}: {why}", id.index)))?;
    let payload = match payload.content {
        Some(Content::Blank(_)) => EntryPayload::Blank,
        Some(Content::Entry(entry)) => EntryPayload::Normal(EntryBytes(entry)),
        Some(Content::Membership(membership)) => {
            EntryPayload::Membership(membership_from_record(membership))
        }
        None => {
            let why = format!("entry {} is of a kind this version does not know", id.index);
            return Err(Unreadable::new("a log entry", why));
        }
    };
    Ok(Entry { log_id: id, payload })
}

pub(crate) fn entry_to_message(entry: &Entry) -> peer::LogEntry {
    peer::LogEntry {
        id: Some(log_id_to_record(&entry.log_id)),
        payload: payload_to_bytes(&entry.payload),
    }
}

pub(crate) fn entry_from_message(entry: peer::LogEntry) -> Result<Entry, Unreadable> {
    let id = entry.id.ok_or_else(|| Unreadable::new("a log entry", "its id is missing"))?;
    entry_from_bytes(log_id_from_record(id), entry.payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(term: u64, index: u64) -> RaftLogId {
        RaftLogId::new(CommittedLeaderId::new(term, 7), index)
    }

    #[test]
    fn every_kind_of_entry_comes_back_as_it_went() {
        let nodes = BTreeSet::from([1, 2, 3, 9]);
        let joint = RaftMembership::new(vec![[1, 2].into(), [2, 3].into()], nodes);
        let payloads = [
            EntryPayload::Blank,
            EntryPayload::Normal(EntryBytes(Bytes::from_static(b"\x00\xffbytes"))),
            EntryPayload::Normal(EntryBytes(Bytes::new())),
            EntryPayload::Membership(joint),
        ];
        for payload in payloads {
            let entry = Entry { log_id: id(3, 12), payload };
            let read = entry_from_message(entry_to_message(&entry)).unwrap();
            assert_eq!(read, entry);
        }
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        for bytes in [&b""[..], b"\xff\xff", b"\x22\x01x"] {
            assert!(entry_from_bytes(id(1, 1), Bytes::from_static(bytes)).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_stored_vote_is_read_as_a_promise_only() {
        let stored = log::Vote { term: 4, leader: 2, committed: true };
        assert!(!vote_from_store(stored).committed);
    }

    /// The bytes of format 1, so that a later version goes on reading them.
    #[test]
    fn payloads_of_format_1_read_as_ever() {
        let golden: [(&[u8], EntryPayload<crate::raft_types::Types>); 2] = [
            (b"\x08\x01", EntryPayload::Blank),
            (b"\x12\x02hi", EntryPayload::Normal(EntryBytes(Bytes::from_static(b"hi")))),
        ];
        for (bytes, payload) in golden {
            assert_eq!(&payload_to_bytes(&payload)[..], bytes);
            assert_eq!(
                entry_from_bytes(id(1, 1), Bytes::from_static(bytes)).unwrap().payload,
                payload
            );
        }
    }
}
