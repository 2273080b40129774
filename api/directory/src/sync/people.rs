//! Who is there: users are made, refreshed, and made inactive when they are gone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use consensus::cluster::Freshness;
use metadata::accounts::{self, AccountId, AccountRow};
use metadata::directory::sync::{
    DirectoryUser, DirectoryUsersGone, DirectoryUsersPut, USERS_MAX, may_belong,
};
use metadata::directory::{self, UserLink};
use metadata::tables::{Damage, Read};

use super::Work;
use crate::account_name;
use crate::dn;
use crate::failure::DirectoryFailure;
use crate::ldap::connection::Query;
use crate::ldap::people::{Person, attributes, person, scope, whole_filter};

/// People of one directory, at most.
const PEOPLE_MAX: usize = 100_000;
/// Links that are read at once.
const LINKS_READ: usize = 200;

/// The people of the directory who have an account here.
#[derive(Default)]
pub(super) struct Known {
    pub(super) by_name: HashMap<String, AccountId>,
    /// By their entries' names, normalized.
    pub(super) by_dn: HashMap<String, AccountId>,
    pub(super) ids: BTreeSet<AccountId>,
}

impl Known {
    fn add(&mut self, person: &Person, id: AccountId) {
        self.by_name.insert(person.name.clone(), id);
        if let Ok(dn) = dn::normalized(&person.dn) {
            self.by_dn.insert(dn, id);
        }
        self.ids.insert(id);
    }
}

/// An account of a name, and what it is in the directory.
type Place = Option<(AccountRow, Option<UserLink>, bool)>;

impl Work {
    /// Reads everybody, and sees to it that they have accounts.
    pub(super) async fn people(&mut self) -> Result<Known, DirectoryFailure> {
        let people: Vec<Person> = self.read_people().await?.into_values().collect();
        self.report.users_found = people.len();
        if people.is_empty() {
            let text = "userSearchConfigs find nobody; nothing was changed: look at baseDN, \
                        filter and what the reader may see";
            return Err(DirectoryFailure::Settings(text.to_owned()));
        }
        let mut known = Known::default();
        for part in people.chunks(USERS_MAX) {
            self.carry_over_people(part, &mut known).await?;
        }
        Ok(known)
    }

    async fn read_people(&mut self) -> Result<BTreeMap<String, Person>, DirectoryFailure> {
        let mut people = BTreeMap::new();
        let is_paged = !self.plan.row.no_simple_pagination;
        for search in self.plan.row.user_searches.clone() {
            let query = Query {
                base: &search.base_dn,
                scope: scope(search.is_subtree),
                filter: &whole_filter(&search),
                attributes: attributes(&search),
                is_paged,
                entries_max: PEOPLE_MAX,
            };
            let (entries, is_cut) = self.connection.search(query).await?;
            if is_cut {
                return Err(cut_short(&search.base_dn, entries.len()));
            }
            for entry in entries {
                let Some(name) = entry.values(&search.username_attribute).first() else {
                    self.report.skip(&entry.dn, "it has no usernameAttr");
                    continue;
                };
                let name = account_name::of(name);
                if people.contains_key(&name) {
                    self.report.skip(&entry.dn, "another entry has the same name");
                    continue;
                }
                people.insert(name.clone(), person(&entry, &search, name));
            }
        }
        Ok(people)
    }

    async fn carry_over_people(
        &mut self,
        part: &[Person],
        known: &mut Known,
    ) -> Result<(), DirectoryFailure> {
        let before = self.places(part, Freshness::Local).await?;
        let stale = part.iter().zip(&before).filter(|(person, place)| is_stale(person, place));
        let users: Vec<DirectoryUser> = stale.map(|(person, _)| user(person)).collect();
        let after = if users.is_empty() {
            before.clone()
        } else {
            let run = Some(self.run);
            self.asked.propose(DirectoryUsersPut { run, users }.into()).await?;
            self.places(part, Freshness::Linearizable).await?
        };
        for ((person, before), after) in part.iter().zip(&before).zip(&after) {
            match after {
                Some((row, Some(_), true)) => {
                    known.add(person, row.id);
                    let report = &mut self.report;
                    match before {
                        None => report.users_created += 1,
                        Some(_) if before != after => report.users_changed += 1,
                        Some(_) => {}
                    }
                }
                Some(_) => self.report.skip(&person.name, "an account of ours has this name"),
                None => self.report.skip(&person.name, "this is no name for an account here"),
            }
        }
        Ok(())
    }

    async fn places(
        &self,
        part: &[Person],
        freshness: Freshness,
    ) -> Result<Vec<Place>, DirectoryFailure> {
        let places = self
            .cluster
            .read(freshness, |view| part.iter().map(|person| place(view, &person.name)).collect());
        Ok(places.await?)
    }

    /// Makes those inactive whom the directory knows no more.
    pub(super) async fn gone(&mut self, known: &Known) -> Result<(), DirectoryFailure> {
        let mut start = Vec::new();
        loop {
            let read = self
                .cluster
                .read(Freshness::Local, |view| directory::links(view, &start, LINKS_READ));
            let part = read.await?;
            let is_gone =
                |(id, link): &(AccountId, UserLink)| !link.is_gone && !known.ids.contains(id);
            let gone: Vec<AccountId> =
                part.items.iter().filter(|item| is_gone(item)).map(|(id, _)| *id).collect();
            for users in gone.chunks(USERS_MAX) {
                let (run, users) = (self.run, users.to_vec());
                self.report.users_deactivated += users.len();
                self.asked.propose(DirectoryUsersGone { run, users }.into()).await?;
            }
            let Some((next, _)) = part.next else { return Ok(()) };
            start = next.to_vec();
        }
    }
}

/// A search that did not come to its end.
pub(super) fn cut_short(base: &str, entries: usize) -> DirectoryFailure {
    DirectoryFailure::Refused {
        what: format!("to list everything below {base:?}"),
        cause: format!(
            "it ended after {entries} entries; raise the reader's size limit there, narrow the \
             filter, or turn noSimplePagination off"
        ),
    }
}

fn place(read: &impl Read, name: &str) -> Result<Place, Damage> {
    let Some(row) = accounts::find(read, name)? else { return Ok(None) };
    let link = directory::link(read, &row.id)?;
    let may_be = may_belong(read, name, &row, link.as_ref())?;
    // Members and teams change all the time; they are none of this.
    Ok(Some((AccountRow { members: 0, teams: 0, ..row }, link, may_be)))
}

/// Whether the account is to be made or changed.
fn is_stale(person: &Person, place: &Place) -> bool {
    match place {
        None => true,
        Some((_, _, false)) => false,
        Some((_, None, true)) => true,
        Some((row, Some(link), true)) => {
            let is_renamed = !person.full_name.is_empty() && row.full_name != person.full_name;
            link.is_gone || link.source != person.dn || is_renamed
        }
    }
}

fn user(person: &Person) -> DirectoryUser {
    let Person { name, full_name, dn } = person.clone();
    DirectoryUser { name, full_name, source: dn }
}
