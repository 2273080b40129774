//! What must survive: clusters of real processes, work done on them, and judges of what was
//! promised.
//!
//! A test starts replicas with [`cluster`], lets [`workload`] push and read while [`nemesis`]
//! kills, and hands the [`history`] of what clients saw to the [`checker`] of each promise. The
//! registry is reached as anyone reaches it, by [`registry`], and shares no code with these judges.
//!
//! [`power`] stands apart: it cuts the power of a process that uses log, tables and blobs by
//! themselves.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod balancer;
pub mod checker;
pub mod cluster;
pub mod containerd;
pub mod executable;
pub mod history;
pub mod image;
pub mod length;
pub mod logs;
pub mod nemesis;
pub mod peers;
pub mod pieces;
pub mod ports;
pub mod power;
pub mod process;
pub mod programs;
pub mod pulse;
pub mod registry;
pub mod restored;
pub mod secrets;
pub mod sweep;
pub mod workload;
