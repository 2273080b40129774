//! What the cluster agrees on: a state machine over ordered tables, one file a domain.
//!
//! Every replica applies the same entries in the same order and must reach the same tables, byte
//! for byte. So nothing here reads a clock, draws a random number, opens a file or walks a hash
//! map: time and randomness come with the entry ([`entry::Entry`]), the tables lie behind
//! [`tables::Read`] and [`tables::Write`], and [`apply::apply`] is the only way in for a change.
//!
//! A domain's file holds its commands, its rows and what may be read of it. [`command::Command`]
//! lists everything that may be asked, [`outcome::Answer`] and [`refusal::Refusal`] everything that
//! comes of it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod access;
pub mod access_tokens;
pub mod accounts;
pub mod adoption;
pub mod apply;
pub mod audit;
pub mod backup;
pub mod blobs;
pub mod bootstrap;
pub mod certificates;
pub mod clocks;
pub mod codec;
pub mod collection;
pub mod command;
pub mod directory;
pub mod entry;
pub mod events;
pub mod grants;
pub mod holders;
pub mod invariants;
pub mod jobs;
pub mod join_tokens;
pub mod leases;
pub mod links;
pub mod manifests;
pub mod members;
pub mod membership;
pub mod moment;
pub mod openid;
pub mod organizations;
pub mod outcome;
pub mod page;
pub mod page_sessions;
pub mod placement;
pub mod public_keys;
pub mod quorum;
pub mod quotas;
pub mod receipts;
pub mod refusal;
pub mod releases;
pub mod repair;
pub mod replica;
pub mod repositories;
pub mod request_keys;
pub mod sessions;
pub mod settings;
pub mod sign_in;
pub mod snapshot;
pub mod tables;
pub mod tags;
pub mod teams;
pub mod vouchers;

mod key;
pub mod robots;
mod row;
mod ruling;
