//! A state of three members with a repository in it, for what works on the tables.

use metadata::accounts::commands::UserPut;
use metadata::apply::{Position, apply};
use metadata::blobs::commands::BlobCommit;
use metadata::bootstrap::{Administrator, Bootstrap};
use metadata::command::Command;
use metadata::entry::{Entry, FORMAT, Proposal, Stamp};
use metadata::join_tokens::JoinTokenCreate;
use metadata::manifests::put::{ManifestPut, ManifestReference};
use metadata::members::{MemberJoin, MemberRow};
use metadata::membership::voters_changed;
use metadata::outcome::{Answer, Outcome};
use metadata::receipts::Receipt;
use metadata::replica::{MemberNumber, ReplicaId};
use metadata::sessions::SessionOpen;
use metadata::settings::SettingsSet;
use metadata::tables::Memory;
use oci::digest::{Algorithm, Digest};
use oci::manifest::Role;
use oci::name::{RepositoryName, TagName};
use oci::verifier::digest_of;

const WALL_MS: u64 = 1_700_000_000_000;
const HOUR_MS: u64 = 3_600_000;
pub(crate) const SIZE: u64 = 100;

pub(crate) fn id(number: u64) -> ReplicaId {
    ReplicaId::from_u64(number).unwrap()
}

pub(crate) fn digest(text: &str) -> Digest {
    digest_of(Algorithm::Sha256, text.as_bytes())
}

pub(crate) fn repository(name: &str) -> RepositoryName {
    RepositoryName::parse(name).unwrap()
}

pub(crate) fn tag(name: &str) -> TagName {
    TagName::parse(name).unwrap()
}

fn incarnation(number: u64) -> String {
    format!("incarnation-{number}")
}

/// The tables, and what the next command is numbered with.
pub(crate) struct State {
    pub(crate) tables: Memory,
    index: u64,
    session: u64,
    number: u64,
}

impl State {
    /// Three voters; pushes create repositories.
    pub(crate) fn new() -> Self {
        let mut state = Self { tables: Memory::default(), index: 0, session: 0, number: 0 };
        state.vote(&[1]);
        state.run(bootstrap()).unwrap();
        let open = SessionOpen { replica_id: id(1), incarnation: incarnation(1) };
        match state.run(open).unwrap() {
            Answer::Session { session } => state.session = session,
            other => panic!("no session: {other:?}"),
        }
        let token = JoinTokenCreate {
            id: "token".into(),
            secret_hash: b"hash".to_vec(),
            expires_wall_ms: WALL_MS + HOUR_MS,
            uses: 2,
        };
        state.run(token).unwrap();
        for number in 2..=3 {
            state.run(join(number)).unwrap();
        }
        state.vote(&[1, 2, 3]);
        let create_repository_on_push = Some(true);
        state.run(SettingsSet { create_repository_on_push, ..SettingsSet::default() }).unwrap();
        let password_hash = "hash".into();
        state.run(UserPut { name: "alice".into(), password_hash, is_admin: false }).unwrap();
        state
    }

    fn vote(&mut self, voters: &[u64]) {
        self.index += 1;
        let voters: Vec<_> = voters.iter().map(|number| id(*number)).collect();
        voters_changed(&mut self.tables, &voters, &[]).unwrap();
    }
}

/// Entries and what comes of them.
impl State {
    /// An entry with this one command, and the next place in the log.
    pub(crate) fn entry(&mut self, command: impl Into<Command>) -> (Position, Entry) {
        self.index += 1;
        self.number += 1;
        let mut random = [7; 16];
        random[8..].copy_from_slice(&self.number.to_be_bytes());
        let proposal = Proposal {
            session: self.session,
            number: self.number,
            lowest_open: self.number,
            random,
            command: command.into().encode(),
            origin: None,
            voucher: None,
            request_key: None,
        };
        let stamp = Stamp { elapsed_ms: 1, wall_ms: WALL_MS };
        let entry = Entry { format: FORMAT, stamp, proposals: vec![proposal] };
        (Position { log_index: self.index, term: 1 }, entry)
    }

    pub(crate) fn apply(&mut self, prepared: &(Position, Entry)) -> Outcome {
        apply(&mut self.tables, prepared.0, &prepared.1).unwrap().remove(0)
    }

    pub(crate) fn run(&mut self, command: impl Into<Command>) -> Outcome {
        let prepared = self.entry(command);
        self.apply(&prepared)
    }

    fn receipts(&self) -> Vec<Receipt> {
        let receipt = |number| Receipt {
            replica_id: id(number),
            incarnation: incarnation(number),
            applied_index: self.index,
            generation: 0,
        };
        vec![receipt(1), receipt(2)]
    }

    pub(crate) fn receipt(&self, number: u64) -> Receipt {
        Receipt {
            replica_id: id(number),
            incarnation: incarnation(number),
            ..self.receipts()[0].clone()
        }
    }

    pub(crate) fn blob_commit(&self, to: &str, text: &str) -> BlobCommit {
        BlobCommit {
            repository: repository(to),
            digest: digest(text),
            size: SIZE,
            receipts: self.receipts(),
            actor: "admin".into(),
        }
    }

    pub(crate) fn manifest_put(
        &self,
        to: &str,
        text: &str,
        parts: (&[&str], &[&str]),
    ) -> ManifestPut {
        let (layers, tags) = parts;
        let reference = |layer: &&str| ManifestReference {
            role: Role::Layer,
            digest: digest(layer),
            size: SIZE,
            required: true,
        };
        ManifestPut {
            repository: repository(to),
            digest: digest(text),
            size: SIZE,
            media_type: "application/vnd.oci.image.manifest.v1+json".into(),
            artifact_type: None,
            subject: None,
            references: layers.iter().map(reference).collect(),
            tags: tags.iter().map(|name| tag(name)).collect(),
            precondition: None,
            receipts: self.receipts(),
            actor: "admin".into(),
        }
    }
}

fn bootstrap() -> Bootstrap {
    Bootstrap {
        cluster_id: "c0ffee".into(),
        ca_certificate_pem: "pem".into(),
        sealed_ca_key: vec![1],
        sealed_token_key: vec![2],
        token_key_id: "k1".into(),
        token_public_key: vec![3],
        admin: Administrator { name: "admin".into(), password_hash: "hash".into() },
        create_repository_on_push: true,
        member: MemberRow {
            replica_id: id(1),
            number: MemberNumber(0),
            public_key: "key-1".into(),
            address: "a:1".into(),
            host_name: "a".into(),
            machine_id: "machine-1".into(),
            incarnation: incarnation(1),
            version: "0".into(),
            joined_wall_ms: 0,
            was_voter: false,
            is_removed: false,
            is_draining: false,
            supports: 0,
        },
        host_names: vec!["registry.example.com".into()],
    }
}

fn join(number: u64) -> MemberJoin {
    MemberJoin {
        token_id: "token".into(),
        secret_hash: b"hash".to_vec(),
        public_key: format!("key-{number}"),
        replica_id: id(number),
        address: format!("host-{number}:1"),
        host_name: format!("host-{number}"),
        machine_id: format!("machine-{number}"),
        incarnation: incarnation(number),
        allow_same_machine: false,
        version: "0".into(),
        supports: 0,
    }
}
