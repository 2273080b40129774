//! What is aimed at, as ratios.

use super::lines::{Contender, Ground, Length, SMALL_SETS, large_sets};
use super::results::{Measure, Place, Raw, Results, median, ratios};

/// A ratio and its bound.
pub struct Target {
    /// What is compared with what.
    pub text: String,
    /// The ratio of every round.
    pub ratios: Vec<f64>,
    /// At least this, or at most.
    pub bound: Option<Bound>,
}

/// What a ratio should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// No less.
    AtLeast(f64),
    /// No more.
    AtMost(f64),
}

impl Bound {
    /// Whether the median of the rounds keeps to it.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

impl Target {
    /// The median of the rounds.
    pub fn median(&self) -> Option<f64> {
        median(&self.ratios)
    }
}

/// All targets, with what was seen of them.
pub fn all(results: &Results, length: Length) -> Vec<Target> {
    let mut all = pulls(results);
    all.extend(pushes(results, Ground::Disk));
    all.extend(pushes(results, Ground::Memory));
    all.extend(streams(results));
    all.extend(metadata(results));
    all.extend(scale(results, length));
    all
}

/// Compares two contenders by one workload.
struct Compare<'a> {
    results: &'a Results,
    ground: Ground,
    workload: &'static str,
    concurrency: u16,
    measure: Measure,
}

impl Compare<'_> {
    fn each(&self, contender: Contender) -> Vec<f64> {
        let Self { ground, workload, concurrency, .. } = *self;
        self.results.each(Place { ground, workload, concurrency, contender }, self.measure)
    }

    fn target(&self, one: Contender, other: Contender, bound: Option<Bound>) -> Target {
        let ground = if self.ground == Ground::Memory { ", in memory" } else { "" };
        let text = format!(
            "`{}`, {} clients{ground}: {} / {}",
            self.workload,
            self.concurrency,
            one.name(),
            other.name()
        );
        Target { text, ratios: ratios(&self.each(one), &self.each(other)), bound }
    }
}

fn pulls(results: &Results) -> Vec<Target> {
    use Bound::AtLeast;
    use Contender::{Nginx, NginxTls, One, OneTls, Registry};
    let compare = |workload| Compare {
        results,
        ground: Ground::Disk,
        workload,
        concurrency: 10,
        measure: Measure::Mib,
    };
    vec![
        compare("pull-1m").target(One, Registry, Some(AtLeast(2.0))),
        compare("pull-10m").target(One, Registry, Some(AtLeast(1.5))),
        compare("pull-100m").target(One, Registry, None),
        compare("pull-1m").target(One, Nginx, None),
        compare("pull-10m").target(One, Nginx, Some(AtLeast(0.8))),
        compare("pull-100m").target(One, Nginx, Some(AtLeast(0.8))),
        compare("pull-100m").target(OneTls, NginxTls, Some(AtLeast(0.9))),
    ]
}

fn pushes(results: &Results, ground: Ground) -> Vec<Target> {
    use Contender::{One, Registry, Three};
    let small = [
        "push-monolith-1m",
        "push-chunk-1m",
        "push-unique-1m",
        "push-monolith-10m",
        "push-chunk-10m",
        "push-unique-10m",
    ];
    let (one, three) = match ground {
        Ground::Memory => (2.0, Some(Bound::AtLeast(1.0))),
        _ => (1.5, None),
    };
    let mut all = Vec::new();
    let compare = |workload| {
        let measure = Measure::PerSecond;
        Compare { results, ground, workload, concurrency: 10, measure }
    };
    for workload in small {
        all.push(compare(workload).target(One, Registry, Some(Bound::AtLeast(one))));
        all.push(compare(workload).target(Three, Registry, three));
    }
    for workload in ["push-monolith-100m", "push-unique-100m"] {
        for contender in [One, Three] {
            all.push(compare(workload).target(contender, Registry, None));
        }
    }
    all
}

/// Streams of 100 MB that nobody has yet against what the machine does by itself.
fn streams(results: &Results) -> Vec<Target> {
    let each = |ground, concurrency| {
        let (workload, contender) = ("push-unique-100m", Contender::One);
        results.each(Place { ground, workload, concurrency, contender }, Measure::Mib)
    };
    let hash = results.raw(Raw::Hash(Ground::Disk));
    let disk = results.raw(Raw::Write(Ground::Disk));
    let slower: Vec<f64> = hash.iter().zip(disk).map(|(hash, disk)| hash.min(*disk)).collect();
    let memory = results.raw(Raw::Hash(Ground::Memory));
    let file = results.raw(Raw::Write(Ground::Memory));
    let slower_in_memory: Vec<f64> =
        memory.iter().zip(file).map(|(hash, file)| hash.min(*file)).collect();
    let at_least = |bound| Some(Bound::AtLeast(bound));
    vec![
        Target {
            text: "`push-unique-100m`, 10 clients, bytes a second: Holdfast, one replica / the \
                   slower of one core's SHA-256 and one fsynced file"
                .to_owned(),
            ratios: ratios(&each(Ground::Disk, 10), &slower),
            bound: at_least(0.85),
        },
        Target {
            text: "`push-unique-100m`, 1 client, in memory, bytes a second: Holdfast, one \
                   replica / one core's SHA-256"
                .to_owned(),
            ratios: ratios(&each(Ground::Memory, 1), memory),
            bound: at_least(0.7),
        },
        // A virtual machine may have to ask its host for each page of a new file.
        Target {
            text: "`push-unique-100m`, 1 client, in memory, bytes a second: Holdfast, one \
                   replica / the slower of one core's SHA-256 and one file in memory"
                .to_owned(),
            ratios: ratios(&each(Ground::Memory, 1), &slower_in_memory),
            bound: None,
        },
        Target {
            text: "`push-unique-100m`, 10 clients, in memory, bytes a second: Holdfast, one \
                   replica / one core's SHA-256"
                .to_owned(),
            ratios: ratios(&each(Ground::Memory, 10), memory),
            bound: None,
        },
        Target {
            text: "`push-unique-100m`, three replicas: bytes written / blob bytes × copies"
                .to_owned(),
            ratios: results.raw(Raw::Written).to_vec(),
            bound: Some(Bound::AtMost(1.05)),
        },
    ]
}

fn metadata(results: &Results) -> Vec<Target> {
    use Bound::AtLeast;
    use Contender::{One, Registry, Three};
    let compare = |workload| {
        let (ground, measure) = (Ground::Disk, Measure::PerSecond);
        Compare { results, ground, workload, concurrency: 64, measure }
    };
    let mut all = vec![
        compare("head-manifest-tag").target(One, Registry, Some(AtLeast(15.0))),
        compare("head-manifest-tag").target(Three, Registry, Some(AtLeast(8.0))),
        compare("push-tiny-same-repo").target(One, Registry, Some(AtLeast(8.0))),
        compare("push-tiny-same-repo").target(Three, Registry, Some(AtLeast(4.0))),
    ];
    for contender in [One, Three] {
        let each = |concurrency| {
            let compare = Compare { concurrency, ..compare("push-tiny-same-repo") };
            compare.each(contender)
        };
        all.push(Target {
            text: format!("`push-tiny-same-repo`: {}, 256 clients / 16 clients", contender.name()),
            ratios: ratios(&each(256), &each(16)),
            bound: Some(AtLeast(0.8)),
        });
    }
    all
}

fn scale(results: &Results, length: Length) -> Vec<Target> {
    let each = |workload, contender, measure| {
        let place = Place { ground: Ground::Scale, workload, concurrency: 10, contender };
        results.each(place, measure)
    };
    let target = |(small, large): (&'static str, &'static str)| {
        // How the management interface is to grow is asked of its slow answers.
        let (measure, word) = if small.starts_with("repositories") {
            (Measure::P99, "p99")
        } else {
            (Measure::P50, "p50")
        };
        let (large_ms, small_ms) =
            (each(large, Contender::Large, measure), each(small, Contender::Small, measure));
        Target {
            text: format!("{word} of `{large}` / {word} of `{small}`"),
            ratios: ratios(&large_ms, &small_ms),
            bound: Some(Bound::AtMost(2.0)),
        }
    };
    SMALL_SETS.into_iter().zip(large_sets(length)).map(target).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::lines::lines;
    use serde_json::json;

    /// Every target finds what it compares among what is run.
    #[test]
    fn every_target_is_measured() {
        for length in [Length::Quick, Length::Full] {
            let mut results = Results::default();
            for ground in [Ground::Disk, Ground::Memory, Ground::Scale] {
                results.add_raw(Raw::Hash(ground), 1.0);
                results.add_raw(Raw::Write(ground), 1.0);
                for line in lines(ground, length) {
                    for contender in line.contenders {
                        let figures = json!({
                            "errors": 0, "per_second": 1.0, "mib_per_second": 1.0, "bytes": 1,
                            "ms": {"p50": 1.0, "p99": 1.0},
                        });
                        let figures = serde_json::from_value(figures).unwrap();
                        results.add(ground, line.run, contender, figures);
                    }
                }
            }
            results.add_raw(Raw::Written, 1.0);
            for target in all(&results, length) {
                assert_eq!(target.ratios, [1.0], "{}", target.text);
            }
        }
    }

    #[test]
    fn a_bound_is_kept_from_its_own_side() {
        assert!(Bound::AtLeast(2.0).holds(2.0) && !Bound::AtLeast(2.0).holds(1.99));
        assert!(Bound::AtMost(2.0).holds(2.0) && !Bound::AtMost(2.0).holds(2.01));
    }
}
