//! What the consensus library is told about our types. None of this reaches a disk, a wire or a
//! caller.

use std::fmt;

use bytes::Bytes;
use metadata::outcome::Outcome;
use openraft::TokioRuntime;
use openraft::raft::responder::OneshotResponder;

use crate::snapshots::SnapshotFile;

/// The types of this replica's Raft.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Types;

impl openraft::RaftTypeConfig for Types {
    type D = EntryBytes;
    type R = Applied;
    /// A replica's id as a number ([`metadata::replica::ReplicaId::as_u64`]).
    type NodeId = u64;
    /// Addresses are rows of the tables, not part of the membership.
    type Node = openraft::EmptyNode;
    type Entry = Entry;
    type SnapshotData = SnapshotFile;
    type AsyncRuntime = TokioRuntime;
    type Responder = OneshotResponder<Self>;
}

pub(crate) type Raft = openraft::Raft<Types>;
pub(crate) type Entry = openraft::Entry<Types>;
pub(crate) type RaftLogId = openraft::LogId<u64>;
pub(crate) type RaftVote = openraft::Vote<u64>;
pub(crate) type RaftMembership = openraft::Membership<u64, openraft::EmptyNode>;
pub(crate) type StoredMembership = openraft::StoredMembership<u64, openraft::EmptyNode>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<u64, openraft::EmptyNode>;
pub(crate) type StorageError = openraft::StorageError<u64>;
pub(crate) type Metrics = openraft::RaftMetrics<u64, openraft::EmptyNode>;

/// An encoded [`metadata::entry::Entry`].
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct EntryBytes(pub(crate) Bytes);

impl fmt::Debug for EntryBytes {
    /// Without the content: the library logs entries, and they hold password hashes.
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "entry of {} bytes", self.0.len())
    }
}

/// What came of an entry's commands, in their order. Empty for an entry of Raft's own.
#[derive(Clone, Default)]
pub(crate) struct Applied(pub(crate) Vec<Outcome>);

impl fmt::Debug for Applied {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} outcomes", self.0.len())
    }
}
