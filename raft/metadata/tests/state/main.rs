//! The state machine from outside: entries in, outcomes and tables out.

#![allow(clippy::unwrap_used)]
// A case expects an outcome, also where all cases of its table expect an answer.
#![allow(clippy::unnecessary_wraps)]

mod access;
mod access_tokens;
mod accounts;
mod audit;
mod backup;
mod blobs;
mod bounds;
mod cluster;
mod collection;
mod counts;
mod crons;
mod directory;
mod directory_samples;
mod entries;
mod events;
mod golden;
mod grants;
mod holders;
mod job_samples;
mod jobs;
mod lists;
mod manifests;
mod members;
mod openid;
mod openid_samples;
mod operation_samples;
mod operations;
mod organizations;
mod preconditions;
mod quotas;
mod random;
mod random_accounts;
mod random_jobs;
mod read_only;
mod repositories;
mod request_keys;
mod robots;
mod samples;
mod sessions;
mod sign_in;
mod steps;
mod tag_history;
mod tag_limit;
mod teams;
mod undelete;
mod vouchers;
mod world;
