//! Signals: SIGTERM and SIGINT stop the replica in order, SIGHUP reads certificates and log level
//! again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What the operator or the service manager wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Drain and end.
    Stop,
    /// Read certificates and log level again.
    Reload,
}

/// Receives signals.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Begins to receive; from now on no signal ends the process by itself.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.terminate.recv() => Wish::Stop,
            _ = self.hangup.recv() => Wish::Reload,
        }
    }
}
