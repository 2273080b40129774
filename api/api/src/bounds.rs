//! What a connection may take: time and memory.

use std::time::Duration;

/// The bounds of the public listeners, from the replica's configuration.
///
/// Source: registry-protocol H17, H20.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections of all listeners together.
    pub connections_max: usize,
    /// A request's head has to be there this long after its first byte; the first one this long
    /// after the connection was made.
    pub head_max: Duration,
    /// A connection without a request for this long is closed.
    pub idle_max: Duration,
    /// So is one whose client takes nothing of an answer for this long.
    pub stall_max: Duration,
    /// Bytes of request bodies that may have come and wait to be read, all together.
    pub unread_bytes_max: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            head_max: Duration::from_secs(10),
            idle_max: Duration::from_mins(2),
            stall_max: Duration::from_mins(1),
            unread_bytes_max: 64 * 1024 * 1024,
        }
    }
}
