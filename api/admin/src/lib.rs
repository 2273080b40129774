//! The management API: `/api/v0` and `/enzi/v0`, one file a noun.
//!
//! [`surface`] holds the routes. A handler reads what was asked, lets the caller in, proposes or
//! reads, and presents; what went wrong is answered by `edge::management_form`.
//!
//! Source: dtr-interface 1 to 6.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod accounts;
pub mod call;
pub mod cluster_status;
pub mod join_tokens;
pub mod moment;
pub mod repositories;
pub mod settings;
pub mod surface;
