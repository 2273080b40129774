//! Which workloads are run, against whom, and how many samples each takes.

use super::figures::Run;

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contender {
    /// Holdfast with one replica.
    One,
    /// Holdfast with three replicas on this machine.
    Three,
    /// docker-registry.
    Registry,
    /// nginx with static files.
    Nginx,
    /// Holdfast with one replica, over TLS.
    OneTls,
    /// nginx, over TLS.
    NginxTls,
    /// Holdfast with one replica that holds little.
    Small,
    /// Holdfast with one replica that holds much.
    Large,
}

impl Contender {
    /// As the page calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "Holdfast, one replica",
            Self::Three => "Holdfast, three replicas",
            Self::Registry => "docker-registry",
            Self::Nginx => "nginx, static files",
            Self::OneTls => "Holdfast, one replica, TLS",
            Self::NginxTls => "nginx, static files, TLS",
            Self::Small => "Holdfast, little in it",
            Self::Large => "Holdfast, much in it",
        }
    }
}

/// Where the data lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ground {
    /// On the disk.
    Disk,
    /// On a file system in memory.
    Memory,
    /// On the disk, in clusters that are filled first.
    Scale,
}

/// One workload and those who are compared by it.
#[derive(Clone, Debug)]
pub struct Line {
    /// What is run.
    pub run: Run,
    /// By whom, in turn.
    pub contenders: Vec<Contender>,
}

/// How long all of it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Minutes: a look.
    Quick,
    /// Half an hour: what the page is made of.
    Full,
}

impl Length {
    /// Rounds on a ground.
    pub fn rounds(self, ground: Ground) -> usize {
        match (self, ground) {
            (Self::Quick, _) => 2,
            (Self::Full, Ground::Disk) => 5,
            (Self::Full, _) => 3,
        }
    }

    fn samples(self, quick: u32, full: u32) -> u32 {
        if self == Self::Quick { quick } else { full }
    }
}

/// What is run on a ground.
pub fn lines(ground: Ground, length: Length) -> Vec<Line> {
    match ground {
        Ground::Disk => {
            let mut lines = pulls(length);
            lines.extend(pushes(length));
            lines.extend(metadata(length));
            lines
        }
        Ground::Memory => {
            let mut lines = pushes(length);
            let both = [Contender::One, Contender::Three];
            lines.push(line(("push-unique-100m", 1, 5), &both));
            lines.push(line(("push-monolith-100m", 1, 5), &both));
            lines
        }
        Ground::Scale => scale(length),
    }
}

fn line(run: (&'static str, u16, u32), contenders: &[Contender]) -> Line {
    let (workload, concurrency, samples) = run;
    Line { run: Run { workload, concurrency, samples }, contenders: contenders.to_vec() }
}

fn pulls(length: Length) -> Vec<Line> {
    use Contender::{Nginx, NginxTls, One, OneTls, Registry, Three};
    let all = [One, Registry, Nginx, Three];
    vec![
        line(("pull-1m", 10, length.samples(200, 400)), &all),
        line(("pull-10m", 10, length.samples(60, 200)), &all),
        line(("pull-100m", 10, length.samples(20, 40)), &all),
        line(("pull-100m", 10, length.samples(10, 20)), &[OneTls, NginxTls]),
    ]
}

fn pushes(length: Length) -> Vec<Line> {
    use Contender::{One, Registry, Three};
    let all = [One, Registry, Three];
    vec![
        line(("push-monolith-1m", 10, length.samples(50, 100)), &all),
        line(("push-chunk-1m", 10, length.samples(50, 100)), &all),
        line(("push-monolith-10m", 10, length.samples(20, 40)), &all),
        line(("push-chunk-10m", 10, length.samples(20, 40)), &all),
        line(("push-monolith-100m", 10, 10), &all),
        // What nobody has yet; the others send the same layer again.
        line(("push-unique-1m", 10, length.samples(50, 100)), &all),
        line(("push-unique-10m", 10, length.samples(20, 40)), &all),
        line(("push-unique-100m", 10, 10), &all),
    ]
}

fn metadata(length: Length) -> Vec<Line> {
    use Contender::{One, Registry, Three};
    let all = [One, Registry, Three];
    let tiny = length.samples(256, 1_000);
    vec![
        line(("head-manifest-tag", 64, length.samples(3_000, 10_000)), &all),
        line(("push-tiny-same-repo", 16, tiny), &[One, Three]),
        line(("push-tiny-same-repo", 64, tiny), &all),
        line(("push-tiny-same-repo", 256, tiny.max(512)), &[One, Three]),
    ]
}

/// The large sets of the ground that grows; a short run has smaller ones.
pub fn large_sets(length: Length) -> [&'static str; 3] {
    match length {
        Length::Quick => ["tags-100k-page", "catalog-10k-page", "repositories-10k-page"],
        Length::Full => ["tags-1m-page", "catalog-100k-page", "repositories-100k-page"],
    }
}

/// The small sets that they are compared with, in the same order.
pub const SMALL_SETS: [&str; 3] = ["tags-1k-page", "catalog-1k-page", "repositories-1k-page"];

fn scale(length: Length) -> Vec<Line> {
    use Contender::{Large, Small};
    let pairs = SMALL_SETS.into_iter().zip(large_sets(length));
    let lines = pairs.flat_map(|(small, large)| {
        [line((small, 10, 2_000), &[Small]), line((large, 10, 2_000), &[Large])]
    });
    lines.collect()
}
