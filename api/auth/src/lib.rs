//! Who is calling: passwords, tokens, and what a token was asked for.
//!
//! [`authenticator`] is the way in: it turns an `Authorization` header ([`credentials`]) into an
//! identity. Passwords are checked with Argon2id by [`password`], slowed down by [`throttle`];
//! tokens are signed and checked by [`token`] with the cluster's key, which [`keys`] unseals.
//! Nothing here decides what an identity may do: `metadata::access` does, at the resource.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod authenticator;
pub mod challenge;
pub mod credentials;
pub mod keys;
pub mod password;
pub mod recent;
pub mod scope;
pub mod throttle;
pub mod token;
pub mod wall_time;
