//! `holdfast`: reads the command line; `serve` runs the replica.

use std::process::ExitCode;

fn main() -> ExitCode {
    tools::cli::run(std::env::args_os(), node::replica::serve).into()
}
