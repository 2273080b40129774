//! What somebody showed who has a command carried out, and whether it still holds when it is.
//!
//! A request may take long: an upload, a body that comes slowly, a command that waits for a leader.
//! Whoever was let in at its beginning may have been deleted or made inactive since, their token
//! revoked, their password changed. So the proposal says what was shown, and apply looks again.

use crate::access_tokens::{self, TokenHash};
use crate::accounts::{self, AccountId};
use crate::codec::message;
use crate::jobs::running::{self, JobHold};
use crate::moment::Moment;
use crate::page_sessions::{self, SessionHash};
use crate::refusal::Refusal;
use crate::ruling::Ruling;
use crate::tables::Read;

message! {
    /// What the asker of a command showed; nothing of it is a secret.
    pub struct Voucher {
        /// The account.
        1 account: AccountId,
        /// Its name, under which the command asks.
        2 name: String,
        /// The access token that was shown, or for which a token of the token endpoint was given.
        3 access_token: Option<TokenHash>,
        /// [`AccountRow::generation`](crate::accounts::AccountRow) as it was when the password was
        /// given; `None` where something else was shown.
        4 generation: Option<u64>,
        /// The session of the pages, where that was shown.
        5 page_session: Option<SessionHash>,
        /// Whether they were let in as a system administrator, which some commands do not look at
        /// again themselves.
        6 as_administrator: bool,
        /// The job that asks, as it was claimed; then nothing else is given.
        7 job: Option<JobHold>,
    }
}

impl Voucher {
    /// Somebody asks; by what they do is for the caller to add.
    pub fn of(account: AccountId, name: String) -> Self {
        Self {
            account,
            name,
            access_token: None,
            generation: None,
            page_session: None,
            as_administrator: false,
            job: None,
        }
    }

    /// A job asks: what it asks for is carried out as long as it holds the claim.
    pub fn of_job(hold: JobHold) -> Self {
        Self { job: Some(hold), ..Self::of([0; 16], String::new()) }
    }
}

/// Refuses where what was shown opens nothing any more.
pub(crate) fn check(read: &impl Read, voucher: &Voucher, moment: &Moment) -> Ruling<()> {
    if let Some(hold) = &voucher.job {
        return running::check(read, hold).map(drop);
    }
    let gone = || Refusal::CredentialsRevoked { actor: voucher.name.clone() };
    let (name, account) = accounts::find_by_id(read, &voucher.account)?.ok_or_else(gone)?;
    let is_of_now = voucher.generation.is_none_or(|then| then == account.generation);
    if name != voucher.name || !account.signs_in() || !is_of_now {
        return Err(gone().into());
    }
    if voucher.as_administrator && !account.is_admin {
        return Err(Refusal::NotAuthorized { actor: voucher.name.clone() }.into());
    }
    if let Some(hash) = &voucher.access_token {
        let token = access_tokens::find(read, hash)?.ok_or_else(gone)?;
        if token.account != voucher.account || !token.is_good(moment.wall_ms) {
            return Err(gone().into());
        }
    }
    if let Some(hash) = &voucher.page_session {
        let session = page_sessions::find(read, hash)?.ok_or_else(gone)?;
        if !session.is_good(&account, moment.wall_ms) {
            return Err(gone().into());
        }
    }
    Ok(())
}
