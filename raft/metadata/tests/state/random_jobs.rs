//! Random workers that beat, claim, end, die and come back: no job is lost, none is had twice, and
//! each takes effect once.

use std::collections::{BTreeMap, BTreeSet};

use metadata::certificates::{self, TokenKeyRotate};
use metadata::command::Command;
use metadata::jobs::commands::{JobCancel, JobCreate, JobDelete};
use metadata::jobs::crons::{self, CronFire, CronSet};
use metadata::jobs::history::JobsCompact;
use metadata::jobs::running::{Ending, JobEffect, JobEnd, JobHold};
use metadata::jobs::spec::JobSpec;
use metadata::jobs::workers::WorkerLeave;
use metadata::jobs::{self, JobId, JobStatus};
use metadata::outcome::{Answer, Outcome};
use metadata::tables::Table;
use proptest::prelude::*;

use crate::cluster::{Cluster, id};
use crate::jobs::{beat, claim, create, ended, with_workers};

/// What is drawn: the kind of step, and what it is about.
type Draw = (u8, u64, usize);

/// What happened, as somebody outside saw it.
#[derive(Default)]
struct Told {
    /// Jobs that came to be, and were not deleted.
    made: BTreeSet<JobId>,
    /// Every claim that was ever given, also those that are over.
    holds: Vec<JobHold>,
    /// How often each job was said to be done.
    done: BTreeMap<JobId, usize>,
    /// Keys that were exchanged, by jobs.
    rotations: usize,
    lives: [u8; 4],
    counts: BTreeMap<(&'static str, bool), usize>,
}

fn rotate(cluster: &Cluster, number: usize) -> JobEffect {
    let former = certificates::token_key(&cluster.tables).unwrap().unwrap();
    let rotate = TokenKeyRotate {
        actor: "admin".into(),
        former_id: former.id,
        id: format!("key {number}"),
        public_key: vec![1],
        sealed_key: vec![2],
        former_life_ms: 0,
    };
    JobEffect::TokenKeyRotate { rotate }
}

fn command(cluster: &Cluster, told: &mut Told, (kind, replica, which): Draw) -> Option<Command> {
    let life = &mut told.lives[usize::try_from(replica).unwrap()];
    // Mostly what was claimed last: most others are over.
    let holds = &told.holds[if which % 4 > 0 { told.holds.len().saturating_sub(3) } else { 0 }..];
    let hold = (!holds.is_empty()).then(|| holds[which % holds.len()]);
    let some_job = || told.made.iter().nth(which % told.made.len().max(1)).copied();
    let actor = || "admin".to_owned();
    Some(match kind {
        0..3 => {
            let spec = JobSpec { retries: 1, ..JobSpec::of(["false", "sleep"][which % 2]) };
            JobCreate { spec, ..create("sleep") }.into()
        }
        3..5 => create("rotate_token_key").into(),
        5..8 => beat(replica, *life).into(),
        8 => {
            *life += 1;
            beat(replica, *life).into()
        }
        9..15 => claim(replica, *life).into(),
        15 => WorkerLeave { replica_id: id(replica), life: [*life; 16] }.into(),
        16 => JobCancel { actor: actor(), id: some_job()? }.into(),
        17 => JobDelete { actor: actor(), id: some_job()? }.into(),
        18 => JobsCompact {}.into(),
        19 => {
            let due_wall_ms = crons::find(&cluster.tables, "false").unwrap()?.next_wall_ms;
            CronFire { action: "false".into(), due_wall_ms }.into()
        }
        _ => {
            let ending = [Ending::Done, Ending::Failed, Ending::Stopped][usize::from(kind % 3)];
            let hold = hold?;
            let of = jobs::find(&cluster.tables, &hold.id).unwrap();
            let rotates = of.is_some_and(|job| job.spec.action == "rotate_token_key");
            let effect = (rotates && ending == Ending::Done).then(|| rotate(cluster, which));
            JobEnd { effect, ..ended(hold, ending) }.into()
        }
    })
}

/// Notes what came of it, and compares it with the tables.
fn note(cluster: &Cluster, told: &mut Told, command: &Command, outcome: &Outcome) {
    *told.counts.entry((command.name(), outcome.is_ok())).or_default() += 1;
    match (command, outcome) {
        (_, Ok(Answer::JobCreated { id })) => assert!(told.made.insert(*id), "an id came twice"),
        (_, Ok(Answer::JobClaimed { hold: Some(hold) })) => {
            let highest = told.holds.iter().map(|hold| hold.fencing).max().unwrap_or(0);
            assert!(hold.fencing > highest, "a fencing that is not higher");
            told.holds.push(*hold);
        }
        (Command::JobDelete(delete), Ok(_)) => drop(told.made.remove(&delete.id)),
        (Command::JobEnd(end), Ok(_)) if end.ending == Ending::Done => {
            *told.done.entry(end.hold.id).or_default() += 1;
            told.rotations += usize::from(end.effect.is_some());
        }
        _ => {}
    }
    // A retry comes to be without an answer of its own.
    for (_, job) in jobs::listing(&cluster.tables, &[], usize::MAX).unwrap() {
        if job.retry_from.is_some() {
            told.made.insert(job.id);
        }
        assert!(told.made.contains(&job.id), "a job that nobody asked for");
        if job.status == JobStatus::Running {
            let last = told.holds.iter().rfind(|hold| hold.id == job.id).unwrap();
            assert_eq!(last.fencing, job.fencing, "a job is held by a claim that is not its last");
        }
    }
    assert!(told.done.values().all(|times| *times == 1), "a job was done twice");
    assert_eq!(cluster.tables.count(Table::Jobs), told.made.len(), "a job is lost");
}

fn run(draws: &[Draw]) -> Told {
    let mut cluster = with_workers();
    let (spec, actor) = (JobSpec::of("false"), "admin".to_owned());
    cluster.does(CronSet { actor, spec, schedule: "*/10 * * * * *".into() });
    let mut told = Told { lives: [1; 4], ..Told::default() };
    let first = certificates::token_key(&cluster.tables).unwrap().unwrap();
    for draw in draws {
        let Some(command) = command(&cluster, &mut told, *draw) else { continue };
        let elapsed_ms = [0, 0, 500, 500, 1_000, 1_000, 4_000, 16_000][draw.2 % 8];
        let proposal = cluster.proposal(&command);
        // Sent twice, as the network does: carried out once.
        let outcomes = cluster.propose(vec![proposal.clone(), proposal], elapsed_ms);
        assert_eq!(outcomes[0], outcomes[1]);
        note(&cluster, &mut told, &command, &outcomes[0]);
    }
    let last = certificates::token_key(&cluster.tables).unwrap().unwrap();
    assert_eq!(told.rotations == 0, first.id == last.id, "an effect without its job, or none");
    told
}

fn draws(count: usize) -> impl Strategy<Value = Vec<Draw>> {
    proptest::collection::vec((0..30_u8, 1..4_u64, 0..1000_usize), 1..count)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_workers_do_no_job_is_lost_or_had_twice(draws in draws(150)) {
        run(&draws);
    }
}

/// A test that only ever sees refusals proves nothing.
#[test]
fn random_workers_reach_every_command_carried_out_and_those_that_can_be_refused() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut counts, mut rotations): (BTreeMap<_, usize>, usize) = (BTreeMap::new(), 0);
    for _ in 0..30 {
        let told = run(&draws(200).new_tree(&mut runner).unwrap().current());
        rotations += told.rotations;
        for (key, count) in told.counts {
            *counts.entry(key).or_default() += count;
        }
    }
    assert!(rotations > 3, "{counts:?}");
    for name in ["JobCreate", "WorkerBeat", "JobCancel", "JobDelete", "CronFire", "JobsCompact"] {
        assert!(counts[&(name, true)] > 3, "{name}: {counts:?}");
    }
    for name in ["JobClaim", "JobEnd", "WorkerLeave"] {
        for outcome in [true, false] {
            assert!(counts[&(name, outcome)] > 3, "{name} {outcome}: {counts:?}");
        }
    }
}
