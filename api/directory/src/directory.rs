//! The way in: signing people in by the directory, looking them up there, and syncing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use consensus::cluster::{Cluster, Failure, Freshness};
use metadata::directory::sync::{DirectoryRunBegin, DirectoryUser, DirectoryUsersPut};
use metadata::directory::{self, LdapRow, READER_PASSWORD, RunRow};
use metadata::jobs::running::JobHold;
use metadata::vouchers::Voucher;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::failure::DirectoryFailure;
use crate::ldap::connection::Connection;
use crate::ldap::people::{self, Person};
use crate::ldap::plan::Plan;
use crate::settings::Checked;
use crate::sync::{self, Asked};

/// People who sign in side by side.
const SIGN_INS_MAX: usize = 16;
/// How long one more waits for a turn.
const TURN_MAX: Duration = Duration::from_secs(5);
/// How long the directory may take for each answer.
const ANSWER_MAX: Duration = Duration::from_secs(8);
/// How long signing one in may take in all.
const SIGN_IN_MAX: Duration = Duration::from_secs(25);

/// The directory of this cluster. Clones share one state.
#[derive(Clone)]
pub struct Directory {
    shared: Arc<Shared>,
}

struct Shared {
    cluster: Cluster,
    prepared: Mutex<Option<Arc<Plan>>>,
    turns: Arc<Semaphore>,
}

/// What of a directory answers the name and password that somebody tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It lets them in.
    LetIn(Person),
    /// It knows them by another password.
    WrongPassword(Person),
    /// It does not know them.
    Unknown,
}

/// Stands in for the password of somebody whom the directory does not know: theirs is not sent for
/// nothing.
const DECOY: &str = "no password of anybody";

/// The name of an entry that is not there, where people are.
fn nobody(plan: &Plan) -> String {
    let base = plan.row.user_searches.first().map_or("", |search| search.base_dn.as_str());
    let comma = if base.is_empty() { "" } else { "," };
    format!("cn=holdfast-nobody-8d1f0c52{comma}{base}")
}

/// Ends a task with whoever waits for it.
pub(crate) struct AbortOnDrop(pub(crate) AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Directory {
    /// Works with the settings that `cluster` keeps; nothing is asked yet.
    pub fn new(cluster: Cluster) -> Self {
        let turns = Arc::new(Semaphore::new(SIGN_INS_MAX));
        Self { shared: Arc::new(Shared { cluster, prepared: Mutex::default(), turns }) }
    }

    /// How the directory is reached, where people sign in there.
    pub async fn in_use(&self) -> Result<Option<LdapRow>, Failure> {
        self.shared.cluster.read(Freshness::Local, |view| directory::ldap_in_use(view)).await
    }

    /// Who signs in with that name and password; `None` where the directory lets nobody in.
    pub async fn sign_in(
        &self,
        row: &LdapRow,
        (name, password): (&str, &Zeroizing<String>),
    ) -> Result<Option<Person>, DirectoryFailure> {
        // The protocol takes an empty password for nobody in particular, and lets them in.
        if name.is_empty() || password.is_empty() {
            return Ok(None);
        }
        match self.ask(self.prepare(row)?, name, Some(password)).await? {
            Tried::LetIn(person) => Ok(Some(person)),
            Tried::WrongPassword(_) | Tried::Unknown => Ok(None),
        }
    }

    /// Somebody whom the directory knows by that name.
    pub async fn look_up(
        &self,
        row: &LdapRow,
        name: &str,
    ) -> Result<Option<Person>, DirectoryFailure> {
        match self.ask(self.prepare(row)?, name, None).await? {
            Tried::LetIn(person) | Tried::WrongPassword(person) => Ok(Some(person)),
            Tried::Unknown => Ok(None),
        }
    }

    /// What comes of a sign-in by settings that are not kept.
    pub async fn try_login(
        &self,
        checked: Checked,
        (name, password): (&str, &Zeroizing<String>),
    ) -> Result<Tried, DirectoryFailure> {
        let reader_password = checked.reader_password.unwrap_or_default();
        let plan = Plan::new(&checked.row, reader_password).map_err(DirectoryFailure::Settings)?;
        self.ask(Arc::new(plan), name, Some(password)).await
    }

    /// The reader's password that is kept, where these settings go to the same server as the same
    /// reader: elsewhere it must be given again, or whoever sets the address could fetch it.
    pub fn kept_password(
        &self,
        kept: Option<&LdapRow>,
        row: &LdapRow,
    ) -> Result<Option<Zeroizing<String>>, DirectoryFailure> {
        let Some(kept) = kept.filter(|kept| !kept.sealed_reader_password.is_empty()) else {
            return Ok(None);
        };
        if row.reader_dn.is_empty() {
            return Ok(None);
        }
        let is_secured = |row: &LdapRow| (row.start_tls, row.tls_skip_verify);
        let is_same = kept.server_url == row.server_url
            && kept.reader_dn == row.reader_dn
            && kept.root_certs == row.root_certs
            && is_secured(kept) == is_secured(row);
        if is_same {
            return Ok(Some(self.prepare(kept)?.reader_password.clone()));
        }
        let text = "serverURL, readerDN or TLS changed: give readerPassword again";
        Err(DirectoryFailure::Settings(text.to_owned()))
    }

    /// Seals the reader's password for the row that it is kept in.
    pub fn seal(&self, password: &str) -> Vec<u8> {
        if password.is_empty() {
            return Vec::new();
        }
        self.shared.cluster.seal(READER_PASSWORD, password.as_bytes())
    }
}

/// What changes the cluster.
impl Directory {
    /// Makes or refreshes the account of somebody who was let in.
    pub async fn admit(&self, person: &Person) -> Result<(), Failure> {
        let user = DirectoryUser {
            name: person.name.clone(),
            full_name: person.full_name.clone(),
            source: person.dn.clone(),
        };
        let put = DirectoryUsersPut { run: None, users: vec![user] };
        self.shared.cluster.propose(put.into()).await?;
        // It was applied at the leader; this replica may be behind.
        self.shared.cluster.barrier().await
    }

    /// Begins a sync, which goes on by itself and leaves a report.
    ///
    /// # Errors
    ///
    /// Refused where one goes on already, on whatever replica, and where people do not sign in by
    /// the directory.
    pub async fn begin_sync(&self) -> Result<RunRow, DirectoryFailure> {
        let (run, row) = self.begin(None).await?;
        // What can't be prepared stands in the report.
        let asked = Asked { cluster: self.shared.cluster.clone(), run: run.id, voucher: None };
        tokio::spawn(sync::run(asked, self.prepare(&row), std::future::pending()));
        Ok(run)
    }

    /// Syncs for a job, which the worker that holds it may take over from another one; ends early
    /// when `stopped` does. What it did, in a line.
    ///
    /// # Errors
    ///
    /// Why it did not come to its end.
    pub async fn sync_as_job(
        &self,
        hold: JobHold,
        stopped: impl Future<Output = ()> + Send,
    ) -> Result<String, String> {
        let begun = self.begin(Some(hold)).await.map_err(|failure| failure.to_string());
        let (run, row) = begun?;
        let voucher = Some(Voucher::of_job(hold));
        let asked = Asked { cluster: self.shared.cluster.clone(), run: run.id, voucher };
        sync::run(asked, self.prepare(&row), stopped).await
    }

    /// Begins a sync; how the directory is reached at that moment.
    async fn begin(&self, hold: Option<JobHold>) -> Result<(RunRow, LdapRow), DirectoryFailure> {
        let cluster = &self.shared.cluster;
        let (replica_id, job) = (cluster.replica_id(), hold.map(|hold| hold.id));
        let begin = DirectoryRunBegin { replica_id, job };
        cluster.propose_for(hold.map(Voucher::of_job), begin.into()).await?;
        let read = cluster.read(Freshness::Linearizable, |view| {
            Ok((directory::run(view)?, directory::ldap_in_use(view)?))
        });
        let (Some(run), Some(row)) = read.await? else {
            let text = "people no longer sign in by the directory".to_owned();
            return Err(DirectoryFailure::Settings(text));
        };
        Ok((run, row))
    }

    fn prepare(&self, row: &LdapRow) -> Result<Arc<Plan>, DirectoryFailure> {
        let mut prepared = self.shared.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = prepared.as_ref().filter(|plan| plan.row == *row) {
            return Ok(Arc::clone(plan));
        }
        let plan = Arc::new(Plan::of_row(&self.shared.cluster, row)?);
        *prepared = Some(Arc::clone(&plan));
        Ok(plan)
    }

    /// Looks for somebody and, with a password, has the directory let them in.
    async fn ask(
        &self,
        plan: Arc<Plan>,
        name: &str,
        password: Option<&Zeroizing<String>>,
    ) -> Result<Tried, DirectoryFailure> {
        let turn = timeout(TURN_MAX, Arc::clone(&self.shared.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(DirectoryFailure::Busy) };
        let (name, password, server) = (name.to_owned(), password.cloned(), plan.url.address());
        let asking = async move {
            let _turn = turn;
            let mut connection = Connection::open_as_reader(&plan, ANSWER_MAX).await?;
            let found = people::find(&mut connection, &plan, &name).await?;
            let is_in = match (&found, &password) {
                (Some(person), Some(password)) => connection.bind(&person.dn, password).await?,
                // Whom it does not know costs the time of whom it does: nobody learns which it is.
                (None, Some(_)) => {
                    let tried = connection.bind(&nobody(&plan), DECOY).await;
                    tracing::trace!(?tried, "asked for nobody");
                    false
                }
                (_, None) => false,
            };
            connection.close().await;
            Ok::<Tried, DirectoryFailure>(match found {
                Some(person) if is_in => Tried::LetIn(person),
                Some(person) => Tried::WrongPassword(person),
                None => Tried::Unknown,
            })
        };
        // In a task of its own: an answer that does not read ends that.
        let task = tokio::spawn(timeout(SIGN_IN_MAX, asking));
        let _ended_with_us = AbortOnDrop(task.abort_handle());
        match task.await {
            Ok(Ok(tried)) => tried,
            Ok(Err(_)) => Err(DirectoryFailure::Silent { server, limit_s: SIGN_IN_MAX.as_secs() }),
            Err(_) => Err(DirectoryFailure::Unreadable { server }),
        }
    }
}
