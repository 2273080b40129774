//! Connections in memory between named places, which a test can cut.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::io::duplex;
use tokio::sync::{mpsc, watch};
use wire::dial::Dial;
use wire::stream::BoxStream;

/// All lines of one test.
#[derive(Clone, Default)]
pub(super) struct Lines {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    listeners: Mutex<HashMap<String, mpsc::UnboundedSender<BoxStream>>>,
    /// Places that nobody reaches and that reach nobody.
    cut: watch::Sender<HashSet<String>>,
}

impl Lines {
    /// Connections that arrive at `address` from now on.
    pub(super) fn listen(&self, address: &str) -> mpsc::UnboundedReceiver<BoxStream> {
        let (arrivals, listener) = mpsc::unbounded_channel();
        self.shared.listeners.lock().unwrap().insert(address.to_owned(), arrivals);
        listener
    }

    /// Refuses connections to `address`, as a machine does whose process is gone.
    pub(super) fn close(&self, address: &str) {
        self.shared.listeners.lock().unwrap().remove(address);
    }

    /// Cuts `address` off: open connections go silent and are closed, new ones are refused.
    pub(super) fn cut(&self, address: &str) {
        self.shared.cut.send_modify(|cut| cut.extend([address.to_owned()]));
    }

    pub(super) fn heal(&self) {
        self.shared.cut.send_modify(HashSet::clear);
    }

    /// How the place `from` dials.
    pub(super) fn dial_from(&self, from: &str) -> Arc<dyn Dial> {
        Arc::new(From { lines: self.clone(), from: from.to_owned() })
    }

    async fn until_cut(&self, ends: [&str; 2]) {
        let mut cut = self.shared.cut.subscribe();
        let _ = cut.wait_for(|cut| ends.iter().any(|end| cut.contains(*end))).await;
    }
}

struct From {
    lines: Lines,
    from: String,
}

#[async_trait]
impl Dial for From {
    async fn dial(&self, address: &str) -> io::Result<BoxStream> {
        let refused = || io::Error::new(io::ErrorKind::ConnectionRefused, address.to_owned());
        let is_cut = {
            let cut = self.lines.shared.cut.borrow();
            cut.contains(address) || cut.contains(&self.from)
        };
        let listener = self.lines.shared.listeners.lock().unwrap().get(address).cloned();
        let listener = listener.filter(|_| !is_cut).ok_or_else(refused)?;
        let (near, mut near_end) = duplex(256 * 1024);
        let (far, mut far_end) = duplex(256 * 1024);
        listener.send(Box::new(far)).map_err(|_| refused())?;
        let (lines, from, address) = (self.lines.clone(), self.from.clone(), address.to_owned());
        tokio::spawn(async move {
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near_end, &mut far_end) => {}
                () = lines.until_cut([&from, &address]) => {}
            }
        });
        Ok(Box::new(near))
    }
}
