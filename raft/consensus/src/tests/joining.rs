//! Who may join, who may not, and in which words.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use metadata::command::Command;
use metadata::join_tokens::JoinTokenCreate;
use metadata::members::MemberJoin;
use metadata::refusal::Refusal;
use metadata::replica::ReplicaId;
use tempfile::TempDir;
use wire::certificate::{self, ReplicaNames};
use wire::clock::{Clock, SystemClock};

use super::harness::{Town, has_user, put_user, until};
use crate::bootstrap::FailureKind;
use crate::cluster::{Failure, Freshness};
use crate::folder::Folder;
use crate::identity::renewal::opened_ca;
use crate::join::{JoinError, JoinOptions, join};
use crate::join_token::JoinToken;

/// A machine whose clock is wrong.
struct Ahead {
    ms: u64,
}

impl Clock for Ahead {
    fn monotonic_ms(&self) -> u64 {
        0
    }

    fn wall_ms(&self) -> u64 {
        SystemClock::new().wall_ms() + self.ms
    }
}

fn ca_digest(town: &Town) -> String {
    let pem = fs::read_to_string(town.replicas[0].folder.join("keys/ca.pem")).unwrap();
    certificate::digest_of(&pem).unwrap()
}

async fn token(town: &Town, uses: u32, expires_wall_ms: u64) -> JoinToken {
    let token = JoinToken::generate(&ca_digest(town));
    let create = JoinTokenCreate {
        id: token.id().to_owned(),
        secret_hash: token.secret_hash(),
        expires_wall_ms,
        uses,
    };
    town.cluster(0).propose(Command::from(create)).await.unwrap();
    token
}

/// A new machine.
struct Newcomer {
    _parent: TempDir,
    folder: PathBuf,
}

impl Newcomer {
    fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("data");
        Self { _parent: parent, folder }
    }

    fn options(&self, town: &Town, token: &JoinToken) -> JoinOptions {
        let advertise = "newcomer.example:7100".to_owned();
        JoinOptions {
            folder: self.folder.clone(),
            allow_volatile: true,
            peer: town.replicas[0].address.clone(),
            token: token.clone(),
            replica_id: None,
            host_name: "newcomer".to_owned(),
            machine_id: "newcomer's".to_owned(),
            allow_same_machine: false,
            rejoin: false,
            version: "0.1.0".to_owned(),
            clock: Arc::new(SystemClock::new()),
            dial: town.lines.dial_from(&advertise),
            advertise,
        }
    }

    /// Has the options changed, joins, and says how that failed.
    async fn refused(
        &self,
        town: &Town,
        token: &JoinToken,
        change: impl FnOnce(&mut JoinOptions),
    ) -> JoinError {
        let mut options = self.options(town, token);
        change(&mut options);
        join(options).await.unwrap_err()
    }
}

fn is(error: &JoinError, kind: FailureKind, words: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lets_in_whom_it_was_made_for_and_nobody_else() {
    let town = Town::of(1).await;
    let good = token(&town, 1, u64::MAX).await;
    let forged: JoinToken = good.text().replace(good.secret(), &"0".repeat(64)).parse().unwrap();
    let unknown = JoinToken::generate(&ca_digest(&town));
    let expired = token(&town, 1, 1).await;
    let elsewhere = JoinToken::generate(&"ab".repeat(32));
    let newcomer = Newcomer::new();
    let cases = [
        (&forged, FailureKind::Failed, "not known or its secret is wrong"),
        (&unknown, FailureKind::Failed, "not known or its secret is wrong"),
        (&expired, FailureKind::Failed, "has expired"),
        (
            &elsewhere,
            FailureKind::Refused,
            "does not belong to the cluster that made the join token",
        ),
    ];
    for (token, kind, words) in cases {
        let error = newcomer.refused(&town, token, |_| {}).await;
        is(&error, kind, words);
        assert!(!format!("{error} {error:?}").contains(token.secret()));
    }
    // All those attempts were made in the same folder, and it is still good for the right one.
    let joined = join(newcomer.options(&town, &good)).await.unwrap();
    assert_eq!(joined.number, 2);
    let error = Newcomer::new().refused(&town, &good, |it| it.machine_id = "m3".to_owned()).await;
    is(&error, FailureKind::Failed, "no uses left");
    let error = newcomer.refused(&town, &good, |_| {}).await;
    is(&error, FailureKind::Refused, "already");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_whose_answer_was_lost_is_made_again_under_the_same_id() {
    let town = Town::of(1).await;
    let newcomer = Newcomer::new();
    let unknown = JoinToken::generate(&ca_digest(&town));
    newcomer.refused(&town, &unknown, |_| {}).await;
    let joining = fs::read(newcomer.folder.join("joining.toml")).unwrap();
    let token = token(&town, 1, u64::MAX).await;
    let first = join(newcomer.options(&town, &token)).await.unwrap();
    let identity = Folder::open(&newcomer.folder).unwrap().identity().unwrap();
    assert!(!newcomer.folder.join("joining.toml").exists());

    // As it lay there before the answer came.
    fs::remove_file(newcomer.folder.join("identity.toml")).unwrap();
    fs::write(newcomer.folder.join("joining.toml"), &joining).unwrap();
    let again = join(newcomer.options(&town, &token)).await.unwrap();
    assert_eq!((again.replica_id, again.number), (first.replica_id, first.number));
    assert_eq!(Folder::open(&newcomer.folder).unwrap().identity().unwrap(), identity);
    assert_eq!(town.cluster(0).members().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_harm_the_cluster_is_refused() {
    let town = Town::of(1).await;
    let token = token(&town, 9, u64::MAX).await;
    let occupied = town.cluster(0).replica_id();
    let newcomer = Newcomer::new();
    let error =
        newcomer.refused(&town, &token, |it| it.clock = Arc::new(Ahead { ms: 31_000 })).await;
    is(&error, FailureKind::Refused, "set both by NTP");
    let error = newcomer.refused(&town, &token, |it| it.machine_id = "one".to_owned()).await;
    is(&error, FailureKind::Refused, "same machine");
    let error = newcomer.refused(&town, &token, |it| it.replica_id = Some(occupied)).await;
    is(&error, FailureKind::Refused, "is or was in use");
    let error = newcomer.refused(&town, &token, |it| it.advertise = "nowhere".to_owned()).await;
    is(&error, FailureKind::Usage, "HOST:PORT");
    let error = newcomer.refused(&town, &token, |it| it.peer = "gone.example:1".to_owned()).await;
    is(&error, FailureKind::Unreachable, "gone.example:1");

    let mut options = newcomer.options(&town, &token);
    options.machine_id = "one".to_owned();
    options.allow_same_machine = true;
    options.clock = Arc::new(Ahead { ms: 20_000 });
    let wished = ReplicaId::parse("0123456789ab").unwrap();
    options.replica_id = Some(wished);
    assert_eq!(join(options).await.unwrap().replica_id, wished);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_eighth_replica_is_refused() {
    let town = Town::of(1).await;
    let token = token(&town, 9, u64::MAX).await;
    let join = |number: u64| {
        Command::from(MemberJoin {
            token_id: token.id().to_owned(),
            secret_hash: token.secret_hash(),
            public_key: format!("{number:064x}"),
            replica_id: ReplicaId::from_u64(number).unwrap(),
            address: format!("none-{number}.example:7100"),
            host_name: String::new(),
            machine_id: format!("m{number}"),
            incarnation: "one".to_owned(),
            allow_same_machine: false,
            version: "0.1.0".to_owned(),
            supports: 1,
        })
    };
    for number in 2..=7 {
        town.cluster(0).propose(join(number)).await.unwrap();
    }
    // Another replica may have answered at the same time: the state machine decides.
    let refused = town.cluster(0).propose(join(8)).await.unwrap_err();
    assert!(matches!(refused, Failure::Refused(Refusal::ClusterFull { members: 7 })), "{refused}");
    let error = Newcomer::new().refused(&town, &token, |_| {}).await;
    is(&error, FailureKind::Refused, "7 replicas, the most there can be");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_joins_while_a_voter_is_unhealthy() {
    let mut town = Town::of(3).await;
    let token = token(&town, 1, u64::MAX).await;
    let dead = town.cluster(2).replica_id();
    town.kill(2).await;
    until("the dead one is noticed", async || {
        let status = town.cluster(0).status();
        let dead = status.replicas.iter().find(|replica| replica.replica_id == dead)?;
        dead.ailing.as_ref().map(|_| ())
    })
    .await;
    let newcomer = Newcomer::new();
    let error = newcomer.refused(&town, &token, |_| {}).await;
    is(&error, FailureKind::Refused, "while a voter is unhealthy");
    assert!(error.to_string().contains(&dead.to_string()), "{error}");
    town.start(2).await;
    until("everybody is well again", async || {
        let status = town.cluster(0).status();
        status.replicas.iter().all(|replica| replica.ailing.is_none()).then_some(())
    })
    .await;
    join(newcomer.options(&town, &token)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_ran_out_lets_its_replica_in_and_is_renewed() {
    let mut town = Town::of(2).await;
    let cluster = town.cluster(0);
    let ca = cluster.read(Freshness::Local, |view| metadata::certificates::ca(view)).await.unwrap();
    let ca = opened_ca(&cluster.replica.sealing, &ca.unwrap()).unwrap();
    town.stop(1).await;
    let folder = Folder::open(&town.replicas[1].folder).unwrap();
    let (identity, keys) = (folder.identity().unwrap(), folder.keys().unwrap());
    let names = ReplicaNames {
        cluster_id: &identity.cluster_id,
        replica_id: &identity.replica_id.to_string(),
        hosts: &[],
    };
    let csr = certificate::csr(&keys.key_pem).unwrap();
    let long_ago_ms = SystemClock::new().wall_ms() - 200 * 24 * 3600 * 1000;
    let old = certificate::issue(&ca, &csr, &names, long_ago_ms).unwrap();
    folder.write("keys/peer.pem", old.as_bytes()).unwrap();
    drop(folder);

    town.start(1).await;
    let now_ms = SystemClock::new().wall_ms();
    until("the certificate is a new one", async || {
        let pem = fs::read_to_string(town.replicas[1].folder.join("keys/peer.pem")).ok()?;
        (certificate::parse(&pem).ok()?.not_after_ms > now_ms).then_some(())
    })
    .await;
    put_user(&town.cluster(1), "late").await.unwrap();
    assert!(has_user(&town.cluster(0), Freshness::Linearizable, "late").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_somebody_elses_is_left_alone() {
    let town = Town::of(1).await;
    let token = token(&town, 1, u64::MAX).await;
    let newcomer = Newcomer::new();
    fs::create_dir_all(&newcomer.folder).unwrap();
    fs::write(newcomer.folder.join("letters.txt"), b"dear").unwrap();
    let error = newcomer.refused(&town, &token, |_| {}).await;
    is(&error, FailureKind::Refused, "letters.txt");
    let names = |folder: &Path| fs::read_dir(folder).unwrap().count();
    assert_eq!(names(&newcomer.folder), 1);
}
