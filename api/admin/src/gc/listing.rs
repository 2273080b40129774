//! `/api/v0/gc/plan`: every blob that no manifest names, and what becomes of it.

use auth::access_token::hex;
use axum::response::Response;
use consensus::cluster::{Cluster, Freshness};
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::StatusCode;
use metadata::clocks::{self, ClockRow};
use metadata::collection::plan::{self, Part as Found, Planned, Standing};
use metadata::tables::{Damage, Read};
use oci::name::RepositoryName;
use serde_json::{Value, json};

use super::until;
use crate::call::Call;
use crate::paging::{self, Part};

/// Rows that are looked at in one read, and how often for one answer.
const LOOKED_AT_ONCE: usize = 250;
const LOOKS_MAX: usize = 40;
/// Entries of one answer.
const LIMIT_MAX: usize = 10_000;
/// A cursor's bytes: a letter, two numbers and the longest digest.
const CURSOR_BYTES_MAX: usize = 128;

/// The lists that make up the plan, one after the other, each with its letter in cursors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum List {
    Condemned = b'c',
    Idle = b'i',
    Held = b'h',
    Leased = b'l',
}

const LISTS: [List; 4] = [List::Condemned, List::Idle, List::Held, List::Leased];

impl List {
    fn read(self, read: &impl Read, min_s: u64, last: &[u8]) -> Result<Found, Damage> {
        match self {
            Self::Condemned => plan::condemned(read, last, LOOKED_AT_ONCE),
            Self::Idle => plan::idle(read, min_s, last, LOOKED_AT_ONCE),
            Self::Held => plan::held(read, last, LOOKED_AT_ONCE),
            Self::Leased => plan::leased(read, last, LOOKED_AT_ONCE),
        }
    }

    fn letter(self) -> u8 {
        self as u8
    }

    /// Which are looked at for blobs of a state; all of them where none is asked for.
    fn of_state(state: Option<&str>) -> Result<Vec<Self>, Problem> {
        Ok(match state {
            None | Some("" | "any") => LISTS.to_vec(),
            Some("condemned") => vec![Self::Condemned],
            Some("ready" | "grace") => vec![Self::Idle],
            Some("undelete") => vec![Self::Held],
            Some("leased") => vec![Self::Leased],
            Some(_) => {
                let text = "state is one of condemned, ready, grace, undelete, leased, any";
                return Err(Problem::Parameter(text.to_owned()));
            }
        })
    }
}

/// Where a list goes on: in which of them, and behind which key.
type Cursor = (List, Vec<u8>);

/// A part of the plan. Where few blobs are of the state asked for an answer may hold fewer than
/// asked for, or none, and yet say where the list goes on.
pub async fn list(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let part = Part::of_page(&call.query)?;
    let state = call.query.first("state").filter(|state| !matches!(*state, "" | "any"));
    let lists = List::of_state(state)?;
    let start = if part.start.is_empty() {
        (lists[0], Vec::new())
    } else {
        read_cursor(&part.start).filter(|(list, _)| lists.contains(list)).ok_or_else(wrong)?
    };
    let min_s = call.context.content.collection_grace_min().as_secs();
    let limit = part.limit.min(LIMIT_MAX);
    let gathering = Gathering { cluster: &call.context.cluster, lists, min_s, state };
    let (blobs, next) = gathering.gather(start, limit).await?;
    let mut response = answer::json(StatusCode::OK, &json!({ "blobs": blobs }));
    paging::tell(&mut response, next.as_deref(), None);
    Ok(response)
}

struct Gathering<'a> {
    cluster: &'a Cluster,
    lists: Vec<List>,
    min_s: u64,
    state: Option<&'a str>,
}

impl Gathering<'_> {
    async fn gather(
        &self,
        (mut list, mut last): Cursor,
        limit: usize,
    ) -> Result<(Vec<Value>, Option<String>), Problem> {
        let mut blobs = Vec::new();
        for _ in 0..LOOKS_MAX {
            let min_s = self.min_s;
            let read = self.cluster.read(Freshness::Local, |view| {
                Ok((list.read(view, min_s, &last)?, clocks::now(view)?))
            });
            let (found, now) = read.await?;
            for blob in found.blobs {
                let shown = shown(&blob, &now);
                if self.state.is_some_and(|state| shown["state"] != state) {
                    continue;
                }
                if blobs.len() == limit {
                    return Ok((blobs, Some(written((list, last)))));
                }
                last.clone_from(&blob.key);
                blobs.push(shown);
            }
            match (found.next, self.after(list)) {
                (Some(next), _) => last = next,
                (None, Some(following)) => (list, last) = (following, Vec::new()),
                (None, None) => return Ok((blobs, None)),
            }
            if blobs.len() == limit {
                break;
            }
        }
        Ok((blobs, Some(written((list, last)))))
    }

    fn after(&self, list: List) -> Option<List> {
        let place = self.lists.iter().position(|it| *it == list)?;
        self.lists.get(place + 1).copied()
    }
}

fn shown(blob: &Planned, now: &ClockRow) -> Value {
    let (state, until_ms, repository) = match &blob.standing {
        Standing::Condemned => ("condemned", None, None),
        Standing::Ready => ("ready", None, None),
        Standing::InGrace { until_ms } => ("grace", Some(*until_ms), None),
        Standing::Leased { repository, until_ms } => {
            ("leased", Some(*until_ms), repository.as_ref())
        }
        Standing::Held { repository } => ("undelete", None, repository.as_ref()),
    };
    json!({
        "digest": blob.digest.as_str(),
        "size": blob.size,
        "state": state,
        "repository": repository.map(RepositoryName::as_str),
        "until": until(now, until_ms),
        "idleSince": until(now, blob.idle_since_ms),
    })
}

fn written((list, last): Cursor) -> String {
    hex(&[&[list.letter()], last.as_slice()].concat())
}

fn read_cursor(text: &str) -> Option<Cursor> {
    if !text.is_ascii() || text.len() % 2 == 1 || text.len() > 2 * CURSOR_BYTES_MAX {
        return None;
    }
    let pairs = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]);
    let is_digits = |pair: &&str| pair.bytes().all(|digit| digit.is_ascii_hexdigit());
    let bytes = pairs.map(|pair| {
        Some(pair).filter(is_digits).and_then(|pair| u8::from_str_radix(pair, 16).ok())
    });
    let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
    let (letter, last) = bytes.split_first()?;
    let list = LISTS.into_iter().find(|list| list.letter() == *letter)?;
    Some((list, last.to_vec()))
}

fn wrong() -> Problem {
    paging::unreadable()
}

#[cfg(test)]
mod tests {
    use super::{List, read_cursor, written};

    #[test]
    fn a_cursor_reads_as_it_was_written_and_nothing_else_does() {
        for cursor in [(List::Idle, vec![0, 255, 7]), (List::Leased, vec![])] {
            assert_eq!(read_cursor(&written(cursor.clone())), Some(cursor));
        }
        for text in ["", "6", "zz", "00", "+1", "69+1", "6900ä", &"69".repeat(200)] {
            assert_eq!(read_cursor(text), None, "{text}");
        }
    }
}
