//! How the cluster is, as one replica knows it: from its own Raft and from what the others report.
//!
//! The facts of section 6 of the interface; they are gathered without a majority.

use std::time::Duration;

use metadata::quorum;
use metadata::replica::ReplicaId;
use openraft::ServerState;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::replica::Replica;
use crate::reports::{Heard, Report};

/// A replica further behind than this is catching up.
pub(crate) const BEHIND_ENTRIES_MAX: u64 = 100;
/// A report older than this says nothing about the replica any more.
const REPORT_AGE_MAX: Duration = Duration::from_secs(30);

/// What a replica is to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Orders the log.
    Leader,
    /// Votes and follows.
    Follower,
    /// Stands for election.
    Candidate,
    /// Follows without a vote.
    Learner,
    /// Not known at the moment.
    Unknown,
}

impl Role {
    /// In lower case, as it is shown and sent.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Candidate => "candidate",
            Self::Learner => "learner",
            Self::Unknown => "unknown",
        }
    }

    pub(crate) fn of(state: ServerState) -> Self {
        match state {
            ServerState::Leader => Self::Leader,
            ServerState::Follower => Self::Follower,
            ServerState::Candidate => Self::Candidate,
            ServerState::Learner => Self::Learner,
            ServerState::Shutdown => Self::Unknown,
        }
    }

    pub(crate) fn parse(name: &str) -> Self {
        [Self::Leader, Self::Follower, Self::Candidate, Self::Learner]
            .into_iter()
            .find(|role| role.name() == name)
            .unwrap_or(Self::Unknown)
    }
}

/// A part of a replica that is not well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ailment {
    /// `storage`, `authorization`, `metadata` or `content trust`.
    pub part: String,
    /// What is wrong with it, for a person.
    pub cause: String,
}

/// The cluster, as the replica that was asked knows it.
#[derive(Clone, Debug)]
pub struct ClusterStatus {
    /// The cluster's id.
    pub cluster_id: String,
    /// The replica that was asked.
    pub replica_id: ReplicaId,
    /// The leader it hears from, or is.
    pub leader: Option<ReplicaId>,
    /// Raft's term.
    pub term: u64,
    /// The last log index known to be agreed on.
    pub committed: u64,
    /// Those who vote.
    pub voters: Vec<ReplicaId>,
    /// Those who only follow.
    pub learners: Vec<ReplicaId>,
    /// So many voters may fail without loss of service.
    pub failures_tolerated: usize,
    /// For how many milliseconds no majority has answered, once they are too many.
    pub no_majority_ms: Option<u64>,
    /// Every member, by number; the keys of `replica_health`.
    pub replicas: Vec<ReplicaStatus>,
}

/// One member.
#[derive(Clone, Debug)]
pub struct ReplicaStatus {
    /// Its id.
    pub replica_id: ReplicaId,
    /// Its number.
    pub number: u16,
    /// Where its peers reach it.
    pub address: String,
    /// Its machine's name.
    pub host_name: String,
    /// What it is.
    pub role: Role,
    /// Why it is not well; `None`: `OK`.
    pub ailing: Option<String>,
    /// The last index of its log.
    pub last_log: u64,
    /// The last index it has applied.
    pub applied: u64,
    /// Entries it has yet to apply.
    pub lag: u64,
    /// Milliseconds since it was last heard; 0 for the replica asked, `None` where it never was.
    pub last_contact_ms: Option<u64>,
    /// Its program's version.
    pub version: String,
    /// Free bytes on the disk of its data folder.
    pub disk_free_bytes: u64,
    /// Its clock less that of the replica asked, in milliseconds.
    pub clock_offset_ms: i64,
    /// When it last reported, by the clock of the replica asked, in Unix milliseconds.
    pub reported_wall_ms: Option<u64>,
    /// When it was started, in Unix milliseconds by its own clock.
    pub started_wall_ms: u64,
    /// The peers it has heard lately.
    pub connected_to: Vec<ReplicaId>,
    /// When its certificate runs out, in Unix milliseconds; 0 where that is not known.
    pub certificate_expires_wall_ms: u64,
    /// Whether it takes new blobs.
    pub takes_blobs: bool,
    /// Whether its content moves to the others, so that it can be removed.
    pub is_draining: bool,
}

/// What judging a replica's health needs.
struct Facts<'a> {
    heard: Option<&'a Heard>,
    /// Since it was last heard, or, where it never was, since it became known.
    silent: Duration,
    silent_max: Duration,
    /// The wall time of the last report.
    reported: Option<String>,
    lag: u64,
    ailments: &'a [Ailment],
}

/// The reason why a replica is not well, by precedence.
fn ailing(facts: &Facts<'_>) -> Option<String> {
    if facts.silent > REPORT_AGE_MAX {
        let when = facts.reported.as_deref().unwrap_or("never");
        return Some(format!("Replica reported health too long ago: {when}"));
    }
    if facts.silent > facts.silent_max {
        let cause = facts.heard.and_then(|heard| heard.trouble.as_deref()).unwrap_or("no answer");
        return Some(format!("Unable to reach replica: {cause}"));
    }
    if facts.lag > BEHIND_ENTRIES_MAX {
        return Some(format!("Replica is catching up: {} entries behind", facts.lag));
    }
    facts.ailments.first().map(|ailment| format!("{}: {}", ailment.part, ailment.cause))
}

/// Gathers what `replica` knows.
pub(crate) fn gather(replica: &Replica) -> ClusterStatus {
    let own = replica.own_report();
    let metrics = replica.raft.metrics().borrow().clone();
    let membership = metrics.membership_config.membership();
    let ids = |ids: &mut dyn Iterator<Item = u64>| ids.filter_map(ReplicaId::from_u64).collect();
    let voters: Vec<ReplicaId> = ids(&mut membership.voter_ids());
    let learners: Vec<ReplicaId> = ids(&mut membership.learner_ids());
    let heard = replica.reports.all();
    let committed =
        heard.values().map(|heard| heard.report.committed).fold(own.committed, u64::max);
    let replicas = replica.directory.rows().into_iter().map(|row| {
        let id = row.replica_id;
        let is_own = id == replica.identity.replica_id;
        let heard = heard.get(&id);
        let report = if is_own { Some(&own) } else { heard.map(|heard| &heard.report) };
        let mut status = one(replica, &row, heard, report.unwrap_or(&Report::default()), is_own);
        let silent =
            status.last_contact_ms.map_or_else(|| replica.reports.age(), Duration::from_millis);
        status.lag = committed.saturating_sub(status.applied);
        let ailments = report.map(|report| report.ailments.clone()).unwrap_or_default();
        status.ailing = ailing(&Facts {
            heard,
            silent,
            silent_max: Duration::from_millis(replica.tuning.silent_ms),
            reported: status.reported_wall_ms.map(rfc3339),
            lag: status.lag,
            ailments: &ailments,
        });
        status
    });
    let replicas = replicas.collect();
    ClusterStatus {
        cluster_id: replica.identity.cluster_id.clone(),
        replica_id: replica.identity.replica_id,
        leader: replica.leader().and_then(ReplicaId::from_u64),
        term: metrics.current_term,
        committed,
        failures_tolerated: quorum::failures_tolerated(voters.len()),
        voters,
        learners,
        no_majority_ms: replica.quorum.judge().err(),
        replicas,
    }
}

fn one(
    replica: &Replica,
    row: &metadata::members::MemberRow,
    heard: Option<&Heard>,
    report: &Report,
    is_own: bool,
) -> ReplicaStatus {
    let now_wall_ms = replica.clock.wall_ms();
    let last_contact_ms = if is_own { Some(0) } else { heard.map(Heard::silent_ms) };
    ReplicaStatus {
        replica_id: row.replica_id,
        number: row.number.0,
        address: row.address.clone(),
        host_name: row.host_name.clone(),
        role: report.role,
        ailing: None,
        last_log: report.last_log,
        applied: report.applied,
        lag: 0,
        last_contact_ms,
        version: if report.version.is_empty() {
            row.version.clone()
        } else {
            report.version.clone()
        },
        disk_free_bytes: report.disk_free_bytes,
        clock_offset_ms: heard.map_or(0, |heard| heard.offset_ms),
        reported_wall_ms: last_contact_ms.map(|ago| now_wall_ms.saturating_sub(ago)),
        started_wall_ms: report.started_wall_ms,
        connected_to: report.connected_to.clone(),
        certificate_expires_wall_ms: report.certificate_expires_wall_ms,
        takes_blobs: report.takes_blobs,
        is_draining: row.is_draining,
    }
}

/// `2026-02-15T10:00:01Z`.
fn rfc3339(unix_ms: u64) -> String {
    let seconds = i64::try_from(unix_ms / 1000).unwrap_or_default();
    let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    moment.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_reason_is_the_one_shown() {
        let ailments = [Ailment { part: "storage".to_owned(), cause: "disk full".to_owned() }];
        // (silence in s, lag, ails, what is shown)
        let cases = [
            (0, 0, false, None),
            (0, 100, false, None),
            (0, 101, true, Some("Replica is catching up: 101 entries behind")),
            (0, 3, true, Some("storage: disk full")),
            (6, 500, true, Some("Unable to reach replica: no answer")),
            (31, 500, true, Some("Replica reported health too long ago: T")),
        ];
        for (silent_s, lag, ails, shown) in cases {
            let facts = Facts {
                heard: None,
                silent: Duration::from_secs(silent_s),
                silent_max: Duration::from_secs(5),
                reported: Some("T".to_owned()),
                lag,
                ailments: if ails { &ailments } else { &[] },
            };
            assert_eq!(ailing(&facts).as_deref(), shown, "{silent_s} {lag} {ails}");
        }
    }

    #[test]
    fn a_role_reads_back_as_it_is_written() {
        for role in [Role::Leader, Role::Follower, Role::Candidate, Role::Learner, Role::Unknown] {
            assert_eq!(Role::parse(role.name()), role);
        }
    }
}
