//! Who is calling, and what they may do here and now.
//!
//! The order is that of registry-protocol H11: grammar (the router), credentials (401), whether the
//! repository may be known (404), the right (403). Rights are looked up after the read barrier, so
//! that a right taken away before is gone (P5 of docs/architecture.md). Only a replica that is cut
//! off from the majority goes on by the rights it last knew, for pulls by digest, for a while (P8).

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use auth::authenticator::{AuthFailure, Identity};
use auth::challenge::{Complaint, Realm};
use auth::credentials::Credentials;
use consensus::cluster::{Failure, Freshness, Unavailable};
use http::request::Parts;
use metadata::access::{self, Action, Reason};
use metadata::repositories::{self, Visibility};
use metadata::vouchers::Voucher;
use oci::name::RepositoryName;
use tokio::time::timeout;

use crate::context::{Context, SERVICE};
use crate::credentials;
use crate::origin::Connected;
use crate::problem::{AccountProblem, Problem};
use crate::rates::Payer;
use crate::traffic::Surface;

/// How new the state must be that a request is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// As of the request: waits for the read barrier.
    Fresh,
    /// As of the request where a majority answers, else what is known here.
    FreshOrLastKnown,
    /// The same, without waiting longer than a moment: the request asks how the cluster is.
    FreshIfQuick,
    /// What is known here: the request reads nothing that others may have changed.
    LastKnown,
}

/// The form of a 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeKind {
    /// The registry: ask for a token.
    Bearer,
    /// The token endpoint and the management API: send a password.
    Basic,
}

/// How a request is let in.
#[derive(Clone, Debug)]
pub struct Admission {
    /// What state it is judged by.
    pub need: Need,
    /// The form of a 401.
    pub challenge: ChallengeKind,
    /// What the request needs a token for, as the challenge names it.
    pub scope: Option<String>,
}

/// Who sent this request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account and what narrows it.
    pub identity: Identity,
    /// Whether rights are those last known, because no majority answers.
    pub is_stale: bool,
    /// Whether they were let in as a system administrator.
    as_administrator: bool,
    origin: String,
    admission: Admission,
}

/// A right that was found to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permitted {
    /// Whether everyone may read the repository.
    pub is_public: bool,
    /// Whether it exists yet.
    pub exists: bool,
}

impl Caller {
    /// Waits for the read barrier, as far as `admission` asks, and finds out who calls.
    pub async fn admit(
        context: &Arc<Context>,
        parts: &Parts,
        admission: Admission,
    ) -> Result<Self, Problem> {
        let credentials = credentials::of(parts);
        credentials::check_page(context, parts, &credentials)?;
        Self::admit_with(context, parts, &credentials, admission).await
    }

    /// The same with credentials that came otherwise than in the header.
    pub async fn admit_with(
        context: &Arc<Context>,
        parts: &Parts,
        credentials: &Credentials,
        admission: Admission,
    ) -> Result<Self, Problem> {
        let origin = context.names.origin(parts);
        let is_anonymous = matches!(credentials, Credentials::None);
        if is_anonymous {
            // Known at once: what is too much is not even made to wait.
            pay(context, parts, None)?;
        }
        let is_stale = settle(context, admission.need).await?;
        let address = Connected::of(parts).address.ip();
        let (identity, as_administrator) = (Identity::anonymous(), false);
        let mut caller = Self { identity, is_stale, as_administrator, origin, admission };
        match context.auth.identify(credentials, address).await {
            Ok(identity) => caller.identity = identity,
            Err(failure) => {
                pay(context, parts, None)?;
                return Err(caller.not_known(failure));
            }
        }
        if !is_anonymous {
            pay(context, parts, caller.identity.account.as_deref())?;
        }
        if let Some(account) = &caller.identity.account {
            consensus::origin::is_of(account, caller.identity.id);
        }
        Ok(caller)
    }

    /// The caller in the state machine's terms.
    pub fn as_metadata(&self) -> access::Caller {
        let Identity { account, id, is_admin, .. } = &self.identity;
        let (id, is_admin, voucher) = (*id, *is_admin, self.voucher());
        access::Caller { account: account.clone(), id, is_admin, voucher }
    }

    /// What they showed, for the state machine to look at again.
    pub fn voucher(&self) -> Option<Voucher> {
        let as_administrator = self.as_administrator;
        self.identity.voucher().map(|voucher| Voucher { as_administrator, ..voucher })
    }

    /// The account's name, where there is one; the empty text for the anonymous caller.
    pub fn account(&self) -> &str {
        self.identity.account.as_deref().unwrap_or_default()
    }
}

/// What a caller may do.
impl Caller {
    /// Goes on only where the caller may do `action` with `repository` and its token was given for
    /// it.
    pub async fn permit(
        &self,
        context: &Context,
        repository: &RepositoryName,
        action: Action,
    ) -> Result<Permitted, Problem> {
        let caller = self.as_metadata();
        let read = context.cluster.read(Freshness::Local, |view| {
            let decision = access::judge(view, &caller, repository, action)?;
            Ok((decision, repositories::find(view, repository)?))
        });
        let (decision, row) = read.await?;
        let is_public = row.as_ref().is_some_and(|row| row.visibility == Visibility::Public);
        let permitted = Permitted { is_public, exists: row.is_some() };
        let is_write = action != Action::Pull;
        match decision.reason {
            Reason::Permitted | Reason::RepositoryMissing | Reason::CreateOnPushOff => {}
            // Nobody signed in: whatever it is, signing in may help, and tells nothing.
            _ if self.identity.account.is_none() => return Err(self.sign_in()),
            _ if !decision.visible && !is_write => {
                return Err(Problem::RepositoryUnknown { repository: repository.clone() });
            }
            reason => return Err(Problem::Denied { repository: repository.clone(), reason }),
        }
        // What everyone may read needs no token.
        if (is_write || !is_public) && !self.covers(repository, action) {
            return Err(self.insufficient_scope());
        }
        match decision.reason {
            Reason::RepositoryMissing => {
                Err(Problem::RepositoryUnknown { repository: repository.clone() })
            }
            Reason::CreateOnPushOff => {
                Err(Problem::RepositoryNotCreated { repository: repository.clone() })
            }
            _ => Ok(permitted),
        }
    }

    /// Goes on only for a system administrator, as whom they ask from here on: what they have the
    /// state machine do is refused where they are none by then.
    pub fn into_administrator(self) -> Result<Self, Problem> {
        self.permit_system()?;
        Ok(Self { as_administrator: true, ..self })
    }

    /// Goes on only for a system administrator, not narrowed by a token.
    pub fn permit_system(&self) -> Result<(), Problem> {
        self.permit_whole()?;
        if self.identity.is_admin { Ok(()) } else { Err(Problem::NotAuthorized) }
    }

    /// Goes on only for somebody who signed in and may do here whatever their account may: a token
    /// that was given for some repositories manages nothing.
    pub fn permit_whole(&self) -> Result<(), Problem> {
        self.permit_signed_in()?;
        if self.identity.is_robot() {
            return Err(AccountProblem::RobotManages.into());
        }
        if self.identity.is_narrowed() { Err(self.insufficient_scope()) } else { Ok(()) }
    }

    /// Goes on only for somebody who signed in with their password: what comes with a token may
    /// end, and must not make what lasts longer.
    pub fn permit_by_password(&self) -> Result<(), Problem> {
        self.permit_whole()?;
        let by_token = self.identity.token.is_some() || self.identity.access_token.is_some();
        if by_token { Err(AccountProblem::PasswordNeeded.into()) } else { Ok(()) }
    }

    /// Goes on only for somebody who signed in.
    pub fn permit_signed_in(&self) -> Result<(), Problem> {
        if self.identity.account.is_some() { Ok(()) } else { Err(self.sign_in()) }
    }

    /// Whether the token, if there is one, was given for `action` on `repository`.
    pub fn covers(&self, repository: &RepositoryName, action: Action) -> bool {
        let word = match action {
            Action::Pull | Action::SeeEvents => "pull",
            Action::Push | Action::Scan | Action::Promote | Action::Sign => "push",
            Action::Delete => "delete",
            Action::Administer | Action::Create | Action::SeeAllEvents => "*",
        };
        self.identity.covers("repository", repository.as_str(), word)
    }
}

/// What a caller is told who is not let in.
impl Caller {
    /// The 401 of a caller whose token is narrower than what was asked.
    pub fn insufficient_scope(&self) -> Problem {
        let reason =
            "the token was not given for this; ask for one with the scope named".to_owned();
        self.unauthorized(Complaint::InsufficientScope, reason)
    }

    /// The 401 of a caller without credentials.
    pub fn sign_in(&self) -> Problem {
        self.unauthorized(Complaint::Missing, "sign in to do this".to_owned())
    }

    fn not_known(&self, failure: AuthFailure) -> Problem {
        use auth::password::PasswordFailure;
        match failure {
            AuthFailure::Cluster(failure) => failure.into(),
            AuthFailure::Password(PasswordFailure::TooMany { retry_after_s }) => {
                Problem::TooManyAttempts { retry_after_s }
            }
            AuthFailure::Password(PasswordFailure::Busy) => {
                Problem::Busy { what: failure.to_string() }
            }
            AuthFailure::Password(PasswordFailure::Wrong) => {
                self.unauthorized(Complaint::Missing, failure.to_string())
            }
            AuthFailure::Directory(_) => Problem::Busy { what: failure.to_string() },
            AuthFailure::NotOfDirectory { .. } => {
                self.unauthorized(Complaint::Missing, failure.to_string())
            }
            AuthFailure::Token(_)
            | AuthFailure::AccountGone
            | AuthFailure::AccessTokenGone
            | AuthFailure::SignInOver
            | AuthFailure::SessionOver
            | AuthFailure::PasswordsRefused
            | AuthFailure::Certificate(_)
            | AuthFailure::CertificateOfNobody { .. }
            | AuthFailure::Malformed => {
                self.unauthorized(Complaint::InvalidToken, failure.to_string())
            }
        }
    }

    fn unauthorized(&self, complaint: Complaint, reason: String) -> Problem {
        let realm = Realm { origin: &self.origin, service: SERVICE };
        let challenge = match self.admission.challenge {
            ChallengeKind::Bearer => realm.bearer(self.admission.scope.as_deref(), complaint),
            ChallengeKind::Basic => realm.basic(),
        };
        Problem::Unauthorized { challenge, reason }
    }
}

/// Counts a request of this account, or of the client's address where there is none. The account is
/// one that was proven: else anybody could use up what another has. Health pages cost nothing.
fn pay(context: &Context, parts: &Parts, account: Option<&str>) -> Result<(), Problem> {
    if Surface::of(parts.uri.path()) == Surface::Health {
        return Ok(());
    }
    let payer = Payer::of(account, Connected::of(parts).address.ip());
    Ok(context.rates.take(payer, context.clock.monotonic_ms())?)
}

/// How long a question about the cluster's health waits for the cluster.
const MOMENT: Duration = Duration::from_secs(1);

/// A replica that waited in vain for the read barrier is cut off where a majority has been silent
/// for so long; else it lags behind one that answers, and must not go on by what it knew.
const SILENCE_MIN: Duration = Duration::from_secs(3);

fn no_leader() -> Failure {
    Failure::unavailable(Unavailable::NoLeader)
}

/// Waits for the read barrier; says whether the request goes on by what was last known.
async fn settle(context: &Context, need: Need) -> Result<bool, Problem> {
    if need == Need::LastKnown {
        return Ok(false);
    }
    // Known to be cut off: waiting once more would slow down every pull that may go on.
    if need != Need::Fresh && is_tolerable(context, context.cluster.quorum_ok().err()) {
        return Ok(true);
    }
    let mut barrier = pin!(context.cluster.barrier());
    let settled = match need {
        Need::FreshIfQuick => match timeout(MOMENT, &mut barrier).await {
            Ok(settled) => settled,
            Err(_) if context.cluster.majority_silent() >= MOMENT => Err(no_leader()),
            // A majority answers; it is this replica that lags, and it may not know of what was
            // taken away.
            Err(_) => barrier.await,
        },
        _ => barrier.await,
    };
    let Err(failure) = settled else { return Ok(false) };
    let is_without = matches!(
        failure,
        Failure::Unavailable { reason: Unavailable::NoMajority | Unavailable::NoLeader, .. }
    );
    let silence = if need == Need::FreshIfQuick { MOMENT } else { SILENCE_MIN };
    let is_cut_off = is_without && context.cluster.majority_silent() >= silence;
    let without_ms = is_cut_off.then(|| context.cluster.quorum_ok().err().unwrap_or(0));
    if need != Need::Fresh && is_tolerable(context, without_ms) {
        return Ok(true);
    }
    Err(failure.into())
}

/// Whether a replica that has been cut off for so long may go on by the rights it last knew (P5).
fn is_tolerable(context: &Context, without_majority_ms: Option<u64>) -> bool {
    let stale_max_ms = context.limits.stale_reads_max.as_millis();
    without_majority_ms.is_some_and(|ms| u128::from(ms) < stale_max_ms)
}
