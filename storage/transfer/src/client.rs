//! Asking peers: stage, seal, read, pull, forward.

mod blobs;
mod connections;
mod owned;
mod sending;
mod staging;
mod together;

use std::sync::Arc;
use std::time::Duration;

use crate::peer_dial::PeerDial;

use connections::Connections;
use together::Together;

/// Bounds of what is asked of one peer at a time.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bodies on their way to one peer. A slow client's push takes one for as long as it lasts.
    pub sent_bodies_max: usize,
    /// Blobs being read from one peer.
    pub reads_max: usize,
    /// Other calls under way to one peer.
    pub calls_max: usize,
    /// A peer that takes no byte, or sends none while one is awaited, for this long is given up.
    pub idle_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sent_bodies_max: 512,
            reads_max: 128,
            calls_max: 64,
            idle_max: Duration::from_secs(30),
        }
    }
}

/// Talks to the transfer services of other replicas. Clones share one pool of connections.
#[derive(Clone)]
pub struct Client {
    connections: Arc<Connections>,
    together: Arc<Together>,
}

impl Client {
    /// A client that reaches its peers by `dial`.
    pub fn new(dial: Arc<dyn PeerDial>, limits: Limits) -> Self {
        Self { connections: Arc::new(Connections::new(dial, limits)), together: Arc::default() }
    }
}
