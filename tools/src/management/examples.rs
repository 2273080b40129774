//! Examples that people copy: in the help of every verb, and in the manual. Each must be taken by
//! the command line as it stands.

use clap::Command;

use crate::cli::definition;

/// A page of the manual, and the nouns that it shows.
type Manual = (&'static str, &'static [&'static str]);

const MANUALS: &[Manual] = &[
    (
        include_str!("../../../docs/operate/accounts.md"),
        &["user", "org", "team", "repo", "tag", "token", "access", "settings"],
    ),
    (include_str!("../../../docs/operate/audit.md"), &["audit", "events", "settings"]),
    (include_str!("../../../docs/operate/directory.md"), &["directory"]),
    (include_str!("../../../docs/operate/openid.md"), &["openid", "token"]),
    (include_str!("../../../docs/operate/jobs.md"), &["job", "cron"]),
    (include_str!("../../../docs/operate/collection.md"), &["gc"]),
];

/// The words of a line of shell, as far as examples go: quotes, and an end at a redirection, a pipe
/// or a comment.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, '>' | '|' | '#' | ')') => break,
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// Lines that call `holdfast`, and what the call says.
pub(crate) fn calls(text: &str) -> Vec<String> {
    let whole = text.replace("\\\n", " ");
    let lines = whole.lines().map(str::trim_start);
    let calls = lines.filter_map(|line| line.find("holdfast ").map(|at| line[at..].to_owned()));
    calls.collect()
}

pub(crate) fn complaint(call: &str) -> Option<String> {
    let read = definition().try_get_matches_from(words(call));
    read.err().map(|error| format!("{call}\n{error}"))
}

/// Every verb below `command` that has none below itself, with the words that call it.
fn verbs<'a>(command: &'a Command, called: &str, found: &mut Vec<(String, &'a Command)>) {
    for verb in command.get_subcommands() {
        let called = format!("{called} {}", verb.get_name());
        if verb.get_subcommands().next().is_some() {
            verbs(verb, &called, found);
        } else {
            found.push((called, verb));
        }
    }
}

#[test]
fn the_help_of_every_verb_ends_with_an_example_of_it() {
    let definition = definition();
    let mut complaints = Vec::new();
    for noun in MANUALS.iter().flat_map(|(_, nouns)| *nouns) {
        let mut found = Vec::new();
        verbs(definition.find_subcommand(noun).unwrap(), &format!("holdfast {noun}"), &mut found);
        for (called, verb) in found {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            let calls = calls(&help);
            if !calls.iter().any(|call| call.starts_with(&called)) {
                complaints.push(format!("{called} has no example of itself"));
            }
            complaints.extend(calls.iter().filter_map(|call| complaint(call)));
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            if about.is_empty() || about.starts_with("Flags of") {
                complaints.push(format!("{called} does not say what it does: {about}"));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_command_of_the_manual_is_taken() {
    for (manual, nouns) in MANUALS {
        let shell = manual.split("```").skip(1).step_by(2).collect::<String>();
        let calls = calls(&shell);
        assert!(calls.len() > 2 * nouns.len(), "{calls:?}");
        let complaints: Vec<String> = calls.iter().filter_map(|call| complaint(call)).collect();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
        for noun in *nouns {
            let shown = calls.iter().any(|call| call.starts_with(&format!("holdfast {noun} ")));
            assert!(shown, "the manual does not show {noun}");
        }
    }
}

#[test]
fn an_example_that_is_wrong_is_caught() {
    assert_eq!(words("holdfast a --b 'c d' \"\" e > f"), ["holdfast", "a", "--b", "c d", "", "e"]);
    assert_eq!(calls("x\n  TOKEN=$(holdfast a \\\n b)\n"), ["holdfast a   b)"]);
    assert_eq!(complaint("holdfast user show ann"), None);
    for call in ["holdfast user shew ann", "holdfast user show", "holdfast user show ann --who"] {
        assert!(complaint(call).is_some(), "{call}");
    }
}
