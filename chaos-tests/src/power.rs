//! Power cuts of a real process: what it was told is durable must be there afterwards.
//!
//! A writer appends to a log, commits to tables and seals blobs, all in one folder, and says on its
//! output what it was told. A preloaded library ([`shim`]) notes every change it makes to a file
//! ([`journal`]). The writer is killed, and from the notes a disk is drawn as a power cut might
//! have left it ([`disk`]): what was not synced is there, is not, or is there in part. [`judge`]
//! opens what is on that disk and compares it with what the writer was told; the next writer goes
//! on from it.

pub mod content;
pub mod disk;
pub mod files;
pub mod journal;
pub mod judge;
pub mod run;
pub mod shim;
pub mod told;
pub mod writer;
