//! `ldap_sync`: carries over who is in the company's directory, and in which of its groups.
//!
//! Its cron follows `syncSchedule` of the directory's settings.

use async_trait::async_trait;
use auth::authenticator::Auth;
use metadata::jobs::actions::LDAP_SYNC;

use crate::job::{Failed, Finished, Job, Work};

pub(super) struct LdapSync {
    pub(super) auth: Auth,
}

#[async_trait]
impl Job for LdapSync {
    fn action(&self) -> &'static str {
        LDAP_SYNC
    }

    async fn run(&self, work: &Work) -> Result<Finished, Failed> {
        let synced = self.auth.directory().sync_as_job(work.hold(), work.stopped()).await;
        match synced {
            Ok(said) => {
                work.log(&said);
                Ok(Finished::saying(said))
            }
            Err(_) if work.is_stopped() => Err(Failed::Stopped),
            Err(why) => Err(Failed::Because(why)),
        }
    }
}
