//! Who may do what with a repository, and who may even know that it exists.
//!
//! The API asks before it acts, and apply asks again before it changes anything, since rights may
//! go while a command is on its way. Both ask here.
//!
//! Source: docs of the old interface, "Permissions": a repository belongs to a namespace, one user
//! or organization; its owner, an organization's owners and system administrators hold every right;
//! teams hold what they were granted, on one repository or on all of their organization, and the
//! highest grant counts; `public` gives everyone reading.

use std::fmt::{Display, Formatter};

use oci::name::RepositoryName;

use crate::accounts::{self, AccountId, AccountKind, AccountRow};
use crate::codec::numbered;
use crate::grants;
use crate::organizations;
use crate::refusal::Refusal;
use crate::repositories::{self, RepositoryRow, Visibility};
use crate::ruling::Ruling;
use crate::settings;
use crate::tables::{Damage, Read};
use crate::teams::{self, TeamId};
use crate::vouchers::Voucher;

pub mod standing;

/// Somebody who asks, as the state knows them now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The account; `None` for somebody who did not sign in.
    pub account: Option<String>,
    /// Its id.
    pub id: Option<AccountId>,
    /// Whether the account is a system administrator.
    pub is_admin: bool,
    /// What they showed; `None` where the state itself asks.
    pub voucher: Option<Voucher>,
}

/// What is asked of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read content, tags and lists.
    Pull,
    /// Add content, move tags; creates the repository where that is on.
    Push,
    /// Remove tags, manifests and blobs.
    Delete,
    /// Change settings of the repository, or delete it.
    Administer,
    /// Create it on purpose.
    Create,
    /// Have it scanned.
    Scan,
    /// Copy an image of it elsewhere, or one from elsewhere into it.
    Promote,
    /// Sign what is in it.
    Sign,
    /// See what happened to it, but for pulls, promotions and mirroring.
    SeeEvents,
    /// See all that happened to it.
    SeeAllEvents,
}

impl Action {
    /// Every action with its word in the API.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("pull", Self::Pull),
        ("push", Self::Push),
        ("delete", Self::Delete),
        ("administer", Self::Administer),
        ("create", Self::Create),
        ("scan", Self::Scan),
        ("promote", Self::Promote),
        ("sign", Self::Sign),
        ("see-events", Self::SeeEvents),
        ("see-all-events", Self::SeeAllEvents),
    ];

    /// The level it needs.
    fn level(self) -> Level {
        match self {
            Self::Pull | Self::SeeEvents => Level::Read,
            Self::Push | Self::Delete | Self::Scan | Self::Promote | Self::Sign => Level::Write,
            Self::Administer | Self::Create | Self::SeeAllEvents => Level::Admin,
        }
    }
}

numbered! {
    /// Why a decision fell as it did.
    pub enum Reason {
        /// The caller's rights suffice.
        1 Permitted,
        /// Nobody is signed in and the content is not public.
        2 SignInRequired,
        /// The caller may not read, so is not told whether the repository exists.
        3 ReadRequired,
        /// The caller may read, not write.
        4 WriteRequired,
        /// The caller may not administer.
        5 AdminRequired,
        /// There is no such repository, and the caller may know.
        6 RepositoryMissing,
        /// There is no such repository, the caller could create it, but not by a push.
        7 CreateOnPushOff,
        /// The account is gone or inactive.
        8 AccountInactive,
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Permitted => "the rights suffice",
            Self::SignInRequired => "nobody is signed in and the content is not public",
            Self::ReadRequired => "the right to read is missing",
            Self::WriteRequired => "the right to write is missing",
            Self::AdminRequired => "the right to administer is missing",
            Self::RepositoryMissing => "there is no such repository",
            Self::CreateOnPushOff => {
                "there is no such repository and a push does not create it; create it first, or \
                 turn the setting createRepositoryOnPush on"
            }
            Self::AccountInactive => "the account does not exist or is inactive",
        })
    }
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the caller may.
    pub allowed: bool,
    /// Whether the caller may know if the repository exists; otherwise private and missing look
    /// alike.
    pub visible: bool,
    /// Why.
    pub reason: Reason,
    /// How far the caller's rights go.
    pub level: Level,
    /// What gives the caller those rights.
    pub rule: Rule,
}

/// How far a caller's rights on a repository go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Not even to know of it.
    Nothing,
    /// To pull.
    Read,
    /// To push and delete.
    Write,
    /// To change it.
    Admin,
    /// All that, and to have a push create it.
    Owner,
}

impl Level {
    /// Its name in the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Read => "read-only",
            Self::Write => "read-write",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

impl From<grants::Level> for Level {
    fn from(level: grants::Level) -> Self {
        match level {
            grants::Level::ReadOnly => Self::Read,
            grants::Level::ReadWrite => Self::Write,
            grants::Level::Admin => Self::Admin,
        }
    }
}

/// What gives a caller a level: the first of these that gives the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Nothing does.
    NoGrant,
    /// A system administrator may do everything.
    SystemAdministrator,
    /// The repository stands in the caller's own namespace.
    OwnNamespace,
    /// The caller owns the organization.
    OrganizationOwner,
    /// A team of the caller was granted it for all repositories of the organization.
    NamespaceGrant(TeamId),
    /// A team of the caller was granted it for this repository.
    RepositoryGrant(TeamId),
    /// Everyone may read a public repository.
    PublicRepository,
}

/// The caller behind an account; `None` where it is gone, inactive or no user.
pub fn caller(read: &impl Read, account: &str) -> Result<Option<Caller>, Damage> {
    let row = accounts::find(read, account)?.filter(AccountRow::signs_in);
    let account = Some(account.to_owned());
    let of = |row: AccountRow| (Some(row.id), row.is_admin);
    Ok(row.map(of).map(|(id, is_admin)| Caller { account, id, is_admin, voucher: None }))
}

/// Decides whether `caller` may do `action` with `repository`, existing or not.
pub fn judge(
    read: &impl Read,
    caller: &Caller,
    repository: &RepositoryName,
    action: Action,
) -> Result<Decision, Damage> {
    decide(read, caller, &Place::find(read, repository)?, action)
}

/// What stands under a repository's name.
struct Place {
    owner: Option<AccountRow>,
    row: Option<RepositoryRow>,
}

impl Place {
    /// Without its account nothing of a namespace can be reached: what is there is going.
    fn find(read: &impl Read, repository: &RepositoryName) -> Result<Self, Damage> {
        let owner = accounts::find(read, repository.namespace())?;
        let row = match &owner {
            Some(_) => repositories::find(read, repository)?,
            None => None,
        };
        Ok(Self { owner, row })
    }
}

fn decide(
    read: &impl Read,
    caller: &Caller,
    place: &Place,
    action: Action,
) -> Result<Decision, Damage> {
    let (level, rule) = rights(read, caller, place)?;
    let visible = level >= Level::Read;
    let of =
        |reason| Decision { allowed: reason == Reason::Permitted, visible, reason, level, rule };
    let needed = action.level();
    // Who may see what is there may know that nothing is.
    if place.row.is_none() && visible && !matches!(action, Action::Push | Action::Create) {
        return Ok(of(Reason::RepositoryMissing));
    }
    if level < needed {
        return Ok(of(match (&caller.account, level, needed) {
            (None, _, _) => Reason::SignInRequired,
            (_, Level::Nothing, _) => Reason::ReadRequired,
            (_, _, Level::Admin) => Reason::AdminRequired,
            _ => Reason::WriteRequired,
        }));
    }
    Ok(of(match (&place.row, action) {
        (Some(_), _) | (None, Action::Create) => Reason::Permitted,
        (None, Action::Push) if level < Level::Owner => Reason::RepositoryMissing,
        (None, Action::Push) if settings::get(read)?.create_repository_on_push => Reason::Permitted,
        (None, Action::Push) => Reason::CreateOnPushOff,
        (None, _) => Reason::RepositoryMissing,
    }))
}

/// How far a caller's rights go, and by what.
fn rights(
    read: &impl Read,
    caller: &Caller,
    Place { owner, row }: &Place,
) -> Result<(Level, Rule), Damage> {
    if caller.is_admin {
        return Ok((Level::Owner, Rule::SystemAdministrator));
    }
    let Some(owner) = owner else { return Ok((Level::Nothing, Rule::NoGrant)) };
    let best = match row {
        Some(row) if row.visibility == Visibility::Public => (Level::Read, Rule::PublicRepository),
        _ => (Level::Nothing, Rule::NoGrant),
    };
    let Some(user) = &caller.id else { return Ok(best) };
    if owner.id == *user {
        return Ok((Level::Owner, Rule::OwnNamespace));
    }
    if owner.kind == AccountKind::User {
        return Ok(best);
    }
    match organizations::member(read, &owner.id, user)? {
        None => Ok(best),
        Some(member) if member.is_admin => Ok((Level::Owner, Rule::OrganizationOwner)),
        Some(_) => granted(read, (&owner.id, row.as_ref()), user, best),
    }
}

/// The highest of `best` and what the user's teams were granted here.
fn granted(
    read: &impl Read,
    (organization, row): (&AccountId, Option<&RepositoryRow>),
    user: &AccountId,
    mut best: (Level, Rule),
) -> Result<(Level, Rule), Damage> {
    for team in teams::of_user(read, user, organization, (&[], usize::MAX))?.items {
        let everywhere = grants::on_namespace(read, organization, &team)?;
        let here = match row {
            Some(row) => grants::on_repository(read, row.number(), &team)?,
            None => None,
        };
        let found = [
            everywhere.map(|level| (level.into(), Rule::NamespaceGrant(team))),
            here.map(|level| (level.into(), Rule::RepositoryGrant(team))),
        ];
        for (level, rule) in found.into_iter().flatten() {
            // A deleted team's grants go with the entries that follow its deletion.
            if level > best.0 && teams::exists(read, &team)? {
                best = (level, rule);
            }
        }
    }
    Ok(best)
}

/// Asked by apply: refuses unless the account `actor` may do `action` now. Returns the repository,
/// `None` where a permitted push or creation is to make it.
pub(crate) fn permit(
    read: &impl Read,
    actor: &str,
    repository: &RepositoryName,
    action: Action,
) -> Ruling<Option<RepositoryRow>> {
    let denied = |reason| Refusal::Denied {
        actor: actor.to_owned(),
        repository: repository.clone(),
        reason,
    };
    let caller = caller(read, actor)?.ok_or_else(|| denied(Reason::AccountInactive))?;
    let place = Place::find(read, repository)?;
    match decide(read, &caller, &place, action)?.reason {
        Reason::Permitted => Ok(place.row),
        Reason::RepositoryMissing | Reason::CreateOnPushOff => {
            Err(Refusal::RepositoryUnknown { repository: repository.clone() }.into())
        }
        reason => Err(denied(reason).into()),
    }
}
