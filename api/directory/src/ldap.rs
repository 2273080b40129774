//! The protocol: one connection, what is asked over it, and who somebody is.

mod ber;
mod carrier;
pub(crate) mod connection;
pub mod people;
pub(crate) mod plan;
pub mod server_url;
