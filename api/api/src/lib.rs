//! Assembles the surfaces and listens for the world.
//!
//! [`surfaces`] puts them side by side; [`public`] serves it on the HTTPS port, and on the
//! plain one where that is on, until it is told to drain. [`connection`] holds the bounds of one
//! connection.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod activity;
pub mod answers;
pub mod bounds;
pub mod connection;
pub mod frames;
pub mod guarded;
pub mod inflow;
pub mod opening;
pub mod plain;
pub mod public;
pub mod shield;
pub mod stall;
pub mod surfaces;
pub mod windows;
