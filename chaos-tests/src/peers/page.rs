//! `docs/benchmarks.md`: ratios first, the figures they come from below.

use super::docker_registry::DockerRegistry;
use super::lines::{Ground, Length};
use super::machine;
use super::nginx::Nginx;
use super::results::{Measure, Raw, Results, median};
use super::targets::{self, Bound, Target};

/// Facts of a run that no figure tells.
pub struct Occasion {
    /// The day, `YYYY-MM-DD`.
    pub date: String,
    /// How long it ran.
    pub length: Length,
    /// What it took, in minutes.
    pub minutes: u64,
    /// The file system of the disk's part.
    pub file_system: String,
    /// Processes that wanted to run, on average, before the first round and after the last.
    pub load: [String; 2],
    /// Hundredths of processor time that the machine's host gave to others meanwhile.
    pub stolen: u64,
}

/// The page.
pub fn page(results: &Results, occasion: &Occasion) -> String {
    let mut text = introduction(occasion);
    text.push_str(warning(&occasion.load[0], occasion.stolen));
    text.push_str("\n## Ratios and targets\n\n");
    text.push_str("| compared | median | rounds | target | |\n|---|--:|---|--:|---|\n");
    for target in targets::all(results, occasion.length) {
        text.push_str(&row(&target));
    }
    text.push_str(&machine_figures(results));
    for (ground, title) in [
        (Ground::Disk, "Figures on the disk"),
        (Ground::Memory, "Figures in memory"),
        (Ground::Scale, "Figures of large sets"),
    ] {
        text.push_str(&format!("\n## {title}\n\n{}", figures(results, ground)));
    }
    text
}

fn introduction(occasion: &Occasion) -> String {
    let length = match occasion.length {
        Length::Quick => "a short look (`make bench QUICK=1`): expect a fifth of noise",
        Length::Full => "the full run (`make bench`)",
    };
    let version = |found: Option<String>| found.unwrap_or_else(|| "not installed".to_owned());
    format!(
        "# Benchmarks\n\n\
         Written by `make bench`; do not edit. Whoever is compared runs on the same machine and \
         is measured in turn,\nround after round, by the same client, `holdfast bench`, over \
         loopback. Client and servers share its cores.\nA ratio is formed within a round; the \
         median over the rounds counts. A figure by itself says more about\nthe machine than \
         about the program: compare it only with those beside it. Before each turn the machine \
         comes to rest.\n\n\
         - {date}; {length}, {minutes} minutes; load {before} before and {after} after; {stolen} % \
         of processor time\n  went to others on the machine's host\n\
         - {machine}; data on {file_system}\n\
         - Holdfast {own}, formed by `holdfast quickstart --plain-http`, bearer tokens. Durable: a \
         push is answered when\n  a write quorum (two of three) has file and folder fsynced and a \
         majority the log entry; three copies are made.\n  There is no switch for less.\n\
         - docker-registry {registry}, filesystem driver, cache in memory, no login. It fsyncs \
         files and not their folders.\n\
         - nginx {nginx}, static files, sendfile, a worker a core. It writes nothing.\n\
         - \"In memory\" means data on tmpfs: fsync costs nothing there and nothing is durable, \
         for anybody.\n\
         - Layers are 4,096 random bytes and zeros, the same in all pushes of a run: after the \
         first one Holdfast compares\n  them and writes nothing, docker-registry writes and drops \
         them. `push-unique` is a blob of random bytes that\n  nobody has yet. A push is layer, \
         configuration, manifest; a pull is HEAD by tag, GET of manifest and layer.\n  The client \
         hashes nothing.\n",
        stolen = occasion.stolen,
        date = occasion.date,
        minutes = occasion.minutes,
        before = occasion.load[0],
        after = occasion.load[1],
        machine = machine::description(),
        file_system = occasion.file_system,
        own = env!("CARGO_PKG_VERSION"),
        registry = version(DockerRegistry::version()),
        nginx = version(Nginx::version()),
    )
}

/// A load before the first round is somebody else's.
const LOAD_MAX: f64 = 0.5;

/// More than so many hundredths of stolen time are somebody else's machine.
const STOLEN_MAX: u64 = 5;

fn warning(load_before: &str, stolen: u64) -> &'static str {
    if load_before.parse().is_ok_and(|load: f64| load <= LOAD_MAX) && stolen <= STOLEN_MAX {
        return "";
    }
    "\n**Others were at work on this machine or its host: a missed target says little.**\n"
}

fn row(target: &Target) -> String {
    let rounds: Vec<String> = target.ratios.iter().map(|it| format!("{it:.2}")).collect();
    let Some(median) = target.median() else {
        return format!("| {} | not measured | | {} | |\n", target.text, bound(target.bound));
    };
    let verdict = match target.bound {
        Some(bound) if bound.holds(median) => "met",
        Some(_) => "**missed**",
        None => "",
    };
    let (text, rounds, bound) = (&target.text, rounds.join(" "), bound(target.bound));
    format!("| {text} | {median:.2} | {rounds} | {bound} | {verdict} |\n")
}

fn bound(bound: Option<Bound>) -> String {
    match bound {
        Some(Bound::AtLeast(least)) => format!("≥ {least}"),
        Some(Bound::AtMost(most)) => format!("≤ {most}"),
        None => "reported".to_owned(),
    }
}

fn machine_figures(results: &Results) -> String {
    let shown = |raw| match median(results.raw(raw)) {
        Some(value) => format!("{value:.0}"),
        None => "-".to_owned(),
    };
    format!(
        "\n## The machine by itself\n\nMedians over the rounds, MiB a second: one core's SHA-256 \
         {} (in the rounds in memory: {}), one file\n\
         with its fsync {}, one new file in memory {}.\n",
        shown(Raw::Hash(Ground::Disk)),
        shown(Raw::Hash(Ground::Memory)),
        shown(Raw::Write(Ground::Disk)),
        shown(Raw::Write(Ground::Memory))
    )
}

fn figures(results: &Results, ground: Ground) -> String {
    let mut text = "| workload | clients | who | a second | MiB/s | p50 ms | p99 ms |\n\
                    |---|--:|---|--:|--:|--:|--:|\n"
        .to_owned();
    for ((_, run, contender), rounds) in results.all().filter(|((it, ..), _)| *it == ground) {
        let middle = |of: &dyn Fn(&super::figures::Figures) -> f64| {
            let values: Vec<f64> = rounds.iter().map(of).collect();
            median(&values).unwrap_or_default()
        };
        text.push_str(&format!(
            "| `{}` | {} | {} | {:.1} | {:.0} | {:.2} | {:.2} |\n",
            run.workload,
            run.concurrency,
            contender.name(),
            middle(&|it| Measure::PerSecond.of(it)),
            middle(&|it| Measure::Mib.of(it)),
            middle(&|it| Measure::P50.of(it)),
            middle(&|it| it.ms.p99),
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_machine_is_told() {
        for (load, is_told) in [("0.10", false), ("0.50", false), ("5.13", true), ("", true)] {
            assert_eq!(!warning(load, 5).is_empty(), is_told, "{load}");
        }
        assert!(!warning("0.10", 6).is_empty());
    }

    #[test]
    fn a_row_says_whether_its_target_is_met() {
        let target = |ratios: &[f64], bound| Target {
            text: "a / b".to_owned(),
            ratios: ratios.to_vec(),
            bound,
        };
        let cases = [
            (target(&[2.0, 3.0], Some(Bound::AtLeast(2.0))), "| 2.50 | 2.00 3.00 | ≥ 2 | met |"),
            (target(&[1.2], Some(Bound::AtMost(1.05))), "| 1.20 | 1.20 | ≤ 1.05 | **missed** |"),
            (target(&[1.2], None), "| 1.20 | 1.20 | reported |  |"),
            (target(&[], Some(Bound::AtLeast(2.0))), "| not measured | | ≥ 2 | |"),
        ];
        for (target, expected) in cases {
            assert!(row(&target).contains(expected), "{}", row(&target));
        }
    }
}
