//! Writing events with the change that causes them, and taking the oldest away.

use oci::digest::Digest;
use oci::name::{RepositoryName, TagName};

use super::{
    ActorType, EVENTS_MAX, EventRow, EventType, EventsRow, Kind, ObjectType, existing, keep, kept,
    listing,
};
use crate::accounts::{self, AccountId};
use crate::moment::Moment;
use crate::repositories::RepositoryRow;
use crate::row;
use crate::tables::{Damage, Read, Table, Write};

/// What happened, in one repository.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Happening<'a> {
    pub(crate) kind: Kind,
    pub(crate) tag: Option<&'a TagName>,
    pub(crate) digest: Option<&'a Digest>,
}

impl<'a> Happening<'a> {
    pub(crate) fn to_repository(event: EventType) -> Self {
        Self { kind: Kind::of(event, ObjectType::Repository), tag: None, digest: None }
    }

    pub(crate) fn to_manifest(event: EventType, digest: &'a Digest) -> Self {
        Self { kind: Kind::of(event, ObjectType::Manifest), tag: None, digest: Some(digest) }
    }

    pub(crate) fn to_tag(event: EventType, tag: &'a TagName, digest: &'a Digest) -> Self {
        Self { kind: Kind::of(event, ObjectType::Tag), tag: Some(tag), digest: Some(digest) }
    }
}

/// A name with its repository.
pub(crate) type Place<'a> = (&'a RepositoryName, &'a RepositoryRow);

/// Writes an event for each of these, done by the account `actor`, or by the cluster itself where
/// that is empty.
pub(crate) fn note(
    tables: &mut impl Write,
    place: Place<'_>,
    actor: &str,
    happenings: &[Happening<'_>],
    moment: &Moment,
) -> Result<(), Damage> {
    if happenings.is_empty() {
        return Ok(());
    }
    let actor = match accounts::find(tables, actor)? {
        Some(account) => (ActorType::User, Some(account.id)),
        None => (ActorType::System, None),
    };
    let mut kept = kept(tables)?;
    for happening in happenings {
        add(tables, &mut kept, &row_of(place, actor, happening, moment), EVENTS_MAX)?;
    }
    keep(tables, &kept);
    Ok(())
}

/// The row of an event.
pub(super) fn row_of(
    (repository, row): Place<'_>,
    (actor_type, actor): (ActorType, Option<AccountId>),
    happening: &Happening<'_>,
    moment: &Moment,
) -> EventRow {
    EventRow {
        event_type: happening.kind.event,
        object_type: happening.kind.object,
        wall_ms: moment.wall_ms,
        cluster_ms: moment.cluster_ms,
        actor_type,
        actor,
        repository_number: row.number,
        repository_id: row.id,
        repository: repository.as_str().to_owned(),
        tag: happening.tag.map(|tag| tag.as_str().to_owned()).unwrap_or_default(),
        digest: happening.digest.cloned(),
    }
}

/// Writes an event under the next number; the oldest goes where there would be more than `most`.
pub(super) fn add(
    tables: &mut impl Write,
    kept: &mut EventsRow,
    event: &EventRow,
    most: u64,
) -> Result<(), Damage> {
    while kept.count() >= most {
        remove_oldest(tables, kept)?;
    }
    kept.last += 1;
    row::put(tables, Table::Events, kept.last.to_be_bytes().to_vec(), event);
    for key in listing::keys_of(kept.last, event) {
        row::mark(tables, Table::EventIndexes, key);
    }
    Ok(())
}

/// Takes the oldest event away, and what leads to it.
pub(super) fn remove_oldest(tables: &mut impl Write, kept: &mut EventsRow) -> Result<(), Damage> {
    let event = existing(tables, kept.first)?;
    for key in listing::keys_of(kept.first, &event) {
        tables.delete(Table::EventIndexes, &key);
    }
    tables.delete(Table::Events, &kept.first.to_be_bytes());
    kept.first += 1;
    Ok(())
}

/// Whether the oldest event is older than this in cluster time; not so where there is none.
pub(super) fn oldest_is_before(
    read: &impl Read,
    kept: &EventsRow,
    cluster_ms: u64,
) -> Result<bool, Damage> {
    Ok(kept.count() > 0 && existing(read, kept.first)?.cluster_ms < cluster_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Memory;

    fn event(number: u64) -> EventRow {
        EventRow {
            event_type: EventType::Update,
            object_type: ObjectType::Repository,
            wall_ms: number,
            cluster_ms: 0,
            actor_type: ActorType::User,
            actor: Some([2; 16]),
            repository_number: 1,
            repository_id: [1; 16],
            repository: "a/b".to_owned(),
            tag: String::new(),
            digest: None,
        }
    }

    #[test]
    fn there_are_never_more_than_may_be_and_the_oldest_goes_with_all_that_leads_to_it() {
        let mut tables = Memory::default();
        let mut kept = kept(&tables).unwrap();
        for number in 1..=30 {
            add(&mut tables, &mut kept, &event(number), 10).unwrap();
            keep(&mut tables, &kept);
            assert_eq!(kept.count(), number.min(10));
            let rows = usize::try_from(kept.count()).unwrap();
            assert_eq!(tables.count(Table::Events), rows);
            assert_eq!(tables.count(Table::EventIndexes), 3 * rows);
        }
        assert_eq!(kept, EventsRow { first: 21, last: 30 });
        assert_eq!(existing(&tables, 21).unwrap().wall_ms, 21);
    }
}
