//! `holdfast settings`: what holds for the whole cluster.

use std::str::FromStr;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value};

use super::remote::{RemoteFlags, say};
use super::table::cell;
use crate::client::Client;
use crate::exit::Stop;

const PATH: &str = "/api/v0/meta/settings";

/// `settings show|set`.
#[derive(Args)]
pub struct SettingsArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Shows them
    #[command(after_help = example!("holdfast settings show"))]
    Show {
        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Sets some and leaves the others
    #[command(after_help = example!(
        "holdfast settings set createRepositoryOnPush=true",
        "holdfast settings set readOnlyRegistry=false"
    ))]
    Set {
        /// Name and new value of a setting, as `show` writes them
        #[arg(required = true, value_name = "KEY=VALUE")]
        settings: Vec<Setting>,

        #[command(flatten)]
        remote: RemoteFlags,
    },
}

/// A setting and the value it is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Setting {
    key: String,
    value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                Ok(Self { key: key.to_owned(), value: value.to_owned() })
            }
            _ => Err("write KEY=VALUE, such as readOnlyRegistry=true".to_owned()),
        }
    }
}

impl SettingsArgs {
    /// Does what was asked for.
    pub async fn run(&self) -> Result<(), Stop> {
        match &self.verb {
            Verb::Show { remote } => {
                let settings = in_force(&remote.client()?).await?;
                show(remote, settings)
            }
            Verb::Set { settings, remote } => {
                let client = remote.client()?;
                let before = in_force(&client).await?;
                let body = Value::Object(change(&before, settings)?);
                client.json(client.request(Method::POST, PATH).json(&body)).await?;
                let now = in_force(&client).await?;
                check((&before, &now), &body)?;
                show(remote, now)
            }
        }
    }
}

async fn in_force(client: &Client) -> Result<Map<String, Value>, Stop> {
    let answer = client.json(client.request(Method::GET, PATH)).await?;
    match answer {
        Value::Object(settings) => Ok(settings),
        _ => Err(Stop::failed(format!("{} does not answer with settings", client.url()))),
    }
}

fn show(remote: &RemoteFlags, settings: Map<String, Value>) -> Result<(), Stop> {
    if remote.is_json() {
        return remote.print(&Value::Object(settings), &[]);
    }
    settings.iter().try_for_each(|(key, value)| say(&format!("{key}={}", written(value))))
}

/// A value as [`change`] reads it.
fn written(value: &Value) -> String {
    cell(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// What is sent: each value in the type that the setting has now.
///
/// # Errors
///
/// A usage error for a setting that is not there, which the API would pass over, and for a value of
/// another type.
fn change(now: &Map<String, Value>, wanted: &[Setting]) -> Result<Map<String, Value>, Stop> {
    let typed = wanted.iter().map(|Setting { key, value }| {
        let Some(present) = now.get(key) else {
            let known: Vec<&str> = now.keys().map(String::as_str).collect();
            return Err(Stop::usage(format!("there is no setting {key}: {}", known.join(", "))));
        };
        let typed = match present {
            Value::String(_) | Value::Null => Ok(value.as_str().into()),
            _ => serde_json::from_str::<Value>(value),
        };
        let same_kind = |typed: &Value| {
            std::mem::discriminant(typed) == std::mem::discriminant(present) || present.is_null()
        };
        match typed {
            Ok(typed) if same_kind(&typed) => Ok((key.clone(), typed)),
            _ => {
                Err(Stop::usage(format!("{key}={value}: it is {present} now; write such a value")))
            }
        }
    });
    typed.collect()
}

/// Whether everything was taken: what cannot be changed here is passed over without a word. A value
/// that changed may read otherwise than it was typed: `90m` is `1h30m`.
fn check(
    (before, now): (&Map<String, Value>, &Map<String, Value>),
    wanted: &Value,
) -> Result<(), Stop> {
    let left = now.iter().filter(|(key, value)| {
        let is_other = wanted.get(key.as_str()).is_some_and(|wanted| wanted != *value);
        is_other && before.get(key.as_str()) == Some(value)
    });
    let left: Vec<&str> = left.map(|(key, _)| key.as_str()).collect();
    if left.is_empty() {
        return Ok(());
    }
    Err(Stop::failed(format!("not changed, since not set here: {}", left.join(", "))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::exit::Exit;

    fn now() -> Map<String, Value> {
        let now = json!({"readOnlyRegistry": false, "dtrHost": "a", "graceSeconds": 60});
        now.as_object().unwrap().clone()
    }

    #[test]
    fn a_value_has_the_type_that_the_setting_has() {
        let cases = [
            ("readOnlyRegistry=true", Some(json!({"readOnlyRegistry": true}))),
            ("dtrHost=true", Some(json!({"dtrHost": "true"}))),
            ("dtrHost=a=b", Some(json!({"dtrHost": "a=b"}))),
            ("dtrHost=", Some(json!({"dtrHost": ""}))),
            ("graceSeconds=90", Some(json!({"graceSeconds": 90}))),
            ("readOnlyRegistry=yes", None),
            ("readOnlyRegistry=1", None),
            ("graceSeconds=soon", None),
            ("readonlyRegistry=true", None),
        ];
        for (text, body) in cases {
            let change = change(&now(), &[text.parse().unwrap()]);
            match body {
                Some(body) => assert_eq!(Value::Object(change.unwrap()), body, "{text}"),
                None => assert_eq!(change.unwrap_err().exit, Exit::Usage, "{text}"),
            }
        }
        for text in ["readOnlyRegistry", "=true", ""] {
            assert!(text.parse::<Setting>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_was_not_taken_is_named() {
        let same = (&now(), &now());
        assert_eq!(check(same, &json!({"readOnlyRegistry": false})), Ok(()));
        let mut before = now();
        before["dtrHost"] = json!("1h");
        assert_eq!(check((&before, &now()), &json!({"dtrHost": "60m"})), Ok(()));
        let stop = check(same, &json!({"dtrHost": "b", "graceSeconds": 60})).unwrap_err();
        assert!(stop.text.ends_with(": dtrHost"), "{stop}");
    }
}
