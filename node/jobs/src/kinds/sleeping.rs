//! `sleep`: lasts a while and changes nothing, to try what may happen to a job meanwhile.
//!
//! Source: dtr-interface 16.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use crate::job::{Failed, Finished, Job, Work};

/// How long where nothing is said, and at most.
const SECONDS_DEFAULT: u64 = 60;
const SECONDS_MAX: u64 = 24 * 3600;
/// It says that it is there this often.
const SAY_EVERY: Duration = Duration::from_secs(10);

pub(super) struct Sleeping;

#[async_trait]
impl Job for Sleeping {
    fn action(&self) -> &'static str {
        "sleep"
    }

    async fn run(&self, work: &Work) -> Result<Finished, Failed> {
        let seconds = match work.parameter("seconds") {
            Some(text) => text.parse().ok().filter(|seconds| *seconds <= SECONDS_MAX),
            None => Some(SECONDS_DEFAULT),
        };
        let wrong = || Failed::Because(format!("seconds is a number, at most {SECONDS_MAX}"));
        let until = Instant::now() + Duration::from_secs(seconds.ok_or_else(wrong)?);
        work.log("it sleeps");
        loop {
            let left = until.saturating_duration_since(Instant::now());
            tokio::select! {
                () = work.stopped() => {
                    work.log("it was woken up before its time");
                    return Err(Failed::Stopped);
                }
                () = sleep(left.min(SAY_EVERY)) => {}
            }
            if Instant::now() >= until {
                return Ok(Finished::saying("it has slept"));
            }
            work.log("it sleeps on");
        }
    }
}
