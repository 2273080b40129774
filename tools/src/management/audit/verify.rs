//! `holdfast audit verify`: whether an export is as it was made, and still what the cluster has.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use reqwest::Method;

use super::PATH;
use super::chain::Chain;
use super::line::Header;
use crate::client::Client;
use crate::exit::Stop;

/// No line of an export is longer.
const LINE_BYTES_MAX: u64 = 1024 * 1024;

/// Checks every line of a file.
///
/// # Errors
///
/// Exit 1 with the first record that is wrong; exit 2 where the file cannot be opened.
pub fn offline(path: &Path) -> Result<Header, Stop> {
    let shown = path.display();
    let file =
        File::open(path).map_err(|error| Stop::usage(format!("cannot open {shown}: {error}")))?;
    let mut lines = Lines { reader: BufReader::new(file), path };
    let wrong = |line: u64, why: &str| Stop::failed(format!("{shown}, line {line}: {why}"));
    let header = lines.next()?.unwrap_or_default();
    let mut chain = Chain::read(&header).map_err(|why| wrong(1, &why))?;
    let mut number = 1;
    while let Some(line) = lines.next()? {
        number += 1;
        chain.take(&line).map_err(|why| wrong(number, &why))?;
    }
    chain.finish().map_err(|why| wrong(number + 1, &why))
}

struct Lines<'a> {
    reader: BufReader<File>,
    path: &'a Path,
}

impl Lines<'_> {
    fn next(&mut self) -> Result<Option<Vec<u8>>, Stop> {
        let mut line = Vec::new();
        let read = (&mut self.reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        read.map_err(|error| Stop::file("read", self.path, &error))?;
        Ok((!line.is_empty()).then_some(line))
    }
}

/// Checks that the cluster still has the record that the export ends with: with it goes every
/// record before.
pub async fn live(client: &Client, export: &Header) -> Result<(), Stop> {
    let (url, last) = (client.url(), export.last);
    let start = last.to_string();
    let query = [("pageStart", start.as_str()), ("pageSize", "1")];
    let page = client.json(client.request(Method::GET, PATH).query(&query)).await?;
    let chain = &page["chain"];
    if chain["clusterId"].as_str() != Some(&export.cluster_id) {
        return Err(Stop::failed(format!("the export is of another cluster than {url}")));
    }
    let (Some(oldest), Some(newest)) = (chain["first"].as_u64(), chain["last"].as_u64()) else {
        return Err(Stop::failed(format!("{url} does not answer with an audit log")));
    };
    let hash = if last + 1 == oldest {
        &chain["anchor"]
    } else if last < oldest {
        return Err(Stop::failed(format!(
            "record {last}, with which the export ends, is too old to be compared: {url} has \
             records from {oldest} on"
        )));
    } else if last > newest {
        return Err(Stop::failed(format!(
            "record {}: the export has it and {url} does not; its log ends with {newest}",
            newest + 1
        )));
    } else {
        &page["records"][0]["hash"]
    };
    if hash.as_str() != Some(&export.head) {
        return Err(Stop::failed(format!(
            "record {last}, or one before it, is another than {url} has"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use serde_json::json;

    use super::*;
    use crate::exit::Exit;

    #[test]
    fn the_line_and_the_record_are_named_and_a_missing_file_is_wrong_usage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("export");
        assert_eq!(offline(&path).unwrap_err().exit, Exit::Usage);
        let mut file = File::create(&path).unwrap();
        let none = "0".repeat(64);
        let header = json!({
            "holdfastAudit": 1,
            "clusterId": "c",
            "first": 1,
            "last": 1,
            "anchor": none,
            "head": none,
        });
        writeln!(file, "{header}\n{{}}").unwrap();
        let stop = offline(&path).unwrap_err();
        assert_eq!(stop.exit, Exit::Failed);
        assert!(stop.text.contains("line 2: record 1: it does not read"), "{stop}");
    }
}
