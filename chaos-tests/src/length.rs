//! How long a run is: short for `make test`, long for `make chaos`, or as a variable says.
//!
//! | variable | short | long | what |
//! |---|---|---|---|
//! | `HOLDFAST_CHAOS` | unset | `1` | chooses the column |
//! | `HOLDFAST_CHAOS_ROUNDS` | 500 | 10000 | pushes, each read at once on the other replicas |
//! | `HOLDFAST_CHAOS_KILLS` | 2 | 40 | replicas killed while clients push |
//! | `HOLDFAST_CHAOS_MINUTES` | 0 | 5 | and at least so many minutes of it |
//! | `HOLDFAST_CHAOS_LAYER_MIB` | 16 | 1024 | the large layer that docker and skopeo carry |
//! | `HOLDFAST_CHAOS_BLOB_MIB` | 256 | 4096 | the blob that eight clients pull at once |
//! | `HOLDFAST_CHAOS_PAIRS` | 1 | 6 | pairs of five replicas that are killed |
//! | `HOLDFAST_CHAOS_CONNECTIONS` | 1500 | 10000 | idle connections whose memory is measured |
//! | `HOLDFAST_CHAOS_EXAMPLES` | 4 | 200 | requests made up for each route of the management API |
//! | `HOLDFAST_CHAOS_FUZZ_S` | 60 | 1200 | seconds of that, at most |

use std::env;

/// How much of everything a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// Pushes to one replica, each followed by reads on the others.
    pub rounds: u64,
    /// Replicas killed, one after the other, while clients push.
    pub kills: u64,
    /// Minutes for which kills go on at least.
    pub minutes: u64,
    /// MiB of the large layer that real clients push and pull.
    pub layer_mib: u64,
    /// MiB of the blob that eight clients pull at once.
    pub blob_mib: u64,
    /// Pairs of five replicas that are killed.
    pub pairs: u64,
    /// Idle connections whose memory is measured.
    pub connections: u64,
    /// Requests made up for each route of the management API.
    pub examples: u64,
    /// Seconds that it takes at most to make them up and send them.
    pub fuzz_s: u64,
}

/// What `make test` does.
const SHORT: Length = Length {
    rounds: 500,
    kills: 2,
    minutes: 0,
    layer_mib: 16,
    blob_mib: 256,
    pairs: 1,
    connections: 1_500,
    examples: 4,
    fuzz_s: 60,
};

/// What `make chaos` does.
const LONG: Length = Length {
    rounds: 10_000,
    kills: 40,
    minutes: 5,
    layer_mib: 1_024,
    blob_mib: 4_096,
    pairs: 6,
    connections: 10_000,
    examples: 200,
    fuzz_s: 1_200,
};

impl Length {
    /// Reads the environment of this process.
    pub fn of_this_run() -> Self {
        Self::read(|name| env::var(name).ok())
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let long = variable("HOLDFAST_CHAOS").is_some_and(|value| value != "0");
        let base = if long { LONG } else { SHORT };
        let number = |name: &str, default: u64| {
            let text = variable(&format!("HOLDFAST_CHAOS_{name}"));
            text.and_then(|text| text.parse().ok()).unwrap_or(default)
        };
        Self {
            rounds: number("ROUNDS", base.rounds),
            kills: number("KILLS", base.kills),
            minutes: number("MINUTES", base.minutes),
            layer_mib: number("LAYER_MIB", base.layer_mib),
            blob_mib: number("BLOB_MIB", base.blob_mib),
            pairs: number("PAIRS", base.pairs),
            connections: number("CONNECTIONS", base.connections),
            examples: number("EXAMPLES", base.examples),
            fuzz_s: number("FUZZ_S", base.fuzz_s),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_wins_over_the_chosen_column() {
        assert_eq!(Length::read(|_| None), SHORT);
        let long = Length::read(|name| (name == "HOLDFAST_CHAOS").then(|| "1".to_owned()));
        assert_eq!(long, LONG);
        let rounds = Length::read(|name| match name {
            "HOLDFAST_CHAOS_ROUNDS" => Some("7".to_owned()),
            "HOLDFAST_CHAOS_KILLS" => Some("many".to_owned()),
            _ => None,
        });
        assert_eq!(rounds, Length { rounds: 7, ..SHORT });
    }
}
