//! The two runtimes of a replica: Raft must not wait behind pulls.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// Threads need little stack: nothing here recurses deeply.
const STACK_BYTES: usize = 1024 * 1024;

/// Threads for blocking work, at most; they come when needed and go when idle.
const BLOCKING_MAX: usize = 64;
const BLOCKING_IDLE: Duration = Duration::from_secs(5);

/// Threads that answer clients and move blobs, at most.
const PUBLIC_MAX: usize = 16;

/// Raft and what peers ask of it.
pub fn peers() -> std::io::Result<Runtime> {
    build("raft", 1)
}

/// Clients, blobs and everything else.
pub fn public() -> std::io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    build("public", cores.min(PUBLIC_MAX))
}

fn build(name: &str, threads: usize) -> std::io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(name)
        .thread_stack_size(STACK_BYTES)
        .max_blocking_threads(BLOCKING_MAX)
        .thread_keep_alive(BLOCKING_IDLE)
        .enable_all()
        .build()
}
