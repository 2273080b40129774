//! What the hot paths cost by themselves: `make micro`. A benchmark measures; no test waits on it.
#![allow(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]
// The macros of the harness write functions without a description.
#![allow(missing_docs)]

#[path = "micro/access.rs"]
mod access;
#[path = "micro/bytes.rs"]
mod bytes;
#[path = "micro/commands.rs"]
mod commands;
#[path = "micro/log.rs"]
mod log;
#[path = "micro/state.rs"]
mod state;
#[path = "micro/stored.rs"]
mod stored;
#[path = "micro/tags.rs"]
mod tags;
#[path = "micro/token.rs"]
mod token;

use criterion::{criterion_group, criterion_main};
use tikv_jemallocator::Jemalloc;

// As in the binary (docs/decisions/014).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

criterion_group!(
    micro,
    access::decisions,
    bytes::digest_verification,
    bytes::upload_append,
    commands::apply,
    log::group_commit,
    tags::page,
    token::issue_and_open
);
criterion_main!(micro);
