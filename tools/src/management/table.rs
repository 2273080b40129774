//! How objects of the API are shown: as a table to a person, as plain lines to a program, or as
//! they are.

use std::io::{self, IsTerminal, Write};

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Table, TableComponent};
use serde_json::Value;

use crate::exit::{Exit, Stop};

/// A heading, and what of an object stands under it.
pub type Column = (&'static str, fn(&Value) -> String);

/// Which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The API's own objects.
    Json,
    /// Aligned columns under their headings.
    Table,
    /// Values parted by tabs, an object a line, without headings.
    Lines,
}

impl Form {
    /// JSON where it was asked for; else by who reads.
    pub fn of(json: bool) -> Self {
        match (json, io::stdout().is_terminal()) {
            (true, _) => Self::Json,
            (false, true) => Self::Table,
            (false, false) => Self::Lines,
        }
    }
}

/// Writes a list, page after page.
pub struct Printer<W> {
    out: W,
    form: Form,
    columns: &'static [Column],
    /// Rows wait for the widest among them.
    table: Table,
    written: usize,
}

impl<W: Write> Printer<W> {
    /// Writes to `out`.
    pub fn new(out: W, form: Form, columns: &'static [Column]) -> Self {
        let mut table = empty();
        table.set_header(columns.iter().map(|(heading, _)| *heading));
        Self { out, form, columns, table, written: 0 }
    }

    /// Writes some objects.
    pub fn page(&mut self, objects: &[Value]) -> io::Result<()> {
        for object in objects {
            let cells = self.columns.iter().map(|(_, value)| cell(&value(object)));
            match self.form {
                Form::Json => {
                    let before = if self.written == 0 { "[\n" } else { ",\n" };
                    write!(self.out, "{before}{object}")?;
                }
                Form::Lines => writeln!(self.out, "{}", cells.collect::<Vec<_>>().join("\t"))?,
                Form::Table => {
                    self.table.add_row(cells);
                }
            }
            self.written += 1;
        }
        Ok(())
    }

    /// Writes what belongs behind the last object.
    pub fn end(mut self) -> io::Result<()> {
        match self.form {
            Form::Json if self.written == 0 => writeln!(self.out, "[]"),
            Form::Json => writeln!(self.out, "\n]"),
            Form::Lines => Ok(()),
            Form::Table => writeln!(self.out, "{}", self.table),
        }?;
        self.out.flush()
    }
}

/// Writes one object: a row for each of its values.
pub fn object(out: &mut impl Write, form: Form, object: &Value, rows: &[Column]) -> io::Result<()> {
    let shown = rows.iter().map(|(heading, value)| [cell(heading), cell(&value(object))]);
    match form {
        Form::Json => writeln!(out, "{object:#}"),
        Form::Lines => {
            let mut shown = shown;
            shown.try_for_each(|row| writeln!(out, "{}", row.join("\t")))
        }
        Form::Table => {
            let mut table = empty();
            table.add_rows(shown);
            writeln!(out, "{table}")
        }
    }
}

fn empty() -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY);
    // A list of thousands has a line for each, not two.
    for line in [
        TableComponent::HorizontalLines,
        TableComponent::MiddleIntersections,
        TableComponent::LeftBorderIntersections,
        TableComponent::RightBorderIntersections,
    ] {
        table.remove_style(line);
    }
    table
}

/// A text that keeps to its place: somebody else wrote it, and a tab or a line break would part it,
/// an escape would paint on the reader's terminal.
pub fn cell(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// A value in words; nothing where there is none.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// A time, or `never`.
///
/// Source: dtr-interface 1, "Times".
pub fn time(value: &Value) -> String {
    match value.as_str() {
        None | Some("" | "0001-01-01T00:00:00Z") => "never".to_owned(),
        Some(time) => time.to_owned(),
    }
}

/// Why standard output could not be written. Nothing is said where nobody reads any more, as behind
/// `| head`.
#[allow(clippy::needless_pass_by_value)] // As `map_err` hands it over.
pub fn unwritable(error: io::Error) -> Stop {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Stop::new(Exit::Failed, ""),
        _ => Stop::failed(format!("standard output cannot be written: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: &[Column] =
        &[("name", |it| text(&it["name"])), ("owner", |it| text(&it["isAdmin"]))];

    fn printed(form: Form, pages: &[Value]) -> String {
        let mut out = Vec::new();
        let mut printer = Printer::new(&mut out, form, COLUMNS);
        for page in pages {
            printer.page(page.as_array().unwrap()).unwrap();
        }
        printer.end().unwrap();
        String::from_utf8(out).unwrap()
    }

    fn pages() -> [Value; 2] {
        [
            json!([{"name": "ann", "isAdmin": true}, {"name": "b\tc\n", "isAdmin": false}]),
            json!([{"name": "constance"}]),
        ]
    }

    #[test]
    fn lines_are_an_object_each_whatever_is_in_it() {
        assert_eq!(printed(Form::Lines, &pages()), "ann\tyes\nb c \tno\nconstance\t\n");
        assert_eq!(printed(Form::Lines, &[]), "");
    }

    #[test]
    fn a_table_is_aligned_under_its_headings() {
        let table = printed(Form::Table, &pages());
        let starts = |word: &str| {
            let line = table.lines().find(|line| line.contains(word)).unwrap();
            line.chars().position(char::is_alphabetic).unwrap()
        };
        assert_eq!(starts("name"), starts("constance"), "{table}");
        let ends: Vec<usize> = table.lines().map(|line| line.chars().count()).collect();
        assert!(ends.iter().all(|end| *end == ends[0]), "{table}");
        assert_eq!(ends.len(), 3 + 1 + 3, "three rows, their headings and three lines:\n{table}");
        assert!(printed(Form::Table, &[]).contains("owner"));
    }

    #[test]
    fn json_is_one_document_over_all_pages() {
        let read: Value = serde_json::from_str(&printed(Form::Json, &pages())).unwrap();
        let objects: Vec<Value> =
            pages().iter().flat_map(|page| page.as_array().unwrap().clone()).collect();
        assert_eq!(read, Value::Array(objects));
        assert_eq!(printed(Form::Json, &[]), "[]\n");
        assert_eq!(printed(Form::Json, &[json!([])]), "[]\n");
    }

    #[test]
    fn one_object_has_a_row_for_each_value() {
        let written = |form| {
            let mut out = Vec::new();
            object(&mut out, form, &json!({"name": "ann", "isAdmin": true}), COLUMNS).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(Form::Lines), "name\tann\nowner\tyes\n");
        assert!(written(Form::Table).contains("ann"));
        let read: Value = serde_json::from_str(&written(Form::Json)).unwrap();
        assert_eq!(read["isAdmin"], true);
    }

    #[test]
    fn values_are_said_in_words() {
        let cases = [
            (json!(null), ""),
            (json!(true), "yes"),
            (json!(7), "7"),
            (json!(["a", "b"]), "a b"),
            (json!({"a": 1}), "{\"a\":1}"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(&value), expected);
        }
        assert_eq!(time(&json!("0001-01-01T00:00:00Z")), "never");
        assert_eq!(time(&json!(null)), "never");
        assert_eq!(time(&json!("2030-01-01T00:00:00Z")), "2030-01-01T00:00:00Z");
    }

    #[test]
    fn a_reader_that_went_away_is_no_error_in_words() {
        assert_eq!(unwritable(io::ErrorKind::BrokenPipe.into()).text, "");
        assert!(!unwritable(io::ErrorKind::StorageFull.into()).text.is_empty());
    }
}
