//! Lists under `/enzi/v0`: where a part of one begins, and how entries are read until it is full.
//!
//! A cursor is where the list goes on, not how far it was read, so what comes and goes in between
//! shifts nothing. Lists of members are in the order of ids and have ids as cursors.

use axum::response::Response;
use edge::answer;
use edge::problem::Problem;
use http::StatusCode;
use metadata::accounts::{self, AccountId};
use metadata::page::Listing;
use metadata::tables::{Damage, Read};
use metadata::teams;
use serde_json::{Map, Value};

use crate::paging;
use crate::reference::{id_of, uuid};

/// Entries read at once where few of them are shown.
const READ_MIN: usize = 100;
/// Bytes of the longest name.
const NAME_BYTES_MAX: usize = 100;

/// A part of a list as it is shown.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) entries: Vec<Value>,
    pub(crate) next: Option<String>,
}

impl Shown {
    /// Entries, and the cursor of what comes after them.
    pub(crate) fn new(entries: Vec<Value>, next: Option<String>) -> Self {
        Self { entries, next }
    }

    /// The answer, with the entries under `key`.
    pub(crate) fn answer(self, key: &str) -> Response {
        let document = Map::from_iter([(key.to_owned(), Value::Array(self.entries))]);
        let mut response = answer::json(StatusCode::OK, &document);
        paging::tell(&mut response, self.next.as_deref(), None);
        response
    }
}

/// Reads entries by id from `start` on until `limit` are shown, passing over those of which `show`
/// shows nothing.
pub(crate) fn gather<E>(
    (start, limit): (&[u8], usize),
    entries: impl Fn(&[u8], usize) -> Result<Listing<([u8; 16], E)>, Damage>,
    show: impl Fn(&[u8; 16], &E) -> Result<Option<Value>, Damage>,
) -> Result<Shown, Damage> {
    let (mut from, mut shown) = (start.to_vec(), Vec::new());
    loop {
        let part = entries(&from, (limit - shown.len()).max(READ_MIN))?;
        for (id, entry) in &part.items {
            let Some(value) = show(id, entry)? else { continue };
            if shown.len() == limit {
                return Ok(Shown::new(shown, Some(uuid(id))));
            }
            shown.push(value);
        }
        let Some((id, _)) = part.next else { return Ok(Shown::new(shown, None)) };
        from = id.to_vec();
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
    use metadata::page::Listing;
    use serde_json::{Value, json};

    use super::{Shown, gather, name};
    use crate::reference::uuid;

    /// A list of the ids 0 to 249, of which every tenth is shown.
    fn part(start: u8, limit: usize) -> Shown {
        let entries = |from: &[u8], most: usize| {
            let first = from.first().copied().unwrap_or_default();
            let mut items: Vec<_> = (first..250).map(|it| ([it; 16], it)).collect();
            let rest = items.split_off(most.min(items.len()));
            Ok(Listing { items, next: rest.into_iter().next() })
        };
        let show = |_: &[u8; 16], it: &u8| Ok(it.is_multiple_of(10).then(|| json!(it)));
        gather((&[start; 16], limit), entries, show).unwrap()
    }

    #[test]
    fn what_is_not_shown_fills_no_page_and_ends_no_list() {
        let cases = [
            (0, 2, vec![0, 10], Some(20)),
            (1, 2, vec![10, 20], Some(30)),
            (0, 13, (0..13).map(|it| it * 10).collect(), Some(130)),
            (0, 25, (0..25).map(|it| it * 10).collect(), None),
            (240, 1, vec![240], None),
            (241, 1, vec![], None),
        ];
        for (start, limit, entries, next) in cases {
            let entries: Vec<Value> = entries.into_iter().map(|it: u8| json!(it)).collect();
            let next = next.map(|it: u8| uuid(&[it; 16]));
            assert_eq!(part(start, limit), Shown { entries, next }, "{start} {limit}");
        }
    }

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
