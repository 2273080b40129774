//! Slows down guessing, per account and address; locks nobody out.
//!
//! A client library may try one wrong password twice for one login (registry-protocol TK3), so the
//! first failures cost nothing. Later attempts wait for their turn; attempts side by side queue up
//! behind each other, so that many connections guess no faster than one.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::recent::Recent;

/// Failures that cost nothing.
const FREE_FAILURES: u32 = 4;
/// The wait after the first failure that costs something; doubled by each further one.
const DELAY_FIRST_MS: u64 = 250;
/// The longest distance between two attempts.
const DELAY_MAX_MS: u64 = 5_000;
/// An attempt that would have to wait longer is refused at once.
const WAIT_MAX_MS: u64 = 20_000;
/// Failures this old no longer count.
const FORGET_AFTER_MS: u64 = 300_000;
/// Pairs of account and address that are remembered.
const ENTRIES_MAX: usize = 20_000;

/// Account and address.
type Who = (String, IpAddr);

/// What is remembered of one account and address.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    failures: u32,
    failed_at_ms: u64,
    next_at_ms: u64,
}

/// Remembers failed attempts.
#[derive(Debug)]
pub struct Throttle {
    records: Mutex<Recent<Who, Record>>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { records: Mutex::new(Recent::new(ENTRIES_MAX)) }
    }
}

impl Throttle {
    /// How many milliseconds this attempt has to wait, and takes its turn; `Err` with the wait in
    /// milliseconds where it is refused.
    pub fn take_turn(&self, account: &str, address: IpAddr, now_ms: u64) -> Result<u64, u64> {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let who = (account.to_owned(), address);
        let Some(record) = records.get_mut(&who) else { return Ok(0) };
        if record.failed_at_ms + FORGET_AFTER_MS < now_ms {
            records.remove(&who);
            return Ok(0);
        }
        let delay_ms = delay_after(record.failures);
        if delay_ms == 0 {
            return Ok(0);
        }
        let wait_ms = record.next_at_ms.saturating_sub(now_ms);
        if wait_ms > WAIT_MAX_MS {
            return Err(wait_ms);
        }
        record.next_at_ms = now_ms + wait_ms + delay_ms;
        Ok(wait_ms)
    }

    /// Remembers that an attempt failed.
    pub fn failed(&self, account: &str, address: IpAddr, now_ms: u64) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let who = (account.to_owned(), address);
        let mut record = records.get_mut(&who).copied().unwrap_or_default();
        record.failures = record.failures.saturating_add(1);
        record.failed_at_ms = now_ms;
        record.next_at_ms = record.next_at_ms.max(now_ms + delay_after(record.failures));
        records.insert(who, record);
    }

    /// Forgets the failures: the right password was given.
    pub fn succeeded(&self, account: &str, address: IpAddr) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.remove(&(account.to_owned(), address));
    }
}

fn delay_after(failures: u32) -> u64 {
    match failures.checked_sub(FREE_FAILURES) {
        None | Some(0) => 0,
        Some(more) => (DELAY_FIRST_MS << (more - 1).min(10)).min(DELAY_MAX_MS),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::{FORGET_AFTER_MS, Throttle};

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9));

    #[test]
    fn two_failures_cost_nothing_and_many_cost_more_and_more() {
        let throttle = Throttle::default();
        let mut waits = Vec::new();
        let mut now_ms = 1_000;
        for _ in 0..10 {
            let wait_ms = throttle.take_turn("ann", HERE, now_ms).unwrap();
            waits.push(wait_ms);
            now_ms += wait_ms;
            throttle.failed("ann", HERE, now_ms);
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 250, 500, 1_000, 2_000, 4_000]);
        assert_eq!(throttle.take_turn("bob", HERE, now_ms), Ok(0), "another account");
        assert_eq!(throttle.take_turn("ann", THERE, now_ms), Ok(0), "another address");
    }

    #[test]
    fn attempts_side_by_side_queue_up_and_then_are_refused() {
        let throttle = Throttle::default();
        (0..20).for_each(|_| throttle.failed("ann", HERE, 0));
        let turns: Vec<_> = (0..8).map(|_| throttle.take_turn("ann", HERE, 0)).collect();
        assert_eq!(turns[..4], [Ok(5_000), Ok(10_000), Ok(15_000), Ok(20_000)]);
        assert!(turns[5].is_err(), "{turns:?}");
    }

    #[test]
    fn a_right_password_or_time_clears_the_record() {
        let throttle = Throttle::default();
        (0..20).for_each(|_| throttle.failed("ann", HERE, 0));
        throttle.succeeded("ann", HERE);
        assert_eq!(throttle.take_turn("ann", HERE, 0), Ok(0));
        (0..20).for_each(|_| throttle.failed("ann", HERE, 0));
        assert_eq!(throttle.take_turn("ann", HERE, FORGET_AFTER_MS + 1), Ok(0));
    }
}
