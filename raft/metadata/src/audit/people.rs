//! Deeds to accounts, organizations, teams and access tokens. No secret comes near: not even a
//! password's hash is told.

use super::deed::Deed;
use crate::access_tokens::commands::AccessTokenCreate;
use crate::access_tokens::{self, Origin, TokenHash};
use crate::accounts;
use crate::command::Command;
use crate::tables::{Damage, Read};
use crate::teams::{self, TeamId};

pub(super) fn told(read: &impl Read, command: &Command) -> Result<Option<Deed>, Damage> {
    Ok(match of_accounts(command) {
        Some(deed) => Some(deed),
        None => match of_teams(read, command)? {
            Some(deed) => Some(deed),
            None => of_tokens(read, command)?,
        },
    })
}

fn of_accounts(command: &Command) -> Option<Deed> {
    Some(match command {
        Command::UserPut(put) => {
            let deed = Deed::new("", "user.put", ("account", &put.name));
            deed.with("isAdmin", put.is_admin)
        }
        Command::UserCreate(create) => {
            let deed = Deed::new(&create.actor, "user.create", ("account", &create.name));
            deed.with("isAdmin", create.is_admin).with("isActive", !create.is_inactive)
        }
        Command::OrganizationCreate(create) => {
            let object = ("account", create.name.as_str());
            Deed::new(&create.actor, "organization.create", object)
        }
        Command::AccountUpdate(update) => {
            Deed::new(&update.actor, "account.update", ("account", &update.name))
                .with_given("fullName", update.full_name.as_ref())
                .with_given("isAdmin", update.is_admin)
                .with_given("isActive", update.is_active)
                .with_given("quotaBytes", update.quota_bytes)
        }
        Command::PasswordSet(set) => {
            let deed = Deed::new(&set.actor, "user.password", ("account", &set.name));
            deed.with_given("rehashed", set.is_rehash.then_some(true))
        }
        Command::AccountDelete(delete) => {
            Deed::new(&delete.actor, "account.delete", ("account", &delete.name))
        }
        Command::MemberPut(put) => {
            let object = ("account", put.organization.as_str());
            let deed = Deed::new(&put.actor, "organization.member-put", object);
            deed.with("user", &put.user).with_given("isAdmin", put.is_admin)
        }
        Command::MemberDelete(delete) => {
            let object = ("account", delete.organization.as_str());
            let deed = Deed::new(&delete.actor, "organization.member-delete", object);
            deed.with("user", &delete.user)
        }
        _ => return None,
    })
}

fn of_teams(read: &impl Read, command: &Command) -> Result<Option<Deed>, Damage> {
    Ok(Some(match command {
        Command::TeamCreate(create) => {
            let team = format!("{}/{}", create.organization, create.name);
            Deed::new(&create.actor, "team.create", ("team", &team))
        }
        Command::TeamUpdate(update) => {
            let team = team_name(read, &update.team)?;
            Deed::new(&update.actor, "team.update", ("team", &team))
                .with_given("name", update.name.as_ref())
                .with_given("description", update.description.as_ref())
        }
        Command::TeamDelete(delete) => {
            let team = team_name(read, &delete.team)?;
            Deed::new(&delete.actor, "team.delete", ("team", &team))
        }
        Command::TeamMemberPut(put) => {
            let team = team_name(read, &put.team)?;
            let deed = Deed::new(&put.actor, "team.member-put", ("team", &team));
            deed.with("user", &put.user).with_given("isAdmin", put.is_admin)
        }
        Command::TeamMemberDelete(delete) => {
            let team = team_name(read, &delete.team)?;
            let deed = Deed::new(&delete.actor, "team.member-delete", ("team", &team));
            deed.with("user", &delete.user)
        }
        _ => return Ok(None),
    }))
}

fn of_tokens(read: &impl Read, command: &Command) -> Result<Option<Deed>, Damage> {
    Ok(Some(match command {
        Command::AccessTokenCreate(create) => created(create),
        Command::AccessTokenUpdate(update) => {
            let object = hex(&update.hash);
            let deed = Deed::new(&update.actor, "token.update", ("token", &object));
            let deed = deed.with_given("owner", owner(read, &update.hash)?);
            let deed = deed.with_given("label", update.label.as_ref());
            deed.with_given("isActive", update.is_active)
        }
        Command::AccessTokenDelete(delete) => {
            let object = hex(&delete.hash);
            let deed = Deed::new(&delete.actor, "token.delete", ("token", &object));
            deed.with_given("owner", owner(read, &delete.hash)?)
        }
        Command::AccessTokensDelete(delete) => {
            let object = ("account", delete.account.as_str());
            let deed = Deed::new(&delete.actor, "token.delete-many", object);
            let deed = deed.with_given("origin", delete.origin.map(origin));
            deed.with_given("usedBeforeWallMs", delete.used_before_wall_ms)
        }
        _ => return Ok(None),
    }))
}

/// A token is named by its hash, which opens nothing.
fn created(create: &AccessTokenCreate) -> Deed {
    let object = hex(&create.hash);
    let expires = (create.expires_wall_ms > 0).then_some(create.expires_wall_ms);
    let scopes = (!create.scopes.is_empty()).then(|| create.scopes.join(" "));
    Deed::new(&create.actor, "token.create", ("token", &object))
        .with("owner", &create.account)
        .with("label", &create.label)
        .with("origin", origin(create.origin))
        .with_given("expiresWallMs", expires)
        .with_given("scopes", scopes)
}

fn owner(read: &impl Read, hash: &TokenHash) -> Result<Option<String>, Damage> {
    Ok(access_tokens::find_with_owner(read, hash)?.map(|(_, (name, _))| name))
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Manual => "manual",
        Origin::Auto => "auto",
    }
}

/// `organization/team`; the id where there is no such team.
pub(super) fn team_name(read: &impl Read, id: &TeamId) -> Result<String, Damage> {
    let Some(team) = teams::find_by_id(read, id)? else { return Ok(hex(id)) };
    let owner = accounts::find_by_id(read, &team.organization)?;
    let organization = owner.map_or_else(|| hex(&team.organization), |(name, _)| name);
    Ok(format!("{organization}/{}", team.name))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
