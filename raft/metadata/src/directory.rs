//! A company's directory of people, and what of it the cluster remembers.
//!
//! The directory itself is asked by replicas, never here: what stands here is how to reach it,
//! which account belongs to which of its entries, which groups follow it, and who is syncing.
//! Passwords of the directory never come here; the one that reads it is sealed by whoever proposed
//! it.

use crate::accounts::{self, AccountId, AccountRow};
use crate::codec::message;
use crate::jobs::JobId;
use crate::key;
use crate::organizations::last_id;
use crate::page::Listing;
use crate::replica::ReplicaId;
use crate::row;
use crate::tables::{Damage, Read, Table, Write};

pub mod commands;
pub mod sync;

/// What the reader's password is sealed for.
pub const READER_PASSWORD: &str = "directory/reader-password";

const BACKEND: &[u8] = b"directory_backend";
const LDAP: &[u8] = b"directory_ldap";
const SYSTEM_ACCOUNTS: &[u8] = b"system_accounts";
const RUN: &[u8] = b"directory_run";

message! {
    /// Where people sign in.
    #[derive(Default)]
    pub struct BackendRow {
        /// Whether the directory is asked for passwords, instead of the accounts' own.
        1 is_ldap: bool,
    }
}

message! {
    /// Where to look for people.
    pub struct UserSearch {
        /// Below which entry.
        1 base_dn: String,
        /// However deep below it, instead of right below.
        2 is_subtree: bool,
        /// What a person signs in as.
        3 username_attribute: String,
        /// What a person is called; empty for nothing.
        4 full_name_attribute: String,
        /// Which entries are people; empty for all.
        5 filter: String,
    }
}

message! {
    /// Who belongs to a group of ours, by the directory.
    #[derive(Default)]
    pub struct MemberSync {
        /// Whether it follows the directory at all.
        1 is_enabled: bool,
        /// By the members of a group there, instead of by a search.
        2 is_by_group: bool,
        /// The group.
        3 group_dn: String,
        /// Which of its attributes names members.
        4 group_member_attribute: String,
        /// Below which entry is searched.
        5 base_dn: String,
        /// However deep below it.
        6 is_subtree: bool,
        /// Which entries are members.
        7 filter: String,
    }
}

message! {
    /// How to reach the directory, and what is read there.
    pub struct LdapRow {
        /// `ldap://` or `ldaps://`, host, port.
        1 server_url: String,
        /// Whether TLS begins after the connection.
        2 start_tls: bool,
        /// Authorities that count, as PEM; empty for those of the machine.
        3 root_certs: String,
        /// Whether anybody's certificate does.
        4 tls_skip_verify: bool,
        /// Whether results come in one piece, not in pages.
        5 no_simple_pagination: bool,
        /// Who reads; empty for nobody in particular.
        6 reader_dn: String,
        /// Their password, sealed for [`READER_PASSWORD`].
        7 sealed_reader_password: Vec<u8>,
        /// The user who signs in by the password kept here.
        8 recovery_admin: String,
        /// Where people are; the first that has a name counts.
        9 user_searches: Vec<UserSearch>,
        /// Who is system administrator.
        10 administrators: MemberSync,
        /// When it is synced, as a cron expression without seconds.
        11 schedule: String,
    }
}

message! {
    /// Accounts that cannot be deleted.
    #[derive(Default)]
    pub struct SystemAccountsRow {
        /// Their names, in order.
        1 names: Vec<String>,
    }
}

message! {
    /// Which entry of the directory a user is, under the user's id.
    pub struct UserLink {
        /// The entry's name.
        1 source: String,
        /// Whether it was gone at the last sync, so that the user was made inactive.
        2 is_gone: bool,
    }
}

message! {
    /// The sync that goes on, or the last one.
    pub struct RunRow {
        /// Names it.
        1 id: [u8; 16],
        /// Which replica does it.
        2 replica_id: ReplicaId,
        /// Milliseconds since 1970.
        3 begun_wall_ms: u64,
        /// Until when another must wait, in milliseconds of the cluster's time; 0 where it ended.
        4 lease_until_ms: u64,
        /// Milliseconds since 1970; 0 while it goes on.
        5 ended_wall_ms: u64,
        /// What it did, as JSON.
        6 report: String,
        /// The job that does it, where one does.
        7 job: Option<JobId>,
    }
}

/// Where people sign in.
pub fn backend(read: &impl Read) -> Result<BackendRow, Damage> {
    Ok(row::find(read, Table::Singles, BACKEND)?.unwrap_or_default())
}

/// How to reach the directory, where that was said.
pub fn ldap(read: &impl Read) -> Result<Option<LdapRow>, Damage> {
    row::find(read, Table::Singles, LDAP)
}

/// The directory, where people sign in there.
pub fn ldap_in_use(read: &impl Read) -> Result<Option<LdapRow>, Damage> {
    if backend(read)?.is_ldap { ldap(read) } else { Ok(None) }
}

/// Accounts that cannot be deleted.
pub fn system_accounts(read: &impl Read) -> Result<SystemAccountsRow, Damage> {
    Ok(row::find(read, Table::Singles, SYSTEM_ACCOUNTS)?.unwrap_or_default())
}

/// The sync that goes on, or the last one.
pub fn run(read: &impl Read) -> Result<Option<RunRow>, Damage> {
    row::find(read, Table::Singles, RUN)
}

/// What a user is in the directory.
pub fn link(read: &impl Read, user: &AccountId) -> Result<Option<UserLink>, Damage> {
    row::find(read, Table::DirectoryUsers, user)
}

/// Users who come from the directory, by id, from `start` on.
pub fn links(
    read: &impl Read,
    start: &[u8],
    limit: usize,
) -> Result<Listing<(AccountId, UserLink)>, Damage> {
    let rows = read.range(Table::DirectoryUsers, start, None, limit.saturating_add(1))?;
    let items = rows
        .iter()
        .map(|(key, value)| Ok((last_id(key)?, row::decode(Table::DirectoryUsers, value)?)));
    Ok(Listing::cut(items.collect::<Result<_, Damage>>()?, limit))
}

/// How a team, or the owners of an organization, follow the directory; by default they do not.
pub fn member_sync(read: &impl Read, group: &[u8; 16]) -> Result<MemberSync, Damage> {
    Ok(row::find(read, Table::MemberSyncs, group)?.unwrap_or_default())
}

/// Every team, and organization for its owners, that follows the directory, by id, from `start` on.
pub fn member_syncs(
    read: &impl Read,
    start: &[u8],
    limit: usize,
) -> Result<Listing<([u8; 16], MemberSync)>, Damage> {
    let rows = read.range(Table::MemberSyncs, start, None, limit.saturating_add(1))?;
    let items = rows
        .iter()
        .map(|(key, value)| Ok((last_id(key)?, row::decode(Table::MemberSyncs, value)?)));
    Ok(Listing::cut(items.collect::<Result<_, Damage>>()?, limit))
}

/// Whether this account can't be deleted.
pub(crate) fn is_system(read: &impl Read, name: &str) -> Result<bool, Damage> {
    Ok(system_accounts(read)?.names.iter().any(|system| system == name))
}

/// Whether this user signs in while the directory does not answer.
pub fn is_recovery_admin(read: &impl Read, name: &str) -> Result<bool, Damage> {
    Ok(ldap_in_use(read)?.is_some_and(|ldap| ldap.recovery_admin == name))
}

/// Whether an account may go, or be demoted, as far as the last administrator is concerned.
pub(crate) fn is_needed(read: &impl Read, name: &str, row: &AccountRow) -> Result<bool, Damage> {
    let is_administrator = row.is_admin && row.signs_in();
    Ok(is_recovery_admin(read, name)?
        || is_administrator && !accounts::another_administrator(read, name)?)
}

/// The user is nobody of the directory any more.
pub(crate) fn untie(tables: &mut impl Write, user: &AccountId) {
    tables.delete(Table::DirectoryUsers, user);
}

/// What is remembered under the id of an account or team goes with it.
pub(crate) fn forget(tables: &mut impl Write, id: &[u8; 16]) {
    tables.delete(Table::DirectoryUsers, id);
    tables.delete(Table::MemberSyncs, id);
}

/// Whether the user may sign in was said by hand: that they come back to the directory changes
/// nothing about it.
pub(crate) fn settle(tables: &mut impl Write, user: &AccountId) -> Result<(), Damage> {
    if let Some(link) = link(tables, user)?.filter(|link| link.is_gone) {
        put_link(tables, user, &UserLink { is_gone: false, ..link });
    }
    Ok(())
}

pub(crate) fn put_link(tables: &mut impl Write, user: &AccountId, link: &UserLink) {
    row::put(tables, Table::DirectoryUsers, user.to_vec(), link);
}

pub(crate) fn put_run(tables: &mut impl Write, run: &RunRow) {
    row::put(tables, Table::Singles, RUN.to_vec(), run);
}

/// A user's id from the one drawn for the whole command.
pub(crate) fn numbered_id(random: &[u8; 16], number: usize) -> AccountId {
    let mut id = *random;
    // A command has fewer users than a byte has values, so no two ids are alike.
    id[15] ^= u8::try_from(number).unwrap_or(u8::MAX);
    id
}

/// The key of a group's sync.
pub(crate) fn sync_key(group: &[u8; 16]) -> Vec<u8> {
    key::join(&[group])
}
