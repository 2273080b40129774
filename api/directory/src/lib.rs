//! People as a company's LDAP directory knows them: signing them in, and following its groups.
//!
//! [`directory`] is the way in. [`settings`] reads and checks how the directory is reached;
//! [`ldap`] talks to it, `sync` carries over who is there and in which group. Passwords go
//! through here to the directory and are kept nowhere.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod account_name;
pub mod directory;
pub mod dn;
pub mod failure;
pub mod ldap;
pub mod member_sync;
pub mod settings;
mod sync;
