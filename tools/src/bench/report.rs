//! What a load test tells: a table for people, JSON for scripts.

use std::fs;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

use super::latency::{LABELS, Outcome, Spread, ms, rounded};

/// One workload's figures.
#[derive(Clone, Debug)]
pub struct Line {
    /// The name with its mode.
    pub name: String,
    /// Clients.
    pub concurrency: usize,
    /// What came of it.
    pub outcome: Outcome,
    /// Times of the samples.
    pub times: Option<Spread>,
    /// Times to the first byte.
    pub first_bytes: Option<Spread>,
}

impl Line {
    /// The figures of an outcome.
    pub fn new(name: &str, concurrency: usize, mut outcome: Outcome) -> Self {
        let times = Spread::of(&mut outcome.times);
        let first_bytes = Spread::of(&mut outcome.first_bytes);
        Self { name: name.to_owned(), concurrency, outcome, times, first_bytes }
    }

    /// For scripts.
    pub fn json(&self) -> Value {
        let Self { name, concurrency, outcome, .. } = self;
        json!({
            "workload": name,
            "concurrency": concurrency,
            "n": outcome.times.len(),
            "errors": outcome.errors,
            "first_error": outcome.first_error.as_ref().map(ToString::to_string),
            "seconds": rounded(outcome.elapsed.as_secs_f64()),
            "bytes": outcome.bytes,
            "per_second": rounded(outcome.per_second()),
            "mib_per_second": rounded(outcome.mib_per_second()),
            "ms": self.times.map(|it| it.json()),
            "first_byte_ms": self.first_bytes.map(|it| it.json()),
        })
    }

    fn row(&self) -> Vec<String> {
        let Self { name, concurrency, outcome, .. } = self;
        let mut row = vec![
            name.clone(),
            concurrency.to_string(),
            outcome.times.len().to_string(),
            outcome.errors.to_string(),
            figure(outcome.per_second()),
            figure(outcome.mib_per_second()),
        ];
        match self.times {
            Some(spread) => row.extend(spread.times.map(|time| figure(ms(time)))),
            None => row.extend(LABELS.map(|_| "-".to_owned())),
        }
        let first_byte = self.first_bytes.map(|spread| figure(ms(spread.times[1])));
        row.push(first_byte.unwrap_or_else(|| "-".to_owned()));
        row
    }
}

/// Three digits tell all that a load test knows.
fn figure(value: f64) -> String {
    let digits = match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        value if value >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

/// All lines, for people.
pub fn table(lines: &[Line]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY);
    let fixed = ["workload", "clients", "n", "errors", "/s", "MiB/s"];
    let latencies = LABELS.iter().map(|label| format!("{label} ms"));
    let header = fixed.iter().map(ToString::to_string).chain(latencies);
    table.set_header(header.chain(["first byte p50 ms".to_owned()]));
    for line in lines {
        table.add_row(line.row());
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The machine and the run, as far as the client knows them.
#[derive(Clone, Debug)]
pub struct Header {
    /// URLs of what was asked.
    pub urls: Vec<String>,
    /// How the client logged in.
    pub authentication: &'static str,
    /// Whether pulled bytes were hashed.
    pub verify: bool,
    /// One-minute load before the first workload.
    pub load_before: f64,
}

impl Header {
    /// For scripts; the load after is the one of now.
    pub fn json(&self) -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "urls": self.urls,
            "tls": self.urls.iter().any(|url| url.starts_with("https:")),
            "authentication": self.authentication,
            "verify": self.verify,
            "processor": processor(),
            "cores": cores(),
            "load_before": self.load_before,
            "load_after": load(),
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        format!(
            "{} · authentication: {} · {}, {} cores · load {:.1} before, {:.1} after · holdfast {}",
            self.urls.join(" "),
            self.authentication,
            processor(),
            cores(),
            self.load_before,
            load(),
            env!("CARGO_PKG_VERSION")
        )
    }
}

/// The processor's name.
pub fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim().to_owned());
    name.unwrap_or_else(|| "unknown processor".to_owned())
}

/// How many threads run at once.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The load of the last minute.
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_line_has_its_figures_in_table_and_json() {
        let times = vec![Duration::from_millis(4), Duration::from_millis(2)];
        let first_bytes = vec![Duration::from_micros(1_500)];
        let elapsed = Duration::from_secs(1);
        let bytes = 3 << 20;
        let outcome = Outcome { times, first_bytes, bytes, elapsed, ..Outcome::default() };
        let line = Line::new("pull-1m", 10, outcome);
        let json = line.json();
        assert_eq!((json["n"].as_u64(), json["errors"].as_u64()), (Some(2), Some(0)));
        assert_eq!((&json["ms"]["p50"], &json["ms"]["max"]), (&json!(2.0), &json!(4.0)));
        assert_eq!((&json["per_second"], &json["mib_per_second"]), (&json!(2.0), &json!(3.0)));
        assert_eq!(json["first_byte_ms"]["p50"], json!(1.5));
        let table = table(&[line, Line::new("token", 1, Outcome::default())]).to_string();
        assert!(table.contains("pull-1m") && table.contains("1.50"), "{table}");
    }

    #[test]
    fn figures_have_three_digits() {
        let cases =
            [(1_234.5, "1234"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.12, "0.120")];
        for (value, expected) in cases {
            assert_eq!(figure(value), expected);
        }
    }
}
