//! The only way in for a change: one log entry, carried out on the tables.
//!
//! [`apply`] is a function of the tables and the entry. It moves the clocks on, takes away a
//! bounded number of rows whose time is over, and then carries out the entry's proposals, each as a
//! whole or not at all, each once.

use crate::accounts;
use crate::audit::{self, deed};
use crate::clocks;
use crate::codec::Malformed;
use crate::command::Command;
use crate::entry::{Entry, FORMAT, Origin, Proposal};
use crate::events::retention;
use crate::leases;
use crate::moment::Moment;
use crate::outcome::{Answer, Outcome};
use crate::page_sessions;
use crate::refusal::Refusal;
use crate::releases;
use crate::repositories::deletion;
use crate::request_keys;
use crate::ruling::{Ruling, Stop};
use crate::sessions::{self, Admission};
use crate::tables::{Damage, Draft, VALUE_BYTES_MAX, Write};
use crate::tags;
use crate::teams;
use crate::vouchers;

/// Expired leases that an entry takes away; grows with its proposals, so that none pile up.
const LEASES_SWEPT_MAX: usize = 64;

/// Old releases that an entry takes away, likewise.
const RELEASES_SWEPT_MAX: usize = 64;

/// Sessions of pages that are over and that an entry takes away, likewise.
const SESSIONS_SWEPT_MAX: usize = 16;
/// Ends of what is held for deleted tags, likewise.
const HOLDS_SWEPT_MAX: usize = 64;
/// Keys of requests whose time is over, likewise.
const REQUEST_KEYS_SWEPT_MAX: usize = 16;
/// Events nobody keeps any more that an entry takes away, likewise.
const EVENTS_SWEPT_MAX: usize = 64;

/// Where an entry stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Its index.
    pub log_index: u64,
    /// The term of the leader that wrote it; for logs only, since apply does not depend on it.
    pub term: u64,
}

/// This replica can't go on applying. The entry's changes, made in part, must be dropped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// A newer binary wrote the entry, or it is damaged.
    #[error(
        "log entry {log_index} can't be applied by this version: {cause}; install the version \
             that the other replicas run and start again"
    )]
    EntryUnknown {
        /// The entry.
        log_index: u64,
        /// What was found.
        cause: Malformed,
    },
    /// This replica's tables are wrong.
    #[error(
        "log entry {log_index} can't be applied: {cause}; the tables have to be rebuilt from a \
             snapshot and the log"
    )]
    TablesDamaged {
        /// The entry.
        log_index: u64,
        /// What was found.
        cause: Damage,
    },
}

/// Carries out `entry`; an outcome for each of its proposals, in their order.
///
/// # Errors
///
/// [`Halt`] where the entry is of a newer kind or the tables are damaged: then what was written has
/// to be thrown away, and the replica must not go on.
pub fn apply<W: Write>(
    tables: &mut W,
    position: Position,
    entry: &Entry,
) -> Result<Vec<Outcome>, Halt> {
    let log_index = position.log_index;
    let unknown = |cause| Halt::EntryUnknown { log_index, cause };
    if entry.format != FORMAT {
        return Err(unknown(Malformed::NewerFormat(entry.format)));
    }
    let commands = entry.proposals.iter().map(|proposal| Command::decode(&proposal.command));
    let commands: Vec<Command> = commands.collect::<Result<_, _>>().map_err(unknown)?;
    carry_out(tables, log_index, entry, &commands)
        .map_err(|cause| Halt::TablesDamaged { log_index, cause })
}

fn carry_out<W: Write>(
    tables: &mut W,
    index: u64,
    entry: &Entry,
    commands: &[Command],
) -> Result<Vec<Outcome>, Damage> {
    let clock = clocks::advance(tables, &entry.stamp)?;
    let (cluster_ms, wall_ms) = (clock.cluster_ms, clock.wall_ms);
    let moment = Moment { index, cluster_ms, wall_ms, random: [0; 16] };
    sweep(tables, &moment, commands.len())?;
    let mut outcomes = Vec::with_capacity(commands.len());
    for (proposal, command) in entry.proposals.iter().zip(commands) {
        let moment = Moment { random: proposal.random, ..moment };
        outcomes.push(once(tables, proposal, command, &moment)?);
    }
    Ok(outcomes)
}

fn sweep<W: Write>(tables: &mut W, moment: &Moment, proposals: usize) -> Result<(), Damage> {
    leases::sweep(tables, moment, LEASES_SWEPT_MAX + 4 * proposals)?;
    releases::sweep(tables, moment.index, RELEASES_SWEPT_MAX + 4 * proposals)?;
    tags::deleted::sweep(tables, moment, HOLDS_SWEPT_MAX + 4 * proposals)?;
    tags::order::sweep(tables, moment)?;
    deletion::sweep(tables, moment)?;
    teams::sweep(tables)?;
    page_sessions::sweep(tables, moment.wall_ms, SESSIONS_SWEPT_MAX + proposals)?;
    accounts::deletion::sweep(tables, moment)?;
    request_keys::sweep(tables, moment, REQUEST_KEYS_SWEPT_MAX + 2 * proposals)?;
    retention::sweep(tables, moment, EVENTS_SWEPT_MAX + 16 * proposals)
}

/// Carries out a command unless its session and number say that it was, or that it is too late.
fn once<W: Write>(
    tables: &mut W,
    proposal: &Proposal,
    command: &Command,
    moment: &Moment,
) -> Result<Outcome, Damage> {
    if command.needs_no_session() {
        return whole(tables, command, proposal.origin.as_ref(), moment);
    }
    match sessions::admit(tables, proposal)? {
        Err(refusal) => Ok(Err(refusal)),
        Ok(Admission::Known(outcome)) => Ok(outcome),
        Ok(Admission::New) => {
            let outcome = bounded(vouched(tables, proposal, command, moment)?);
            // A member that is removed by its own command has no session left to remember it in.
            if sessions::find(tables, proposal.session)?.is_some() {
                sessions::remember(tables, proposal, &outcome);
            }
            Ok(outcome)
        }
    }
}

/// Carries out a command where what its asker showed still holds.
fn vouched<W: Write>(
    tables: &mut W,
    proposal: &Proposal,
    command: &Command,
    moment: &Moment,
) -> Result<Outcome, Damage> {
    let Some(voucher) = &proposal.voucher else { return keyed(tables, proposal, command, moment) };
    match vouchers::check(tables, voucher, moment) {
        Ok(()) => keyed(tables, proposal, command, moment),
        Err(Stop::Refused(refusal)) => Ok(Err(*refusal)),
        Err(Stop::Damaged(damage)) => Err(damage),
    }
}

/// Carries out a command unless its request was carried out before, under a key of its client.
fn keyed<W: Write>(
    tables: &mut W,
    proposal: &Proposal,
    command: &Command,
    moment: &Moment,
) -> Result<Outcome, Damage> {
    let origin = proposal.origin.as_ref();
    let Some(key) = &proposal.request_key else { return whole(tables, command, origin, moment) };
    if let Some(known) = request_keys::judge(tables, key, moment)? {
        return Ok(known);
    }
    let outcome = whole(tables, command, origin, moment)?;
    if let Ok(answer) = &outcome {
        request_keys::keep(tables, key, answer, moment)?;
    }
    Ok(outcome)
}

/// A refusal that says back too much of what was asked, made short. Answers are short by
/// themselves.
fn bounded(outcome: Outcome) -> Outcome {
    match outcome {
        Err(refusal) if refusal.encode().len() > VALUE_BYTES_MAX => {
            Err(Refusal::out_of_bounds("the bytes of a command's names", VALUE_BYTES_MAX))
        }
        outcome => outcome,
    }
}

/// Carries out a command, with its record in the audit log, as a whole or not at all.
pub(crate) fn whole<W: Write>(
    tables: &mut W,
    command: &Command,
    origin: Option<&Origin>,
    moment: &Moment,
) -> Result<Outcome, Damage> {
    let mut draft = Draft::new(tables);
    let deed = deed::of(&draft, command)?;
    let ruling: Ruling<Answer> = command.apply(&mut draft, moment);
    match ruling {
        // No command should write so much. One that does would halt every replica's store, so it is
        // refused instead.
        Ok(_) if draft.longest_value() > VALUE_BYTES_MAX => {
            Ok(Err(Refusal::out_of_bounds("the bytes of a row", VALUE_BYTES_MAX)))
        }
        Ok(answer) => {
            if let Some(deed) = deed::finished(&draft, command, deed, &answer)? {
                audit::note(&mut draft, deed, origin, moment)?;
            }
            draft.keep();
            Ok(Ok(answer))
        }
        Err(Stop::Refused(refusal)) => Ok(Err(Refusal::clone(&refusal))),
        Err(Stop::Damaged(damage)) => Err(damage),
    }
}
