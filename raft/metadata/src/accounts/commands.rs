//! Creating, changing and deleting accounts.

use super::{
    AccountKind, AccountRow, FULL_NAME_BYTES_MAX, another_administrator, check_free, check_name,
    deletion, find, new, put,
};
use crate::access::standing;
use crate::access_tokens;
use crate::codec::message;
use crate::directory;
use crate::moment::Moment;
use crate::openid;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::ruling::Ruling;
use crate::tables::{Read, Write};

message! {
    /// Creates a user, or gives an existing one another password and standing.
    pub struct UserPut {
        /// The user's name, also its namespace.
        1 name: String,
        /// In PHC text form.
        2 password_hash: String,
        /// Whether it is a system administrator.
        3 is_admin: bool,
    }
}

message! {
    /// Creates a user; refused where the name belongs to an account, whoever asked first.
    pub struct UserCreate {
        /// The user's name, also its namespace.
        1 name: String,
        /// In PHC text form; empty for one who does not sign in with a password.
        2 password_hash: String,
        /// Whether it is a system administrator.
        3 is_admin: bool,
        /// As people call them.
        4 full_name: String,
        /// Whether they may not sign in yet.
        5 is_inactive: bool,
        /// Whether they come with a list from elsewhere.
        6 is_imported: bool,
        /// The account that asks; empty for an operator at the machine.
        7 actor: String,
        /// As in [`AccountRow`].
        8 quota_bytes: u64,
    }
}

message! {
    /// Creates an organization.
    pub struct OrganizationCreate {
        /// Its name, also its namespace.
        1 name: String,
        /// As people call it.
        2 full_name: String,
        /// The account that asks.
        3 actor: String,
        /// As in [`AccountRow`].
        4 quota_bytes: u64,
    }
}

message! {
    /// Changes what is given of an account and leaves the rest.
    pub struct AccountUpdate {
        /// The account.
        1 name: String,
        /// The account that asks.
        2 actor: String,
        /// As people call it.
        3 full_name: Option<String>,
        /// Whether it is a system administrator; users only.
        4 is_admin: Option<bool>,
        /// Whether it may sign in; users only.
        5 is_active: Option<bool>,
        /// Unique bytes that its repositories may hold; 0 for as many as there is room for.
        6 quota_bytes: Option<u64>,
    }
}

message! {
    /// Gives a user another password.
    pub struct PasswordSet {
        /// The user.
        1 name: String,
        /// The account that asks.
        2 actor: String,
        /// In PHC text form.
        3 password_hash: String,
        /// What the old password was compared with; needed from whom is no administrator.
        4 former_hash: Option<String>,
        /// Whether it is the same password, hashed anew when it was given: that ends no sign-in.
        5 is_rehash: bool,
    }
}

message! {
    /// Deletes an account and everything that belongs to it.
    pub struct AccountDelete {
        /// The account.
        1 name: String,
        /// The account that asks.
        2 actor: String,
    }
}

impl UserCreate {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        if !self.actor.is_empty() {
            standing::require_system(tables, &self.actor)?;
        }
        check_free(tables, &self.name)?;
        check_full_name(&self.full_name)?;
        let row = AccountRow {
            password_hash: self.password_hash.clone(),
            is_admin: self.is_admin,
            is_active: !self.is_inactive,
            full_name: self.full_name.clone(),
            is_imported: self.is_imported,
            quota_bytes: self.quota_bytes,
            ..new(AccountKind::User, moment)
        };
        put(tables, &self.name, &row)?;
        Ok(Answer::Done)
    }
}

impl UserPut {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        check_name(&self.name)?;
        let name = &self.name;
        let row = match find(tables, name)? {
            None => {
                check_free(tables, name)?;
                let password_hash = self.password_hash.clone();
                AccountRow { password_hash, ..new(AccountKind::User, moment) }
            }
            Some(row) if row.kind == AccountKind::Organization => {
                return Err(Refusal::AccountIsOrganization { name: name.clone() }.into());
            }
            Some(row) => with_password(tables, row, &self.password_hash)?,
        };
        let after = AccountRow { is_admin: self.is_admin, is_active: true, ..row };
        check_administrator_left(tables, name, &after)?;
        put(tables, name, &after)?;
        Ok(Answer::Done)
    }
}

impl OrganizationCreate {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        standing::require_system(tables, &self.actor)?;
        check_free(tables, &self.name)?;
        check_full_name(&self.full_name)?;
        let (full_name, quota_bytes) = (self.full_name.clone(), self.quota_bytes);
        let row = AccountRow { full_name, quota_bytes, ..new(AccountKind::Organization, moment) };
        put(tables, &self.name, &row)?;
        Ok(Answer::Done)
    }
}

impl AccountUpdate {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        let name = &self.name;
        let standing_changes = self.is_admin.is_some() || self.is_active.is_some();
        if standing_changes || self.quota_bytes.is_some() {
            standing::require_system(tables, &self.actor)?;
        } else {
            standing::require_manager(tables, &self.actor, name)?;
        }
        let row = existing(tables, name)?;
        if standing_changes && row.kind == AccountKind::Organization {
            return Err(Refusal::AccountIsOrganization { name: name.clone() }.into());
        }
        if row.kind == AccountKind::Robot && self.is_admin == Some(true) {
            return Err(Refusal::RobotUnfit { name: name.clone() }.into());
        }
        if let Some(full_name) = &self.full_name {
            check_full_name(full_name)?;
        }
        let after = AccountRow {
            full_name: self.full_name.clone().unwrap_or_else(|| row.full_name.clone()),
            is_admin: self.is_admin.unwrap_or(row.is_admin),
            is_active: self.is_active.unwrap_or(row.is_active),
            generation: row.generation + u64::from(row.is_active && self.is_active == Some(false)),
            quota_bytes: self.quota_bytes.unwrap_or(row.quota_bytes),
            ..row
        };
        check_administrator_left(tables, name, &after)?;
        if self.is_active.is_some() {
            directory::settle(tables, &after.id)?;
        }
        put(tables, name, &after)?;
        Ok(Answer::Done)
    }
}

impl PasswordSet {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        let name = &self.name;
        standing::require_self_or_system(tables, &self.actor, name)?;
        let row = existing(tables, name)?;
        if row.kind == AccountKind::Organization {
            return Err(Refusal::AccountIsOrganization { name: name.clone() }.into());
        }
        if row.kind == AccountKind::Robot {
            return Err(Refusal::RobotUnfit { name: name.clone() }.into());
        }
        openid::commands::check_not_tied(tables, name, &row.id)?;
        let is_checked = match &self.former_hash {
            // Somebody else was quicker: what was compared is the password no more.
            Some(former) => *former == row.password_hash,
            None => self.actor != *name && !self.is_rehash,
        };
        if !is_checked {
            return Err(Refusal::PasswordChanged { name: name.clone() }.into());
        }
        let after = if self.is_rehash {
            AccountRow { password_hash: self.password_hash.clone(), ..row }
        } else {
            with_password(tables, row, &self.password_hash)?
        };
        put(tables, name, &after)?;
        Ok(Answer::Done)
    }
}

impl AccountDelete {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        standing::require_system(tables, &self.actor)?;
        let row = existing(tables, &self.name)?;
        if directory::is_system(tables, &self.name)? {
            return Err(Refusal::AccountIsSystem { name: self.name.clone() }.into());
        }
        let gone = AccountRow { is_active: false, ..row.clone() };
        check_administrator_left(tables, &self.name, &gone)?;
        deletion::begin(tables, &self.name, &row)?;
        Ok(Answer::Done)
    }
}

/// The account with another password. What clients took by themselves while they signed in with the
/// old one goes; access tokens that a person made stay.
pub(crate) fn with_password(
    tables: &mut impl Write,
    row: AccountRow,
    password_hash: &str,
) -> Ruling<AccountRow> {
    access_tokens::commands::remove_auto(tables, &row.id)?;
    let (password_hash, generation) = (password_hash.to_owned(), row.generation + 1);
    Ok(AccountRow { password_hash, generation, ..row })
}

fn existing(read: &impl Read, name: &str) -> Ruling<AccountRow> {
    Ok(find(read, name)?.ok_or_else(|| Refusal::AccountUnknown { name: name.to_owned() })?)
}

/// Refuses to leave the cluster without an active administrator.
fn check_administrator_left(read: &impl Read, name: &str, after: &AccountRow) -> Ruling<()> {
    let was_one = find(read, name)?.is_some_and(|row| row.is_administrator());
    if !after.is_administrator() && directory::is_recovery_admin(read, name)? {
        return Err(Refusal::RecoveryAdministrator { name: name.to_owned() }.into());
    }
    if was_one && !after.is_administrator() && !another_administrator(read, name)? {
        return Err(Refusal::LastAdministrator { name: name.to_owned() }.into());
    }
    Ok(())
}

fn check_full_name(full_name: &str) -> Ruling<()> {
    if full_name.len() > FULL_NAME_BYTES_MAX {
        return Err(Refusal::out_of_bounds("bytes of a full name", FULL_NAME_BYTES_MAX).into());
    }
    Ok(())
}
