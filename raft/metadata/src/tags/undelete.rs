//! Bringing a tag back that was deleted or evicted.

use oci::name::{RepositoryName, TagName};

use super::history::{self, Event, EventRow};
use super::{TagRow, deleted, enter, find_in, order};
use crate::access::Action;
use crate::codec::message;
use crate::events::EventType;
use crate::events::writing::{self, Happening};
use crate::manifests::held;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::quotas;
use crate::refusal::Refusal;
use crate::repositories;
use crate::ruling::Ruling;
use crate::tables::Write;

message! {
    /// Brings a tag back as it was, with its manifest and all that this names.
    pub struct TagUndelete {
        /// Where.
        1 repository: RepositoryName,
        /// Which tag.
        2 tag: TagName,
        /// The account that asks.
        3 actor: String,
    }
}

impl TagUndelete {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let (actor, tag) = (&self.actor, &self.tag);
        // Not as a push: that would create a repository that is not there.
        let action = Action::Delete;
        let repository = repositories::permitted(tables, actor, &self.repository, action, moment)?;
        let number = repository.number();
        let found = deleted::find_in(tables, number, tag)?;
        let found = found.filter(|found| found.until_ms > moment.cluster_ms);
        let found = found.ok_or_else(|| Refusal::TagNotDeleted { tag: tag.clone() })?;
        if find_in(tables, number, tag)?.is_some() {
            return Err(Refusal::TagExists { tag: tag.clone() }.into());
        }
        if !order::has_room(tables, &repository, tag)? {
            let limit = repository.tag_limit;
            return Err(Refusal::TagLimitReached { limit }.into());
        }
        let row: TagRow = found.tag;
        let namespace = self.repository.namespace();
        let used = quotas::used(tables, namespace)?.bytes;
        held::bring_back(tables, number, &row.digest)?;
        quotas::check_growth(tables, namespace, used)?;
        enter(tables, number, tag, &row)?;
        let happened = EventRow {
            number: 0,
            event: Event::Undeleted,
            digest: row.digest.clone(),
            actor: actor.clone(),
            wall_ms: moment.wall_ms,
        };
        history::record(tables, (number, tag), happened)?;
        deleted::let_go(tables, (number, tag), moment)?;
        let back = Happening::to_tag(EventType::Update, tag, &row.digest);
        writing::note(tables, (&self.repository, &repository), actor, &[back], moment)?;
        repositories::touch(tables, &self.repository, &repository, moment);
        Ok(Answer::TagUndeleted { digest: row.digest })
    }
}
