//! The machine's clock: certificates and tokens depend on it.

use std::time::{SystemTime, UNIX_EPOCH};

/// No machine that runs this has a clock before 2025; seconds since the Unix epoch.
const EARLIEST_S: u64 = 1_735_689_600;

/// Nor one after 2100.
const LATEST_S: u64 = 4_102_444_800;

/// Checks that the clock shows a time in which this program can be running.
pub fn is_sane() -> Result<(), String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    judge(now)
}

fn judge(now_s: u64) -> Result<(), String> {
    if (EARLIEST_S..LATEST_S).contains(&now_s) {
        return Ok(());
    }
    Err(format!(
        "this machine's clock is wrong: it shows {now_s} seconds since 1970; set it, and keep it \
         set by chrony or systemd-timesyncd"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_refused() {
        for (now_s, sane) in
            [(0, false), (EARLIEST_S - 1, false), (EARLIEST_S, true), (LATEST_S, false)]
        {
            assert_eq!(judge(now_s).is_ok(), sane, "{now_s}");
        }
        assert_eq!(is_sane(), Ok(()));
    }
}
