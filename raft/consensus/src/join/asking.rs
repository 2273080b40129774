//! Asking a replica of the cluster to be let in.

use std::error::Error as _;
use std::sync::Mutex;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use metadata::bootstrap::CLUSTER_VERSION;
use tonic::transport::Endpoint;
use wire::join_tls::JoinTls;
use wire::stream::BoxStream;

use crate::join::attempt::Attempt;
use crate::join::{JoinError, JoinOptions, certificate_request};
use crate::protocol::peer;
use crate::protocol::peer::peer_client::PeerClient;

/// A cluster that has not answered by then is given up; an election takes up to 10 s.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// What is asked.
pub(super) fn request(
    options: &JoinOptions,
    attempt: &Attempt,
) -> Result<peer::JoinRequest, JoinError> {
    Ok(peer::JoinRequest {
        token_id: options.token.id().to_owned(),
        token_secret: options.token.secret().to_owned(),
        certificate_request_pem: certificate_request(&attempt.key_pem)?,
        replica_id: attempt.replica_id.to_string(),
        address: options.advertise.clone(),
        host_name: options.host_name.clone(),
        machine_id: options.machine_id.clone(),
        incarnation: attempt.incarnation.clone(),
        allow_same_machine: options.allow_same_machine,
        version: options.version.clone(),
        wall_ms: options.clock.wall_ms(),
        supports: CLUSTER_VERSION,
        former_cluster_id: attempt.former.as_ref().map(|it| it.0.clone()).unwrap_or_default(),
        former_replica_id: attempt.former.as_ref().map(|it| it.1.clone()).unwrap_or_default(),
    })
}

/// Asks, once it is sure that the other side belongs to the cluster of the token.
pub(super) async fn ask(
    options: &JoinOptions,
    request: peer::JoinRequest,
) -> Result<peer::Joined, JoinError> {
    let unreachable = |cause: String| JoinError::Unreachable { peer: options.peer.clone(), cause };
    let stream = connect(options).await?;
    // One call, one connection: it is there already when the channel asks for it.
    let stream = Mutex::new(Some(stream));
    let connector = tower::service_fn(move |_| {
        let stream = stream.lock().ok().and_then(|mut stream| stream.take());
        let gone = || std::io::Error::new(std::io::ErrorKind::NotConnected, "the connection broke");
        async move { stream.map(TokioIo::new).ok_or_else(gone) }
    });
    let channel = Endpoint::from_static("http://holdfast.invalid")
        .connect_with_connector(connector)
        .await
        .map_err(|error| unreachable(error.to_string()))?;
    let mut client = PeerClient::new(channel);
    let asked = client.join(request);
    let response = tokio::time::timeout(ANSWER_MAX, asked)
        .await
        .map_err(|_| unreachable(format!("no answer within {} s", ANSWER_MAX.as_secs())))?
        .map_err(|status| unreachable(in_words(&status)))?;
    match response.into_inner().result {
        Some(peer::join_response::Result::Joined(joined)) => Ok(joined),
        Some(peer::join_response::Result::Refused(text)) => {
            Err(JoinError::Refused { text, for_safety: true })
        }
        Some(peer::join_response::Result::TokenRefused(text)) => {
            Err(JoinError::Refused { text, for_safety: false })
        }
        Some(peer::join_response::Result::Unavailable(text)) => {
            Err(JoinError::Unavailable { text })
        }
        None => Err(JoinError::Unsound { what: "it is empty".to_owned() }),
    }
}

async fn connect(options: &JoinOptions) -> Result<BoxStream, JoinError> {
    let peer = &options.peer;
    let unreachable = |error: std::io::Error| JoinError::Unreachable {
        peer: peer.clone(),
        cause: error.to_string(),
    };
    let other = |error: std::io::Error| JoinError::OtherCluster {
        peer: peer.clone(),
        cause: error.to_string(),
    };
    let tls = JoinTls::new(options.token.ca_digest()).map_err(other)?;
    let stream = options.dial.dial(peer).await.map_err(unreachable)?;
    match tls.connect(stream, &["h2"]).await {
        Ok((stream, _)) => Ok(stream),
        Err(error) if wire::join_tls::is_other_cluster(&error) => Err(other(error)),
        Err(error) => Err(unreachable(error)),
    }
}

fn in_words(status: &tonic::Status) -> String {
    match status.source() {
        Some(cause) => format!("{}: {cause}", status.message()),
        None => status.message().to_owned(),
    }
}
