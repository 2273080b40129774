//! Tidy: reads the sources and fails where a rule of docs/architecture.md is broken.
//!
//! Every check is a function from text to complaints, so that each is also shown bad samples that
//! it must catch: a check which can't fail keeps nothing tidy.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "tidy/fences.rs"]
mod fences;
#[path = "tidy/floors.rs"]
mod floors;
#[path = "tidy/functions.rs"]
mod functions;
#[path = "tidy/routes.rs"]
mod routes;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/source.rs"]
mod source;

use source::Workspace;

/// Fails with every complaint at once: one run shows all there is to mend.
fn none(rule: &str, complaints: &[String]) {
    assert!(complaints.is_empty(), "{rule}:\n  {}", complaints.join("\n  "));
}

#[test]
fn a_crate_imports_only_what_its_floor_allows() {
    let workspace = Workspace::load();
    let complaints: Vec<_> = workspace.crates.iter().flat_map(floors::floor_crossings).collect();
    none("floors (docs/architecture.md)", &complaints);
}

#[test]
fn members_stand_in_floor_order() {
    none("the member list of Cargo.toml", &floors::order_breaks(&Workspace::load().crates));
}

#[test]
fn a_third_party_crate_stays_behind_its_door() {
    let workspace = Workspace::load();
    let mut complaints: Vec<String> = Vec::new();
    for krate in &workspace.crates {
        complaints.extend(fences::fenced_dependencies(krate));
        for file in &krate.files {
            complaints.extend(fences::fenced_paths(&file.path, &file.text));
        }
    }
    none("fences (docs/architecture.md)", &complaints);
}

#[test]
fn a_pure_crate_knows_no_clock_file_network_or_thread() {
    let workspace = Workspace::load();
    let pure = workspace.crates.iter().filter(|krate| fences::is_pure(&krate.folder));
    let files = pure.flat_map(|krate| &krate.files);
    let complaints: Vec<_> =
        files.flat_map(|file| fences::impurities(&file.path, &file.text)).collect();
    none("purity of oci and metadata", &complaints);
}

#[test]
fn every_settled_crate_is_used_outside_tests() {
    none("settled crates", &fences::unused_settled(&Workspace::load().crates));
}

#[test]
fn every_file_is_short_has_a_header_and_a_name_that_says_something() {
    let workspace = Workspace::load();
    let mut complaints = Vec::new();
    for file in workspace.files() {
        complaints.extend(shape::too_long(&file.path, &file.text));
        complaints.extend(shape::drawer_name(&file.path));
        complaints.extend(shape::leftovers(&file.path, &file.text));
        if shape::is_rust(&file.path) {
            complaints.extend(shape::header(&file.path, &file.text));
            complaints.extend(shape::wide_lines(&file.path, &file.text));
        }
    }
    none("shape of files (docs/architecture.md)", &complaints);
}

#[test]
fn every_function_fits_on_a_page() {
    let workspace = Workspace::load();
    let rust = workspace.files().filter(|file| shape::is_rust(&file.path));
    let complaints: Vec<_> =
        rust.flat_map(|file| functions::complaints(&file.path, &file.text)).collect();
    none("functions (docs/architecture.md)", &complaints);
}

#[test]
fn every_route_stands_in_the_interface_document() {
    let workspace = Workspace::load();
    let surfaces = workspace.crates.iter().filter(|krate| krate.folder.starts_with("api/"));
    let sources: Vec<_> = surfaces.flat_map(|krate| &krate.files).collect();
    let routes = routes::exported(sources.iter().map(|file| file.text.as_str()));
    assert!(!routes.is_empty(), "no surface under api/ exports a ROUTES list");
    none("docs/api.md", &routes::differences(&routes, &workspace.read("docs/api.md")));
}
