//! Where the next request goes: one replica, or each of several in turn.

use std::sync::atomic::{AtomicUsize, Ordering};

use chaos_tests::registry::Registry;

/// The replicas that requests go to, in turn.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) registry: Registry,
    /// Places of the replicas that live.
    pub(crate) places: Vec<usize>,
    /// `HOST:PORT` of the plain listener of each replica, for what is spoken by hand.
    pub(crate) plain: Vec<String>,
    turn: AtomicUsize,
}

impl Target {
    /// Requests through this client, to the replicas at these places in turn.
    pub(crate) fn new(registry: Registry, places: Vec<usize>, plain: Vec<String>) -> Self {
        Self { registry, places, plain, turn: AtomicUsize::new(0) }
    }

    /// The same with a turn of its own: cases that run beside each other each go round by
    /// themselves, so that two requests of one case never meet the same replica by chance.
    pub(crate) fn fork(&self) -> Self {
        Self::new(self.registry.clone(), self.places.clone(), self.plain.clone())
    }

    /// The replica of the next request.
    pub(crate) fn next(&self) -> usize {
        self.places[self.turn.fetch_add(1, Ordering::Relaxed) % self.places.len()]
    }
}
