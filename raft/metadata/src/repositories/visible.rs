//! The repositories that somebody may read, in order, a bounded part at a time.
//!
//! A caller reads what is public, what stands in namespaces where they own or were granted
//! everything, and what their teams were granted by itself. Each of these lies in the order of
//! names already, and namespaces lie one behind the other; a part merges as much of each as it
//! needs. How long a step takes is bounded whatever there is, since nothing is applied meanwhile.

use std::collections::BTreeMap;

use super::{Named, RepositoryNumber, find, name};
use crate::access::Caller;
use crate::accounts::{self, AccountId};
use crate::grants;
use crate::key;
use crate::organizations::{self, MemberRow};
use crate::tables::{Damage, Read, Table};
use crate::teams::commands::MEMBER_TEAMS_MAX;
use crate::teams::{self, TeamId};

/// Repositories of one step, at most.
pub const PART_MAX: usize = 256;

/// Rows that one step reads of the caller's own places, about; and the least of each of them.
const READ_MAX: usize = 4_096;
const SOURCE_MIN: usize = 16;

/// Organizations of the caller that one step looks into.
const ORGANIZATIONS_MAX: usize = 8;

/// What the caller may read of a namespace.
enum Place {
    /// Everything.
    Whole,
    /// What was granted to these teams.
    Teams(Vec<TeamId>),
}

/// Why a name may be shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sight {
    /// As long as it still belongs to the repository with this number; the newest where there were
    /// several.
    Granted(RepositoryNumber),
    /// Whatever it is.
    Always,
}

/// A walk through the repositories that one caller may read.
pub struct Walk {
    caller: Caller,
    prefix: String,
    /// Where it goes on; `None` at the end.
    from: Option<String>,
    /// By the beginning of their names, `namespace/`.
    places: BTreeMap<String, Place>,
    /// Where the caller's organizations go on that are still to be looked into.
    organizations: Option<Vec<u8>>,
}

impl Walk {
    /// Through those whose names begin with `prefix`, from `start` on, which need not be one.
    pub fn new(caller: Caller, prefix: &str, start: &str) -> Self {
        let mut places = BTreeMap::new();
        let has_places = !caller.is_admin && caller.id.is_some();
        if let Some(account) = caller.account.as_ref().filter(|_| has_places) {
            places.insert(format!("{account}/"), Place::Whole);
        }
        Self {
            caller,
            prefix: prefix.to_owned(),
            from: Some(start.max(prefix).to_owned()),
            places,
            organizations: has_places.then(Vec::new),
        }
    }

    /// Whether it has come to its end.
    pub fn is_done(&self) -> bool {
        self.from.is_none()
    }

    /// The next ones, at most `wanted`; there may be none and yet more to come. The tables may have
    /// changed since the last step.
    pub fn step(&mut self, read: &impl Read, wanted: usize) -> Result<Vec<Named>, Damage> {
        if let Some(start) = self.organizations.take() {
            self.organizations = self.look_into_some(read, &start)?;
            if self.organizations.is_some() {
                return Ok(Vec::new());
            }
        }
        let Some(from) = self.from.take() else { return Ok(Vec::new()) };
        let wanted = wanted.clamp(1, PART_MAX).min(self.source_max());
        let (names, horizon) = self.candidates(read, &from, wanted)?;
        let is_near = |name: &str| horizon.as_deref().is_none_or(|horizon| name < horizon);
        let near = names.iter().take_while(|(name, _)| is_near(name)).take(wanted);
        let (mut found, mut gone, mut last) = (Vec::new(), None, None);
        for (text, sight) in near.clone() {
            found.extend(readable(read, text, *sight, &mut gone)?);
            last = Some(text);
        }
        let is_full = near.count() == wanted;
        self.from = match last.filter(|_| is_full) {
            Some(last) => Some(format!("{last}\0")),
            None => horizon,
        };
        // What is left of a deleted account may be much; it is passed over as a whole.
        if let (Some(from), Some(namespace)) = (&mut self.from, gone) {
            let behind = format!("{namespace}0");
            if *from < behind {
                *from = behind;
            }
        }
        Ok(found)
    }

    /// Names that one step takes of each source: fewer where a namespace has many of them.
    fn source_max(&self) -> usize {
        let widths = self.places.values().map(|place| match place {
            Place::Whole => 1,
            Place::Teams(teams) => teams.len().max(1),
        });
        (READ_MAX / widths.max().unwrap_or(1)).max(SOURCE_MIN)
    }

    /// The first names from `from` on, `wanted` at least where there are as many; and from where on
    /// nothing was looked for.
    fn candidates(
        &self,
        read: &impl Read,
        from: &str,
        wanted: usize,
    ) -> Result<(BTreeMap<String, Sight>, Option<String>), Damage> {
        let end = key::after_prefix(self.prefix.as_bytes());
        let mut names = Names { read, wanted, found: BTreeMap::new() };
        if self.caller.is_admin {
            names.add_all(Table::Repositories, (from, end.as_deref()))?;
            return Ok((names.found, None));
        }
        names.add_all(Table::PublicRepositories, (from, end.as_deref()))?;
        let (mut own, mut looked_at) = (0, 0);
        for (below, place) in &self.places {
            let behind = key::after_prefix(below.as_bytes());
            let is_passed = behind.as_deref().is_some_and(|behind| behind <= from.as_bytes());
            if is_passed || end.as_deref().is_some_and(|end| end <= below.as_bytes()) {
                continue;
            }
            if own >= wanted || looked_at >= READ_MAX {
                return Ok((names.found, Some(below.clone())));
            }
            let from = from.max(below.as_str());
            let end = [end.clone(), behind].into_iter().flatten().min();
            let (sources, found) = match place {
                Place::Whole => (1, names.add_all(Table::Repositories, (from, end.as_deref()))?),
                Place::Teams(teams) => {
                    (teams.len(), names.add_granted(teams, (from, end.as_deref()))?)
                }
            };
            (own, looked_at) = (own + found, looked_at + sources + found);
        }
        Ok((names.found, None))
    }

    /// Looks into some of the caller's organizations; where they go on.
    fn look_into_some(
        &mut self,
        read: &impl Read,
        start: &[u8],
    ) -> Result<Option<Vec<u8>>, Damage> {
        let Some(user) = self.caller.id else { return Ok(None) };
        let part = organizations::of_user(read, &user, start, ORGANIZATIONS_MAX)?;
        for (organization, member) in part.items {
            let Some((name, _)) = accounts::find_by_id(read, &organization)? else { continue };
            if let Some(place) = place(read, &user, &organization, &member)? {
                self.places.insert(format!("{name}/"), place);
            }
        }
        Ok(part.next.map(|(organization, _)| organization.to_vec()))
    }
}

/// What a member may read of an organization beside what is public.
fn place(
    read: &impl Read,
    user: &AccountId,
    organization: &AccountId,
    member: &MemberRow,
) -> Result<Option<Place>, Damage> {
    if member.is_admin {
        return Ok(Some(Place::Whole));
    }
    let mut found = Vec::new();
    for team in teams::of_user(read, user, organization, (&[], MEMBER_TEAMS_MAX))?.items {
        if !teams::exists(read, &team)? {
            continue;
        }
        if grants::on_namespace(read, organization, &team)?.is_some() {
            return Ok(Some(Place::Whole));
        }
        found.push(team);
    }
    Ok((!found.is_empty()).then_some(Place::Teams(found)))
}

/// Names that are being collected, `wanted` of each source.
struct Names<'a, R> {
    read: &'a R,
    wanted: usize,
    found: BTreeMap<String, Sight>,
}

impl<R: Read> Names<'_, R> {
    /// Adds what a table lists; how many.
    fn add_all(&mut self, table: Table, range: (&str, Option<&[u8]>)) -> Result<usize, Damage> {
        let rows = self.read.range(table, range.0.as_bytes(), range.1, self.wanted)?;
        for (key, _) in &rows {
            self.found.insert(key::text(key)?.to_owned(), Sight::Always);
        }
        Ok(rows.len())
    }

    /// Adds what teams were granted; how many.
    fn add_granted(
        &mut self,
        teams: &[TeamId],
        (from, end): (&str, Option<&[u8]>),
    ) -> Result<usize, Damage> {
        let mut count = 0;
        for team in teams {
            for (text, number) in grants::of_team(self.read, team, from, self.wanted)?.items {
                if end.is_some_and(|end| end <= text.as_bytes()) {
                    break;
                }
                let sight = self.found.entry(text).or_insert(Sight::Granted(number));
                *sight = (*sight).max(Sight::Granted(number));
                count += 1;
            }
        }
        Ok(count)
    }
}

/// The repository of that name, unless it or its namespace is gone, or it is another one by now.
fn readable(
    read: &impl Read,
    text: &str,
    sight: Sight,
    gone: &mut Option<String>,
) -> Result<Option<Named>, Damage> {
    let name = name(text.as_bytes())?;
    if gone.as_deref() == Some(name.namespace()) {
        return Ok(None);
    }
    if accounts::find(read, name.namespace())?.is_none() {
        *gone = Some(name.namespace().to_owned());
        return Ok(None);
    }
    let row = find(read, &name)?;
    match sight {
        Sight::Granted(number) => {
            Ok(row.filter(|row| row.number() == number).map(|row| (name, row)))
        }
        Sight::Always => {
            let row = row.ok_or_else(|| Damage(format!("{name} has no row")))?;
            Ok(Some((name, row)))
        }
    }
}
