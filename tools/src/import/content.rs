//! Tags and what they lead to, from one registry into the other: children before their index, blobs
//! before their manifest, and after a manifest what refers to it.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream;
use oci::digest::Digest;
use oci::name::TagName;
use reqwest::Method;
use tokio::sync::Semaphore;

use super::journal::Journal;
use super::known::{Alone, Holder, Known};
use super::listing::Listing;
use super::registry::{Registry, pull, push};
use super::tally::{Noun, Outcome, Tally};
use super::trouble::Trouble;

/// A repository at both ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name at the source.
    pub from: String,
    /// Its name at the destination.
    pub to: String,
}

/// What is to be done about a tag.
enum Verdict {
    /// Nothing, and it counts as this.
    Ended(Outcome),
    /// Nothing, and it was counted.
    Told,
    /// It is to be brought, or at least what refers to it.
    Open,
}

/// How content is brought.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Tags, and blobs, at once.
    pub jobs: usize,
    /// Nothing is changed; it is only said what would be.
    pub dry_run: bool,
    /// Tags that the destination has stay where they are.
    pub keep_tags: bool,
}

/// Brings content from one registry into another.
pub struct Content {
    /// Where it comes from.
    pub source: Registry,
    /// Where it goes.
    pub destination: Registry,
    /// Counts it.
    pub tally: Arc<Tally>,
    /// How.
    pub manner: Manner,
    /// Who has which blob.
    pub known: Known,
    /// Blobs on their way at once.
    pub blob_permits: Semaphore,
    tag_permits: Semaphore,
    journal: Journal,
}

impl Content {
    /// From one registry into another.
    pub fn new(
        (source, destination): (Registry, Registry),
        tally: Arc<Tally>,
        manner: Manner,
        mut journal: Journal,
    ) -> Self {
        let known = Known::new(std::mem::take(&mut journal.blobs));
        Self {
            source,
            destination,
            tally,
            known,
            blob_permits: Semaphore::new(manner.jobs),
            tag_permits: Semaphore::new(manner.jobs),
            manner,
            journal,
        }
    }

    /// Waits until nobody else brings this blob.
    pub async fn alone(&self, digest: &Digest) -> Alone {
        self.known.alone(digest).await
    }

    /// Remembers that a repository of the destination has a blob.
    pub fn keep_holder(&self, digest: &Digest, repository: &str) -> Result<(), Trouble> {
        let holder = Holder { repository: repository.to_owned(), is_certain: true };
        if self.known.keep(digest, holder) { self.journal.blob(digest, repository) } else { Ok(()) }
    }

    /// The run came to its end: the next one begins afresh.
    pub fn finish(&self) -> Result<(), Trouble> {
        self.journal.finish()
    }

    /// Brings all tags of a repository. What fails is counted and told.
    ///
    /// # Errors
    ///
    /// One of the two registries can't be reached any more, or the state file not be written.
    pub async fn bring_repository(&self, place: &Place) -> Result<(), Trouble> {
        let mut listing = Listing::tags(&self.source, &place.from);
        loop {
            let tags = match listing.next_tags().await {
                Ok(Some(tags)) => tags,
                Ok(None) => return Ok(()),
                // A catalog may name a repository in which nothing was ever kept.
                Err(trouble) if trouble.is_missing() && trouble.says("NAME_UNKNOWN") => {
                    return Ok(());
                }
                Err(trouble) => {
                    self.tally.failed(Noun::Repository, &place.from, &trouble);
                    return self.goes_on(trouble).await;
                }
            };
            self.tally.found(tags.len());
            let brought = tags.iter().map(|tag| self.bring_and_count(place, tag));
            let mut brought = stream::iter(brought).buffer_unordered(self.manner.jobs);
            while let Some(ended) = brought.next().await {
                ended?;
            }
        }
    }
}

/// Tags, one by one.
impl Content {
    async fn bring_and_count(&self, place: &Place, tag: &str) -> Result<(), Trouble> {
        let _permit = self.tag_permits.acquire().await;
        let what = format!("{}:{tag}", place.to);
        // It becomes part of a path: a name that is none could lead anywhere.
        let brought = match TagName::parse(tag) {
            Ok(_) => self.bring_tag(place, tag).await,
            Err(error) => Err(Trouble::lasting(error.to_string())),
        };
        match brought {
            Ok(Some(outcome)) => {
                self.tally.count(Noun::Tag, outcome);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(trouble) => {
                self.tally.failed(Noun::Tag, &what, &trouble);
                self.goes_on(trouble).await
            }
        }
    }

    /// After a failure: whether it makes sense to go on. It does while both answer.
    async fn goes_on(&self, trouble: Trouble) -> Result<(), Trouble> {
        if !trouble.is_unreachable() {
            return Ok(());
        }
        for registry in [&self.source, &self.destination] {
            let request = || registry.request(Method::GET, "/v2/");
            match registry.attempt("asking whether it is there", "", &request).await {
                Err(gone) if gone.is_unreachable() => return Err(gone),
                _ => {}
            }
        }
        Ok(())
    }

    /// Brings a tag. `None` where its outcome was told already.
    async fn bring_tag(&self, place: &Place, tag: &str) -> Result<Option<Outcome>, Trouble> {
        let path = format!("{}/manifests/{tag}", place.to);
        let there = self.digest_of(&self.destination, &path, &push(&place.to)).await?;
        let there = there.flatten();
        if there.is_some() || self.manner.dry_run {
            let path = format!("{}/manifests/{tag}", place.from);
            let here = self.digest_of(&self.source, &path, &pull(&place.from)).await?;
            let Some(here) = here else {
                let what = format!("{}:{tag}", place.from);
                self.tally.remark(&what, "was deleted at the source meanwhile");
                return Ok(Some(Outcome::Present));
            };
            match self.judge(place, tag, (here.as_ref(), there.as_ref())) {
                Verdict::Ended(outcome) => return Ok(Some(outcome)),
                Verdict::Told => return Ok(None),
                Verdict::Open => {}
            }
        }
        let digest = self.bring_tree(place, tag, there.as_ref()).await?;
        self.journal.tag(&place.to, tag, &digest)?;
        let is_new = there.as_ref() != Some(&digest);
        Ok(Some(if is_new { Outcome::Brought } else { Outcome::Present }))
    }

    /// What is known of a tag from its digests at both ends.
    fn judge(
        &self,
        place: &Place,
        tag: &str,
        (here, there): (Option<&Digest>, Option<&Digest>),
    ) -> Verdict {
        let what = format!("{}:{tag}", place.to);
        let is_same = here.is_some() && here == there;
        if let Some(there) = there.filter(|_| !is_same && self.manner.keep_tags) {
            let here = here.map_or_else(|| "something else".to_owned(), ToString::to_string);
            let how = format!("is at {there}, at the source at {here}; it was left there");
            self.tally.differs(Noun::Tag, &what, &how);
            return Verdict::Told;
        }
        if self.manner.dry_run {
            let (from, to) = (format!("{}:{tag}", place.from), here.map(ToString::to_string));
            let to = to.unwrap_or_default();
            match there {
                Some(_) if is_same => return Verdict::Ended(Outcome::Present),
                Some(_) => self.tally.step(&format!("move tag {what}"), &to),
                None => self.tally.step(&format!("copy {from} to {what}"), &to),
            }
            return Verdict::Ended(Outcome::Brought);
        }
        // Where nothing can refer to it, or a former run saw to that, there is nothing left to do.
        let is_done = here.is_some_and(|here| self.journal.has(&place.to, tag, here));
        let is_over = is_same && (is_done || !self.source.may_have_referrers());
        if is_over { Verdict::Ended(Outcome::Present) } else { Verdict::Open }
    }
}
