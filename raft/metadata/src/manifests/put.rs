//! Pushing a manifest: the checks that only the state can make, and one entry that does it all.

use std::collections::{BTreeMap, BTreeSet};

use oci::digest::Digest;
use oci::manifest::Role;
use oci::name::{RepositoryName, TagName};

use super::{ChildRow, EdgeRow, ManifestRow, ReferrerRow, find_in};
use crate::access::Action;
use crate::blobs::{self, BlobRow, State, missing_copies};
use crate::codec::message;
use crate::events::EventType;
use crate::events::writing::{self, Happening};
use crate::key;
use crate::links;
use crate::membership;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::quorum;
use crate::quotas;
use crate::receipts::Receipt;
use crate::refusal::Refusal;
use crate::repositories::{self, RepositoryNumber, RepositoryRow};
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Read, Table, Write};
use crate::tags::{self, Precondition, TagRow, order};

/// References in one manifest, so that a command stays below 256 KiB.
pub const REFERENCES_MAX: usize = 2000;

/// A refusal names so many digests, at most: more are told when those are mended.
const NAMED_MAX: usize = 500;

/// Tags that one push sets.
pub const TAGS_MAX: usize = 100;

message! {
    /// A descriptor of a manifest.
    pub struct ManifestReference {
        /// Configuration, layer or child.
        1 role: Role,
        /// What it names.
        2 digest: Digest,
        /// In bytes.
        3 size: u64,
        /// Whether it must exist: not so for foreign layers.
        4 required: bool,
    }
}

message! {
    /// Puts a manifest into a repository and points tags at it, all or nothing.
    pub struct ManifestPut {
        /// Where.
        1 repository: RepositoryName,
        /// Of the manifest's bytes.
        2 digest: Digest,
        /// In bytes.
        3 size: u64,
        /// Without parameters.
        4 media_type: String,
        /// Its own artifact type, or an image's type of configuration.
        5 artifact_type: Option<String>,
        /// The manifest it refers to, which need not exist.
        6 subject: Option<Digest>,
        /// What it names, in its order.
        7 references: Vec<ManifestReference>,
        /// None for a push by digest; a tag named twice counts once.
        8 tags: Vec<TagName>,
        /// Must hold for each of the tags.
        9 precondition: Option<Precondition>,
        /// For the manifest's own bytes.
        10 receipts: Vec<Receipt>,
        /// The account that pushes.
        11 actor: String,
    }
}

impl ManifestPut {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        if self.tags.len() > TAGS_MAX || self.references.len() > REFERENCES_MAX {
            return Err(Refusal::ManifestTooLarge.into());
        }
        let (actor, action) = (&self.actor, Action::Push);
        let repository = repositories::permitted(tables, actor, &self.repository, action, moment)?;
        let number = repository.number();
        let tags = self.check_tags(tables, &repository)?;
        let blob =
            blobs::commands::received(tables, &self.digest, self.size, &self.receipts, moment)?;
        let named = self.check_references(tables, number, moment)?;

        // Nothing below refuses but the quota, which is known when all is counted.
        let namespace = self.repository.namespace();
        let used = quotas::used(tables, namespace)?.bytes;
        let manifest = find_in(tables, number, &self.digest)?;
        let before = blobs::find(tables, &self.digest)?;
        blobs::save(tables, &self.digest, before.as_ref(), &blob)?;
        let created = manifest.is_none();
        if created {
            self.enter(tables, number, named)?;
        }
        let retyped = self.write_rows(tables, number, manifest, moment);
        quotas::check_growth(tables, namespace, used)?;
        let place = (&self.repository, &repository);
        if created {
            let pushed = Happening::to_manifest(EventType::Create, &self.digest);
            writing::note(tables, place, actor, &[pushed], moment)?;
        }
        let (moved, evicted) = self.point_tags(tables, &repository, &tags, moment)?;
        if created || retyped || moved {
            repositories::touch(tables, &self.repository, &repository, moment);
        }
        let missing = missing_copies(tables, &self.digest, &blob)?;
        Ok(Answer::ManifestPut { digest: self.digest.clone(), moved, created, missing, evicted })
    }

    /// The tags with where they stand now, each of which may come to point at the manifest.
    fn check_tags<'a>(
        &'a self,
        read: &impl Read,
        repository: &RepositoryRow,
    ) -> Ruling<Vec<(&'a TagName, Option<TagRow>)>> {
        let names: BTreeSet<&TagName> = self.tags.iter().collect();
        order::check_push(repository, names.iter().copied())?;
        let mut tags = Vec::with_capacity(names.len());
        for tag in names {
            let current = tags::find_in(read, repository.number(), tag)?;
            tags::check_move(
                (&self.repository, repository),
                (tag, current.as_ref()),
                &self.digest,
                self.precondition.as_ref(),
            )?;
            tags.push((tag, current));
        }
        Ok(tags)
    }

    /// Checks that every digest that must exist is live, linked here, of the size stated and on W
    /// voters. Returns each once, with its row and whether it is a child.
    fn check_references(
        &self,
        read: &impl Read,
        repository: RepositoryNumber,
        moment: &Moment,
    ) -> Ruling<BTreeMap<&Digest, (BlobRow, bool)>> {
        let write = quorum::of(read)?.write;
        let voters = membership::voters(read)?;
        let mut named: BTreeMap<&Digest, (BlobRow, bool)> = BTreeMap::new();
        let mut unknown = Vec::new();
        let mut too_few = Vec::new();
        for reference in self.references.iter().filter(|reference| reference.required) {
            let digest = &reference.digest;
            let is_child = reference.role == Role::Child;
            let known_as = named.get(digest).map(|(_, as_child)| *as_child);
            let blob = match known_as {
                Some(_) => named.get(digest).map(|(blob, _)| blob.clone()),
                None => linked_live(read, repository, digest, moment)?,
            };
            let blob = match blob {
                Some(_) if is_child && find_in(read, repository, digest)?.is_none() => None,
                blob => blob,
            };
            let Some(blob) = blob else {
                unknown.push(digest.clone());
                continue;
            };
            if blob.size != reference.size {
                let (stored, stated) = (blob.size, reference.size);
                let digest = digest.clone();
                return Err(Refusal::SizeMismatch { digest, stored, stated }.into());
            }
            if known_as.is_none() && voters.count(&blob.holders) < write {
                too_few.push(digest.clone());
            }
            let as_child = is_child || known_as == Some(true);
            named.insert(digest, (blob, as_child));
        }
        if !unknown.is_empty() {
            unknown.sort();
            unknown.dedup();
            unknown.truncate(NAMED_MAX);
            return Err(Refusal::ManifestBlobsUnknown { digests: unknown }.into());
        }
        if !too_few.is_empty() {
            too_few.truncate(NAMED_MAX);
            return Err(Refusal::HoldersTooFew { digests: too_few }.into());
        }
        Ok(named)
    }
}

/// The changes, once nothing refuses any more.
impl ManifestPut {
    /// Enters a new manifest's references, both ways, and counts them and the manifest itself.
    fn enter(
        &self,
        tables: &mut impl Write,
        repository: RepositoryNumber,
        named: BTreeMap<&Digest, (BlobRow, bool)>,
    ) -> Ruling<()> {
        let own_key = self.digest.to_bytes();
        for (position, reference) in self.references.iter().enumerate() {
            let position = u16::try_from(position).map_err(|_| Refusal::ManifestTooLarge)?;
            let key = key::within(repository, &[&own_key, &position.to_be_bytes()]);
            let child = ChildRow {
                role: reference.role,
                digest: reference.digest.clone(),
                size: reference.size,
                required: reference.required,
            };
            row::put(tables, Table::Children, key, &child);
        }
        for (digest, (blob, as_child)) in named {
            let edge = key::within(repository, &[&digest.to_bytes(), &own_key]);
            row::put(tables, Table::Edges, edge, &EdgeRow { as_child });
            let after = BlobRow { refs: blob.refs + 1, idle_since_ms: None, ..blob.clone() };
            blobs::save(tables, digest, Some(&blob), &after)?;
            links::name(tables, repository, digest)?;
        }
        blobs::name(tables, &self.digest)?;
        links::name(tables, repository, &self.digest)?;
        Ok(())
    }

    /// Points the tags that stand elsewhere at the manifest; whether there were any, and which tags
    /// went for them.
    fn point_tags(
        &self,
        tables: &mut impl Write,
        repository: &RepositoryRow,
        tags: &[(&TagName, Option<TagRow>)],
        moment: &Moment,
    ) -> Ruling<(bool, Vec<TagName>)> {
        let (actor, pushed) = (&self.actor, tags.iter().map(|(tag, _)| *tag).collect());
        let (mut happened, mut added) = (Vec::new(), 0);
        for (tag, current) in tags {
            if current.as_ref().is_some_and(|current| current.digest == self.digest) {
                continue;
            }
            let to = (&self.digest, actor.as_str());
            tags::point(tables, repository.number(), (tag, current.as_ref()), to, moment)?;
            happened.push(Happening::to_tag(EventType::Update, tag, &self.digest));
            added += usize::from(current.is_none());
        }
        writing::note(tables, (&self.repository, repository), actor, &happened, moment)?;
        let evicted = match added {
            0 => Vec::new(),
            added => order::after_push(tables, repository, (&pushed, added), actor, moment)?,
        };
        Ok((!happened.is_empty(), evicted))
    }

    /// Writes the manifest's row and its row by subject where they are new or its type is another;
    /// returns whether the type of one that was there changed.
    fn write_rows(
        &self,
        tables: &mut impl Write,
        repository: RepositoryNumber,
        before: Option<ManifestRow>,
        moment: &Moment,
    ) -> bool {
        let retyped = match &before {
            Some(before) if before.media_type == self.media_type => return false,
            before => before.is_some(),
        };
        let first = before.map(|before| (before.pushed_wall_ms, before.pushed_by));
        let (pushed_wall_ms, pushed_by) =
            first.unwrap_or_else(|| (moment.wall_ms, self.actor.clone()));
        let manifest = ManifestRow {
            size: self.size,
            media_type: self.media_type.clone(),
            artifact_type: self.artifact_type.clone(),
            subject: self.subject.clone(),
            pushed_wall_ms,
            pushed_by,
        };
        let own_key = self.digest.to_bytes();
        row::put(tables, Table::Manifests, key::within(repository, &[&own_key]), &manifest);
        if let Some(subject) = &self.subject {
            let referrer = ReferrerRow {
                size: self.size,
                media_type: self.media_type.clone(),
                artifact_type: self.artifact_type.clone(),
            };
            let key = key::within(repository, &[&subject.to_bytes(), &own_key]);
            row::put(tables, Table::Referrers, key, &referrer);
        }
        retyped
    }
}

/// The blob, if it is linked in the repository and live.
fn linked_live(
    read: &impl Read,
    repository: RepositoryNumber,
    digest: &Digest,
    moment: &Moment,
) -> Ruling<Option<BlobRow>> {
    if !blobs::linked_in(read, repository, digest, moment.cluster_ms)? {
        return Ok(None);
    }
    Ok(blobs::find(read, digest)?.filter(|blob| blob.state == State::Live))
}
