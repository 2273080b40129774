//! One replica: the only place that knows everyone.
//!
//! [`replica`] joins the parts in order: data folder and log, blobs, transfer, content, the public
//! surfaces; and takes them apart in the reverse order when it is told to stop. The others do one
//! thing each: log lines, listening for peers, the public certificate, signals, the disk.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod allocator;
pub mod boot;
pub mod certificate;
mod client_certificates;
pub mod descriptors;
pub mod disk;
pub mod full_disk;
mod house;
pub mod peer_listener;
mod public_port;
pub mod replica;
pub mod runtimes;
pub mod signals;
pub mod telemetry;

/// The version that this program shows.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
