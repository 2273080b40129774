//! Consensus: one log that a majority keeps, and the tables every replica makes of it.
//!
//! [`start::start`] runs a replica over a data folder; what comes of it is a [`cluster::Cluster`],
//! through which everyone above proposes commands and reads tables. Nothing of the consensus
//! library, of the log engine or of the wire protocol shows in what this crate offers.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod announcing;
mod asking;
mod assembly;
pub mod backup;
mod barrier;
mod batches;
pub mod bootstrap;
pub mod cluster;
mod codec;
mod copies;
mod directory;
mod elections;
pub mod folder;
mod hand_over;
pub mod identity;
pub mod join;
pub mod join_token;
pub mod log;
mod log_storage;
mod machine;
mod membership;
mod network;
pub mod offline;
mod opening;
pub mod operator;
pub mod origin;
mod peers;
mod proposals;
mod protocol;
mod quorum;
mod raft_types;
mod recovery;
mod removal;
pub mod repair;
mod replica;
mod reports;
pub mod seal;
pub mod service;
mod snapshot_file;
mod snapshot_transfer;
mod snapshots;
pub mod start;
pub mod status;
pub mod tables;

#[cfg(test)]
mod tests;
