//! What only an operator at a replica's machine may do: give an administrator another password.
//!
//! It is for the day when nobody can sign in. Whoever can read a replica's data folder can read all
//! there is, so its key is proof enough: the call goes over the peer port, with the replica's own
//! certificate, to the replica itself, which has the cluster agree on it. It runs on meanwhile; a
//! majority is needed, as for every change.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use metadata::accounts::commands::UserPut;
use metadata::accounts::{self, AccountKind, AccountRow};
use metadata::refusal::Refusal;
use metadata::sign_in::{self, SignInSet};
use tonic::transport::Endpoint;
use wire::dial::Dial;
use wire::peer_identity::PeerKey;
use wire::peer_tls::{PeerRules, PeerTls};
use wire::stream::BoxStream;

use crate::cluster::{Failure, Freshness};
use crate::folder::{Folder, FolderError};
use crate::protocol::peer;
use crate::protocol::peer::peer_client::PeerClient;
use crate::replica::Replica;

/// An answer that is not there by then is given up; an election takes up to 10 s.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Who gets which password.
pub struct Reset {
    /// The replica's data folder.
    pub folder: PathBuf,
    /// The replica's own peer port, `HOST:PORT`.
    pub peer: String,
    /// The administrator's name.
    pub administrator: String,
    /// The new password in PHC text form.
    pub password_hash: String,
    /// Whether a user is made where there is none of that name.
    pub create: bool,
    /// Whether the cluster is to take passwords again, where it refuses them.
    pub allow_passwords: bool,
    /// How the port is reached.
    pub dial: Arc<dyn Dial>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The replica's own keys do not read.
    #[error("the keys in the data folder cannot be used: {0}")]
    Keys(std::io::Error),
    /// Nobody answers, or no majority does.
    #[error("{0}")]
    Unreachable(String),
    /// The cluster says no.
    #[error("{0}")]
    Refused(String),
}

/// Gives an administrator another password, whatever it was, and lets them sign in again.
pub async fn reset_administrator(reset: Reset) -> Result<(), ResetError> {
    use peer::reset_administrator_response::Result as Said;
    let folder = Folder::look(&reset.folder)?;
    let (identity, keys) = (folder.identity()?, folder.keys()?);
    let replica_id = identity.replica_id.to_string();
    let rules = Arc::new(Only(replica_id.clone()));
    let (ca, chain, key) = (&keys.ca_pem, &keys.certificate_pem, &keys.key_pem);
    let tls =
        PeerTls::new(ca, chain, key, &identity.cluster_id, rules).map_err(ResetError::Keys)?;
    let unreachable = |cause: &dyn std::fmt::Display| {
        let peer = &reset.peer;
        ResetError::Unreachable(format!(
            "this machine's replica does not answer at {peer}: {cause}"
        ))
    };
    let stream = reset.dial.dial(&reset.peer).await.map_err(|error| unreachable(&error))?;
    let (stream, _) = tls
        .connect(stream, Some(&replica_id), &["h2"])
        .await
        .map_err(|error| unreachable(&error))?;
    let mut client = client(stream).await.map_err(|error| unreachable(&error))?;
    let request = peer::ResetAdministratorRequest {
        sender: Some(peer::Sender {
            cluster_id: identity.cluster_id,
            replica_id,
            incarnation: identity.incarnation,
        }),
        administrator: reset.administrator,
        password_hash: reset.password_hash,
        create: reset.create,
        allow_passwords: reset.allow_passwords,
    };
    let asked = tokio::time::timeout(ANSWER_MAX, client.reset_administrator(request)).await;
    let late = format!("no answer within {} s", ANSWER_MAX.as_secs());
    let answer = asked.map_err(|_| unreachable(&late))?;
    let answer = answer.map_err(|status| unreachable(&status.message()))?;
    match answer.into_inner().result {
        Some(Said::Done(_)) => Ok(()),
        Some(Said::Refused(text)) => Err(ResetError::Refused(text)),
        Some(Said::Unavailable(text)) => Err(ResetError::Unreachable(text)),
        None => Err(ResetError::Unreachable("the replica's answer is empty".to_owned())),
    }
}

/// A client of the one connection that is there already.
async fn client(
    stream: BoxStream,
) -> Result<PeerClient<tonic::transport::Channel>, tonic::transport::Error> {
    let stream = Mutex::new(Some(stream));
    let connector = tower::service_fn(move |_| {
        let stream = stream.lock().ok().and_then(|mut stream| stream.take());
        let gone = || std::io::Error::new(std::io::ErrorKind::NotConnected, "the connection broke");
        async move { stream.map(TokioIo::new).ok_or_else(gone) }
    });
    let endpoint = Endpoint::from_static("http://holdfast.invalid");
    Ok(PeerClient::new(endpoint.connect_with_connector(connector).await?))
}

/// Talks to one replica only. Its key is whatever the cluster's authority has certified for it.
struct Only(String);

impl PeerRules for Only {
    fn listed(&self, _: &PeerKey, replica_id: &str) -> bool {
        replica_id == self.0
    }
}

/// The replica's side, once it is sure that it talks to itself.
pub(crate) async fn answer(
    replica: &Arc<Replica>,
    request: peer::ResetAdministratorRequest,
) -> peer::ResetAdministratorResponse {
    use peer::reset_administrator_response::Result as Said;
    let name = request.administrator.clone();
    let result = match carry_out(replica, request).await {
        Ok(()) => {
            tracing::warn!(
                administrator = name,
                "an operator at this machine gave an administrator another password"
            );
            Said::Done(true)
        }
        Err(Failure::Refused(refusal)) => {
            tracing::warn!(administrator = name, %refusal, "an operator's reset was refused");
            Said::Refused(refusal.to_string())
        }
        Err(failure) => Said::Unavailable(failure.to_string()),
    };
    peer::ResetAdministratorResponse { result: Some(result) }
}

async fn carry_out(
    replica: &Arc<Replica>,
    request: peer::ResetAdministratorRequest,
) -> Result<(), Failure> {
    let name = request.administrator;
    let cluster = crate::cluster::Cluster { replica: Arc::clone(replica) };
    let read = cluster.read(Freshness::Linearizable, |view| {
        Ok((accounts::find(view, &name)?, sign_in::get(view)?.refuses_passwords))
    });
    let (found, refuses_passwords) = read.await?;
    let is_user = |row: &AccountRow| row.kind == AccountKind::User;
    if found.as_ref().is_some_and(|row| !is_user(row)) {
        return Err(Refusal::AccountIsOrganization { name }.into());
    }
    if found.is_none() && !request.create {
        return Err(Refusal::AccountUnknown { name }.into());
    }
    if refuses_passwords && !request.allow_passwords {
        return Err(Refusal::PasswordsRefused.into());
    }
    let password_hash = request.password_hash;
    cluster.propose(UserPut { name, password_hash, is_admin: true }.into()).await?;
    if refuses_passwords {
        let refuses_passwords = Some(false);
        cluster.propose(SignInSet { refuses_passwords, ..SignInSet::default() }.into()).await?;
        tracing::warn!("an operator at this machine had the cluster take passwords again");
    }
    Ok(())
}
