//! Holdfast beside its peers, for `make bench`: the same client, machine and minutes for all.
//!
//! Whoever is compared is measured in turn, round after round, since a machine is never as fast as
//! it was a minute ago. A ratio is formed within a round, and the median over the rounds is told.

pub mod docker_registry;
pub mod figures;
pub mod lines;
pub mod machine;
pub mod nginx;
pub mod page;
pub mod quick_start;
pub mod results;
pub mod running;
pub mod stage;
pub mod targets;
