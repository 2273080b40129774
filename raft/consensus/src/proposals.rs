//! Commands of this replica on their way to the leader, each under a number of the replica's
//! session.
//!
//! A command whose answer did not come is unknown, not failed: it is sent again under its number,
//! to whoever leads then, until the wait is over. The state machine keeps outcomes of open numbers
//! only and refuses what lies below the lowest, so a late duplicate does nothing, ever.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metadata::command::Command;
use metadata::entry::{Origin, Proposal};
use metadata::outcome::{self, Answer, Outcome};
use metadata::refusal::Refusal;
use metadata::replica::ReplicaId;
use metadata::request_keys::RequestKey;
use metadata::sessions::SessionOpen;
use metadata::vouchers::Voucher;
use rand::RngCore;
use tokio::time::Instant;

use crate::batches::{Batches, Settled};
use crate::cluster::{Failure, Unavailable};
use crate::peers::{Lane, Peers};
use crate::protocol::peer;
use crate::quorum::Quorum;

/// The largest command, encoded.
pub(crate) const COMMAND_BYTES_MAX: usize = 256 * 1024;
/// Before another try.
const RETRY: Duration = Duration::from_millis(40);
/// A forwarded command without an answer by then is sent again, perhaps to another leader.
const TRY_MAX: Duration = Duration::from_secs(4);

/// Who leads, as far as this replica knows, by number.
pub(crate) type LeaderNow = Arc<dyn Fn() -> Option<u64> + Send + Sync>;

/// Who asks for a command; nothing where the replica asks by itself.
#[derive(Default)]
pub(crate) struct Behalf {
    /// As the audit log is to know them.
    pub(crate) origin: Option<Origin>,
    /// What they showed, which must still hold when the command is carried out.
    pub(crate) voucher: Option<Voucher>,
    /// Under which key of its client the request comes, with its first command.
    pub(crate) request_key: Option<RequestKey>,
}

/// This replica's commands.
pub(crate) struct Proposals {
    pub(crate) own: ReplicaId,
    pub(crate) incarnation: String,
    pub(crate) batches: Batches,
    pub(crate) peers: Peers,
    pub(crate) quorum: Arc<Quorum>,
    pub(crate) leader: LeaderNow,
    /// Names this life of the process: its session is opened once, however often it is asked for.
    life: [u8; 16],
    numbers: Mutex<Numbers>,
    /// The session, once it is open. Held while it is being opened.
    session: tokio::sync::Mutex<Option<u64>>,
}

#[derive(Default)]
struct Numbers {
    last: u64,
    open: BTreeSet<u64>,
}

/// What one try came to.
enum Tried {
    Outcome(Outcome),
    /// Certainly not taken.
    NotTaken,
    /// It may be carried out.
    Unknown,
}

impl Proposals {
    pub(crate) fn new(
        (own, incarnation): (ReplicaId, String),
        batches: Batches,
        peers: Peers,
        quorum: Arc<Quorum>,
        leader: LeaderNow,
    ) -> Self {
        let (numbers, session) = (Mutex::default(), tokio::sync::Mutex::default());
        let life = random();
        Self { own, incarnation, batches, peers, quorum, leader, life, numbers, session }
    }

    /// Has `command` carried out once, or says why it is not known to be.
    pub(crate) async fn propose(
        &self,
        command: &Command,
        behalf: Behalf,
    ) -> Result<Answer, Failure> {
        let command = command.encode();
        if command.len() > COMMAND_BYTES_MAX {
            let bytes = command.len();
            let text = format!("a command of {bytes} bytes is larger than the log takes (256 KiB)");
            return Err(Failure::Fault(text));
        }
        let began = Instant::now();
        let session = self.session(began).await?;
        let number = self.open_number();
        let _closing = Closing { numbers: &self.numbers, number };
        let proposal = Proposal {
            session,
            number,
            lowest_open: 0,
            random: random(),
            command,
            origin: behalf.origin,
            voucher: behalf.voucher,
            request_key: behalf.request_key,
        };
        match self.carry(proposal, began).await? {
            Ok(answer) => Ok(answer),
            // Another process was started over this replica's folder, or the replica was removed.
            Err(Refusal::SessionClosed { .. }) => {
                Err(Failure::Fault("this replica's session was closed by a later start".to_owned()))
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Has the entry agreed on that comes before any session: the cluster's first.
    pub(crate) async fn propose_first(&self, command: &Command) -> Result<Answer, Failure> {
        let command = command.encode();
        Ok(self.carry(self.without_session(command), Instant::now()).await??)
    }

    /// The session of this life; opened by the first who needs it.
    async fn session(&self, began: Instant) -> Result<u64, Failure> {
        let mut session = self.quorum.within(self.session.lock()).await?;
        if let Some(open) = *session {
            return Ok(open);
        }
        let open = SessionOpen { replica_id: self.own, incarnation: self.incarnation.clone() };
        let command = Command::SessionOpen(open).encode();
        match self.carry(self.without_session(command), began).await? {
            Ok(Answer::Session { session: opened }) => Ok(*session.insert(opened)),
            Ok(other) => {
                Err(Failure::Fault(format!("opening a session was answered by {other:?}")))
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    fn without_session(&self, command: Vec<u8>) -> Proposal {
        let (session, number, lowest_open, random) = (0, 0, 0, self.life);
        let Behalf { origin, voucher, request_key } = Behalf::default();
        Proposal { session, number, lowest_open, random, command, origin, voucher, request_key }
    }

    fn open_number(&self) -> u64 {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        numbers.last += 1;
        let number = numbers.last;
        numbers.open.insert(number);
        number
    }

    fn lowest_open(&self) -> u64 {
        let numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        numbers.open.first().copied().unwrap_or(numbers.last + 1)
    }
}

impl Proposals {
    /// Sends `proposal` until there is an outcome or the wait is over.
    async fn carry(&self, mut proposal: Proposal, began: Instant) -> Result<Outcome, Failure> {
        let mut may_be_taken = false;
        loop {
            if proposal.session != 0 {
                proposal.lowest_open = self.lowest_open();
            }
            let until = self.quorum.until(began);
            let tried = tokio::time::timeout_at(until, self.try_once(&proposal, until)).await;
            match tried {
                Ok(Tried::Outcome(outcome)) => return Ok(outcome),
                Ok(Tried::NotTaken) => {}
                // A try that was cut off had perhaps been sent.
                Ok(Tried::Unknown) | Err(_) => may_be_taken = true,
            }
            if Instant::now() + RETRY >= self.quorum.until(began) {
                return Err(match self.quorum.failure() {
                    _ if may_be_taken => Failure::unavailable(Unavailable::Unknown),
                    failure => failure,
                });
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn try_once(&self, proposal: &Proposal, until: Instant) -> Tried {
        let Some(leader) = (self.leader)() else { return Tried::NotTaken };
        if leader == self.own.as_u64() {
            return match self.batches.settle(proposal.clone()).await {
                Settled::Outcome(outcome, _) => Tried::Outcome(outcome),
                Settled::NotLeader => Tried::NotTaken,
                Settled::Unknown => Tried::Unknown,
            };
        }
        let wait = until.saturating_duration_since(Instant::now()).min(TRY_MAX);
        let request_key = proposal.request_key.as_ref().map(RequestKey::encode);
        let request = peer::ProposeRequest {
            sender: Some(self.peers.sender()),
            session: proposal.session,
            number: proposal.number,
            lowest_open: proposal.lowest_open,
            random: proposal.random.to_vec().into(),
            command: proposal.command.clone().into(),
            origin: proposal.origin.as_ref().map(Origin::encode).unwrap_or_default().into(),
            wait_ms: u64::try_from(wait.as_millis()).unwrap_or(0),
            voucher: proposal.voucher.as_ref().map(Voucher::encode).unwrap_or_default().into(),
            request_key: request_key.unwrap_or_default().into(),
        };
        let mut client = self.peers.client(leader, Lane::Commands);
        match tokio::time::timeout(wait, client.propose(request)).await {
            Ok(Ok(response)) => self.read_answer(response.into_inner()),
            // Refused at the door, or no connection: nothing was handed over.
            Ok(Err(status)) if not_delivered(&status) => Tried::NotTaken,
            Ok(Err(_)) | Err(_) => Tried::Unknown,
        }
    }

    fn read_answer(&self, response: peer::ProposeResponse) -> Tried {
        use peer::propose_response::Result as Said;
        match response.result {
            Some(Said::Outcome(bytes)) => match outcome::decode(&bytes) {
                Ok(outcome) => {
                    self.quorum.answered();
                    Tried::Outcome(outcome)
                }
                Err(error) => {
                    tracing::error!(%error, "an outcome from the leader does not read");
                    Tried::Unknown
                }
            },
            Some(Said::NotLeader(_)) => Tried::NotTaken,
            Some(Said::Unknown(_)) | None => Tried::Unknown,
        }
    }
}

fn not_delivered(status: &tonic::Status) -> bool {
    matches!(status.code(), tonic::Code::PermissionDenied | tonic::Code::Unauthenticated)
}

/// Closes a number when its caller has an answer, or has gone.
struct Closing<'a> {
    numbers: &'a Mutex<Numbers>,
    number: u64,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        numbers.open.remove(&self.number);
    }
}

/// A command that comes before any session.
fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}
