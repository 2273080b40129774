//! Robots: accounts of an organization for programs. They sign in with access tokens only.
//!
//! A robot is called `organization+name`, which no user or organization can be: the plus stands in
//! no namespace. It is a member of its organization and of no other, so teams give it rights as
//! they do to people; it owns and manages nothing. With its organization it is gone.

use crate::access::standing;
use crate::accounts::{
    self, AccountKind, AccountRow, FULL_NAME_BYTES_MAX, Named, deletion, looks_like_an_id,
};
use crate::codec::message;
use crate::moment::Moment;
use crate::organizations::{self, MemberRow, existing};
use crate::outcome::Answer;
use crate::page::Listing;
use crate::refusal::Refusal;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Table, Write};

/// Robots of an organization, at most: all of them go with it in one command.
pub const ROBOTS_MAX: usize = 100;

/// A robot's own name in bytes, at most.
const NAME_BYTES_MAX: usize = 60;

/// Stands between the organization's name and the robot's own.
const SEPARATOR: char = '+';

message! {
    /// Makes a robot.
    pub struct RobotCreate {
        /// The organization's name.
        1 organization: String,
        /// The robot's own name, without the organization's.
        2 name: String,
        /// What it is for.
        3 description: String,
        /// The account that asks.
        4 actor: String,
    }
}

message! {
    /// Takes a robot away with its tokens.
    pub struct RobotDelete {
        /// The organization's name.
        1 organization: String,
        /// The robot's own name.
        2 name: String,
        /// The account that asks.
        3 actor: String,
    }
}

/// The whole name of a robot.
pub fn name_of(organization: &str, robot: &str) -> String {
    format!("{organization}{SEPARATOR}{robot}")
}

/// The organization whose robot an account of that name is; `None` for a user or an organization.
pub fn organization_of(name: &str) -> Option<&str> {
    name.split_once(SEPARATOR).map(|(organization, _)| organization)
}

/// Robots of the organization of that name by their whole names, from `start` on.
pub fn listing(
    read: &impl Read,
    organization: &str,
    start: &str,
    limit: usize,
) -> Result<Listing<Named>, Damage> {
    let prefix = name_of(organization, "");
    let own = start.strip_prefix(&prefix).unwrap_or(start);
    let table = Table::Accounts;
    let wanted = limit.saturating_add(1);
    let rows = row::from_within(read, table, (prefix.as_bytes(), own.as_bytes()), wanted)?;
    let items = rows.iter().map(accounts::named);
    Ok(Listing::cut(items.collect::<Result<_, _>>()?, limit))
}

impl RobotCreate {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        standing::require_manager(tables, &self.actor, &self.organization)?;
        existing(tables, &self.organization)?;
        check_name(&self.name)?;
        if self.description.len() > FULL_NAME_BYTES_MAX {
            let what = "bytes of a robot's description";
            return Err(Refusal::out_of_bounds(what, FULL_NAME_BYTES_MAX).into());
        }
        let name = name_of(&self.organization, &self.name);
        accounts::check_not_taken(tables, &name)?;
        let held = listing(tables, &self.organization, "", ROBOTS_MAX)?.items.len();
        if held >= ROBOTS_MAX {
            return Err(Refusal::limit_reached("robots of this organization", ROBOTS_MAX).into());
        }
        let full_name = self.description.clone();
        let row = AccountRow { full_name, ..accounts::new(AccountKind::Robot, moment) };
        accounts::put(tables, &name, &row)?;
        let member = MemberRow { is_admin: false };
        organizations::put_member(tables, &self.organization, &row.id, &member)?;
        Ok(Answer::Done)
    }
}

impl RobotDelete {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        standing::require_manager(tables, &self.actor, &self.organization)?;
        existing(tables, &self.organization)?;
        let name = name_of(&self.organization, &self.name);
        let unknown = || Refusal::AccountUnknown { name: name.clone() };
        let row = accounts::find(tables, &name)?.ok_or_else(unknown)?;
        deletion::begin(tables, &name, &row)?;
        Ok(Answer::Done)
    }
}

/// Takes all robots of an organization away that is being deleted.
pub(crate) fn begin_deletion(tables: &mut impl Write, organization: &str) -> Result<(), Damage> {
    for (name, row) in listing(tables, organization, "", ROBOTS_MAX)?.items {
        deletion::begin(tables, &name, &row)?;
    }
    Ok(())
}

/// Refuses to give a robot what only people have, or to put it anywhere but into teams of its own
/// organization.
pub(crate) fn check_place(user: &str, organization: &str, is_admin: bool) -> Ruling<()> {
    match organization_of(user) {
        Some(own) if own != organization || is_admin => {
            Err(Refusal::RobotUnfit { name: user.to_owned() }.into())
        }
        _ => Ok(()),
    }
}

fn check_name(name: &str) -> Ruling<()> {
    let is_plain = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let ends_well =
        name.bytes().next().is_some_and(is_plain) && name.bytes().last().is_some_and(is_plain);
    let fits = name.len() <= NAME_BYTES_MAX
        && ends_well
        && name.bytes().all(|letter| is_plain(letter) || b"._-".contains(&letter));
    if fits && !looks_like_an_id(name) {
        Ok(())
    } else {
        Err(Refusal::AccountNameInvalid { name: name.to_owned() }.into())
    }
}
