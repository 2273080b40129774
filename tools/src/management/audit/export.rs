//! `holdfast audit export`: the whole chain, a record a line, checked on the way.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Method;
use serde_json::Value;

use super::PATH;
use super::chain::{Chain, FORMAT};
use super::line::Header;
use crate::client::Client;
use crate::exit::Stop;
use crate::management::table;

/// Records that are asked for at once.
const PAGE_SIZE: &str = "1000";

/// Writes the records from the number `from` on, or from the oldest, to a file or to standard
/// output.
pub async fn run(client: &Client, to: Option<&Path>, from: Option<u64>) -> Result<(), Stop> {
    let mut start = from.unwrap_or(1);
    let first = page(client, start).await?;
    let header = header(&first, from, client.url())?;
    let bar = bar(to.is_some(), header.last + 1 - header.first);
    let mut out = Out::open(to)?;
    let text = serde_json::to_string(&header)
        .map_err(|error| Stop::failed(format!("the header cannot be written: {error}")))?;
    out.line(&text)?;
    let mut chain = Chain::begin(header.clone()).map_err(|why| broken(client, &why))?;
    let mut records = listed(first);
    while !records.is_empty() {
        for record in &records {
            if record["number"].as_u64().is_some_and(|number| number > header.last) {
                break;
            }
            let text = record.to_string();
            chain.take(text.as_bytes()).map_err(|why| broken(client, &why))?;
            out.line(&text)?;
        }
        bar.set_position(chain.taken());
        start = header.first + chain.taken();
        if start > header.last {
            break;
        }
        records = listed(page(client, start).await?);
    }
    let header = chain.finish().map_err(|why| broken(client, &why))?;
    out.finish()?;
    bar.finish_and_clear();
    if to.is_some() {
        eprintln!("records {} to {}, head {}", header.first, header.last, header.head);
    }
    Ok(())
}

fn broken(client: &Client, why: &str) -> Stop {
    Stop::failed(format!("the audit log that {} answers with is broken: {why}", client.url()))
}

async fn page(client: &Client, start: u64) -> Result<Value, Stop> {
    let start = start.to_string();
    let query = [("oldestFirst", "true"), ("pageStart", &start), ("pageSize", PAGE_SIZE)];
    client.json(client.request(Method::GET, PATH).query(&query)).await
}

fn listed(mut page: Value) -> Vec<Value> {
    match page["records"].take() {
        Value::Array(records) => records,
        _ => Vec::new(),
    }
}

/// What the export says of itself: all that there was when it began.
fn header(page: &Value, from: Option<u64>, url: &str) -> Result<Header, Stop> {
    let unreadable = || Stop::failed(format!("{url} does not answer with an audit log"));
    let chain = &page["chain"];
    let number = |key: &str| chain[key].as_u64().ok_or_else(unreadable);
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(unreadable);
    let (oldest, last) = (number("first")?, number("last")?);
    if let Some(from) = from.filter(|from| !(oldest..=last).contains(from)) {
        return Err(Stop::usage(format!("--from {from}: there are records {oldest} to {last}")));
    }
    let first = &page["records"][0];
    Ok(Header {
        holdfast_audit: FORMAT,
        cluster_id: text(&chain["clusterId"])?,
        first: first["number"].as_u64().ok_or_else(unreadable)?,
        last,
        anchor: text(&first["previousHash"])?,
        head: text(&chain["head"])?,
    })
}

/// A bar on a terminal, unless the records go there.
fn bar(to_file: bool, records: u64) -> ProgressBar {
    if !io::stderr().is_terminal() || (!to_file && io::stdout().is_terminal()) {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(records);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} ({eta} to go)") {
        bar.set_style(style);
    }
    bar
}

/// Where the lines go. A file has its name only once it is whole.
enum Out {
    Standard(BufWriter<io::Stdout>),
    File { writer: BufWriter<File>, part: PathBuf, whole: PathBuf },
}

impl Out {
    fn open(to: Option<&Path>) -> Result<Self, Stop> {
        let Some(whole) = to else { return Ok(Self::Standard(BufWriter::new(io::stdout()))) };
        let mut part = whole.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part).map_err(|error| Stop::file("write", &part, &error))?;
        Ok(Self::File { writer: BufWriter::new(file), part, whole: whole.to_owned() })
    }

    fn line(&mut self, text: &str) -> Result<(), Stop> {
        match self {
            Self::Standard(out) => writeln!(out, "{text}").map_err(table::unwritable),
            Self::File { writer, part, .. } => {
                writeln!(writer, "{text}").map_err(|error| Stop::file("write", part, &error))
            }
        }
    }

    fn finish(self) -> Result<(), Stop> {
        match self {
            Self::Standard(mut out) => out.flush().map_err(table::unwritable),
            Self::File { mut writer, part, whole } => {
                let written = writer.flush().and_then(|()| writer.get_ref().sync_all());
                let renamed = written.and_then(|()| fs::rename(&part, &whole));
                renamed.map_err(|error| Stop::file("write", &whole, &error))
            }
        }
    }
}
