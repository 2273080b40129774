//! `holdfast`: reads the command line; `serve` runs the replica.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A request takes and gives back some hundred small pieces of memory on any thread.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    tools::cli::run(std::env::args_os(), node::replica::serve).into()
}
