//! Lines that a job wrote and that were not told to the cluster yet.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use metadata::jobs::logs::LINE_BYTES_MAX;

/// Lines that wait, at most; later ones are counted.
const WAITING_MAX: usize = 2_000;

/// Lines of one job, in order.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<String>,
    dropped: usize,
}

impl Lines {
    /// Adds a text, of one line or some.
    pub(crate) fn push(&self, text: &str) {
        let mut waiting = self.lock();
        for line in text.lines() {
            if waiting.lines.len() >= WAITING_MAX {
                waiting.dropped += 1;
                continue;
            }
            let clean = line.chars().map(|it| if it.is_control() { ' ' } else { it });
            waiting.lines.push_back(clean.take(LINE_BYTES_MAX).collect());
        }
    }

    /// Whether any wait.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().lines.is_empty()
    }

    /// Takes the first, so many and of so many bytes at most.
    pub(crate) fn take(&self, lines_max: usize, bytes_max: usize) -> Vec<String> {
        let mut waiting = self.lock();
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while let Some(line) = waiting.lines.front() {
            bytes += line.len();
            if taken.len() == lines_max || bytes > bytes_max {
                break;
            }
            taken.extend(waiting.lines.pop_front());
        }
        if waiting.lines.is_empty() && waiting.dropped > 0 && taken.len() < lines_max {
            taken.push(format!("{} lines came too fast and were dropped", waiting.dropped));
            waiting.dropped = 0;
        }
        taken
    }

    /// Puts lines back in front that could not be told.
    pub(crate) fn give_back(&self, lines: Vec<String>) {
        let mut waiting = self.lock();
        for line in lines.into_iter().rev() {
            waiting.lines.push_front(line);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, WAITING_MAX};

    #[test]
    fn lines_come_in_order_bounded_and_may_be_given_back() {
        let lines = Lines::default();
        lines.push("a\nb\u{1b}[0m");
        lines.push(&"x".repeat(5_000));
        let first = lines.take(2, 1_000);
        assert_eq!(first, ["a", "b [0m"]);
        assert!(lines.take(10, 1_000).is_empty(), "too long for these bytes");
        lines.give_back(first);
        let all = lines.take(10, 10_000);
        assert_eq!((all[0].as_str(), all[2].len()), ("a", 1_024));
        assert!(lines.is_empty());
        for number in 0..WAITING_MAX + 7 {
            lines.push(&number.to_string());
        }
        let all = lines.take(usize::MAX, usize::MAX);
        assert_eq!(all.len(), WAITING_MAX + 1);
        assert!(all[WAITING_MAX].starts_with("7 lines"), "{}", all[WAITING_MAX]);
    }
}
