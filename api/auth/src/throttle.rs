//! Slows down guessing, per account and address, and per address over all accounts; locks nobody
//! out.
//!
//! A client library may try one wrong password twice for one login (registry-protocol TK3), so the
//! first failures cost nothing. Later attempts wait for their turn; attempts side by side queue up
//! behind each other, so that many connections guess no faster than one.
//!
//! One address may be a whole office behind one router. Only failures count, so nobody there waits
//! for the others' right passwords; and whoever has given the right one from there within a day
//! does not wait for those who try accounts in turn. What is remembered is so of an address whose
//! accounts keep failing: its failures wear off with time, and with nothing else.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use crate::recent::Recent;

/// Failures for one account that cost nothing.
const FREE_FAILURES: u32 = 4;
/// Failures from one address, over all accounts, that cost nothing.
const FREE_OF_ADDRESS: u32 = 100;
/// After so long one failure of an address is forgotten: twelve a minute are never slowed down.
const WORN_OFF_MS: u64 = 5_000;
/// More failures of an address are not counted: forty minutes without one clear the record.
const OF_ADDRESS_MAX: u32 = 500;
/// The wait after the first failure that costs something; doubled by each further one.
const DELAY_FIRST_MS: u64 = 250;
/// The longest distance between two attempts.
const DELAY_MAX_MS: u64 = 5_000;
/// An attempt that would have to wait longer is refused at once.
const WAIT_MAX_MS: u64 = 20_000;
/// Failures for an account that are so old no longer count.
const FORGET_AFTER_MS: u64 = 300_000;
/// For so long a right password spares its account the waits of the address.
const KNOWN_MS: u64 = 24 * 3600 * 1000;
/// Pairs of account and address that are remembered, addresses, and pairs that were right.
const ENTRIES_MAX: usize = 20_000;

/// Account and address.
type Who = (String, IpAddr);

/// What is remembered of one account and address, or of one address.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    failures: u32,
    failed_at_ms: u64,
    next_at_ms: u64,
}

impl Record {
    /// The wait of an attempt now, where failures cost `delay_ms` each; takes its turn.
    fn take_turn(&mut self, now_ms: u64, delay_ms: u64) -> Result<u64, u64> {
        if delay_ms == 0 {
            return Ok(0);
        }
        let wait_ms = self.next_at_ms.saturating_sub(now_ms);
        if wait_ms > WAIT_MAX_MS {
            return Err(wait_ms);
        }
        self.next_at_ms = now_ms + wait_ms + delay_ms;
        Ok(wait_ms)
    }

    /// Forgets what has worn off by now.
    fn wear_off(&mut self, now_ms: u64) {
        let worn = now_ms.saturating_sub(self.failed_at_ms) / WORN_OFF_MS;
        self.failures = self.failures.saturating_sub(u32::try_from(worn).unwrap_or(u32::MAX));
        self.failed_at_ms = (self.failed_at_ms + worn * WORN_OFF_MS).min(now_ms);
    }
}

/// What is remembered of everybody.
#[derive(Debug)]
struct Records {
    pairs: Recent<Who, Record>,
    addresses: Recent<IpAddr, Record>,
    /// When the right password was last given.
    known: Recent<Who, u64>,
}

/// Remembers failed attempts.
#[derive(Debug)]
pub struct Throttle {
    records: Mutex<Records>,
}

impl Default for Throttle {
    fn default() -> Self {
        let (pairs, addresses) = (Recent::new(ENTRIES_MAX), Recent::new(ENTRIES_MAX));
        let known = Recent::new(ENTRIES_MAX);
        Self { records: Mutex::new(Records { pairs, addresses, known }) }
    }
}

impl Throttle {
    /// How many milliseconds this attempt has to wait, and takes its turn; `Err` with the wait in
    /// milliseconds where it is refused.
    pub fn take_turn(&self, account: &str, address: IpAddr, now_ms: u64) -> Result<u64, u64> {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let who = (account.to_owned(), address);
        Ok(records.turn_of_pair(&who, now_ms)?.max(records.turn_of_address(&who, now_ms)?))
    }

    /// Remembers that an attempt failed.
    pub fn failed(&self, account: &str, address: IpAddr, now_ms: u64) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let who = (account.to_owned(), address);
        let mut record = records.pairs.get_mut(&who).copied().unwrap_or_default();
        record.failures = record.failures.saturating_add(1);
        record.failed_at_ms = now_ms;
        record.next_at_ms =
            record.next_at_ms.max(now_ms + delay_after(record.failures, FREE_FAILURES));
        records.pairs.insert(who, record);

        let network = network_of(address);
        let mut record = records.addresses.get_mut(&network).copied().unwrap_or_default();
        if record.failures == 0 {
            record.failed_at_ms = now_ms;
        }
        record.wear_off(now_ms);
        record.failures = (record.failures + 1).min(OF_ADDRESS_MAX);
        record.next_at_ms =
            record.next_at_ms.max(now_ms + delay_after(record.failures, FREE_OF_ADDRESS));
        records.addresses.insert(network, record);
    }

    /// Forgets the account's failures: the right password was given. Those of its address stay:
    /// whoever has one account must not be free to guess at all others.
    pub fn succeeded(&self, account: &str, address: IpAddr, now_ms: u64) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let who = (account.to_owned(), address);
        records.pairs.remove(&who);
        records.known.insert(who, now_ms);
    }
}

impl Records {
    fn turn_of_pair(&mut self, who: &Who, now_ms: u64) -> Result<u64, u64> {
        let Some(record) = self.pairs.get_mut(who) else { return Ok(0) };
        if record.failed_at_ms + FORGET_AFTER_MS < now_ms {
            self.pairs.remove(who);
            return Ok(0);
        }
        record.take_turn(now_ms, delay_after(record.failures, FREE_FAILURES))
    }

    fn turn_of_address(&mut self, who: &Who, now_ms: u64) -> Result<u64, u64> {
        if self.known.get_mut(who).is_some_and(|at_ms| now_ms < *at_ms + KNOWN_MS) {
            return Ok(0);
        }
        let network = network_of(who.1);
        let Some(record) = self.addresses.get_mut(&network) else { return Ok(0) };
        record.wear_off(now_ms);
        if record.failures == 0 {
            self.addresses.remove(&network);
            return Ok(0);
        }
        record.take_turn(now_ms, delay_after(record.failures, FREE_OF_ADDRESS))
    }
}

fn delay_after(failures: u32, free: u32) -> u64 {
    match failures.checked_sub(free) {
        None | Some(0) => 0,
        Some(more) => (DELAY_FIRST_MS << (more - 1).min(10)).min(DELAY_MAX_MS),
    }
}

/// What belongs to one client: of IPv6 the first 64 bits.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => IpAddr::V4(mapped),
            None => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::{
        ENTRIES_MAX, FORGET_AFTER_MS, FREE_OF_ADDRESS, KNOWN_MS, OF_ADDRESS_MAX, Throttle,
        WORN_OFF_MS, network_of,
    };

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
        throttle.succeeded("ann", HERE, 0);
        assert_eq!(throttle.take_turn("ann", HERE, 0), Ok(0));
        (0..20).for_each(|_| throttle.failed("ann", HERE, 0));
        assert_eq!(throttle.take_turn("ann", HERE, FORGET_AFTER_MS + 1), Ok(0));
    }

    /// Tries account after account, once each; how long each attempt waited, and when the last was.
    fn spray(throttle: &Throttle, attempts: u32, mut now_ms: u64) -> (Vec<u64>, u64) {
        let mut waits = Vec::new();
        for number in 0..attempts {
            let account = format!("user-{now_ms}-{number}");
            let wait_ms = throttle.take_turn(&account, HERE, now_ms).unwrap();
            now_ms += wait_ms;
            waits.push(wait_ms);
            throttle.failed(&account, HERE, now_ms);
        }
        (waits, now_ms)
    }

    #[test]
    fn one_address_that_tries_many_accounts_is_slowed_down() {
        let throttle = Throttle::default();
        let (waits, now_ms) = spray(&throttle, FREE_OF_ADDRESS + 20, 0);
        let free = usize::try_from(FREE_OF_ADDRESS).unwrap();
        assert!(waits[..=free].iter().all(|wait_ms| *wait_ms == 0), "{waits:?}");
        assert!(waits[free + 10..].iter().all(|wait_ms| *wait_ms >= 1_000), "{waits:?}");
        assert_eq!(throttle.take_turn("ann", THERE, now_ms), Ok(0), "another address");
        // As many connections as it likes: it waits, or is told to.
        let turns: Vec<_> =
            (0..50).map(|number| throttle.take_turn(&format!("n{number}"), HERE, now_ms)).collect();
        assert!(turns.iter().all(|turn| *turn != Ok(0)) && turns[49].is_err(), "{turns:?}");
        // It wears off with time, and with nothing else.
        throttle.succeeded("own", HERE, now_ms);
        let much_later = now_ms + u64::from(OF_ADDRESS_MAX) * WORN_OFF_MS;
        assert_ne!(throttle.take_turn("new", HERE, now_ms + 1_000), Ok(0));
        assert_eq!(throttle.take_turn("new", HERE, much_later), Ok(0));
    }

    #[test]
    fn who_signed_in_from_there_does_not_wait_for_a_guesser_behind_the_same_router() {
        let throttle = Throttle::default();
        throttle.succeeded("ann", HERE, 0);
        let (_, now_ms) = spray(&throttle, FREE_OF_ADDRESS + 20, 1_000);
        assert_eq!(throttle.take_turn("ann", HERE, now_ms), Ok(0));
        assert_ne!(throttle.take_turn("bob", HERE, now_ms), Ok(0));
        let (_, now_ms) = spray(&throttle, FREE_OF_ADDRESS + 20, KNOWN_MS);
        assert_ne!(throttle.take_turn("ann", HERE, now_ms), Ok(0), "that was a day ago");
    }

    /// Two hundred people behind one router, each of whom mistypes twice and then signs in.
    #[test]
    fn an_office_with_right_passwords_is_never_slowed_down() {
        let throttle = Throttle::default();
        let mut now_ms = 0;
        for round in 0..5 {
            for number in 0..200 {
                let account = format!("person-{number}");
                // Right passwords cost nothing, however many come at once.
                assert_eq!(throttle.take_turn(&account, HERE, now_ms), Ok(0), "{round} {number}");
                throttle.succeeded(&account, HERE, now_ms);
            }
        }
        let later_ms = 2 * KNOWN_MS;
        now_ms = later_ms;
        for number in 0..200 {
            let account = format!("person-{number}");
            for _ in 0..2 {
                assert_eq!(throttle.take_turn(&account, HERE, now_ms), Ok(0), "{number}");
                throttle.failed(&account, HERE, now_ms);
            }
            throttle.succeeded(&account, HERE, now_ms);
            // Within forty minutes, as at the beginning of a day.
            now_ms += 12_000;
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let throttle = Throttle::default();
        for number in 0..3 * u32::try_from(ENTRIES_MAX).unwrap() {
            let address = IpAddr::V4(Ipv4Addr::from_bits(number));
            throttle.failed("ann", address, 0);
            throttle.succeeded("bob", address, 0);
        }
        let records = throttle.records.lock().unwrap();
        let lengths = [records.pairs.len(), records.addresses.len(), records.known.len()];
        assert!(lengths.iter().all(|length| *length <= ENTRIES_MAX), "{lengths:?}");
    }

    #[test]
    fn neighbours_in_a_network_of_ipv6_count_as_one() {
        let parsed = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(parsed("2001:db8:1:2::1"), parsed("2001:db8:1:2:ffff::9"));
        assert_ne!(parsed("2001:db8:1:2::1"), parsed("2001:db8:1:3::1"));
        assert_eq!(parsed("::ffff:10.0.0.9"), THERE);
        assert_ne!(parsed("10.0.0.8"), THERE);
    }
}
