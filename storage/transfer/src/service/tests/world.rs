//! Replicas for tests: real stores in temporary folders, real TLS over the loopback.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::blobs::files::DiskFiles;
use ::blobs::store::{BlobStore, Options};
use async_trait::async_trait;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use oci::digest::Digest;
use tempfile::TempDir;
use tokio::task::JoinSet;
use wire::certificate::{self, CertifiedKey, ReplicaNames};
use wire::dial::{Dial, TcpDial};
use wire::listen::{Listen, TcpListen};
use wire::peer_identity::PeerKey;
use wire::peer_tls::{PeerRules, PeerTls};
use wire::stream::BoxStream;

use super::owner::Owner;
use crate::client::{Client, Limits};
use crate::peer_dial::PeerDial;
use crate::receipt::{Receipt, ReceiptSource};
use crate::service::Service;

struct Everybody;

impl PeerRules for Everybody {
    fn listed(&self, _key: &PeerKey, _replica_id: &str) -> bool {
        true
    }
}

/// Where everybody listens.
type Addresses = Arc<Mutex<HashMap<String, SocketAddr>>>;

struct Dialler {
    tls: Arc<PeerTls>,
    addresses: Addresses,
}

#[async_trait]
impl PeerDial for Dialler {
    async fn dial(&self, replica_id: &str) -> io::Result<BoxStream> {
        let address = self.addresses.lock().unwrap().get(replica_id).copied();
        let address = address.ok_or_else(|| io::Error::other("nobody has that id"))?;
        let stream = TcpDial::default().dial(&address.to_string()).await?;
        Ok(self.tls.connect(stream, Some(replica_id), &["http/1.1"]).await?.0)
    }
}

struct Receipts {
    replica_id: String,
}

impl ReceiptSource for Receipts {
    fn position(&self, _digest: &Digest) -> Receipt {
        Receipt {
            replica_id: self.replica_id.clone(),
            incarnation: "one".to_owned(),
            applied_index: 42,
            generation: 0,
        }
    }
}

pub(super) struct World {
    ca: CertifiedKey,
    addresses: Addresses,
}

pub(super) struct Replica {
    pub(super) store: Arc<BlobStore>,
    pub(super) client: Client,
    pub(super) owner: Arc<Owner>,
    pub(super) folder: TempDir,
    tls: Arc<PeerTls>,
    listener: Arc<TcpListen>,
    connections: Arc<Mutex<JoinSet<()>>>,
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

impl World {
    pub(super) fn new() -> Self {
        Self { ca: certificate::make_ca("c1", now_ms()).unwrap(), addresses: Addresses::default() }
    }

    /// A replica that listens and serves nobody yet.
    pub(super) async fn idle(&self, replica_id: &str) -> Replica {
        let key = certificate::generate_key().unwrap();
        let names = ReplicaNames { cluster_id: "c1", replica_id, hosts: &["localhost".to_owned()] };
        let csr = certificate::csr(&key).unwrap();
        let chain = certificate::issue(&self.ca, &csr, &names, now_ms()).unwrap();
        let ca_pem = &self.ca.certificate_pem;
        let tls = Arc::new(PeerTls::new(ca_pem, &chain, &key, "c1", Arc::new(Everybody)).unwrap());
        let listener = Arc::new(TcpListen::bind("127.0.0.1:0").await.unwrap());
        let address = listener.local_addr().unwrap();
        self.addresses.lock().unwrap().insert(replica_id.to_owned(), address);
        let folder = tempfile::tempdir().unwrap();
        let files = Arc::new(DiskFiles);
        let store = BlobStore::open(folder.path(), files, Options::default()).unwrap();
        let dial = Arc::new(Dialler { tls: tls.clone(), addresses: self.addresses.clone() });
        let limits = Limits { idle_max: Duration::from_secs(2), ..Limits::default() };
        Replica {
            store,
            client: Client::new(dial, limits),
            owner: Arc::default(),
            folder,
            tls,
            listener,
            connections: Arc::default(),
        }
    }

    /// A replica that serves its peers.
    pub(super) async fn replica(&self, replica_id: &str) -> Replica {
        let replica = self.idle(replica_id).await;
        let receipts = Arc::new(Receipts { replica_id: replica_id.to_owned() });
        let (store, client) = (replica.store.clone(), replica.client.clone());
        let service = Service::new(store, client, receipts, replica.owner.clone());
        let (listener, tls) = (replica.listener.clone(), replica.tls.clone());
        let connections = Arc::downgrade(&replica.connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (service, tls) = (service.clone(), tls.clone());
                let Some(connections) = connections.upgrade() else { return };
                connections
                    .lock()
                    .unwrap()
                    .spawn(async move { serve(&service, &tls, stream).await });
            }
        });
        replica
    }
}

async fn serve(service: &Service, tls: &PeerTls, stream: BoxStream) {
    let Ok((stream, Some(peer), _)) = tls.accept(stream).await else { return };
    let answer = service_fn(|request| {
        let (service, peer) = (service.clone(), peer.clone());
        async move { Ok::<_, Infallible>(service.handle(&peer, request).await) }
    });
    // A connection that breaks is what some tests want.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}

impl Replica {
    /// Breaks all connections that were accepted, as a killed process does.
    pub(super) fn break_connections(&self) {
        self.connections.lock().unwrap().abort_all();
    }

    /// Accepts one connection, for a test that wants to be the peer itself.
    pub(super) async fn accept(&self) -> BoxStream {
        let (stream, _) = self.listener.accept().await.unwrap();
        self.tls.accept(stream).await.unwrap().0
    }

    /// Keeps a blob without any peer.
    pub(super) async fn keep(&self, bytes: &[u8]) -> Digest {
        let digest = super::digest_of(bytes);
        self.store.put(&digest, bytes.to_vec().into()).await.unwrap();
        digest
    }

    /// The file of a blob.
    pub(super) fn file(&self, digest: &Digest) -> PathBuf {
        ::blobs::path::Layout::new(self.folder.path()).blob(digest)
    }

    /// Uploads on disk.
    pub(super) fn staged(&self) -> Vec<String> {
        let uploads = self.store.list_uploads().unwrap();
        uploads.into_iter().map(|upload| upload.id.as_str().to_owned()).collect()
    }
}
