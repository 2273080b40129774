//! Fetching an archive, and fetching it on where the line breaks.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use consensus::seal::recovery::PassphraseKey;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::header::{CONTENT_LENGTH, ETAG, IF_MATCH, RANGE};
use reqwest::{Method, Response, StatusCode};

use super::verify;
use crate::client::Client;
use crate::exit::Stop;

const PATH: &str = "/api/v0/meta/backup";
/// The replica writes the whole archive before it answers, and then sends it.
const ALL_MAX: Duration = Duration::from_hours(24);
/// A line that is silent for so long is broken.
const SILENT_MAX: Duration = Duration::from_mins(1);
/// Times that a broken line is taken up again.
const TRIES_MAX: u32 = 5;

/// Fetches the archive that `query` asks for.
pub(super) async fn run(
    client: &Client,
    query: &[(&str, &str)],
    passphrase: Option<&PassphraseKey>,
    to: Option<&Path>,
) -> Result<(), Stop> {
    let mut out = Out::open(to)?;
    eprintln!("the replica writes the archive …");
    let mut request = client.request(Method::GET, PATH).query(query).timeout(ALL_MAX);
    if let Some(key) = passphrase {
        request = request.header("holdfast-passphrase-key", key.to_text().as_str());
    }
    let response = client.send(request).await?;
    if response.status() != StatusCode::OK {
        return Err(client.refused(response).await);
    }
    let text = |name: &str| {
        let value = response.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (tag, length) = (text(ETAG.as_str()), text(CONTENT_LENGTH.as_str()).parse::<u64>());
    let missing = text("holdfast-missing-manifests");
    let length = length.map_err(|_| Stop::failed(format!("{} sends no archive", client.url())))?;
    let bar = bar(length);
    fetch(client, response, (&tag, length), &mut out, &bar).await?;
    bar.finish_and_clear();
    out.finish()?;
    eprintln!("{length} bytes");
    if !matches!(missing.as_str(), "" | "0") {
        eprintln!("warning: {missing} manifests are on no replica and not in the archive");
    }
    Ok(())
}

/// Writes the answer, and goes on where it broke off.
async fn fetch(
    client: &Client,
    mut response: Response,
    (tag, length): (&str, u64),
    out: &mut Out,
    bar: &ProgressBar,
) -> Result<(), Stop> {
    let mut tries = 0;
    loop {
        let broken = loop {
            match tokio::time::timeout(SILENT_MAX, response.chunk()).await {
                Ok(Ok(Some(piece))) => {
                    out.write(&piece)?;
                    bar.set_position(out.written);
                }
                Ok(Ok(None)) => break "it ended early".to_owned(),
                Ok(Err(error)) => break error.to_string(),
                Err(_) => break "nothing came for a minute".to_owned(),
            }
        };
        if out.written == length {
            return Ok(());
        }
        tries += 1;
        if tries > TRIES_MAX {
            return Err(Stop::unreachable(format!(
                "the download broke off after {} of {length} bytes: {broken}",
                out.written
            )));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let request = client.request(Method::GET, PATH).timeout(ALL_MAX);
        let request =
            request.header(IF_MATCH, tag).header(RANGE, format!("bytes={}-", out.written));
        response = client.send(request).await?;
        if response.status() != StatusCode::PARTIAL_CONTENT && out.written > 0 {
            return Err(client.refused(response).await);
        }
    }
}

fn bar(length: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length);
    let style = "{wide_bar} {bytes}/{total_bytes} ({bytes_per_sec}, {eta} to go)";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar
}

/// Where the archive goes.
struct Out {
    file: Target,
    written: u64,
}

enum Target {
    Standard(io::Stdout),
    File { file: File, part: PathBuf, whole: PathBuf },
}

impl Out {
    fn open(to: Option<&Path>) -> Result<Self, Stop> {
        let Some(whole) = to.map(Path::to_owned) else {
            if io::stdout().is_terminal() {
                return Err(Stop::usage("an archive is no text: write `> FILE`, or --output FILE"));
            }
            return Ok(Self { file: Target::Standard(io::stdout()), written: 0 });
        };
        let mut part = whole.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&part);
        let file = file.map_err(|error| Stop::file("write", &part, &error))?;
        Ok(Self { file: Target::File { file, part, whole }, written: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let written = match &mut self.file {
            Target::Standard(out) => out.write_all(bytes),
            Target::File { file, .. } => file.write_all(bytes),
        };
        written.map_err(|error| Stop::failed(format!("the archive cannot be written: {error}")))?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Verifies a file and gives it its name.
    fn finish(self) -> Result<(), Stop> {
        match self.file {
            Target::Standard(mut out) => out
                .flush()
                .map_err(|error| Stop::failed(format!("the archive cannot be written: {error}"))),
            Target::File { file, part, whole } => {
                let failed = |error: io::Error| Stop::file("write", &part, &error);
                file.sync_all().map_err(failed)?;
                let read = File::open(&part).map_err(failed)?;
                verify::check(read).map_err(|error| {
                    Stop::failed(format!("what came is no whole archive: {error}"))
                })?;
                fs::rename(&part, &whole).map_err(failed)
            }
        }
    }
}
