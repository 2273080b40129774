//! Random steps: the state stays sound, and replicas come to the same state.

use std::collections::BTreeMap;

use metadata::command::Command;
use metadata::entry::Entry;
use metadata::invariants;
use proptest::prelude::*;

use crate::steps::{REPLICAS, step};
use crate::world::{Logged, World};

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_asked_the_state_stays_sound_and_no_holder_lacks_its_file(
        steps in proptest::collection::vec(step(), 1..120)
    ) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
        for replica in 1..=REPLICAS {
            world.catch_up(replica);
        }
        world.check(&[], std::iter::empty());
        for replica in &world.replicas {
            prop_assert_eq!(&replica.tables, &world.newest.tables);
        }
        prop_assert_eq!(invariants::check(&world.newest.tables).unwrap(), vec![]);
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        sample in any::<prop::sample::Index>(),
        flips in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..4),
    ) {
        let _ = Command::decode(&bytes);
        let _ = Entry::read(&bytes);
        let _ = metadata::outcome::decode(&bytes);
        let mut command = sample.get(&crate::samples::commands()).encode();
        for (place, flip) in flips {
            let place = place % command.len();
            command[place] ^= flip;
        }
        // What can be read is written back the same way: one form for one value.
        if let Ok(read) = Command::decode(&command) {
            prop_assert_eq!(Command::decode(&read.encode()), Ok(read));
        }
    }
}

/// A test that only ever sees refusals proves nothing.
#[test]
fn random_steps_reach_every_kind_of_command_carried_out_and_refused() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut done, mut refused) = (BTreeMap::new(), BTreeMap::new());
    for _ in 0..40 {
        let steps = proptest::collection::vec(step(), 100).new_tree(&mut runner).unwrap();
        let mut world = World::new();
        for step in steps.current() {
            world.take(step);
        }
        for (logged, outcomes) in &world.log {
            let Logged::Entry(entry) = logged else { continue };
            for (proposal, outcome) in entry.proposals.iter().zip(outcomes).step_by(2) {
                let name = Command::decode(&proposal.command).unwrap().name();
                let counts = if outcome.is_ok() { &mut done } else { &mut refused };
                *counts.entry(name).or_insert(0) += 1;
            }
        }
    }
    for name in [
        "BlobCommit",
        "BlobMount",
        "BlobUnlink",
        "Condemn",
        "Delete",
        "Forget",
        "HolderAdd",
        "HolderDrop",
        "ManifestDelete",
        "ManifestPut",
        "RepositoryDelete",
        "TagDelete",
        "TagUndelete",
    ] {
        let (done, refused) = (done.get(name).unwrap_or(&0), refused.get(name).unwrap_or(&0));
        assert!(*done >= 3 && *refused >= 3, "{name}: {done} done, {refused} refused");
    }
}
