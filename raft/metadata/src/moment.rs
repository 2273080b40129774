//! When and where in the log a command is carried out, and the randomness it may use.

/// What an entry gives each of its commands: apply has no other source of time and chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The entry's place in the log.
    pub index: u64,
    /// Cluster time in milliseconds: counts leases and grace, never jumps.
    pub cluster_ms: u64,
    /// Wall time, milliseconds since 1970: shown and compared with absolute dates only.
    pub wall_ms: u64,
    /// Drawn by the proposer.
    pub random: [u8; 16],
}
