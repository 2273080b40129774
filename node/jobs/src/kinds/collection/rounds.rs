//! The rounds of a collection of blobs.

use std::time::Duration;

use consensus::cluster::{Failure, Freshness};
use futures::StreamExt;
use metadata::collection::{self, Condemn, Delete, Doomed};
use metadata::command::Command;
use metadata::refusal::Refusal;
use oci::digest::Digest;
use tokio::time::{Instant, sleep};

use crate::job::{Failed, Told, Work};

/// Blobs of one round.
const PART: usize = 256;
/// Commands on their way at once: enough to fill a batch of the log, few beside those of pushes.
const AT_ONCE: usize = 32;
/// A word on how far it is, this often.
const SAY_EVERY: Duration = Duration::from_secs(5);
/// How often in a row a round may find no majority, and the pause after each time.
const UNAVAILABLE_MAX: u32 = 10;
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// A collection of blobs under way.
pub(super) struct Rounds<'a> {
    work: &'a Work,
    /// Whatever the cluster's settings say.
    grace_min_s: u64,
    deleted: u64,
    deleted_bytes: u64,
    kept: u64,
    said: Instant,
}

/// What came of a command.
enum Came {
    Through,
    /// A push was quicker, or another run.
    Refused,
}

impl<'a> Rounds<'a> {
    pub(super) fn new(work: &'a Work, grace_min: Duration) -> Self {
        let grace_min_s = grace_min.as_secs();
        let said = Instant::now();
        Self { work, grace_min_s, deleted: 0, deleted_bytes: 0, kept: 0, said }
    }

    /// Goes on until nothing is left to take, or the job's time is over.
    pub(super) async fn run(&mut self) -> Result<(), Failed> {
        let mut unavailable = 0;
        loop {
            match self.work.told() {
                Told::Nothing => {}
                Told::ToStop => return Err(self.stopped()),
                Told::DeadlinePassed => return Ok(()),
            }
            match self.round().await {
                Ok(true) => unavailable = 0,
                Ok(false) => return Ok(()),
                Err(failure @ Failure::Unavailable { .. }) if unavailable < UNAVAILABLE_MAX => {
                    self.work.log(&format!("{failure}; it goes on later"));
                    unavailable += 1;
                    sleep(AGAIN_AFTER).await;
                }
                Err(failure) => return Err(failure.into()),
            }
            self.say_now_and_then();
        }
    }

    /// Deletes what is condemned, then condemns what comes next; whether there was any.
    async fn round(&mut self) -> Result<bool, Failure> {
        let grace_min_s = self.grace_min_s;
        // Fresh, so that a command which would be refused is not even sent; by the deletion a whole
        // round has passed since what is deleted was condemned.
        let read = self.work.cluster.read(Freshness::Linearizable, |view| {
            let doomed = collection::condemned(view, None, PART)?;
            Ok((doomed, collection::collectable(view, grace_min_s, PART)?))
        });
        let (doomed, idle) = read.await?;
        let deleted = self.delete(doomed).await?;
        let condemned = self.condemn(idle).await?;
        // Where every command is refused nobody gets any further by asking again.
        Ok(deleted + condemned > 0)
    }

    async fn delete(&mut self, doomed: Vec<Doomed>) -> Result<u64, Failure> {
        let work = self.work;
        let commands = futures::stream::iter(doomed).map(|blob| async move {
            let Doomed { digest, generation, size } = blob;
            let came = propose(work, Delete { digest, generation }.into()).await?;
            Ok::<_, Failure>((came, size))
        });
        let mut commands = commands.buffer_unordered(AT_ONCE);
        let before = self.deleted;
        while let Some(came) = commands.next().await {
            match came? {
                (Came::Through, size) => {
                    self.deleted += 1;
                    self.deleted_bytes += size;
                }
                (Came::Refused, _) => self.kept += 1,
            }
        }
        Ok(self.deleted - before)
    }

    async fn condemn(&mut self, idle: Vec<Digest>) -> Result<u64, Failure> {
        let work = self.work;
        let commands = futures::stream::iter(idle)
            .map(|digest| propose(work, Condemn { digest }.into()))
            .buffer_unordered(AT_ONCE);
        let came: Vec<_> = commands.collect().await;
        let mut condemned = 0;
        for came in came {
            match came? {
                Came::Through => condemned += 1,
                Came::Refused => self.kept += 1,
            }
        }
        Ok(condemned)
    }

    fn say_now_and_then(&mut self) {
        if self.said.elapsed() >= SAY_EVERY {
            self.said = Instant::now();
            self.work.log(&self.said());
        }
    }

    fn stopped(&self) -> Failed {
        self.work.log(&format!("{}; the next run goes on here", self.said()));
        Failed::Stopped
    }

    /// What was done so far.
    pub(super) fn said(&self) -> String {
        let (deleted, bytes) = (self.deleted, self.deleted_bytes);
        let mut said = format!("{deleted} blobs of {bytes} bytes were deleted");
        if self.kept > 0 {
            said += &format!(", {} were needed again", self.kept);
        }
        if self.was_cut_short() {
            said += "; its time was over, the next run goes on here";
        }
        said
    }

    /// Whether its time was over before it was done.
    pub(super) fn was_cut_short(&self) -> bool {
        self.work.told() == Told::DeadlinePassed
    }
}

/// Has a command carried out for the job.
async fn propose(work: &Work, command: Command) -> Result<Came, Failure> {
    match work.propose(command).await {
        Ok(_) => Ok(Came::Through),
        Err(Failure::Refused(
            Refusal::BlobNeeded { .. }
            | Refusal::BlobUnknown { .. }
            | Refusal::GenerationPassed { .. },
        )) => Ok(Came::Refused),
        Err(failure) => Err(failure),
    }
}
