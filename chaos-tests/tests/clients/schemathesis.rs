//! schemathesis: requests made up from the `OpenAPI` document, such as fit it and such as don't.
//! None may be a fault of ours, and every answer must be one that the document tells of.

use std::fs;
use std::path::Path;

use chaos_tests::cluster::{ADMIN, Cluster};
use chaos_tests::executable::text;
use chaos_tests::length::Length;
use chaos_tests::programs::Program;
use reqwest::Method;
use serde_json::{Value, json};

use crate::artifacts::subject;
use crate::ends_well;

/// What must hold of every answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";
/// What stands in the places of paths in the second run: with made-up names nearly every answer is
/// that there is no such thing.
const PLACES: &str = r#"
[parameters]
"path.account" = "walt"
"path.ns" = "acme"
"path.org" = "acme"
"path.ref" = "v1"
"path.repo" = "web"
"path.team" = "writers"
"path.user" = "walt"
"#;

/// By these a fuzzer soon locks itself out: it switches passwords off, or deletes its own token.
/// They are fuzzed by themselves, at the end.
const LOCKING_OUT: &str = "^/api/v0/(meta/settings|api_tokens)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_fuzzer_makes_up_is_answered_as_the_document_says() {
    let Some(program) = Program::unpacked("schemathesis") else { return };
    let length = Length::of_this_run();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("made-up.toml"), "").unwrap();
    fs::write(folder.path().join("there.toml"), PLACES).unwrap();
    let runs = [
        (0, "made-up.toml", "--exclude-path-regex"),
        (1, "there.toml", "--exclude-path-regex"),
        (2, "there.toml", "--include-path-regex"),
    ];
    for (place, config, choice) in runs {
        let cluster = Cluster::start(3).await.unwrap();
        furnish(&cluster).await;
        let bounds = (place, length.examples, length.fuzz_s / 3);
        run(&cluster, &program, (folder.path(), config, choice), bounds).await;
        ends_well(&cluster);
    }
}

/// Fuzzes one replica, and shows what was found.
async fn run(
    cluster: &Cluster,
    program: &Program,
    (folder, config, choice): (&Path, &str, &str),
    (place, examples, seconds): (usize, u64, u64),
) {
    let url = &cluster.replicas[place].url;
    let (config, document) = (text(&folder.join(config)), format!("{url}/api/v0/openapi.json"));
    let account = access(cluster).await;
    let ca = text(&cluster.ca_file().await.unwrap());
    // One at a time: the compiler of Python 3.11, which the fuzzer asks often, fails now and then
    // where two threads ask it.
    let options = format!(
        "--workers 1 --phases examples,coverage,fuzzing --seed 20 --warnings off \
         --generation-database none --max-time {seconds} --max-examples {examples} \
         --checks {CHECKS}"
    );
    let mut arguments = vec!["--config-file", &config, "--no-color", "run", &document];
    arguments.extend(["--url", url, "--auth", &account, choice, LOCKING_OUT, "--tls-verify", &ca]);
    arguments.extend(options.split(' ').filter(|word| !word.is_empty()));
    let ended = program.clone().inside(folder).ends(&arguments).await.unwrap();
    let report = ended.out.replace(&account, "ACCOUNT");
    assert_eq!(ended.status, Some(0), "{report}\n{}", ended.err);
}

/// The administrator with an access token: a fuzzer may well switch passwords off.
async fn access(cluster: &Cluster) -> String {
    let request = cluster.registry.basic(0, Method::POST, "/api/v0/api_tokens").json(&json!({}));
    let answer = request.send().await.unwrap().error_for_status().unwrap();
    let made: Value = answer.json().await.unwrap();
    format!("{ADMIN}:{}", made["token"].as_str().unwrap())
}

/// An organization with a team, a member, a repository and a tag.
async fn furnish(cluster: &Cluster) {
    let asked = async |method: Method, path: &str, body: Value| {
        let request = cluster.registry.basic(0, method, path).json(&body);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    };
    let user = json!({ "name": "walt", "password": "copper-lantern-64" });
    asked(Method::POST, "/enzi/v0/accounts", user).await;
    let organization = json!({ "name": "acme", "isOrg": true });
    asked(Method::POST, "/enzi/v0/accounts", organization).await;
    asked(Method::POST, "/enzi/v0/accounts/acme/teams", json!({ "name": "writers" })).await;
    let member = "/enzi/v0/accounts/acme/teams/writers/members/walt";
    asked(Method::PUT, member, json!({ "isAdmin": true })).await;
    asked(Method::POST, "/api/v0/repositories/acme", json!({ "name": "web" })).await;
    subject(cluster, "acme/web", 83).await;
}
