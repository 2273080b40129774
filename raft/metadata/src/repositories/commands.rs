//! Creating, changing and deleting repositories.

use oci::name::RepositoryName;

use super::{RepositoryNumber, RepositoryRow, Visibility, description, put, touch};
use crate::access::{self, Action, standing};
use crate::accounts;
use crate::codec::message;
use crate::events::EventType;
use crate::events::writing::{self, Happening};
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::row;
use crate::ruling::Ruling;
use crate::settings;
use crate::tables::{Damage, Table, Write};
use crate::tags::order;

/// Repositories that one [`RepositoriesDelete`] takes away.
pub const DELETED_MAX: usize = 100;

message! {
    /// Creates a repository.
    pub struct RepositoryCreate {
        /// `namespace/name`.
        1 repository: RepositoryName,
        /// The account that asks.
        2 actor: String,
        /// Who may read.
        3 visibility: Visibility,
        /// Whether a push asks: then one that exists is fine, and the setting decides.
        4 on_push: bool,
        /// Whether a tag, once pushed, stays with its manifest.
        5 immutable_tags: bool,
        /// What it is, in a line.
        6 short_description: String,
        /// What it is, as a page.
        7 long_description: String,
        /// How many tags it keeps, the newest by their first push; 0 for all.
        8 tag_limit: u64,
    }
}

message! {
    /// Changes what is given and leaves the rest.
    pub struct RepositoryUpdate {
        /// The repository.
        1 repository: RepositoryName,
        /// The account that asks.
        2 actor: String,
        /// Who may read.
        3 visibility: Option<Visibility>,
        /// Whether a tag, once pushed, stays with its manifest.
        4 immutable_tags: Option<bool>,
        /// What it is, in a line.
        5 short_description: Option<String>,
        /// What it is, as a page.
        6 long_description: Option<String>,
        /// How many tags it keeps; those beyond a lower limit go.
        7 tag_limit: Option<u64>,
    }
}

message! {
    /// Deletes a repository with everything in it.
    pub struct RepositoryDelete {
        /// The repository.
        1 repository: RepositoryName,
        /// The account that asks.
        2 actor: String,
    }
}

message! {
    /// Deletes the next repositories of a namespace, [`DELETED_MAX`] at most, with everything in
    /// them.
    pub struct RepositoriesDelete {
        /// The user or organization.
        1 namespace: String,
        /// The account that asks.
        2 actor: String,
    }
}

impl RepositoryCreate {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let action = if self.on_push { Action::Push } else { Action::Create };
        let existing = access::permit(tables, &self.actor, &self.repository, action)?;
        settings::check_writable(tables)?;
        order::check_limit(&self.repository, (self.tag_limit, self.immutable_tags))?;
        match existing {
            Some(_) if self.on_push => Ok(Answer::RepositoryCreated { created: false }),
            Some(_) => {
                Err(Refusal::RepositoryExists { repository: self.repository.clone() }.into())
            }
            None => {
                let row = create(tables, &self.repository, self.visibility, &self.actor, moment)?;
                let (immutable_tags, tag_limit) = (self.immutable_tags, self.tag_limit);
                let row = RepositoryRow { immutable_tags, tag_limit, ..row };
                put(tables, &self.repository, &row);
                let (short, long) = (&self.short_description, &self.long_description);
                description::change(tables, &row, Some(short), Some(long))?;
                Ok(Answer::RepositoryCreated { created: true })
            }
        }
    }
}

impl RepositoryUpdate {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let row = existing(tables, &self.actor, &self.repository)?;
        let visibility = self.visibility.unwrap_or(row.visibility);
        let immutable_tags = self.immutable_tags.unwrap_or(row.immutable_tags);
        let tag_limit = self.tag_limit.unwrap_or(row.tag_limit);
        order::check_limit(&self.repository, (tag_limit, immutable_tags))?;
        let is_limited_anew = tag_limit != row.tag_limit;
        if is_limited_anew {
            // What is said of a repository may change; its tags may not.
            settings::check_writable(tables)?;
        }
        let (short, long) = (self.short_description.as_ref(), self.long_description.as_ref());
        description::change(tables, &row, short, long)?;
        list_public(tables, &self.repository, visibility);
        let row = RepositoryRow { visibility, immutable_tags, tag_limit, ..row };
        let updated = Happening::to_repository(EventType::Update);
        writing::note(tables, (&self.repository, &row), &self.actor, &[updated], moment)?;
        put(tables, &self.repository, &row);
        if is_limited_anew {
            order::after_change(tables, &row, &self.actor, moment)?;
            touch(tables, &self.repository, &row, moment);
        }
        Ok(Answer::Done)
    }
}

impl RepositoryDelete {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let row = existing(tables, &self.actor, &self.repository)?;
        settings::check_writable(tables)?;
        remove(tables, (&self.repository, &row), &self.actor, moment)?;
        Ok(Answer::Done)
    }
}

impl RepositoriesDelete {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let namespace = &self.namespace;
        standing::require_manager(tables, &self.actor, namespace)?;
        if accounts::find(tables, namespace)?.is_none() {
            return Err(Refusal::AccountUnknown { name: namespace.clone() }.into());
        }
        settings::check_writable(tables)?;
        remove_some(tables, (namespace, DELETED_MAX), &self.actor, moment)?;
        Ok(Answer::Done)
    }
}

/// Takes the repository's name away; its rows go later ([`super::deletion`]).
fn remove(
    tables: &mut impl Write,
    (repository, row): (&RepositoryName, &RepositoryRow),
    actor: &str,
    moment: &Moment,
) -> Result<(), Damage> {
    list_public(tables, repository, Visibility::Private);
    let (name, number) = (repository.as_str().as_bytes(), row.number.to_be_bytes());
    tables.delete(Table::Repositories, name);
    tables.delete(Table::RepositoryNames, &number);
    tables.delete(Table::TagEvictions, &number);
    description::remove(tables, row.number());
    tables.put(Table::DeletedRepositories, number.to_vec(), name.to_vec());
    let deleted = Happening::to_repository(EventType::Delete);
    writing::note(tables, (repository, row), actor, &[deleted], moment)
}

/// Takes some repositories of a namespace away; how many.
pub(crate) fn remove_some(
    tables: &mut impl Write,
    (namespace, limit): (&str, usize),
    actor: &str,
    moment: &Moment,
) -> Result<usize, Damage> {
    let repositories = super::listing(tables, &format!("{namespace}/"), "", limit)?.items;
    for (name, row) in &repositories {
        remove(tables, (name, row), actor, moment)?;
    }
    Ok(repositories.len())
}

/// The repository, where `actor` may administer it.
fn existing(
    tables: &mut impl Write,
    actor: &str,
    repository: &RepositoryName,
) -> Ruling<RepositoryRow> {
    let row = access::permit(tables, actor, repository, Action::Administer)?;
    Ok(row.ok_or_else(|| Refusal::RepositoryUnknown { repository: repository.clone() })?)
}

/// Creates the repository, and its namespace as an organization where that is missing: only a
/// system administrator gets here without one, since everyone else has rights in one that exists.
pub(crate) fn create(
    tables: &mut impl Write,
    repository: &RepositoryName,
    visibility: Visibility,
    actor: &str,
    moment: &Moment,
) -> Ruling<RepositoryRow> {
    if repository.as_str().split('/').count() != 2 {
        return Err(Refusal::RepositoryNameUnfit { repository: repository.clone() }.into());
    }
    // Where the namespace was deleted and this one is still going, its name is not free yet.
    if accounts::find(tables, repository.namespace())?.is_none() {
        accounts::create_organization(tables, repository.namespace(), moment)?;
    }
    let number = RepositoryNumber(row::next_number(tables, b"last_repository")?);
    let row = RepositoryRow {
        number: number.0,
        id: moment.random,
        visibility,
        immutable_tags: false,
        created_wall_ms: moment.wall_ms,
        revision: moment.index,
        tag_limit: 0,
    };
    put(tables, repository, &row);
    let name = repository.as_str().as_bytes().to_vec();
    tables.put(Table::RepositoryNames, number.0.to_be_bytes().to_vec(), name);
    list_public(tables, repository, visibility);
    let created = Happening::to_repository(EventType::Create);
    writing::note(tables, (repository, &row), actor, &[created], moment)?;
    Ok(row)
}

fn list_public(tables: &mut impl Write, repository: &RepositoryName, visibility: Visibility) {
    let key = repository.as_str().as_bytes();
    match visibility {
        Visibility::Public => row::mark(tables, Table::PublicRepositories, key.to_vec()),
        Visibility::Private => tables.delete(Table::PublicRepositories, key),
    }
}
