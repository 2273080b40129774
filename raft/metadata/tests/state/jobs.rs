//! Jobs: who has one and until when, what comes of a failure, and that each takes effect once.

use metadata::certificates::{self, TokenKeyRotate};
use metadata::jobs::action_configs::{ActionConfigDelete, ActionConfigSet};
use metadata::jobs::commands::{JobCancel, JobCreate, JobDelete};
use metadata::jobs::history::{HistorySet, JobsCompact, OVER_MAX};
use metadata::jobs::logs::{BYTES_MAX, LINE_BYTES_MAX};
use metadata::jobs::running::{Ending, JobClaim, JobEffect, JobEnd, JobHold};
use metadata::jobs::spec::{JobSpec, PARAMETERS_MAX};
use metadata::jobs::workers::{
    IDLE_LEASE_MS, JobNote, LEASE_MS, LOSSES_MAX, RUNNING_MAX, WorkerBeat, WorkerCapacitySet,
    WorkerLeave,
};
use metadata::jobs::{self, JobId, JobRow, JobStatus, WAITING_MAX, logs, workers};
use metadata::members::MemberRemove;
use metadata::outcome::{Answer, Outcome};
use metadata::refusal::Refusal;
use metadata::settings::SettingsSet;
use metadata::tables::Table;
use metadata::vouchers::Voucher;

use crate::cluster::{Cluster, HOUR_MS, START_WALL_MS, id};
use crate::job_samples::{amount, parameter};

const ACTIONS: [&str; 4] = ["false", "onlinegc_events", "rotate_token_key", "sleep"];

pub(crate) fn create(action: &str) -> JobCreate {
    JobCreate { actor: "admin".into(), spec: JobSpec::of(action), scheduled_wall_ms: 0 }
}

pub(crate) fn made(cluster: &mut Cluster, create: JobCreate) -> JobId {
    match cluster.does(create) {
        Answer::JobCreated { id } => id,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn beat(replica: u64, life: u8) -> WorkerBeat {
    WorkerBeat { replica_id: id(replica), life: [life; 16], notes: Vec::new() }
}

pub(crate) fn claim(replica: u64, life: u8) -> JobClaim {
    let actions = ACTIONS.map(str::to_owned).to_vec();
    JobClaim { replica_id: id(replica), life: [life; 16], actions }
}

pub(crate) fn claimed(cluster: &mut Cluster, replica: u64, life: u8) -> Option<JobHold> {
    match cluster.does(claim(replica, life)) {
        Answer::JobClaimed { hold } => hold,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn ended(hold: JobHold, ending: Ending) -> JobEnd {
    JobEnd { hold, ending, message: "so".into(), lines: vec!["last".into()], effect: None }
}

pub(crate) fn job(cluster: &Cluster, id: &JobId) -> JobRow {
    jobs::find(&cluster.tables, id).unwrap().unwrap()
}

fn status(cluster: &Cluster, id: &JobId) -> JobStatus {
    job(cluster, id).status
}

fn lines(cluster: &Cluster, id: &JobId) -> Vec<String> {
    let lines = logs::part(&cluster.tables, &job(cluster, id), 0, usize::MAX).unwrap();
    assert!(lines.iter().zip(0..).all(|((number, _), place)| *number == place));
    lines.into_iter().map(|(_, line)| line).collect()
}

/// Three workers that live.
pub(crate) fn with_workers() -> Cluster {
    let mut cluster = Cluster::new(3);
    for replica in 1..=3 {
        cluster.does(beat(replica, 1));
    }
    cluster
}

#[test]
fn a_job_is_one_workers_at_a_time_and_ends_by_its_claim_only() {
    let mut cluster = with_workers();
    assert_eq!(claimed(&mut cluster, 1, 1), None);
    let first = made(&mut cluster, create("sleep"));
    let hold = claimed(&mut cluster, 1, 1).unwrap();
    assert_eq!((hold.id, status(&cluster, &first)), (first, JobStatus::Running));
    assert_eq!(job(&cluster, &first).worker, Some(id(1)));
    assert_eq!(claimed(&mut cluster, 2, 1), None, "it is taken");
    let over = Err(Refusal::JobHoldOver);
    let other = JobHold { fencing: hold.fencing + 1, ..hold };
    assert_eq!(cluster.run(ended(other, Ending::Done)), over);
    cluster.does(ended(hold, Ending::Done));
    assert_eq!(cluster.run(ended(hold, Ending::Done)), over, "once");
    assert_eq!(status(&cluster, &first), JobStatus::Done);
    assert_eq!(
        lines(&cluster, &first),
        ["claimed by worker 000000000001, fencing 1", "last", "done"]
    );
    let second = made(&mut cluster, create("sleep"));
    let hold = claimed(&mut cluster, 3, 1).unwrap();
    assert_eq!((hold.id, hold.fencing), (second, 2));
}

#[test]
fn a_dead_workers_job_is_taken_over_and_the_zombie_changes_nothing() {
    let mut cluster = with_workers();
    let work = made(&mut cluster, create("rotate_token_key"));
    let first = claimed(&mut cluster, 1, 1).unwrap();
    cluster.pass(LEASE_MS - 1);
    cluster.does(beat(2, 1));
    assert_eq!(status(&cluster, &work), JobStatus::Running, "its lease is not over");
    cluster.pass(1);
    cluster.does(beat(2, 1));
    assert_eq!(status(&cluster, &work), JobStatus::WorkerDead);
    assert!(workers::find(&cluster.tables, id(1)).unwrap().unwrap().is_dead);
    let second = claimed(&mut cluster, 2, 1).unwrap();
    assert_eq!((second.id, second.fencing), (work, first.fencing + 1));

    let done = |hold, key: &str| JobEnd { effect: Some(effect(key)), ..ended(hold, Ending::Done) };
    assert_eq!(cluster.run(done(first, "zombie")), Err(Refusal::JobHoldOver));
    let dead = Err(Refusal::WorkerUnknown { worker: id(1).to_string() });
    assert_eq!(cluster.run(claim(1, 1)), dead, "it is to say first that it lives");
    cluster.does(beat(1, 1));
    assert_eq!(job(&cluster, &work).worker, Some(id(2)), "what it had is another's");
    cluster.does(done(second, "k2"));
    let key = certificates::token_key(&cluster.tables).unwrap().unwrap();
    assert_eq!(key.id, "k2");
    assert_eq!(job(&cluster, &work).losses, 1);
}

fn effect(id: &str) -> JobEffect {
    let rotate = TokenKeyRotate {
        actor: "admin".into(),
        former_id: "k1".into(),
        id: id.into(),
        public_key: vec![4],
        sealed_key: vec![5],
        former_life_ms: 0,
    };
    JobEffect::TokenKeyRotate { rotate }
}

#[test]
fn an_effect_that_is_refused_ends_nothing_and_what_a_job_asks_is_refused_with_its_claim() {
    let mut cluster = with_workers();
    let work = made(&mut cluster, create("rotate_token_key"));
    let hold = claimed(&mut cluster, 1, 1).unwrap();
    let JobEffect::TokenKeyRotate { rotate } = effect("k2");
    cluster.does(rotate);
    let end = JobEnd { effect: Some(effect("k3")), ..ended(hold, Ending::Done) };
    assert_eq!(cluster.run(end), Err(Refusal::TokenKeyRotated));
    assert_eq!(status(&cluster, &work), JobStatus::Running);

    let asks = |cluster: &mut Cluster| -> Outcome {
        let mut proposal = cluster.proposal(&JobsCompact {}.into());
        proposal.voucher = Some(Voucher::of_job(hold));
        cluster.propose(vec![proposal], 0).remove(0)
    };
    assert_eq!(asks(&mut cluster), Ok(Answer::Removed { removed: 0, more: false }));
    cluster.does(ended(hold, Ending::Failed));
    assert_eq!(asks(&mut cluster), Err(Refusal::JobHoldOver));
}

#[test]
fn a_replica_that_stops_or_begins_anew_gives_its_jobs_back() {
    let mut cluster = with_workers();
    let work = made(&mut cluster, create("sleep"));
    claimed(&mut cluster, 1, 1).unwrap();
    cluster.does(WorkerLeave { replica_id: id(1), life: [1; 16] });
    assert_eq!(status(&cluster, &work), JobStatus::WorkerShutdown);
    claimed(&mut cluster, 2, 1).unwrap();
    // Killed and started again before its lease was over.
    cluster.does(beat(2, 2));
    assert_eq!(status(&cluster, &work), JobStatus::WorkerResurrection);
    assert!(cluster.run(claim(2, 1)).is_err(), "the former life is over");
    claimed(&mut cluster, 2, 2).unwrap();
    assert!(cluster.run(WorkerLeave { replica_id: id(2), life: [1; 16] }).is_err());
    let row = job(&cluster, &work);
    assert_eq!((row.fencing, row.losses, row.status), (3, 1, JobStatus::Running));

    // A replica that is removed has no worker any more.
    cluster.set_voters(&[1, 3]);
    cluster.does(MemberRemove { replica_id: id(2) });
    assert_eq!(status(&cluster, &work), JobStatus::WorkerDead);
    assert_eq!(workers::list(&cluster.tables).unwrap().len(), 2);
    let gone = Err(Refusal::MemberUnknown { replica_id: id(2) });
    assert_eq!(cluster.run(beat(2, 3)), gone);
}

#[test]
fn a_job_that_takes_every_worker_down_ends() {
    let mut cluster = with_workers();
    let work = made(&mut cluster, create("sleep"));
    for life in 1..=LOSSES_MAX {
        let life = u8::try_from(life).unwrap();
        cluster.does(beat(1, life));
        claimed(&mut cluster, 1, life).unwrap();
    }
    cluster.does(beat(1, 100));
    assert_eq!(status(&cluster, &work), JobStatus::Error);
    assert!(job(&cluster, &work).message.contains("5 times"));
}

#[test]
fn a_failed_job_is_tried_again_under_another_id_as_often_as_was_asked() {
    let mut cluster = with_workers();
    let spec = JobSpec { retries: 2, ..JobSpec::of("false") };
    let mut last = made(&mut cluster, JobCreate { spec, ..create("false") });
    let mut former = None;
    for left in [2, 1, 0] {
        let row = job(&cluster, &last);
        assert_eq!((row.retries_left, row.retry_from, row.spec.retries), (left, former, 2));
        if former.is_some() {
            assert_eq!(claimed(&mut cluster, 1, 1), None, "not at once");
            cluster.pass(15_000);
            cluster.does(beat(1, 1));
        }
        let hold = claimed(&mut cluster, 1, 1).unwrap();
        cluster.does(ended(hold, Ending::Failed));
        assert_eq!(status(&cluster, &last), JobStatus::Error);
        let (_, newest) = jobs::listing(&cluster.tables, &[], 1).unwrap().remove(0);
        (former, last) = (Some(last), newest.id);
    }
    assert_eq!(former, Some(last), "none came after the last attempt");
    assert_eq!(cluster.tables.count(Table::Jobs), 3);
}

#[test]
fn what_is_cancelled_ends_and_what_is_deleted_is_gone() {
    let mut cluster = with_workers();
    let cancel = |id| JobCancel { actor: "admin".into(), id };
    let delete = |id| JobDelete { actor: "admin".into(), id };
    let (one, two) = (made(&mut cluster, create("sleep")), made(&mut cluster, create("false")));
    cluster.does(cancel(one));
    assert_eq!(status(&cluster, &one), JobStatus::Cancel);
    cluster.does(cancel(one));
    let hold = claimed(&mut cluster, 1, 1).unwrap();
    assert_eq!(hold.id, two);
    cluster.does(cancel(two));
    assert_eq!(status(&cluster, &two), JobStatus::CancelRequest);
    cluster.does(ended(hold, Ending::Failed));
    assert_eq!(status(&cluster, &two), JobStatus::Cancel, "not an error, and not tried again");

    // Its worker dies before it has stopped.
    let three = made(&mut cluster, create("sleep"));
    claimed(&mut cluster, 1, 1).unwrap();
    cluster.does(cancel(three));
    cluster.pass(LEASE_MS);
    cluster.does(beat(2, 1));
    assert_eq!(status(&cluster, &three), JobStatus::Cancel);

    let four = made(&mut cluster, create("sleep"));
    let hold = claimed(&mut cluster, 2, 1).unwrap();
    for id in [one, two, three, four] {
        cluster.does(delete(id));
        assert_eq!(cluster.run(delete(id)), Err(Refusal::JobUnknown));
        assert_eq!(cluster.run(cancel(id)), Err(Refusal::JobUnknown));
    }
    assert_eq!(cluster.run(ended(hold, Ending::Done)), Err(Refusal::JobHoldOver));
    for table in [Table::Jobs, Table::JobIndexes, Table::JobLogs] {
        assert_eq!(cluster.tables.count(table), 0, "{table:?}");
    }
}

#[test]
fn jobs_come_in_the_order_of_their_schedule_and_not_before_it() {
    let mut cluster = with_workers();
    let at = |ms| JobCreate { scheduled_wall_ms: START_WALL_MS + ms, ..create("sleep") };
    let late = made(&mut cluster, at(2 * HOUR_MS));
    let soon = made(&mut cluster, at(HOUR_MS));
    let now = made(&mut cluster, create("sleep"));
    let listed = jobs::listing(&cluster.tables, &[], 10).unwrap();
    assert_eq!(listed.iter().map(|(_, job)| job.id).collect::<Vec<_>>(), [late, soon, now]);
    let after = jobs::listing(&cluster.tables, &listed[0].0, 1).unwrap();
    assert_eq!(after[0].1.id, soon);
    assert_eq!(claimed(&mut cluster, 1, 1).unwrap().id, now);
    assert_eq!(claimed(&mut cluster, 1, 1), None);
    cluster.pass(2 * HOUR_MS);
    cluster.does(beat(2, 1));
    // The one whose worker was lost meanwhile is the first in the queue.
    let order: Vec<_> = (0..3).map(|_| claimed(&mut cluster, 2, 1).unwrap().id).collect();
    assert_eq!(order, [now, soon, late]);
    let far = at(101 * 366 * 24 * HOUR_MS);
    assert!(matches!(cluster.run(far), Err(Refusal::JobUnfit { .. })));
}

#[test]
fn a_worker_takes_what_it_knows_and_has_room_for() {
    let mut cluster = with_workers();
    let scan = JobSpec { capacity: vec![amount("scan", 1)], ..JobSpec::of("sleep") };
    let scan = || JobCreate { spec: scan.clone(), ..create("sleep") };
    let (one, two) = (made(&mut cluster, scan()), made(&mut cluster, scan()));
    let three = made(&mut cluster, create("false"));
    let knows_less = JobClaim { actions: vec!["false".into()], ..claim(1, 1) };
    let answer = cluster.does(knows_less);
    assert!(matches!(answer, Answer::JobClaimed { hold: Some(hold) } if hold.id == three));
    assert_eq!(claimed(&mut cluster, 1, 1).unwrap().id, one);
    assert_eq!(claimed(&mut cluster, 1, 1), None, "one scan at a time");
    let capacity = vec![amount("scan", 2)];
    let set = |replica, actor: &str| WorkerCapacitySet {
        actor: actor.into(),
        replica_id: id(replica),
        capacity: capacity.clone(),
    };
    assert!(matches!(cluster.run(set(1, "alice")), Err(Refusal::NotAuthorized { .. })));
    assert!(matches!(cluster.run(set(7, "admin")), Err(Refusal::WorkerUnknown { .. })));
    cluster.does(set(1, "admin"));
    cluster.does(beat(1, 1));
    assert_eq!(claimed(&mut cluster, 1, 1).unwrap().id, two, "a beat keeps what was set");

    // Only one job of this kind at a time, whoever does it.
    let (four, five) = (
        made(&mut cluster, create("onlinegc_events")),
        made(&mut cluster, create("onlinegc_events")),
    );
    let hold = claimed(&mut cluster, 2, 1).unwrap();
    assert_eq!((hold.id, claimed(&mut cluster, 3, 1)), (four, None));
    cluster.does(ended(hold, Ending::Done));
    assert_eq!(claimed(&mut cluster, 3, 1).unwrap().id, five);

    // No more than so many at once.
    for _ in 0..=RUNNING_MAX {
        made(&mut cluster, create("sleep"));
    }
    let taken = (0..=RUNNING_MAX).filter(|_| claimed(&mut cluster, 2, 1).is_some()).count();
    assert_eq!(taken, RUNNING_MAX);
}

#[test]
fn what_is_out_of_bounds_is_refused() {
    let mut cluster = with_workers();
    let refused = |cluster: &mut Cluster, spec: JobSpec| -> Refusal {
        cluster.run(JobCreate { spec, ..create("sleep") }).unwrap_err()
    };
    let base = || JobSpec::of("sleep");
    let many = (0..=PARAMETERS_MAX).map(|number| parameter(&format!("{number:03}"), "")).collect();
    for spec in [
        JobSpec { parameters: many, ..base() },
        JobSpec { parameters: vec![parameter("a", &"x".repeat(9_000))], ..base() },
        JobSpec { retries: 101, ..base() },
        JobSpec { deadline_s: u64::MAX, ..base() },
        JobSpec { capacity: vec![amount("a", 1_001)], ..base() },
    ] {
        assert!(matches!(refused(&mut cluster, spec), Refusal::TooMuch { .. }));
    }
    for spec in [
        JobSpec::of("frobnicate"),
        JobSpec { parameters: vec![parameter("", "x")], ..base() },
        JobSpec { parameters: vec![parameter("a", "x"), parameter("a", "y")], ..base() },
        JobSpec { capacity: vec![amount("b", 1), amount("a", 1)], ..base() },
    ] {
        assert!(matches!(refused(&mut cluster, spec), Refusal::JobUnfit { .. }));
    }
    let by_user = JobCreate { actor: "alice".into(), ..create("sleep") };
    assert_eq!(cluster.run(by_user), Err(Refusal::NotAuthorized { actor: "alice".into() }));
    for _ in 0..WAITING_MAX {
        let proposal = cluster.proposal(&create("sleep").into());
        metadata::apply::apply(
            &mut cluster.tables,
            metadata::apply::Position { log_index: cluster.index + 1, term: 1 },
            &metadata::entry::Entry {
                format: metadata::entry::FORMAT,
                stamp: metadata::entry::Stamp { elapsed_ms: 0, wall_ms: START_WALL_MS },
                proposals: vec![proposal],
            },
        )
        .unwrap();
        cluster.index += 1;
    }
    cluster.follower = cluster.tables.clone();
    let full = refused(&mut cluster, base());
    assert_eq!(full, Refusal::LimitReached { what: "waiting jobs".into(), max: WAITING_MAX });
}

#[test]
fn a_log_keeps_its_first_lines_and_counts_the_rest() {
    let mut cluster = with_workers();
    let work = made(&mut cluster, create("sleep"));
    let hold = claimed(&mut cluster, 1, 1).unwrap();
    let note = |hold, lines: Vec<String>| WorkerBeat {
        notes: vec![JobNote { hold, lines }],
        ..beat(1, 1)
    };
    cluster.does(note(JobHold { fencing: 9, ..hold }, vec!["of another claim".into()]));
    let long = "é".repeat(LINE_BYTES_MAX);
    cluster.does(note(hold, vec!["first".into(), long]));
    let held = lines(&cluster, &work);
    assert_eq!((held[1].as_str(), held[2].len()), ("first", LINE_BYTES_MAX));
    for round in 0..8 {
        cluster.does(note(hold, vec![format!("{round}").repeat(1000); 64]));
    }
    let row = job(&cluster, &work);
    assert!(row.log.bytes <= BYTES_MAX && row.log.dropped > 0, "{:?}", row.log);
    assert!(cluster.tables.count(Table::JobLogs) < 40);
    cluster.does(ended(hold, Ending::Done));
    let held = lines(&cluster, &work);
    assert_eq!(held.last().map(String::as_str), Some("done"), "for that there is room");
    let row = job(&cluster, &work);
    let part = logs::part(&cluster.tables, &row, row.log.lines - 3, 2).unwrap();
    assert_eq!(
        part.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        [row.log.lines - 3, row.log.lines - 2]
    );
    assert!(logs::part(&cluster.tables, &row, row.log.lines, 5).unwrap().is_empty());
    let many = note(hold, vec![String::new(); 501]);
    assert!(matches!(cluster.run(many), Err(Refusal::TooMuch { .. })));
}

#[test]
fn jobs_that_are_over_are_kept_as_long_as_was_said() {
    let mut cluster = with_workers();
    let over = |cluster: &mut Cluster| {
        let id = made(cluster, create("false"));
        cluster.does(JobCancel { actor: "admin".into(), id });
        cluster.pass(1000);
        id
    };
    let ids: Vec<_> = (0..5).map(|_| over(&mut cluster)).collect();
    let set = |history| SettingsSet { jobs: Some(history), ..SettingsSet::default() };
    let compact = |cluster: &mut Cluster| cluster.does(JobsCompact {});
    let none = Answer::Removed { removed: 0, more: false };
    assert_eq!(compact(&mut cluster), none);
    cluster.does(set(HistorySet { kept_max: Some(3), ..HistorySet::default() }));
    assert_eq!(compact(&mut cluster), none, "it is not on");
    cluster.does(set(HistorySet { is_on: Some(true), ..HistorySet::default() }));
    assert_eq!(compact(&mut cluster), Answer::Removed { removed: 2, more: false });
    assert!(jobs::find(&cluster.tables, &ids[1]).unwrap().is_none());
    job(&cluster, &ids[2]);
    let age_max_s = Some(2);
    cluster.does(set(HistorySet { age_max_s, ..HistorySet::default() }));
    let newest = over(&mut cluster);
    assert_eq!(cluster.tables.count(Table::Jobs), 2, "the end of a job takes old ones away");
    cluster.pass(5000);
    assert_eq!(compact(&mut cluster), Answer::Removed { removed: 2, more: false });
    assert!(jobs::find(&cluster.tables, &newest).unwrap().is_none());
    let too_many = set(HistorySet { kept_max: Some(OVER_MAX + 1), ..HistorySet::default() });
    assert!(matches!(cluster.run(too_many), Err(Refusal::SettingOutOfBounds { .. })));
}

#[test]
fn an_action_tells_its_jobs_what_they_are_not_told() {
    let mut cluster = with_workers();
    let (actor, action) = (|| "admin".to_owned(), || "sleep".to_owned());
    let parameters = vec![parameter("a", "1"), parameter("c", "3")];
    let set = ActionConfigSet { actor: actor(), action: action(), parameters };
    cluster.does(set.clone());
    let spec = JobSpec {
        parameters: vec![parameter("b", "2"), parameter("c", "4")],
        ..JobSpec::of("sleep")
    };
    let id = made(&mut cluster, JobCreate { spec, ..create("sleep") });
    let told = job(&cluster, &id).spec.parameters;
    assert_eq!(told, [parameter("a", "1"), parameter("b", "2"), parameter("c", "4")]);
    let delete = ActionConfigDelete { actor: actor(), action: action() };
    cluster.does(delete.clone());
    assert_eq!(cluster.run(delete), Err(Refusal::ActionConfigUnknown { action: action() }));
    let unknown = ActionConfigSet { action: "frobnicate".into(), ..set };
    assert!(matches!(cluster.run(unknown), Err(Refusal::JobUnfit { .. })));
}

#[test]
fn an_idle_workers_lease_is_long_and_a_claim_makes_it_short() {
    let mut cluster = with_workers();
    cluster.pass(IDLE_LEASE_MS - 1);
    cluster.does(beat(1, 1));
    let dead = |cluster: &Cluster, replica| {
        workers::find(&cluster.tables, id(replica)).unwrap().unwrap().is_dead
    };
    assert!(!dead(&cluster, 2));
    let work = made(&mut cluster, create("sleep"));
    claimed(&mut cluster, 1, 1).unwrap();
    cluster.pass(LEASE_MS);
    cluster.does(beat(3, 1));
    assert!(dead(&cluster, 1) && dead(&cluster, 2), "both were silent for too long");
    assert_eq!(status(&cluster, &work), JobStatus::WorkerDead);
}
