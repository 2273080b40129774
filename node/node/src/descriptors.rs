//! File descriptors: the limit is raised to what the system allows, and connections stay below it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Kept for files, peers and the log.
const RESERVED: u64 = 256;

/// Raises the soft limit to the hard one; returns how many descriptors there may be.
pub fn raise_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if setrlimit(Resource::Nofile, raised).is_err() {
        return limit.current.unwrap_or(u64::MAX);
    }
    limit.maximum.unwrap_or(u64::MAX)
}

/// Public connections that `descriptors` allow: each may need a second one for the blob it reads.
pub fn connections_max(descriptors: u64, configured: u32) -> usize {
    let allowed = descriptors.saturating_sub(RESERVED).max(16) / 2;
    usize::try_from(allowed.min(u64::from(configured))).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_stay_below_the_descriptors() {
        let cases = [(1_024, 10_000, 384), (1_048_576, 10_000, 10_000), (64, 10_000, 8)];
        for (descriptors, configured, expected) in cases {
            assert_eq!(connections_max(descriptors, configured), expected, "{descriptors}");
        }
    }

    #[test]
    fn the_limit_is_raised_to_the_hard_one() {
        let raised = raise_limit();
        assert_eq!(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), raised);
    }
}
