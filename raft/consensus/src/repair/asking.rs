//! Asking the other members before a repair: whoever still belongs to a living cluster forbids it.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use metadata::members::MemberRow;
use metadata::replica::ReplicaId;
use tonic::transport::Endpoint;
use wire::dial::Dial;
use wire::stream::BoxStream;

use crate::opening::Opened;
use crate::protocol::peer;
use crate::protocol::peer::peer_client::PeerClient;
use crate::repair::Position;

/// A member that has not answered by then counts as down.
const ANSWER_MAX: Duration = Duration::from_secs(4);

/// A member, and what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who was asked.
    pub replica_id: ReplicaId,
    /// Where.
    pub address: String,
    /// What came of it.
    pub said: Said,
}

/// What a member says when it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It runs; whom it follows, if it hears from a leader, and where it stands.
    Runs {
        /// The leader that it follows, or is.
        leader: Option<ReplicaId>,
        /// Where it stands.
        position: Position,
    },
    /// It runs, and this replica is no member for it: it was removed.
    Stranger(String),
    /// It does not answer.
    Silent(String),
}

pub(super) async fn ask(opened: &Opened, others: &[MemberRow], dial: Arc<dyn Dial>) -> Vec<Asked> {
    let all = others.iter().map(|row| {
        let dial = dial.clone();
        async move {
            let said = tokio::time::timeout(ANSWER_MAX, one(opened, row, dial)).await;
            let late = || Said::Silent(format!("no answer within {} s", ANSWER_MAX.as_secs()));
            let said = said.unwrap_or_else(|_| late());
            Asked { replica_id: row.replica_id, address: row.address.clone(), said }
        }
    });
    futures::future::join_all(all).await
}

async fn one(opened: &Opened, row: &MemberRow, dial: Arc<dyn Dial>) -> Said {
    let stream = match dial.dial(&row.address).await {
        Ok(stream) => stream,
        Err(error) => return Said::Silent(error.to_string()),
    };
    let shaken = opened.tls.connect(stream, Some(&row.replica_id.to_string()), &["h2"]).await;
    let stream = match shaken {
        Ok((stream, _)) => stream,
        Err(error) => return unheard(&error),
    };
    let identity = &opened.identity;
    let sender = peer::Sender {
        cluster_id: identity.cluster_id.clone(),
        replica_id: identity.replica_id.to_string(),
        incarnation: identity.incarnation.clone(),
    };
    let request = peer::StatusRequest { sender: Some(sender), report: None };
    let mut client = match client(stream).await {
        Ok(client) => client,
        Err(error) => return unheard(&error),
    };
    match client.status(request).await {
        Ok(answer) => {
            let report = answer.into_inner().report.unwrap_or_default();
            let position = Position {
                term: report.term,
                last_log: report.last_log,
                last_term: report.term,
                applied: report.applied,
            };
            Said::Runs { leader: ReplicaId::parse(&report.leader).ok(), position }
        }
        Err(status) if status.code() == tonic::Code::PermissionDenied => {
            Said::Stranger(status.message().to_owned())
        }
        Err(status) => unheard(&status),
    }
}

/// One who turns this replica's certificate away is there, and does not know it any more.
fn unheard(error: &(dyn Error + 'static)) -> Said {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    // The one word for it in every implementation of TLS.
    let refused = text.to_lowercase().contains("fatal alert");
    if refused { Said::Stranger(text) } else { Said::Silent(text) }
}

async fn client(
    stream: BoxStream,
) -> Result<PeerClient<tonic::transport::Channel>, tonic::transport::Error> {
    let stream = Mutex::new(Some(stream));
    let connector = tower::service_fn(move |_| {
        let stream = stream.lock().ok().and_then(|mut stream| stream.take());
        let gone = || std::io::Error::new(std::io::ErrorKind::NotConnected, "the connection broke");
        async move { stream.map(TokioIo::new).ok_or_else(gone) }
    });
    let endpoint = Endpoint::from_static("http://holdfast.invalid");
    Ok(PeerClient::new(endpoint.connect_with_connector(connector).await?))
}

/// Why `own` must not go on alone.
pub(super) fn objection(own: ReplicaId, voters: &BTreeSet<u64>, asked: &[Asked]) -> Option<String> {
    for one in asked {
        let (id, at) = (one.replica_id, &one.address);
        match &one.said {
            Said::Runs { leader: Some(leader), .. } => {
                return Some(format!(
                    "replica {id} ({at}) runs and knows a leader, {leader}: the cluster lives. \
                     Start this replica; one that only takes itself for the leader is stopped first"
                ));
            }
            Said::Stranger(why) => {
                return Some(format!(
                    "replica {id} ({at}) runs, and this one is no member for it ({why}): it was \
                     removed. Join anew with --rejoin; its content stays"
                ));
            }
            Said::Runs { .. } | Said::Silent(_) => {}
        }
    }
    let there = |one: &&Asked| {
        matches!(one.said, Said::Runs { .. }) && voters.contains(&one.replica_id.as_u64())
    };
    let running: Vec<String> =
        asked.iter().filter(there).map(|one| one.replica_id.to_string()).collect();
    let with_own = running.len() + usize::from(voters.contains(&own.as_u64()));
    (!running.is_empty() && with_own * 2 > voters.len()).then(|| {
        format!(
            "{} of {} voters run ({}); with this one they are a majority: start it",
            running.len(),
            voters.len(),
            running.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> ReplicaId {
        ReplicaId::from_u64(number).unwrap()
    }

    #[test]
    fn a_cluster_that_lives_or_could_is_not_repaired() {
        let silent = || Said::Silent("connection refused".to_owned());
        let runs = |leader: Option<u64>| Said::Runs {
            leader: leader.map(id),
            position: Position::default(),
        };
        let removed = || Said::Stranger("no member".to_owned());
        // (voters, what 2, 3 and so on say, what is objected)
        let cases = [
            (3, vec![silent(), silent()], None),
            (3, vec![runs(None), silent()], Some("a majority")),
            (3, vec![runs(Some(2)), silent()], Some("knows a leader")),
            (3, vec![silent(), removed()], Some("--rejoin")),
            (5, vec![runs(None), silent(), silent(), silent()], None),
            (5, vec![runs(None), runs(None), silent(), silent()], Some("a majority")),
            (2, vec![silent()], None),
            (2, vec![runs(None)], Some("a majority")),
            (1, vec![], None),
        ];
        for (count, said, expected) in cases {
            let voters = (1..=count).collect();
            let asked = said.into_iter().zip(2..).map(|(said, number)| Asked {
                replica_id: id(number),
                address: "h:1".to_owned(),
                said,
            });
            let asked: Vec<Asked> = asked.collect();
            let found = objection(id(1), &voters, &asked);
            match (&found, expected) {
                (None, None) => {}
                (Some(text), Some(part)) => assert!(text.contains(part), "{text}"),
                _ => panic!("{asked:?}: {found:?}"),
            }
        }
    }
}
