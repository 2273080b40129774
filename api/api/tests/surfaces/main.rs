//! The surfaces over a real cluster of one replica in a temporary folder, driven in-process.

#![allow(clippy::unwrap_used)]

mod blobs;
mod harness;
mod health;
mod limits;
mod lists;
mod login;
mod management;
mod manifests;
mod ports;
mod repositories;
mod resent;
mod rights;
