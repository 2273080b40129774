//! Bounds of what a request may ask.
//!
//! Source: registry-protocol 2.6.

use std::time::Duration;

use crate::rates::Rate;

/// The bounds of this replica, from its configuration.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a manifest.
    pub manifest_bytes_max: usize,
    /// Tags moved by one manifest PUT.
    pub tags_per_put_max: usize,
    /// Bytes of a management request's or a token form's body.
    pub form_bytes_max: usize,
    /// Bytes of a request line.
    pub request_line_bytes_max: usize,
    /// Bytes of all headers of a request together.
    pub headers_bytes_max: usize,
    /// Requests of one caller; `None`: as many as it likes.
    pub rate: Option<Rate>,
    /// A body that stands still for so long is given up.
    pub body_idle_max: Duration,
    /// For so long a replica without a majority answers by the rights it last knew; zero: never.
    pub stale_reads_max: Duration,
    /// Life of a token.
    pub token_life: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            manifest_bytes_max: 4 * 1024 * 1024,
            tags_per_put_max: 100,
            form_bytes_max: 64 * 1024,
            request_line_bytes_max: 16 * 1024,
            headers_bytes_max: 32 * 1024,
            rate: None,
            body_idle_max: Duration::from_mins(1),
            stale_reads_max: Duration::from_hours(1),
            token_life: Duration::from_mins(5),
        }
    }
}
