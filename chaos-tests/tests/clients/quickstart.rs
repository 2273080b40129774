//! The quick start, as a newcomer runs it: once, again in the same folder, and after a replica
//! died.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use chaos_tests::executable::{self, Ended, text};
use chaos_tests::ports;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

const OFFSETS: [u16; 9] = [1, 2, 3, 101, 102, 103, 201, 202, 203];

async fn quickstart(folder: &Path, more: &[&str]) -> Ended {
    let folder = text(folder);
    let first = ["quickstart", "--dir", &folder];
    executable::run(&[&first[..], more].concat()).await.unwrap()
}

fn written(folder: &Path) -> Value {
    let text = fs::read_to_string(folder.join("quickstart.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quick_start_checks_itself_and_ends_with_zero() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("quick");
    let base = ports::free_base(&OFFSETS).unwrap().to_string();
    let once = quickstart(&folder, &["--once", "--plain-http", "--base-port", &base]).await;
    let said = once.clone().expect_done().unwrap();
    for word in ["docker login", "docker push", "docker pull"] {
        assert!(said.contains(word), "{word} is not shown:\n{once}");
    }
    let json = written(&folder);
    assert_eq!(json["replicas"].as_array().unwrap().len(), 3, "{json}");
    for file in ["admin-password", "recovery-key"] {
        let mode = fs::metadata(folder.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    for path in [&json["password_file"], &json["ca"], &json["replicas"][0]["config"]] {
        let path = Path::new(path.as_str().unwrap());
        assert!(path.is_absolute() && path.is_file(), "{json}");
    }
    quickstart(&folder, &["--once"]).await.expect_done().unwrap();
    let other = quickstart(&folder, &["--once", "--replicas", "5"]).await;
    assert_ne!(other.status, Some(0), "another number of replicas was taken");
    assert!(other.to_string().contains("--fresh"), "{other}");
    let strange = parent.path().join("strange");
    fs::create_dir(&strange).unwrap();
    fs::write(strange.join("precious"), "data").unwrap();
    let fresh = quickstart(&strange, &["--once", "--fresh", "--base-port", &base]).await;
    assert_ne!(fresh.status, Some(0), "a folder that is not ours was deleted: {fresh}");
    assert!(strange.join("precious").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_ends_the_quick_start_with_its_number() {
    let parent = tempfile::tempdir().unwrap();
    let base = ports::free_base(&OFFSETS).unwrap();
    let taken = std::net::TcpListener::bind(("127.0.0.1", base + 2)).unwrap();
    let folder = parent.path().join("quick");
    let ended = quickstart(&folder, &["--once", "--base-port", &base.to_string()]).await;
    assert_ne!(ended.status, Some(0), "{ended}");
    assert!(ended.to_string().contains(&(base + 2).to_string()), "{ended}");
    drop(taken);
}

/// Starts the quick start and waits until it is up.
async fn stay_up(folder: &Path, base: &str) -> Child {
    let log = fs::File::create(folder.with_extension("log")).unwrap();
    let mut child = Command::new(executable::find().unwrap())
        .args(["quickstart", "--plain-http", "--base-port", base, "--dir", &text(folder)])
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_mins(1);
    while !folder.join("quickstart.json").exists() {
        let log = fs::read_to_string(folder.with_extension("log")).unwrap();
        assert!(child.try_wait().unwrap().is_none(), "it ended:\n{log}");
        assert!(Instant::now() < until, "it is not up:\n{log}");
        sleep(Duration::from_millis(50)).await;
    }
    child
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_quick_start_stops_its_replicas() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("quick");
    let base = ports::free_base(&OFFSETS).unwrap().to_string();
    let mut child = stay_up(&folder, &base).await;
    let json = written(&folder);
    let replicas = json["replicas"].as_array().unwrap().clone();
    let alive = |replica: &Value| Path::new(&format!("/proc/{}", replica["pid"])).exists();
    assert!(replicas.iter().all(alive), "{json}");
    for replica in &replicas {
        let url = format!("{}/_ping", replica["http"].as_str().unwrap());
        assert!(reqwest_ping(&url).await, "{url}");
    }
    let pid = rustix::process::Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ended = timeout(Duration::from_secs(30), child.wait()).await.expect("it did not stop");
    assert!(ended.unwrap().code().is_some());
    assert!(!replicas.iter().any(alive), "replicas were left running");
}

async fn reqwest_ping(url: &str) -> bool {
    let registry = chaos_tests::registry::Registry::new(vec![url.to_owned()], None, None).unwrap();
    registry.bare(0, reqwest::Method::GET, "").send().await.unwrap().status().is_success()
}
