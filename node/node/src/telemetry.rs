//! Log lines: for people or as JSON, on standard error; the level changes without a restart.

use std::io::IsTerminal;

use tools::config::log::{Format, Log};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

/// Libraries that tell more than anybody wants to know; the level they may use at most.
const TALKATIVE: [(&str, LevelFilter); 7] = [
    // It calls every peer that is down an error; what matters of that, `consensus` says itself.
    ("openraft", LevelFilter::OFF),
    ("sled", LevelFilter::WARN),
    ("h2", LevelFilter::INFO),
    ("hyper", LevelFilter::INFO),
    ("hyper_util", LevelFilter::INFO),
    ("rustls", LevelFilter::INFO),
    ("tower", LevelFilter::INFO),
];

/// Sets the level while the replica runs.
pub struct Level {
    handle: reload::Handle<Targets, Registry>,
}

impl Level {
    /// Logs at `level` from now on: `debug`, `info`, `warn`, `error` or `fatal`.
    pub fn set(&self, level: &str) {
        if let Err(error) = self.handle.reload(targets(level)) {
            tracing::warn!(%error, "the log level could not be changed");
        }
    }
}

/// Begins to log as `log` says. Called once.
pub fn start(log: &Log) -> Level {
    let (filter, handle) = reload::Layer::new(targets(&log.level));
    let lines = match log.format {
        Format::Json => fmt::layer().json().with_writer(std::io::stderr).boxed(),
        Format::Human => fmt::layer()
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr)
            .boxed(),
    };
    // Fails only where a test has set another subscriber before; that one is as good.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    Level { handle }
}

fn targets(level: &str) -> Targets {
    let level = match level {
        "fatal" => LevelFilter::ERROR,
        other => other.parse().unwrap_or(LevelFilter::INFO),
    };
    let quiet = TALKATIVE.into_iter().map(|(name, most)| (name, level.min(most)));
    Targets::new().with_default(level).with_targets(quiet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level as TracingLevel;

    #[test]
    fn libraries_are_quieter_than_we_are() {
        let debug = targets("debug");
        assert!(debug.would_enable("content::uploads", &TracingLevel::DEBUG));
        assert!(!debug.would_enable("h2::client", &TracingLevel::DEBUG));
        assert!(!debug.would_enable("openraft::engine", &TracingLevel::INFO));
        let error = targets("error");
        assert!(!error.would_enable("hyper", &TracingLevel::INFO));
        assert!(targets("nonsense").would_enable("node", &TracingLevel::INFO));
        assert!(!targets("fatal").would_enable("node", &TracingLevel::WARN));
    }
}
