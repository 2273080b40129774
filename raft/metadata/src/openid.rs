//! Sign-in by an OpenID provider, and what of it the cluster remembers.
//!
//! The provider itself is asked by replicas, never here: what stands here is how it is reached,
//! which teams follow which of its groups, and which account belongs to which of its subjects. A
//! person is their subject for ever, whatever the provider calls them later; the account's name is
//! chosen once, at the first sign-in. No password of theirs is kept here; the client's secret is
//! sealed by whoever proposed it.

use crate::accounts::{self, AccountId, Named};
use crate::codec::message;
use crate::key;
use crate::organizations::last_id;
use crate::row;
use crate::tables::{Damage, Read, Table, Write};
use crate::teams::TeamId;

pub mod commands;
pub mod sign_in;

/// What the client's secret is sealed for.
pub const CLIENT_SECRET: &str = "openid/client-secret";

const KEY: &[u8] = b"openid";

message! {
    /// A team that has the members of one of the provider's groups.
    pub struct GroupTeam {
        /// What the provider calls the group.
        1 group: String,
        /// The team.
        2 team: TeamId,
    }
}

message! {
    /// How the provider is reached, and what its claims mean here.
    #[derive(Default)]
    pub struct OpenIdRow {
        /// Counts the changes: a sign-in that began before one must begin again.
        1 revision: u64,
        /// Whether people may sign in by it.
        2 is_enabled: bool,
        /// Who the provider says it is, to the letter.
        3 issuer: String,
        /// What this registry is called there.
        4 client_id: String,
        /// What proves it, sealed for [`CLIENT_SECRET`]; empty for a client without a secret.
        5 sealed_client_secret: Vec<u8>,
        /// Authorities that count, as PEM; empty for those of the machine.
        6 root_certs: String,
        /// What is asked for.
        7 scopes: Vec<String>,
        /// The claim that an account is called by at the first sign-in.
        8 username_claim: String,
        /// The claim that says what people are called; empty for none.
        9 full_name_claim: String,
        /// The claim that lists groups; empty where nothing follows them.
        10 groups_claim: String,
        /// Teams that follow groups.
        11 group_teams: Vec<GroupTeam>,
        /// The group whose members are system administrators; empty where that is said here.
        12 admin_group: String,
        /// Whether whoever the provider lets in is given an account.
        13 creates_accounts: bool,
    }
}

message! {
    /// Who a user is for the provider, under the user's id.
    pub struct OpenIdUser {
        /// The provider.
        1 issuer: String,
        /// What names them there for ever.
        2 subject: String,
    }
}

/// How the provider is reached, where that was said.
pub fn settings(read: &impl Read) -> Result<Option<OpenIdRow>, Damage> {
    row::find(read, Table::Singles, KEY)
}

/// The settings, where people may sign in by it.
pub fn in_use(read: &impl Read) -> Result<Option<OpenIdRow>, Damage> {
    Ok(settings(read)?.filter(|row| row.is_enabled))
}

/// Who this user is for a provider, where they are tied to one.
pub fn user(read: &impl Read, id: &AccountId) -> Result<Option<OpenIdUser>, Damage> {
    row::find(read, Table::OpenIdUsers, id)
}

/// The account of a subject.
pub fn account_of(read: &impl Read, issuer: &str, subject: &str) -> Result<Option<Named>, Damage> {
    let found = read.get(Table::OpenIdSubjects, &subject_key(issuer, subject))?;
    match found {
        Some(id) => accounts::find_by_id(read, &last_id(&id)?),
        None => Ok(None),
    }
}

/// Ties an account to a subject, and to no other.
pub(crate) fn tie(
    tables: &mut impl Write,
    id: &AccountId,
    user: &OpenIdUser,
) -> Result<(), Damage> {
    forget(tables, id)?;
    let key = subject_key(&user.issuer, &user.subject);
    tables.put(Table::OpenIdSubjects, key, id.to_vec());
    row::put(tables, Table::OpenIdUsers, id.to_vec(), user);
    Ok(())
}

/// What is remembered of an account goes with it.
pub(crate) fn forget(tables: &mut impl Write, id: &AccountId) -> Result<(), Damage> {
    if let Some(before) = user(tables, id)? {
        tables.delete(Table::OpenIdSubjects, &subject_key(&before.issuer, &before.subject));
        tables.delete(Table::OpenIdUsers, id);
    }
    Ok(())
}

/// Neither has a NUL in it, as they are checked before they come here.
pub(crate) fn subject_key(issuer: &str, subject: &str) -> Vec<u8> {
    key::join(&[issuer.as_bytes(), &[0], subject.as_bytes()])
}
