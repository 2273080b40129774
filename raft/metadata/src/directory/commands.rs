//! Saying where people sign in, how the directory is reached, and which groups follow it.

use super::{
    BACKEND, BackendRow, LDAP, LdapRow, MemberSync, SYSTEM_ACCOUNTS, SystemAccountsRow, UserSearch,
    backend, ldap, sync_key,
};
use crate::access::standing;
use crate::accounts;
use crate::accounts::commands::UserPut;
use crate::codec::message;
use crate::jobs::crons;
use crate::jobs::schedule::Schedule;
use crate::moment::Moment;
use crate::organizations;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Read, Table, Write};
use crate::teams::{self, TeamId};

/// Places where people are looked for, at most.
pub const SEARCHES_MAX: usize = 8;
/// Names of entries, filters and URLs in bytes, at most.
pub const TEXT_BYTES_MAX: usize = 1024;
/// Authorities as PEM in bytes, at most.
pub const ROOT_CERTS_BYTES_MAX: usize = 24 * 1024;
/// Accounts that can't be deleted, at most.
pub const SYSTEM_ACCOUNTS_MAX: usize = 100;
/// A sealed secret in bytes, at most.
const SEALED_BYTES_MAX: usize = 2048;

message! {
    /// Says where people sign in.
    pub struct BackendSet {
        /// The account that asks.
        1 actor: String,
        /// Whether by the directory.
        2 is_ldap: bool,
    }
}

message! {
    /// Says how the directory is reached.
    pub struct LdapSet {
        /// The account that asks.
        1 actor: String,
        /// All of it.
        2 ldap: LdapRow,
        /// Where given, the recovery administrator's password from now on, in PHC text form: an
        /// account that is not there is made, and it is an administrator's afterwards.
        3 recovery_password_hash: Option<String>,
    }
}

message! {
    /// Says which accounts can't be deleted.
    pub struct SystemAccountsSet {
        /// The account that asks.
        1 actor: String,
        /// All of them.
        2 names: Vec<String>,
    }
}

message! {
    /// Says how a team, or the owners of an organization, follow the directory.
    pub struct MemberSyncSet {
        /// The account that asks.
        1 actor: String,
        /// The organization's name.
        2 organization: String,
        /// The team; its owners where there is none.
        3 team: Option<TeamId>,
        /// How.
        4 sync: MemberSync,
    }
}

impl BackendSet {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        standing::require_system(tables, &self.actor)?;
        if self.is_ldap {
            let Some(ldap) = ldap(tables)? else {
                return Err(not_ready("say first how it is reached"));
            };
            check_recovery_admin(tables, &ldap)?;
        }
        let row = BackendRow { is_ldap: self.is_ldap };
        row::put(tables, Table::Singles, BACKEND.to_vec(), &row);
        crons::follow_directory(tables, moment)?;
        Ok(Answer::Done)
    }
}

impl LdapSet {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        standing::require_system(tables, &self.actor)?;
        check_ldap(&self.ldap)?;
        if let Some(password_hash) = self.recovery_password_hash.clone() {
            let name = self.ldap.recovery_admin.clone();
            UserPut { name, password_hash, is_admin: true }.apply(tables, moment)?;
        }
        if backend(tables)?.is_ldap {
            check_recovery_admin(tables, &self.ldap)?;
        }
        row::put(tables, Table::Singles, LDAP.to_vec(), &self.ldap);
        crons::follow_directory(tables, moment)?;
        Ok(Answer::Done)
    }
}

impl SystemAccountsSet {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        standing::require_system(tables, &self.actor)?;
        bound("system accounts", self.names.len(), SYSTEM_ACCOUNTS_MAX)?;
        for name in &self.names {
            if accounts::find(tables, name)?.is_none() {
                return Err(Refusal::AccountUnknown { name: name.clone() }.into());
            }
        }
        let mut names = self.names.clone();
        names.sort_unstable();
        names.dedup();
        let row = SystemAccountsRow { names };
        row::put(tables, Table::Singles, SYSTEM_ACCOUNTS.to_vec(), &row);
        Ok(Answer::Done)
    }
}

impl MemberSyncSet {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        // Whom the directory makes an owner is for those who answer for the directory to say.
        standing::require_system(tables, &self.actor)?;
        let organization = organizations::existing(tables, &self.organization)?;
        check_sync(&self.sync)?;
        let group = match &self.team {
            None => organization.id,
            Some(team) => {
                let found = teams::find_by_id(tables, team)?;
                let own = found.filter(|team| team.organization == organization.id);
                own.ok_or(Refusal::TeamUnknown)?.row.id
            }
        };
        if self.sync == MemberSync::default() {
            tables.delete(Table::MemberSyncs, &group);
        } else {
            row::put(tables, Table::MemberSyncs, sync_key(&group), &self.sync);
        }
        Ok(Answer::Done)
    }
}

/// Nobody could sign in any more, were the directory unreachable and there were no such user.
fn check_recovery_admin(read: &impl Read, ldap: &LdapRow) -> Ruling<()> {
    let name = &ldap.recovery_admin;
    let row = accounts::find(read, name)?;
    let fits =
        row.is_some_and(|row| row.is_admin && row.signs_in() && !row.password_hash.is_empty());
    if fits {
        Ok(())
    } else {
        Err(not_ready(
            "recoveryAdminUsername must name an active system administrator with a password here, \
             who signs in when the directory is down",
        ))
    }
}

fn check_ldap(ldap: &LdapRow) -> Ruling<()> {
    for text in [&ldap.server_url, &ldap.reader_dn, &ldap.recovery_admin, &ldap.schedule] {
        bound_text(text)?;
    }
    bound("bytes of rootCerts", ldap.root_certs.len(), ROOT_CERTS_BYTES_MAX)?;
    bound("bytes of readerPassword", ldap.sealed_reader_password.len(), SEALED_BYTES_MAX)?;
    bound("userSearchConfigs", ldap.user_searches.len(), SEARCHES_MAX)?;
    ldap.user_searches.iter().try_for_each(check_search)?;
    if !ldap.schedule.is_empty() {
        let read = Schedule::parse_without_seconds(&ldap.schedule);
        read.map_err(|what| not_ready(&format!("syncSchedule: {what}")))?;
    }
    check_sync(&ldap.administrators)
}

fn check_search(search: &UserSearch) -> Ruling<()> {
    let UserSearch { base_dn, username_attribute, full_name_attribute, filter, .. } = search;
    [base_dn, username_attribute, full_name_attribute, filter]
        .into_iter()
        .try_for_each(|text| bound_text(text))
}

fn check_sync(sync: &MemberSync) -> Ruling<()> {
    let MemberSync { group_dn, group_member_attribute, base_dn, filter, .. } = sync;
    [group_dn, group_member_attribute, base_dn, filter]
        .into_iter()
        .try_for_each(|text| bound_text(text))
}

fn bound_text(text: &str) -> Ruling<()> {
    bound("bytes of a text of the directory", text.len(), TEXT_BYTES_MAX)
}

fn bound(what: &str, found: usize, max: usize) -> Ruling<()> {
    if found > max { Err(Refusal::out_of_bounds(what, max).into()) } else { Ok(()) }
}

fn not_ready(what: &str) -> crate::ruling::Stop {
    Refusal::DirectoryNotReady { what: what.to_owned() }.into()
}
