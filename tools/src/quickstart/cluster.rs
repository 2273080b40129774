//! The replicas of a quick start: their record, their processes, and how they are.

use reqwest::Method;
use wire::client_tls::Trust;

use super::folder::Folder;
use super::process::Process;
use super::record::Record;
use crate::client::Client;
use crate::exit::Stop;
use crate::prompt;
use crate::status::{self, View};

/// A quick start under way.
pub struct Cluster {
    /// Where it lies.
    pub folder: Folder,
    /// What is recorded of it.
    pub record: Record,
    /// One a replica, in the same order.
    pub processes: Vec<Process>,
}

impl Cluster {
    /// Replicas that are still running are found; none is started.
    pub fn new(folder: Folder, mut record: Record) -> Self {
        let find = |replica| Process::find(replica).unwrap_or_default();
        let processes: Vec<Process> = record.replicas.iter().map(find).collect();
        for (replica, process) in record.replicas.iter_mut().zip(&processes) {
            replica.pid = process.pid().unwrap_or(0);
        }
        Self { folder, record, processes }
    }

    /// A client of replica `at`, as the administrator.
    pub fn client(&self, at: usize) -> Result<Client, Stop> {
        let ca = std::fs::read_to_string(&self.record.ca)
            .map_err(|error| Stop::file("read", &self.record.ca, &error))?;
        let password = prompt::password_file(&self.record.password_file)?;
        let credentials = (self.record.admin.clone(), password);
        Client::new(&self.record.replicas[at].url, &Trust::Pinned(ca), Some(credentials))
    }

    /// Starts replica `at` unless it runs.
    pub fn start(&mut self, at: usize) -> Result<(), Stop> {
        let replica = &mut self.record.replicas[at];
        if self.processes[at].ended(replica).is_some() {
            self.processes[at] = Process::serve(replica)?;
        }
        replica.pid = self.processes[at].pid().unwrap_or(0);
        Ok(())
    }

    /// Whether replica `at` answers `/_ping` with 200 now.
    pub async fn is_ready(&self, at: usize) -> bool {
        let Ok(client) = self.client(at) else { return false };
        let answer = client.send(client.bare(Method::GET, "/_ping")).await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// The cluster's status as replica `at` sees it.
    pub async fn status(&self, at: usize) -> Result<serde_json::Value, Stop> {
        let client = self.client(at)?;
        client.json(client.request(Method::GET, status::PATH)).await
    }

    /// How the cluster is, by the first replica that tells, and which processes ended.
    pub async fn look(&mut self) -> (Option<View>, Vec<Option<String>>) {
        let gone: Vec<Option<String>> = self
            .processes
            .iter_mut()
            .zip(&self.record.replicas)
            .map(|(process, replica)| process.ended(replica))
            .collect();
        for (at, ended) in gone.iter().enumerate() {
            if ended.is_none()
                && let Ok(answer) = self.status(at).await
                && let Ok(view) = View::of(&answer)
            {
                return (Some(view), gone);
            }
        }
        (None, gone)
    }

    /// Stops every replica, those that were found running included.
    pub async fn stop_all(&mut self) {
        for process in &self.processes {
            process.tell_to_stop();
        }
        for (process, replica) in self.processes.iter_mut().zip(&self.record.replicas) {
            process.wait_for_end(replica).await;
        }
    }
}
