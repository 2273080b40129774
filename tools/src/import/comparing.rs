//! What is at the destination already, beside what the source has.

use serde_json::{Map, Value};

use super::tally::{Noun, Outcome, Tally};
use super::trouble::Trouble;
use crate::management::table::{cell, text};

/// Letters of a value that are shown.
const SHOWN_MAX: usize = 60;

/// Fields of the source that the destination has otherwise, as the source has them. What the source
/// does not say is no difference.
pub fn differing(here: &Value, there: &Value, fields: &[&str]) -> Map<String, Value> {
    let differs = |field: &&str| !here[*field].is_null() && !same(&here[*field], &there[*field]);
    let fields = fields.iter().filter(|field| differs(field));
    fields.map(|field| ((*field).to_owned(), here[*field].clone())).collect()
}

/// Whether both say the same: nothing is the same as empty, no and zero.
fn same(here: &Value, there: &Value) -> bool {
    let is_nothing = |value: &Value| match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_u64() == Some(0),
        _ => false,
    };
    here == there || is_nothing(here) && is_nothing(there)
}

/// The differences in words.
pub fn words(wanted: &Map<String, Value>, there: &Value) -> String {
    let shown = |value: &Value| {
        let text = cell(&text(value));
        match text.char_indices().nth(SHOWN_MAX) {
            Some((end, _)) => format!("{:?}…", &text[..end]),
            None if text.is_empty() => "not set".to_owned(),
            None => format!("{text:?}"),
        }
    };
    let told = wanted.iter().map(|(field, here)| {
        format!("{field} is {}, at the source {}", shown(&there[field]), shown(here))
    });
    told.collect::<Vec<_>>().join("; ")
}

/// Counts what became of something. `None` was told already.
///
/// # Errors
///
/// One end can't be reached any more.
pub fn settle(
    tally: &Tally,
    (noun, what): (Noun, &str),
    ended: Result<Option<Outcome>, Trouble>,
) -> Result<(), Trouble> {
    match ended {
        Ok(Some(outcome)) => tally.count(noun, outcome),
        Ok(None) => {}
        Err(trouble) => {
            tally.failed(noun, what, &trouble);
            if trouble.is_unreachable() {
                return Err(trouble);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_the_source_says_can_differ() {
        let here = json!({"fullName": "Ann", "isAdmin": false, "tagLimit": 0, "x": null});
        let fields = ["fullName", "isAdmin", "tagLimit", "x", "y"];
        let cases = [
            (json!({"fullName": "Ann"}), vec![]),
            (json!({"fullName": "Bob", "isAdmin": true}), vec!["fullName", "isAdmin"]),
            (json!({"fullName": "Ann", "tagLimit": 3, "x": 1}), vec!["tagLimit"]),
            (json!({}), vec!["fullName"]),
        ];
        for (there, expected) in cases {
            let found = differing(&here, &there, &fields);
            let found: Vec<&str> = found.keys().map(String::as_str).collect();
            assert_eq!(found, expected, "{there}");
        }
        let found = differing(&here, &json!({}), &fields);
        assert_eq!(words(&found, &json!({})), "fullName is not set, at the source \"Ann\"");
    }
}
