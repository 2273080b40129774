//! The OCI formats: digests, names, media types, descriptors, manifests and image configurations.
//!
//! Everything here is pure: bytes and text in, values out. Nothing reads a file, a clock or a
//! network, so that the state machine, the registry and the tools can all lean on it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod descriptor;
pub mod digest;
pub mod image;
pub mod json;
pub mod manifest;
pub mod media_type;
pub mod name;
pub mod platform;
pub mod verifier;
