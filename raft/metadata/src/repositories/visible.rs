//! The repositories that somebody may read, in order, at the cost of a page.
//!
//! A caller reads what is public, what stands in namespaces where they own or were granted
//! everything, and what their teams were granted by itself. Each of these lies in the order of
//! names already; a page merges as much of each as it needs.

use std::collections::BTreeSet;

use super::{Named, find, name};
use crate::access::Caller;
use crate::accounts::{self, AccountId};
use crate::grants;
use crate::key;
use crate::organizations;
use crate::page::Listing;
use crate::tables::{Damage, Read, Table};
use crate::teams::{self, TeamId};

/// Repositories that a count holds in memory.
const COUNTED_AT_ONCE: usize = 1000;

/// Where the caller's private repositories are found.
#[derive(Default)]
struct Places {
    /// Every one in these namespaces.
    namespaces: BTreeSet<String>,
    /// Those granted to these teams.
    teams: Vec<TeamId>,
}

/// The repositories whose names begin with `prefix` that `caller` may read, from `start` on, which
/// need not be one.
pub fn listing(
    read: &impl Read,
    caller: &Caller,
    (prefix, start): (&str, &str),
    limit: usize,
) -> Result<Listing<Named>, Damage> {
    let wanted = limit.saturating_add(1);
    let places = places(read, caller)?;
    let mut from = start.max(prefix).to_owned();
    let mut items: Vec<Named> = Vec::new();
    let mut gone = None;
    while items.len() < wanted {
        let part = wanted - items.len();
        let names = candidates(read, caller, &places, (prefix, &from), part)?;
        for name in names.iter().take(part) {
            from = format!("{name}\0");
            let Some(found) = readable(read, name, &mut gone)? else { continue };
            items.push(found);
        }
        if names.len() < part {
            break;
        }
        // What is left of a deleted account may be much; it is passed over as a whole.
        if let Some(namespace) = gone.take() {
            from = from.max(format!("{namespace}0"));
        }
    }
    Ok(Listing::cut(items, limit))
}

/// How many repositories whose names begin with `prefix` the caller may read. Reads as many rows.
pub fn count(read: &impl Read, caller: &Caller, prefix: &str) -> Result<usize, Damage> {
    let (mut start, mut found) = (String::new(), 0);
    loop {
        let part = listing(read, caller, (prefix, &start), COUNTED_AT_ONCE)?;
        found += part.items.len();
        let Some((name, _)) = part.next else { return Ok(found) };
        name.as_str().clone_into(&mut start);
    }
}

fn readable(
    read: &impl Read,
    bytes: &str,
    gone: &mut Option<String>,
) -> Result<Option<Named>, Damage> {
    let name = name(bytes.as_bytes())?;
    if gone.as_deref() == Some(name.namespace()) {
        return Ok(None);
    }
    if accounts::find(read, name.namespace())?.is_none() {
        *gone = Some(name.namespace().to_owned());
        return Ok(None);
    }
    let row = find(read, &name)?.ok_or_else(|| Damage(format!("{name} has no row")))?;
    Ok(Some((name, row)))
}

/// The first names from `from` on, at least `wanted` where there are as many.
fn candidates(
    read: &impl Read,
    caller: &Caller,
    places: &Places,
    (prefix, from): (&str, &str),
    wanted: usize,
) -> Result<BTreeSet<String>, Damage> {
    let end = key::after_prefix(prefix.as_bytes());
    let mut names = BTreeSet::new();
    let mut add = |table, from: &str, end: Option<&[u8]>| -> Result<(), Damage> {
        for (key, _) in read.range(table, from.as_bytes(), end, wanted)? {
            names.insert(key::text(&key)?.to_owned());
        }
        Ok(())
    };
    if caller.is_admin {
        add(Table::Repositories, from, end.as_deref())?;
        return Ok(names);
    }
    add(Table::PublicRepositories, from, end.as_deref())?;
    for namespace in &places.namespaces {
        let below = format!("{namespace}/");
        let end = [end.clone(), key::after_prefix(below.as_bytes())].into_iter().flatten().min();
        add(Table::Repositories, from.max(below.as_str()), end.as_deref())?;
    }
    for team in &places.teams {
        granted(read, team, (prefix, from), wanted, &mut names)?;
    }
    Ok(names)
}

fn granted(
    read: &impl Read,
    team: &TeamId,
    (prefix, from): (&str, &str),
    wanted: usize,
    names: &mut BTreeSet<String>,
) -> Result<(), Damage> {
    let (mut from, mut found) = (from.to_owned(), 0);
    loop {
        let part = grants::of_team(read, team, &from, wanted)?;
        for (text, number) in part.items {
            if !text.starts_with(prefix) {
                return Ok(());
            }
            // A name may have gone to another repository since.
            let row = find(read, &name(text.as_bytes())?)?;
            if row.is_some_and(|row| row.number() == number) {
                names.insert(text);
                found += 1;
            }
        }
        match part.next {
            Some((next, _)) if found < wanted => from = next,
            _ => return Ok(()),
        }
    }
}

fn places(read: &impl Read, caller: &Caller) -> Result<Places, Damage> {
    let mut places = Places::default();
    let (Some(account), Some(user)) = (&caller.account, &caller.id) else { return Ok(places) };
    if caller.is_admin {
        return Ok(places);
    }
    places.namespaces.insert(account.clone());
    for (organization, member) in organizations::of_user(read, user, &[], usize::MAX)?.items {
        let Some((name, _)) = accounts::find_by_id(read, &organization)? else { continue };
        if member.is_admin || in_granted_team(read, user, &organization, &mut places.teams)? {
            places.namespaces.insert(name);
        }
    }
    Ok(places)
}

/// Whether a team of the user was granted the whole namespace; notes the teams otherwise.
fn in_granted_team(
    read: &impl Read,
    user: &AccountId,
    organization: &AccountId,
    found: &mut Vec<TeamId>,
) -> Result<bool, Damage> {
    for team in teams::of_user(read, user, organization, (&[], usize::MAX))?.items {
        if !teams::exists(read, &team)? {
            continue;
        }
        if grants::on_namespace(read, organization, &team)?.is_some() {
            return Ok(true);
        }
        found.push(team);
    }
    Ok(false)
}
