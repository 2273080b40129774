//! What replicas tell each other about themselves, once a second, whoever leads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metadata::replica::ReplicaId;
use tokio::time::Instant;

use crate::peers::Lane;
use crate::protocol::peer;
use crate::replica::Replica;
use crate::status::{Ailment, Role};

/// A peer that does not answer by then is asked again in the next round.
const ANSWER_MAX: Duration = Duration::from_millis(900);

/// What a replica says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) version: String,
    pub(crate) role: Role,
    pub(crate) term: u64,
    pub(crate) leader: Option<ReplicaId>,
    pub(crate) last_log: u64,
    pub(crate) committed: u64,
    pub(crate) applied: u64,
    pub(crate) wall_ms: u64,
    pub(crate) disk_free_bytes: u64,
    pub(crate) ailments: Vec<Ailment>,
    pub(crate) connected_to: Vec<ReplicaId>,
    pub(crate) certificate_expires_wall_ms: u64,
    pub(crate) takes_blobs: bool,
    pub(crate) started_wall_ms: u64,
    /// Where its peers reach it now; empty where it does not say.
    pub(crate) address: String,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            version: String::new(),
            role: Role::Unknown,
            term: 0,
            leader: None,
            last_log: 0,
            committed: 0,
            applied: 0,
            wall_ms: 0,
            disk_free_bytes: 0,
            ailments: Vec::new(),
            connected_to: Vec::new(),
            certificate_expires_wall_ms: 0,
            takes_blobs: false,
            started_wall_ms: 0,
            address: String::new(),
        }
    }
}

impl Report {
    pub(crate) fn to_message(&self, replica_id: ReplicaId) -> peer::Report {
        let ailment =
            |one: &Ailment| peer::Ailment { part: one.part.clone(), cause: one.cause.clone() };
        peer::Report {
            replica_id: replica_id.to_string(),
            version: self.version.clone(),
            role: self.role.name().to_owned(),
            term: self.term,
            leader: self.leader.map(|leader| leader.to_string()).unwrap_or_default(),
            last_log: self.last_log,
            committed: self.committed,
            applied: self.applied,
            wall_ms: self.wall_ms,
            disk_free_bytes: self.disk_free_bytes,
            ailments: self.ailments.iter().map(ailment).collect(),
            connected_to: self.connected_to.iter().map(ReplicaId::to_string).collect(),
            certificate_expires_wall_ms: self.certificate_expires_wall_ms,
            takes_blobs: self.takes_blobs,
            started_wall_ms: self.started_wall_ms,
            address: self.address.clone(),
        }
    }

    pub(crate) fn from_message(message: peer::Report) -> Self {
        let ailment = |one: peer::Ailment| Ailment { part: one.part, cause: one.cause };
        let ids = message.connected_to.iter().filter_map(|id| ReplicaId::parse(id).ok());
        Self {
            role: Role::parse(&message.role),
            leader: ReplicaId::parse(&message.leader).ok(),
            connected_to: ids.collect(),
            version: message.version,
            term: message.term,
            last_log: message.last_log,
            committed: message.committed,
            applied: message.applied,
            wall_ms: message.wall_ms,
            disk_free_bytes: message.disk_free_bytes,
            ailments: message.ailments.into_iter().map(ailment).collect(),
            certificate_expires_wall_ms: message.certificate_expires_wall_ms,
            takes_blobs: message.takes_blobs,
            started_wall_ms: message.started_wall_ms,
            address: message.address,
        }
    }
}

/// The last word from a peer.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) report: Report,
    at: Instant,
    /// Its clock less ours.
    pub(crate) offset_ms: i64,
    /// Why it was not heard since, where it was not.
    pub(crate) trouble: Option<String>,
}

impl Heard {
    pub(crate) fn silent_ms(&self) -> u64 {
        u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// What is known of the others, and what this replica is to say of itself.
pub(crate) struct Reports {
    began: Instant,
    heard: Mutex<BTreeMap<ReplicaId, Heard>>,
    own: Mutex<Own>,
}

struct Own {
    ailments: Vec<Ailment>,
    takes_blobs: bool,
}

impl Reports {
    pub(crate) fn new() -> Arc<Self> {
        let own = Own { ailments: Vec::new(), takes_blobs: true };
        Arc::new(Self { began: Instant::now(), heard: Mutex::default(), own: Mutex::new(own) })
    }

    /// Since when peers could have been heard.
    pub(crate) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn set_ailments(&self, ailments: Vec<Ailment>) {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).ailments = ailments;
    }

    pub(crate) fn set_takes_blobs(&self, takes_blobs: bool) {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).takes_blobs = takes_blobs;
    }

    /// What this replica was told to say: ailments, and whether it takes blobs.
    pub(crate) fn own(&self) -> (Vec<Ailment>, bool) {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        (own.ailments.clone(), own.takes_blobs)
    }

    pub(crate) fn all(&self) -> BTreeMap<ReplicaId, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Peers heard within `silent_max`.
    pub(crate) fn lately(&self, silent_max: Duration) -> Vec<ReplicaId> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = heard.iter().filter(|(_, heard)| heard.at.elapsed() < silent_max);
        lately.map(|(id, _)| *id).collect()
    }

    /// Takes a report; `own_wall_ms` is this replica's clock at the moment the report speaks of.
    pub(crate) fn hear(&self, from: ReplicaId, report: Report, own_wall_ms: u64) {
        let offset_ms = report.wall_ms.cast_signed().wrapping_sub(own_wall_ms.cast_signed());
        let heard = Heard { report, at: Instant::now(), offset_ms, trouble: None };
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).insert(from, heard);
    }

    fn missed(&self, from: ReplicaId, trouble: String) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(heard) = heard.get_mut(&from) {
            heard.trouble = Some(trouble);
        }
    }

    fn keep_only(&self, members: &[ReplicaId]) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.retain(|id, _| members.contains(id));
    }

    /// The median of the members' clocks, this replica's being at `own_wall_ms`.
    pub(crate) fn median_wall_ms(&self, own_wall_ms: u64, silent_max: Duration) -> u64 {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = heard.values().filter(|heard| heard.at.elapsed() < silent_max);
        let mut offsets: Vec<i64> = lately.map(|heard| heard.offset_ms).collect();
        offsets.push(0);
        offsets.sort_unstable();
        own_wall_ms.saturating_add_signed(offsets[(offsets.len() - 1) / 2])
    }
}

/// Exchanges reports with every member until the replica stops.
pub(crate) async fn exchange(replica: Arc<Replica>) {
    let every = Duration::from_millis(replica.tuning.status_ms);
    let mut rounds = tokio::time::interval(every);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = rounds.tick() => {}
            () = replica.stopping() => return,
        }
        let members = replica.directory.peers();
        replica.reports.keep_only(&members);
        replica.peers.keep_only(&members);
        for member in members {
            tokio::spawn(ask(replica.clone(), member));
        }
    }
}

async fn ask(replica: Arc<Replica>, member: ReplicaId) {
    let own = replica.own_report().to_message(replica.identity.replica_id);
    let request = peer::StatusRequest { sender: Some(replica.peers.sender()), report: Some(own) };
    let mut client = replica.peers.client(member.as_u64(), Lane::Control);
    let began_wall_ms = replica.clock.wall_ms();
    let trouble = match tokio::time::timeout(ANSWER_MAX, client.status(request)).await {
        Ok(Ok(answer)) => {
            let Some(report) = answer.into_inner().report else { return };
            // The answer was written about half way between question and arrival.
            let half_way_ms = began_wall_ms.midpoint(replica.clock.wall_ms());
            replica.reports.hear(member, Report::from_message(report), half_way_ms);
            return;
        }
        Ok(Err(status)) => status.message().to_owned(),
        Err(_) => "no answer".to_owned(),
    };
    replica.reports.missed(member, trouble);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> ReplicaId {
        ReplicaId::from_u64(number).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn wall_time_is_the_median_of_the_clocks_heard_lately() {
        let lately = Duration::from_secs(5);
        let reports = Reports::new();
        assert_eq!(reports.median_wall_ms(1000, lately), 1000, "alone");
        let at = |wall_ms| Report { wall_ms, ..Report::default() };
        reports.hear(id(2), at(1_000_000), 1000);
        assert_eq!(reports.median_wall_ms(1000, lately), 1000, "of two the earlier");
        reports.hear(id(3), at(1500), 1000);
        assert_eq!(reports.median_wall_ms(1000, lately), 1500, "one clock far ahead moves nothing");
        reports.hear(id(3), at(400), 1000);
        assert_eq!(reports.median_wall_ms(1000, lately), 1000, "one behind, one ahead");
        tokio::time::advance(lately).await;
        assert_eq!(reports.median_wall_ms(2000, lately), 2000, "what is old does not count");
    }

    #[test]
    fn a_report_comes_back_as_it_went() {
        let report = Report {
            version: "1.2.3".to_owned(),
            role: Role::Learner,
            term: 3,
            leader: Some(id(7)),
            last_log: 12,
            committed: 11,
            applied: 10,
            wall_ms: 99,
            disk_free_bytes: 1 << 40,
            ailments: vec![Ailment { part: "storage".to_owned(), cause: "full".to_owned() }],
            connected_to: vec![id(7), id(8)],
            certificate_expires_wall_ms: 5,
            takes_blobs: true,
            started_wall_ms: 4,
            address: "node7.example:7100".to_owned(),
        };
        let read = Report::from_message(report.to_message(id(1)));
        assert_eq!(format!("{read:?}"), format!("{report:?}"));
    }
}
