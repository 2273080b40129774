//! Who gets in, who does not, and in which words: real handshakes over a pipe.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::certificate::{self, CertifiedKey, ReplicaNames};
use crate::join_tls::{JoinTls, is_other_cluster};

const DAY_MS: u64 = 24 * 3600 * 1000;

/// A membership that tests change.
#[derive(Default)]
struct Listed {
    keys: Mutex<HashSet<(PeerKey, String)>>,
    warned: Mutex<Vec<String>>,
}

impl PeerRules for Listed {
    fn listed(&self, key: &PeerKey, replica_id: &str) -> bool {
        self.keys.lock().unwrap().contains(&(*key, replica_id.to_owned()))
    }

    fn out_of_date(&self, peer: &PeerIdentity, _not_after_ms: u64) {
        self.warned.lock().unwrap().push(peer.replica_id.clone());
    }
}

impl Listed {
    fn warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.warned.lock().unwrap())
    }
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A cluster of its own.
struct World {
    cluster_id: &'static str,
    ca: CertifiedKey,
    rules: Arc<Listed>,
}

impl World {
    fn new(cluster_id: &'static str) -> Self {
        let ca = certificate::make_ca(cluster_id, now_ms()).unwrap();
        Self { cluster_id, ca, rules: Arc::default() }
    }

    fn certificate(&self, cluster_id: &str, replica_id: &str, wall_ms: u64) -> (String, String) {
        let key = certificate::generate_key().unwrap();
        let names = ReplicaNames { cluster_id, replica_id, hosts: &["localhost".to_owned()] };
        let csr = certificate::csr(&key).unwrap();
        (certificate::issue(&self.ca, &csr, &names, wall_ms).unwrap(), key.to_string())
    }

    fn list(&self, certificate_pem: &str, replica_id: &str) {
        let key = certificate::parse(certificate_pem).unwrap().key;
        self.rules.keys.lock().unwrap().insert((key, replica_id.to_owned()));
    }

    fn tls(&self, (certificate_pem, key_pem): &(String, String)) -> PeerTls {
        let rules = self.rules.clone();
        let ca_pem = &self.ca.certificate_pem;
        PeerTls::new(ca_pem, certificate_pem, key_pem, self.cluster_id, rules).unwrap()
    }

    /// A listed replica whose certificate was issued at `wall_ms`.
    fn replica_at(&self, replica_id: &str, wall_ms: u64) -> PeerTls {
        let made = self.certificate(self.cluster_id, replica_id, wall_ms);
        self.list(&made.0, replica_id);
        self.tls(&made)
    }

    fn replica(&self, replica_id: &str) -> PeerTls {
        self.replica_at(replica_id, now_ms())
    }
}

fn pipe() -> (BoxStream, BoxStream) {
    let (one, other) = tokio::io::duplex(64 * 1024);
    (Box::new(one), Box::new(other))
}

/// Both ends' views of one handshake, in which one byte is sent each way.
async fn meet(
    client: &PeerTls,
    server: &PeerTls,
    expect: Option<&str>,
) -> (io::Result<PeerIdentity>, io::Result<Option<PeerIdentity>>) {
    let (near, far) = pipe();
    let dial = async {
        let (mut stream, identity) = client.connect(near, expect, &["http/1.1"]).await?;
        // TLS 1.3: whether the server has taken our certificate shows with its first byte.
        stream.write_all(b"?").await?;
        stream.read_u8().await?;
        Ok(identity)
    };
    let accept = async {
        let (mut stream, identity, alpn) = server.accept(far).await?;
        assert_eq!(alpn.as_deref(), Some(&b"http/1.1"[..]));
        stream.read_u8().await?;
        stream.write_all(b"!").await?;
        Ok(identity)
    };
    tokio::join!(dial, accept)
}

#[tokio::test]
async fn two_members_know_each_other() {
    let world = World::new("c1");
    let (one, two) = (world.replica("000000000001"), world.replica("000000000002"));
    let (seen_by_client, seen_by_server) = meet(&one, &two, Some("000000000002")).await;
    assert_eq!(seen_by_client.unwrap().replica_id, "000000000002");
    let peer = seen_by_server.unwrap().unwrap();
    assert_eq!((peer.cluster_id.as_str(), peer.replica_id.as_str()), ("c1", "000000000001"));
    assert!(two.still_listed(&peer));
    world.rules.keys.lock().unwrap().clear();
    assert!(!two.still_listed(&peer));
    assert!(world.rules.warnings().is_empty());
}

#[tokio::test]
async fn strangers_are_refused_on_both_sides_and_in_words() {
    let (ours, theirs) = (World::new("c1"), World::new("c2"));
    let member = ours.replica("000000000001");
    let unlisted = ours.tls(&ours.certificate("c1", "000000000002", now_ms()));
    let other_authority = theirs.replica("000000000003");
    let claims_other_cluster = {
        // Issued by our authority, yet for another cluster: it must not do.
        let made = ours.certificate("c9", "000000000004", now_ms());
        ours.list(&made.0, "000000000004");
        ours.tls(&made)
    };
    let other_name = {
        // A listed key under another replica's name.
        let made = ours.certificate("c1", "000000000005", now_ms());
        ours.list(&made.0, "000000000006");
        ours.tls(&made)
    };
    let cases = [
        ("unlisted key", &unlisted, "no member"),
        ("other authority", &other_authority, "not issued by this cluster"),
        ("other cluster's name", &claims_other_cluster, "belongs to cluster c9"),
        ("other replica's name", &other_name, "no member"),
    ];
    for (name, stranger, words) in cases {
        let (seen, _) = meet(&member, stranger, None).await;
        let error = seen.unwrap_err();
        assert!(error.to_string().contains(words), "{name} as server: {error}");
        let (stranger_saw, seen) = meet(stranger, &member, None).await;
        assert!(stranger_saw.is_err(), "{name} as client");
        // The other cluster's client hangs up first: it does not know our authority either.
        let error = seen.unwrap_err();
        let in_words = name == "other authority" || error.to_string().contains(words);
        assert!(in_words, "{name} as client: {error}");
    }
}

#[tokio::test]
async fn a_certificate_out_of_its_dates_connects_while_its_key_is_listed() {
    let world = World::new("c1");
    let member = world.replica("000000000001");
    for (issued_ms, name) in [(now_ms() - 200 * DAY_MS, "expired"), (now_ms() + DAY_MS, "early")] {
        let late = world.replica_at("000000000002", issued_ms);
        let (client, server) = meet(&member, &late, None).await;
        assert!(client.is_ok() && server.is_ok(), "{name}: {client:?} {server:?}");
        assert_eq!(world.rules.warnings(), ["000000000002"], "{name}: said once");
        let (client, server) = meet(&late, &member, None).await;
        assert!(client.is_ok() && server.is_ok(), "{name}: {client:?} {server:?}");
        assert_eq!(world.rules.warnings(), ["000000000002"], "{name}: said once");
    }
    let unlisted = world.tls(&world.certificate("c1", "000000000003", now_ms() - 200 * DAY_MS));
    let (client, _) = meet(&member, &unlisted, None).await;
    assert!(client.unwrap_err().to_string().contains("no member"));
}

#[tokio::test]
async fn another_member_than_the_expected_one_is_not_talked_to() {
    let world = World::new("c1");
    let (one, two) = (world.replica("000000000001"), world.replica("000000000002"));
    let (client, _) = meet(&one, &two, Some("000000000003")).await;
    let error = client.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("000000000002 answers where 000000000003"), "{error}");
}

#[tokio::test]
async fn a_newcomer_without_a_certificate_is_nobody_and_knows_the_cluster_by_its_digest() {
    let (world, other) = (World::new("c1"), World::new("c2"));
    let member = world.replica("000000000001");
    let digest = |world: &World| certificate::digest_of(&world.ca.certificate_pem).unwrap();

    let (near, far) = pipe();
    let newcomer = JoinTls::new(&digest(&world)).unwrap();
    let (joined, accepted) = tokio::join!(newcomer.connect(near, &["h2"]), member.accept(far));
    assert_eq!(joined.unwrap().1.cluster_id, "c1");
    let (_, identity, alpn) = accepted.unwrap();
    assert_eq!((identity, alpn.as_deref()), (None, Some(&b"h2"[..])));

    let (near, far) = pipe();
    let misled = JoinTls::new(&digest(&other)).unwrap();
    let (joined, accepted) = tokio::join!(misled.connect(near, &["h2"]), member.accept(far));
    let error = joined.err().unwrap();
    assert!(is_other_cluster(&error), "{error}");
    assert!(error.to_string().contains("not the one that this join token is for"), "{error}");
    assert!(accepted.is_err());
    assert!(JoinTls::new("abc").is_err());
}

#[tokio::test]
async fn a_reload_shows_the_new_certificate_and_a_bad_one_changes_nothing() {
    let world = World::new("c1");
    let (one, two) = (world.replica("000000000001"), world.replica("000000000002"));
    let (before, _) = meet(&one, &two, None).await;
    let (certificate_pem, key_pem) = world.certificate("c1", "000000000002", now_ms());
    assert!(two.reload(&certificate_pem, "no key").is_err());
    let (still, _) = meet(&one, &two, None).await;
    assert_eq!(still.unwrap().key, before.unwrap().key);
    world.list(&certificate_pem, "000000000002");
    two.reload(&certificate_pem, &key_pem).unwrap();
    let (after, _) = meet(&one, &two, None).await;
    assert_eq!(after.unwrap().key, certificate::parse(&certificate_pem).unwrap().key);
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_does_not_hold_a_handshake_open() {
    let world = World::new("c1");
    let member = world.replica("000000000001");
    let (_near, far) = pipe();
    let accepted = tokio::time::timeout(Duration::from_secs(60), member.accept(far)).await;
    assert_eq!(accepted.unwrap().err().unwrap().kind(), ErrorKind::TimedOut);
}
