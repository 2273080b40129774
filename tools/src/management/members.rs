//! Who is in an organization or a team: listed, put in, taken out.

use reqwest::Method;
use serde_json::json;

use super::name::Name;
use super::pages::List;
use super::remote::{Change, RemoteFlags};
use super::table::{Column, text};
use crate::exit::Stop;

/// A group of users.
pub struct Group {
    /// Where it is.
    pub path: String,
    /// As it is called in a sentence.
    pub said: String,
    /// What its heads are called.
    pub head: &'static str,
}

impl Group {
    /// Prints its members; `columns` say what its heads are called.
    pub async fn list(&self, remote: &RemoteFlags, columns: &'static [Column]) -> Result<(), Stop> {
        let list = List { path: format!("{}/members", self.path), query: vec![], field: "members" };
        remote.list(list, columns).await
    }

    /// Puts a user in, as a head or as one of the others, whatever they were before.
    pub async fn put(&self, remote: &RemoteFlags, user: &Name, is_head: bool) -> Result<(), Stop> {
        let rank = if is_head { self.head } else { "a member" };
        let done = format!("{user} is {rank} of {}", self.said);
        let body = Some(json!({"isAdmin": is_head}));
        let (method, path) = (Method::PUT, self.path_of(user));
        remote.change(Change { method, path, body, done: &done }).await
    }

    /// Takes a user out.
    pub async fn remove(&self, remote: &RemoteFlags, user: &Name) -> Result<(), Stop> {
        let done = format!("{user} is no member of {} any more", self.said);
        let (method, path) = (Method::DELETE, self.path_of(user));
        remote.change(Change { method, path, body: None, done: &done }).await
    }

    fn path_of(&self, user: &Name) -> String {
        format!("{}/members/{}", self.path, user.part())
    }
}

/// Members of an organization.
pub const OF_ORGANIZATION: &[Column] = &[
    ("name", |it| text(&it["member"]["name"])),
    ("full name", |it| text(&it["member"]["fullName"])),
    ("owner", |it| text(&it["isAdmin"])),
];

/// Members of a team.
pub const OF_TEAM: &[Column] = &[
    ("name", |it| text(&it["member"]["name"])),
    ("full name", |it| text(&it["member"]["fullName"])),
    ("team administrator", |it| text(&it["isAdmin"])),
];
