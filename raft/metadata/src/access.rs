//! Who may do what with a repository, and who may even know that it exists.
//!
//! The API asks before it acts, and apply asks again before it changes anything, since rights may
//! go while a command is on its way. Both ask here.
//!
//! Source: docs of the old interface, "Permissions": a repository belongs to a namespace, one user
//! or organization; its owner and system administrators hold every right; `public` gives everyone
//! reading.

use std::fmt::{Display, Formatter};

use oci::name::RepositoryName;

use crate::accounts;
use crate::codec::numbered;
use crate::refusal::Refusal;
use crate::repositories::{self, RepositoryRow, Visibility};
use crate::ruling::Ruling;
use crate::settings;
use crate::tables::{Damage, Read};

/// Somebody who asks, as the state knows them now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The account; `None` for somebody who did not sign in.
    pub account: Option<String>,
    /// Whether the account is a system administrator.
    pub is_admin: bool,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the caller may.
    pub allowed: bool,
    /// Whether the caller may know if the repository exists; otherwise private and missing look
    /// alike.
    pub visible: bool,
    /// Why.
    pub reason: Reason,
}

/// How far a caller's rights on a repository go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Nothing,
    Read,
    Write,
    Admin,
}

/// The caller behind an account; `None` where it is gone, inactive or no user.
pub fn caller(read: &impl Read, account: &str) -> Result<Option<Caller>, Damage> {
    let row = accounts::find(read, account)?;
    let row = row.filter(|row| row.is_active && row.kind == accounts::AccountKind::User);
    Ok(row.map(|row| Caller { account: Some(account.to_owned()), is_admin: row.is_admin }))
}

/// Decides whether `caller` may do `action` with `repository`, existing or not.
pub fn judge(
    read: &impl Read,
    caller: &Caller,
    repository: &RepositoryName,
    action: Action,
) -> Result<Decision, Damage> {
    let row = repositories::find(read, repository)?;
    decide(read, caller, (repository, row.as_ref()), action)
}

fn decide(
    read: &impl Read,
    caller: &Caller,
    (repository, row): (&RepositoryName, Option<&RepositoryRow>),
    action: Action,
) -> Result<Decision, Damage> {
    let level = level(caller, repository, row);
    let visible = level >= Level::Read;
    let needed = match action {
        Action::Pull => Level::Read,
        Action::Push | Action::Delete => Level::Write,
        Action::Administer | Action::Create => Level::Admin,
    };
    if level < needed {
        let reason = match (&caller.account, level, needed) {
            (None, _, _) => Reason::SignInRequired,
            (_, Level::Nothing, _) => Reason::ReadRequired,
            (_, _, Level::Admin) => Reason::AdminRequired,
            _ => Reason::WriteRequired,
        };
        return Ok(Decision { allowed: false, visible, reason });
    }
    let reason = match (row, action) {
        (Some(_), _) | (None, Action::Create) => Reason::Permitted,
        (None, Action::Push) if level < Level::Admin => Reason::AdminRequired,
        (None, Action::Push) if settings::get(read)?.create_repository_on_push => Reason::Permitted,
        (None, Action::Push) => Reason::CreateOnPushOff,
        (None, _) => Reason::RepositoryMissing,
    };
    Ok(Decision { allowed: reason == Reason::Permitted, visible, reason })
}

fn level(caller: &Caller, repository: &RepositoryName, row: Option<&RepositoryRow>) -> Level {
    if caller.is_admin || caller.account.as_deref() == Some(repository.namespace()) {
        Level::Admin
    } else if row.is_some_and(|row| row.visibility == Visibility::Public) {
        Level::Read
    } else {
        Level::Nothing
    }
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
    let row = repositories::find(read, repository)?;
    let decision = decide(read, &caller, (repository, row.as_ref()), action)?;
    match decision.reason {
        Reason::Permitted => Ok(row),
        Reason::RepositoryMissing | Reason::CreateOnPushOff => {
            Err(Refusal::RepositoryUnknown { repository: repository.clone() }.into())
        }
        reason => Err(denied(reason).into()),
    }
}
