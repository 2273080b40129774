//! The registry: `/v2` and the endpoint that gives its tokens.
//!
//! A request comes in through [`surface`], which reads its path ([`route`]) from the right end and
//! hands it to the file of its noun: [`blobs`], [`uploads`], [`manifests`], [`tags`],
//! [`referrers`], [`catalog`], [`tokens`]. Each of them goes the same way: read what was asked, let
//! the caller in, do it through `content` and the cluster, present.
//!
//! Source: OCI distribution-spec 1.1.1; rules cited as H1, UP4 … are those of docs/api.md.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod blobs;
pub mod caching;
pub mod call;
pub mod catalog;
pub mod content_range;
pub mod manifests;
pub mod mounts;
pub mod multipart;
pub mod ping;
pub mod ranges;
pub mod referrers;
pub mod route;
pub mod streaming;
pub mod surface;
pub mod tags;
pub mod tokens;
pub mod uploads;
