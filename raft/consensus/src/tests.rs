//! Clusters of whole replicas in one process, over real folders and connections in memory.

mod faults;
mod golden;
mod harness;
mod joining;
mod lines;
mod moving;
mod pushing;
mod repairing;
mod snapshots;
mod store_suite;
