//! Shape: length, header, name and leftovers of a file.

/// Longest source file, and longest file of tests.
const FILE_LINES_MAX: usize = 500;
const TEST_FILE_LINES_MAX: usize = 600;
const LINE_COLUMNS_MAX: usize = 100;

/// Names that say nothing: what is put into such a drawer is never found again.
const DRAWERS: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "misc", "manager", "managers", "mod"];

/// Whether the path is a Rust file.
pub(crate) fn is_rust(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, extension)| extension == "rs")
}

/// A file that should be two.
pub(crate) fn too_long(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    let most = if path.contains("/tests/") { TEST_FILE_LINES_MAX } else { FILE_LINES_MAX };
    (lines > most).then(|| format!("{path}: {lines} lines, at most {most}"))
}

/// A file or folder named as a drawer.
pub(crate) fn drawer_name(path: &str) -> Option<String> {
    let mut parts = path.split('/').map(|part| part.split('.').next().unwrap_or_default());
    let drawer = parts.find(|part| DRAWERS.contains(part))?;
    Some(format!("{path}: `{drawer}` says nothing about what is in it"))
}

/// A Rust file without `//!` at its top, or whose first paragraph is no sentence.
pub(crate) fn header(path: &str, text: &str) -> Option<String> {
    let paragraph = text.lines().map_while(|line| line.strip_prefix("//! "));
    let paragraph: Vec<&str> = paragraph.collect();
    let first = paragraph.join(" ");
    if first.is_empty() {
        return Some(format!("{path}: begins without a `//!` sentence"));
    }
    let ends = first.trim_end().ends_with(['.', ':', '?']);
    let words = first.split(' ').count();
    (!ends || words < 3).then(|| format!("{path}: its header is not a sentence: {first}"))
}

/// Lines that run off the page.
pub(crate) fn wide_lines(path: &str, text: &str) -> Vec<String> {
    let wide = text.lines().enumerate().filter(|(_, line)| line.chars().count() > LINE_COLUMNS_MAX);
    wide.map(|(at, _)| format!("{path}:{}: wider than {LINE_COLUMNS_MAX} columns", at + 1))
        .collect()
}

/// Notes to oneself and bodies not written.
pub(crate) fn leftovers(path: &str, text: &str) -> Vec<String> {
    // Put together here, so that this file does not complain about itself.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("unimple", "mented!"),
        concat!("to", "do!("),
    ];
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if let Some(mark) = marks.iter().find(|mark| line.contains(**mark)) {
            found.push(format!("{path}:{}: {mark} left behind", at + 1));
        }
    }
    found
}

#[test]
fn a_long_file_is_caught() {
    let lines = |count: usize| "x\n".repeat(count);
    assert!(too_long("storage/kv/src/store.rs", &lines(500)).is_none());
    assert!(too_long("storage/kv/src/store.rs", &lines(501)).is_some());
    assert!(too_long("tools/tests/tidy.rs", &lines(600)).is_none());
    assert!(too_long("tools/tests/tidy.rs", &lines(601)).is_some());
    assert_eq!(wide_lines("a.rs", &format!("{}\n{}\n", "x".repeat(100), "x".repeat(101))).len(), 1);
}

#[test]
fn a_drawer_is_caught() {
    for path in [
        "storage/kv/src/util.rs",
        "api/helpers/src/lib.rs",
        "raft/x/src/tags/mod.rs",
        "a/manager.rs",
    ] {
        assert!(drawer_name(path).is_some(), "{path}");
    }
    for path in ["storage/kv/src/store.rs", "raft/metadata/src/commons_rules.rs"] {
        assert!(drawer_name(path).is_none(), "{path}");
    }
}

#[test]
fn a_missing_header_is_caught() {
    let good =
        ["//! Tags: names that move.\n", "//! One sentence over\n//! two lines.\n//!\n//! More\n"];
    let bad = [
        "use std::fmt;\n",
        "//! tags\n",
        "//! Tags are names that move\n\nuse a;\n",
        "//!\n//! Late.\n",
        "",
    ];
    for text in good {
        assert_eq!(header("a.rs", text), None, "{text}");
    }
    for text in bad {
        assert!(header("a.rs", text).is_some(), "{text}");
    }
}

#[test]
fn a_note_to_oneself_is_caught() {
    let note = format!("fn a() {{}}\n// {}: later\n", concat!("TO", "DO"));
    assert_eq!(leftovers("a.rs", &note).len(), 1);
    let stub = format!("fn a() {{\n    {}()\n}}\n", concat!("unimple", "mented!"));
    assert_eq!(leftovers("a.rs", &stub).len(), 1);
    assert!(leftovers("a.rs", "fn a() {}\n").is_empty());
}
