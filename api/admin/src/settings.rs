//! `/api/v0/meta/settings`: what holds for the whole cluster.
//!
//! Source: dtr-interface 3.3.

use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::StatusCode;
use metadata::events::retention::{self, RetentionSet};
use metadata::jobs::history::{self, HistorySet};
use metadata::refusal::Refusal;
use metadata::settings::{self, SECONDS_MAX, SettingsSet};
use metadata::sign_in::{self, SignInSet};
use serde::{Deserialize, Serialize};
use wire::client_certificate::ClientAuthority;

use crate::call::Call;
use crate::go_duration;

/// What GET answers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    dtr_host: String,
    create_repository_on_push: bool,
    read_only_registry: bool,
    client_cert_auth_enabled: bool,
    #[serde(rename = "webTLSClientCA")]
    client_ca_pem: String,
    refuse_passwords: bool,
    undelete_window_seconds: u64,
    collection_grace_seconds: u64,
    repo_event_history_compaction_enabled: bool,
    repo_event_history_to_keep: u64,
    repo_event_history_max_age: String,
    job_history_compaction_enabled: bool,
    job_history_to_keep: u64,
    job_history_max_age: String,
    #[serde(rename = "replicaID")]
    replica_id: String,
}

/// What POST takes; absent and `null` leave a setting, unknown fields are passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    create_repository_on_push: Option<bool>,
    read_only_registry: Option<bool>,
    client_cert_auth_enabled: Option<bool>,
    #[serde(rename = "webTLSClientCA")]
    client_ca_pem: Option<String>,
    refuse_passwords: Option<bool>,
    undelete_window_seconds: Option<u64>,
    collection_grace_seconds: Option<u64>,
    repo_event_history_compaction_enabled: Option<bool>,
    repo_event_history_to_keep: Option<u64>,
    repo_event_history_max_age: Option<String>,
    job_history_compaction_enabled: Option<bool>,
    job_history_to_keep: Option<u64>,
    job_history_max_age: Option<String>,
}

impl Change {
    /// What is to hold for keeping events, where anything of it is given.
    fn events(&self) -> Result<Option<RetentionSet>, Problem> {
        let age = self.repo_event_history_max_age.as_deref();
        let age_max_s = age.map(|age| age_of("repoEventHistoryMaxAge", age)).transpose()?;
        let set = RetentionSet {
            is_on: self.repo_event_history_compaction_enabled,
            kept_max: self.repo_event_history_to_keep,
            age_max_s,
        };
        Ok((set != RetentionSet::default()).then_some(set))
    }

    /// What is to hold for keeping jobs, likewise.
    fn jobs(&self) -> Result<Option<HistorySet>, Problem> {
        let age = self.job_history_max_age.as_deref();
        let age_max_s = age.map(|age| age_of("jobHistoryMaxAge", age)).transpose()?;
        let set = HistorySet {
            is_on: self.job_history_compaction_enabled,
            kept_max: self.job_history_to_keep,
            age_max_s,
        };
        Ok((set != HistorySet::default()).then_some(set))
    }
}

fn age_of(setting: &str, age: &str) -> Result<u64, Problem> {
    let wrong = || {
        let text = format!("{setting} is hours, minutes and seconds, such as 720h or 1h30m");
        Problem::Parameter(text)
    };
    go_duration::parse(age).ok_or_else(wrong)
}

/// The settings in force.
pub async fn get(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let cluster = &call.context.cluster;
    let read = cluster.read(Freshness::Local, |view| {
        let (events, jobs) = (retention::get(view)?, history::get(view)?);
        Ok((settings::get(view)?, sign_in::get(view)?, events, jobs))
    });
    let (row, sign_in, events, jobs) = read.await?;
    let settings = Settings {
        dtr_host: call.context.names.external_host().to_owned(),
        create_repository_on_push: row.create_repository_on_push,
        read_only_registry: row.read_only,
        client_cert_auth_enabled: sign_in.takes_certificates,
        client_ca_pem: sign_in.client_ca_pem,
        refuse_passwords: sign_in.refuses_passwords,
        undelete_window_seconds: row.undelete_s(),
        collection_grace_seconds: row.grace_s,
        repo_event_history_compaction_enabled: events.is_on,
        repo_event_history_to_keep: events.kept_max,
        repo_event_history_max_age: go_duration::written(events.age_max_s),
        job_history_compaction_enabled: jobs.is_on,
        job_history_to_keep: jobs.kept_max,
        job_history_max_age: go_duration::written(jobs.age_max_s),
        replica_id: cluster.replica_id().to_string(),
    };
    Ok(answer::json(StatusCode::OK, &settings))
}

/// Sets what is given; 202, as clients of the old product expect.
pub async fn set(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let cluster = call.context.cluster.clone();
    let min = call.context.content.collection_grace_min().as_secs();
    let change: Change = call.json().await?;
    let (events, jobs) = (change.events()?, change.jobs()?);
    if change.collection_grace_seconds.is_some_and(|grace_s| grace_s < min) {
        let setting = "collectionGraceSeconds".to_owned();
        return Err(Refusal::SettingOutOfBounds { setting, min, max: SECONDS_MAX }.into());
    }
    let sign_in = SignInSet {
        actor: String::new(),
        refuses_passwords: change.refuse_passwords,
        takes_certificates: change.client_cert_auth_enabled,
        client_ca_pem: change.client_ca_pem,
    };
    // The part that may be refused goes first: then nothing is set by halves.
    if sign_in != SignInSet::default() {
        if let Some(ca_pem) = sign_in.client_ca_pem.as_deref().filter(|pem| !pem.is_empty()) {
            let read = ClientAuthority::new(ca_pem, &[]);
            read.map_err(|error| Problem::Parameter(format!("webTLSClientCA: {error}")))?;
        }
        let set = SignInSet { actor: caller.account().to_owned(), ..sign_in };
        cluster.propose_for(caller.voucher(), set.into()).await?;
    }
    let set = SettingsSet {
        create_repository_on_push: change.create_repository_on_push,
        read_only: change.read_only_registry,
        undelete_s: change.undelete_window_seconds,
        grace_s: change.collection_grace_seconds,
        events,
        jobs,
        ..SettingsSet::default()
    };
    if set != SettingsSet::default() {
        cluster.propose_for(caller.voucher(), set.into()).await?;
    }
    Ok(answer::empty(StatusCode::ACCEPTED))
}
