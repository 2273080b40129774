//! Lists of audit records: all of them, or those that fit, looked through some at a time.

use super::{AuditRecord, AuditRow, RecordHash, chain, existing};
use crate::accounts::AccountId;
use crate::tables::{Damage, Read};

/// Records that one part of a list has, at most.
pub const LIMIT_MAX: usize = 1000;

/// Records that are looked at for one part of a list.
const LOOKED_AT_MAX: usize = 1000;

/// Which records are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of the account of that name.
    pub actor: Option<String>,
    /// Only of the account with that id.
    pub actor_id: Option<AccountId>,
    /// Only this action, or all of a noun where it ends with a dot.
    pub action: Option<String>,
    /// Only of the thing of that name.
    pub object: Option<String>,
    /// Only from then on, milliseconds since 1970.
    pub since_wall_ms: Option<u64>,
    /// Only before, milliseconds since 1970.
    pub until_wall_ms: Option<u64>,
}

impl Filter {
    fn wants(&self, record: &AuditRecord) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        let action = self.action.as_deref().unwrap_or(".");
        is(&self.actor, &record.actor)
            && (self.actor_id.is_none() || self.actor_id == record.actor_id)
            && (action == "."
                || action == record.action
                || action.ends_with('.') && record.action.starts_with(action))
            && is(&self.object, &record.object)
    }
}

/// Which end of the log comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As people look.
    NewestFirst,
    /// As the chain goes.
    OldestFirst,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Each with the hash before it.
    pub items: Vec<(RecordHash, AuditRow)>,
    /// The number with which the list goes on, where it does.
    pub next: Option<u64>,
}

/// The wanted records from the number `from` on, [`LIMIT_MAX`] of them at most; where few fit, a
/// part may have none and yet go on.
pub fn listing(
    read: &impl Read,
    filter: &Filter,
    order: Order,
    (from, limit): (Option<u64>, usize),
) -> Result<Part, Damage> {
    let (limit, chain) = (limit.min(LIMIT_MAX), chain(read)?);
    let oldest = match filter.since_wall_ms {
        Some(since_ms) => first_at(read, (chain.first, chain.last), since_ms)?,
        None => chain.first,
    };
    let newest = match filter.until_wall_ms {
        Some(until_ms) => first_at(read, (chain.first, chain.last), until_ms)?.saturating_sub(1),
        None => chain.last,
    };
    let numbers: Box<dyn Iterator<Item = u64>> = match order {
        Order::NewestFirst => Box::new((oldest..=from.map_or(newest, |it| it.min(newest))).rev()),
        Order::OldestFirst => Box::new(from.map_or(oldest, |it| it.max(oldest))..=newest),
    };
    let mut items = Vec::new();
    for (looked_at, number) in numbers.enumerate() {
        if looked_at == LOOKED_AT_MAX || items.len() == limit {
            return Ok(Part { items, next: Some(number) });
        }
        let row = existing(read, number)?;
        if filter.wants(&row.record) {
            let is_first = number == chain.first;
            let before = if is_first { chain.anchor } else { existing(read, number - 1)?.hash };
            items.push((before, row));
        }
    }
    Ok(Part { items, next: None })
}

/// The oldest number that is not dated before `wall_ms`; one more than the newest where all are.
fn first_at(read: &impl Read, (first, last): (u64, u64), wall_ms: u64) -> Result<u64, Damage> {
    let (mut low, mut high) = (first, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if existing(read, middle)?.record.wall_ms < wall_ms {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
