//! `false`: fails at once, to try what comes of a failure.
//!
//! Source: dtr-interface 16.

use async_trait::async_trait;

use crate::job::{Failed, Finished, Job, Work};

pub(super) struct Failing;

#[async_trait]
impl Job for Failing {
    fn action(&self) -> &'static str {
        "false"
    }

    async fn run(&self, work: &Work) -> Result<Finished, Failed> {
        work.log("this job fails, as it is to");
        Err(Failed::Because("it is to fail".to_owned()))
    }
}
