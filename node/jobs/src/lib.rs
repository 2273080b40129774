//! Work that the cluster does by itself: collection, retention, following a directory.
//!
//! The queue is rows of the state machine (`metadata::jobs`); here is what does the work. Each
//! replica has one [`runner::Runner`]: it fires crons, claims jobs, keeps its lease, and gives back
//! what it has not finished when it stops. A kind of work is a file under `kinds` and an
//! implementation of [`job::Job`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod attempt;
pub mod job;
pub mod kinds;
mod lines;
mod neighbours;
pub mod runner;
mod sight;
