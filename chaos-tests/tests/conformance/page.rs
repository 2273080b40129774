//! The page docs/conformance.md: every case and what came of it in each mode.
//!
//! Each mode is a test of its own and owns one column. With `HOLDFAST_WRITE_DOCS=1` it writes its
//! column; otherwise the page must list exactly the cases that ran, all of them passed.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::run::Record;

const PASSED: &str = "passed";
const FAILED: &str = "failed";
/// The case does not belong to the mode, or its column was not written yet.
const NONE: &str = "–";

/// A mode, by its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    OneReplica,
    InTurn,
    Reconnecting,
    OneKilled,
}

impl Mode {
    const ALL: [Self; 4] = [Self::OneReplica, Self::InTurn, Self::Reconnecting, Self::OneKilled];

    fn title(self) -> &'static str {
        match self {
            Self::OneReplica => "one replica",
            Self::InTurn => "in turn",
            Self::Reconnecting => "in turn, new connections",
            Self::OneKilled => "one killed",
        }
    }

    fn column(self) -> usize {
        Self::ALL.iter().position(|mode| *mode == self).unwrap_or(0)
    }
}

/// A case and its cells.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    name: String,
    cells: Vec<String>,
}

const HEAD: &str = "\
# Conformance

Every case of our conformance suite and what came of it. The cases carry the names of the official
suite of the OCI distribution specification, with `legacy/` for those of its older edition and
`extra/` for our own.

This page is written by the suite itself (`chaos-tests/tests/conformance.rs`): with
`HOLDFAST_WRITE_DOCS=1` in its environment it is written anew, and without that the test fails where
the page lists other cases than ran, or one that did not pass.

| Mode | Where a request goes |
|---|---|
| one replica | three replicas, all requests to one that does not lead |
| in turn | each request to the next of the three |
| in turn, new connections | the same over HTTPS and HTTP/2, a new connection for each request |
| one killed | the leader of the three was killed, each request to the next of the other two |

A `–` stands where a case does not belong to a mode.
";

/// Writes the column of this mode, or compares; gives what does not agree.
pub(crate) fn settle(mode: Mode, records: &[Record]) -> Vec<String> {
    let path = path();
    let text = fs::read_to_string(&path).unwrap_or_default();
    if env::var("HOLDFAST_WRITE_DOCS").is_ok_and(|value| value == "1") {
        let written = fs::write(&path, render(&merged(parse(&text), mode, records)));
        return written
            .err()
            .map(|error| format!("{}: {error}", path.display()))
            .into_iter()
            .collect();
    }
    differences(&parse(&text), mode, records)
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/conformance.md")
}

fn parse(text: &str) -> Vec<Row> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    let row = |line: &str| {
        let (name, cells) = line.split_once("` | ")?;
        let cells = cells.split(" | ").map(str::to_owned).collect();
        Some(Row { name: name.to_owned(), cells })
    };
    rows.filter_map(row).collect()
}

fn render(rows: &[Row]) -> String {
    let titles = Mode::ALL.map(Mode::title).join(" | ");
    let mut text = format!("{HEAD}\n{} cases.\n\n| Case | {titles} |\n|---|", rows.len());
    text.push_str(&"---|".repeat(Mode::ALL.len()));
    for row in rows {
        text.push_str(&format!("\n| `{}` | {} |", row.name, row.cells.join(" | ")));
    }
    text + "\n"
}

/// The rows with this mode's column set anew, and without those that no mode has any more.
fn merged(mut old: Vec<Row>, mode: Mode, records: &[Record]) -> Vec<Row> {
    for row in &mut old {
        row.cells.resize(Mode::ALL.len(), NONE.to_owned());
        NONE.clone_into(&mut row.cells[mode.column()]);
    }
    let mut rows = Vec::new();
    for record in records {
        let known = old.iter().position(|row| row.name == record.name);
        let blank = || Row { name: record.name.clone(), cells: vec![NONE.to_owned(); 4] };
        let mut row = known.map_or_else(blank, |at| old.remove(at));
        let result = if record.seen.is_ok() { PASSED } else { FAILED };
        result.clone_into(&mut row.cells[mode.column()]);
        rows.push(row);
    }
    rows.extend(old.into_iter().filter(|row| row.cells.iter().any(|cell| cell != NONE)));
    rows
}

fn differences(rows: &[Row], mode: Mode, records: &[Record]) -> Vec<String> {
    let cell = |row: &Row| row.cells.get(mode.column()).cloned().unwrap_or_default();
    let mut found = Vec::new();
    for row in rows {
        let (cell, ran) = (cell(row), records.iter().any(|it| it.name == row.name));
        if cell != NONE && !ran {
            found.push(format!("the page lists {}, which did not run", row.name));
        } else if cell != PASSED && ran {
            found.push(format!("the page says {cell:?} of {}", row.name));
        }
    }
    for record in records {
        if rows.iter().all(|row| row.name != record.name) {
            found.push(format!("the page does not list {}", record.name));
        }
    }
    found
}

#[test]
fn a_page_of_other_cases_is_caught() {
    let record = |name: &str, seen| Record { name: name.to_owned(), seen, took: Duration::ZERO };
    let two = [record("a/b/c", Ok(())), record("a/b/d", Ok(()))];
    let page = merged(vec![], Mode::InTurn, &two);
    assert_eq!(parse(&render(&page)), page);
    assert!(differences(&page, Mode::InTurn, &two).is_empty());
    assert_eq!(differences(&page, Mode::InTurn, &two[..1]).len(), 1, "one that did not run");
    assert_eq!(differences(&page, Mode::OneKilled, &two).len(), 2, "a column not written");
    let three = [&two[..], &[record("e/f/g", Ok(()))]].concat();
    assert_eq!(differences(&page, Mode::InTurn, &three).len(), 1, "one that is not listed");
    let failed = [record("a/b/c", Err("no".to_owned())), record("a/b/d", Ok(()))];
    let page = merged(page, Mode::InTurn, &failed);
    assert_eq!(differences(&page, Mode::InTurn, &two).len(), 1, "one that did not pass");
    assert!(merged(page, Mode::InTurn, &[]).is_empty(), "no mode has them any more");
}
