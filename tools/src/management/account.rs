//! What users and organizations have in common: both are accounts.

use reqwest::Method;
use serde_json::Value;

use super::body::some;
use super::confirmation::Confirmation;
use super::name::Name;
use super::pages::List;
use super::remote::{Change, RemoteFlags};
use super::table::{Column, cell, text};
use crate::client::Client;
use crate::exit::Stop;

/// Whom a verb is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Somebody who signs in.
    User,
    /// A namespace that people share.
    Organization,
}

/// Where accounts are.
pub const PATH: &str = "/enzi/v0/accounts";

/// A quota in bytes; 0 is none. Only who manages the account is told.
pub fn quota(account: &Value) -> String {
    if account["quotaBytes"] == 0 { "none".to_owned() } else { text(&account["quotaBytes"]) }
}

/// Where this one is.
pub fn path(name: &Name) -> String {
    format!("{PATH}/{}", name.part())
}

/// Those that a filter of the API lets through.
pub fn list(filter: &str) -> List {
    let query = vec![("filter", filter.to_owned())];
    List { path: PATH.to_owned(), query, field: "accounts" }
}

/// Makes one.
pub async fn create(remote: &RemoteFlags, body: Value, done: &str) -> Result<(), Stop> {
    let path = PATH.to_owned();
    remote.change(Change { method: Method::POST, path, body: Some(body), done }).await
}

/// Prints one.
pub async fn show(
    remote: &RemoteFlags,
    kind: Kind,
    name: &Name,
    rows: &[Column],
) -> Result<(), Stop> {
    remote.print(&kind.find(&remote.client()?, name).await?, rows)
}

/// Changes what is given.
pub async fn update(
    remote: &RemoteFlags,
    kind: Kind,
    name: &Name,
    body: Value,
) -> Result<(), Stop> {
    let (body, client) = (Some(some(body)?), remote.client()?);
    kind.find(&client, name).await?;
    let done = format!("the {} {name} was changed", kind.word());
    let change = Change { method: Method::PATCH, path: path(name), body, done: &done };
    remote.change_through(&client, change).await
}

/// Deletes one with everything that belongs to it, after asking.
pub async fn delete(
    remote: &RemoteFlags,
    confirmation: Confirmation,
    kind: Kind,
    name: &Name,
) -> Result<(), Stop> {
    let client = remote.client()?;
    let found = kind.find(&client, name).await?;
    // It may have been named by its id: what is asked about is what a person knows.
    let called = format!("the {} {}", kind.word(), cell(&text(&found["name"])));
    confirmation.ask(&format!("{called} with its namespace and every repository in it"))?;
    let done = format!("{called} was deleted");
    let change = Change { method: Method::DELETE, path: path(name), body: None, done: &done };
    remote.change_through(&client, change).await
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Organization => "organization",
        }
    }

    /// The account of that name, which is of this kind: the API takes either under one path, and
    /// `user delete` of an organization would take its repositories along.
    async fn find(self, client: &Client, name: &Name) -> Result<Value, Stop> {
        let found = client.json(client.request(Method::GET, &path(name))).await?;
        match (self, found["isOrg"] == true) {
            (Self::User, true) => {
                Err(Stop::usage(format!("{name} is an organization: use holdfast org")))
            }
            (Self::Organization, false) => {
                Err(Stop::usage(format!("{name} is a user: use holdfast user")))
            }
            _ => Ok(found),
        }
    }
}
