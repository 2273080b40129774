//! How this replica is: for balancers, for people, for Prometheus.
//!
//! [`checks`] looks at each part of the replica every few seconds and remembers what it found;
//! [`readiness`] makes one answer of it for `/_ping` and `/health`; [`page`] shows it to a person;
//! [`metrics`] writes it for Prometheus. [`surface`] holds the routes.
//!
//! Source: dtr-interface 5.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod checks;
pub mod facts;
pub mod metrics;
pub mod page;
pub mod readiness;
pub mod surface;
