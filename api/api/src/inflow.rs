//! What comes in over one HTTP/2 connection and is not read yet, and when to read no more for now.
//!
//! Flow control bounds the bytes of one connection, not those of all of them, nor the cost of
//! frames: the library keeps each tiny piece of a body apart, and ends the connection when too
//! many of them wait, as it must against floods of them. To a client that writes a few bytes at a
//! time while this replica is busy, that would be a lost upload. So the frames are counted on
//! their way in, and reading pauses before it comes to that: the client waits, and loses nothing.
//!
//! Source: registry-protocol H17.

use std::io;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::task::AtomicWaker;
use tokio::time::Instant;

use crate::frames::{Frame, FrameHeads};

/// A frame with less payload than this costs what it lacks, as in the library.
const FRAME_BYTES_MIN: usize = 256;
/// Reading pauses beyond this cost. One more read of [`READ_BYTES_MAX`] may bring 1,800 frames of
/// nine bytes each, so that both together stay below the 512 KiB that the library allows where a
/// connection's window is the least.
const COST_MAX: i64 = 48 * 1024;
/// What is read at once.
pub const READ_BYTES_MAX: usize = 16 * 1024;
/// A pause ends after this long even so: what was counted for a request that was reset may never be
/// read.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How often a paused connection looks whether the others left room.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Frames that only cost: so many at once …
const NOISE_MAX: u64 = 2_000;
/// … and so many a second. Loading a page in a browser or giving up a pull takes a few.
const NOISE_PER_S: u64 = 200;
/// A request that is given up has begun to be worked on.
const RESET_COST: u64 = 5;

/// What all connections together have unread.
#[derive(Debug)]
pub struct Unread {
    bytes: AtomicU64,
    bytes_max: u64,
}

impl Unread {
    /// Reading pauses beyond `bytes_max`.
    pub fn new(bytes_max: u64) -> Self {
        Self { bytes: AtomicU64::new(0), bytes_max }
    }

    /// Bytes that have come and are not read.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn change(&self, by: i64) {
        let change = |bytes: u64| Some(bytes.saturating_add_signed(by));
        let _ = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
    }
}

/// One connection's share; the stream adds to it, the bodies take off.
#[derive(Debug)]
pub struct Inflow {
    all: Arc<Unread>,
    /// Never more than the connection's window: what lies above was counted for bodies that nobody
    /// reads.
    window_bytes: i64,
    unread: AtomicI64,
    cost: AtomicI64,
    bodies: AtomicUsize,
    reader: AtomicWaker,
    noise: Mutex<Noise>,
}

#[derive(Debug)]
struct Noise {
    level: u64,
    since: Instant,
}

impl Inflow {
    /// A connection that begins now.
    pub fn new(all: Arc<Unread>, window_bytes: u32) -> Self {
        Self {
            all,
            window_bytes: i64::from(window_bytes),
            unread: AtomicI64::new(0),
            cost: AtomicI64::new(0),
            bodies: AtomicUsize::new(0),
            reader: AtomicWaker::new(),
            noise: Mutex::new(Noise { level: 0, since: Instant::now() }),
        }
    }

    /// Counts frames that came.
    ///
    /// # Errors
    ///
    /// The client sends more frames that only cost than anybody needs.
    fn came(&self, heads: &mut FrameHeads, bytes: &[u8]) -> io::Result<()> {
        let (mut data, mut cost, mut noise) = (0, 0, 0);
        heads.scan(bytes, |frame| match frame {
            Frame::Data { length: 0, is_last: false } | Frame::Control => noise += 1,
            Frame::Data { length, is_last } => {
                data += signed(length);
                if !is_last {
                    cost += cost_of(length);
                }
            }
            Frame::Reset => noise += RESET_COST,
            Frame::Other => {}
        });
        self.add(data);
        self.cost.fetch_add(cost, Ordering::Relaxed);
        if noise == 0 || self.tolerates(noise) {
            return Ok(());
        }
        Err(io::Error::other("the client sends more resets, pings or settings than it may"))
    }

    fn tolerates(&self, noise: u64) -> bool {
        let mut state = self.noise.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = state.since.elapsed();
        let faded = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX) * NOISE_PER_S / 1_000;
        if faded > 0 {
            state.level = state.level.saturating_sub(faded);
            state.since = Instant::now();
        }
        state.level += noise;
        state.level <= NOISE_MAX
    }

    /// Adds to the connection's share, within its window.
    fn add(&self, bytes: i64) {
        let clamp = |unread: i64| Some((unread + bytes).clamp(0, self.window_bytes));
        let before = self.unread.fetch_update(Ordering::Relaxed, Ordering::Relaxed, clamp);
        let before = before.unwrap_or_default();
        self.all.change((before + bytes).clamp(0, self.window_bytes) - before);
    }

    /// A body begins that may be read.
    pub fn body_begins(&self) {
        self.bodies.fetch_add(1, Ordering::AcqRel);
    }

    /// A piece of a body was read.
    pub fn consumed(&self, bytes: usize) {
        self.add(-signed(bytes));
        let saved = |cost: i64| Some((cost - cost_of(bytes)).max(0));
        let _ = self.cost.fetch_update(Ordering::Relaxed, Ordering::Relaxed, saved);
        self.reader.wake();
    }

    /// A body is at its end, or nobody reads it any more.
    pub fn body_ends(&self) {
        if self.bodies.fetch_sub(1, Ordering::AcqRel) == 1 {
            // The library has thrown away whatever is left.
            self.add(-self.window_bytes);
            self.cost.store(0, Ordering::Relaxed);
        }
        self.reader.wake();
    }

    fn is_too_much(&self) -> bool {
        let shared = self.all.bytes() >= self.all.bytes_max;
        self.cost.load(Ordering::Relaxed) > COST_MAX
            || shared && self.unread.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Inflow {
    fn drop(&mut self) {
        self.add(-self.window_bytes);
    }
}

/// Where a connection's bytes come in: counts them, and says when to wait.
#[derive(Debug)]
pub struct Intake {
    inflow: Arc<Inflow>,
    heads: FrameHeads,
    pause: Option<Pause>,
}

#[derive(Debug)]
struct Pause {
    ends_at: Instant,
    look_again: std::pin::Pin<Box<tokio::time::Sleep>>,
}

impl Intake {
    /// The intake of a connection whose client has sent nothing yet.
    pub fn new(inflow: Arc<Inflow>) -> Self {
        Self { inflow, heads: FrameHeads::default(), pause: None }
    }

    /// Ready where more may be read.
    pub fn poll_room(&mut self, task: &mut Context<'_>) -> Poll<()> {
        loop {
            self.inflow.reader.register(task.waker());
            if !self.inflow.is_too_much() {
                self.pause = None;
                return Poll::Ready(());
            }
            let now = Instant::now();
            let pause = self.pause.get_or_insert_with(|| Pause {
                ends_at: now + PAUSE_MAX,
                look_again: Box::pin(tokio::time::sleep(LOOK_AGAIN)),
            });
            if now >= pause.ends_at {
                self.pause = None;
                return Poll::Ready(());
            }
            if pause.look_again.as_mut().poll(task).is_pending() {
                return Poll::Pending;
            }
            pause.look_again.as_mut().reset(now + LOOK_AGAIN);
        }
    }

    /// Counts what was read.
    pub fn came(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.inflow.came(&mut self.heads, bytes)
    }
}

fn cost_of(frame_bytes: usize) -> i64 {
    if frame_bytes == 0 { 0 } else { signed(FRAME_BYTES_MIN.saturating_sub(frame_bytes)) }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
