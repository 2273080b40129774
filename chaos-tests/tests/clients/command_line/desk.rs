//! Where commands are typed: a folder, an account, and a cluster in the environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use chaos_tests::cluster::{ADMIN, Cluster};
use chaos_tests::executable::{self, Ended};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

/// Where commands are typed.
pub(crate) struct Desk<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) folder: TempDir,
    ca: PathBuf,
    typed: AtomicUsize,
}

impl<'a> Desk<'a> {
    /// One whose administrator's password is in its folder.
    pub(crate) async fn at(cluster: &'a Cluster) -> Self {
        let (folder, ca) = (tempfile::tempdir().unwrap(), cluster.ca_file().await.unwrap());
        let desk = Self { cluster, folder, ca, typed: AtomicUsize::new(0) };
        desk.write("admin.password", &cluster.password);
        desk
    }

    /// Writes a file of its folder; `NAME.password` is how `NAME` signs in.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// A program that finds `holdfast`, and the next replica, as this user.
    fn program(&self, program: &Path, user: &str) -> Command {
        let place = self.typed.fetch_add(1, Ordering::Relaxed) % self.cluster.replicas.len();
        let folder = self.folder.path();
        let binary = executable::find().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            .env("PATH", format!("{}:{path}", binary.parent().unwrap().display()))
            .env("HOLDFAST_URL", &self.cluster.replicas[place].url)
            .env("HOLDFAST_USERNAME", user)
            .env("HOLDFAST_PASSWORD_FILE", folder.join(format!("{user}.password")))
            .env("HOLDFAST_CA", &self.ca);
        command
    }

    /// Types a line of words as this user.
    pub(crate) async fn types(&self, user: &str, line: &str) -> Ended {
        let mut command = self.program(&executable::find().unwrap(), user);
        command.args(line.split_whitespace());
        executable::finish(command).await.unwrap()
    }

    /// The same as the administrator; it must go well. What is printed.
    pub(crate) async fn done(&self, line: &str) -> String {
        let ended = self.types(ADMIN, line).await;
        assert_eq!(ended.status, Some(0), "{line}\n{ended}");
        ended.out
    }

    /// The objects that it prints.
    pub(crate) async fn json(&self, line: &str) -> Value {
        let out = self.done(&format!("{line} --json")).await;
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{line}: {error}\n{out}"))
    }

    /// Runs a script of bash as the administrator.
    pub(crate) async fn script(&self, script: &str) -> Option<Ended> {
        let bash = chaos_tests::programs::find("bash")?;
        let mut command = self.program(&bash, ADMIN);
        command.args(["-c", script]);
        Some(executable::finish(command).await.unwrap())
    }
}
