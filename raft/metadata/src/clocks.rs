//! Two clocks: cluster time, which counts, and wall time, which is shown.
//!
//! *Cluster time* grows by the milliseconds the leader measured since its previous entry. It never
//! jumps, never runs faster than real time and stands still without a leader; leases, grace and
//! windows are counted in it. *Wall time* is the median of the members' clocks as the leader
//! carries it on; it is shown and compared with absolute dates, and here it never goes back.

use crate::codec::message;
use crate::entry::Stamp;
use crate::row;
use crate::tables::{Damage, Read, Table, Write};

const KEY: &[u8] = b"clock";

message! {
    /// Both clocks as of the last applied entry.
    pub struct ClockRow {
        /// Cluster time in milliseconds since the cluster began.
        1 cluster_ms: u64,
        /// Wall time in milliseconds since 1970.
        2 wall_ms: u64,
    }
}

/// The clocks as of the last applied entry; zero before the first.
pub fn now(read: &impl Read) -> Result<ClockRow, Damage> {
    let row = row::find(read, Table::Singles, KEY)?;
    Ok(row.unwrap_or(ClockRow { cluster_ms: 0, wall_ms: 0 }))
}

/// Cluster time in milliseconds.
pub fn cluster_ms(read: &impl Read) -> Result<u64, Damage> {
    Ok(now(read)?.cluster_ms)
}

/// Wall time in milliseconds since 1970.
pub fn wall_ms(read: &impl Read) -> Result<u64, Damage> {
    Ok(now(read)?.wall_ms)
}

/// Moves both clocks on by an entry's stamp.
pub(crate) fn advance(tables: &mut impl Write, stamp: &Stamp) -> Result<ClockRow, Damage> {
    let before = now(tables)?;
    let after = ClockRow {
        cluster_ms: before.cluster_ms.saturating_add(stamp.elapsed_ms),
        wall_ms: before.wall_ms.max(stamp.wall_ms),
    };
    if after != before {
        row::put(tables, Table::Singles, KEY.to_vec(), &after);
    }
    Ok(after)
}
