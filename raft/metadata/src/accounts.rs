//! Accounts: users and organizations, which share one space of names, the repositories' namespaces.

use oci::name::RepositoryName;

use crate::codec::{message, numbered};
use crate::directory;
use crate::key;
use crate::moment::Moment;
use crate::openid;
use crate::page::{Listing, Page};
use crate::refusal::Refusal;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Row, Table, Write};

pub mod commands;
pub mod counts;
pub mod deletion;

/// Names that nobody may take. The old product kept its administrators in an organization of the
/// first; the second stands in a path of the API where an account's name stands otherwise, which a
/// test of the surface compares with its routes.
pub const RESERVED: &[&str] = &["docker-datacenter", "language"];

/// An account's name in bytes, at most.
const NAME_BYTES_MAX: usize = 100;

/// A person's or organization's full name in bytes, at most.
pub const FULL_NAME_BYTES_MAX: usize = 1024;

/// What names an account for ever, also after another has taken its name.
pub type AccountId = [u8; 16];

numbered! {
    /// What an account is.
    pub enum AccountKind {
        /// Somebody who signs in.
        1 User,
        /// A namespace that belongs to several.
        2 Organization,
        /// A program of an organization, which signs in with access tokens only.
        3 Robot,
    }
}

message! {
    /// An account, under its name.
    pub struct AccountRow {
        /// Never used for another account.
        1 id: AccountId,
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
        /// As people call it.
        7 full_name: String,
        /// Whether it came with a list of accounts from elsewhere.
        8 is_imported: bool,
        /// Members, of an organization.
        9 members: u64,
        /// Teams, of an organization.
        10 teams: u64,
        /// Counts the changes of its password and the times it was made inactive: who signed in
        /// with a password before has to do so again.
        11 generation: u64,
        /// Unique bytes that its repositories may hold; 0 for as many as there is room for.
        12 quota_bytes: u64,
    }
}

impl AccountRow {
    /// Whether it is a user, or a robot, who may sign in.
    pub fn signs_in(&self) -> bool {
        self.kind != AccountKind::Organization && self.is_active
    }

    fn is_administrator(&self) -> bool {
        self.signs_in() && self.is_admin
    }

    /// The letters under which a list finds it.
    pub(crate) fn letters(&self) -> Vec<u8> {
        if self.kind == AccountKind::Organization {
            return vec![Filter::Organizations.letter()];
        }
        if self.kind == AccountKind::Robot {
            return vec![Filter::Robots.letter()];
        }
        let standing = if self.is_admin { Filter::Admins } else { Filter::NonAdmins };
        let activity = if self.is_active { Filter::ActiveUsers } else { Filter::InactiveUsers };
        [Filter::Users, standing, activity].map(Filter::letter).to_vec()
    }
}

/// Which accounts a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Every account.
    All,
    /// Users.
    Users,
    /// Organizations.
    Organizations,
    /// Users who are system administrators.
    Admins,
    /// Users who are not.
    NonAdmins,
    /// Users who may sign in.
    ActiveUsers,
    /// Users who may not.
    InactiveUsers,
    /// Programs of organizations.
    Robots,
}

impl Filter {
    /// Those by which accounts are listed and counted.
    pub(crate) const STORED: &'static [Self] = &[
        Self::Users,
        Self::Organizations,
        Self::Admins,
        Self::NonAdmins,
        Self::ActiveUsers,
        Self::InactiveUsers,
        Self::Robots,
    ];

    /// The first byte of a key of `AccountFilters`; nothing stands under that of `All`.
    pub(crate) fn letter(self) -> u8 {
        match self {
            Self::All => b'*',
            Self::Users => b'u',
            Self::Organizations => b'o',
            Self::Admins => b'a',
            Self::NonAdmins => b'n',
            Self::ActiveUsers => b'c',
            Self::InactiveUsers => b'i',
            Self::Robots => b'r',
        }
    }
}

/// A name with its account.
pub type Named = (String, AccountRow);

/// The account of that name.
pub fn find(read: &impl Read, name: &str) -> Result<Option<AccountRow>, Damage> {
    row::find(read, Table::Accounts, name.as_bytes())
}

/// The account with that id.
pub fn find_by_id(read: &impl Read, id: &AccountId) -> Result<Option<Named>, Damage> {
    let Some(name) = read.get(Table::AccountIds, id)? else { return Ok(None) };
    let name = key::text(&name)?.to_owned();
    let row = find(read, &name)?.ok_or_else(|| Damage(format!("{name} has an id and no row")))?;
    Ok(Some((name, row)))
}

/// Accounts by name, after `last`.
pub fn page(read: &impl Read, last: &str, limit: usize) -> Result<Page<Named>, Damage> {
    let from = if last.is_empty() { Vec::new() } else { key::after(last.as_bytes().to_vec()) };
    let rows = read.range(Table::Accounts, &from, None, limit.saturating_add(1))?;
    Ok(Page::cut(rows.iter().map(named).collect::<Result<_, _>>()?, limit))
}

/// The accounts that `filter` shows, by name, from `start` on, which need not be one.
pub fn listing(
    read: &impl Read,
    filter: Filter,
    start: &str,
    limit: usize,
) -> Result<Listing<Named>, Damage> {
    let wanted = limit.saturating_add(1);
    if filter == Filter::All {
        let rows = read.range(Table::Accounts, start.as_bytes(), None, wanted)?;
        return Ok(Listing::cut(rows.iter().map(named).collect::<Result<_, _>>()?, limit));
    }
    let letter = [filter.letter()];
    let (from, end) = (key::join(&[&letter, start.as_bytes()]), key::after_prefix(&letter));
    let marks = read.range(Table::AccountFilters, &from, end.as_deref(), wanted)?;
    let items = marks.iter().map(|(key, _)| {
        let name = key::text(&key[1..])?.to_owned();
        let row = find(read, &name)?;
        Ok((name.clone(), row.ok_or_else(|| Damage(format!("{name} is listed, not there")))?))
    });
    Ok(Listing::cut(items.collect::<Result<_, Damage>>()?, limit))
}

pub(crate) fn named((key, value): &Row) -> Result<Named, Damage> {
    Ok((key::text(key)?.to_owned(), row::decode(Table::Accounts, value)?))
}

/// Sets the row and what leads to it.
pub(crate) fn put(tables: &mut impl Write, name: &str, row: &AccountRow) -> Result<(), Damage> {
    let before = find(tables, name)?.map(|row| row.letters()).unwrap_or_default();
    let letters = row.letters();
    counts::change(tables, &before, &letters)?;
    for letter in before.iter().filter(|letter| !letters.contains(letter)) {
        tables.delete(Table::AccountFilters, &key::join(&[&[*letter], name.as_bytes()]));
    }
    for letter in letters.iter().filter(|letter| !before.contains(letter)) {
        row::mark(tables, Table::AccountFilters, key::join(&[&[*letter], name.as_bytes()]));
    }
    if before.is_empty() {
        tables.put(Table::AccountIds, row.id.to_vec(), name.as_bytes().to_vec());
    }
    row::put(tables, Table::Accounts, name.as_bytes().to_vec(), row);
    Ok(())
}

/// Takes the row away, and what leads to it; what it owns goes later (`deletion`).
pub(crate) fn remove(tables: &mut impl Write, name: &str, row: &AccountRow) -> Result<(), Damage> {
    counts::change(tables, &row.letters(), &[])?;
    for letter in row.letters() {
        tables.delete(Table::AccountFilters, &key::join(&[&[letter], name.as_bytes()]));
    }
    directory::forget(tables, &row.id);
    openid::forget(tables, &row.id)?;
    tables.delete(Table::AccountIds, &row.id);
    tables.delete(Table::Accounts, name.as_bytes());
    Ok(())
}

/// An account that comes into being now, active and without anything.
pub(crate) fn new(kind: AccountKind, moment: &Moment) -> AccountRow {
    AccountRow {
        id: moment.random,
        kind,
        password_hash: String::new(),
        is_admin: false,
        is_active: true,
        created_wall_ms: moment.wall_ms,
        full_name: String::new(),
        is_imported: false,
        members: 0,
        teams: 0,
        generation: 0,
        quota_bytes: 0,
    }
}

/// Creates an organization, as an administrator's push to a new namespace does.
pub(crate) fn create_organization(
    tables: &mut impl Write,
    name: &str,
    moment: &Moment,
) -> Ruling<()> {
    check_free(tables, name)?;
    // The repository of the same command has the other id.
    let id = moment.random.map(|byte| !byte);
    put(tables, name, &AccountRow { id, ..new(AccountKind::Organization, moment) })?;
    Ok(())
}

/// Refuses a name that is none, or that belongs to an account, or did and its rows still go.
pub(crate) fn check_free(read: &impl Read, name: &str) -> Ruling<()> {
    check_name(name)?;
    check_not_taken(read, name)
}

/// Refuses a name that belongs to an account, or did and its rows still go.
pub(crate) fn check_not_taken(read: &impl Read, name: &str) -> Ruling<()> {
    if find(read, name)?.is_some() {
        return Err(Refusal::AccountExists { name: name.to_owned() }.into());
    }
    match read.get(Table::DeletedAccounts, name.as_bytes())? {
        Some(_) => Err(Refusal::AccountGoing { name: name.to_owned() }.into()),
        None => Ok(()),
    }
}

/// A name must be fit to be a repository's namespace, and not look like an id.
pub(crate) fn check_name(name: &str) -> Ruling<()> {
    let one_component = !name.contains('/') && RepositoryName::parse(name).is_ok();
    let fits = one_component && name.len() <= NAME_BYTES_MAX;
    if RESERVED.contains(&name) {
        return Err(Refusal::AccountNameReserved { name: name.to_owned() }.into());
    }
    if fits && !looks_like_an_id(name) {
        Ok(())
    } else {
        Err(Refusal::AccountNameInvalid { name: name.to_owned() }.into())
    }
}

/// Whether an account could be called this.
pub fn is_name(name: &str) -> bool {
    check_name(name).is_ok()
}

/// Whether a text has the form of an id, so that a path could mean either.
pub(crate) fn looks_like_an_id(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    let dashes = text.bytes().filter(|byte| *byte == b'-').count();
    digits == 32 && digits + dashes == text.len()
}

/// Whether some active administrator is left without the one of that name.
pub(crate) fn another_administrator(read: &impl Read, than: &str) -> Result<bool, Damage> {
    let mut start = String::new();
    loop {
        let listing = listing(read, Filter::Admins, &start, 100)?;
        if listing.items.iter().any(|(name, row)| row.is_administrator() && name != than) {
            return Ok(true);
        }
        let Some((name, _)) = listing.next else { return Ok(false) };
        start = name;
    }
}
