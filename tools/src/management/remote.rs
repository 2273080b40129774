//! What every verb over the management API does the same: its flags, and how it asks and answers.

use std::io::{BufWriter, Write, stdout};

use clap::Args;
use clap::builder::FalseyValueParser;
use reqwest::Method;
use serde_json::Value;
use wire::client_tls::Trust;

use super::pages::{List, Pages};
use super::table::{self, Column, Form, Printer};
use crate::client::Client;
use crate::connection::ConnectionFlags;
use crate::exit::Stop;

/// Flags of every verb over the management API.
///
/// They come last in every verb: the heading holds for all flags after it.
#[derive(Args, Clone)]
pub struct RemoteFlags {
    /// Prints what the API answers, as JSON
    #[arg(long, env = "HOLDFAST_JSON", value_parser = FalseyValueParser::new())]
    json: bool,

    #[command(flatten, next_help_heading = "Connection")]
    connection: ConnectionFlags,
}

/// A request that changes something.
pub struct Change<'a> {
    /// PUT, POST, PATCH or DELETE.
    pub method: Method,
    /// Where.
    pub path: String,
    /// What is sent, where anything is.
    pub body: Option<Value>,
    /// What is told to a person when it is done.
    pub done: &'a str,
}

impl RemoteFlags {
    /// A client of the cluster that the flags name.
    pub fn client(&self) -> Result<Client, Stop> {
        self.connection.client()
    }

    /// Whose word counts for the cluster's certificate.
    pub fn trust(&self) -> Result<Trust, Stop> {
        self.connection.trust()
    }

    /// Whether JSON was asked for.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a whole list.
    pub async fn list(&self, list: List, columns: &'static [Column]) -> Result<(), Stop> {
        let client = self.client()?;
        let mut pages = Pages::new(&client, list);
        let out = BufWriter::new(stdout());
        let mut printer = Printer::new(out, Form::of(self.json), columns);
        while let Some(page) = pages.next().await? {
            printer.page(&page).map_err(table::unwritable)?;
        }
        printer.end().map_err(table::unwritable)
    }

    /// Prints the first `limit` entries of a list.
    pub async fn list_some(
        &self,
        list: List,
        columns: &'static [Column],
        limit: usize,
    ) -> Result<(), Stop> {
        let client = self.client()?;
        let (mut pages, mut left) = (Pages::new(&client, list), limit);
        let out = BufWriter::new(stdout());
        let mut printer = Printer::new(out, Form::of(self.json), columns);
        while left > 0 {
            let Some(mut page) = pages.next().await? else { break };
            page.truncate(left);
            left -= page.len();
            printer.page(&page).map_err(table::unwritable)?;
        }
        printer.end().map_err(table::unwritable)
    }

    /// Prints objects that were answered.
    pub fn print_list(&self, objects: &[Value], columns: &'static [Column]) -> Result<(), Stop> {
        let out = BufWriter::new(stdout());
        let mut printer = Printer::new(out, Form::of(self.json), columns);
        printer.page(objects).map_err(table::unwritable)?;
        printer.end().map_err(table::unwritable)
    }

    /// Prints one object.
    pub async fn show(&self, path: &str, rows: &[Column]) -> Result<(), Stop> {
        let client = self.client()?;
        let answer = client.json(client.request(Method::GET, path)).await?;
        self.print(&answer, rows)
    }

    /// Prints an object that was answered.
    pub fn print(&self, answer: &Value, rows: &[Column]) -> Result<(), Stop> {
        let form = Form::of(self.json);
        table::object(&mut stdout().lock(), form, answer, rows).map_err(table::unwritable)
    }

    /// Changes something and says so; with `--json` prints what was answered, where that is
    /// anything.
    pub async fn change(&self, change: Change<'_>) -> Result<(), Stop> {
        self.change_through(&self.client()?, change).await
    }

    /// The same, where there is a client already: another one might ask for the password again.
    pub async fn change_through(&self, client: &Client, change: Change<'_>) -> Result<(), Stop> {
        let request = client.request(change.method, &change.path);
        let request = match &change.body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = client.json(request).await?;
        match (self.json, answer.is_null()) {
            (true, true) => Ok(()),
            (true, false) => self.print(&answer, &[]),
            (false, _) => say(change.done),
        }
    }
}

/// Prints a line.
pub fn say(line: &str) -> Result<(), Stop> {
    writeln!(stdout(), "{line}").map_err(table::unwritable)
}
