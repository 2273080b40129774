//! Brings a checked manifest into the cluster: bytes on W holders first, then one log entry.

use std::time::Duration;

use bytes::Bytes;
use consensus::cluster::{Failure, Freshness};
use consensus::tables::View;
use content::failure::ContentFailure;
use edge::caller::Permitted;
use edge::context::Context;
use edge::problem::Problem;
use metadata::manifests::put::{ManifestPut, ManifestReference};
use metadata::outcome::Answer;
use metadata::receipts::Receipt;
use metadata::refusal::Refusal;
use metadata::tables::Damage;
use metadata::tags::Precondition;
use metadata::vouchers::Voucher;
use metadata::{blobs, manifests, quotas, repositories, settings, tags};
use oci::digest::Digest;
use oci::manifest::{Manifest, Role};
use oci::name::{RepositoryName, TagName};
use tokio::time::Instant;

/// How long copies are made before the push is answered 503.
const COPIES_MAX: Duration = Duration::from_secs(10);

/// A manifest that was read and found right.
pub struct Pushed {
    /// Where to.
    pub repository: RepositoryName,
    /// Under which digest.
    pub digest: Digest,
    /// What it says.
    pub manifest: Manifest,
    /// Its bytes.
    pub bytes: Bytes,
    /// What comes to point at it.
    pub tags: Vec<TagName>,
    /// Must hold for each of the tags.
    pub precondition: Option<Precondition>,
    /// Who pushes, and what they showed.
    pub by: (String, Option<Voucher>),
}

/// Refuses early what the state machine would refuse after the bytes were kept.
pub async fn check_writable(
    context: &Context,
    repository: &RepositoryName,
    permitted: Permitted,
) -> Result<(), Problem> {
    let settings = context.cluster.read(Freshness::Local, |view| settings::get(view)).await?;
    if settings.read_only {
        return Err(Refusal::ReadOnly.into());
    }
    if !permitted.exists && repository.components().count() != 2 {
        return Err(Refusal::RepositoryNameUnfit { repository: repository.clone() }.into());
    }
    Ok(())
}

/// Keeps the bytes and proposes the entry; what the cluster asks for meanwhile, fresh receipts or
/// more copies of what is named, is done and the entry proposed again.
///
/// Returns the tags that went for those of the push, by the repository's tag limit.
pub async fn publish(context: &Context, pushed: &Pushed) -> Result<Vec<TagName>, Problem> {
    let known = context.cluster.read(Freshness::Local, |view| look(view, pushed)).await?;
    match known {
        Known::Settled => return Ok(Vec::new()),
        Known::Refused(refusal) => return Err(refusal.into()),
        Known::Missing(digests) => return Err(Refusal::ManifestBlobsUnknown { digests }.into()),
        Known::New => {}
    }
    let until = Instant::now() + COPIES_MAX;
    let mut receipts = keep(context, pushed).await?;
    loop {
        let command = pushed.command(receipts.clone()).into();
        let proposed = context.cluster.propose_for(pushed.by.1.clone(), command).await;
        let refusal = match proposed {
            Ok(Answer::ManifestPut { evicted, .. }) => return Ok(evicted),
            Ok(_) => return Ok(Vec::new()),
            Err(Failure::Refused(refusal)) => refusal,
            Err(failure) => return Err(failure.into()),
        };
        if Instant::now() >= until {
            return Err(refusal.into());
        }
        match refusal {
            Refusal::HoldersTooFew { digests } => context.content.copies_up_to(&digests).await?,
            Refusal::ReceiptsTooFew { .. } | Refusal::ReceiptStale { .. } => {
                receipts = keep(context, pushed).await?;
            }
            other => return Err(other.into()),
        }
    }
}

async fn keep(context: &Context, pushed: &Pushed) -> Result<Vec<Receipt>, ContentFailure> {
    context.content.keep(&pushed.digest, pushed.bytes.clone()).await
}

/// Counts a push that set tags. The push is done; that it could not be counted fails nothing.
pub async fn count(context: &Context, pushed: &Pushed) {
    if pushed.tags.is_empty() {
        return;
    }
    let repository = &pushed.repository;
    let read = context.cluster.read(Freshness::Local, |view| repositories::find(view, repository));
    match read.await {
        Ok(Some(row)) => context.uses.pushed(row.number()),
        uncounted => tracing::debug!(%repository, ?uncounted, "a push was not counted"),
    }
}

/// What is known of a manifest before its bytes are kept.
enum Known {
    /// The same bytes stand under the same tags already: the client repeats itself (MP3).
    Settled,
    /// It names what this repository does not have.
    Missing(Vec<Digest>),
    /// Its own bytes are more than the namespace may have.
    Refused(Refusal),
    /// It is to be put.
    New,
}

fn look(view: &View<'_>, pushed: &Pushed) -> Result<Known, Damage> {
    let repository = &pushed.repository;
    let mut missing = Vec::new();
    let mut all_kept = true;
    for (_, descriptor) in pushed.manifest.required() {
        let digest = &descriptor.digest;
        if blobs::readable(view, repository, digest)?.is_none() {
            if !missing.contains(digest) {
                missing.push(digest.clone());
            }
        } else if all_kept {
            all_kept = blobs::kept(view, repository, digest)?.is_some();
        }
    }
    if !missing.is_empty() {
        return Ok(Known::Missing(missing));
    }
    let asked = (Some(&pushed.digest), pushed.bytes.len() as u64);
    let place = (repository.namespace(), pushed.by.0.as_str());
    if let Some(refusal) = quotas::refusal(view, place, asked)? {
        return Ok(Known::Refused(refusal));
    }
    let is_same = manifests::find(view, repository, &pushed.digest)?
        .is_some_and(|row| row.media_type == pushed.manifest.media_type);
    if !is_same || !all_kept || pushed.precondition.is_some() {
        return Ok(Known::New);
    }
    if blobs::kept(view, repository, &pushed.digest)?.is_none() {
        return Ok(Known::New);
    }
    for tag in &pushed.tags {
        if tags::find(view, repository, tag)?.is_none_or(|row| row.digest != pushed.digest) {
            return Ok(Known::New);
        }
    }
    Ok(Known::Settled)
}

impl Pushed {
    fn command(&self, receipts: Vec<Receipt>) -> ManifestPut {
        let manifest = &self.manifest;
        let references = manifest.references().into_iter().map(|(role, descriptor)| {
            let required = role != Role::Layer || !descriptor.is_foreign();
            let (digest, size) = (descriptor.digest.clone(), descriptor.size);
            ManifestReference { role, digest, size, required }
        });
        ManifestPut {
            repository: self.repository.clone(),
            digest: self.digest.clone(),
            size: self.bytes.len() as u64,
            media_type: manifest.media_type.clone(),
            artifact_type: manifest.artifact_type.clone(),
            subject: manifest.subject.as_ref().map(|subject| subject.digest.clone()),
            references: references.collect(),
            tags: self.tags.clone(),
            precondition: self.precondition.clone(),
            receipts,
            actor: self.by.0.clone(),
        }
    }
}
