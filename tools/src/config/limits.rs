//! `[limits]`: bounds of what this replica takes on at once.

use serde::{Deserialize, Serialize};

/// `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections on the public listeners; never more than the file descriptors allow.
    pub connections_max: u32,
    /// Requests a second that one account may send to this replica, or one address without an
    /// account; 0: no bound.
    pub requests_per_second: u32,
    /// Requests that it may send at once after a quiet time, where `requests_per_second` is not 0.
    pub requests_burst: u32,
    /// MiB of request bodies over HTTP/2 that may have come and wait to be read, all together.
    pub unread_mib_max: u32,
    /// Uploads open on this replica.
    pub uploads_max: u32,
    /// Uploads open on this replica by one account.
    pub uploads_per_account_max: u32,
    /// Bytes of a blob that is pushed to this replica; 0 means no bound. The same on all replicas,
    /// since any of them may be asked.
    pub layer_bytes_max: u64,
    /// Seconds in which the head of a request must be there.
    pub head_max_s: u32,
    /// Seconds that a client may leave a request's body, or the answer to it, standing still.
    pub body_idle_max_s: u32,
    /// Seconds that a connection may be open without a request.
    pub connection_idle_max_s: u32,
    /// Seconds that requests may take to end once the replica was told to stop.
    pub drain_max_s: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            requests_per_second: 0,
            requests_burst: 100,
            unread_mib_max: 64,
            uploads_max: 20_000,
            uploads_per_account_max: 1_000,
            layer_bytes_max: 0,
            head_max_s: 10,
            body_idle_max_s: 60,
            connection_idle_max_s: 120,
            drain_max_s: 60,
        }
    }
}

impl Limits {
    /// Checks the section.
    pub fn check(&self) -> Result<(), String> {
        within("limits.connections_max", self.connections_max, 8, 1_000_000)?;
        within("limits.requests_per_second", self.requests_per_second, 0, 1_000_000)?;
        within("limits.requests_burst", self.requests_burst, 1, 1_000_000)?;
        within("limits.unread_mib_max", self.unread_mib_max, 4, 65_536)?;
        within("limits.uploads_max", self.uploads_max, 1, 1_000_000)?;
        within("limits.uploads_per_account_max", self.uploads_per_account_max, 1, 1_000_000)?;
        within("limits.head_max_s", self.head_max_s, 1, 3_600)?;
        within("limits.body_idle_max_s", self.body_idle_max_s, 1, 3_600)?;
        within("limits.connection_idle_max_s", self.connection_idle_max_s, 1, 86_400)?;
        within("limits.drain_max_s", self.drain_max_s, 0, 3_600)
    }
}

/// Refuses a value out of its bounds, both included, by the name of its key.
pub(crate) fn within<N: Copy + PartialOrd + std::fmt::Display>(
    key: &str,
    value: N,
    min: N,
    max: N,
) -> Result<(), String> {
    if value < min || value > max {
        return Err(format!("`{key}` is {value}: it may be {min} to {max}"));
    }
    Ok(())
}
