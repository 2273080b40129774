//! Fences: behind which door a third-party crate stays, and what a pure crate may not know.

use crate::source::{Crate, code_only, without_tests};

/// A third-party crate and the only places that may name it: path prefixes below the root.
struct Fence {
    krate: &'static str,
    homes: &'static [&'static str],
}

const FENCES: &[Fence] = &[
    Fence { krate: "sled", homes: &["storage/kv/"] },
    Fence { krate: "openraft", homes: &["raft/consensus/"] },
    Fence { krate: "tonic", homes: &["raft/consensus/"] },
    Fence { krate: "tonic-prost", homes: &["raft/consensus/"] },
    Fence { krate: "tonic-prost-build", homes: &["raft/consensus/"] },
    // tonic dials and serves through our own TLS, and that takes hyper's connections.
    Fence {
        krate: "hyper",
        homes: &["storage/transfer/", "raft/consensus/", "api/api/", "node/node/"],
    },
    Fence {
        krate: "hyper-util",
        homes: &["storage/transfer/", "raft/consensus/", "api/api/", "node/node/"],
    },
    // The harness is a client of the registry, as the operator's tools are.
    Fence { krate: "reqwest", homes: &["tools/", "api/openid/", "chaos-tests/"] },
    Fence { krate: "axum", homes: &["api/"] },
    Fence { krate: "ldap3", homes: &["api/directory/"] },
    Fence { krate: "bcrypt", homes: &["api/auth/"] },
    Fence { krate: "rustls", homes: &["storage/wire/"] },
    Fence { krate: "tokio-rustls", homes: &["storage/wire/"] },
    Fence { krate: "rcgen", homes: &["storage/wire/"] },
    Fence { krate: "x509-parser", homes: &["storage/wire/"] },
    Fence { krate: "sha2", homes: &["storage/oci/src/verifier"] },
    Fence { krate: "memmap2", homes: &["storage/blobs/src/read"] },
    Fence { krate: "libc", homes: &["storage/blobs/src/read", "chaos-tests/"] },
    Fence {
        krate: "tikv-jemallocator",
        homes: &["node/node/src/allocator", "chaos-tests/micro/benches/micro"],
    },
    Fence { krate: "crossbeam", homes: &["storage/blobs/"] },
    Fence { krate: "clap", homes: &["tools/", "node/", "chaos-tests/"] },
    Fence { krate: "clap_complete", homes: &["tools/"] },
    Fence { krate: "anyhow", homes: &["tools/", "node/", "chaos-tests/"] },
];

/// Crates whose functions depend on their arguments alone.
const PURE: &[&str] = &["storage/oci", "raft/metadata"];

/// What a pure crate may not name: the world outside, time and chance. A walk over a hash map has
/// no order, so `metadata` may not have one either.
const OUTSIDE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::time",
    "std::env",
    "std::process",
    "std::thread",
    "std::io::stdin",
];
const CHANCE: &[&str] = &["tokio", "tracing", "rand", "time", "tempfile", "ring"];
const UNORDERED: &[&str] = &["HashMap", "HashSet", "f32", "f64"];

/// Crates that the design settled on; each does its work outside tests somewhere.
const SETTLED: &[&str] =
    &["openraft", "tokio", "sled", "tonic", "prost", "rustls", "sha2", "memmap2", "tracing"];

/// Whether this crate may know nothing of the world outside.
pub(crate) fn is_pure(folder: &str) -> bool {
    PURE.contains(&folder)
}

/// Third-party dependencies in a Cargo.toml that has no door for them.
pub(crate) fn fenced_dependencies(krate: &Crate) -> Vec<String> {
    let folder = format!("{}/", krate.folder);
    let at_home = |home: &&str| home.starts_with(&folder) || folder.starts_with(*home);
    let fenced =
        FENCES.iter().filter(|fence| krate.dependencies.iter().any(|name| name == fence.krate));
    let astray = fenced.filter(|fence| !fence.homes.iter().any(at_home));
    astray
        .map(|fence| {
            format!("{folder}Cargo.toml: {} belongs in {}", fence.krate, fence.homes.join(", "))
        })
        .collect()
}

/// Paths in a source file, tests included, that name a crate from behind its fence, or pass it on.
pub(crate) fn fenced_paths(path: &str, text: &str) -> Vec<String> {
    let code = code_only(text);
    let mut complaints = Vec::new();
    for fence in FENCES {
        let name = fence.krate.replace('-', "_");
        let Some(line) = line_naming(&code, &name) else {
            continue;
        };
        if !fence.homes.iter().any(|home| path.starts_with(home)) {
            complaints.push(format!(
                "{path}:{line}: {} belongs in {}",
                fence.krate,
                fence.homes.join(", ")
            ));
        }
        if code.lines().any(|line| line.trim_start().starts_with(&format!("pub use {name}"))) {
            complaints
                .push(format!("{path}: {} is passed on to whoever imports this", fence.krate));
        }
    }
    complaints
}

/// What a pure file names of the world outside.
pub(crate) fn impurities(path: &str, text: &str) -> Vec<String> {
    if path.contains("/tests/") || path.ends_with("build.rs") {
        return Vec::new();
    }
    let code = without_tests(&code_only(text));
    let mut found: Vec<&str> =
        CHANCE.iter().copied().filter(|name| line_naming(&code, name).is_some()).collect();
    found.extend(OUTSIDE.iter().filter(|path| names_path(&code, path)));
    if path.starts_with("raft/metadata/") {
        found.extend(UNORDERED.iter().filter(|name| words(&code).any(|word| word == **name)));
    }
    found.into_iter().map(|name| format!("{path}: a pure crate may not know {name}")).collect()
}

/// Settled crates that no source names outside tests.
pub(crate) fn unused_settled(crates: &[Crate]) -> Vec<String> {
    let sources =
        crates.iter().filter(|krate| krate.name != "chaos-tests").flat_map(|krate| &krate.files);
    let sources = sources.filter(|file| !file.path.contains("/tests/"));
    let code: String = sources.map(|file| without_tests(&code_only(&file.text))).collect();
    let unused = SETTLED.iter().filter(|name| line_naming(&code, name).is_none());
    unused.map(|name| format!("{name} is used by no crate outside its tests")).collect()
}

/// The first line that names a crate as the head of a path: `sled::open`, `use sled;`.
fn line_naming(code: &str, name: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(place) = code[from..].find(name) {
        let (start, end) = (from + place, from + place + name.len());
        let before = code[..start].trim_end_matches(' ');
        let stands_alone = !code[..start].ends_with(is_word) && !before.ends_with("::");
        let imported =
            before.ends_with("use") || before.ends_with("crate") || before.ends_with("pub use");
        let after = &code[end..];
        let is_head = after.starts_with("::") || imported && !after.starts_with(is_word);
        if stands_alone && is_head {
            return Some(code[..start].matches('\n').count() + 1);
        }
        from = end;
    }
    None
}

/// Whether `std::fs` is named, on its own or inside `std::{…}`.
fn names_path(code: &str, path: &str) -> bool {
    let Some((root, leaf)) = path.rsplit_once("::") else {
        return false;
    };
    let plain =
        code.match_indices(path).any(|(at, _)| !code[at + path.len()..].starts_with(is_word));
    let opening = format!("{root}::{{");
    let mut groups = code.split(&opening).skip(1).map(|group| group.split(';').next());
    plain || groups.any(|group| words(group.unwrap_or_default()).any(|word| word == leaf))
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|it| !is_word(it)).filter(|word| !word.is_empty())
}

fn is_word(it: char) -> bool {
    it.is_alphanumeric() || it == '_'
}

#[test]
fn a_crossed_fence_is_caught() {
    assert_eq!(fenced_dependencies(&Crate::sample("storage/blobs", &["sled", "memmap2"])).len(), 1);
    assert_eq!(fenced_dependencies(&Crate::sample("api/edge", &["axum"])).len(), 0);
    let cases = [
        ("storage/kv/src/store.rs", "use sled::Db;", 0),
        ("storage/kv/src/store.rs", "pub use sled::Db;", 1),
        ("raft/consensus/src/log.rs", "let db = sled::open(path);", 1),
        ("raft/consensus/src/log.rs", "// sled::open is elsewhere\nlet text = \"sled::open\";", 0),
        ("raft/consensus/src/log.rs", "use crate::sled::Db; let sledge = 1;", 0),
        ("storage/oci/src/verifier.rs", "use sha2::Digest;", 0),
        ("storage/oci/src/digest.rs", "use sha2::Digest;", 1),
        ("storage/blobs/src/upload.rs", "#[cfg(test)]\nmod tests {\n    use memmap2::Mmap;\n}", 1),
        ("storage/kv/src/log.rs", "use tonic_prost::ProstCodec;", 1),
    ];
    for (path, text, expected) in cases {
        let found = fenced_paths(path, text);
        assert_eq!(found.len(), expected, "{path} {text}: {found:?}");
    }
}

#[test]
fn an_impure_file_is_caught() {
    let cases = [
        ("storage/oci/src/name.rs", "use std::fmt;", 0),
        ("storage/oci/src/name.rs", "use std::fs;", 1),
        ("storage/oci/src/name.rs", "use std::{fmt, fs::File};", 1),
        ("storage/oci/src/name.rs", "use std::collections::HashMap;", 0),
        ("storage/oci/src/name.rs", "#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n", 0),
        ("raft/metadata/src/tags.rs", "use std::collections::HashMap;", 1),
        ("raft/metadata/src/tags.rs", "let now = std::time::Instant::now();", 1),
        ("raft/metadata/src/tags.rs", "tracing::info!(\"x\"); let share: f64 = 0.5;", 2),
    ];
    for (path, text, expected) in cases {
        let found = impurities(path, text);
        assert_eq!(found.len(), expected, "{path} {text}: {found:?}");
    }
}

#[test]
fn a_settled_crate_that_only_tests_use_is_caught() {
    assert_eq!(unused_settled(&[]).len(), SETTLED.len());
    let mut krate = Crate::sample("storage/kv", &[]);
    let text =
        "use tokio::sync::Mutex;\n#[cfg(test)]\nmod tests {\n    use sled::Db;\n}\n".to_owned();
    krate.files.push(crate::source::File { path: "storage/kv/src/store.rs".to_owned(), text });
    let unused = unused_settled(&[krate]);
    assert!(unused.iter().any(|it| it.starts_with("sled")), "{unused:?}");
    assert!(!unused.iter().any(|it| it.starts_with("tokio")), "{unused:?}");
}
