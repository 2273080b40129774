//! How many requests a caller may send: a bucket of tokens for each account and, for those who do
//! not sign in, for each address.
//!
//! A bucket holds a burst and fills at the rate that is configured. Each replica counts for itself:
//! agreeing on each request would cost more than the requests. The table is bounded; a caller that
//! drops out of it has been quiet while thousands of others called, so that its bucket was full
//! again or nearly so.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use auth::recent::Recent;

/// Callers that are remembered; each takes about 150 bytes.
const CALLERS_MAX: usize = 50_000;
/// What a request costs, in the unit of a bucket's level: a thousandth of a token.
const REQUEST_COST: u64 = 1_000;
/// Who holds an IPv6 address mostly holds all of the 64 bits below it.
const IPV6_PREFIX_BITS: u32 = 64;

/// How many requests one caller may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// In the long run.
    pub per_second: u32,
    /// At once, after a quiet time.
    pub burst: u32,
}

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Payer {
    /// An account's, from wherever they come.
    Account(String),
    /// Those without an account that come from one address.
    Address(IpAddr),
}

impl Payer {
    /// Who pays for a request of this account, or of nobody, from this address.
    pub fn of(account: Option<&str>, address: IpAddr) -> Self {
        match account {
            Some(account) => Self::Account(account.to_owned()),
            None => Self::Address(network_of(address)),
        }
    }
}

impl std::fmt::Display for Payer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Account(name) => write!(out, "the account {name}"),
            Self::Address(IpAddr::V6(address)) => write!(out, "{address}/{IPV6_PREFIX_BITS}"),
            Self::Address(address) => address.fmt(out),
        }
    }
}

/// A caller has sent more requests than it may.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{payer} may send {} requests a second to this replica, and {} at once after a quiet \
     time; wait and try again",
    rate.per_second,
    rate.burst
)]
pub struct Exceeded {
    /// Whose requests were counted.
    pub payer: Payer,
    /// What it may send.
    pub rate: Rate,
    /// When it may send the next one, in seconds.
    pub retry_after_s: u32,
}

/// The buckets.
#[derive(Debug)]
pub struct Rates {
    rate: Option<Rate>,
    buckets: Mutex<Recent<Payer, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// In thousandths of a token.
    level: u64,
    filled_at_ms: u64,
}

impl Rates {
    /// Counts by `rate`; nothing where there is none.
    pub fn new(rate: Option<Rate>) -> Self {
        Self::remembering(CALLERS_MAX, rate)
    }

    fn remembering(callers_max: usize, rate: Option<Rate>) -> Self {
        Self { rate, buckets: Mutex::new(Recent::new(callers_max)) }
    }

    /// Takes one request from the bucket of `payer`, at a moment of the monotonic clock.
    ///
    /// # Errors
    ///
    /// [`Exceeded`] where the bucket is empty; nothing is taken then.
    pub fn take(&self, payer: Payer, now_ms: u64) -> Result<(), Exceeded> {
        let Some(rate) = self.rate else { return Ok(()) };
        let (full, per_ms) = (u64::from(rate.burst) * REQUEST_COST, u64::from(rate.per_second));
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(&payer) {
            let passed_ms = now_ms.saturating_sub(bucket.filled_at_ms);
            bucket.level = full.min(bucket.level.saturating_add(passed_ms.saturating_mul(per_ms)));
            bucket.filled_at_ms = bucket.filled_at_ms.max(now_ms);
            if bucket.level < REQUEST_COST {
                let wait_ms = (REQUEST_COST - bucket.level).div_ceil(per_ms.max(1));
                let retry_after_s = u32::try_from(wait_ms.div_ceil(1_000)).unwrap_or(u32::MAX);
                return Err(Exceeded { payer, rate, retry_after_s });
            }
            bucket.level -= REQUEST_COST;
        } else {
            let level = full.saturating_sub(REQUEST_COST);
            buckets.insert(payer, Bucket { level, filled_at_ms: now_ms });
        }
        Ok(())
    }
}

/// The address, or the network below which one customer may choose addresses at will.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> IPV6_PREFIX_BITS << IPV6_PREFIX_BITS;
            Ipv6Addr::from(network).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{Exceeded, Payer, Rate, Rates};

    fn ann() -> Payer {
        Payer::Account("ann".to_owned())
    }

    fn rates() -> Rates {
        Rates::new(Some(Rate { per_second: 2, burst: 5 }))
    }

    /// How many of `tries` requests are let through at one moment.
    fn passed(rates: &Rates, payer: &Payer, now_ms: u64, tries: usize) -> usize {
        (0..tries).filter(|_| rates.take(payer.clone(), now_ms).is_ok()).count()
    }

    #[test]
    fn a_bucket_holds_a_burst_and_fills_at_the_rate() {
        let rates = rates();
        // Moments in milliseconds and what may pass of ten requests then.
        let cases = [(0, 5), (0, 0), (499, 0), (500, 1), (1_500, 2), (1_900, 0), (2_000, 1)];
        for (now_ms, expected) in cases {
            assert_eq!(passed(&rates, &ann(), now_ms, 10), expected, "at {now_ms} ms");
        }
        assert_eq!(passed(&rates, &ann(), 1_000_000, 10), 5, "never more than the burst");
        assert_eq!(passed(&rates, &ann(), 999_000, 10), 0, "a moment before gives nothing");
    }

    #[test]
    fn one_callers_requests_cost_no_other() {
        let rates = rates();
        assert_eq!(passed(&rates, &ann(), 0, 10), 5);
        let others = ["10.0.0.1", "10.0.0.2", "2001:db8:0:1::1", "2001:db8:0:2::1"];
        for other in others {
            let payer = Payer::of(None, other.parse().unwrap());
            assert_eq!(passed(&rates, &payer, 0, 10), 5, "{other}");
        }
        assert_eq!(passed(&rates, &Payer::Account("10.0.0.1".to_owned()), 0, 10), 5);
    }

    #[test]
    fn addresses_of_one_network_count_together() {
        let same = [("2001:db8::1", "2001:db8::ffff:1"), ("::ffff:10.0.0.1", "10.0.0.1")];
        for (one, other) in same {
            let payer = |text: &str| Payer::of(None, text.parse::<IpAddr>().unwrap());
            assert_eq!(payer(one), payer(other), "{one} {other}");
        }
    }

    #[test]
    fn a_refusal_says_how_long_to_wait() {
        for (per_second, expected) in [(1, 1), (2, 1), (1_000_000, 1)] {
            let rates = Rates::new(Some(Rate { per_second, burst: 1 }));
            rates.take(ann(), 7).unwrap();
            match rates.take(ann(), 7) {
                Err(Exceeded { retry_after_s, .. }) => {
                    assert_eq!(retry_after_s, expected, "{per_second} a second");
                }
                Ok(()) => panic!("it is let through"),
            }
        }
    }

    #[test]
    fn without_a_rate_nothing_is_counted() {
        let rates = Rates::new(None);
        assert_eq!(passed(&rates, &ann(), 0, 1_000), 1_000);
        assert!(rates.buckets.lock().unwrap().is_empty());
    }

    #[test]
    fn the_table_stays_within_its_bound() {
        let rates = Rates::remembering(100, Some(Rate { per_second: 1, burst: 1 }));
        for number in 0..10_000_u32 {
            rates.take(Payer::of(None, IpAddr::from(number.to_be_bytes())), 0).unwrap();
        }
        assert!(rates.buckets.lock().unwrap().len() <= 100);
    }
}
