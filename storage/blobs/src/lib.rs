//! Blobs on this replica's disk: content-addressed files, resumable uploads, reads by range.
//!
//! A blob is a file named by its digest. It comes into being by one rename, after its bytes were
//! hashed and fsynced, so that under a blob's name there is never half of it. What is not yet a
//! blob is an upload: a folder of its own with the bytes so far and the state of their hash.
//!
//! Nothing here knows which blobs the cluster needs; callers say what to keep and what to remove.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod announced;
pub mod check;
pub mod files;
pub mod lock;
pub mod path;
pub mod read;
pub mod store;
pub mod sweep;
pub mod tap;
pub mod upload;

#[cfg(test)]
mod power_cut;
