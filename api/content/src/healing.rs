//! Healing: this replica holds what it should, and says so when it does not.
//!
//! A pass walks the rows of all blobs as this replica knows them. A blob that lists this replica
//! and is not on its disk is reported; one with fewer copies than it should have is fetched where
//! this replica is next in order. Fewest copies first, a few at a time. Passes are spaced so that
//! walking costs about a hundredth of a core; hints of what is missing are looked at at once. What
//! a pass saw is kept in numbers ([`crate::counts`]).

use std::sync::PoisonError;
use std::time::Duration;

use consensus::cluster::Freshness;
use futures::StreamExt;
use metadata::blobs::{self as rows, BlobRow, State};
use metadata::command::Command;
use metadata::holders::{HolderLost, is_listed};
use metadata::members;
use metadata::replica::ReplicaId;
use metadata::tables::Damage;
use oci::digest::Digest;
use tokio::time::Instant;

use crate::content::Content;
use crate::counts::{BlobCounts, Held};
use crate::failure::ContentFailure;
use crate::placement::Field;
use crate::upload::failure;

/// Rows that are read at once.
const PAGE_ROWS: usize = 500;

/// Blobs that one pass puts on its list; it counts the rest, and the next pass finds them.
const WORK_MAX: usize = 10_000;

/// Between two passes, at least.
const PASS_EVERY: Duration = Duration::from_secs(20);

/// After the first pass of a life, which sees only what was known before; doubled after each.
const PASS_AT_FIRST: Duration = Duration::from_secs(2);

/// A pass is followed by so many times its own length of rest.
const REST_FACTOR: u32 = 100;

/// What is to be done about one blob.
struct Work {
    digest: Digest,
    row: BlobRow,
    holders: Vec<ReplicaId>,
    /// Copies that count.
    copies: usize,
    /// This replica is listed and has no file.
    lost_here: bool,
}

/// What this replica thinks of one live blob.
struct Judged {
    held: Held,
    /// This replica is listed and has no file.
    lost_here: bool,
    /// This replica is to fetch a copy.
    wanted_here: bool,
}

impl Content {
    /// Heals until it is dropped.
    pub async fn heal(&self) {
        let mut least = PASS_AT_FIRST;
        loop {
            let began = Instant::now();
            if let Err(error) = self.heal_once().await {
                tracing::debug!(%error, "healing goes on later");
            }
            let rest = least.max(began.elapsed().saturating_mul(REST_FACTOR));
            least = PASS_EVERY.min(least * 2);
            let until = Instant::now() + rest;
            loop {
                tokio::select! {
                    () = self.rest(began, until) => break,
                    () = self.shared.healing.notified() => self.heal_hints().await,
                    () = self.shared.store.damage_noted() => self.heal_damage().await,
                }
            }
        }
    }

    /// Waits for the time of the next pass; not for long where a member's content has to move.
    async fn rest(&self, began: Instant, until: Instant) {
        let soon = Instant::now() + PASS_AT_FIRST.max(began.elapsed());
        loop {
            let now = Instant::now();
            let moves = || self.shared.cluster.members().iter().any(|one| one.is_draining);
            if now >= until || (now >= soon && moves()) {
                return;
            }
            tokio::time::sleep_until(until.min(now + PASS_AT_FIRST)).await;
        }
    }

    /// One pass; returns how many copies were fetched.
    pub async fn heal_once(&self) -> Result<usize, ContentFailure> {
        if self.shared.cluster.quorum_ok().is_err() {
            return Ok(0);
        }
        let field = self.field().await?;
        let mut work = Vec::new();
        let mut counts = BlobCounts::default();
        let mut last: Option<Digest> = None;
        loop {
            let (page, more) = self.rows_after(last.as_ref()).await?;
            last = page.last().map(|(digest, ..)| digest.clone());
            for (digest, row, holders) in page {
                let Some(judged) = self.judge(&field, &digest, &row, &holders)? else { continue };
                counts.note(judged.held, field.copies);
                if judged.wanted_here && work.len() < WORK_MAX {
                    work.push(Work::new(&judged, digest, row, holders));
                }
            }
            if !more {
                break;
            }
            tokio::task::yield_now().await;
        }
        self.publish(counts);
        work.sort_by_key(|work| work.copies);
        Ok(self.carry_out(work).await)
    }

    async fn rows_after(
        &self,
        last: Option<&Digest>,
    ) -> Result<(Vec<(Digest, BlobRow, Vec<ReplicaId>)>, bool), ContentFailure> {
        let page = self.shared.cluster.read(Freshness::Local, |view| {
            let page = rows::page(view, last, PAGE_ROWS)?;
            let with_holders = page.items.into_iter().map(|(digest, row)| {
                let holders = members::replicas(view, &row.holders)?;
                Ok((digest, row, holders))
            });
            Ok((with_holders.collect::<Result<Vec<_>, Damage>>()?, page.more))
        });
        Ok(page.await?)
    }

    /// How a blob is held and what is to be done here; `None` where it is to go.
    fn judge(
        &self,
        field: &Field,
        digest: &Digest,
        row: &BlobRow,
        holders: &[ReplicaId],
    ) -> Result<Option<Judged>, ContentFailure> {
        if row.state != State::Live {
            return Ok(None);
        }
        let listed = holders.contains(&field.own);
        let lost_here = listed && !self.has(digest, row.size)?;
        let chosen = !listed && field.should_pull(&digest.to_bytes(), holders).contains(&field.own);
        let missing =
            |holder: ReplicaId| field.is_gone(holder) || (lost_here && holder == field.own);
        let there = holders.iter().filter(|holder| !missing(**holder));
        let held = Held {
            copies: there.clone().filter(|holder| field.votes(**holder)).count(),
            anywhere: there.count(),
        };
        Ok(Some(Judged { held, lost_here, wanted_here: lost_here || chosen }))
    }
}

impl Work {
    fn new(judged: &Judged, digest: Digest, row: BlobRow, holders: Vec<ReplicaId>) -> Self {
        let (copies, lost_here) = (judged.held.copies, judged.lost_here);
        Self { digest, row, holders, copies, lost_here }
    }
}

impl Content {
    async fn carry_out(&self, work: Vec<Work>) -> usize {
        let at_once = self.shared.limits.healing_pulls_max;
        let done = futures::stream::iter(work)
            .map(|work| async move {
                match self.mend(&work).await {
                    Ok(pulled) => usize::from(pulled),
                    Err(error) => {
                        tracing::debug!(digest = %work.digest, %error, "a copy is made later");
                        0
                    }
                }
            })
            .buffer_unordered(at_once.max(1));
        let pulled = done.fold(0, |sum, one| async move { sum + one }).await;
        if pulled > 0 {
            tracing::info!(copies = pulled, "healing fetched missing copies");
        }
        pulled
    }

    async fn mend(&self, work: &Work) -> Result<bool, ContentFailure> {
        if work.lost_here {
            self.report_lost(&work.digest, work.row.size).await?;
        }
        self.pull(&work.digest, work.row.size, &work.holders).await
    }

    /// Says that this replica's copy is gone, after one more look under the digest's lock.
    async fn report_lost(&self, digest: &Digest, size: u64) -> Result<(), ContentFailure> {
        let locked = self.shared.store.lock(digest).await;
        if self.has(digest, size)? {
            return Ok(());
        }
        let own = self.shared.cluster.replica_id();
        let read = self.shared.cluster.read(Freshness::Local, |view| is_listed(view, digest, own));
        if !read.await? {
            // It was let go, and unlinked, since its row was read.
            return Ok(());
        }
        tracing::warn!(%digest, "this replica's copy is missing or damaged; it is fetched again");
        let command = Command::HolderLost(HolderLost { digest: digest.clone(), replica_id: own });
        let reported = self.shared.cluster.propose(command).await;
        drop(locked);
        match reported {
            Ok(_) | Err(consensus::cluster::Failure::Refused(_)) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Looks at the blobs that were hinted at.
    async fn heal_hints(&self) {
        let hints = {
            let mut hints = self.shared.hints.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *hints)
        };
        let Ok(field) = self.field().await else { return };
        let mut work = Vec::new();
        for digest in hints {
            let Ok(Some((row, holders))) = self.row(&digest).await else { continue };
            if let Ok(Some(judged)) = self.judge(&field, &digest, &row, &holders)
                && judged.wanted_here
            {
                work.push(Work::new(&judged, digest, row, holders));
            }
        }
        self.carry_out(work).await;
    }

    /// Reports, sets aside and fetches anew what a read or a check found damaged.
    async fn heal_damage(&self) {
        for digest in self.shared.store.damaged() {
            let Ok(found) = self.row(&digest).await else { return };
            let own = self.shared.cluster.replica_id();
            if let Some((row, holders)) = &found
                && holders.contains(&own)
                && self.report_lost(&digest, row.size).await.is_err()
            {
                // Reported before it is set aside, or not at all: the next pass tries again.
                continue;
            }
            let locked = self.shared.store.lock(&digest).await;
            if let Err(error) = self.shared.store.set_aside(&locked).await {
                tracing::error!(%digest, %error, "a damaged blob could not be set aside");
                continue;
            }
            drop(locked);
            self.heal_soon(&[digest]);
        }
    }
}

impl Content {
    /// Fetches a copy for this disk and has it listed; false where no holder could give one.
    pub(crate) async fn pull(
        &self,
        digest: &Digest,
        size: u64,
        holders: &[ReplicaId],
    ) -> Result<bool, ContentFailure> {
        let Some(_single) = Pulling::begin(self, digest) else { return Ok(false) };
        // A file that lies here and is not listed came from nobody knows where.
        if let Some(receipt) = self.checked_receipt(digest, size).await? {
            return self.list_holder(digest, Some(receipt)).await;
        }
        let own = self.shared.cluster.replica_id();
        let (live, silent): (Vec<&ReplicaId>, Vec<&ReplicaId>) = holders
            .iter()
            .filter(|holder| **holder != own)
            .partition(|holder| self.is_live(**holder));
        for holder in live.into_iter().chain(silent) {
            match self.fetch(digest, size, *holder).await {
                Ok(receipt) => return self.list_holder(digest, Some(receipt)).await,
                Err(ContentFailure::NoRoom) => return Err(ContentFailure::NoRoom),
                Err(error) => tracing::debug!(%digest, %holder, %error, "no copy from this holder"),
            }
        }
        Ok(false)
    }

    /// Fetches a blob from one holder, verifies it and makes it durable.
    async fn fetch(
        &self,
        digest: &Digest,
        size: u64,
        holder: ReplicaId,
    ) -> Result<metadata::receipts::Receipt, ContentFailure> {
        let unreachable = |_| ContentFailure::BlobUnreachable { digest: digest.clone() };
        let (from, store) = (holder.to_string(), &self.shared.store);
        let read = self.shared.client.blob_read(&from, digest, 0..size).await;
        let (_, mut bytes) = read.map_err(unreachable)?;
        let id = format!("pull-{:032x}", rand::random::<u128>());
        let mut upload = store
            .create_upload(&id, &[digest.algorithm()])
            .await
            .map_err(|error| failure("fetching a copy", error))?;
        while let Some(piece) = bytes.next().await {
            let appended = match piece {
                Ok(piece) => {
                    upload.append(piece).await.map_err(|error| failure("fetching a copy", error))
                }
                Err(_) => Err(ContentFailure::BlobUnreachable { digest: digest.clone() }),
            };
            if let Err(failure) = appended {
                // What was fetched is of no use to anybody.
                let _ = upload.cancel().await;
                return Err(failure);
            }
        }
        let locked = store.lock(digest).await;
        upload.seal_locked(&locked).await.map_err(|error| failure("fetching a copy", error))?;
        Ok(self.own_receipt(digest))
    }
}

/// The right to fetch a digest, which only one has at a time.
struct Pulling<'a> {
    content: &'a Content,
    digest: Digest,
}

impl<'a> Pulling<'a> {
    fn begin(content: &'a Content, digest: &Digest) -> Option<Self> {
        let mut pulling = content.shared.pulling.lock().unwrap_or_else(PoisonError::into_inner);
        pulling.insert(digest.clone()).then(|| Self { content, digest: digest.clone() })
    }
}

impl Drop for Pulling<'_> {
    fn drop(&mut self) {
        let pulling = self.content.shared.pulling.lock();
        pulling.unwrap_or_else(PoisonError::into_inner).remove(&self.digest);
    }
}
