//! What every surface shares: who is calling, what went wrong, how lists are paged, what is logged.
//!
//! [`caller`] waits for the read barrier and finds out who asks and what they may do; [`problem`]
//! says what went wrong, and its two exhaustive matches, [`registry_form`] for `/v2` and
//! [`management_form`] for the rest, say how that is answered. [`request_log`] gives each request
//! its id. A surface gets all of it through [`context::Context`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod access_tokens;
pub mod answer;
pub mod body;
pub mod caller;
pub mod conditional;
pub mod context;
pub mod counted;
pub mod credentials;
pub mod form;
pub mod limits;
pub mod management_form;
pub mod manifest_deletion;
pub mod origin;
pub mod paging;
pub mod problem;
pub mod pulls;
pub mod query;
pub mod rates;
pub mod registry_form;
pub mod repository_uses;
pub mod request_log;
pub mod traffic;
pub mod visible;
