//! What a quick start tells: progress, a table, and what to try next.

use std::io::IsTerminal;
use std::time::Duration;

use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use indicatif::{ProgressBar, ProgressStyle};

use super::record::Record;
use crate::status::View;

/// Tells how far the start is: a moving line on a terminal, plain lines elsewhere.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins; nothing is shown before the first step.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar }
    }

    /// Says what begins now.
    pub fn step(&self, text: impl Into<String>) {
        let text = text.into();
        match &self.bar {
            Some(bar) => bar.set_message(text),
            None => eprintln!("{text} …"),
        }
    }

    /// Says what is done, in a line that stays.
    pub fn done(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(format!("✓ {text}")),
            None => eprintln!("✓ {text}"),
        }
    }

    /// Ends the moving line.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// The replicas with role and health; `gone` says for each whether and how its process ended.
pub fn table(record: &Record, view: Option<&View>, gone: &[Option<String>]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY);
    table.set_header(["replica", "address", "role", "health", "pid"]);
    for (replica, gone) in record.replicas.iter().zip(gone) {
        let seen = view.and_then(|view| view.replica(&replica.id));
        let role = seen.map_or("?", |seen| &seen.role);
        let (role, health) = match gone {
            Some(how) => ("-", how.as_str()),
            None => (role, seen.map_or("?", |seen| seen.health.as_str())),
        };
        let pid = if gone.is_some() { "-".into() } else { replica.pid.to_string() };
        table.add_row([&replica.id, &replica.url, role, health, &pid]);
    }
    table
}

/// How to start again those that ended.
pub fn how_to_start_again(record: &Record, gone: &[Option<String>]) -> String {
    let mut text = String::new();
    for (replica, gone) in record.replicas.iter().zip(gone) {
        if gone.is_some() {
            let line = format!(
                "\nreplica {} is down; its log is {}. Start it again in another terminal:\n  \
                 holdfast serve --config {}\n",
                replica.id,
                replica.log().display(),
                replica.config.display()
            );
            text.push_str(&line);
        }
    }
    text
}

/// The lines to try next, exact.
pub fn what_next(record: &Record) -> String {
    let host = |i: usize| {
        let url = &record.replicas[i.min(record.replicas.len() - 1)].url;
        url.trim_start_matches("https://").to_owned()
    };
    let (first, other) = (host(0), host(1));
    format!(
        "Try it (docker accepts registries on 127.0.0.1 without their authority):\n\
         \x20 docker login -u {admin} --password-stdin {first} < {password}\n\
         \x20 docker login -u {admin} --password-stdin {other} < {password}\n\
         \x20 docker tag busybox {first}/library/busybox:1\n\
         \x20 docker push {first}/library/busybox:1\n\
         \x20 docker pull {other}/library/busybox:1\n\
         \n\
         How the cluster is:\n\
         \x20 holdfast status --url {url} --ca {ca} \\\n\
         \x20   --username {admin} --password-file {password}\n",
        admin = record.admin,
        password = record.password_file.display(),
        ca = record.ca.display(),
        url = record.replicas[0].url,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quickstart::record::Plan;
    use std::path::Path;

    #[test]
    fn a_dead_replica_is_shown_with_the_line_that_starts_it() {
        let mut record =
            Plan { replicas: 2, base_port: 7000, plain_http: false }.record(Path::new("/q"));
        record.replicas[0].id = "aaaaaaaaaaaa".into();
        record.replicas[1].id = "bbbbbbbbbbbb".into();
        let gone = [None, Some("it ended: signal 9".to_owned())];
        let table = table(&record, None, &gone).to_string();
        assert!(table.contains("signal 9") && table.contains("https://127.0.0.1:7001"), "{table}");
        let lines = how_to_start_again(&record, &gone);
        assert!(lines.contains("holdfast serve --config /q/replica-2/holdfast.toml"), "{lines}");
        assert!(!lines.contains("replica-1"));
        let next = what_next(&record);
        assert!(next.contains("docker push 127.0.0.1:7001/library/busybox:1"), "{next}");
        assert!(next.contains("docker pull 127.0.0.1:7002/library/busybox:1"), "{next}");
    }
}
