//! docs/api.md, executed: its examples run in order in one shell, through a balancer, and each must
//! be answered as the page says.

use std::fs;
use std::path::{Path, PathBuf};

use chaos_tests::balancer::Balancer;
use chaos_tests::cluster::Cluster;
use chaos_tests::executable::text;
use chaos_tests::programs::Program;
use reqwest::Method;
use serde_json::{Value, json};

use self::examples::{Step, belongs, keeps, routes, steps, traced, with_values};
use crate::{credentials, ends_well, hosts};

#[path = "api_page/examples.rs"]
mod examples;

/// What the examples call besides the shell and its usual company.
const PROGRAMS: [&str; 4] = ["sh", "curl", "jq", "sha256sum"];

/// Rounds; read without a barrier, a follower's answer is seen to lack its change within five.
const CHANGES: usize = 12;

fn page() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/api.md");
    fs::read_to_string(path).unwrap()
}

/// All steps as one program, each with files of its own for what it prints and what curl says of
/// its requests.
///
/// A wrapper keeps curl's own report apart, so that the examples stay as a person would type them.
fn program(steps: &[Step], values: &[(&str, String)]) -> String {
    let mut text = "set -u\ncurl() { command curl -sS -v \"$@\" 2>>\"$REPORT\"; }\n".to_owned();
    for (number, step) in steps.iter().enumerate() {
        let commands =
            if number == 0 { with_values(&step.commands, values) } else { step.commands.clone() };
        text += &format!("exec >step-{number}.out; REPORT=$PWD/step-{number}.report\n{commands}\n");
    }
    text
}

/// What one step did that the page does not say; adds its requests to those that were made.
fn complaint(number: usize, step: &Step, folder: &Path, made: &mut Vec<String>) -> Option<String> {
    let read = |end: &str| fs::read(folder.join(format!("step-{number}.{end}")));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let at = format!("docs/api.md:{}: `{}`", step.line, step.commands.trim());
    let Ok(output) = read("out").map(text) else {
        return Some(format!("{at} did not run"));
    };
    let report = read("report").map(text).unwrap_or_default();
    let (asked, status) = traced(&report);
    let Some(promise) = &step.promise else {
        return (!asked.is_empty()).then(|| format!("{at} promises nothing"));
    };
    made.extend(asked);
    if status == Some(promise.status) && keeps(&promise.text, &output) {
        return None;
    }
    let wanted = format!("{} {}", promise.status, promise.text);
    // The rest of what curl reports is the handshake, and the credentials.
    let said: Vec<&str> = report.lines().filter(|it| it.starts_with(['<', 'c'])).collect();
    let report = said.join("\n");
    Some(format!("{at}\nwants {wanted}\nwas answered {status:?} {output}\n{report}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_of_the_page_is_answered_as_it_says() {
    let programs = PROGRAMS.map(Program::new);
    let [Some(sh), Some(_), Some(_), Some(_)] = programs else { return };
    let cluster = Cluster::start(3).await.unwrap();
    let balancer = Balancer::start(hosts(&cluster)).await.unwrap();
    let (page, folder) = (page(), tempfile::tempdir().unwrap());
    let steps = steps(&page);
    let values = [
        ("HOST", format!("https://{}", balancer.address)),
        ("WHO", credentials(&cluster)),
        ("CURL_CA_BUNDLE", text(&cluster.ca_file().await.unwrap())),
    ];
    let set = &steps[0].commands;
    for (name, _) in &values {
        assert!(set.contains(&format!("{name}=")), "the page does not begin with {name}:\n{set}");
    }
    let script = folder.path().join("examples.sh");
    fs::write(&script, program(&steps, &values)).unwrap();
    let ended = sh.inside(folder.path()).ends(&[&text(&script)]).await.unwrap();
    let mut made = Vec::new();
    let numbered = steps.iter().enumerate();
    let mut complaints: Vec<String> = numbered
        .filter_map(|(number, step)| complaint(number, step, folder.path(), &mut made))
        .collect();
    if ended.status != Some(0) || !ended.err.is_empty() {
        complaints.push(ended.to_string());
    }
    let shown = |route: &String| made.iter().any(|asked| belongs(asked, route));
    let missing = routes(&page).into_iter().filter(|route| !shown(route));
    complaints.extend(missing.map(|route| format!("{route} has no example")));
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
    assert!(balancer.taken().iter().all(|taken| *taken > 10), "{:?}", balancer.taken());
    changes_are_in_their_own_answers(&cluster).await;
    ends_well(&cluster);
}

/// What a replica answers to a change that the leader carried out shows that change, though the
/// replica itself may not have it yet.
async fn changes_are_in_their_own_answers(cluster: &Cluster) {
    let asked = |place: usize, method: Method, path: &str, body: Value| {
        let request = cluster.registry.basic(place, method, path).json(&body);
        async move { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    for round in 0..CHANGES {
        let (name, place) = (format!("change-{round}"), round % 3);
        let body = json!({"name": name, "shortDescription": name});
        let made = asked(place, Method::POST, "/api/v0/repositories/docs", body).await;
        assert_eq!(made["shortDescription"], json!(name), "replica {place}: {made}");
        let (path, said) = (format!("/api/v0/repositories/docs/{name}"), format!("then {round}"));
        let body = json!({"shortDescription": said});
        let changed = asked(place, Method::PATCH, &path, body).await;
        assert_eq!(changed["shortDescription"], json!(said), "replica {place}: {changed}");
        let body = json!({"name": name, "password": "correct-horse"});
        let account = asked(place, Method::POST, "/enzi/v0/accounts", body).await;
        assert!(account["id"].as_str().is_some_and(|id| !id.is_empty()), "{place}: {account}");
    }
}
