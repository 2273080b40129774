//! The commands and rows of jobs, for the golden files.

use metadata::certificates::TokenKeyRotate;
use metadata::command::Command;
use metadata::jobs::action_configs::{ActionConfigDelete, ActionConfigSet};
use metadata::jobs::commands::{JobCancel, JobCreate, JobDelete};
use metadata::jobs::crons::{CronDelete, CronFire, CronSet};
use metadata::jobs::history::{EventsCompact, JobsCompact};
use metadata::jobs::running::{Ending, JobClaim, JobEffect, JobEnd, JobHold};
use metadata::jobs::spec::{Amount, JobSpec, Parameter};
use metadata::jobs::workers::{JobNote, WorkerBeat, WorkerCapacitySet, WorkerLeave};
use metadata::outcome::Answer;
use metadata::refusal::Refusal;

use crate::cluster::{Cluster, START_WALL_MS, id};

fn text(text: &str) -> String {
    text.to_owned()
}

pub(crate) fn parameter(name: &str, value: &str) -> Parameter {
    Parameter { name: text(name), value: text(value) }
}

pub(crate) fn amount(name: &str, amount: u32) -> Amount {
    Amount { name: text(name), amount }
}

fn spec() -> JobSpec {
    JobSpec {
        action: text("sleep"),
        parameters: vec![parameter("seconds", "60")],
        capacity: vec![amount("scan", 1)],
        retries: 2,
        deadline_s: 600,
        stop_timeout_s: 30,
    }
}

fn rotate() -> TokenKeyRotate {
    TokenKeyRotate {
        actor: text("admin"),
        former_id: text("k1"),
        id: text("k2"),
        public_key: vec![4],
        sealed_key: vec![5],
        former_life_ms: 420_000,
    }
}

pub(crate) fn commands() -> Vec<Command> {
    let (job, life, actor) = ([5; 16], [6; 16], || text("admin"));
    let (replica_id, hold) = (id(2), JobHold { id: job, fencing: 300 });
    let (action, parameters) = (|| text("sleep"), || vec![parameter("seconds", "5")]);
    let (lines, effect) =
        (|| vec![text("a line")], Some(JobEffect::TokenKeyRotate { rotate: rotate() }));
    vec![
        JobCreate { actor: actor(), spec: spec(), scheduled_wall_ms: START_WALL_MS }.into(),
        JobCancel { actor: actor(), id: job }.into(),
        JobDelete { actor: actor(), id: job }.into(),
        JobClaim { replica_id, life, actions: vec![action()] }.into(),
        JobEnd { hold, ending: Ending::Done, message: text("well"), lines: lines(), effect }.into(),
        JobsCompact {}.into(),
        EventsCompact {}.into(),
        CronSet { actor: actor(), spec: spec(), schedule: text("@daily") }.into(),
        CronDelete { actor: actor(), action: action() }.into(),
        CronFire { action: action(), due_wall_ms: START_WALL_MS }.into(),
        ActionConfigSet { actor: actor(), action: action(), parameters: parameters() }.into(),
        ActionConfigDelete { actor: actor(), action: action() }.into(),
        WorkerBeat { replica_id, life, notes: vec![JobNote { hold, lines: lines() }] }.into(),
        WorkerLeave { replica_id, life }.into(),
        WorkerCapacitySet { actor: actor(), replica_id, capacity: vec![amount("scan", 2)] }.into(),
        metadata::leases::LeaseSweep {}.into(),
    ]
}

pub(crate) fn answers() -> Vec<Answer> {
    vec![
        Answer::JobCreated { id: [5; 16] },
        Answer::JobClaimed { hold: Some(JobHold { id: [5; 16], fencing: 300 }) },
        Answer::Removed { removed: 32, more: true },
    ]
}

pub(crate) fn refusals() -> Vec<Refusal> {
    vec![
        Refusal::JobUnknown,
        Refusal::JobHoldOver,
        Refusal::JobUnfit { what: text("what") },
        Refusal::CronUnknown { action: text("sleep") },
        Refusal::ActionConfigUnknown { action: text("sleep") },
        Refusal::WorkerUnknown { worker: text("000000000002") },
    ]
}

/// Rows of every kind, with a job that runs.
pub(crate) fn fill(cluster: &mut Cluster) {
    let [create, set, config, beat] = [0, 7, 10, 12].map(|place| commands().swap_remove(place));
    for command in [beat, config, set, create] {
        cluster.does(command);
    }
    let claim = JobClaim { replica_id: id(2), life: [6; 16], actions: vec![text("sleep")] };
    let Answer::JobClaimed { hold: Some(_) } = cluster.does(claim) else { panic!("no job") };
}
