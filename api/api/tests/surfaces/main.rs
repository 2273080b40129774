//! The surfaces over a real cluster of one replica in a temporary folder, driven in-process.

#![allow(clippy::unwrap_used)]

mod access;
mod accounts;
mod api_tokens;
mod attacks;
mod audit;
mod blobs;
mod described;
mod events;
mod gc;
mod guarded;
mod harness;
mod health;
mod idempotency;
mod imported;
mod jobs;
mod known_clients;
mod ldap;
mod limits;
mod lists;
mod login;
mod management;
mod manifests;
mod members;
mod narrowed;
mod openapi;
mod openid;
mod passwords;
mod people;
mod ports;
mod public_keys;
mod refresh;
mod repositories;
mod resent;
mod rights;
mod robots;
mod roles;
mod rules;
mod search;
mod sessions;
mod sign_in;
mod surface;
mod tags;
mod team_access;
mod teams;
