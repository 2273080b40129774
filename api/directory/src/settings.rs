//! How the directory is reached, as the API writes it: read, checked and shown.
//!
//! Source: dtr-interface 4, `LDAPSettings`.

use std::fmt;

use metadata::directory::commands::{ROOT_CERTS_BYTES_MAX, SEARCHES_MAX, TEXT_BYTES_MAX};
use metadata::directory::{LdapRow, UserSearch};
use metadata::jobs::schedule::Schedule;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::dn;
use crate::ldap::plan::Plan;
use crate::ldap::server_url::ServerUrl;
use crate::member_sync::{MemberSyncOpts, attribute, filter};

/// When nothing is said.
const SCHEDULE: &str = "@hourly";

/// `LDAPSettings`. Secrets come in and never go out.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LdapSettings {
    /// `ldap://` or `ldaps://`, host, port.
    #[serde(rename = "serverURL")]
    pub server_url: String,
    /// TLS after connecting; passed over for `ldaps://`.
    #[serde(rename = "startTLS")]
    pub start_tls: bool,
    /// Authorities that count, as PEM; those of the machine where there are none.
    pub root_certs: String,
    /// Anybody's certificate does.
    pub tls_skip_verify: bool,
    /// Results in one piece.
    pub no_simple_pagination: bool,
    /// Who reads; nobody in particular where it is empty.
    #[serde(rename = "readerDN")]
    pub reader_dn: String,
    /// Their password; absent for the one that is kept.
    #[serde(skip_serializing)]
    pub reader_password: Option<String>,
    /// Who signs in when the directory is down.
    pub recovery_admin_username: String,
    /// Their password, where it is to be set.
    #[serde(skip_serializing)]
    pub recovery_admin_password: Option<String>,
    /// Where people are.
    pub user_search_configs: Vec<UserSearchConfig>,
    /// Who is system administrator.
    pub admin_sync_opts: MemberSyncOpts,
    /// When it is synced: a cron expression without seconds.
    pub sync_schedule: String,
}

/// Where people are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UserSearchConfig {
    /// Below which entry.
    #[serde(rename = "baseDN")]
    pub base_dn: String,
    /// However deep below it.
    pub scope_subtree: bool,
    /// What they sign in as.
    pub username_attr: String,
    /// What they are called.
    pub full_name_attr: String,
    /// Which entries are people.
    pub filter: String,
}

// Never shows a password.
impl fmt::Debug for LdapSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("LdapSettings")
            .field("server_url", &self.server_url)
            .finish_non_exhaustive()
    }
}

/// Settings that were checked: what is kept, and the secrets that are to be sealed or hashed.
pub struct Checked {
    /// What is kept, but for the reader's password.
    pub row: LdapRow,
    /// The reader's password, where one was given.
    pub reader_password: Option<Zeroizing<String>>,
    /// The recovery administrator's new password, where one was given.
    pub recovery_password: Option<Zeroizing<String>>,
}

impl LdapSettings {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// In words: which one does not do, and what would.
    pub fn check(self) -> Result<Checked, String> {
        let given = |text: Option<String>| text.map(Zeroizing::new);
        let reader_password = given(self.reader_password);
        let recovery_password = given(self.recovery_admin_password).filter(|it| !it.is_empty());
        for (field, text) in [
            ("serverURL", &self.server_url),
            ("readerDN", &self.reader_dn),
            ("recoveryAdminUsername", &self.recovery_admin_username),
        ] {
            short(field, text)?;
        }
        ServerUrl::parse(&self.server_url)?;
        if self.root_certs.len() > ROOT_CERTS_BYTES_MAX {
            return Err(format!("rootCerts has more than {ROOT_CERTS_BYTES_MAX} bytes"));
        }
        if !self.reader_dn.is_empty() {
            reader(&self.reader_dn)?;
        }
        if reader_password.as_ref().is_some_and(|password| password.len() > TEXT_BYTES_MAX) {
            return Err(format!("readerPassword has more than {TEXT_BYTES_MAX} bytes"));
        }
        let count = self.user_search_configs.len();
        if count == 0 || count > SEARCHES_MAX {
            return Err(format!(
                "userSearchConfigs says where people are: 1 to {SEARCHES_MAX} of them"
            ));
        }
        let searches = self.user_search_configs.into_iter().map(UserSearchConfig::into_row);
        let row = LdapRow {
            server_url: self.server_url,
            start_tls: self.start_tls,
            root_certs: self.root_certs,
            tls_skip_verify: self.tls_skip_verify,
            no_simple_pagination: self.no_simple_pagination,
            reader_dn: self.reader_dn,
            sealed_reader_password: Vec::new(),
            recovery_admin: self.recovery_admin_username,
            user_searches: searches.collect::<Result<_, _>>()?,
            administrators: self
                .admin_sync_opts
                .into_row()
                .map_err(|error| format!("adminSyncOpts: {error}"))?,
            schedule: schedule(&self.sync_schedule)?,
        };
        // The authorities are read here too.
        Plan::new(&row, Zeroizing::default())?;
        Ok(Checked { row, reader_password, recovery_password })
    }

    /// What is kept, without its secrets.
    pub fn of_row(row: &LdapRow) -> Self {
        let row = row.clone();
        let searches = row.user_searches.iter().map(UserSearchConfig::of_row).collect();
        Self {
            server_url: row.server_url,
            start_tls: row.start_tls,
            root_certs: row.root_certs,
            tls_skip_verify: row.tls_skip_verify,
            no_simple_pagination: row.no_simple_pagination,
            reader_dn: row.reader_dn,
            reader_password: None,
            recovery_admin_username: row.recovery_admin,
            recovery_admin_password: None,
            user_search_configs: searches,
            admin_sync_opts: MemberSyncOpts::of_row(&row.administrators),
            sync_schedule: row.schedule,
        }
    }
}

impl UserSearchConfig {
    fn into_row(self) -> Result<UserSearch, String> {
        let within = |error| format!("userSearchConfigs: {error}");
        short("baseDN", &self.base_dn).map_err(within)?;
        dn::normalized(&self.base_dn).map_err(|error| within(format!("baseDN: {error}")))?;
        attribute("usernameAttr", &self.username_attr).map_err(within)?;
        if !self.full_name_attr.is_empty() {
            attribute("fullNameAttr", &self.full_name_attr).map_err(within)?;
        }
        filter("filter", &self.filter).map_err(within)?;
        Ok(UserSearch {
            base_dn: self.base_dn,
            is_subtree: self.scope_subtree,
            username_attribute: self.username_attr,
            full_name_attribute: self.full_name_attr,
            filter: self.filter,
        })
    }

    fn of_row(row: &UserSearch) -> Self {
        let row = row.clone();
        Self {
            base_dn: row.base_dn,
            scope_subtree: row.is_subtree,
            username_attr: row.username_attribute,
            full_name_attr: row.full_name_attribute,
            filter: row.filter,
        }
    }
}

/// The reader: a name of an entry, or what Active Directory takes as well, `reader@example.com` and
/// `EXAMPLE\reader`.
fn reader(text: &str) -> Result<(), String> {
    if !text.contains('=') && (text.contains('@') || text.contains('\\')) {
        return Ok(());
    }
    dn::normalized(text).map(drop).map_err(|error| format!("readerDN: {error}"))
}

fn short(field: &str, text: &str) -> Result<(), String> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("{field} has more than {TEXT_BYTES_MAX} bytes"));
    }
    Ok(())
}

/// A cron expression of five fields, or a word.
fn schedule(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(SCHEDULE.to_owned());
    }
    let read = Schedule::parse_without_seconds(text);
    read.map(|_| text.to_owned()).map_err(|error| format!("syncSchedule: {error}"))
}

#[cfg(test)]
mod tests;
