//! Blobs between replicas: staged while they arrive, sealed with a receipt, read and pulled.
//!
//! It is HTTP/1.1 over the mutual-TLS peer port, under `/transfer/`, on connections of its own: a
//! layer must never delay a heartbeat. [`client::Client`] asks, [`service::Service`] answers.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod body;
pub mod client;
pub mod failure;
pub mod owner;
mod parcels;
pub use parcels::PARCEL_BYTES_MAX;
pub mod peer_dial;
mod protocol;
pub use protocol::WHOLE_BYTES_MAX;
pub mod receipt;
pub mod service;
