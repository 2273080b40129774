//! What a sync, or somebody's first sign-in, changes: users, and who is in which group.
//!
//! One replica syncs at a time: it holds a lease that each of its commands renews. A command
//! touches a bounded number of users; one that can't be done for somebody leaves them out and does
//! the rest, since the directory goes on changing while it is read.

use super::{RunRow, UserLink, is_needed, is_recovery_admin, link, numbered_id, put_link, put_run};
use crate::accounts::{
    self, AccountId, AccountKind, AccountRow, FULL_NAME_BYTES_MAX, check_free, find_by_id, new,
};
use crate::codec::{choice, message};
use crate::jobs::JobId;
use crate::moment::Moment;
use crate::openid;
use crate::organizations::{self, MemberRow};
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::replica::ReplicaId;
use crate::ruling::{Ruling, Stop};
use crate::tables::{Read, Write};
use crate::teams::{self, TeamId};

/// Users of one command, at most.
pub const USERS_MAX: usize = 64;
/// The text of a report in bytes, at most.
pub const REPORT_BYTES_MAX: usize = 16 * 1024;
/// The name of an entry in bytes, at most.
pub const SOURCE_BYTES_MAX: usize = 2048;
/// A sync that proposed nothing for so long is taken for dead.
const LEASE_MS: u64 = 5 * 60 * 1000;

message! {
    /// Begins a sync; the command's random number names it.
    pub struct DirectoryRunBegin {
        /// Who does it.
        1 replica_id: ReplicaId,
        /// The job that does it, where one does: it goes on where another worker left it.
        2 job: Option<JobId>,
    }
}

message! {
    /// Ends it.
    pub struct DirectoryRunEnd {
        /// Which.
        1 run: [u8; 16],
        /// What it did, as JSON.
        2 report: String,
    }
}

message! {
    /// Somebody whom the directory knows.
    pub struct DirectoryUser {
        /// What they sign in as.
        1 name: String,
        /// What they are called; empty where that is not known.
        2 full_name: String,
        /// Their entry there.
        3 source: String,
    }
}

message! {
    /// Makes or refreshes users.
    pub struct DirectoryUsersPut {
        /// The sync; absent where somebody signs in.
        1 run: Option<[u8; 16]>,
        /// Whom.
        2 users: Vec<DirectoryUser>,
    }
}

message! {
    /// Makes users inactive whom the directory knows no more.
    pub struct DirectoryUsersGone {
        /// The sync.
        1 run: [u8; 16],
        /// Whom.
        2 users: Vec<AccountId>,
    }
}

choice! {
    /// Who follows the directory.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum DirectoryGroup {
        /// The members of a team.
        1 Team {
            /// Which.
            1 team: TeamId,
        },
        /// The owners of an organization.
        2 Owners {
            /// Which.
            1 organization: AccountId,
        },
        /// The system administrators.
        3 Administrators,
    }
}

message! {
    /// Puts users into a group and takes others out of it.
    pub struct DirectoryMembersSet {
        /// The sync; absent where somebody signs in.
        1 run: Option<[u8; 16]>,
        /// Which group.
        2 group: DirectoryGroup,
        /// Those who come.
        3 joining: Vec<AccountId>,
        /// Those who go.
        4 leaving: Vec<AccountId>,
    }
}

impl DirectoryRunBegin {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        if super::ldap_in_use(tables)?.is_none() {
            let what = "people sign in by passwords kept here; set the backend to ldap first";
            return Err(Refusal::DirectoryNotReady { what: what.to_owned() }.into());
        }
        if let Some(run) = super::run(tables)?
            && run.lease_until_ms > moment.cluster_ms
            && (self.job.is_none() || run.job != self.job)
        {
            let (replica_id, begun_wall_ms) = (run.replica_id, run.begun_wall_ms);
            return Err(Refusal::SyncRunning { replica_id, begun_wall_ms }.into());
        }
        let row = RunRow {
            id: moment.random,
            replica_id: self.replica_id,
            begun_wall_ms: moment.wall_ms,
            lease_until_ms: moment.cluster_ms.saturating_add(LEASE_MS),
            ended_wall_ms: 0,
            report: String::new(),
            job: self.job,
        };
        put_run(tables, &row);
        Ok(Answer::Done)
    }
}

impl DirectoryRunEnd {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let run = going(tables, &self.run, moment)?;
        bound("bytes of a report", self.report.len(), REPORT_BYTES_MAX)?;
        let (report, ended_wall_ms) = (self.report.clone(), moment.wall_ms);
        put_run(tables, &RunRow { lease_until_ms: 0, ended_wall_ms, report, ..run });
        Ok(Answer::Done)
    }
}

impl DirectoryUsersPut {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        bound("users of a command", self.users.len(), USERS_MAX)?;
        renew(tables, self.run.as_ref(), moment)?;
        for (number, user) in self.users.iter().enumerate() {
            bound("bytes of a full name", user.full_name.len(), FULL_NAME_BYTES_MAX)?;
            bound("bytes of an entry's name", user.source.len(), SOURCE_BYTES_MAX)?;
            match accounts::find(tables, &user.name)? {
                None => user.create(tables, moment, number)?,
                Some(row) => user.refresh(tables, row)?,
            }
        }
        Ok(Answer::Done)
    }
}

impl DirectoryUser {
    fn create(&self, tables: &mut impl Write, moment: &Moment, number: usize) -> Ruling<()> {
        match check_free(tables, &self.name) {
            Ok(()) => {}
            // No name for an account, or one that is still going: theirs to sign in later.
            Err(Stop::Refused(_)) => return Ok(()),
            Err(damaged) => return Err(damaged),
        }
        let row = AccountRow {
            id: numbered_id(&moment.random, number),
            full_name: self.full_name.clone(),
            is_imported: true,
            ..new(AccountKind::User, moment)
        };
        accounts::put(tables, &self.name, &row)?;
        put_link(tables, &row.id, &self.link());
        Ok(())
    }

    fn link(&self) -> UserLink {
        UserLink { source: self.source.clone(), is_gone: false }
    }

    fn refresh(&self, tables: &mut impl Write, row: AccountRow) -> Ruling<()> {
        let before = link(tables, &row.id)?;
        if !may_belong(tables, &self.name, &row, before.as_ref())? {
            return Ok(());
        }
        let was_gone = before.is_some_and(|link| link.is_gone);
        put_link(tables, &row.id, &self.link());
        let full_name =
            if self.full_name.is_empty() { &row.full_name } else { &self.full_name }.clone();
        let is_active = row.is_active || was_gone;
        accounts::put(tables, &self.name, &AccountRow { is_active, full_name, ..row })?;
        Ok(())
    }
}

/// Whether an account may be, or become, that of somebody in the directory. A system administrator
/// made here is nobody's by having the same name, nor is who signs in by OpenID, and the recovery
/// administrator never is.
pub fn may_belong(
    read: &impl Read,
    name: &str,
    row: &AccountRow,
    link: Option<&UserLink>,
) -> Result<bool, crate::tables::Damage> {
    let is_local_admin = row.is_admin && link.is_none();
    let is_user = row.kind == AccountKind::User && openid::user(read, &row.id)?.is_none();
    Ok(is_user && !is_local_admin && !is_recovery_admin(read, name)?)
}

impl DirectoryUsersGone {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        bound("users of a command", self.users.len(), USERS_MAX)?;
        renew(tables, Some(&self.run), moment)?;
        for id in &self.users {
            let (Some((name, row)), Some(link)) = (find_by_id(tables, id)?, link(tables, id)?)
            else {
                continue;
            };
            if !row.is_active || is_needed(tables, &name, &row)? {
                continue;
            }
            put_link(tables, id, &UserLink { is_gone: true, ..link });
            // As where an administrator does it: what was signed in is so no more, also later.
            let generation = row.generation + 1;
            accounts::put(tables, &name, &AccountRow { is_active: false, generation, ..row })?;
        }
        Ok(Answer::Done)
    }
}

impl DirectoryMembersSet {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        bound("users of a command", self.joining.len() + self.leaving.len(), USERS_MAX)?;
        renew(tables, self.run.as_ref(), moment)?;
        for id in &self.joining {
            self.set(tables, id, true)?;
        }
        for id in &self.leaving {
            self.set(tables, id, false)?;
        }
        Ok(Answer::Done)
    }

    /// Lets one in or takes one out, where they come from the directory.
    fn set(&self, tables: &mut impl Write, id: &AccountId, is_in: bool) -> Ruling<()> {
        let Some((name, row)) = find_by_id(tables, id)? else { return Ok(()) };
        if link(tables, id)?.is_none() {
            return Ok(());
        }
        match self.group {
            DirectoryGroup::Team { team } => teams::commands::follow(tables, &team, &row, is_in),
            DirectoryGroup::Owners { organization } => own(tables, &organization, id, is_in),
            DirectoryGroup::Administrators => {
                if row.is_admin != is_in && (is_in || !is_needed(tables, &name, &row)?) {
                    accounts::put(tables, &name, &AccountRow { is_admin: is_in, ..row })?;
                }
                Ok(())
            }
        }
    }
}

/// Makes a user an owner of an organization, or an owner a member like others.
fn own(
    tables: &mut impl Write,
    organization: &AccountId,
    user: &AccountId,
    is_in: bool,
) -> Ruling<()> {
    let Some((group, row)) = find_by_id(tables, organization)? else { return Ok(()) };
    // An id may name a user; that is no reason to leave everybody else out.
    if row.kind != AccountKind::Organization {
        return Ok(());
    }
    let is_member = organizations::member(tables, organization, user)?.is_some();
    if is_in || is_member {
        organizations::put_member(tables, &group, user, &MemberRow { is_admin: is_in })?;
    }
    Ok(())
}

/// The sync of that name, while it is the one that goes on.
fn going(read: &impl Read, run: &[u8; 16], moment: &Moment) -> Ruling<RunRow> {
    let found = super::run(read)?;
    let own = found.filter(|row| row.id == *run && row.lease_until_ms > moment.cluster_ms);
    Ok(own.ok_or(Refusal::SyncOver)?)
}

/// Another sync waits for as long again.
fn renew(tables: &mut impl Write, run: Option<&[u8; 16]>, moment: &Moment) -> Ruling<()> {
    let Some(run) = run else { return Ok(()) };
    let row = going(tables, run, moment)?;
    let lease_until_ms = moment.cluster_ms.saturating_add(LEASE_MS);
    put_run(tables, &RunRow { lease_until_ms, ..row });
    Ok(())
}

fn bound(what: &str, found: usize, max: usize) -> Ruling<()> {
    if found > max { Err(Refusal::out_of_bounds(what, max).into()) } else { Ok(()) }
}
