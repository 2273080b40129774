//! How long samples took: their percentiles, and what came of a workload as a whole.

use std::time::Duration;

use serde_json::{Value, json};

/// The spread of times, by nearest rank: every figure is one that was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// In the order of [`LABELS`].
    pub times: [Duration; 6],
}

/// What the figures of a [`Spread`] are.
pub const LABELS: [&str; 6] = ["min", "p50", "p75", "p90", "p99", "max"];

const PERCENTS: [usize; 6] = [0, 50, 75, 90, 99, 100];

impl Spread {
    /// Sorts the times; `None` where there are none.
    pub fn of(times: &mut [Duration]) -> Option<Self> {
        times.sort_unstable();
        let rank = |percent: usize| (times.len() * percent).div_ceil(100).max(1) - 1;
        (!times.is_empty()).then(|| Self { times: PERCENTS.map(|percent| times[rank(percent)]) })
    }

    /// In milliseconds, by label.
    pub fn json(&self) -> Value {
        let figures = LABELS.iter().zip(self.times);
        figures.map(|(label, time)| ((*label).to_owned(), json!(rounded(ms(time))))).collect()
    }
}

/// What came of a workload.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The time of each sample that went well.
    pub times: Vec<Duration>,
    /// From the request for a layer to its first byte, where layers were pulled.
    pub first_bytes: Vec<Duration>,
    /// Samples that failed.
    pub errors: u64,
    /// How the first of them failed.
    pub first_error: Option<super::failure::Failure>,
    /// Bytes of bodies, both ways, of the samples that went well.
    pub bytes: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
}

impl Outcome {
    /// Adds what another worker saw; the clock is the caller's.
    pub fn add(&mut self, other: Self) {
        self.times.extend(other.times);
        self.first_bytes.extend(other.first_bytes);
        self.errors += other.errors;
        self.bytes += other.bytes;
        self.first_error = self.first_error.take().or(other.first_error);
    }

    /// Samples that went well in a second.
    pub fn per_second(&self) -> f64 {
        rate(self.times.len() as u64, self.elapsed)
    }

    /// MiB of bodies in a second.
    pub fn mib_per_second(&self) -> f64 {
        rate(self.bytes, self.elapsed) / rate(1 << 20, Duration::from_secs(1))
    }
}

#[allow(clippy::cast_precision_loss, reason = "figures for people; 2^53 is far away")]
fn rate(count: u64, elapsed: Duration) -> f64 {
    if elapsed.is_zero() { 0.0 } else { count as f64 / elapsed.as_secs_f64() }
}

/// A time in milliseconds.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Three digits behind the point are as far as any of these figures goes.
pub fn rounded(figure: f64) -> f64 {
    (figure * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let cases = [
            (1, [1, 1, 1, 1, 1, 1]),
            (2, [1, 1, 2, 2, 2, 2]),
            (4, [1, 2, 3, 4, 4, 4]),
            (100, [1, 50, 75, 90, 99, 100]),
            (1_000, [1, 500, 750, 900, 990, 1_000]),
        ];
        for (count, expected) in cases {
            // From the slowest to the fastest: the order they came in does not matter.
            let mut times: Vec<Duration> = (1..=count).rev().map(Duration::from_millis).collect();
            let spread = Spread::of(&mut times).unwrap();
            assert_eq!(spread.times, expected.map(Duration::from_millis), "{count}");
        }
        assert_eq!(Spread::of(&mut []), None);
    }

    #[test]
    fn rates_count_what_went_well() {
        let mut outcome = Outcome { elapsed: Duration::from_secs(2), ..Outcome::default() };
        let times = vec![Duration::from_millis(1); 10];
        outcome.add(Outcome { times, errors: 3, bytes: 4 << 20, ..Outcome::default() });
        assert!((outcome.per_second() - 5.0).abs() < 1e-9);
        assert!((outcome.mib_per_second() - 2.0).abs() < 1e-9);
        assert!((Outcome::default().per_second()).abs() < 1e-9);
    }
}
