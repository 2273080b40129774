//! A log entry: a stamp by the leader and the commands that arrived during the last flush.

use crate::codec::{self, Malformed, Reader, message};
use crate::request_keys::RequestKey;
use crate::vouchers::Voucher;

/// The format this binary writes, and the newest it knows.
pub const FORMAT: u32 = 1;

message! {
    /// What the leader says of time when it writes an entry.
    pub struct Stamp {
        /// Milliseconds by the leader's monotonic clock since its previous entry; 0 for its first.
        1 elapsed_ms: u64,
        /// Median of the members' clocks, milliseconds since 1970.
        2 wall_ms: u64,
    }
}

message! {
    /// Who asked for a command and from where; told by the replica that took the request, for the
    /// audit log alone: nothing is decided by it.
    pub struct Origin {
        /// The account's name; empty for somebody who did not sign in.
        1 account: String,
        /// Its id, where there is one.
        2 account_id: Option<[u8; 16]>,
        /// The client's address, without its port.
        3 address: String,
        /// The id of the request, as the replica's log has it.
        4 request_id: String,
    }
}

message! {
    /// A command under its session and number.
    pub struct Proposal {
        /// The proposer's session; 0 for opening one and for the first entry.
        1 session: u64,
        /// Counts up within the session; the same for every attempt at the same command.
        2 number: u64,
        /// The lowest number whose outcome the proposer may still ask for.
        3 lowest_open: u64,
        /// Drawn once by the proposer, the same for every attempt. For `SessionOpen` it names the
        /// life.
        4 random: [u8; 16],
        /// [`Command::encode`](crate::command::Command::encode).
        5 command: Vec<u8>,
        /// With commands that the audit log keeps, where a request asks for them.
        6 origin: Option<Origin>,
        /// What the one showed on whose behalf it comes; `None` where the replica asks by itself.
        7 voucher: Option<Voucher>,
        /// With the first command of a request that its client may send again.
        8 request_key: Option<RequestKey>,
    }
}

message! {
    /// One entry of the log.
    pub struct Entry {
        /// [`FORMAT`].
        1 format: u32,
        /// Time.
        2 stamp: Stamp,
        /// Carried out in this order, each with its own outcome.
        3 proposals: Vec<Proposal>,
    }
}

impl Entry {
    /// Reads an entry, telling one of a newer format from damage.
    ///
    /// # Errors
    ///
    /// [`Malformed::NewerFormat`] where a newer binary wrote it; the replica must stop.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let format = Reader::new(bytes).take(1)?.ok_or(Malformed::Missing)?.number()?;
        match u32::try_from(format) {
            Ok(FORMAT) => codec::decode(bytes),
            Ok(newer) => Err(Malformed::NewerFormat(newer)),
            Err(_) => Err(Malformed::Value("an entry's format")),
        }
    }
}
