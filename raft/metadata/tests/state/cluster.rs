//! Two replicas that apply the same entries, with checks after each.

use metadata::apply::{Position, apply};
use metadata::blobs::commands::BlobCommit;
use metadata::bootstrap::{Administrator, Bootstrap};
use metadata::clocks;
use metadata::command::Command;
use metadata::entry::{Entry, FORMAT, Proposal, Stamp};
use metadata::invariants;
use metadata::join_tokens::JoinTokenCreate;
use metadata::manifests::put::{ManifestPut, ManifestReference};
use metadata::members::{MemberJoin, MemberRow};
use metadata::membership::voters_changed;
use metadata::outcome::{Answer, Outcome};
use metadata::receipts::Receipt;
use metadata::replica::{MemberNumber, ReplicaId};
use metadata::sessions::SessionOpen;
use metadata::settings::SettingsSet;
use metadata::tables::{Memory, Table};
use oci::digest::{Algorithm, Digest};
use oci::manifest::Role;
use oci::name::{RepositoryName, TagName};
use oci::verifier::digest_of;

pub(crate) const HOUR_MS: u64 = 3_600_000;
pub(crate) const START_WALL_MS: u64 = 1_700_000_000_000;
pub(crate) const SIZE: u64 = 100;

pub(crate) fn id(number: u64) -> ReplicaId {
    ReplicaId::from_u64(number).unwrap()
}

pub(crate) fn digest(text: &str) -> Digest {
    digest_of(Algorithm::Sha256, text.as_bytes())
}

pub(crate) fn repository(text: &str) -> RepositoryName {
    RepositoryName::parse(text).unwrap()
}

pub(crate) fn tag(text: &str) -> TagName {
    TagName::parse(text).unwrap()
}

pub(crate) fn incarnation(number: u64) -> String {
    format!("incarnation-{number}")
}

/// Replica one leads and proposes; the administrator is `admin`, other users are `alice` and `bob`.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) tables: Memory,
    pub(crate) follower: Memory,
    pub(crate) index: u64,
    pub(crate) session: u64,
    number: u64,
}

impl Cluster {
    /// Only the first command was applied.
    pub(crate) fn of_one() -> Self {
        let (tables, follower) = (Memory::default(), Memory::default());
        let mut cluster = Self { tables, follower, index: 0, session: 0, number: 0 };
        cluster.set_voters(&[1]);
        cluster.does(bootstrap());
        cluster.open_session(1, 1);
        cluster
    }

    /// With `voters` voters, users and create-on-push.
    pub(crate) fn new(voters: u64) -> Self {
        let mut cluster = Self::of_one();
        cluster.does(JoinTokenCreate {
            id: "token".into(),
            secret_hash: b"hash".to_vec(),
            expires_wall_ms: START_WALL_MS + 1000 * HOUR_MS,
            uses: 20,
        });
        for number in 2..=voters {
            cluster.does(join(number));
        }
        cluster.set_voters(&(1..=voters).collect::<Vec<_>>());
        for name in ["alice", "bob"] {
            let password_hash = format!("hash of {name}");
            cluster.does(metadata::accounts::commands::UserPut {
                name: name.into(),
                password_hash,
                is_admin: false,
            });
        }
        let create_repository_on_push = Some(true);
        cluster.does(SettingsSet { create_repository_on_push, ..SettingsSet::default() });
        cluster
    }

    pub(crate) fn set_voters(&mut self, voters: &[u64]) {
        self.index += 1;
        let voters: Vec<_> = voters.iter().map(|number| id(*number)).collect();
        for tables in [&mut self.tables, &mut self.follower] {
            voters_changed(tables, &voters, &[]).unwrap();
        }
    }

    pub(crate) fn open_session(&mut self, replica: u64, life: u8) {
        let command = SessionOpen { replica_id: id(replica), incarnation: incarnation(replica) };
        let mut proposal = self.proposal(&command.into());
        proposal.random = [life; 16];
        match self.propose(vec![proposal], 0).remove(0) {
            Ok(Answer::Session { session }) => self.session = session,
            other => panic!("no session: {other:?}"),
        }
    }

    pub(crate) fn proposal(&mut self, command: &Command) -> Proposal {
        self.number += 1;
        Proposal {
            session: self.session,
            number: self.number,
            lowest_open: self.number,
            random: [u8::try_from(self.number % 251).unwrap(); 16],
            command: command.encode(),
            origin: None,
            voucher: None,
            request_key: None,
        }
    }
}

/// Entries and time.
impl Cluster {
    /// Applies an entry on both replicas, by its bytes, and checks that they agree and are sound.
    pub(crate) fn propose(&mut self, proposals: Vec<Proposal>, elapsed_ms: u64) -> Vec<Outcome> {
        self.index += 1;
        let wall_ms = START_WALL_MS + clocks::cluster_ms(&self.tables).unwrap() + elapsed_ms;
        let entry = Entry { format: FORMAT, stamp: Stamp { elapsed_ms, wall_ms }, proposals };
        let position = Position { log_index: self.index, term: 1 };
        let sent = Entry::read(&entry.encode()).unwrap();
        assert_eq!(sent, entry);
        let outcomes = apply(&mut self.tables, position, &entry).unwrap();
        assert_eq!(apply(&mut self.follower, position, &sent).unwrap(), outcomes);
        assert_eq!(self.tables, self.follower, "two replicas differ");
        let violations = invariants::check(&self.tables).unwrap();
        assert!(violations.is_empty(), "{violations:#?}");
        outcomes
    }

    /// Runs one command; a refused one must change nothing.
    pub(crate) fn run(&mut self, command: impl Into<Command>) -> Outcome {
        let command = command.into();
        assert_eq!(Command::decode(&command.encode()), Ok(command.clone()));
        self.propose(Vec::new(), 0);
        let before = self.content();
        let proposal = self.proposal(&command);
        let outcome = self.propose(vec![proposal], 0).remove(0);
        if let Err(refusal) = &outcome {
            assert!(!refusal.to_string().is_empty());
            assert_eq!(self.content(), before, "{command:?} was refused and changed something");
        }
        let sent = metadata::outcome::encode(&outcome);
        assert_eq!(metadata::outcome::decode(&sent).as_ref(), Ok(&outcome));
        outcome
    }

    /// Runs a command that must be carried out.
    #[track_caller]
    pub(crate) fn does(&mut self, command: impl Into<Command>) -> Answer {
        let command = command.into();
        match self.run(command.clone()) {
            Ok(answer) => answer,
            Err(refusal) => panic!("{command:?}: {refusal}"),
        }
    }

    /// Lets cluster time and wall time pass, with entries enough to sweep what is over.
    pub(crate) fn pass(&mut self, ms: u64) {
        self.propose(Vec::new(), ms);
        for _ in 0..4 {
            self.propose(Vec::new(), 0);
        }
    }

    /// Every row but those of sessions.
    fn content(&self) -> Memory {
        let mut content = Memory::default();
        for (table, key, value) in self.tables.rows() {
            if !matches!(table, Table::Sessions | Table::Outcomes) {
                metadata::tables::Write::put(&mut content, table, key.to_vec(), value.to_vec());
            }
        }
        content
    }
}

/// What is asked of it.
impl Cluster {
    pub(crate) fn receipt(&self, replica: u64) -> Receipt {
        Receipt {
            replica_id: id(replica),
            incarnation: incarnation(replica),
            applied_index: self.index,
            generation: 0,
        }
    }

    pub(crate) fn receipts(&self, replicas: &[u64]) -> Vec<Receipt> {
        replicas.iter().map(|replica| self.receipt(*replica)).collect()
    }

    /// Commits a blob of [`SIZE`] bytes, held by replicas one and two.
    pub(crate) fn commit(&mut self, to: &str, text: &str) -> Digest {
        let command = self.blob_commit(to, text, &[1, 2]);
        self.does(command);
        digest(text)
    }

    pub(crate) fn blob_commit(&self, to: &str, text: &str, replicas: &[u64]) -> BlobCommit {
        BlobCommit {
            repository: repository(to),
            digest: digest(text),
            size: SIZE,
            receipts: self.receipts(replicas),
            actor: "admin".into(),
        }
    }

    /// A push of manifest `text`, whose layers are `layers`.
    pub(crate) fn manifest_put(
        &self,
        to: &str,
        text: &str,
        layers: &[&str],
        tags: &[&str],
    ) -> ManifestPut {
        ManifestPut {
            repository: repository(to),
            digest: digest(text),
            size: SIZE,
            media_type: "application/vnd.oci.image.manifest.v1+json".into(),
            artifact_type: None,
            subject: None,
            references: layers.iter().map(|layer| reference(layer, Role::Layer)).collect(),
            tags: tags.iter().map(|name| tag(name)).collect(),
            precondition: None,
            receipts: self.receipts(&[1, 2]),
            actor: "admin".into(),
        }
    }

    /// Pushes layers and a manifest of them.
    pub(crate) fn push(&mut self, to: &str, text: &str, layers: &[&str], tags: &[&str]) -> Digest {
        for layer in layers {
            self.commit(to, layer);
        }
        let command = self.manifest_put(to, text, layers, tags);
        self.does(command);
        digest(text)
    }
}

pub(crate) fn reference(text: &str, role: Role) -> ManifestReference {
    ManifestReference { role, digest: digest(text), size: SIZE, required: true }
}

pub(crate) fn bootstrap() -> Bootstrap {
    Bootstrap {
        cluster_id: "c0ffee".into(),
        ca_certificate_pem: "pem".into(),
        sealed_ca_key: vec![1],
        sealed_token_key: vec![2],
        token_key_id: "k1".into(),
        token_public_key: vec![3],
        admin: Administrator { name: "admin".into(), password_hash: "hash of admin".into() },
        create_repository_on_push: false,
        member: MemberRow {
            replica_id: id(1),
            number: MemberNumber(0),
            public_key: "key-1".into(),
            address: "a:1".into(),
            host_name: "a".into(),
            machine_id: "machine-1".into(),
            incarnation: incarnation(1),
            version: "0.1.0".into(),
            joined_wall_ms: 0,
            was_voter: false,
            is_removed: false,
            is_draining: false,
            supports: 0,
        },
        host_names: vec!["registry.example.com".into()],
    }
}

pub(crate) fn join(number: u64) -> MemberJoin {
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
        version: "0.1.0".into(),
        supports: 0,
    }
}

/// One line of a table of cases: what was before, what is asked, what comes of it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) given: fn(&mut Cluster),
    pub(crate) ask: fn(&Cluster) -> Command,
    pub(crate) outcome: Outcome,
}

pub(crate) fn case(
    name: &'static str,
    given: fn(&mut Cluster),
    ask: fn(&Cluster) -> Command,
    outcome: Outcome,
) -> Case {
    Case { name, given, ask, outcome }
}

/// Runs each case on a cluster of three of its own.
pub(crate) fn check(cases: impl IntoIterator<Item = Case>) {
    let base = Cluster::new(3);
    for Case { name, given, ask, outcome } in cases {
        let mut cluster = base.clone();
        given(&mut cluster);
        let command = ask(&cluster);
        assert_eq!(cluster.run(command), outcome, "{name}");
    }
}
