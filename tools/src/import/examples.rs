//! Examples that people copy: in the help of both imports, and in the manual. Each must be taken by
//! the command line as it stands.

use crate::cli::definition;
use crate::management::examples::{calls, complaint};

const MANUAL: &str = include_str!("../../../docs/operate/import.md");

#[test]
fn the_help_of_both_imports_ends_with_examples_of_them() {
    let definition = definition();
    let import = definition.find_subcommand("import").unwrap();
    for verb in ["registry", "dtr"] {
        let verb = import.find_subcommand(verb).unwrap();
        let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
        let calls = calls(&help);
        let own = format!("holdfast import {} ", verb.get_name());
        assert!(calls.len() > 2 && calls.iter().all(|call| call.starts_with(&own)), "{calls:?}");
        let complaints: Vec<String> = calls.iter().filter_map(|call| complaint(call)).collect();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }
}

#[test]
fn every_import_of_the_manual_is_taken() {
    let shell = MANUAL.split("```").skip(1).step_by(2).collect::<String>();
    let calls = calls(&shell);
    let complaints: Vec<String> = calls.iter().filter_map(|call| complaint(call)).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    for verb in ["registry", "dtr"] {
        let own = format!("holdfast import {verb} ");
        let shown = calls.iter().filter(|call| call.starts_with(&own)).count();
        assert!(shown > 2, "the manual shows {verb} {shown} times");
    }
}
