//! The management API of either end: asked again where that may help.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::registry::End;
use super::trouble::{Kind, Patience, Trouble};
use crate::client::Client;
use crate::exit::{Exit, Stop};

/// Entries that are asked for at once.
const PAGE_SIZE: &str = "1000";
/// Entries of a list: nobody has so many, and a server may go round in circles.
const ENTRIES_MAX: usize = 2_000_000;

/// The management API at one end.
#[derive(Clone)]
pub struct Api {
    client: Client,
    end: End,
}

impl Api {
    /// That of the source or the destination.
    pub fn new(end: End, client: Client) -> Self {
        Self { client, end }
    }

    /// As whom it is asked.
    pub fn account(&self) -> Option<&str> {
        self.client.credentials().map(|(name, _)| name.as_str())
    }

    /// What is there; `None` where there is nothing.
    pub async fn get(&self, path: &str) -> Result<Option<Value>, Trouble> {
        match self.ask(Method::GET, path, None).await {
            Ok((value, _)) => Ok(Some(value)),
            Err(trouble) if trouble.is_missing() => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// Changes something; what is answered.
    pub async fn change(&self, method: Method, path: &str, body: &Value) -> Result<Value, Trouble> {
        self.ask(method, path, Some(body)).await.map(|(value, _)| value)
    }

    /// A whole list; `path` may have a query. Empty where there is nothing to list.
    pub async fn list(&self, path: &str, field: &str) -> Result<Vec<Value>, Trouble> {
        let is_accounts = path.starts_with("/enzi/");
        let (start_word, size_word) =
            if is_accounts { ("start", "limit") } else { ("pageStart", "pageSize") };
        let join = if path.contains('?') { '&' } else { '?' };
        let (mut entries, mut start) = (Vec::new(), String::new());
        loop {
            let mut page = format!("{path}{join}{size_word}={PAGE_SIZE}");
            if !start.is_empty() {
                page.push_str(&format!("&{start_word}={}", escaped(&start)));
            }
            let (mut answer, next) = self.ask(Method::GET, &page, None).await?;
            let list = match field {
                "" => answer,
                field => answer.get_mut(field).map(Value::take).unwrap_or_default(),
            };
            match list {
                Value::Array(list) => entries.extend(list),
                Value::Null => {}
                _ => return Err(Trouble::lasting(format!("{path} is not answered with a list"))),
            }
            match next {
                None => return Ok(entries),
                Some(next) if next == start || entries.len() > ENTRIES_MAX => {
                    return Err(Trouble::lasting(format!("the list {path} has no end")));
                }
                Some(next) => start = next,
            }
        }
    }
}

/// Asking.
impl Api {
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(Value, Option<String>), Trouble> {
        let mut patience = Patience::new();
        loop {
            match self.try_ask(method.clone(), path, body).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => patience.wait(trouble).await?,
            }
        }
    }

    async fn try_ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(Value, Option<String>), Trouble> {
        let request = self.client.request(method, path);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = self.client.send(request).await.map_err(|stop| self.trouble(&stop))?;
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED {
            let stop = self.client.refused(response).await;
            return Err(Trouble::lasting(self.flags_of(&stop.text)));
        }
        if !status.is_success() {
            return Err(Trouble::answer(path, response).await);
        }
        let next = response.headers().get("x-next-page-start").and_then(|it| it.to_str().ok());
        let next = next.filter(|next| !next.is_empty()).map(str::to_owned);
        let body =
            response.bytes().await.map_err(|error| Trouble::broken(self.client.url(), &error))?;
        if body.is_empty() {
            return Ok((Value::Null, next));
        }
        let value = serde_json::from_slice(&body).map_err(|error| {
            Trouble::lasting(format!(
                "{}{path} is not answered in JSON: {error}",
                self.client.url()
            ))
        })?;
        Ok((value, next))
    }

    fn trouble(&self, stop: &Stop) -> Trouble {
        let kind = match stop.exit {
            Exit::Unreachable if stop.text.contains("give the cluster's authority") => {
                Kind::Untrusted
            }
            Exit::Unreachable => Kind::Broken,
            _ => Kind::Lasting,
        };
        Trouble::new(kind, self.flags_of(&stop.text))
    }

    /// Advice of the client, by the flags of this end.
    fn flags_of(&self, text: &str) -> String {
        match self.end {
            End::Destination => text.to_owned(),
            End::Source => text
                .replace("--username", "--from-username")
                .replace("--password-file", "--from-password-file")
                .replace(
                    "the cluster's authority by --ca (it is at /ca of every replica)",
                    "its authority by --from-ca",
                ),
        }
    }
}

/// One part of a path or of a query.
pub fn escaped(text: &str) -> String {
    // A name that begins a path elsewhere has no way out of its part.
    text.parse::<crate::management::name::Name>().map(|name| name.part()).unwrap_or_default()
}
