//! Who is a member and where: the membership rows, in memory, for handshakes and dialling.
//!
//! A replica that moved says so itself to every peer it reaches: its new address can't come into
//! the rows before a leader reaches it there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use metadata::members::{self, MemberRow};
use metadata::replica::ReplicaId;
use metadata::tables::{Damage, Read};
use wire::peer_identity::PeerKey;
use wire::peer_tls::PeerRules;

/// A member that a newcomer was told of when it joined, until its tables say more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) replica_id: ReplicaId,
    pub(crate) address: String,
}

/// The members as this replica knows them.
#[derive(Debug)]
pub(crate) struct Directory {
    own: ReplicaId,
    known: Vec<Known>,
    rows: RwLock<Arc<Vec<MemberRow>>>,
    /// Where members say they are, as long as their rows say something else.
    moved: Mutex<BTreeMap<ReplicaId, String>>,
}

impl Directory {
    pub(crate) fn new(own: ReplicaId, known: Vec<Known>) -> Arc<Self> {
        Arc::new(Self { own, known, rows: RwLock::default(), moved: Mutex::default() })
    }

    /// Reads the membership rows anew.
    pub(crate) fn refresh(&self, tables: &impl Read) -> Result<(), Damage> {
        let rows = Arc::new(members::list(tables)?);
        let before = self.current();
        // What a row says anew is newer than what was heard before.
        let stands = |id: &ReplicaId| {
            let address = |rows: &[MemberRow]| {
                rows.iter().find(|row| row.replica_id == *id).map(|row| row.address.clone())
            };
            address(&before) == address(&rows)
        };
        self.moved().retain(|id, _| stands(id));
        *self.rows.write().unwrap_or_else(PoisonError::into_inner) = rows;
        Ok(())
    }

    fn current(&self) -> Arc<Vec<MemberRow>> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All members, by number.
    pub(crate) fn rows(&self) -> Vec<MemberRow> {
        self.current().as_ref().clone()
    }

    pub(crate) fn find(&self, replica_id: ReplicaId) -> Option<MemberRow> {
        self.current().iter().find(|row| row.replica_id == replica_id).cloned()
    }

    fn moved(&self) -> MutexGuard<'_, BTreeMap<ReplicaId, String>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes where the member `replica_id` says that it listens now; nothing where that is empty.
    pub(crate) fn told(&self, replica_id: ReplicaId, address: &str) {
        let Some(row) = self.find(replica_id).filter(|_| !address.is_empty()) else { return };
        if row.address == address {
            self.moved().remove(&replica_id);
        } else {
            self.moved().insert(replica_id, address.to_owned());
        }
    }

    /// Where a peer listens.
    pub(crate) fn address(&self, replica_id: ReplicaId) -> Option<String> {
        if let Some(moved) = self.moved().get(&replica_id) {
            return Some(moved.clone());
        }
        if let Some(row) = self.find(replica_id) {
            return Some(row.address);
        }
        let known = self.known.iter().find(|known| known.replica_id == replica_id);
        known.map(|known| known.address.clone())
    }

    /// The other members.
    pub(crate) fn peers(&self) -> Vec<ReplicaId> {
        let rows = self.current();
        if rows.is_empty() {
            return self.known.iter().map(|known| known.replica_id).collect();
        }
        rows.iter().map(|row| row.replica_id).filter(|id| *id != self.own).collect()
    }

    /// Whether the tables say anything yet. A newcomer's do not.
    pub(crate) fn is_empty(&self) -> bool {
        self.current().is_empty()
    }

    /// Whether calls of `replica_id` in its life `incarnation` are answered.
    ///
    /// A newcomer without tables listens to whoever the cluster's authority has certified: it can't
    /// know who joined after it, and one of those may be the leader that brings it the tables.
    pub(crate) fn admits(&self, replica_id: ReplicaId, incarnation: &str) -> bool {
        self.is_empty() || self.find(replica_id).is_some_and(|row| row.incarnation == incarnation)
    }
}

impl PeerRules for Directory {
    fn listed(&self, key: &PeerKey, replica_id: &str) -> bool {
        let key = key.to_string();
        let rows = self.current();
        rows.is_empty()
            || rows
                .iter()
                .any(|row| row.replica_id.to_string() == replica_id && row.public_key == key)
    }

    fn out_of_date(&self, peer: &wire::peer_identity::PeerIdentity, not_after_ms: u64) {
        tracing::warn!(
            replica = peer.replica_id,
            not_after_ms,
            "a member came with a certificate out of its dates; its key is listed, so it is let in"
        );
    }
}
