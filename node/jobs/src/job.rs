//! What a kind of work is, and what it works with.

use async_trait::async_trait;
use consensus::cluster::{Cluster, Failure};
use metadata::command::Command;
use metadata::jobs::JobRow;
use metadata::jobs::running::{JobEffect, JobHold};
use metadata::outcome::Answer;
use metadata::vouchers::Voucher;
use std::sync::Arc;
use tokio::sync::watch;

use crate::lines::Lines;

/// A kind of work.
///
/// The worker may die at any moment and another one begin the same job anew, so the work can be
/// done twice; what it changes is to be the same then, or to come with its end ([`Finished`]).
#[async_trait]
pub trait Job: Send + Sync {
    /// Its action: one of `metadata::jobs::actions::ACTIONS`.
    fn action(&self) -> &'static str;

    /// Does it. It is asked to stop by [`Work::stopped`] and, where it does not, dropped at its
    /// next await some time later.
    ///
    /// # Errors
    ///
    /// [`Failed`]: the job is tried again where that was asked for.
    async fn run(&self, work: &Work) -> Result<Finished, Failed>;
}

/// What a job came to.
#[derive(Debug, Default)]
pub struct Finished {
    /// In a line.
    pub message: String,
    /// What is changed by the very entry that ends the job.
    pub effect: Option<JobEffect>,
}

impl Finished {
    /// There is nothing to change any more.
    pub fn saying(message: impl Into<String>) -> Self {
        Self { message: message.into(), effect: None }
    }
}

/// Why a job did not come to its end.
#[derive(Debug)]
pub enum Failed {
    /// It was told to stop and did.
    Stopped,
    /// It could not be done.
    Because(String),
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self::Because(failure.to_string())
    }
}

/// A job that was claimed, as the work sees it.
pub struct Work {
    pub(crate) job: JobRow,
    pub(crate) cluster: Cluster,
    pub(crate) lines: Arc<Lines>,
    pub(crate) told: watch::Receiver<Told>,
}

/// What a job was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// To go on.
    Nothing,
    /// To stop: it was cancelled, or its replica stops and another one is to go on.
    ToStop,
    /// That its time is over.
    DeadlinePassed,
}

impl Work {
    /// The claim under which it is done.
    pub fn hold(&self) -> JobHold {
        JobHold { id: self.job.id, fencing: self.job.fencing }
    }

    /// On whose behalf; empty for the cluster's own.
    pub fn actor(&self) -> &str {
        &self.job.actor
    }

    /// What the job was told under that name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.job.spec.parameter(name)
    }

    /// Writes a line down, in the job's log and in that of the replica.
    pub fn log(&self, line: &str) {
        let action = self.job.spec.action.as_str();
        tracing::info!(job = hex(&self.job.id), action, line, "a job writes");
        self.lines.push(line);
    }

    /// Ends when the job is to stop.
    pub async fn stopped(&self) {
        let mut told = self.told.clone();
        // Whoever tells is gone only together with this work.
        let _ = told.wait_for(|told| *told != Told::Nothing).await;
    }

    /// Whether the job is to stop.
    pub fn is_stopped(&self) -> bool {
        self.told() != Told::Nothing
    }

    /// What it was told so far.
    pub fn told(&self) -> Told {
        *self.told.borrow()
    }

    /// Has a command carried out as long as this worker has the job.
    ///
    /// # Errors
    ///
    /// As [`Cluster::propose`], and refused once another worker has it.
    pub async fn propose(&self, command: Command) -> Result<Answer, Failure> {
        self.cluster.propose_for(Some(Voucher::of_job(self.hold())), command).await
    }
}

/// An id in the log of the replica.
pub(crate) fn hex(id: &[u8; 16]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
