//! The rule, against a model of the cluster: no interleaving of receipts and releases has a replica
//! unlink what the cluster counts on.

use std::collections::BTreeMap;

use oci::digest::{Algorithm, Digest};
use oci::verifier::digest_of;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Given, REMEMBERED_MAX};

fn digest(text: &str) -> Digest {
    digest_of(Algorithm::Sha256, text.as_bytes())
}

#[test]
fn a_release_lets_go_only_above_the_first_barrier_and_after_the_last_receipt() {
    let (given, x) = (Given::default(), digest("x"));
    assert!(!given.lets_go(&x, 1_000), "before the first barrier");
    given.begin(10);
    assert!(!given.lets_go(&x, 10), "committed before this life's barrier");
    assert!(given.lets_go(&x, 11));
    given.note(&x, 20);
    let cases = [(11, false), (20, false), (21, true)];
    for (index, expected) in cases {
        assert_eq!(given.lets_go(&x, index), expected, "a receipt at 20, a release at {index}");
    }
    // An older answer that was on its way takes nothing back.
    given.note(&x, 15);
    assert!(!given.lets_go(&x, 20));
    assert!(given.lets_go(&digest("y"), 12), "another digest");
}

#[test]
fn receipts_are_forgotten_once_no_release_can_be_older() {
    let (given, x) = (Given::default(), digest("x"));
    given.begin(0);
    given.note(&x, 20);
    given.note(&digest("y"), 30);
    given.pass(19);
    assert!(!given.lets_go(&x, 20), "that one is still to come");
    given.pass(20);
    assert_eq!(given.held().last.len(), 1);
}

#[test]
fn when_too_many_receipts_were_given_nothing_is_unlinked_by_releases_as_old() {
    let given = Given::default();
    given.note(&digest("first"), 500);
    for number in 0..REMEMBERED_MAX {
        given.note(&digest(&number.to_string()), 100);
    }
    given.begin(50);
    assert!(given.held().last.len() < REMEMBERED_MAX);
    for text in ["first", "never seen"] {
        assert!(!given.lets_go(&digest(text), 500), "{text}");
        assert!(given.lets_go(&digest(text), 501), "{text}");
    }
}

/// One replica and one digest in a cluster, as far as the rule goes.
#[derive(Default)]
struct Model {
    /// The entry that was applied last by the cluster.
    committed: u64,
    /// By the replica.
    applied: u64,
    has_file: bool,
    /// Indexes of receipts on their way to the cluster, of this life and former ones.
    on_their_way: Vec<u64>,
    /// Whether the cluster lists the replica, and did so by entries: `(index, listed)`.
    listed: BTreeMap<u64, bool>,
    /// Releases by index.
    releases: Vec<u64>,
    /// How far the replica has looked at them.
    looked: u64,
}

impl Model {
    fn is_listed(&self, at: u64) -> bool {
        self.listed.range(..=at).next_back().is_some_and(|(_, listed)| *listed)
    }

    /// The replica looks at the releases it has applied since; how many files went and stayed.
    fn look(&mut self, given: &Given, x: &Digest) -> (usize, usize) {
        let (from, to, mut unlinked, mut kept_back) = (self.looked, self.applied, 0, 0);
        for release in self.releases.clone() {
            if release <= from || release > to || !self.has_file {
                continue;
            }
            if given.lets_go(x, release) && !self.is_listed(self.applied) {
                self.has_file = false;
                unlinked += 1;
            } else {
                kept_back += 1;
            }
        }
        self.looked = to;
        given.pass(to);
        (unlinked, kept_back)
    }

    /// What a receipt counts for when an entry of now takes it.
    fn counts(&self, receipt: u64) -> bool {
        !self.releases.iter().any(|release| *release > receipt)
    }
}

fn run(seed: u64) -> (usize, usize) {
    let mut random = StdRng::seed_from_u64(seed);
    let x = digest("x");
    let (mut model, mut given) = (Model::default(), Given::default());
    let (mut unlinked, mut kept_back) = (0, 0);
    given.begin(0);
    for _ in 0..200 {
        match random.random_range(0..7) {
            // The file comes, or is there, and a receipt is given.
            0 => {
                model.has_file = true;
                given.note(&x, model.applied);
                model.on_their_way.push(model.applied);
            }
            // A commit takes a receipt.
            1 if !model.on_their_way.is_empty() => {
                let place = random.random_range(0..model.on_their_way.len());
                let receipt = model.on_their_way.swap_remove(place);
                model.committed += 1;
                if model.counts(receipt) {
                    model.listed.insert(model.committed, true);
                    assert!(model.has_file, "seed {seed}: listed, and the file is gone");
                }
            }
            // The blob is deleted, or the copy is forgotten where it is not listed.
            2 => {
                model.committed += 1;
                let is_forgotten = random.random_bool(0.5);
                if !(is_forgotten && model.is_listed(model.committed)) {
                    model.releases.push(model.committed);
                    model.listed.insert(model.committed, false);
                }
            }
            3 => model.committed += 1,
            4 => model.applied = random.random_range(model.applied..=model.committed),
            // The replica looks at releases that it has applied.
            5 => {
                let (one, other) = model.look(&given, &x);
                (unlinked, kept_back) = (unlinked + one, kept_back + other);
            }
            // It is killed and comes back, its tables somewhat behind.
            6 if random.random_bool(0.2) => {
                model.applied = random.random_range(0..=model.applied);
                given = Given::default();
                // The barrier.
                model.applied = model.committed;
                model.looked = model.applied;
                given.begin(model.applied);
            }
            _ => {}
        }
        let listed_now = model.is_listed(model.committed);
        assert!(model.has_file || !listed_now, "seed {seed}: listed without a file");
    }
    (unlinked, kept_back)
}

#[test]
fn no_interleaving_unlinks_what_the_cluster_counts_on() {
    let (mut unlinked, mut kept_back) = (0, 0);
    for seed in 0..3_000 {
        let (one, other) = run(seed);
        (unlinked, kept_back) = (unlinked + one, kept_back + other);
    }
    println!("{unlinked} unlinked, {kept_back} kept back");
    assert!(unlinked > 1_000 && kept_back > 1_000, "{unlinked} {kept_back}");
}
