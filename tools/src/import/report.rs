//! What an import did, at its end: a table to a person, JSON to a program.

use std::io::{Write, stdout};

use serde_json::{Map, Value, json};

use super::content::Content;
use super::tally::{Counts, Noun, Outcome, Tellings};
use super::trouble::Trouble;
use crate::exit::{Exit, Stop};
use crate::management::remote::RemoteFlags;
use crate::management::table::{Column, Form, Printer, cell, text, unwritable};

/// Failures that a person is shown; `--json` has more.
const SHOWN_MAX: usize = 50;

const COLUMNS: &[Column] = &[
    ("what", |it| text(&it["what"])),
    ("brought", |it| text(&it["brought"])),
    ("mounted", |it| text(&it["mounted"])),
    ("present", |it| text(&it["present"])),
    ("differs", |it| text(&it["differs"])),
    ("failed", |it| text(&it["failed"])),
];

/// Prints what was done and ends the command: 0 where all is there, 1 where something is not, 4
/// where one end went away.
pub fn end(
    remote: &RemoteFlags,
    content: &Content,
    ended: Result<(), Trouble>,
) -> Result<Exit, Stop> {
    let counts = content.tally.now();
    let is_whole = ended.is_ok() && counts.is_whole();
    if ended.is_ok() && !content.manner.dry_run {
        content.finish().map_err(Trouble::into_stop)?;
    }
    let seconds = content.tally.since.elapsed().as_secs();
    let printed = if remote.is_json() {
        let all = json(&counts, (content.manner.dry_run, ended.is_ok(), seconds));
        writeln!(stdout(), "{all:#}")
    } else {
        words(&counts, (content.manner.dry_run, seconds))
    };
    printed.map_err(unwritable)?;
    if let Err(trouble) = ended {
        let stop = trouble.into_stop();
        let text = format!("{}\nrun the same command again to go on", stop.text);
        return Err(Stop::new(stop.exit, text));
    }
    Ok(if is_whole { Exit::Done } else { Exit::Failed })
}

/// Every noun with its counts.
fn rows(counts: &Counts) -> Vec<(Noun, Value)> {
    let row = |(noun, name): &(Noun, &str)| {
        let mut row = Map::from_iter([("what".to_owned(), json!(name))]);
        for (outcome, word) in Outcome::ALL {
            row.insert(word.to_owned(), counts.of(*noun, outcome).into());
        }
        (*noun, Value::Object(row))
    };
    Noun::ALL.iter().map(row).collect()
}

/// The report as an object.
fn json(counts: &Counts, (dry_run, reached, seconds): (bool, bool, u64)) -> Value {
    let mut report = json!({
        "dryRun": dry_run, "complete": reached && counts.is_whole(), "seconds": seconds,
        "bytes": counts.bytes,
    });
    for ((_, mut row), (_, name)) in rows(counts).into_iter().zip(Noun::ALL) {
        if let Some(row) = row.as_object_mut() {
            row.remove("what");
        }
        report[name] = row;
    }
    let lists = [
        ("failures", &counts.failures),
        ("differences", &counts.differences),
        ("remarks", &counts.remarks),
        ("steps", &counts.steps),
    ];
    for (name, tellings) in lists {
        let told = tellings.first.iter().map(|told| json!({"what": told.what, "why": told.why}));
        report[name] = told.collect();
        if tellings.beyond > 0 {
            report[format!("{name}Beyond")] = tellings.beyond.into();
        }
    }
    report
}

/// The report for a person.
fn words(counts: &Counts, (dry_run, seconds): (bool, u64)) -> std::io::Result<()> {
    let mut out = stdout().lock();
    if dry_run {
        for step in &counts.steps.first {
            writeln!(out, "{}\t{}", cell(&step.what), cell(&step.why))?;
        }
        beyond(&mut out, "steps", counts.steps.beyond)?;
    } else {
        let used = |(noun, row): (Noun, Value)| {
            let is_used = Outcome::ALL.iter().any(|(outcome, _)| counts.of(noun, *outcome) > 0);
            is_used.then_some(row)
        };
        let rows: Vec<Value> = rows(counts).into_iter().filter_map(used).collect();
        let mut printer = Printer::new(&mut out, Form::of(false), COLUMNS);
        printer.page(&rows)?;
        printer.end()?;
        let size = indicatif::HumanBytes(counts.bytes);
        eprintln!("{size} copied in {seconds} s");
    }
    drop(out);
    let lists = [
        ("remark", "remarks", &counts.remarks),
        ("differs", "differences", &counts.differences),
        ("failed", "failures", &counts.failures),
    ];
    for (word, many, tellings) in lists {
        tell(word, many, tellings);
    }
    Ok(())
}

/// What did not go well, apart from the counts.
fn tell(word: &str, many: &str, tellings: &Tellings) {
    for told in tellings.first.iter().take(SHOWN_MAX) {
        eprintln!("{word}: {}: {}", cell(&told.what), cell(&told.why));
    }
    let hidden = tellings.first.len().saturating_sub(SHOWN_MAX) + tellings.beyond;
    if hidden > 0 {
        eprintln!("… and {hidden} more {many}; --json shows them");
    }
}

fn beyond(out: &mut impl Write, many: &str, count: usize) -> std::io::Result<()> {
    if count > 0 {
        writeln!(out, "… and {count} more {many}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::tally::Tally;

    #[test]
    fn the_report_says_all_in_json() {
        let tally = Tally::new();
        tally.count(Noun::Tag, Outcome::Brought);
        tally.count(Noun::Blob, Outcome::Mounted);
        tally.add_bytes(7);
        let report = json(&tally.now(), (false, true, 3));
        assert_eq!((&report["complete"], &report["bytes"]), (&json!(true), &json!(7)));
        assert_eq!(
            (&report["tags"]["brought"], &report["blobs"]["mounted"]),
            (&json!(1), &json!(1))
        );
        tally.failed(Noun::Tag, "a/b:c", &Trouble::lasting("why"));
        let report = json(&tally.now(), (false, true, 3));
        assert_eq!(report["complete"], false);
        assert_eq!(report["failures"], json!([{"what": "a/b:c", "why": "why"}]));
        assert_eq!(json(&Counts::default(), (false, false, 0))["complete"], false);
    }
}
