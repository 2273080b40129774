//! Looks at each part of this replica every few seconds.
//!
//! A part counts as failed after three failed checks in a row and as well after one good one: a
//! single slow moment does not take a replica out of a balancer. A part that was never well counts
//! as failed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use consensus::cluster::Freshness;
use consensus::status::Ailment;
use metadata::{accounts, certificates};

use crate::facts::Health;

/// Between two checks.
const EVERY: Duration = Duration::from_secs(2);
/// Between two checks until the first good one.
const EVERY_AT_FIRST: Duration = Duration::from_millis(200);
/// Failed checks in a row that count. A full disk is no matter of luck: it counts at once.
const STRIKES: u32 = 3;
/// A check that takes longer failed.
const CHECK_MAX: Duration = Duration::from_secs(4);

/// The parts, by the words that operators of the old product know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Blobs on this disk.
    Storage,
    /// Accounts and the key of tokens.
    Authorization,
    /// The replicated state.
    Metadata,
    /// Signatures and their keys: served from the replicated state.
    ContentTrust,
}

/// All parts in the order they are shown.
pub const PARTS: [Part; 4] =
    [Part::Storage, Part::Authorization, Part::Metadata, Part::ContentTrust];

impl Part {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Authorization => "authorization",
            Self::Metadata => "metadata",
            Self::ContentTrust => "content trust",
        }
    }
}

/// What the checks of one part found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    strikes: u32,
    cause: String,
}

/// What was found of every part.
#[derive(Debug)]
pub struct Checks {
    found: Mutex<[Found; PARTS.len()]>,
}

impl Default for Checks {
    fn default() -> Self {
        let starting = Found { strikes: STRIKES, cause: "this replica is starting".to_owned() };
        Self { found: Mutex::new(std::array::from_fn(|_| starting.clone())) }
    }
}

impl Checks {
    /// Takes in what a check of `part` found.
    pub fn note(&self, part: Part, result: Result<(), String>) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let found = &mut found[part as usize];
        match result {
            Ok(()) => *found = Found { strikes: 0, cause: String::new() },
            Err(cause) => {
                let counted = if part == Part::Storage { STRIKES } else { 1 };
                *found = Found { strikes: found.strikes.saturating_add(counted), cause };
            }
        }
    }

    /// Why `part` counts as failed; `None` where it is well.
    pub fn failed(&self, part: Part) -> Option<String> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let found = &found[part as usize];
        (found.strikes >= STRIKES).then(|| found.cause.clone())
    }

    /// Every part that counts as failed.
    pub fn all_failed(&self) -> Vec<(Part, String)> {
        let failed = |part: Part| self.failed(part).map(|cause| (part, cause));
        PARTS.into_iter().filter_map(failed).collect()
    }
}

/// Checks all parts again and again; ends with the task it runs in.
pub async fn run(health: &Health) {
    let mut was_well = false;
    loop {
        check(health).await;
        let failed = health.checks.all_failed();
        let ailments = failed
            .iter()
            .map(|(part, cause)| Ailment { part: part.name().to_owned(), cause: cause.clone() });
        health.context.cluster.report_health(ailments.collect());
        was_well |= failed.is_empty();
        tokio::time::sleep(if was_well { EVERY } else { EVERY_AT_FIRST }).await;
    }
}

/// Checks all parts once.
pub async fn check(health: &Health) {
    health.checks.note(Part::Storage, storage(health));
    let (authorization, metadata) =
        tokio::join!(timely(authorization(health)), timely(metadata(health)));
    health.checks.note(Part::Authorization, authorization.clone());
    health.checks.note(Part::Metadata, metadata);
    // Trust data is part of the replicated state, and readable where accounts are.
    health.checks.note(Part::ContentTrust, authorization);
}

async fn timely(check: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let late = |_| format!("no answer within {} s", CHECK_MAX.as_secs());
    tokio::time::timeout(CHECK_MAX, check).await.unwrap_or_else(|passed| Err(late(passed)))
}

fn storage(health: &Health) -> Result<(), String> {
    let disk =
        (health.facts.disk)().map_err(|error| format!("the disk does not answer: {error}"))?;
    health.context.cluster.report_takes_blobs(health.context.content.store().check_room().is_ok());
    if disk.is_full() {
        let (free, mark) = (mib(disk.free_bytes), mib(disk.lower_mark_bytes()));
        return Err(format!("the disk is full: {free} MiB are free, {mark} are needed; free some"));
    }
    Ok(())
}

async fn authorization(health: &Health) -> Result<(), String> {
    let cluster = &health.context.cluster;
    let read = cluster.read(Freshness::Local, |view| {
        accounts::page(view, "", 1)?;
        Ok(certificates::token_key(view)?.is_some())
    });
    match read.await {
        Ok(true) => Ok(()),
        Ok(false) => Err("this replica has no token key yet".to_owned()),
        Err(failure) => Err(failure.to_string()),
    }
}

async fn metadata(health: &Health) -> Result<(), String> {
    health.context.cluster.barrier().await.map_err(|failure| failure.to_string())
}

fn mib(bytes: u64) -> u64 {
    bytes / (1024 * 1024)
}

#[cfg(test)]
mod tests {
    use super::{Checks, PARTS, Part};

    #[test]
    fn a_part_fails_after_three_bad_checks_and_is_well_after_one_good_one() {
        let checks = Checks::default();
        assert_eq!(checks.all_failed().len(), PARTS.len(), "nothing is known to be well at first");
        for part in PARTS {
            checks.note(part, Ok(()));
        }
        assert!(checks.all_failed().is_empty());
        let bad = || Err("no majority".to_owned());
        checks.note(Part::Metadata, bad());
        checks.note(Part::Metadata, bad());
        assert_eq!(checks.failed(Part::Metadata), None, "two are not three");
        checks.note(Part::Metadata, bad());
        assert_eq!(checks.all_failed(), [(Part::Metadata, "no majority".to_owned())]);
        checks.note(Part::Metadata, Ok(()));
        assert_eq!(checks.failed(Part::Metadata), None);
        checks.note(Part::Storage, Err("disk full".to_owned()));
        assert!(checks.failed(Part::Storage).is_some(), "a full disk counts at once");
    }
}
