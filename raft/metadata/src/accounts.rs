//! Accounts: users and organizations, which share one space of names, the repositories' namespaces.

use oci::name::RepositoryName;

use crate::codec::{message, numbered};
use crate::key;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::page::Page;
use crate::refusal::Refusal;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Table, Write};

/// The old product kept its administrators in an organization of this name; nobody may take it.
const RESERVED: &str = "docker-datacenter";

/// An account's name in bytes, at most.
const NAME_BYTES_MAX: usize = 100;

numbered! {
    /// What an account is.
    pub enum AccountKind {
        /// Somebody who signs in.
        1 User,
        /// A namespace that belongs to several.
        2 Organization,
    }
}

message! {
    /// An account, under its name.
    pub struct AccountRow {
        /// Never used for another account.
        1 id: [u8; 16],
        /// User or organization.
        2 kind: AccountKind,
        /// In PHC text form; empty for an organization.
        3 password_hash: String,
        /// Whether it is a system administrator.
        4 is_admin: bool,
        /// An inactive account signs in nowhere.
        5 is_active: bool,
        /// Milliseconds since 1970.
        6 created_wall_ms: u64,
    }
}

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
        /// In PHC text form.
        2 password_hash: String,
        /// Whether it is a system administrator.
        3 is_admin: bool,
    }
}

impl UserCreate {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let Self { name, password_hash, is_admin } = self;
        check_name(name)?;
        if find(tables, name)?.is_some() {
            return Err(Refusal::AccountExists { name: name.clone() }.into());
        }
        put(tables, name, &user(password_hash, *is_admin, moment));
        Ok(Answer::Done)
    }
}

impl UserPut {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        check_name(&self.name)?;
        let name = &self.name;
        let row = match find(tables, name)? {
            None => user(&self.password_hash, self.is_admin, moment),
            Some(row) if row.kind == AccountKind::Organization => {
                return Err(Refusal::AccountIsOrganization { name: name.clone() }.into());
            }
            Some(row) => {
                if row.is_admin && !self.is_admin && !another_administrator(tables, name)? {
                    return Err(Refusal::LastAdministrator { name: name.clone() }.into());
                }
                let password_hash = self.password_hash.clone();
                AccountRow { password_hash, is_admin: self.is_admin, is_active: true, ..row }
            }
        };
        put(tables, name, &row);
        Ok(Answer::Done)
    }
}

/// A user that comes into being now.
fn user(password_hash: &str, is_admin: bool, moment: &Moment) -> AccountRow {
    AccountRow {
        id: moment.random,
        kind: AccountKind::User,
        password_hash: password_hash.to_owned(),
        is_admin,
        is_active: true,
        created_wall_ms: moment.wall_ms,
    }
}

/// The account of that name.
pub fn find(read: &impl Read, name: &str) -> Result<Option<AccountRow>, Damage> {
    row::find(read, Table::Accounts, name.as_bytes())
}

/// Accounts by name, after `last`.
pub fn page(
    read: &impl Read,
    last: &str,
    limit: usize,
) -> Result<Page<(String, AccountRow)>, Damage> {
    let from = if last.is_empty() { Vec::new() } else { key::after(last.as_bytes().to_vec()) };
    let rows = read.range(Table::Accounts, &from, None, limit.saturating_add(1))?;
    let accounts = rows.into_iter().map(|(key, value)| {
        Ok((key::text(&key)?.to_owned(), row::decode(Table::Accounts, &value)?))
    });
    Ok(Page::cut(accounts.collect::<Result<_, Damage>>()?, limit))
}

pub(crate) fn put(tables: &mut impl Write, name: &str, row: &AccountRow) {
    row::put(tables, Table::Accounts, name.as_bytes().to_vec(), row);
}

/// Creates an organization, as an administrator's push to a new namespace does.
pub(crate) fn create_organization(
    tables: &mut impl Write,
    name: &str,
    moment: &Moment,
) -> Ruling<()> {
    check_name(name)?;
    let row = AccountRow {
        // The repository of the same command has the other id.
        id: moment.random.map(|byte| !byte),
        kind: AccountKind::Organization,
        password_hash: String::new(),
        is_admin: false,
        is_active: true,
        created_wall_ms: moment.wall_ms,
    };
    put(tables, name, &row);
    Ok(())
}

/// A name must be fit to be a repository's namespace.
pub(crate) fn check_name(name: &str) -> Ruling<()> {
    let one_component = !name.contains('/') && RepositoryName::parse(name).is_ok();
    if one_component && name.len() <= NAME_BYTES_MAX && name != RESERVED {
        Ok(())
    } else {
        Err(Refusal::AccountNameInvalid { name: name.to_owned() }.into())
    }
}

fn another_administrator(read: &impl Read, than: &str) -> Result<bool, Damage> {
    let mut last = String::new();
    loop {
        let page = page(read, &last, 1000)?;
        let Some((name, _)) = page.items.last() else { return Ok(false) };
        last.clone_from(name);
        let is_one =
            |(name, row): &(String, AccountRow)| row.is_admin && row.is_active && name != than;
        if page.items.iter().any(is_one) {
            return Ok(true);
        }
    }
}
