//! Rows of accounts, organizations, teams, grants and access tokens that mirror each other.

use std::collections::BTreeMap;

use super::indexes::{Keys, compare};
use super::{Violation, rows};
use crate::access_tokens::AccessTokenRow;
use crate::accounts::{AccountKind, AccountRow, Filter, counts};
use crate::key;
use crate::openid::{OpenIdUser, subject_key};
use crate::organizations::last_id;
use crate::page_sessions::PageSessionRow;
use crate::public_keys::{PublicKeyRow, id_of};
use crate::row;
use crate::tables::{Damage, Read, Table};
use crate::teams::{TeamPlace, TeamRow};

pub(super) fn check(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    check_accounts(read, found)?;
    check_members(read, found)?;
    check_teams(read, found)?;
    check_grants(read, found)?;
    check_namespaces(read, found)?;
    check_tokens(read, found)?;
    check_keys(read, found)?;
    check_directory(read, found)?;
    check_openid(read, found)?;
    check_sessions(read, found)
}

fn wrong(found: &mut Vec<Violation>, what: String) {
    found.push(Violation { rule: "index", what });
}

fn check_accounts(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let (mut ids, mut filters, mut administrators) = (Keys::new(), Keys::new(), 0);
    let accounts = rows(read, Table::Accounts)?;
    for (name, value) in &accounts {
        let account: AccountRow = row::decode(Table::Accounts, value)?;
        ids.insert(account.id.to_vec());
        let letters = account.letters();
        filters.extend(letters.iter().map(|letter| key::join(&[&[*letter], name])));
        administrators += usize::from(account.is_admin && account.signs_in());
        if read.get(Table::DeletedAccounts, name)?.is_some() {
            wrong(found, format!("account {name:02x?} is there and deleted"));
        }
    }
    if !accounts.is_empty() && administrators == 0 {
        wrong(found, "no system administrator is left".to_owned());
    }
    check_counts(read, &filters, found)?;
    compare(read, Table::AccountIds, &ids, found)?;
    compare(read, Table::AccountFilters, &filters, found)
}

fn check_counts(
    read: &impl Read,
    filters: &Keys,
    found: &mut Vec<Violation>,
) -> Result<(), Damage> {
    let counts = counts::get(read)?;
    for filter in Filter::STORED {
        let listed = filters.iter().filter(|key| key.first() == Some(&filter.letter())).count();
        if usize::try_from(counts.of(*filter)) != Ok(listed) {
            wrong(
                found,
                format!("{} accounts are counted as {filter:?} of {listed}", {
                    counts.of(*filter)
                }),
            );
        }
    }
    Ok(())
}

fn check_members(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let mut mirrored = Keys::new();
    let mut counts: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for (key, _) in rows(read, Table::OrganizationMembers)? {
        mirrored.insert(key::join(&[&key[16..], &key[..16]]));
        *counts.entry(key[..16].to_vec()).or_default() += 1;
    }
    for (name, value) in rows(read, Table::Accounts)? {
        let account: AccountRow = row::decode(Table::Accounts, &value)?;
        let count = counts.get(&account.id[..]).copied().unwrap_or(0);
        if account.members != count || account.kind != AccountKind::Organization && count > 0 {
            wrong(found, format!("{name:02x?} counts {} of {count} members", account.members));
        }
    }
    compare(read, Table::MemberOrganizations, &mirrored, found)
}

fn check_teams(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let mut ids = Keys::new();
    let mut organizations: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut members: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for (key, _) in rows(read, Table::TeamMembers)? {
        *members.entry(key[..16].to_vec()).or_default() += 1;
    }
    let mut teams: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for (key, value) in rows(read, Table::Teams)? {
        let team: TeamRow = row::decode(Table::Teams, &value)?;
        ids.insert(team.id.to_vec());
        organizations.insert(team.id.to_vec(), key[..16].to_vec());
        *teams.entry(key[..16].to_vec()).or_default() += 1;
        let place: Option<TeamPlace> = row::find(read, Table::TeamIds, &team.id)?;
        if place.is_none_or(|place| key::join(&[&place.organization, place.name.as_bytes()]) != key)
        {
            wrong(found, format!("team {key:02x?} is not where its id says"));
        }
        let count = members.get(&team.id[..]).copied().unwrap_or(0);
        if team.members != count {
            wrong(found, format!("team {key:02x?} counts {} of {count} members", team.members));
        }
    }
    for (_, value) in rows(read, Table::Accounts)? {
        let account: AccountRow = row::decode(Table::Accounts, &value)?;
        if account.teams != teams.get(&account.id[..]).copied().unwrap_or(0) {
            wrong(found, format!("account {:02x?} counts its teams wrongly", account.id));
        }
    }
    organizations.extend(rows(read, Table::DeletedTeams)?);
    check_team_members(read, &organizations, found)?;
    compare(read, Table::TeamIds, &ids, found)
}

fn check_team_members(
    read: &impl Read,
    organizations: &BTreeMap<Vec<u8>, Vec<u8>>,
    found: &mut Vec<Violation>,
) -> Result<(), Damage> {
    let mut mirrored = Keys::new();
    for (key, _) in rows(read, Table::TeamMembers)? {
        let (team, user) = key.split_at(16);
        match organizations.get(team) {
            Some(organization) => {
                mirrored.insert(key::join(&[user, organization, team]));
                // Whoever is in a team is in its organization, unless that was deleted.
                let member = key::join(&[organization, user]);
                let organization_lives = read.get(Table::AccountIds, organization)?.is_some();
                let team_lives = read.get(Table::TeamIds, team)?.is_some();
                let is_member = read.get(Table::OrganizationMembers, &member)?.is_some();
                if organization_lives && team_lives && !is_member {
                    wrong(found, format!("{user:02x?} is in a team, not in its organization"));
                }
            }
            None => wrong(found, format!("{user:02x?} is in a team that is not there")),
        }
    }
    compare(read, Table::MemberTeams, &mirrored, found)
}

fn check_grants(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let mut by_team = Keys::new();
    for (key, _) in rows(read, Table::RepositoryGrants)? {
        let (number, team) = key.split_at(8);
        if let Some(name) = read.get(Table::RepositoryNames, number)? {
            by_team.insert(key::join(&[team, &name]));
        }
    }
    for (key, number) in rows(read, Table::TeamGrants)? {
        let team = &key[..16];
        if read.get(Table::RepositoryGrants, &key::join(&[&number, team]))?.is_none() {
            wrong(found, format!("a grant stands at team {team:02x?} only"));
        }
        by_team.remove(&key);
    }
    for key in by_team {
        wrong(found, format!("a grant is not listed at its team: {key:02x?}"));
    }
    for (key, _) in rows(read, Table::NamespaceGrants)? {
        let place: Option<TeamPlace> = row::find(read, Table::TeamIds, &last_id(&key)?)?;
        if place.is_none_or(|place| place.organization != key[..16]) {
            wrong(found, format!("a grant on a namespace to no team of it: {key:02x?}"));
        }
    }
    Ok(())
}

fn check_namespaces(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    for (name, _) in rows(read, Table::Repositories)? {
        let namespace = name.split(|byte| *byte == b'/').next().unwrap_or_default();
        let is_owned = read.get(Table::Accounts, namespace)?.is_some()
            || read.get(Table::DeletedAccounts, namespace)?.is_some();
        if !is_owned {
            wrong(found, format!("nobody owns repository {}", String::from_utf8_lossy(&name)));
        }
    }
    Ok(())
}

fn check_keys(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let mut by_account = Keys::new();
    for (id, value) in rows(read, Table::PublicKeys)? {
        let public_key: PublicKeyRow = row::decode(Table::PublicKeys, &value)?;
        by_account.insert(key::join(&[&public_key.account, &id]));
        if id_of(&public_key.der)[..] != id[..] {
            wrong(found, format!("a public key stands under another hash than its own: {id:02x?}"));
        }
    }
    compare(read, Table::AccountKeys, &by_account, found)
}

fn check_sessions(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let (mut by_account, mut by_end) = (Keys::new(), Keys::new());
    for (hash, value) in rows(read, Table::PageSessions)? {
        let session: PageSessionRow = row::decode(Table::PageSessions, &value)?;
        by_account.insert(key::join(&[&session.account, &hash]));
        by_end.insert(key::join(&[&session.ends_wall_ms.to_be_bytes(), &hash]));
    }
    compare(read, Table::AccountPageSessions, &by_account, found)?;
    compare(read, Table::PageSessionEnds, &by_end, found)
}

fn check_tokens(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let mut by_account = Keys::new();
    for (hash, value) in rows(read, Table::AccessTokens)? {
        let token: AccessTokenRow = row::decode(Table::AccessTokens, &value)?;
        by_account.insert(key::join(&[&token.account, &hash]));
    }
    compare(read, Table::AccountTokens, &by_account, found)
}

/// What is remembered of the directory belongs to an account or team that is there.
fn check_directory(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    for (id, _) in rows(read, Table::DirectoryUsers)? {
        if read.get(Table::AccountIds, &id)?.is_none() {
            wrong(found, format!("{id:02x?} comes from the directory, and is nobody"));
        }
    }
    for (id, _) in rows(read, Table::MemberSyncs)? {
        let is_organization = read.get(Table::AccountIds, &id)?.is_some();
        if !is_organization && read.get(Table::TeamIds, &id)?.is_none() {
            wrong(found, format!("group {id:02x?} follows the directory, and is none"));
        }
    }
    Ok(())
}

/// Who signs in by OpenID is somebody, has no entry in the directory, and is found by their
/// subject.
fn check_openid(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let mut subjects = Keys::new();
    for (id, value) in rows(read, Table::OpenIdUsers)? {
        let user: OpenIdUser = row::decode(Table::OpenIdUsers, &value)?;
        let key = subject_key(&user.issuer, &user.subject);
        if read.get(Table::OpenIdSubjects, &key)?.as_ref() != Some(&id) {
            wrong(found, format!("{id:02x?} is not found by their subject"));
        }
        if read.get(Table::AccountIds, &id)?.is_none() {
            wrong(found, format!("{id:02x?} signs in by OpenID, and is nobody"));
        }
        if read.get(Table::DirectoryUsers, &id)?.is_some() {
            wrong(found, format!("{id:02x?} signs in by OpenID and by the directory"));
        }
        subjects.insert(key);
    }
    compare(read, Table::OpenIdSubjects, &subjects, found)
}
