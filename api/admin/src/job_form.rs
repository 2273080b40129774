//! Jobs as this API writes them: what is asked for and how it is shown.
//!
//! Source: dtr-interface 3.1, 3.2.

use std::collections::BTreeMap;

use edge::problem::Problem;
use metadata::jobs::spec::{Amount, JobSpec, Parameter};
use metadata::jobs::{JobRow, JobStatus};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::go_duration;
use crate::moment::to_millisecond;
use crate::reference::uuid;

/// What jobs and crons are asked for with; absent and `null` stand for nothing.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AskedSpec {
    action: Option<String>,
    parameters: Option<BTreeMap<String, Value>>,
    retries: Option<u32>,
    capacity_map: Option<BTreeMap<String, u32>>,
    deadline: Option<String>,
    stop_timeout: Option<String>,
}

impl AskedSpec {
    /// What is to be done. Bounds are the state machine's to check.
    pub(crate) fn into_spec(self) -> Result<JobSpec, Problem> {
        Ok(JobSpec {
            action: named(self.action)?,
            parameters: parameters(self.parameters)?,
            capacity: amounts(self.capacity_map.unwrap_or_default()),
            retries: self.retries.unwrap_or(0),
            deadline_s: seconds("deadline", self.deadline.as_deref())?,
            stop_timeout_s: seconds("stopTimeout", self.stop_timeout.as_deref())?,
        })
    }
}

/// The action, which every form needs.
pub(crate) fn named(action: Option<String>) -> Result<String, Problem> {
    let missing = || Problem::Parameter("action is needed: what is to be done".to_owned());
    action.filter(|action| !action.is_empty()).ok_or_else(missing)
}

/// Texts under names; clients of the old product also send numbers and flags.
pub(crate) fn parameters(
    asked: Option<BTreeMap<String, Value>>,
) -> Result<Vec<Parameter>, Problem> {
    let read = |(name, value)| {
        let value = match value {
            Value::String(text) => text,
            Value::Number(_) | Value::Bool(_) => Value::to_string(&value),
            _ => {
                let text = "parameters are texts under names".to_owned();
                return Err(Problem::Parameter(text));
            }
        };
        Ok(Parameter { name, value })
    };
    asked.unwrap_or_default().into_iter().map(read).collect()
}

/// So much of what, by name.
pub(crate) fn amounts(asked: BTreeMap<String, u32>) -> Vec<Amount> {
    asked.into_iter().map(|(name, amount)| Amount { name, amount }).collect()
}

fn seconds(field: &str, given: Option<&str>) -> Result<u64, Problem> {
    let Some(text) = given.filter(|text| !text.is_empty()) else { return Ok(0) };
    let wrong =
        || Problem::Parameter(format!("{field} is hours, minutes and seconds, such as 1h30m"));
    go_duration::parse(text).ok_or_else(wrong)
}

/// What a status is called in a request, by either of the words that there are for it.
pub(crate) fn status_of(word: &str) -> Option<JobStatus> {
    let word = match word {
        "canceled" => "cancel",
        "errored" => "error",
        other => other,
    };
    JobStatus::WORDS.iter().find(|(_, known)| *known == word).map(|(status, _)| *status)
}

/// A job as clients of the old product read it, and what it said last.
pub(crate) fn shown(job: &JobRow) -> Value {
    let worker = job.worker.map(|worker| worker.to_string()).unwrap_or_default();
    let mut document = shown_spec(&job.spec);
    let own = json!({
        "id": uuid(&job.id),
        "retryFromID": job.retry_from.as_ref().map(uuid).unwrap_or_default(),
        "workerID": worker,
        "status": job.status.word(),
        "scheduledAt": to_millisecond(job.scheduled_wall_ms),
        "lastUpdated": to_millisecond(job.updated_wall_ms),
        "retriesLeft": job.retries_left,
        "retriesTotal": job.spec.retries,
        "message": job.message,
    });
    add(&mut document, own);
    document.remove("retries");
    Value::Object(document)
}

/// What jobs and crons have in common.
pub(crate) fn shown_spec(spec: &JobSpec) -> Map<String, Value> {
    let mut document = Map::new();
    let common = json!({
        "action": spec.action,
        "retries": spec.retries,
        "capacityMap": shown_amounts(&spec.capacity),
        "parameters": shown_parameters(&spec.parameters),
        "deadline": go_duration::written(spec.deadline_s),
        "stopTimeout": go_duration::written(spec.stop_timeout_s),
    });
    add(&mut document, common);
    document
}

/// Adds the fields of an object.
pub(crate) fn add(document: &mut Map<String, Value>, more: Value) {
    if let Value::Object(more) = more {
        document.extend(more);
    }
}

pub(crate) fn shown_amounts(amounts: &[Amount]) -> Value {
    let shown = amounts.iter().map(|amount| (amount.name.clone(), json!(amount.amount)));
    Value::Object(shown.collect())
}

pub(crate) fn shown_parameters(parameters: &[Parameter]) -> Value {
    let shown = parameters.iter().map(|it| (it.name.clone(), json!(it.value)));
    Value::Object(shown.collect())
}

#[cfg(test)]
mod tests {
    use metadata::jobs::JobStatus;
    use serde_json::json;

    use super::{AskedSpec, status_of};

    #[test]
    fn a_job_is_asked_for_as_clients_of_the_old_product_do() {
        let asked = |document| serde_json::from_value::<AskedSpec>(document).unwrap().into_spec();
        let spec = asked(json!({
            "action": "sleep", "parameters": {"b": "x", "a": 5, "c": true}, "retries": 2,
            "capacityMap": {"scan": 1}, "deadline": "1h30m", "stopTimeout": "", "unknown": [],
        }));
        let spec = spec.unwrap();
        let values: Vec<_> = spec.parameters.iter().map(|it| it.value.as_str()).collect();
        assert_eq!(
            (values, spec.deadline_s, spec.stop_timeout_s),
            (vec!["5", "x", "true"], 5400, 0)
        );
        assert_eq!((spec.capacity[0].amount, spec.retries), (1, 2));
        for wrong in [
            json!({}),
            json!({"action": ""}),
            json!({"action": null}),
            json!({"action": "sleep", "deadline": "soon"}),
            json!({"action": "sleep", "parameters": {"a": {}}}),
        ] {
            assert!(asked(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_status_is_read_by_both_of_its_words() {
        for (word, status) in [
            ("cancel", Some(JobStatus::Cancel)),
            ("canceled", Some(JobStatus::Cancel)),
            ("errored", Some(JobStatus::Error)),
            ("worker_dead", Some(JobStatus::WorkerDead)),
            ("deleted", None),
        ] {
            assert_eq!(status_of(word), status, "{word}");
        }
    }
}
