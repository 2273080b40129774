//! Ports that nobody uses: asked of the system at run time, never fixed.
//!
//! They lie below the range from which the system draws the ports of outgoing connections, so that
//! a replica which was killed finds its port free when it comes back.

use std::fs;
use std::net::TcpListener;

use anyhow::{Result, bail};
use rand::Rng;

/// Lowest port handed out; below it live services of the machine.
const PORT_MIN: u16 = 10_000;
/// Where Linux begins to draw outgoing ports, if it does not say.
const EPHEMERAL_MIN_DEFAULT: u16 = 32_768;
const ATTEMPTS_MAX: u32 = 200;

/// A base such that `base + offset` is free for every offset.
///
/// Another process may take one of them before the caller does; whoever starts a listener on them
/// tries again with another base.
pub fn free_base(offsets: &[u16]) -> Result<u16> {
    let highest = offsets.iter().copied().max().unwrap_or(0);
    let range = PORT_MIN..first_outgoing().saturating_sub(highest).max(PORT_MIN + 1);
    for _ in 0..ATTEMPTS_MAX {
        let base = rand::rng().random_range(range.clone());
        let held: Vec<_> = offsets.iter().map(|it| hold(base + it)).collect();
        if held.iter().all(Option::is_some) {
            return Ok(base);
        }
    }
    bail!("no {} free ports were found after {ATTEMPTS_MAX} attempts", offsets.len())
}

fn hold(port: u16) -> Option<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).ok()
}

fn first_outgoing() -> u16 {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = text.split_whitespace().next().and_then(|it| it.parse().ok());
    // A machine with a very low range leaves no room below it: then outgoing ports are as good.
    first.filter(|it| *it > PORT_MIN + 1_000).unwrap_or(EPHEMERAL_MIN_DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_not_handed_out() {
        let base = free_base(&[1, 2, 201]).unwrap();
        let taken = hold(base + 201).unwrap();
        assert!(hold(base + 201).is_none(), "{taken:?}");
        assert!(hold(base + 1).is_some() && hold(base + 2).is_some());
        assert!(base >= PORT_MIN && base + 201 < first_outgoing());
    }
}
