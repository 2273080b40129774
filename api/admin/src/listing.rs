//! Lists under `/enzi/v0`: where a part of one begins, and how it is answered. Lists of members are
//! in the order of ids and have ids as cursors.

use axum::response::Response;
use edge::answer;
use edge::problem::Problem;
use http::StatusCode;
use metadata::accounts::{self, AccountId};
use metadata::page::Listing;
use metadata::tables::{Damage, Read};
use metadata::teams;
use serde_json::{Map, Value};

use crate::gathering::Gathered;
use crate::paging;
use crate::reference::{id_of, uuid};

/// Bytes of the longest name.
const NAME_BYTES_MAX: usize = 100;

/// A part of a list as it is shown.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) entries: Vec<Value>,
    pub(crate) next: Option<String>,
}

impl Shown {
    /// Entries by name, and the name of the first one after them.
    pub(crate) fn by_name((entries, next): Gathered<String, Value>) -> Self {
        Self { entries, next }
    }

    /// Entries by id, and the id of the first one after them.
    pub(crate) fn by_id((entries, next): Gathered<Vec<u8>, Value>) -> Self {
        let next = next.as_deref().and_then(|id| id.first_chunk::<16>());
        Self { entries, next: next.map(uuid) }
    }

    /// The answer, with the entries under `key`.
    pub(crate) fn answer(self, key: &str) -> Response {
        let document = Map::from_iter([(key.to_owned(), Value::Array(self.entries))]);
        let mut response = answer::json(StatusCode::OK, &document);
        paging::tell(&mut response, self.next.as_deref(), None);
        response
    }
}

/// Where a list of accounts by name begins: at a name, which need not be there, or at an id.
pub(crate) fn account_name(read: &impl Read, start: &str) -> Result<String, Problem> {
    let Some(id) = id_of(start) else { return name(start) };
    let found = accounts::find_by_id(read, &id)?;
    found.map(|(name, _)| name).ok_or_else(unreadable)
}

/// Where a list of teams by name begins.
pub(crate) fn team_name(
    read: &impl Read,
    organization: &AccountId,
    start: &str,
) -> Result<String, Problem> {
    let Some(id) = id_of(start) else { return name(start) };
    let found = teams::find_by_id(read, &id)?.filter(|team| team.organization == *organization);
    found.map(|team| team.name).ok_or_else(unreadable)
}

/// Where a list of accounts by id begins: at an id, which need not be there, or at a name.
pub(crate) fn account_id(read: &impl Read, start: &str) -> Result<Vec<u8>, Problem> {
    id_or(start, || Ok(accounts::find(read, start)?.map(|row| row.id)))
}

/// Where a list of teams by id begins.
pub(crate) fn team_id(
    read: &impl Read,
    organization: &AccountId,
    start: &str,
) -> Result<Vec<u8>, Problem> {
    id_or(start, || Ok(teams::find(read, organization, start)?.map(|team| team.row.id)))
}

fn id_or(
    start: &str,
    named: impl FnOnce() -> Result<Option<[u8; 16]>, Damage>,
) -> Result<Vec<u8>, Problem> {
    let id = match id_of(start) {
        _ if start.is_empty() => return Ok(Vec::new()),
        Some(id) => Some(id),
        None => named()?,
    };
    id.map(|id| id.to_vec()).ok_or_else(unreadable)
}

/// A list by ids, as it is read in parts.
pub(crate) fn by_id<E>(part: Listing<([u8; 16], E)>) -> Listing<(Vec<u8>, E)> {
    let keyed = |(id, entry): ([u8; 16], E)| (id.to_vec(), entry);
    Listing { items: part.items.into_iter().map(keyed).collect(), next: part.next.map(keyed) }
}

/// A name, or as much of one as says where to begin.
fn name(start: &str) -> Result<String, Problem> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let fits = start.len() <= NAME_BYTES_MAX && start.bytes().all(is_plain);
    if fits { Ok(start.to_owned()) } else { Err(unreadable()) }
}

fn unreadable() -> Problem {
    Problem::Parameter("start is the name or id of an entry, or an X-Next-Page-Start".to_owned())
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_list_begins_at_a_name_or_the_beginning_of_one() {
        for start in ["", "a", "ann-", "Team.1_x", &"a".repeat(100)] {
            assert_eq!(name(start).unwrap(), start);
        }
        for start in ["a/b", "a b", "é", "%", &"a".repeat(101)] {
            assert!(name(start).is_err(), "{start:?}");
        }
    }
}
