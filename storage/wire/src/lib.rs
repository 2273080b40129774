//! The outside world's seams: TLS, certificates, and traits for clock, listening and dialling.
//!
//! Everything that opens a connection or asks for the time does so through a trait of this crate,
//! so that a simulation can put its own in place. It is the only crate that knows rustls, and there
//! is one crypto provider, ring, for the whole binary.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod certificate;
pub mod client_certificate;
pub mod client_tls;
pub mod clock;
pub mod dial;
pub mod file_sender;
pub mod join_tls;
mod keep_alive;
pub mod listen;
mod peer_chain;
pub mod peer_identity;
pub mod peer_tls;
mod peer_verifier;
mod pem;
pub mod provider;
pub mod public_key;
pub mod server_tls;
pub mod stream;
