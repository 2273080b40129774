//! Deleting a manifest with all its tags, some tags with each command.

use oci::digest::Digest;
use oci::name::RepositoryName;

use super::{find_in, held, parents_in, remove};
use crate::access::Action;
use crate::codec::message;
use crate::events::EventType;
use crate::events::writing::{self, Happening};
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::repositories;
use crate::ruling::Ruling;
use crate::tables::Write;
use crate::tags;

/// Tags that one command takes away, at most. Each writes some ten rows: its own, its history, what
/// may come back, and an event.
pub const TAGS_MAX: usize = 100;

/// A refusal names so many parents, at most.
const PARENTS_NAMED_MAX: usize = 10;

message! {
    /// Deletes a manifest and all tags on it, which may come back for a while; refused while an
    /// index of the repository names it. Where it has more than [`TAGS_MAX`] tags the first of them
    /// go, the manifest stays, and the answer says that there is more.
    pub struct ManifestDelete {
        /// Where.
        1 repository: RepositoryName,
        /// Which manifest.
        2 digest: Digest,
        /// The account that asks.
        3 actor: String,
    }
}

impl ManifestDelete {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let digest = &self.digest;
        let (actor, action) = (&self.actor, Action::Delete);
        let repository = repositories::permitted(tables, actor, &self.repository, action, moment)?;
        let number = repository.number();
        if find_in(tables, number, digest)?.is_none() {
            return Err(Refusal::ManifestUnknown { digest: digest.clone() }.into());
        }
        let parents = parents_in(tables, number, digest, PARENTS_NAMED_MAX)?;
        if !parents.is_empty() {
            return Err(Refusal::ManifestHasParents { digest: digest.clone(), parents }.into());
        }
        let tags = tags::retire_some_of(tables, (number, digest), (actor, TAGS_MAX), moment)?;
        let more = tags::is_tagged(tables, number, digest)?;
        if !more {
            held::keep(tables, number, digest)?;
            remove(tables, number, digest, moment)?;
        }
        let deleted = tags.iter().map(|tag| Happening::to_tag(EventType::Delete, tag, digest));
        let mut deleted: Vec<_> = deleted.collect();
        if !more {
            deleted.push(Happening::to_manifest(EventType::Delete, digest));
        }
        writing::note(tables, (&self.repository, &repository), actor, &deleted, moment)?;
        repositories::touch(tables, &self.repository, &repository, moment);
        Ok(Answer::Deleted { tags, more })
    }
}
