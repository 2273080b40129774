//! Saying how the provider is reached, what its groups mean here, and who is whom.

use super::{KEY, OpenIdRow, OpenIdUser, account_of, settings, tie};
use crate::access::standing;
use crate::accounts::commands::with_password;
use crate::accounts::{self, AccountKind, another_administrator};
use crate::codec::message;
use crate::directory;
use crate::organizations::existing_user;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::row;
use crate::ruling::{Ruling, Stop};
use crate::tables::{Read, Table, Write};
use crate::teams;

/// Pairs of group and team, at most: each sign-in looks at all of them.
pub const GROUP_TEAMS_MAX: usize = 100;
/// Scopes, at most.
pub const SCOPES_MAX: usize = 20;
/// The provider's and the client's name in bytes, at most.
pub const TEXT_BYTES_MAX: usize = 1024;
/// Names of claims, groups and scopes in bytes, at most.
pub const NAME_BYTES_MAX: usize = 256;
/// A subject in bytes, at most. Source: OpenID Connect Core 1.0, 2.
pub const SUBJECT_BYTES_MAX: usize = 255;
/// Authorities as PEM in bytes, at most.
pub const ROOT_CERTS_BYTES_MAX: usize = 16 * 1024;
/// A sealed secret in bytes, at most.
const SEALED_BYTES_MAX: usize = 2048;

message! {
    /// Says how the provider is reached.
    pub struct OpenIdSet {
        /// The account that asks.
        1 actor: String,
        /// All of it; its revision is counted here.
        2 settings: OpenIdRow,
    }
}

message! {
    /// Ties a user to a subject of the provider, or unties them.
    pub struct OpenIdTie {
        /// The account that asks.
        1 actor: String,
        /// The user.
        2 name: String,
        /// Who they are for the provider; empty for nobody.
        3 subject: String,
    }
}

impl OpenIdSet {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        standing::require_system(tables, &self.actor)?;
        check(&self.settings)?;
        for pair in &self.settings.group_teams {
            if teams::find_by_id(tables, &pair.team)?.is_none() {
                return Err(Refusal::TeamUnknown.into());
            }
        }
        let before = settings(tables)?.map_or(0, |before| before.revision);
        let row = OpenIdRow { revision: before + 1, ..self.settings.clone() };
        row::put(tables, Table::Singles, KEY.to_vec(), &row);
        Ok(Answer::Done)
    }
}

impl OpenIdTie {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        standing::require_system(tables, &self.actor)?;
        let name = &self.name;
        let row = existing_user(tables, name)?;
        if row.kind == AccountKind::Robot {
            return Err(Refusal::RobotUnfit { name: name.clone() }.into());
        }
        if self.subject.is_empty() {
            super::forget(tables, &row.id)?;
            return Ok(Answer::Done);
        }
        check_subject(&self.subject)?;
        let issuer = settings(tables)?.map(|settings| settings.issuer);
        let issuer = issuer.ok_or_else(|| not_ready("say first how the provider is reached"))?;
        if let Some((other, found)) = account_of(tables, &issuer, &self.subject)?
            && found.id != row.id
        {
            return Err(not_ready(&format!("this subject is {other} already; untie them first")));
        }
        // Their password opens nothing from now on: who answers for the cluster must still get in
        // when the provider is down.
        if directory::is_recovery_admin(tables, name)? {
            return Err(Refusal::RecoveryAdministrator { name: name.clone() }.into());
        }
        if row.is_admin && row.signs_in() && !another_administrator(tables, name)? {
            return Err(Refusal::LastAdministrator { name: name.clone() }.into());
        }
        let subject = self.subject.clone();
        tie(tables, &row.id, &OpenIdUser { issuer, subject })?;
        directory::untie(tables, &row.id);
        let after = with_password(tables, row, "")?;
        accounts::put(tables, name, &after)?;
        Ok(Answer::Done)
    }
}

fn check(settings: &OpenIdRow) -> Ruling<()> {
    for (what, text) in [("issuerIdentifier", &settings.issuer), ("clientID", &settings.client_id)]
    {
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(not_ready(&format!("{what} is needed, a text in one line")));
        }
        bound(&format!("bytes of {what}"), text.len(), TEXT_BYTES_MAX)?;
    }
    bound("bytes of clientSecret", settings.sealed_client_secret.len(), SEALED_BYTES_MAX)?;
    bound("bytes of rootCerts", settings.root_certs.len(), ROOT_CERTS_BYTES_MAX)?;
    bound("scopes", settings.scopes.len(), SCOPES_MAX)?;
    bound("groupTeams", settings.group_teams.len(), GROUP_TEAMS_MAX)?;
    let OpenIdRow { username_claim, full_name_claim, groups_claim, admin_group, .. } = settings;
    let names = [username_claim, full_name_claim, groups_claim, admin_group];
    let groups = settings.group_teams.iter().map(|pair| &pair.group);
    for name in names.into_iter().chain(&settings.scopes).chain(groups) {
        bound("bytes of a claim, group or scope", name.len(), NAME_BYTES_MAX)?;
    }
    Ok(())
}

/// A subject names somebody: not empty, and without what could end a key.
pub(super) fn check_subject(subject: &str) -> Ruling<()> {
    bound("bytes of a subject", subject.len(), SUBJECT_BYTES_MAX)?;
    if subject.is_empty() || subject.chars().any(char::is_control) {
        return Err(not_ready("a subject is a text in one line"));
    }
    Ok(())
}

/// Refuses a password for a user who signs in by the provider.
pub(crate) fn check_not_tied(read: &impl Read, name: &str, id: &accounts::AccountId) -> Ruling<()> {
    match super::user(read, id)? {
        Some(_) => Err(not_ready(&format!(
            "{name} signs in by OpenID and has no password here; untie them first where that is \
             meant"
        ))),
        None => Ok(()),
    }
}

pub(super) fn bound(what: &str, found: usize, max: usize) -> Ruling<()> {
    if found > max { Err(Refusal::out_of_bounds(what, max).into()) } else { Ok(()) }
}

pub(super) fn not_ready(what: &str) -> Stop {
    Refusal::OpenIdNotReady { what: what.to_owned() }.into()
}
