//! Every kind of work, one file each.

use std::sync::Arc;

use auth::authenticator::Auth;
use content::content::Content;

use crate::job::Job;

mod collection;
mod event_history;
mod failing;
mod job_history;
mod ldap_sync;
mod license_update;
mod sleeping;
mod token_key;

/// All of them.
pub fn all(auth: &Auth, content: &Content) -> Vec<Arc<dyn Job>> {
    let mut all = collection::all(content);
    all.extend(others(auth));
    all
}

fn others(auth: &Auth) -> Vec<Arc<dyn Job>> {
    vec![
        Arc::new(event_history::EventHistory),
        Arc::new(failing::Failing),
        Arc::new(job_history::JobHistory),
        Arc::new(ldap_sync::LdapSync { auth: auth.clone() }),
        Arc::new(license_update::LicenseUpdate),
        Arc::new(sleeping::Sleeping),
        Arc::new(token_key::TokenKey { auth: auth.clone() }),
    ]
}
