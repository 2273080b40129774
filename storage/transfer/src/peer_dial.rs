//! How this crate reaches another replica.

use std::io;

use async_trait::async_trait;
use wire::stream::BoxStream;

/// Opens connections to peers.
#[async_trait]
pub trait PeerDial: Send + Sync {
    /// Connects to `replica_id`: mutual TLS is done and HTTP/1.1 agreed on.
    async fn dial(&self, replica_id: &str) -> io::Result<BoxStream>;
}
