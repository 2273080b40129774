//! Signing in by a directory and syncing with it: a real slapd with made-up people, and servers
//! that misbehave. Where slapd is not installed these are skipped, with a notice.

mod failing;
mod many;
mod settings;
mod sign_in;
mod slapd;
mod sync;
