//! Cluster modes: which replica a request goes to, and over which connection.

/// What stands before a workload's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No prefix: worker i talks to URL i, over one connection.
    Spread,
    /// `single-`: all to the first URL.
    Single,
    /// `node-`: all to the last URL, which should be a follower's.
    Node,
    /// `rr-`: every request to the next URL, over a new connection.
    RoundRobin,
    /// `reconnect-`: all to the first URL, every request over a new connection.
    Reconnect,
}

const PREFIXES: [(&str, Mode); 4] = [
    ("single-", Mode::Single),
    ("node-", Mode::Node),
    ("rr-", Mode::RoundRobin),
    ("reconnect-", Mode::Reconnect),
];

impl Mode {
    /// Takes the mode off a workload's name.
    pub fn split(name: &str) -> (Self, &str) {
        let found = PREFIXES.iter().find_map(|(prefix, mode)| {
            let rest = name.strip_prefix(prefix)?;
            Some((*mode, rest))
        });
        found.unwrap_or((Self::Spread, name))
    }

    /// Which of so many URLs the request `turn` of worker `place` goes to.
    pub fn replica(self, place: usize, turn: usize, replicas: usize) -> usize {
        match self {
            Self::Spread => place % replicas,
            Self::Single | Self::Reconnect => 0,
            Self::Node => replicas - 1,
            Self::RoundRobin => turn % replicas,
        }
    }

    /// Whether requests follow each other on one connection.
    pub fn keeps_connections(self) -> bool {
        !matches!(self, Self::RoundRobin | Self::Reconnect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_says_where_requests_go() {
        let cases = [
            ("pull-1m", "pull-1m", [0, 1, 2, 0], true),
            ("single-pull-1m", "pull-1m", [0, 0, 0, 0], true),
            ("node-pull-1m", "pull-1m", [2, 2, 2, 2], true),
            ("rr-pull-1m", "pull-1m", [0, 1, 2, 0], false),
            ("reconnect-pull-1m", "pull-1m", [0, 0, 0, 0], false),
        ];
        for (name, rest, places, keeps) in cases {
            let (mode, found) = Mode::split(name);
            assert_eq!(found, rest);
            let seen: Vec<usize> = (0..4).map(|turn| mode.replica(turn, turn, 3)).collect();
            assert_eq!(seen, places, "{name}");
            assert_eq!(mode.keeps_connections(), keeps, "{name}");
        }
    }
}
