//! Whose turn it is on a staged upload: the latest request's.
//!
//! A peer that lost its connection asks again over another one, while the first still waits here
//! for bytes that never come. The later request ends the earlier one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// The requests that are under way, by upload.
#[derive(Default)]
pub(super) struct Turns {
    under_way: Arc<Mutex<HashMap<String, Arc<Notify>>>>,
}

/// A request's turn; given back when dropped.
pub(super) struct Turn {
    under_way: Arc<Mutex<HashMap<String, Arc<Notify>>>>,
    id: String,
    over: Arc<Notify>,
}

impl Turns {
    /// Takes the turn on upload `id`, and ends the one that is under way.
    pub(super) fn take(&self, id: &str) -> Turn {
        let over = Arc::new(Notify::new());
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(former) = under_way.insert(id.to_owned(), Arc::clone(&over)) {
            former.notify_one();
        }
        Turn { under_way: Arc::clone(&self.under_way), id: id.to_owned(), over }
    }
}

impl Turn {
    /// Ends when a later request has taken the turn.
    pub(super) async fn over(&self) {
        self.over.notified().await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if under_way.get(&self.id).is_some_and(|latest| Arc::ptr_eq(latest, &self.over)) {
            under_way.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::Turns;

    #[test]
    fn the_latest_request_has_the_turn() {
        let turns = Turns::default();
        let first = turns.take("a");
        let other = turns.take("b");
        let second = turns.take("a");
        assert!(first.over().now_or_never().is_some());
        assert!(second.over().now_or_never().is_none());
        assert!(other.over().now_or_never().is_none());
        drop(first);
        assert_eq!(turns.under_way.lock().unwrap().len(), 2, "the second keeps its place");
        drop((second, other));
        assert!(turns.under_way.lock().unwrap().is_empty());
    }
}
