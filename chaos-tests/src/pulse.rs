//! Whether the machine itself goes on: a promise about time cannot be judged while it runs nothing.
//!
//! A virtual machine on a crowded host may stand still for seconds. A thread that wants to wake
//! every few milliseconds sees that, and writes it into the history; the checker of P8 takes such
//! times off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::history::{Call, Outcome, Recorder};

/// Between two beats.
const BEAT: Duration = Duration::from_millis(10);
/// A beat that comes so late is written down.
const LATE_US: u64 = 50_000;
/// What writes these events, and the place it has: none of a client or replica.
const NOBODY: (u32, usize) = (u32::MAX, usize::MAX);

/// Watches the machine as long as it lives.
#[derive(Debug)]
pub struct Pulse {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pulse {
    /// Begins to watch, for `history`.
    pub fn start(history: &Recorder) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let (history, until) = (history.clone(), ended.clone());
        let thread = thread::spawn(move || {
            let beat_us = u64::try_from(BEAT.as_micros()).unwrap_or(0);
            let mut last_us = history.now_us();
            while !until.load(Ordering::Relaxed) {
                thread::sleep(BEAT);
                let now_us = history.now_us();
                if now_us.saturating_sub(last_us) >= beat_us + LATE_US {
                    history.add(NOBODY, last_us + beat_us, Call::Stall, Outcome::Done);
                }
                last_us = now_us;
            }
        });
        Self { ended, thread: Some(thread) }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
