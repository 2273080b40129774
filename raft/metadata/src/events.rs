//! Events: what happened to repositories, newest first, and what later is told to the outside.
//!
//! Apply writes an event with the change that causes it; pulls are gathered on each replica and
//! come some at a time ([`pulls`]). Events are numbered without gaps over the whole cluster, so
//! whoever delivers them goes on from a number. Three rows of an index lead to each, by repository,
//! account and kind; times need none, since later events are never dated earlier.
//!
//! How many are kept is for the operator to say ([`retention`]), and bounded whatever they say.

use oci::digest::Digest;

use crate::accounts::AccountId;
use crate::codec::{message, numbered};
use crate::row;
use crate::tables::{Damage, Read, Table, Write};

pub mod listing;
pub mod pulls;
pub mod retention;
pub(crate) mod writing;

/// Events that are kept, at most: an older one goes for each that comes.
pub const EVENTS_MAX: u64 = 250_000;

const KEY: &[u8] = b"events";

numbered! {
    /// What was done.
    pub enum EventType {
        /// Something came to be.
        1 Create,
        /// It was pulled.
        2 Get,
        /// It was changed; of a tag: it was pushed.
        3 Update,
        /// It was deleted.
        4 Delete,
        /// It was sent.
        5 Send,
        /// It was tried and failed.
        6 Fail,
        /// It was scanned.
        7 Scan,
    }
}

numbered! {
    /// What it was done to.
    pub enum ObjectType {
        /// A repository.
        1 Repository,
        /// A tag.
        2 Tag,
        /// A blob.
        3 Blob,
        /// A manifest.
        4 Manifest,
        /// A subscription to events.
        5 Webhook,
        /// Where something was sent.
        6 Uri,
        /// A copy of an image in another repository.
        7 Promotion,
        /// A copy of an image in another registry.
        8 PushMirroring,
        /// A copy of an image of another registry.
        9 PollMirroring,
    }
}

numbered! {
    /// Who did it.
    pub enum ActorType {
        /// An account.
        1 User,
        /// Somebody who did not sign in.
        2 Anonymous,
        /// The cluster by itself.
        3 System,
        /// A policy of a repository.
        4 Policy,
    }
}

/// What was done to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// What was done.
    pub event: EventType,
    /// To what.
    pub object: ObjectType,
}

impl Kind {
    /// Every kind that is written today; a list looks under each of them.
    pub const ALL: &'static [Self] = &[
        Self::of(EventType::Create, ObjectType::Repository),
        Self::of(EventType::Update, ObjectType::Repository),
        Self::of(EventType::Delete, ObjectType::Repository),
        Self::of(EventType::Create, ObjectType::Manifest),
        Self::of(EventType::Get, ObjectType::Manifest),
        Self::of(EventType::Delete, ObjectType::Manifest),
        Self::of(EventType::Update, ObjectType::Tag),
        Self::of(EventType::Get, ObjectType::Tag),
        Self::of(EventType::Delete, ObjectType::Tag),
    ];

    /// Both together.
    pub const fn of(event: EventType, object: ObjectType) -> Self {
        Self { event, object }
    }

    /// Whether everyone sees it who sees the repository; the rest is for its administrators.
    ///
    /// Source: dtr-interface 11.2, 15.
    pub fn is_open(self) -> bool {
        let is_told = matches!(
            self.object,
            ObjectType::Repository | ObjectType::Tag | ObjectType::Blob | ObjectType::Manifest
        );
        is_told && self.event != EventType::Get
    }

    /// Its byte in keys of the index.
    pub(crate) fn byte(self) -> u8 {
        ((self.event as u8) << 4) | self.object as u8
    }
}

message! {
    /// An event, under its number.
    pub struct EventRow {
        /// What was done.
        1 event_type: EventType,
        /// To what.
        2 object_type: ObjectType,
        /// When, milliseconds since 1970; never before that of an earlier number.
        3 wall_ms: u64,
        /// When, in cluster time: its age is counted by that.
        4 cluster_ms: u64,
        /// What did it.
        5 actor_type: ActorType,
        /// The account that did it, where one did.
        6 actor: Option<AccountId>,
        /// The repository's number.
        7 repository_number: u64,
        /// The repository's id.
        8 repository_id: [u8; 16],
        /// What the repository was called.
        9 repository: String,
        /// The tag, of events of tags.
        10 tag: String,
        /// The manifest, or the one that the tag points at, or did.
        11 digest: Option<Digest>,
    }
}

impl EventRow {
    /// What was done to what.
    pub fn kind(&self) -> Kind {
        Kind::of(self.event_type, self.object_type)
    }
}

message! {
    /// Which events are kept.
    pub struct EventsRow {
        /// The number of the oldest.
        1 first: u64,
        /// The number of the newest; one less than `first` where there is none.
        2 last: u64,
    }
}

impl EventsRow {
    /// How many there are.
    pub fn count(&self) -> u64 {
        (self.last + 1).saturating_sub(self.first)
    }
}

/// Which events are kept.
pub fn kept(read: &impl Read) -> Result<EventsRow, Damage> {
    Ok(row::find(read, Table::Singles, KEY)?.unwrap_or(EventsRow { first: 1, last: 0 }))
}

fn keep(tables: &mut impl Write, kept: &EventsRow) {
    row::put(tables, Table::Singles, KEY.to_vec(), kept);
}

/// The event with that number, if it is kept.
pub fn find(read: &impl Read, number: u64) -> Result<Option<EventRow>, Damage> {
    row::find(read, Table::Events, &number.to_be_bytes())
}

fn existing(read: &impl Read, number: u64) -> Result<EventRow, Damage> {
    find(read, number)?.ok_or_else(|| Damage(format!("event {number} is counted and not there")))
}
