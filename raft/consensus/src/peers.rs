//! Connections to the other replicas, opened when first used.
//!
//! Heartbeats, appends and small calls have a connection of their own, so that neither a snapshot
//! on its way nor commands that wait ever delay them.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use metadata::replica::ReplicaId;
use tonic::transport::{Channel, Endpoint};
use wire::dial::Dial;
use wire::peer_tls::PeerTls;
use wire::stream::BoxStream;

use crate::directory::Directory;
use crate::identity::Identity;
use crate::protocol::peer;
use crate::protocol::peer::peer_client::PeerClient;

/// Larger than any append (1 MiB and one entry) or forwarded command.
pub(crate) const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A connection is asked for a sign of life as often, and closed when none comes for so long.
const KEEP_ALIVE: Duration = Duration::from_secs(3);
/// A connection, with its handshake, that is not there by then has failed.
const CONNECT_MAX: Duration = Duration::from_secs(4);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// Heartbeats, appends, votes, reads, status.
    Control,
    /// Commands for the leader, which may wait for long.
    Commands,
    /// Snapshots.
    Bulk,
}

/// Reaches the other replicas. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Peers {
    shared: Arc<Shared>,
}

struct Shared {
    reach: Arc<Reach>,
    sender: peer::Sender,
    channels: Mutex<HashMap<(u64, Lane), Channel>>,
}

/// What is needed to open a connection.
struct Reach {
    dial: Arc<dyn Dial>,
    tls: Arc<PeerTls>,
    directory: Arc<Directory>,
}

impl Reach {
    async fn connect(&self, replica_id: &str, alpn: &[&str]) -> io::Result<BoxStream> {
        let unknown = || {
            let text = format!("{replica_id} is not a member whose address is known");
            io::Error::new(io::ErrorKind::NotFound, text)
        };
        let id = ReplicaId::parse(replica_id).map_err(|_| unknown())?;
        let address = self.directory.address(id).ok_or_else(unknown)?;
        let connect = async {
            let stream = self.dial.dial(&address).await?;
            let (stream, _) = self.tls.connect(stream, Some(replica_id), alpn).await?;
            Ok(stream)
        };
        let late = || io::Error::new(io::ErrorKind::TimedOut, format!("{address} does not answer"));
        tokio::time::timeout(CONNECT_MAX, connect).await.unwrap_or_else(|_| Err(late()))
    }
}

impl Peers {
    pub(crate) fn new(
        identity: &Identity,
        dial: Arc<dyn Dial>,
        tls: Arc<PeerTls>,
        directory: Arc<Directory>,
    ) -> Self {
        let sender = peer::Sender {
            cluster_id: identity.cluster_id.clone(),
            replica_id: identity.replica_id.to_string(),
            incarnation: identity.incarnation.clone(),
        };
        let reach = Arc::new(Reach { dial, tls, directory });
        let shared = Shared { reach, sender, channels: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Who is asking, for a request.
    pub(crate) fn sender(&self) -> peer::Sender {
        self.shared.sender.clone()
    }

    pub(crate) fn tls(&self) -> Arc<PeerTls> {
        self.shared.reach.tls.clone()
    }

    /// Opens a connection of the caller's own.
    pub(crate) async fn dial(&self, replica_id: &str, alpn: &[&str]) -> io::Result<BoxStream> {
        self.shared.reach.connect(replica_id, alpn).await
    }

    /// Calls to `target`. Connects when the first of them is made; must be asked for on the runtime
    /// of the peers.
    pub(crate) fn client(&self, target: u64, lane: Lane) -> PeerClient<Channel> {
        let mut channels = self.shared.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = channels.entry((target, lane)).or_insert_with(|| self.channel(target, lane));
        PeerClient::new(channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Lets go of connections to replicas that are no members any more.
    pub(crate) fn keep_only(&self, members: &[ReplicaId]) {
        let mut channels = self.shared.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.retain(|(target, _), _| members.iter().any(|member| member.as_u64() == *target));
    }

    fn channel(&self, target: u64, lane: Lane) -> Channel {
        let reach = self.shared.reach.clone();
        let replica_id = ReplicaId::from_u64(target).map(|id| id.to_string()).unwrap_or_default();
        let connector = tower::service_fn(move |_: Uri| {
            let (reach, replica_id) = (reach.clone(), replica_id.clone());
            async move { reach.connect(&replica_id, &["h2"]).await.map(TokioIo::new) }
        });
        let endpoint = Endpoint::from_static("http://holdfast.invalid")
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(true);
        let endpoint = match lane {
            Lane::Control | Lane::Commands => endpoint,
            Lane::Bulk => endpoint
                .initial_stream_window_size(1024 * 1024)
                .initial_connection_window_size(2 * 1024 * 1024),
        };
        endpoint.connect_with_connector_lazy(connector)
    }
}
