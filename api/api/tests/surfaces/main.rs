//! The surfaces over a real cluster of one replica in a temporary folder, driven in-process.

#![allow(clippy::unwrap_used)]

mod access;
mod accounts;
mod api_tokens;
mod blobs;
mod harness;
mod health;
mod limits;
mod lists;
mod login;
mod management;
mod manifests;
mod members;
mod narrowed;
mod passwords;
mod people;
mod ports;
mod refresh;
mod repositories;
mod resent;
mod rights;
mod roles;
mod search;
mod tags;
mod team_access;
mod teams;
