//! Where a request meets blob bytes: the local store, the other holders and the cluster's
//! agreement.
//!
//! A push streams through [`uploads`] to this disk and to the other holders at the same time, and
//! is answered after `commit` has seen enough receipts and the cluster has agreed; a request that
//! meets another replica is sent on by [`forwarding`]. A pull goes through [`reading`], which
//! serves local bytes or a holder's. [`healing`] makes the copies that are missing, `unlinking` and
//! `orphans` take away what nothing needs. Both the registry surface and the replica's own loops
//! come through here, so that nothing else needs to know where bytes are.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod adopting;
mod closed;
mod commit;
pub mod content;
pub mod copies;
pub mod counts;
pub mod departure;
pub mod failure;
mod fanout;
pub mod forwarding;
mod given;
pub mod healing;
mod kept;
pub mod leases;
mod orphans;
mod owner_failures;
mod placement;
pub mod reading;
mod receipts;
mod receiving;
pub mod rejoining;
mod scrub;
mod small;
mod unlinking;
mod upload;
pub mod upload_id;
pub mod uploads;
