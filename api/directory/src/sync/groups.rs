//! Who is in which group: system administrators, owners of organizations, members of teams.

use std::collections::BTreeSet;

use consensus::cluster::Freshness;
use ldap3::Scope;
use metadata::accounts::{self, AccountId, Filter};
use metadata::directory::sync::{DirectoryGroup, DirectoryMembersSet, USERS_MAX};
use metadata::directory::{self, MemberSync};
use metadata::tables::{Damage, Read};
use metadata::{organizations, teams};

use super::Work;
use super::people::{Known, cut_short};
use super::report::Group;
use crate::account_name;
use crate::dn;
use crate::failure::DirectoryFailure;
use crate::ldap::connection::{Entry, Query};
use crate::ldap::people::{scope, wrapped};

/// Members that are read at once, from the cluster.
const READ_MAX: usize = 200;
/// Members of a group of the directory, at most.
const MEMBERS_MAX: usize = 100_000;

impl Work {
    /// The system administrators follow, where that is wanted.
    pub(super) async fn administrators(&mut self, known: &Known) -> Result<(), DirectoryFailure> {
        let sync = self.plan.row.administrators.clone();
        if !sync.is_enabled {
            return Ok(());
        }
        let wanted = self.wanted(&sync, known).await?;
        let (added, removed) = self.follow(DirectoryGroup::Administrators, &wanted).await?;
        self.report.administrators_added = added;
        self.report.administrators_removed = removed;
        Ok(())
    }

    /// Every team and every organization's owners that follow the directory.
    pub(super) async fn groups(&mut self, known: &Known) -> Result<(), DirectoryFailure> {
        let mut start = Vec::new();
        loop {
            let read = self.cluster.read(Freshness::Local, |view| {
                let part = directory::member_syncs(view, &start, READ_MAX)?;
                let named =
                    part.items.iter().map(|(id, sync)| Ok((named(view, id)?, sync.clone())));
                Ok((named.collect::<Result<Vec<_>, Damage>>()?, part.next))
            });
            let (part, next) = read.await?;
            for (group, sync) in part {
                let (Some((group, mut told)), true) = (group, sync.is_enabled) else { continue };
                match self.wanted(&sync, known).await {
                    Ok(wanted) => (told.added, told.removed) = self.follow(group, &wanted).await?,
                    // One group that is not there must not keep the others from following.
                    Err(failure @ DirectoryFailure::Refused { .. }) => {
                        told.error = Some(failure.to_string());
                    }
                    Err(failure) => return Err(failure),
                }
                self.report.group(told);
            }
            let Some((next, _)) = next else { return Ok(()) };
            start = next.to_vec();
        }
    }

    /// Who belongs to it by the directory, of those who have an account.
    async fn wanted(
        &mut self,
        sync: &MemberSync,
        known: &Known,
    ) -> Result<BTreeSet<AccountId>, DirectoryFailure> {
        if sync.is_by_group {
            let names = self.members_of(sync).await?;
            return Ok(names.iter().filter_map(|name| member(known, name)).collect());
        }
        let query = Query {
            base: &sync.base_dn,
            scope: scope(sync.is_subtree),
            filter: &wrapped(&sync.filter),
            // No attribute: the names are enough. Source: RFC 4511, 4.5.1.8.
            attributes: vec!["1.1".to_owned()],
            is_paged: !self.plan.row.no_simple_pagination,
            entries_max: MEMBERS_MAX,
        };
        let (entries, is_cut) = self.connection.search(query).await?;
        if is_cut {
            return Err(cut_short(&sync.base_dn, entries.len()));
        }
        Ok(entries.iter().filter_map(|entry| member(known, &entry.dn)).collect())
    }

    /// What a group of the directory names as its members. Active Directory gives the members of a
    /// large group part by part.
    async fn members_of(&mut self, sync: &MemberSync) -> Result<Vec<String>, DirectoryFailure> {
        let (mut names, mut attribute) = (Vec::new(), sync.group_member_attribute.clone());
        let mut begun = 0;
        loop {
            let query = Query {
                base: &sync.group_dn,
                scope: Scope::Base,
                filter: "(objectClass=*)",
                attributes: vec![attribute.clone()],
                is_paged: false,
                entries_max: 1,
            };
            let (entries, _) = self.connection.search(query).await?;
            let Some(entry) = entries.first() else {
                let what = format!("the group {}", sync.group_dn);
                let cause = "there is no such entry, or the reader may not see it".to_owned();
                return Err(DirectoryFailure::Refused { what, cause });
            };
            let (part, next) = part_of(entry, &sync.group_member_attribute);
            names.extend(part);
            let is_further = |from: &usize| *from > begun && names.len() < MEMBERS_MAX;
            let Some(from) = next.filter(is_further) else { return Ok(names) };
            begun = from;
            attribute = format!("{};range={from}-*", sync.group_member_attribute);
        }
    }
}

/// Who is in a group of ours.
impl Work {
    /// Lets those in who are wanted and the others out, as far as they come from the directory; how
    /// many of each.
    async fn follow(
        &mut self,
        group: DirectoryGroup,
        wanted: &BTreeSet<AccountId>,
    ) -> Result<(usize, usize), DirectoryFailure> {
        let present = self.present(group).await?;
        let changes = wanted.difference(&present).map(|id| (*id, true));
        let changes = changes.chain(present.difference(wanted).map(|id| (*id, false)));
        let changes: Vec<(AccountId, bool)> = changes.collect();
        for part in changes.chunks(USERS_MAX) {
            let of = |is_in: bool| {
                part.iter().filter(|(_, joins)| *joins == is_in).map(|(id, _)| *id).collect()
            };
            let (joining, leaving) = (of(true), of(false));
            let set = DirectoryMembersSet { run: Some(self.run), group, joining, leaving };
            self.asked.propose(set.into()).await?;
        }
        let added = changes.iter().filter(|(_, joins)| *joins).count();
        Ok((added, changes.len() - added))
    }

    /// Who is in it now and comes from the directory.
    async fn present(
        &self,
        group: DirectoryGroup,
    ) -> Result<BTreeSet<AccountId>, DirectoryFailure> {
        let (mut present, mut start) = (BTreeSet::new(), Vec::new());
        loop {
            let read = self.cluster.read(Freshness::Local, |view| part(view, group, &start));
            let (ids, next) = read.await?;
            present.extend(ids);
            let Some(next) = next else { return Ok(present) };
            start = next;
        }
    }
}

/// Some of those who are in a group and come from the directory, and where the others begin.
fn part(
    read: &impl Read,
    group: DirectoryGroup,
    start: &[u8],
) -> Result<(Vec<AccountId>, Option<Vec<u8>>), Damage> {
    let (ids, next): (Vec<AccountId>, Option<Vec<u8>>) = match group {
        DirectoryGroup::Team { team } => {
            let part = teams::members(read, &team, start, READ_MAX)?;
            let ids = part.items.iter().map(|(id, _)| *id).collect();
            (ids, part.next.map(|(id, _)| id.to_vec()))
        }
        DirectoryGroup::Owners { organization } => {
            let part = organizations::members(read, &organization, start, READ_MAX)?;
            let owners = part.items.iter().filter(|(_, row)| row.is_admin);
            (owners.map(|(id, _)| *id).collect(), part.next.map(|(id, _)| id.to_vec()))
        }
        DirectoryGroup::Administrators => {
            let start = String::from_utf8_lossy(start);
            let part = accounts::listing(read, Filter::Admins, &start, READ_MAX)?;
            let ids = part.items.iter().map(|(_, row)| row.id).collect();
            (ids, part.next.map(|(name, _)| name.into_bytes()))
        }
    };
    let mut from_there = Vec::new();
    for id in ids {
        if directory::link(read, &id)?.is_some() {
            from_there.push(id);
        }
    }
    Ok((from_there, next))
}

/// A group of ours by its id, as commands and reports name it.
fn named(read: &impl Read, id: &[u8; 16]) -> Result<Option<(DirectoryGroup, Group)>, Damage> {
    if let Some((organization, row)) = accounts::find_by_id(read, id)? {
        let group = DirectoryGroup::Owners { organization: row.id };
        return Ok(Some((group, Group { organization, ..Group::default() })));
    }
    let Some(team) = teams::find_by_id(read, id)? else { return Ok(None) };
    let Some((organization, _)) = accounts::find_by_id(read, &team.organization)? else {
        return Ok(None);
    };
    let group = DirectoryGroup::Team { team: team.row.id };
    Ok(Some((group, Group { organization, team: Some(team.name), ..Group::default() })))
}

/// A member as a group names it: by the name of an entry, or as it signs in.
fn member(known: &Known, name: &str) -> Option<AccountId> {
    let by_dn = dn::normalized(name).ok().and_then(|dn| known.by_dn.get(&dn));
    by_dn.or_else(|| known.by_name.get(&account_name::of(name))).copied()
}

/// The members that an entry names, and where the next part of them begins.
fn part_of(entry: &Entry, attribute: &str) -> (Vec<String>, Option<usize>) {
    let whole = entry.values(attribute);
    if !whole.is_empty() {
        return (whole.to_vec(), None);
    }
    let prefix = format!("{};range=", attribute.to_ascii_lowercase());
    for name in entry.names() {
        if let Some(range) = name.strip_prefix(&prefix) {
            return (entry.values(name).to_vec(), next_of(range));
        }
    }
    (Vec::new(), None)
}

/// Where the part after `0-1499` begins; `None` after the last, `1500-*`.
fn next_of(range: &str) -> Option<usize> {
    let (first, last) = range.split_once('-')?;
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some(last + 1)
}

#[cfg(test)]
mod tests {
    use super::next_of;

    #[test]
    fn a_range_says_where_the_next_part_begins() {
        for (range, next) in
            [("0-1499", Some(1500)), ("1500-*", None), ("9-3", None), ("", None), ("a-b", None)]
        {
            assert_eq!(next_of(range), next, "{range}");
        }
    }
}
