//! Who is calling: passwords, tokens, and what a token was asked for.
//!
//! [`authenticator`] is the way in: it turns an `Authorization` header ([`credentials`]) into an
//! identity. Passwords are checked with Argon2id by [`password`], slowed down by [`throttle`];
//! what a new one must be says [`password_rule`]. Tokens are signed and checked by [`token`] with
//! the cluster's key, which [`keys`] unseals.
//! Nothing here decides what an identity may do: `metadata::access` does, at the resource.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod access_token;
pub mod authenticator;
pub mod certificates;
pub mod challenge;
pub mod credentials;
pub mod imported_hash;
pub mod keys;
pub mod page_session;
pub mod password;
pub mod password_rule;
pub mod recent;
pub mod scope;
pub mod throttle;
pub mod token;
pub mod wall_time;
pub mod worst_passwords;
