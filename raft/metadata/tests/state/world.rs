//! A cluster with a model of its disks, driven by random steps.
//!
//! Replicas apply the same log, each at its own pace. A replica's disk holds files; it gives
//! receipts by what it has applied, and unlinks when it applies a release that does not list it.
//! Receipts may be used long after they were given. After each entry: the invariants of the tables
//! hold, every listed holder has the file (B3, B4), and what was acknowledged stands on W voters
//! (B1).

use std::collections::{BTreeMap, BTreeSet};

use metadata::apply::{Position, apply};
use metadata::blobs::{self, State};
use metadata::collection::{self, Condemn, Delete, Doomed};
use metadata::command::Command;
use metadata::entry::{Entry, FORMAT, Proposal, Stamp};
use metadata::holders::{Forget, HolderAdd, HolderDrop, HolderLost};
use metadata::membership::{self, voters_changed};
use metadata::outcome::Outcome;
use metadata::quorum;
use metadata::receipts::Receipt;
use metadata::settings::SettingsSet;
use metadata::tables::Memory;
use oci::digest::Digest;
use oci::manifest::Role;

use crate::cluster::{Cluster, digest, id, incarnation};
use crate::steps::{REPLICAS, Step, TEXTS, named};

/// What the log holds: an entry, or a membership by bits.
#[derive(Clone)]
pub(crate) enum Logged {
    Entry(Entry),
    Voters(Vec<u64>),
}

/// A replica: tables as far as it has applied, and its disk.
#[derive(Clone)]
pub(crate) struct Replica {
    number: u64,
    pub(crate) tables: Memory,
    applied: u64,
    files: BTreeSet<Digest>,
}

pub(crate) struct World {
    /// The newest state: what the leader has applied.
    pub(crate) newest: Cluster,
    /// Entries after the first `base`.
    base: u64,
    pub(crate) log: Vec<(Logged, Vec<Outcome>)>,
    pub(crate) replicas: Vec<Replica>,
    /// The newest receipt of each replica for each digest; used at any later time.
    receipts: BTreeMap<(Digest, u64), Receipt>,
}

pub(crate) fn bits(bits: u8) -> Vec<u64> {
    (1..=REPLICAS).filter(|replica| bits >> (replica - 1) & 1 == 1).collect()
}

impl World {
    pub(crate) fn new() -> Self {
        let mut newest = Cluster::new(REPLICAS);
        newest.does(SettingsSet {
            grace_s: Some(0),
            lease_s: Some(3600),
            undelete_s: Some(150),
            ..SettingsSet::default()
        });
        let replica = |number| Replica {
            number,
            tables: newest.tables.clone(),
            applied: newest.index,
            files: BTreeSet::new(),
        };
        let replicas = (1..=REPLICAS).map(replica).collect();
        let base = newest.index;
        Self { newest, base, log: Vec::new(), replicas, receipts: BTreeMap::new() }
    }

    /// Appends an entry of `commands`, sent twice each, and checks what must hold.
    fn propose(&mut self, commands: &[Command], elapsed_ms: u64) -> Vec<Outcome> {
        let mut proposals: Vec<Proposal> = Vec::new();
        for command in commands {
            let proposal = self.newest.proposal(command);
            // The network doubles what it likes; the outcome is the same.
            proposals.extend([proposal.clone(), proposal]);
        }
        let outcomes = self.newest.propose(proposals.clone(), elapsed_ms);
        for twice in outcomes.chunks(2) {
            assert_eq!(twice[0], twice[1]);
        }
        let wall_ms = metadata::clocks::wall_ms(&self.newest.tables).unwrap();
        let entry = Entry { format: FORMAT, stamp: Stamp { elapsed_ms, wall_ms }, proposals };
        self.log.push((Logged::Entry(entry), outcomes.clone()));
        self.check(commands, outcomes.iter().step_by(2));
        outcomes.into_iter().step_by(2).collect()
    }

    pub(crate) fn check<'a>(
        &self,
        commands: &[Command],
        outcomes: impl Iterator<Item = &'a Outcome>,
    ) {
        let tables = &self.newest.tables;
        for (digest, blob) in blobs::page(tables, None, usize::MAX).unwrap().items {
            for holder in blobs::holders(tables, &blob).unwrap() {
                let replica = &self.replicas[usize::try_from(holder.as_u64()).unwrap() - 1];
                assert!(replica.files.contains(&digest), "B3: {holder} lacks {digest}");
            }
        }
        for (command, outcome) in commands.iter().zip(outcomes) {
            if let (Command::ManifestPut(put), Ok(_)) = (command, outcome) {
                let write = quorum::of(tables).unwrap().write;
                let needed = put.references.iter().map(|reference| &reference.digest);
                for digest in needed.chain([&put.digest]) {
                    let blob = blobs::find(tables, digest).unwrap().unwrap();
                    let count = membership::count_voters(tables, &blob.holders).unwrap();
                    assert!(count >= write && blob.state == State::Live, "B1: {digest}");
                }
            }
        }
    }

    /// Lets a replica apply up to the newest entry, unlinking as it goes.
    pub(crate) fn catch_up(&mut self, number: u64) {
        let replica = &mut self.replicas[usize::try_from(number).unwrap() - 1];
        while replica.applied < self.newest.index {
            let next = usize::try_from(replica.applied - self.base).unwrap();
            replica.applied += 1;
            replica.apply(&self.log[next].0, &self.log[next].1);
        }
    }

    /// Writes the file where it is not there, and gives a receipt as of what is applied there.
    fn receive(&mut self, digest: &Digest, number: u64) -> Receipt {
        let replica = &mut self.replicas[usize::try_from(number).unwrap() - 1];
        replica.files.insert(digest.clone());
        let receipt = Receipt {
            replica_id: id(number),
            incarnation: incarnation(number),
            applied_index: replica.applied,
            generation: 0,
        };
        self.receipts.insert((digest.clone(), number), receipt.clone());
        receipt
    }

    /// The receipts given so far for a digest, however old.
    pub(crate) fn receipts(&self, digest: &Digest) -> Vec<Receipt> {
        let given = self.receipts.iter().filter(|((of, _), _)| of == digest);
        given.map(|(_, receipt)| receipt.clone()).collect()
    }
}

impl Replica {
    fn apply(&mut self, logged: &Logged, expected: &[Outcome]) {
        let entry = match logged {
            Logged::Voters(voters) => {
                let voters: Vec<_> = voters.iter().map(|voter| id(*voter)).collect();
                return voters_changed(&mut self.tables, &voters, &[]).unwrap();
            }
            Logged::Entry(entry) => entry,
        };
        let position = Position { log_index: self.applied, term: 1 };
        let outcomes = apply(&mut self.tables, position, entry).unwrap();
        assert_eq!(outcomes, expected, "a replica that lagged answers otherwise");
        for (proposal, outcome) in entry.proposals.iter().zip(&outcomes) {
            if outcome.is_ok() {
                self.let_go(&Command::decode(&proposal.command).unwrap());
            }
        }
    }

    /// Unlinks what a release let go, unless the state as applied now lists this replica.
    fn let_go(&mut self, command: &Command) {
        let digest = match command {
            Command::Delete(Delete { digest, .. }) => digest,
            Command::Forget(Forget { digest, replica_id })
            | Command::HolderDrop(HolderDrop { digest, replica_id })
                if *replica_id == id(self.number) =>
            {
                digest
            }
            _ => return,
        };
        let blob = blobs::find(&self.tables, digest).unwrap();
        let holders = blob.map(|blob| blobs::holders(&self.tables, &blob).unwrap());
        if !holders.unwrap_or_default().contains(&id(self.number)) {
            self.files.remove(digest);
        }
    }
}

impl World {
    pub(crate) fn take(&mut self, step: Step) {
        match step {
            Step::Upload { text, replicas } => {
                for replica in bits(replicas) {
                    self.receive(&digest(TEXTS[text]), replica);
                }
            }
            Step::CatchUp { replica } => self.catch_up(replica),
            Step::Pass { ms } => drop(self.propose(&[], ms)),
            Step::Collect => self.collect(),
            Step::Voters { voters } => {
                let voters = bits(voters);
                self.newest.set_voters(&voters);
                self.log.push((Logged::Voters(voters), Vec::new()));
            }
            Step::Add { text, replica } => {
                let digest = digest(TEXTS[text]);
                let receipt = self.receive(&digest, replica);
                self.propose(&[HolderAdd { digest, receipt }.into()], 1);
            }
            Step::Lose { text, replica } => {
                let (digest, replica_id) = (digest(TEXTS[text]), id(replica));
                // Reported first, then set aside; receipts given before count no more.
                self.propose(&[HolderLost { digest: digest.clone(), replica_id }.into()], 1);
                let replica = &mut self.replicas[usize::try_from(replica).unwrap() - 1];
                replica.files.remove(&digest);
            }
            Step::Push { repository, text, tags } => {
                self.push(repository, TEXTS[text]);
                let command = self.manifest_put((repository, text), tags, 9);
                self.propose(&[command], 1);
            }
            Step::Put { repository, text, tags, condition } => {
                let command = self.manifest_put((repository, text), tags, condition);
                self.propose(&[command], 1);
            }
            Step::TagUndelete { repository, tag, at_once: true } => {
                for step in [
                    Step::TagDelete { repository, tag },
                    Step::TagUndelete { repository, tag, at_once: false },
                ] {
                    let command = self.plain(step);
                    self.propose(&[command], 1);
                }
            }
            step => {
                let command = self.plain(step);
                self.propose(&[command], 1);
            }
        }
    }

    /// Uploads everything that `text` names, by way of manifests that it names, and its own bytes.
    fn push(&mut self, place: usize, text: &str) {
        let (layers, role) = named(text);
        for layer in layers {
            self.push_bytes(place, layer);
            if role == Role::Child {
                self.push(place, layer);
                let child = TEXTS.iter().position(|text| text == layer).unwrap();
                let command = self.manifest_put((place, child), 0, 9);
                self.propose(&[command], 1);
            }
        }
        self.push_bytes(place, text);
    }

    fn push_bytes(&mut self, place: usize, text: &str) {
        for replica in 1..=3 {
            self.catch_up(replica);
            self.receive(&digest(text), replica);
        }
        let text = TEXTS.iter().position(|known| *known == text).unwrap();
        let command = self.plain(Step::Commit { repository: place, text });
        self.propose(&[command], 1);
    }

    fn collect(&mut self) {
        let collectable = collection::collectable(&self.newest.tables, 0, 10).unwrap();
        let condemn = |digest| Condemn { digest }.into();
        self.propose(&collectable.into_iter().map(condemn).collect::<Vec<_>>(), 1);
        let condemned = collection::condemned(&self.newest.tables, None, 2).unwrap();
        let delete = |Doomed { digest, generation, .. }| Delete { digest, generation }.into();
        self.propose(&condemned.into_iter().map(delete).collect::<Vec<_>>(), 1);
    }
}
