//! What jobs and crons are asked for with on the command line.

use std::str::FromStr;

use clap::Args;
use serde_json::{Map, Value, json};

use super::body::fields;

/// `NAME=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    name: String,
    value: String,
}

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                Ok(Self { name: name.to_owned(), value: value.to_owned() })
            }
            _ => Err("write NAME=VALUE, such as seconds=30".to_owned()),
        }
    }
}

/// `NAME=NUMBER`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount {
    name: String,
    amount: u32,
}

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = |(name, amount): (&str, &str)| {
            let amount = amount.parse().ok()?;
            (!name.is_empty()).then(|| Self { name: name.to_owned(), amount })
        };
        let wrong = || "write NAME=NUMBER, such as scan=1".to_owned();
        text.split_once('=').and_then(read).ok_or_else(wrong)
    }
}

/// Bounds of a job, and what it is told.
#[derive(Args)]
pub struct JobFlags {
    /// Tells the work something, as NAME=VALUE; as often as needed
    #[arg(long, value_name = "NAME=VALUE", env = "HOLDFAST_PARAMETER")]
    parameter: Vec<Pair>,

    /// How often it is tried again where it fails
    #[arg(long, value_name = "NUMBER", env = "HOLDFAST_RETRIES")]
    retries: Option<u32>,

    /// So long after its begin it is told to stop: 30s, 5m, 1h30m
    #[arg(long, value_name = "TIME", env = "HOLDFAST_DEADLINE")]
    deadline: Option<String>,

    /// So long after it was told to stop it is ended
    #[arg(long, value_name = "TIME", env = "HOLDFAST_STOP_TIMEOUT")]
    stop_timeout: Option<String>,

    /// What of its worker it takes while it runs, as NAME=NUMBER; as often as needed
    #[arg(long, value_name = "NAME=NUMBER", env = "HOLDFAST_CAPACITY")]
    capacity: Vec<Amount>,
}

impl JobFlags {
    /// The fields of a request, with these before them.
    pub fn body<const N: usize>(&self, first: [(&str, Option<Value>); N]) -> Value {
        let given = |text: &Option<String>| text.clone().map(Value::from);
        let parameters = self.parameter.iter().map(|it| (it.name.clone(), json!(it.value)));
        let capacity = self.capacity.iter().map(|it| (it.name.clone(), json!(it.amount)));
        let own = fields([
            ("parameters", map(parameters)),
            ("retries", self.retries.map(Value::from)),
            ("deadline", given(&self.deadline)),
            ("stopTimeout", given(&self.stop_timeout)),
            ("capacityMap", map(capacity)),
        ]);
        let mut body = fields(first);
        if let (Value::Object(body), Value::Object(own)) = (&mut body, own) {
            body.extend(own);
        }
        body
    }
}

/// An object of what was given; nothing where that is nothing.
fn map(given: impl Iterator<Item = (String, Value)>) -> Option<Value> {
    let map: Map<String, Value> = given.collect();
    (!map.is_empty()).then_some(Value::Object(map))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Amount, JobFlags, Pair};

    #[test]
    fn only_what_is_given_is_asked_for() {
        let nothing = JobFlags {
            parameter: Vec::new(),
            retries: None,
            deadline: None,
            stop_timeout: None,
            capacity: Vec::new(),
        };
        assert_eq!(nothing.body([("action", Some(json!("x")))]), json!({"action": "x"}));
        let some = JobFlags {
            parameter: vec!["a=b=c".parse().unwrap()],
            retries: Some(2),
            deadline: Some("5m".to_owned()),
            stop_timeout: None,
            capacity: vec!["scan=1".parse().unwrap()],
        };
        let body = json!({
            "parameters": {"a": "b=c"}, "retries": 2, "deadline": "5m", "capacityMap": {"scan": 1},
        });
        assert_eq!(some.body([]), body);
    }

    #[test]
    fn what_is_no_pair_is_refused() {
        for text in ["a", "=b", ""] {
            assert!(text.parse::<Pair>().is_err(), "{text:?}");
        }
        for text in ["a=b", "=1", "a=-1", "a"] {
            assert!(text.parse::<Amount>().is_err(), "{text:?}");
        }
    }
}
