//! Lists of events, newest first: every filter is a range of the index, or some of them merged.
//!
//! Only an account's events within one repository are sifted, a bounded number at a time; then a
//! part of the list may have fewer events than asked for, or none, and yet go on.

use super::{EventRow, EventsRow, Kind, existing, kept};
use crate::accounts::AccountId;
use crate::key;
use crate::repositories::RepositoryNumber;
use crate::tables::{Damage, Read, Table};

/// Events that one part of a list has, at most.
pub const LIMIT_MAX: usize = 100;

/// Events that are sifted for one part of a list.
const SIFTED_MAX: usize = 300;

const BY_REPOSITORY: u8 = b'r';
const BY_ACTOR: u8 = b'a';
const BY_KIND: u8 = b'k';

/// Which events are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Only of this repository.
    pub repository: Option<RepositoryNumber>,
    /// Only of this account.
    pub actor: Option<AccountId>,
    /// Only of these kinds.
    pub kinds: Vec<Kind>,
    /// Only later ones, milliseconds since 1970.
    pub after_wall_ms: Option<u64>,
    /// Only earlier ones, milliseconds since 1970.
    pub before_wall_ms: Option<u64>,
}

impl Filter {
    /// Every event.
    pub fn all() -> Self {
        let kinds = Kind::ALL.to_vec();
        Self { repository: None, actor: None, kinds, after_wall_ms: None, before_wall_ms: None }
    }

    /// What the keys of the index begin with under which the wanted ones stand; `None` where every
    /// event is wanted.
    fn prefixes(&self) -> Option<Vec<Vec<u8>>> {
        let scope = match (self.repository, self.actor) {
            (Some(number), _) => key::join(&[&[BY_REPOSITORY], &number.0.to_be_bytes()]),
            (None, Some(actor)) => key::join(&[&[BY_ACTOR], &actor]),
            (None, None) if Kind::ALL.iter().all(|kind| self.kinds.contains(kind)) => return None,
            (None, None) => vec![BY_KIND],
        };
        let wanted = Kind::ALL.iter().filter(|kind| self.kinds.contains(kind));
        Some(wanted.map(|kind| key::join(&[&scope, &[kind.byte()]])).collect())
    }

    /// Whether what the index leads to has to be sifted.
    fn sifts(&self) -> bool {
        self.repository.is_some() && self.actor.is_some()
    }
}

/// A part of a list of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// With their numbers, the newest first.
    pub items: Vec<(u64, EventRow)>,
    /// The number with which the list goes on, where it does.
    pub next: Option<u64>,
}

/// The wanted events, the newest first, from the number `from` on; [`LIMIT_MAX`] of them at most.
pub fn listing(
    read: &impl Read,
    filter: &Filter,
    from: Option<u64>,
    limit: usize,
) -> Result<Part, Damage> {
    let limit = limit.min(LIMIT_MAX);
    let wanted = 1 + if filter.sifts() { SIFTED_MAX } else { limit };
    let numbers = numbers(read, filter, from, wanted)?;
    let mut items = Vec::new();
    for (place, number) in numbers.into_iter().enumerate() {
        if items.len() == limit || place + 1 == wanted {
            return Ok(Part { items, next: Some(number) });
        }
        let event = existing(read, number)?;
        if !filter.sifts() || event.actor == filter.actor {
            items.push((number, event));
        }
    }
    Ok(Part { items, next: None })
}

/// The first `wanted` numbers that the index has for the filter.
fn numbers(
    read: &impl Read,
    filter: &Filter,
    from: Option<u64>,
    wanted: usize,
) -> Result<Vec<u64>, Damage> {
    let kept = kept(read)?;
    let (oldest, newest) = bounds(read, &kept, filter, from)?;
    if oldest > newest {
        return Ok(Vec::new());
    }
    let Some(prefixes) = filter.prefixes() else {
        return Ok((oldest..=newest).rev().take(wanted).collect());
    };
    let mut numbers = Vec::new();
    for prefix in prefixes {
        let from = key::join(&[&prefix, &inverted(newest)]);
        let to = key::after(key::join(&[&prefix, &inverted(oldest)]));
        for (key, _) in read.range(Table::EventIndexes, &from, Some(&to), wanted)? {
            numbers.push(u64::MAX - key::split_u64(&key[prefix.len()..])?.0);
        }
    }
    numbers.sort_unstable_by(|one, other| other.cmp(one));
    numbers.truncate(wanted);
    Ok(numbers)
}

/// The oldest and the newest number that may be wanted; the other way round where none is.
fn bounds(
    read: &impl Read,
    kept: &EventsRow,
    filter: &Filter,
    from: Option<u64>,
) -> Result<(u64, u64), Damage> {
    let oldest = match filter.after_wall_ms {
        Some(after_ms) => first_at(read, kept, after_ms.saturating_add(1))?,
        None => kept.first,
    };
    let newest = match filter.before_wall_ms {
        Some(before_ms) => first_at(read, kept, before_ms)?.saturating_sub(1),
        None => kept.last,
    };
    Ok((oldest, from.map_or(newest, |from| newest.min(from))))
}

/// The oldest number that is not dated before `wall_ms`; one more than the newest where all are.
fn first_at(read: &impl Read, kept: &EventsRow, wall_ms: u64) -> Result<u64, Damage> {
    let (mut low, mut high) = (kept.first, kept.last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if existing(read, middle)?.wall_ms < wall_ms {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// Where the index leads to an event.
pub(crate) fn keys_of(number: u64, event: &EventRow) -> Vec<Vec<u8>> {
    let end = key::join(&[&[event.kind().byte()], &inverted(number)]);
    let mut keys = vec![
        key::join(&[&[BY_REPOSITORY], &event.repository_number.to_be_bytes(), &end]),
        key::join(&[&[BY_KIND], &end]),
    ];
    keys.extend(event.actor.map(|actor| key::join(&[&[BY_ACTOR], &actor, &end])));
    keys
}

/// So that the newest comes first in byte order.
fn inverted(number: u64) -> [u8; 8] {
    (u64::MAX - number).to_be_bytes()
}
