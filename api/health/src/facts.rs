//! What the health surface is told by whoever started the replica.

use std::io;
use std::sync::Arc;

use edge::context::Context;

use crate::checks::Checks;

/// Room on the disk of the content store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that may still be written.
    pub free_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

const GIB: u64 = 1024 * 1024 * 1024;

impl Disk {
    /// Below this it is not healthy, and about to stop.
    pub fn lower_mark_bytes(self) -> u64 {
        (self.total_bytes / 20).min(2 * GIB)
    }

    /// Whether it is full, but for what it needs to stop in order.
    pub fn is_full(self) -> bool {
        self.free_bytes < self.lower_mark_bytes()
    }
}

/// What only the wiring of a replica knows.
#[derive(Clone)]
pub struct Facts {
    /// This program's version.
    pub version: String,
    /// The PEM of the authority that signed the certificate of the public port; empty where that is
    /// a public one. Asked each time, since certificates are exchanged while serving.
    pub server_ca: Arc<dyn Fn() -> String + Send + Sync>,
    /// Room on the disk of the content store.
    pub disk: Arc<dyn Fn() -> io::Result<Disk> + Send + Sync>,
}

/// This replica, as the health surface sees it.
pub struct Health {
    /// What requests work with.
    pub context: Arc<Context>,
    /// What the wiring knows.
    pub facts: Facts,
    /// What was found lately.
    pub checks: Checks,
}

impl Health {
    /// Nothing is checked before [`crate::checks::run`].
    pub fn new(context: Arc<Context>, facts: Facts) -> Arc<Self> {
        Arc::new(Self { context, facts, checks: Checks::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::{Disk, GIB};

    #[test]
    fn the_mark_is_a_part_of_a_small_disk_and_a_figure_on_a_large_one() {
        let small = Disk { free_bytes: 9 * GIB, total_bytes: 20 * GIB };
        assert_eq!(small.lower_mark_bytes(), GIB);
        let large = Disk { free_bytes: 9 * GIB, total_bytes: 1000 * GIB };
        assert_eq!(large.lower_mark_bytes(), 2 * GIB);
        assert!(!large.is_full() && Disk { free_bytes: GIB, ..large }.is_full());
    }
}
