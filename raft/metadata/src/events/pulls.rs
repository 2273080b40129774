//! Pulls, as the replicas that answered them tell: some at a time, never an entry for each.

use oci::digest::Digest;
use oci::name::{RepositoryName, TagName};

use super::writing::{self, Happening};
use super::{ActorType, EVENTS_MAX, EventType, keep, kept};
use crate::accounts::AccountId;
use crate::codec::message;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::repositories;
use crate::ruling::Ruling;
use crate::tables::Write;

/// Pulls that one command notes, at most.
pub const BATCH_MAX: usize = 250;

message! {
    /// That a manifest was pulled.
    pub struct Pull {
        /// From where.
        1 repository: RepositoryName,
        /// By which tag; by its digest where there is none.
        2 tag: Option<TagName>,
        /// Which.
        3 digest: Digest,
        /// By whom, where they signed in.
        4 actor: Option<AccountId>,
    }
}

message! {
    /// Notes pulls; those from a repository that is gone are passed over.
    pub struct PullsNote {
        /// At most [`BATCH_MAX`].
        1 pulls: Vec<Pull>,
    }
}

impl PullsNote {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        if self.pulls.len() > BATCH_MAX {
            return Err(Refusal::out_of_bounds("pulls of one command", BATCH_MAX).into());
        }
        let mut kept = kept(tables)?;
        for Pull { repository, tag, digest, actor } in &self.pulls {
            let Some(row) = repositories::find(tables, repository)? else { continue };
            let happening = match tag {
                Some(tag) => Happening::to_tag(EventType::Get, tag, digest),
                None => Happening::to_manifest(EventType::Get, digest),
            };
            let kind = if actor.is_some() { ActorType::User } else { ActorType::Anonymous };
            let event = writing::row_of((repository, &row), (kind, *actor), &happening, moment);
            writing::add(tables, &mut kept, &event, EVENTS_MAX)?;
        }
        keep(tables, &kept);
        Ok(Answer::Done)
    }
}
