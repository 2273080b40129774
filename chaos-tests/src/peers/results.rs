//! What the rounds gave, and what follows from it within each round.

use std::collections::BTreeMap;

use super::figures::{Figures, Run};
use super::lines::{Contender, Ground};

/// Figures by ground, run and contender, in the order of the rounds.
#[derive(Debug, Default)]
pub struct Results {
    figures: BTreeMap<(Ground, Run, Contender), Vec<Figures>>,
    raw: BTreeMap<Raw, Vec<f64>>,
}

/// What the machine was seen to do by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Raw {
    /// MiB of SHA-256 a second on one core, in the rounds on a ground.
    Hash(Ground),
    /// MiB a second into one new file and onto the disk or into the memory of a ground.
    Write(Ground),
    /// Bytes written by three replicas for each byte of a blob and each copy of it.
    Written,
}

/// One workload at one concurrency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where the data lie.
    pub ground: Ground,
    /// The workload's name.
    pub workload: &'static str,
    /// Clients.
    pub concurrency: u16,
    /// Who was measured.
    pub contender: Contender,
}

/// A figure of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Samples a second.
    PerSecond,
    /// MiB a second.
    Mib,
    /// Half of the samples took no longer, in milliseconds.
    P50,
    /// All but a hundredth of them took no longer, in milliseconds.
    P99,
}

impl Results {
    /// Keeps what a run gave.
    pub fn add(&mut self, ground: Ground, run: Run, contender: Contender, figures: Figures) {
        self.figures.entry((ground, run, contender)).or_default().push(figures);
    }

    /// Keeps what the machine did.
    pub fn add_raw(&mut self, raw: Raw, value: f64) {
        self.raw.entry(raw).or_default().push(value);
    }

    /// A figure of every round; empty where it was not measured.
    pub fn each(&self, place: Place, measure: Measure) -> Vec<f64> {
        let is_it = |(ground, run, contender): &(Ground, Run, Contender)| {
            *ground == place.ground
                && run.workload == place.workload
                && run.concurrency == place.concurrency
                && *contender == place.contender
        };
        let found = self.figures.iter().filter(|(key, _)| is_it(key)).flat_map(|(_, it)| it);
        found.map(|figures| measure.of(figures)).collect()
    }

    /// What the machine did in every round.
    pub fn raw(&self, raw: Raw) -> &[f64] {
        self.raw.get(&raw).map_or(&[], Vec::as_slice)
    }

    /// Everything, in order.
    pub fn all(&self) -> impl Iterator<Item = (&(Ground, Run, Contender), &[Figures])> {
        self.figures.iter().map(|(key, figures)| (key, figures.as_slice()))
    }
}

impl Measure {
    /// This one of the figures.
    pub fn of(self, figures: &Figures) -> f64 {
        match self {
            Self::PerSecond => figures.per_second,
            Self::Mib => figures.mib_per_second,
            Self::P50 => figures.ms.p50,
            Self::P99 => figures.ms.p99,
        }
    }
}

/// One divided by the other, round by round.
pub fn ratios(these: &[f64], those: &[f64]) -> Vec<f64> {
    these.iter().zip(those).map(|(this, that)| this / that).collect()
}

/// The value in the middle, or the mean of the two there; `None` of none.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = if sorted.len().is_multiple_of(2) { sorted[sorted.len() / 2 - 1] } else { upper };
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_in_the_middle() {
        let cases = [
            (&[][..], None),
            (&[3.0], Some(3.0)),
            (&[3.0, 1.0], Some(2.0)),
            (&[9.0, 1.0, 2.0], Some(2.0)),
            (&[4.0, 1.0, 2.0, 100.0], Some(3.0)),
        ];
        for (values, expected) in cases {
            assert_eq!(median(values), expected, "{values:?}");
        }
    }

    #[test]
    fn a_ratio_is_formed_within_its_round() {
        assert_eq!(ratios(&[2.0, 9.0], &[1.0, 3.0]), [2.0, 3.0]);
        assert_eq!(ratios(&[2.0, 9.0], &[1.0]), [2.0]);
        assert!(ratios(&[], &[1.0]).is_empty());
    }
}
