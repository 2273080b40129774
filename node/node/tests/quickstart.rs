//! The binary as a user meets it: a quick start that comes up, resumes, and refuses in words.
#![allow(clippy::unwrap_used, missing_docs)]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

/// A base port whose ports are free now. Other tests may take one meanwhile; then the test is told
/// so.
fn base_port() -> u16 {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let mut base = 20_000 + u16::try_from(std::process::id() % 20_000).unwrap();
    loop {
        let taken = (1..=3).any(|i| !free(base + i) || !free(base + 100 + i));
        if !taken {
            return base;
        }
        base += 300;
    }
}

fn quickstart(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_holdfast"))
        .arg("quickstart")
        .arg("--dir")
        .arg(dir)
        .args(arguments)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}", text(&output.stdout), text(&output.stderr))
}

#[test]
fn three_replicas_form_a_cluster_prove_it_and_come_back() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("q");
    let base = base_port();
    let port = base.to_string();
    let first = quickstart(&dir, &["--once", "--base-port", &port]);
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    for part in ["with the same digests", "leader", "docker push"] {
        assert!(said(&first).contains(part), "{part}: {}", said(&first));
    }
    let record = std::fs::read_to_string(dir.join("quickstart.json")).unwrap();
    for file in ["admin-password", "recovery-key", "ca.pem", "replica-3/holdfast.toml"] {
        assert!(dir.join(file).is_file(), "{file}");
    }

    let again = quickstart(&dir, &["--once"]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    let ids = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.contains("\"id\"")).map(str::to_owned).collect()
    };
    let resumed = std::fs::read_to_string(dir.join("quickstart.json")).unwrap();
    assert_eq!(ids(&resumed), ids(&record), "the same replicas come back");

    let other = quickstart(&dir, &["--once", "--replicas", "5"]);
    assert_eq!(other.status.code(), Some(3), "{}", said(&other));
    assert!(said(&other).contains("--fresh"), "{}", said(&other));

    let taken = TcpListener::bind(("127.0.0.1", base + 102)).unwrap();
    let blocked = quickstart(&dir, &["--once"]);
    assert_eq!(blocked.status.code(), Some(1), "{}", said(&blocked));
    assert!(said(&blocked).contains(&format!("127.0.0.1:{}", base + 102)), "{}", said(&blocked));
    drop(taken);
}

#[test]
fn a_folder_with_something_else_in_it_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("thesis.txt"), "years of work").unwrap();
    for arguments in [&["--once"][..], &["--once", "--fresh"]] {
        let output = quickstart(home.path(), arguments);
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    }
    assert!(home.path().join("thesis.txt").exists());
}

#[test]
fn serve_says_what_is_wrong_and_ends() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("holdfast.toml");
    let data = home.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let text = |more: &str| {
        format!(
            "data = {data:?}\n[public]\nlisten = \"127.0.0.1:0\"\n[peer]\n\
             listen = \"127.0.0.1:0\"\nadvertise = \"127.0.0.1:4443\"\n\
             [storage]\nallow_volatile = true\n{more}"
        )
    };
    let serve = |more: &str| {
        std::fs::write(&config, text(more)).unwrap();
        Command::new(env!("CARGO_BIN_EXE_holdfast"))
            .arg("serve")
            .arg("--config")
            .arg(&config)
            .output()
            .unwrap()
    };
    let nothing = serve("");
    assert_eq!(nothing.status.code(), Some(1), "{}", said(&nothing));
    assert!(said(&nothing).contains("holdfast install"), "{}", said(&nothing));
    let unknown = serve("frobnicate = 1\n");
    assert_eq!(unknown.status.code(), Some(2), "{}", said(&unknown));
    assert!(said(&unknown).contains("frobnicate"), "{}", said(&unknown));

    std::fs::write(data.join("VERSION"), "99\n").unwrap();
    let newer = serve("");
    assert_eq!(newer.status.code(), Some(3), "{}", said(&newer));
    assert!(said(&newer).contains("format 99"), "{}", said(&newer));
}
