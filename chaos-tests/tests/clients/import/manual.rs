//! docs/operate/import.md, executed: from an old registry and an old cluster into a new one.

use std::fs;
use std::path::Path;

use chaos_tests::cluster::{ADMIN, Cluster};
use chaos_tests::executable::{self, text};
use chaos_tests::image::Image;
use chaos_tests::programs::Program;
use tokio::process::Command;

use super::stage::{Old, Stage};
use crate::ends_well;

/// What the page has the reader set.
const NAMED: [&str; 6] = [
    "HOLDFAST_URL",
    "HOLDFAST_USERNAME",
    "HOLDFAST_PASSWORD_FILE",
    "HOLDFAST_CA",
    "DTR",
    "REGISTRY",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_of_the_import_page_does_what_it_says() {
    let (Some(_), Some(_), Some(old)) = (Program::new("bash"), Program::new("jq"), Old::start())
    else {
        return;
    };
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operate/import.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let (mut script, mut named) = ("set -euo pipefail\n".to_owned(), Vec::new());
    for line in blocks.flat_map(str::lines) {
        // Where all of them are stands in the environment already.
        match line.strip_prefix("export ").and_then(|rest| rest.split_once('=')) {
            Some((variable, _)) => named.push(variable),
            None => script += &format!("{line}\n"),
        }
    }
    assert_eq!(named, NAMED);
    let (stage, dtr) = (Stage::new().await, Cluster::start(1).await.unwrap());
    let image = Image::random(601);
    dtr.registry.push(0, "acme/web", &image, "v1").await.unwrap();
    old.push("ubuntu", "22.04", &image).await;
    old.push("team/web", "v1", &image).await;
    old.push("group/sub/app", "v1", &image).await;
    fs::write(stage.path("dtr.password"), &dtr.password).unwrap();
    fs::copy(dtr.ca_file().await.unwrap(), stage.path("dtr-ca.pem")).unwrap();

    let binary = executable::find().unwrap();
    let folders = format!("{}:{}", text(binary.parent().unwrap()), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command
        .args(["-c", &script])
        .current_dir(stage.folder.path())
        .env("PATH", folders)
        .env("HOLDFAST_URL", &stage.cluster.replicas[0].url)
        .env("HOLDFAST_USERNAME", ADMIN)
        .env("HOLDFAST_PASSWORD_FILE", stage.path("admin.password"))
        .env("HOLDFAST_CA", stage.cluster.ca_file().await.unwrap())
        .env("DTR", &dtr.replicas[0].url)
        .env("REGISTRY", &old.registry.url);
    let ended = executable::finish(command).await.unwrap();
    assert_eq!(ended.status, Some(0), "{script}\n{ended}");
    for repository in ["acme/web", "library/ubuntu", "group/sub-app", "team/web"] {
        let tag = if repository == "library/ubuntu" { "22.04" } else { "v1" };
        stage.has(repository, tag, &image).await;
    }
    ends_well(&stage.cluster);
}
