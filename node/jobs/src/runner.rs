//! The worker of a replica: fires crons, claims jobs, keeps its lease, and gives back what is left.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use consensus::cluster::{Cluster, Failure, Unavailable};
use consensus::status::Role;
use metadata::command::Command;
use metadata::jobs::crons::CronFire;
use metadata::jobs::running::JobClaim;
use metadata::jobs::workers::{
    JobNote, LEASE_MS, LINE_BYTES_MAX, LINES_MAX, RUNNING_MAX, WorkerBeat, WorkerLeave,
};
use metadata::jobs::{JobId, JobRow, JobStatus, actions};
use metadata::outcome::Answer;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::attempt::{Attempt, Stop};
use crate::job::{Job, hex};
use crate::neighbours::Neighbours;
use crate::sight::Sight;

/// Between two looks at the queue: at least, while entries come; at most, while none do.
const LOOK_MIN: Duration = Duration::from_millis(250);
const LOOK_MAX: Duration = Duration::from_secs(1);
/// A worker with jobs renews its lease this often, so that two renewals may fail.
const BEAT_EVERY: Duration = Duration::from_secs(4);
/// One without jobs: three entries in a hundred seconds is all that it writes.
const IDLE_BEAT_EVERY: Duration = Duration::from_secs(30);
/// Whatever else there is to say is said this often at most.
const BEAT_MIN: Duration = Duration::from_secs(2);
/// How long one command is waited for.
const COMMAND_MAX: Duration = Duration::from_secs(4);
/// So long after its moment a replica that does not lead fires a cron.
const FOLLOWER_FIRES_AFTER_MS: u64 = 3_000;
/// Jobs are ended here a second before their lease is over.
const OWN_LEASE: Duration = Duration::from_millis(LEASE_MS - 1_000);
/// How long the end of the jobs' tasks is waited for.
const LOOK_STOPPING: Duration = Duration::from_millis(50);

/// The worker of this replica.
pub struct Runner {
    stopping: watch::Sender<Option<Duration>>,
    task: JoinHandle<()>,
}

impl Runner {
    /// Begins to work; `kinds` is what it can do.
    pub fn start(cluster: Cluster, kinds: Vec<Arc<dyn Job>>) -> Self {
        let (stopping, stopped) = watch::channel(None);
        let worker = Worker {
            cluster,
            kinds,
            life: rand::random(),
            attempts: BTreeMap::new(),
            finished: BTreeMap::new(),
            neighbours: Neighbours::default(),
            beaten: None,
            leased: None,
        };
        Self { stopping, task: tokio::spawn(worker.work(stopped)) }
    }

    /// Claims nothing more, tells its jobs to stop, and gives back what has not ended within
    /// `jobs_max`, so that another replica goes on with it.
    pub async fn drain(mut self, jobs_max: Duration) {
        self.stopping.send_replace(Some(jobs_max));
        // It ends by itself, however; every step of it is bounded.
        let _ = (&mut self.task).await;
    }
}

/// Ends at once, with its jobs, and without a word to the others.
impl Drop for Runner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Worker {
    cluster: Cluster,
    kinds: Vec<Arc<dyn Job>>,
    /// Another one than that of the process before.
    life: [u8; 16],
    attempts: BTreeMap<JobId, Attempt>,
    /// Fencings of claims that have ended here and may still be seen as held.
    finished: BTreeMap<JobId, u64>,
    neighbours: Neighbours,
    /// When something was last said.
    beaten: Option<Instant>,
    /// Before the last renewal of the lease that went well.
    leased: Option<Instant>,
}

/// Looking and doing.
impl Worker {
    async fn work(mut self, mut stopped: watch::Receiver<Option<Duration>>) {
        let mut applied = self.cluster.watch_applied();
        loop {
            if let Err(failure) = self.step().await {
                tracing::debug!(%failure, "the queue of jobs waits");
            }
            sleep(LOOK_MIN).await;
            tokio::select! {
                _ = stopped.wait_for(Option::is_some) => break,
                _ = applied.changed() => {}
                () = sleep(LOOK_MAX) => {}
            }
        }
        let jobs_max = stopped.borrow().unwrap_or_default();
        self.leave(jobs_max).await;
    }

    async fn step(&mut self) -> Result<(), Failure> {
        self.reap();
        self.end_unleased().await;
        let sight = Sight::of(&self.cluster, self.cluster.clock().wall_ms()).await?;
        self.mind(&sight).await;
        if self.has_to_say(&sight) {
            self.beat().await?;
        }
        self.fire(&sight).await?;
        if self.is_known(&sight) {
            self.adopt(&sight);
            self.claim(&sight).await?;
        }
        Ok(())
    }

    /// Lets go of jobs that came to their end.
    fn reap(&mut self) {
        let finished = &mut self.finished;
        self.attempts.retain(|id, attempt| {
            if attempt.is_over() {
                finished.insert(*id, attempt.hold.fencing);
            }
            !attempt.is_over()
        });
    }

    /// Ends all jobs once the lease may be over: another worker may have them.
    async fn end_unleased(&mut self) {
        if !self.is_leased() && !self.attempts.is_empty() {
            tracing::warn!("the lease of this worker was not renewed; its jobs end here");
            for (_, attempt) in std::mem::take(&mut self.attempts) {
                attempt.kill().await;
            }
        }
    }

    /// Whether no other worker can have its jobs, by its own clock.
    fn is_leased(&self) -> bool {
        self.leased.is_some_and(|leased| leased.elapsed() <= OWN_LEASE)
    }

    /// Stops what was cancelled, ends what is another worker's by now.
    async fn mind(&mut self, sight: &Sight) {
        let own = self.cluster.replica_id();
        let find = |id: &JobId, fencing: u64| {
            let mut held = sight.held_by(own);
            held.find(|job| job.id == *id && job.fencing == fencing)
        };
        let mut lost = Vec::new();
        for (id, attempt) in &self.attempts {
            match find(id, attempt.hold.fencing) {
                Some(job) if job.status == JobStatus::CancelRequest => {
                    attempt.stop(Stop::Cancelled);
                }
                Some(_) => {}
                None => lost.push(*id),
            }
        }
        self.finished.retain(|id, fencing| find(id, *fencing).is_some());
        for attempt in lost.iter().filter_map(|id| self.attempts.remove(id)).collect::<Vec<_>>() {
            // Its own end may be what was seen.
            let (id, fencing) = (attempt.hold.id, attempt.hold.fencing);
            tracing::debug!(job = hex(&id), "a job is no longer held here");
            self.finished.insert(id, fencing);
            attempt.kill().await;
        }
    }

    /// Begins what was claimed in this life and is not worked on.
    fn adopt(&mut self, sight: &Sight) {
        // A claim whose answer was lost: first the lease is renewed.
        if !self.is_leased() {
            return;
        }
        for job in sight.held_by(self.cluster.replica_id()) {
            let is_new = !self.attempts.contains_key(&job.id)
                && self.finished.get(&job.id) != Some(&job.fencing);
            let kind = self.kinds.iter().find(|kind| kind.action() == job.spec.action);
            let Some(kind) = kind.filter(|_| is_new) else { continue };
            let left_ms = job.deadline_ms.saturating_sub(sight.cluster_ms);
            let left = (job.deadline_ms > 0).then(|| Duration::from_millis(left_ms));
            let (cluster, kind) = (self.cluster.clone(), Arc::clone(kind));
            let attempt = Attempt::begin(cluster, kind, job.clone(), left);
            self.attempts.insert(job.id, attempt);
        }
    }
}

/// Asking the cluster.
impl Worker {
    /// Fires crons whose moment has come: the leader at once, the others where it does not.
    async fn fire(&self, sight: &Sight) -> Result<(), Failure> {
        let leads = self.cluster.role() == Role::Leader;
        let spare_ms = if leads { 0 } else { FOLLOWER_FIRES_AFTER_MS };
        for (action, due_wall_ms) in &sight.crons {
            if sight.wall_ms.saturating_sub(*due_wall_ms) >= spare_ms {
                let (action, due_wall_ms) = (action.clone(), *due_wall_ms);
                self.ask(CronFire { action, due_wall_ms }.into()).await?;
            }
        }
        Ok(())
    }

    /// Claims what waits, as long as there is room and something that fits.
    async fn claim(&mut self, sight: &Sight) -> Result<(), Failure> {
        let replica_id = self.cluster.replica_id();
        let mut has = sight.held_by(replica_id).count();
        let mut wanted = sight.due.iter().filter(|job| self.can_do(job, sight)).count();
        while wanted > 0 && has < RUNNING_MAX {
            let actions = self.kinds.iter().map(|kind| kind.action().to_owned()).collect();
            let (before, life) = (Instant::now(), self.life);
            let answer = self.ask(JobClaim { replica_id, life, actions }.into()).await?;
            let Answer::JobClaimed { hold: Some(_) } = answer else { break };
            (self.leased, self.beaten) = (Some(before), Some(before));
            (wanted, has) = (wanted - 1, has + 1);
        }
        Ok(())
    }

    /// Whether a claim of this job may go well.
    fn can_do(&self, job: &JobRow, sight: &Sight) -> bool {
        let action = &job.spec.action;
        self.kinds.iter().any(|kind| kind.action() == action)
            && !sight
                .held
                .iter()
                .any(|other| actions::exclude_each_other(action, &other.spec.action))
            && (job.spec.capacity.is_empty() || self.has_capacity(job, sight))
    }

    fn has_capacity(&self, job: &JobRow, sight: &Sight) -> bool {
        let own = self.cluster.replica_id();
        let Some(worker) = sight.worker(own) else { return false };
        job.spec.capacity.iter().all(|wanted| {
            let of = |amounts: &[metadata::jobs::spec::Amount]| {
                let found = amounts.iter().find(|amount| amount.name == wanted.name);
                found.map_or(0, |amount| u64::from(amount.amount))
            };
            let taken: u64 = sight.held_by(own).map(|job| of(&job.spec.capacity)).sum();
            taken + u64::from(wanted.amount) <= of(&worker.capacity)
        })
    }
}

/// Its lease, and its end.
impl Worker {
    /// Whether the cluster knows this life of the worker.
    fn is_known(&self, sight: &Sight) -> bool {
        let row = sight.worker(self.cluster.replica_id());
        row.is_some_and(|row| row.life == self.life && !row.is_dead)
    }

    /// Whether it is time to renew the lease, or there is something to tell.
    fn has_to_say(&mut self, sight: &Sight) -> bool {
        let silence = self.beaten.map_or(Duration::MAX, |beaten| beaten.elapsed());
        let own = self.cluster.replica_id();
        let has_jobs = !self.attempts.is_empty() || sight.held_by(own).next().is_some();
        let others = self.neighbours.look(sight, own);
        let is_busy = has_jobs || others.is_quiet;
        let is_due = silence >= if is_busy { BEAT_EVERY } else { IDLE_BEAT_EVERY };
        let has_lines = self.attempts.values().any(|attempt| !attempt.lines.is_empty());
        let is_urgent = !self.is_known(sight) || others.is_over || has_lines;
        is_due || is_urgent && silence >= BEAT_MIN
    }

    /// Renews the lease and tells what the jobs wrote.
    async fn beat(&mut self) -> Result<(), Failure> {
        let (mut lines_left, mut bytes_left) = (LINES_MAX, LINE_BYTES_MAX);
        let mut notes = Vec::new();
        for attempt in self.attempts.values() {
            let lines = attempt.lines.take(lines_left, bytes_left);
            lines_left -= lines.len();
            bytes_left = bytes_left.saturating_sub(lines.iter().map(String::len).sum());
            if !lines.is_empty() {
                notes.push(JobNote { hold: attempt.hold, lines });
            }
        }
        let before = Instant::now();
        self.beaten = Some(before);
        let (replica_id, life) = (self.cluster.replica_id(), self.life);
        match self.ask(WorkerBeat { replica_id, life, notes: notes.clone() }.into()).await {
            Ok(_) => {
                self.leased = Some(before);
                Ok(())
            }
            Err(failure) => {
                // What may have been told is not told twice.
                let is_unknown =
                    matches!(failure, Failure::Unavailable { reason: Unavailable::Unknown, .. });
                for JobNote { hold, lines } in notes.into_iter().filter(|_| !is_unknown) {
                    if let Some(attempt) = self.attempts.get(&hold.id) {
                        attempt.lines.give_back(lines);
                    }
                }
                Err(failure)
            }
        }
    }

    /// Stops: jobs that end in time end, the others are given back.
    async fn leave(mut self, jobs_max: Duration) {
        let begun = Instant::now();
        for attempt in self.attempts.values() {
            attempt.stop(Stop::Shutdown);
        }
        while begun.elapsed() < jobs_max && self.attempts.values().any(|it| !it.is_over()) {
            sleep(LOOK_STOPPING).await;
        }
        // What they wrote last belongs to their logs; whoever takes them over writes on there.
        if self.attempts.values().any(|attempt| !attempt.lines.is_empty())
            && let Err(failure) = self.beat().await
        {
            tracing::debug!(%failure, "the last lines of this worker's jobs were not told");
        }
        for (_, attempt) in std::mem::take(&mut self.attempts) {
            attempt.kill().await;
        }
        let (replica_id, life) = (self.cluster.replica_id(), self.life);
        if let Err(failure) = self.ask(WorkerLeave { replica_id, life }.into()).await {
            tracing::debug!(%failure, "this worker left without a word; its lease will end");
        }
    }

    async fn ask(&self, command: Command) -> Result<Answer, Failure> {
        let asked = timeout(COMMAND_MAX, self.cluster.propose(command)).await;
        asked.unwrap_or_else(|_| Err(Failure::unavailable(Unavailable::Unknown)))
    }
}
