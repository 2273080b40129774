//! Events and the audit log as an administrator reads them, from any replica, and what `verify`
//! finds where somebody laid hands on an export.

use std::fs;
use std::time::{Duration, Instant};

use chaos_tests::cluster::{ADMIN, Cluster};
use chaos_tests::image::Image;
use chaos_tests::programs::Program;
use reqwest::Method;
use serde_json::{Value, json};

use crate::command_line::desk::Desk;
use crate::command_line::script;
use crate::ends_well;

/// What was pulled is told every ten seconds.
const PULL_TOLD_MAX: Duration = Duration::from_secs(40);

/// docs/operate/audit.md, executed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_of_the_page_about_audit_does_what_it_says() {
    let (Some(_), Some(_)) = (Program::new("bash"), Program::new("jq")) else { return };
    let cluster = Cluster::start(3).await.unwrap();
    let desk = Desk::at(&cluster).await;
    let script = script("audit.md");
    let ended = desk.script(&script).await.unwrap();
    assert_eq!(ended.status, Some(0), "{script}\n{ended}");
    for said in [
        "\tCREATE REPOSITORY\tacme/web\t",
        "\nacme/web\n",
        "repoEventHistoryMaxAge=2160h",
        "repoEventHistoryCompactionEnabled=true",
        "\trepository.create\tacme/web\tvisibility=private",
        "are as they were written\n",
        "are as they were written, and the cluster has the same\n",
        "\"live\": true",
    ] {
        assert!(ended.out.contains(said), "{said}\n{ended}");
    }
    what_was_changed_is_found(&desk).await;
    ends_well(&cluster);
}

/// The export that the page left, with hands laid on it.
async fn what_was_changed_is_found(desk: &Desk<'_>) {
    let whole = fs::read_to_string(desk.folder.path().join("audit.jsonl")).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let number = |line: usize| {
        let record: Value = serde_json::from_str(lines[line]).unwrap();
        record["number"].as_u64().unwrap()
    };
    let by_admin = "\"actor\":\"admin\"";
    let place = lines.iter().rposition(|line| line.contains(by_admin)).unwrap();
    let changed = lines[place].replace(by_admin, "\"actor\":\"eve\"");
    let with = |line: usize, text: &str| {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        text.clone_into(&mut lines[line]);
        lines.join("\n") + "\n"
    };
    let without = |line: usize| {
        let mut lines = lines.clone();
        lines.remove(line);
        lines.join("\n") + "\n"
    };
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    let cases = [
        (with(place, &changed), number(place)),
        (without(2), number(2)),
        (without(lines.len() - 1), number(lines.len() - 1)),
        (swapped.join("\n"), number(2)),
    ];
    for (text, record) in cases {
        desk.write("changed.jsonl", &text);
        let ended = desk.types(ADMIN, "audit verify changed.jsonl").await;
        assert_eq!(ended.status, Some(1), "{ended}");
        let named = format!("record {record}:");
        assert!(ended.err.contains(&named) && ended.out.is_empty(), "{named}\n{ended}");
    }
    // A history that is whole in itself, and not the cluster's.
    let other: Value = serde_json::from_str(lines[0]).unwrap();
    let head = other["head"].as_str().unwrap();
    desk.write("changed.jsonl", &whole.replace(head, &"0".repeat(64)));
    let ended = desk.types(ADMIN, "audit verify changed.jsonl").await;
    assert_eq!(ended.status, Some(1), "{ended}");
    let away = "audit verify audit.jsonl --live --url http://127.0.0.1:1";
    assert_eq!(desk.types(ADMIN, away).await.status, Some(4));
    let ended = desk.types(ADMIN, "audit export --from 1000000").await;
    assert_eq!(ended.status, Some(2), "{ended}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_through_any_replica_is_told_by_every_other() {
    let cluster = Cluster::start(3).await.unwrap();
    let desk = Desk::at(&cluster).await;
    // Each command goes to the next replica.
    for round in 0..3 {
        desk.done(&format!("org create org-{round}")).await;
    }
    let records = desk.json("audit list --action organization.create").await;
    let records = records.as_array().unwrap();
    let objects: Vec<&Value> = records.iter().map(|record| &record["object"]).collect();
    assert_eq!(objects, [&json!("org-2"), &json!("org-1"), &json!("org-0")]);
    for record in records {
        assert_eq!((&record["actor"], &record["address"]), (&json!(ADMIN), &json!("127.0.0.1")));
        let (id, request) = (&record["actorId"], &record["requestId"]);
        assert_eq!(id.as_str().map(str::len), Some(36), "{record}");
        assert_eq!(request.as_str().map(str::len), Some(16), "{record}");
    }
    let first = desk.json("audit list --action cluster. --limit 1").await;
    assert_eq!(first[0]["number"], 1, "{first}");
    let joined = desk.json("audit list --action replica.join").await;
    assert_eq!(joined.as_array().unwrap().len(), 2, "{joined}");

    desk.write("eve.password", "nobody-knows-me");
    desk.done("user create eve --new-password-file eve.password").await;
    for line in ["audit list", "audit export", "events list"] {
        let ended = desk.types("eve", line).await;
        assert_eq!(ended.status, Some(1), "{line}\n{ended}");
        assert!(ended.err.contains("NOT_AUTHORIZED"), "{line}\n{ended}");
    }
    pulls_are_told(&desk).await;
    ends_well(&cluster);
}

async fn pulls_are_told(desk: &Desk<'_>) {
    let registry = &desk.cluster.registry;
    registry.push(0, "org-0/app", &Image::random(7), "v1").await.unwrap();
    let path = "/v2/org-0/app/manifests/v1";
    let pulled = registry.basic(1, Method::GET, path).send().await.unwrap();
    assert_eq!(pulled.status(), 200);
    let asked = "events list --repository org-0/app --type GET --object-type TAG";
    let began = Instant::now();
    let told = loop {
        let told = desk.json(asked).await;
        if told != json!([]) {
            break told;
        }
        assert!(began.elapsed() < PULL_TOLD_MAX, "the pull is not told");
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    assert_eq!(told[0]["object"]["name"], "v1", "{told}");
    let rest = desk.done("events list --repository org-0/app --exclude-pulls").await;
    let events: Vec<&str> =
        rest.lines().map(|line| line.split('\t').nth(2).unwrap_or_default()).collect();
    assert_eq!(events, ["UPDATE TAG", "CREATE MANIFEST", "CREATE REPOSITORY"]);
}
