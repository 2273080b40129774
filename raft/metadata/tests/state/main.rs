//! The state machine from outside: entries in, outcomes and tables out.

#![allow(clippy::unwrap_used)]
// A case expects an outcome, also where all cases of its table expect an answer.
#![allow(clippy::unnecessary_wraps)]

mod access;
mod access_tokens;
mod accounts;
mod blobs;
mod bounds;
mod cluster;
mod collection;
mod entries;
mod golden;
mod grants;
mod holders;
mod lists;
mod manifests;
mod members;
mod organizations;
mod preconditions;
mod random;
mod random_accounts;
mod read_only;
mod repositories;
mod samples;
mod sessions;
mod steps;
mod teams;
mod world;
