//! A cluster that begins with a backup of another one.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::cluster::{ADMIN, Cluster};
use crate::executable::{self, text};
use crate::process::{Process, Tuning};
use crate::registry::{Credentials, Registry};

impl Cluster {
    /// Restores the first of so many replicas and starts it; the others may join.
    ///
    /// `arguments` are those of `holdfast restore` but for `--config`; `lay` may put content into
    /// the first replica's folders before. Password and recovery key are those of the former
    /// cluster.
    pub async fn restore(
        replicas: usize,
        (password, recovery_key): (&str, &Path),
        arguments: &[&str],
        lay: impl FnOnce(&Process) -> Result<()>,
    ) -> Result<Self> {
        let mut cluster = Self::prepare(&vec![Tuning::default(); replicas])?;
        fs::write(cluster.folder().join("admin-password"), password)?;
        let who = Credentials { name: ADMIN.to_owned(), password: password.to_owned() };
        let addresses = cluster.replicas.iter().map(|it| it.http.clone()).collect();
        cluster.registry = Registry::new(addresses, Some(who), None)?;
        password.clone_into(&mut cluster.password);
        // Where `install` leaves it: it is looked for in logs from there.
        fs::copy(recovery_key, cluster.replicas[0].data.with_file_name("data-recovery-key"))?;
        lay(&cluster.replicas[0])?;
        let config = text(&cluster.replicas[0].config);
        let command = [&["restore"], arguments, &["--config", &config]].concat();
        executable::run(&command).await?.expect_done().context("restore")?;
        cluster.replicas[0].start()?;
        cluster.wait_healthy().await.with_context(|| cluster.replicas[0].log_tail())?;
        Ok(cluster)
    }

    /// Runs a remote verb as the administrator at the replica at `place`.
    pub async fn verb(&self, place: usize, words: &[&str]) -> Result<executable::Ended> {
        let password = text(&self.folder().join("admin-password"));
        let (url, ca) = (self.replicas[place].url.clone(), text(&self.ca_file().await?));
        let connection = ["--url", &url, "--username", ADMIN, "--ca", &ca];
        let password = ["--password-file", &password];
        executable::run(&[words, &connection, &password].concat()).await
    }
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
