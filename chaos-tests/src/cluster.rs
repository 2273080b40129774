//! A cluster of real processes, formed by the same commands that an operator uses.
//!
//! Every replica is killed when the cluster goes out of scope, by the handle of its own process.
//! Where a test fails its folder is kept and named, with the logs in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::executable::{self, text};
use crate::ports;
use crate::process::{Process, Tuning};
use crate::registry::{Credentials, Registry};

/// The administrator that `install` makes.
pub const ADMIN: &str = "admin";
/// A cluster that is not ready by then will not be.
const READY_S_MAX: u64 = 60;
/// A replica that is not well is known as such by all others within this.
const UNHEALTHY_S_MAX: u64 = 10;
/// How often a condition is looked at while it is awaited.
const POLL_MS: u64 = 50;
const START_ATTEMPTS_MAX: u32 = 3;
/// A replica that is told to stop is given so long.
const STOP_MAX: Duration = Duration::from_secs(30);

/// The file of a blob in a data folder.
pub fn blob_file(data: &Path, digest: &str) -> PathBuf {
    let hex = digest.trim_start_matches("sha256:");
    data.join("content/blobs/sha256").join(&hex[..2]).join(hex)
}

/// Replicas, their folder, and a client of all of them.
#[derive(Debug)]
pub struct Cluster {
    /// The replicas by place.
    pub replicas: Vec<Process>,
    /// A client that is the administrator, over plain HTTP.
    pub registry: Registry,
    /// The administrator's password.
    pub password: String,
    /// Join tokens that were used to form it.
    pub join_tokens: Vec<String>,
    folder: Option<TempDir>,
    path: PathBuf,
}

impl Cluster {
    /// Forms a cluster of this many replicas with default settings.
    pub async fn start(replicas: usize) -> Result<Self> {
        Self::start_tuned(&vec![Tuning::default(); replicas]).await
    }

    /// Forms a cluster with a replica for each of these settings.
    ///
    /// Between finding free ports and listening on them another process may take one: then it is
    /// tried again with others.
    pub async fn start_tuned(tunings: &[Tuning]) -> Result<Self> {
        let mut attempt = 1;
        loop {
            let mut cluster = Self::prepare(tunings)?;
            match cluster.form().await {
                Ok(()) => return Ok(cluster),
                Err(error) if attempt < START_ATTEMPTS_MAX && cluster.lost_a_port(&error) => {
                    attempt += 1;
                }
                Err(error) => return Err(error.context(cluster.keep_folder())),
            }
        }
    }

    pub(crate) fn prepare(tunings: &[Tuning]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("holdfast-chaos-").tempdir()?;
        let path = folder.path().to_path_buf();
        let numbers: Vec<u16> = (1..=u16::try_from(tunings.len())?).collect();
        let offsets: Vec<u16> = numbers.iter().flat_map(|it| [*it, 100 + it, 200 + it]).collect();
        let base = ports::free_base(&offsets)?;
        let prepared = tunings.iter().enumerate();
        let replicas = prepared.map(|(place, tuning)| Process::prepare(&path, place, base, tuning));
        let replicas = replicas.collect::<Result<Vec<_>>>()?;
        let password = format!("pass-{:016x}", rand::random::<u64>());
        fs::write(path.join("admin-password"), &password)?;
        let who = Credentials { name: ADMIN.to_owned(), password: password.clone() };
        let addresses = replicas.iter().map(|it| it.http.clone()).collect();
        let registry = Registry::new(addresses, Some(who), None)?;
        Ok(Self { replicas, registry, password, join_tokens: vec![], folder: Some(folder), path })
    }

    async fn form(&mut self) -> Result<()> {
        let password_file = text(&self.path.join("admin-password"));
        let config = text(&self.replicas[0].config);
        let install = [
            "install",
            "--config",
            &config,
            "--admin-password-file",
            &password_file,
            "--create-repository-on-push",
        ];
        executable::run(&install).await?.expect_done().context("install")?;
        self.replicas[0].start()?;
        self.wait_voters(1).await?;
        for place in 1..self.replicas.len() {
            self.join(place).await.with_context(|| format!("join of replica {place}"))?;
        }
        self.learn_ids().await
    }
}

/// Joining.
impl Cluster {
    /// Has the replica at `place` join through the first one, and waits until it votes.
    pub async fn join(&mut self, place: usize) -> Result<()> {
        let token = self.make_join_token().await?;
        let (config, peer) = (text(&self.replicas[place].config), self.replicas[0].peer.clone());
        let join = ["join", "--config", &config, "--peer", &peer, "--join-token", &token];
        executable::run(&join).await?.expect_done()?;
        self.join_tokens.push(token);
        self.replicas[place].start()?;
        self.wait_voters(place + 1).await
    }

    /// Makes a join token by the command for it.
    pub async fn make_join_token(&self) -> Result<String> {
        let first = &self.replicas[0];
        let (password, ca) = (self.path.join("admin-password"), self.ca_file().await?);
        let arguments = [
            "join-token",
            "create",
            "--url",
            &first.url,
            "--username",
            ADMIN,
            "--password-file",
            &text(&password),
            "--ca",
            &text(&ca),
        ];
        let out = executable::run(&arguments).await?.expect_done().context("join-token create")?;
        let token = out.split_whitespace().find(|word| word.starts_with("hf1."));
        token.map(str::to_owned).with_context(|| format!("no join token in {out:?}"))
    }

    /// The authority of the cluster, as any replica hands it out, in a file.
    pub async fn ca_file(&self) -> Result<PathBuf> {
        let path = self.path.join("ca.pem");
        if !path.exists() {
            let answer = self.registry.bare(0, reqwest::Method::GET, "/ca").send().await?;
            fs::write(&path, answer.error_for_status()?.text().await?)?;
        }
        Ok(path)
    }

    async fn learn_ids(&mut self) -> Result<()> {
        let addresses = self.status(0).await?["raft"]["replicas"].clone();
        let addresses = addresses.as_object().context("cluster_status has no raft.replicas")?;
        for replica in &mut self.replicas {
            let own = addresses.iter().find(|(_, it)| it["address"] == replica.peer.as_str());
            replica.id = own.map(|(id, _)| id.clone()).context("a replica is not listed")?;
        }
        Ok(())
    }
}

/// What the replicas say, and what is done to them.
impl Cluster {
    /// `cluster_status` as the replica at `place` sees it.
    pub async fn status(&self, place: usize) -> Result<Value> {
        Ok(self.registry.json(place, "/api/v0/meta/cluster_status").await?)
    }

    /// Places of the replicas whose processes run.
    pub fn running(&mut self) -> Vec<usize> {
        let places = 0..self.replicas.len();
        places.filter(|place| self.replicas[*place].is_running()).collect()
    }

    /// The place of the leader, as a running replica sees it; waits for one to be elected.
    pub async fn leader(&mut self) -> Result<usize> {
        let until = Instant::now() + Duration::from_secs(READY_S_MAX);
        while Instant::now() < until {
            for place in self.running() {
                let Ok(status) = self.status(place).await else {
                    continue;
                };
                let leader = status["raft"]["leader"].as_str().unwrap_or_default();
                let led = self.replicas.iter().position(|it| it.id == leader && !leader.is_empty());
                if let Some(leader) = led.filter(|it| self.replicas[*it].pid().is_some()) {
                    return Ok(leader);
                }
            }
            sleep(Duration::from_millis(POLL_MS)).await;
        }
        bail!("no replica led for {READY_S_MAX} s")
    }

    /// Kills the replica at `place` (SIGKILL) and waits until its process is gone.
    pub async fn kill(&mut self, place: usize) -> Result<()> {
        self.replicas[place].kill().await
    }

    /// Ends the replica at `place`, whatever state it is in: asked first, then killed.
    pub async fn stop_any(&mut self, place: usize) {
        let asked = tokio::time::timeout(STOP_MAX, self.replicas[place].stop()).await;
        if !matches!(asked, Ok(Ok(_))) {
            // It is gone already, or does not end by itself.
            let _ = self.replicas[place].kill().await;
        }
    }

    /// Waits until the replica at `place` hears from no leader.
    pub async fn wait_leaderless(&self, place: usize) {
        let until = Instant::now() + Duration::from_secs(READY_S_MAX);
        while Instant::now() < until {
            let status = self.status(place).await;
            if status.is_ok_and(|status| status["raft"]["leader"] == "") {
                return;
            }
            sleep(Duration::from_millis(POLL_MS)).await;
        }
    }

    /// Waits until the replica at `place` has a blob on its disk.
    ///
    /// # Panics
    ///
    /// It has none within that time.
    pub async fn wait_for_file(&self, place: usize, digest: &str, within: Duration) {
        let (file, until) =
            (blob_file(&self.replicas[place].data, digest), Instant::now() + within);
        while !file.exists() {
            assert!(Instant::now() < until, "{} is not there", file.display());
            sleep(Duration::from_millis(POLL_MS)).await;
        }
    }

    /// Starts the replica at `place` again.
    pub fn restart(&mut self, place: usize) -> Result<()> {
        self.replicas[place].start()
    }
}

/// Waiting.
impl Cluster {
    /// Waits until the replica at `seen_from` says that the one at `place` is not well: within the
    /// ten seconds that are promised.
    pub async fn wait_unhealthy(&self, seen_from: usize, place: usize) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(UNHEALTHY_S_MAX);
        while Instant::now() < until {
            let status = self.status(seen_from).await?;
            if status["replica_health"][&self.replicas[place].id] != "OK" {
                return Ok(());
            }
            sleep(Duration::from_millis(200)).await;
        }
        bail!("replica {place} still counts as well after {UNHEALTHY_S_MAX} s")
    }

    /// Waits until every running replica answers `/_ping` with 200.
    pub async fn wait_healthy(&mut self) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(READY_S_MAX);
        loop {
            let mut waiting = Vec::new();
            for place in self.running() {
                let ping = self.registry.bare(place, reqwest::Method::GET, "/_ping").send().await;
                match ping {
                    Ok(answer) if answer.status().is_success() => {}
                    Ok(answer) => waiting.push((place, answer.text().await.unwrap_or_default())),
                    Err(error) => waiting.push((place, error.to_string())),
                }
            }
            if waiting.is_empty() {
                return Ok(());
            }
            let last = waiting[0].0;
            let tail = || self.replicas[last].log_tail();
            ensure!(Instant::now() < until, "not healthy: {waiting:?}\n{}", tail());
            sleep(Duration::from_millis(POLL_MS)).await;
        }
    }

    /// Waits until the cluster has this many voters and all running replicas are healthy.
    async fn wait_voters(&mut self, count: usize) -> Result<()> {
        self.wait_healthy().await?;
        let until = Instant::now() + Duration::from_secs(READY_S_MAX);
        loop {
            let status = self.status(0).await;
            let voters = status.as_ref().ok().and_then(|it| it["raft"]["voters"].as_array());
            if voters.is_some_and(|voters| voters.len() == count) {
                return Ok(());
            }
            ensure!(Instant::now() < until, "not {count} voters: {status:?}");
            sleep(Duration::from_millis(POLL_MS)).await;
        }
    }

    /// Whether forming failed because a port was taken in between.
    fn lost_a_port(&self, error: &anyhow::Error) -> bool {
        let taken = |text: &str| text.contains("in use") || text.contains("AddrInUse");
        taken(&format!("{error:#}")) || self.replicas.iter().any(|it| taken(&it.log_text()))
    }

    /// The folder that holds everything of it.
    pub fn folder(&self) -> &Path {
        &self.path
    }

    /// Leaves the folder where it is, for a person to look into; says where.
    pub fn keep_folder(&mut self) -> String {
        if let Some(folder) = self.folder.take() {
            let _kept = folder.keep();
        }
        format!("logs are kept in {}", self.path.display())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.keep_folder());
            for replica in &self.replicas {
                eprintln!("--- end of {}\n{}", replica.log.display(), replica.log_tail());
            }
        }
    }
}
