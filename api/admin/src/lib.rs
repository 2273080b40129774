//! The management API: `/api/v0` and `/enzi/v0`, one file a noun.
//!
//! [`surface`] holds the routes. A handler reads what was asked, lets the caller in, proposes or
//! reads, and presents; what went wrong is answered by `edge::management_form`.
//!
//! Source: dtr-interface 1 to 6.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod access;
pub mod accounts;
pub mod api_tokens;
pub mod call;
pub mod cluster_status;
pub mod features;
pub mod index;
pub mod join_tokens;
mod listing;
pub mod manifests;
pub mod members;
mod membership;
pub mod moment;
pub mod namespace_access;
pub mod paging;
pub mod passwords;
mod reading;
pub mod reference;
pub mod repositories;
pub mod repository_access;
pub mod settings;
pub mod surface;
pub mod tags;
pub mod team_access;
pub mod team_members;
pub mod teams;
