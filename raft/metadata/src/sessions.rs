//! Sessions: how a command takes effect once, however often it is sent.
//!
//! A session is one life of a replica, opened by an entry; opening one closes the former. Every
//! command carries (session, number, lowest number still open). Outcomes are kept for open numbers
//! only, so the table holds what is in flight; a late duplicate, below the lowest or of a closed
//! session, is refused for ever.

use crate::codec::message;
use crate::entry::Proposal;
use crate::key;
use crate::members;
use crate::moment::Moment;
use crate::outcome::{self, Answer, Outcome};
use crate::refusal::Refusal;
use crate::replica::ReplicaId;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Table, Write};

/// So many former lives of a replica are remembered, to know a late duplicate of their opening.
const FORMER_LIVES_MAX: usize = 8;

message! {
    /// Opens a session for a replica and closes its former one.
    ///
    /// It comes without a session itself: the proposal's `random` names the life, and the same life
    /// gets the same session however often it asks.
    pub struct SessionOpen {
        /// Who proposes under it.
        1 replica_id: ReplicaId,
        /// Must be the one it joined with.
        2 incarnation: String,
    }
}

message! {
    /// An open session.
    pub struct SessionRow {
        /// Whose it is.
        1 replica_id: ReplicaId,
        /// Numbers below are closed: their outcomes are forgotten and they are refused.
        2 lowest_open: u64,
    }
}

message! {
    /// A replica's open session.
    pub struct ReplicaSessionRow {
        /// Its number.
        1 session: u64,
        /// The life that opened it.
        2 life: [u8; 16],
        /// Lives before that, the newest last.
        3 former_lives: Vec<[u8; 16]>,
    }
}

/// What a proposal's session and number say of it.
pub(crate) enum Admission {
    /// It comes for the first time.
    New,
    /// It was carried out before, with this outcome.
    Known(Outcome),
}

impl SessionOpen {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let replica_id = self.replica_id;
        let member = members::find(tables, replica_id)?;
        let member = member.ok_or(Refusal::MemberUnknown { replica_id })?;
        if member.incarnation != self.incarnation {
            return Err(Refusal::IncarnationUnknown { replica_id }.into());
        }
        let mut former_lives = Vec::new();
        if let Some(row) = of_replica(tables, replica_id)? {
            if row.life == moment.random {
                return Ok(Answer::Session { session: row.session });
            }
            if row.former_lives.contains(&moment.random) {
                return Err(Refusal::LifeOver { replica_id }.into());
            }
            close(tables, row.session)?;
            former_lives = row.former_lives;
            former_lives.push(row.life);
            let surplus = former_lives.len().saturating_sub(FORMER_LIVES_MAX);
            former_lives.drain(..surplus);
        }
        let session = row::next_number(tables, b"last_session")?;
        let row = SessionRow { replica_id, lowest_open: 1 };
        row::put(tables, Table::Sessions, session.to_be_bytes().to_vec(), &row);
        let row = ReplicaSessionRow { session, life: moment.random, former_lives };
        row::put(tables, Table::ReplicaSessions, replica_key(replica_id), &row);
        Ok(Answer::Session { session })
    }
}

/// The session a replica has open.
pub fn of_replica(
    read: &impl Read,
    replica_id: ReplicaId,
) -> Result<Option<ReplicaSessionRow>, Damage> {
    row::find(read, Table::ReplicaSessions, &replica_key(replica_id))
}

/// An open session.
pub fn find(read: &impl Read, session: u64) -> Result<Option<SessionRow>, Damage> {
    row::find(read, Table::Sessions, &session.to_be_bytes())
}

/// Judges a proposal by session and number, and forgets what it says it no longer needs.
pub(crate) fn admit(
    tables: &mut impl Write,
    proposal: &Proposal,
) -> Result<Result<Admission, Refusal>, Damage> {
    let (session, number) = (proposal.session, proposal.number);
    let Some(mut row) = find(tables, session)? else {
        return Ok(Err(Refusal::SessionClosed { session }));
    };
    if number < row.lowest_open {
        return Ok(Err(Refusal::NumberClosed { session, number }));
    }
    // The command's own number is open, whatever it says.
    let lowest_open = proposal.lowest_open.min(number);
    if lowest_open > row.lowest_open {
        forget_outcomes(tables, session, row.lowest_open, Some(lowest_open))?;
        row.lowest_open = lowest_open;
        row::put(tables, Table::Sessions, session.to_be_bytes().to_vec(), &row);
    }
    match tables.get(Table::Outcomes, &outcome_key(session, number))? {
        Some(value) => Ok(Ok(Admission::Known(outcome::decode(&value)?))),
        None => Ok(Ok(Admission::New)),
    }
}

/// Keeps an outcome until its number is closed.
pub(crate) fn remember(tables: &mut impl Write, proposal: &Proposal, outcome: &Outcome) {
    let key = outcome_key(proposal.session, proposal.number);
    tables.put(Table::Outcomes, key, outcome::encode(outcome));
}

/// Closes the session of a replica that is no member any more.
pub(crate) fn close_of(tables: &mut impl Write, replica_id: ReplicaId) -> Result<(), Damage> {
    if let Some(row) = of_replica(tables, replica_id)? {
        close(tables, row.session)?;
        tables.delete(Table::ReplicaSessions, &replica_key(replica_id));
    }
    Ok(())
}

fn close(tables: &mut impl Write, session: u64) -> Result<(), Damage> {
    tables.delete(Table::Sessions, &session.to_be_bytes());
    forget_outcomes(tables, session, 0, None)
}

/// Forgets outcomes from number `from` up to `to`, excluded; to the last without `to`.
fn forget_outcomes(
    tables: &mut impl Write,
    session: u64,
    from: u64,
    to: Option<u64>,
) -> Result<(), Damage> {
    let from = outcome_key(session, from);
    let to = match to {
        Some(to) => Some(outcome_key(session, to)),
        None => key::after_prefix(&session.to_be_bytes()),
    };
    for (key, _) in tables.range(Table::Outcomes, &from, to.as_deref(), usize::MAX)? {
        tables.delete(Table::Outcomes, &key);
    }
    Ok(())
}

fn outcome_key(session: u64, number: u64) -> Vec<u8> {
    key::join(&[&session.to_be_bytes(), &number.to_be_bytes()])
}

fn replica_key(replica_id: ReplicaId) -> Vec<u8> {
    replica_id.as_u64().to_be_bytes().to_vec()
}
