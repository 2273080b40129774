//! People as a company's OpenID provider knows them.
//!
//! The provider signs people in; this registry is one of its clients. [`openid`] is the way in: it
//! sends a browser to the provider, and makes out of what comes back a user of this registry and
//! the teams that follow groups. How the provider is reached and what its claims mean is
//! [`settings`].
//!
//! Nothing that the provider sends is believed because it arrived: it comes over TLS from the
//! address that an administrator gave, its token is verified by `jws` and `id_token`, and all
//! of it is bounded. Cryptography is ring's, as everywhere (docs/decisions/016).

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod claims;
mod discovery;
pub mod failure;
mod http;
mod id_token;
mod jws;
mod keys;
mod login_state;
pub mod openid;
mod provider;
pub mod settings;
