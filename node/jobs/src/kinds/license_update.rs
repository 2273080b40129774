//! `license_update`: there are no licences; clients of the old product may ask all the same.
//!
//! Source: dtr-interface 16.

use async_trait::async_trait;

use crate::job::{Failed, Finished, Job, Work};

pub(super) struct LicenseUpdate;

#[async_trait]
impl Job for LicenseUpdate {
    fn action(&self) -> &'static str {
        "license_update"
    }

    async fn run(&self, _: &Work) -> Result<Finished, Failed> {
        Ok(Finished::saying("there are no licences, so there is nothing to do"))
    }
}
