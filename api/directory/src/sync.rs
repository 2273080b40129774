//! Carrying over who is in the directory, and in which of its groups.
//!
//! First the people, then the system administrators, then every team and every organization's
//! owners that follow the directory. Whatever is cut short changes nobody's standing: only a list
//! that was read to its end says who is gone.

use std::sync::Arc;
use std::time::Duration;

use consensus::cluster::{Cluster, Failure};
use metadata::command::Command;
use metadata::directory::sync::DirectoryRunEnd;
use metadata::vouchers::Voucher;
use tokio::time::timeout;

use crate::directory::AbortOnDrop;
use crate::failure::DirectoryFailure;
use crate::ldap::connection::Connection;
use crate::ldap::plan::Plan;

mod groups;
mod people;
mod report;

use report::Report;

/// How long a sync may take.
const SYNC_MAX: Duration = Duration::from_mins(30);
/// How long the directory may take until an answer begins, or goes on.
const ANSWER_MAX: Duration = Duration::from_mins(1);
/// Attempts to say that it is over, and the time between two.
const ENDS_MAX: usize = 5;
const END_AGAIN: Duration = Duration::from_secs(2);

/// A sync that has begun.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) cluster: Cluster,
    pub(crate) run: [u8; 16],
    /// The job that it is done for, where it is.
    pub(crate) voucher: Option<Voucher>,
}

impl Asked {
    /// Has a command carried out on behalf of whoever began the sync.
    async fn propose(&self, command: Command) -> Result<(), Failure> {
        self.cluster.propose_for(self.voucher.clone(), command).await.map(drop)
    }
}

/// What every step of a sync works with.
struct Work {
    asked: Asked,
    cluster: Cluster,
    plan: Arc<Plan>,
    run: [u8; 16],
    connection: Connection,
    report: Report,
}

/// Carries a sync out that has begun, and says so at its end, or when `stopped` ends; what it did,
/// in a line, or why it ended early.
pub(crate) async fn run(
    asked: Asked,
    plan: Result<Arc<Plan>, DirectoryFailure>,
    stopped: impl Future<Output = ()> + Send,
) -> Result<String, String> {
    let report = match plan {
        Err(failure) => Report::failed(&failure.to_string()),
        Ok(plan) => {
            let server = plan.url.address();
            // In a task of its own: an answer that does not read ends that.
            let task = tokio::spawn(carry_over(asked.clone(), plan));
            let _ended_with_us = AbortOnDrop(task.abort_handle());
            tokio::select! {
                done = task => match done {
                    Ok(report) => report,
                    Err(_) => Report::failed(&DirectoryFailure::Unreadable { server }.to_string()),
                },
                () = stopped => Report::failed("it was told to stop"),
            }
        }
    };
    end(&asked, &report).await;
    match &report.error {
        Some(error) => Err(error.clone()),
        None => Ok(report.in_a_line()),
    }
}

/// Says that a sync is over.
async fn end(asked: &Asked, report: &Report) {
    if let Some(error) = &report.error {
        tracing::warn!(error, "the sync with the directory failed");
    }
    for attempt in 1..=ENDS_MAX {
        let end = DirectoryRunEnd { run: asked.run, report: report.as_text() };
        match asked.propose(end.into()).await {
            Err(Failure::Unavailable { .. }) if attempt < ENDS_MAX => {
                tokio::time::sleep(END_AGAIN).await;
            }
            Err(failure) => {
                tracing::warn!(%failure, "the end of a sync with the directory is not known");
                return;
            }
            Ok(()) => return,
        }
    }
}

async fn carry_over(asked: Asked, plan: Arc<Plan>) -> Report {
    let connection = match Connection::open_as_reader(&plan, ANSWER_MAX).await {
        Ok(connection) => connection,
        Err(failure) => return Report::failed(&failure.to_string()),
    };
    let (cluster, run) = (asked.cluster.clone(), asked.run);
    let mut work = Work { asked, cluster, plan, run, connection, report: Report::default() };
    let done = match timeout(SYNC_MAX, work.all()).await {
        Ok(done) => done.map_err(|failure| failure.to_string()),
        Err(_) => Err(format!("it took more than {} minutes", SYNC_MAX.as_secs() / 60)),
    };
    work.report.error = done.err();
    work.connection.close().await;
    work.report
}

impl Work {
    async fn all(&mut self) -> Result<(), DirectoryFailure> {
        self.cluster.barrier().await?;
        let known = self.people().await?;
        self.gone(&known).await?;
        self.administrators(&known).await?;
        self.groups(&known).await
    }
}
