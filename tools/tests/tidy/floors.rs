//! Floors: which crate of ours may import which.

use crate::source::Crate;

/// What one crate of ours may import of ours.
struct Floor {
    krate: &'static str,
    may_import: &'static [&'static str],
}

const BELOW_API: &[&str] = &["oci", "wire", "blobs", "transfer", "metadata", "consensus"];
const AUTH: &[&str] =
    &["oci", "wire", "blobs", "transfer", "metadata", "consensus", "directory", "openid"];
const SURFACE: &[&str] = &[
    "oci",
    "wire",
    "blobs",
    "transfer",
    "metadata",
    "consensus",
    "directory",
    "openid",
    "auth",
    "edge",
    "content",
];
const ALL: &[&str] = &[
    "oci",
    "wire",
    "kv",
    "blobs",
    "transfer",
    "metadata",
    "consensus",
    "directory",
    "openid",
    "auth",
    "edge",
    "content",
    "distribution",
    "health",
    "admin",
    "api",
    "tools",
    "jobs",
    "node",
];

/// The import table of docs/architecture.md.
const FLOORS: &[Floor] = &[
    Floor { krate: "oci", may_import: &[] },
    Floor { krate: "wire", may_import: &[] },
    Floor { krate: "kv", may_import: &[] },
    Floor { krate: "blobs", may_import: &["oci"] },
    Floor { krate: "transfer", may_import: &["blobs", "oci", "wire"] },
    Floor { krate: "metadata", may_import: &["oci"] },
    Floor { krate: "consensus", may_import: &["metadata", "kv", "wire", "oci"] },
    Floor { krate: "directory", may_import: BELOW_API },
    Floor { krate: "openid", may_import: BELOW_API },
    Floor { krate: "auth", may_import: AUTH },
    Floor { krate: "content", may_import: BELOW_API },
    Floor { krate: "edge", may_import: SURFACE },
    Floor { krate: "distribution", may_import: SURFACE },
    Floor { krate: "health", may_import: SURFACE },
    Floor { krate: "admin", may_import: SURFACE },
    Floor { krate: "api", may_import: ALL },
    Floor {
        krate: "tools",
        may_import: &["oci", "wire", "kv", "blobs", "transfer", "metadata", "consensus"],
    },
    Floor { krate: "jobs", may_import: SURFACE },
    Floor { krate: "node", may_import: ALL },
    Floor { krate: "chaos-tests", may_import: ALL },
];

/// Dependencies of ours that the table does not allow.
pub(crate) fn floor_crossings(krate: &Crate) -> Vec<String> {
    let Some(floor) = FLOORS.iter().find(|floor| floor.krate == krate.name) else {
        return vec![format!("{}: has no row in the table of floors", krate.folder)];
    };
    let ours = krate.dependencies.iter().filter(|name| FLOORS.iter().any(|it| it.krate == **name));
    let crossing = ours.filter(|name| !floor.may_import.contains(&name.as_str()));
    crossing.map(|name| format!("{} may not import {name}", krate.folder)).collect()
}

/// Dependencies of ours that stand below the crate in the member list.
pub(crate) fn order_breaks(crates: &[Crate]) -> Vec<String> {
    let place = |name: &str| crates.iter().position(|krate| krate.name == name);
    let mut complaints = Vec::new();
    for (own_place, krate) in crates.iter().enumerate() {
        let later = krate.dependencies.iter().filter(|name| place(name) >= Some(own_place));
        complaints.extend(
            later.map(|name| format!("{} stands above {name}, which it imports", krate.folder)),
        );
    }
    complaints
}

#[test]
fn a_crossed_floor_is_caught() {
    let cases = [
        (Crate::sample("storage/oci", &["serde"]), 0),
        (Crate::sample("storage/oci", &["wire"]), 1),
        (Crate::sample("raft/metadata", &["oci", "kv"]), 1),
        (Crate::sample("api/health", &["edge", "distribution"]), 1),
        (Crate::sample("api/distribution", &["kv"]), 1),
        (Crate::sample("tools", &["api", "node", "consensus"]), 2),
        (Crate::sample("trust/unheard-of", &[]), 1),
    ];
    for (krate, expected) in cases {
        let found = floor_crossings(&krate);
        assert_eq!(found.len(), expected, "{}: {found:?}", krate.folder);
    }
    let swapped = [Crate::sample("storage/blobs", &["oci"]), Crate::sample("storage/oci", &[])];
    assert_eq!(order_breaks(&swapped).len(), 1);
}
