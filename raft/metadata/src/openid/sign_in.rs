//! Somebody whom the provider lets in: their account, made at the first time, and their teams.
//!
//! All of it is one command, so that nobody is let in with the groups of the day before.

use std::collections::BTreeMap;

use super::commands::{bound, check_subject, not_ready};
use super::{OpenIdRow, OpenIdUser, account_of, in_use, tie};
use crate::accounts::{self, AccountKind, AccountRow, FULL_NAME_BYTES_MAX, Named, check_free, new};
use crate::codec::message;
use crate::directory;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::ruling::{Ruling, Stop};
use crate::tables::Write;
use crate::teams::{self, TeamId};

/// Groups told with a sign-in, at most: only those that mean something here are.
pub const GROUPS_MAX: usize = super::commands::GROUP_TEAMS_MAX + 1;

message! {
    /// Signs somebody in whom the provider vouches for.
    pub struct OpenIdSignIn {
        /// The settings by which that was found out; under others it does not count.
        1 revision: u64,
        /// What names them for ever.
        2 subject: String,
        /// What an account of theirs would be called.
        3 name: String,
        /// What they are called; empty where that is not known.
        4 full_name: String,
        /// Which of the groups that the settings name they are in.
        5 groups: Vec<String>,
    }
}

impl OpenIdSignIn {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let settings = in_use(tables)?.filter(|settings| settings.revision == self.revision);
        let settings = settings.ok_or_else(|| {
            not_ready("its settings were changed while you signed in; sign in again")
        })?;
        check_subject(&self.subject)?;
        bound("bytes of a full name", self.full_name.len(), FULL_NAME_BYTES_MAX)?;
        bound("groups", self.groups.len(), GROUPS_MAX)?;
        let (name, row) = match account_of(tables, &settings.issuer, &self.subject)? {
            Some(known) => self.refreshed(known)?,
            None => self.created(tables, &settings, moment)?,
        };
        let row = self.standing(tables, &settings, (&name, row))?;
        accounts::put(tables, &name, &row)?;
        if !is_tied(tables, &row, &settings, &self.subject)? {
            let user =
                OpenIdUser { issuer: settings.issuer.clone(), subject: self.subject.clone() };
            tie(tables, &row.id, &user)?;
        }
        for (team, is_in) in self.teams(&settings) {
            teams::commands::follow(tables, &team, &row, is_in)?;
        }
        Ok(Answer::Done)
    }

    fn refreshed(&self, (name, row): Named) -> Ruling<Named> {
        if !row.is_active {
            return Err(not_admitted(format!(
                "the account {name} is switched off; ask an administrator"
            )));
        }
        let full_name =
            if self.full_name.is_empty() { &row.full_name } else { &self.full_name }.clone();
        Ok((name, AccountRow { full_name, ..row }))
    }

    fn created(
        &self,
        tables: &mut impl Write,
        settings: &OpenIdRow,
        moment: &Moment,
    ) -> Ruling<Named> {
        if !settings.creates_accounts {
            return Err(not_admitted(
                "there is no account for you; ask an administrator to make one and tie you to it"
                    .to_owned(),
            ));
        }
        let name = &self.name;
        match check_free(tables, name) {
            Err(Stop::Refused(refusal)) if matches!(*refusal, Refusal::AccountExists { .. }) => {
                return Err(not_admitted(format!(
                    "the name {name} belongs to another account; an administrator can tie that to \
                     you if it is yours"
                )));
            }
            checked => checked?,
        }
        let row = AccountRow {
            full_name: self.full_name.clone(),
            is_imported: true,
            ..new(AccountKind::User, moment)
        };
        Ok((name.clone(), row))
    }

    /// The account as an administrator or not, where a group says so. The last one stays.
    fn standing(
        &self,
        tables: &mut impl Write,
        settings: &OpenIdRow,
        (name, row): (&str, AccountRow),
    ) -> Ruling<AccountRow> {
        if settings.admin_group.is_empty() {
            return Ok(row);
        }
        let is_admin = self.groups.contains(&settings.admin_group);
        if row.is_admin && !is_admin && directory::is_needed(tables, name, &row)? {
            return Ok(row);
        }
        Ok(AccountRow { is_admin, ..row })
    }

    /// Every team that follows a group, and whether this one is in any group that it follows.
    fn teams(&self, settings: &OpenIdRow) -> BTreeMap<TeamId, bool> {
        settings.group_teams.iter().fold(BTreeMap::new(), |mut teams, pair| {
            *teams.entry(pair.team).or_default() |= self.groups.contains(&pair.group);
            teams
        })
    }
}

fn is_tied(
    tables: &mut impl Write,
    row: &AccountRow,
    settings: &OpenIdRow,
    subject: &str,
) -> Ruling<bool> {
    let user = super::user(tables, &row.id)?;
    Ok(user.is_some_and(|user| user.issuer == settings.issuer && user.subject == subject))
}

fn not_admitted(what: String) -> Stop {
    Refusal::OpenIdNotAdmitted { what }.into()
}
