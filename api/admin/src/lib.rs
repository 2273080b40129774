//! The management API: `/api/v0` and `/enzi/v0`, one file a noun.
//!
//! [`surface`] holds the routes. A handler reads what was asked, lets the caller in, proposes or
//! reads, and presents; what went wrong is answered by `edge::management_form`.
//!
//! Source: dtr-interface 1 to 6.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod access;
pub mod account_import;
pub mod accounts;
pub mod action_configs;
pub mod adoption;
pub mod alerts;
pub mod api_tokens;
pub mod audit;
pub mod backup;
pub mod call;
pub mod cluster_status;
pub mod crons;
mod deleted_tags;
pub mod events;
pub mod features;
mod gathering;
pub mod gc;
pub mod go_duration;
mod idempotency;
pub mod index;
mod job_form;
pub mod job_logs;
pub mod jobs;
pub mod join_tokens;
pub mod language;
pub mod ldap_settings;
pub mod ldap_sync;
mod listing;
pub mod manifests;
pub mod members;
mod membership;
pub mod moment;
pub mod namespace_access;
pub mod openapi;
pub mod openid_settings;
pub mod openid_sign_in;
pub mod openid_users;
pub mod paging;
pub mod passwords;
pub mod public_keys;
mod reading;
pub mod reference;
pub mod replicas;
pub mod repositories;
pub mod repository_access;
pub mod robots;
pub mod sessions;
pub mod settings;
mod spool;
pub mod surface;
pub mod system_accounts;
pub mod tag_history;
pub mod tags;
pub mod team_access;
pub mod team_members;
pub mod teams;
pub mod token_keys;
pub mod user_settings;
pub mod workers;
