//! How much a client may send over HTTP/2 before we have read it.
//!
//! Default windows make a big blob wait for a round trip every 64 KiB; large ones, times many
//! connections, would fill the memory. So connections draw on one budget: the first ones get
//! windows for a fast stream, further ones smaller, until none is left but the least. What the
//! least of each may add up to is bounded by [`crate::inflow`].
//!
//! Source: registry-protocol H17.

use std::sync::{Arc, Mutex, PoisonError};

const MIB: u32 = 1024 * 1024;
/// Windows of a connection in MiB, the widest first; each stream gets half.
const WIDTHS_MIB: [u32; 3] = [16, 4, 2];
/// The window of a connection when the budget is spent, and of its streams.
const LEAST_BYTES: u32 = MIB;

/// The budget.
#[derive(Clone, Debug)]
pub struct Budget {
    left_mib: Arc<Mutex<u32>>,
}

/// The windows of one connection; given back when dropped.
#[derive(Debug)]
pub struct Windows {
    budget: Budget,
    drawn_mib: u32,
}

impl Budget {
    /// As many bytes for all connections together, but for the least of each.
    pub fn of(bytes: u64) -> Self {
        let mib = u32::try_from(bytes / u64::from(MIB)).unwrap_or(u32::MAX);
        Self { left_mib: Arc::new(Mutex::new(mib)) }
    }

    /// Windows for one more connection.
    pub fn draw(&self) -> Windows {
        let mut left_mib = self.left_mib.lock().unwrap_or_else(PoisonError::into_inner);
        // Half of what is left stays for those who come later.
        let drawn = WIDTHS_MIB.into_iter().find(|width| width.saturating_mul(2) <= *left_mib);
        let drawn_mib = drawn.unwrap_or(0);
        *left_mib -= drawn_mib;
        Windows { budget: self.clone(), drawn_mib }
    }
}

impl Windows {
    /// Bytes of the connection's window.
    pub fn connection_bytes(&self) -> u32 {
        if self.drawn_mib == 0 { LEAST_BYTES } else { self.drawn_mib * MIB }
    }

    /// Bytes of a stream's window.
    pub fn stream_bytes(&self) -> u32 {
        if self.drawn_mib == 0 { LEAST_BYTES } else { self.drawn_mib * MIB / 2 }
    }
}

impl Drop for Windows {
    fn drop(&mut self) {
        let mut left_mib = self.budget.left_mib.lock().unwrap_or_else(PoisonError::into_inner);
        *left_mib += self.drawn_mib;
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, MIB};

    #[test]
    fn windows_shrink_with_the_budget_and_come_back() {
        let budget = Budget::of(64 * u64::from(MIB));
        let first = budget.draw();
        assert_eq!(first.connection_bytes(), 16 * MIB);
        assert_eq!(first.stream_bytes(), 8 * MIB);
        let all: Vec<_> = (0..100).map(|_| budget.draw()).collect();
        let drawn: u32 = all.iter().map(|windows| windows.drawn_mib).sum();
        assert!(drawn + 16 <= 64);
        assert_eq!(all.last().unwrap().stream_bytes(), MIB);
        drop(all);
        drop(first);
        assert_eq!(*budget.left_mib.lock().unwrap(), 64);
    }
}
