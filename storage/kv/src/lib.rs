//! Ordered tables on this replica's disk; the only crate that knows sled.
//!
//! All tables lie in one tree, ordered by table and key. A batch is written as a whole or not at
//! all, every value bears a checksum, and one snapshot at a time shows the tables as they were.
//!
//! What is here survives a killed process, **not a power cut**: sled does not fsync. The durable
//! state of a replica is its newest snapshot file and its log; this is a cache of them. [`life`]
//! tells whether it may be believed at a start; where not, and wherever [`store::KvError`] says so,
//! the folder is thrown away and its content made anew.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod batch;
mod guarded;
pub mod life;
mod pre_images;
pub mod snapshot;
pub mod store;
mod value;

#[cfg(test)]
mod model;
