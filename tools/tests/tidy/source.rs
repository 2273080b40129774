//! Sources: what the checks read, and how comments, literals and tests are taken out of it.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// Every crate of the workspace, in the order of the member list.
pub(crate) struct Workspace {
    /// The folder of the root Cargo.toml.
    pub(crate) root: PathBuf,
    /// Members, in floor order.
    pub(crate) crates: Vec<Crate>,
    /// Files that belong to no crate: scripts and build files.
    pub(crate) loose: Vec<File>,
}

/// One member of the workspace.
pub(crate) struct Crate {
    /// Package name, which is also the last part of its folder.
    pub(crate) name: String,
    /// Folder below the root, such as `storage/kv`.
    pub(crate) folder: String,
    /// Names of its dependencies of any kind, tests' included.
    pub(crate) dependencies: Vec<String>,
    /// Its Rust and protocol files, those of its tests included.
    pub(crate) files: Vec<File>,
}

impl Crate {
    /// A crate made up to show a check something bad.
    pub(crate) fn sample(folder: &str, dependencies: &[&str]) -> Self {
        let name = folder.rsplit('/').next().unwrap_or_default().to_owned();
        let dependencies = dependencies.iter().map(|it| (*it).to_owned()).collect();
        Self { name, folder: folder.to_owned(), dependencies, files: Vec::new() }
    }
}

/// One file.
pub(crate) struct File {
    /// Path below the root, with `/` between its parts.
    pub(crate) path: String,
    /// What it holds.
    pub(crate) text: String,
}

impl Workspace {
    /// Reads the workspace that this test was built in.
    pub(crate) fn load() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf();
        let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
        let crates = members(&manifest).into_iter().map(|folder| load_crate(&root, folder));
        let crates = crates.collect();
        let mut loose = Vec::new();
        for folder in ["tools/ci", "node/dist", ".ci"] {
            collect(&root, &root.join(folder), &["sh", "service", "toml", ""], &mut loose);
        }
        Self { root, crates, loose }
    }

    /// Every file of every crate, and the loose ones.
    pub(crate) fn files(&self) -> impl Iterator<Item = &File> {
        self.crates.iter().flat_map(|krate| &krate.files).chain(&self.loose)
    }

    /// Reads one file below the root; empty where there is none.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap_or_default()
    }
}

fn load_crate(root: &Path, folder: String) -> Crate {
    let manifest = fs::read_to_string(root.join(&folder).join("Cargo.toml")).unwrap();
    let mut files = Vec::new();
    collect(root, &root.join(&folder), &["rs", "proto"], &mut files);
    let name = folder.rsplit('/').next().unwrap_or_default().to_owned();
    Crate { name, folder, dependencies: dependencies(&manifest), files }
}

/// Gathers files by extension, walking down; order is by path, so that complaints stand still.
fn collect(root: &Path, folder: &Path, extensions: &[&str], into: &mut Vec<File>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !path.ends_with("target") {
                collect(root, &path, extensions, into);
            }
        } else if extensions.contains(&extension) {
            let below = path.strip_prefix(root).unwrap();
            let text = fs::read_to_string(&path).unwrap();
            into.push(File { path: below.to_string_lossy().replace('\\', "/"), text });
        }
    }
}

/// The folders in `members = [ … ]`, in order.
pub(crate) fn members(manifest: &str) -> Vec<String> {
    let after = manifest.split_once("members = [").map_or("", |(_, rest)| rest);
    let list = after.split_once("\n]").map_or(after, |(list, _)| list);
    let lines = list.lines().map(str::trim).filter(|line| line.starts_with('"'));
    lines.filter_map(|line| line.split('"').nth(1)).map(str::to_owned).collect()
}

/// Names in every `[…dependencies]` table; a renamed dependency counts by its true name.
pub(crate) fn dependencies(manifest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            inside = table.ends_with("dependencies");
            if let Some((_, name)) = table.split_once("dependencies.") {
                found.push(name.to_owned());
            }
            continue;
        }
        let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
        if inside && !name.is_empty() && !name.starts_with('#') {
            let renamed =
                line.split_once("package = \"").and_then(|(_, rest)| rest.split('"').next());
            found.push(renamed.unwrap_or(name).to_owned());
        }
    }
    found
}

/// The same text, line for line, with comments and the insides of literals blanked out.
pub(crate) fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        if let Some(end) = blank_end(&chars, at) {
            code.extend(chars[at..end].iter().map(|it| if *it == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            code.push(chars[at]);
            at += 1;
        }
    }
    code
}

/// Where the comment or literal that starts at `at` ends; `None` where none starts.
fn blank_end(chars: &[char], at: usize) -> Option<usize> {
    let next = chars.get(at + 1).copied().unwrap_or(' ');
    let after_name = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match chars[at] {
        '/' if next == '/' => Some(find(chars, at, &['\n'])),
        '/' if next == '*' => Some((find(chars, at, &['*', '/']) + 2).min(chars.len())),
        '"' => Some(string_end(chars, at + 1)),
        'r' if !after_name && (next == '"' || next == '#') => raw_end(chars, at + 1),
        '\'' if next == '\\' => Some((find(chars, at + 3, &['\'']) + 1).min(chars.len())),
        '\'' if chars.get(at + 2) == Some(&'\'') => Some(at + 3),
        _ => None,
    }
}

/// The end of a string in quotes, given the place after the first one.
fn string_end(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// The end of `r"…"` or `r#"…"#`, given the place after the `r`; `None` for a name like `r#type`.
fn raw_end(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at..].iter().take_while(|it| **it == '#').count();
    if chars.get(at + hashes) != Some(&'"') {
        return None;
    }
    let mut close = vec!['"'];
    close.extend(std::iter::repeat_n('#', hashes));
    Some((find(chars, at + hashes + 1, &close) + close.len()).min(chars.len()))
}

/// Where `what` stands next, or the end.
fn find(chars: &[char], from: usize, what: &[char]) -> usize {
    let from = from.min(chars.len());
    let place = chars[from..].windows(what.len()).position(|window| window == what);
    place.map_or(chars.len(), |place| from + place)
}

/// Code without the items marked `#[cfg(test)]`; expects what [`code_only`] gives.
pub(crate) fn without_tests(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.push_str(line);
            kept.push('\n');
            continue;
        }
        let close = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
        for item in lines.by_ref() {
            if item == close || item.trim_end().ends_with(';') && !item.starts_with("    ") {
                break;
            }
        }
    }
    kept
}

#[test]
fn comments_literals_and_tests_are_not_code() {
    let text = "use a::b; // sled::open\nlet s = \"sled::x\"; let c = '\"'; \
                /* sled:: */ let r = r#\"sled::\"#;\n\
                let l: &'static str;\n#[cfg(test)]\nmod tests {\n    \
                use sled::Db;\n}\nfn after() {}\n";
    let code = code_only(text);
    assert_eq!(code.lines().count(), text.lines().count());
    assert!(code.contains("use sled::Db") && code.matches("sled").count() == 1, "{code}");
    let kept = without_tests(&code);
    assert!(!kept.contains("sled") && kept.contains("fn after()"), "{kept}");
    assert!(kept.contains("&'static str"), "{kept}");
}

#[test]
fn dependencies_of_every_kind_are_read_by_their_true_names() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\noci.workspace = true\n# a word\n\
                    serde = { version = \"1\" }\nstore = { package = \"sled\", version = \"1\" }\n\
                    [dependencies.tonic]\nversion = \"1\"\n[dev-dependencies]\n\
                    tempfile = \"3\"\n[lints]\nworkspace = true\n";
    assert_eq!(dependencies(manifest), ["oci", "serde", "sled", "tonic", "tempfile"]);
}

#[test]
fn members_are_read_in_order() {
    let manifest =
        "[workspace]\nmembers = [\n  # floor 1\n  \"storage/oci\",\n  \"storage/kv\",\n]\n[x]\n";
    assert_eq!(members(manifest), ["storage/oci", "storage/kv"]);
}
