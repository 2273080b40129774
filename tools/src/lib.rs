//! What an operator runs: the library behind the subcommands of `holdfast`.
//!
//! One file a verb: [`quickstart`], [`install`], [`join_token`], [`join`], [`status`],
//! [`mod@bench`], [`mod@import`], [`backup`], [`restore`], [`content`]; a folder for the nouns of
//! [`management`]. Remote verbs talk HTTP through [`client`]; local ones go through `consensus`
//! after [`preflight`] has looked at the machine. [`cli`] reads the command line and calls them;
//! the daemon itself is handed in by the binary, since nothing here may know it. [`config`] is the
//! file that both sides read.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod admin_reset;
pub mod backup;
pub mod bench;
pub mod cli;
pub mod client;
pub mod completion;
pub mod config;
pub mod connection;
pub mod content;
pub mod destroy;
pub mod doctor;
pub mod emergency_repair;
pub mod exit;
pub mod extended_help;
pub mod flags;
pub mod import;
pub mod install;
pub mod join;
pub mod join_token;
pub mod machine;
pub mod management;
pub mod password;
pub mod pem;
pub mod preflight;
pub mod prompt;
pub mod quickstart;
pub mod remove;
pub mod restore;
pub mod status;
