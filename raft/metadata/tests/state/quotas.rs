//! Quotas: the unique bytes of a namespace.

use metadata::access::Reason;
use metadata::accounts::commands::{AccountDelete, AccountUpdate};
use metadata::blobs::commands::{BlobCommit, BlobMount, BlobUnlink};
use metadata::grants::Level;
use metadata::grants::commands::RepositoryGrantPut;
use metadata::manifests::delete::ManifestDelete;
use metadata::outcome::Answer;
use metadata::quotas::{self, UseRow};
use metadata::refusal::Refusal;
use metadata::repositories::commands::RepositoryDelete;
use metadata::settings::SettingsSet;
use metadata::tables::Table;

use crate::cluster::{Cluster, HOUR_MS, SIZE, digest, repository};
use crate::organizations::with_org;
use crate::teams::make;

fn quota(name: &str, actor: &str, bytes: u64) -> AccountUpdate {
    AccountUpdate {
        name: name.into(),
        actor: actor.into(),
        full_name: None,
        is_admin: None,
        is_active: None,
        quota_bytes: Some(bytes),
    }
}

fn used(cluster: &Cluster, namespace: &str) -> u64 {
    let UseRow { bytes, blobs } = quotas::used(&cluster.tables, namespace).unwrap();
    assert_eq!(bytes, blobs * SIZE);
    blobs
}

fn exceeded(used: u64, limit: u64, asked: u64) -> Refusal {
    let namespace = "alice".to_owned();
    Refusal::QuotaExceeded {
        namespace,
        used: used * SIZE,
        limit: limit * SIZE,
        asked: asked * SIZE,
    }
}

fn mount(to: &str, from: &str, text: &str) -> BlobMount {
    let (repository, from) = (repository(to), Some(repository(from)));
    BlobMount { repository, from, digest: digest(text), actor: "admin".into() }
}

#[test]
fn a_blob_counts_once_for_a_namespace_and_for_each_namespace() {
    let mut cluster = Cluster::new(3);
    cluster.push("alice/one", "m", &["x", "y"], &["v1"]);
    assert_eq!(used(&cluster, "alice"), 3);
    // The same again, under another tag, in another repository, mounted: nothing more.
    cluster.push("alice/one", "m", &["x", "y"], &["v2"]);
    cluster.push("alice/two", "m", &["x", "y"], &["v1"]);
    cluster.does(mount("alice/three", "alice/one", "x"));
    assert_eq!(used(&cluster, "alice"), 3);
    // Another namespace has its own.
    cluster.does(mount("bob/one", "alice/one", "x"));
    assert_eq!((used(&cluster, "alice"), used(&cluster, "bob")), (3, 1));
    assert_eq!(used(&cluster, "nobody"), 0);
}

#[test]
fn what_goes_beyond_is_refused_by_commit_mount_and_manifest() {
    let mut cluster = Cluster::new(3);
    cluster.does(quota("alice", "admin", 3 * SIZE));
    cluster.commit("alice/one", "x");
    cluster.commit("alice/one", "y");
    // Exactly full is fine.
    cluster.push("alice/one", "m", &["x", "y"], &["v1"]);
    let commit = cluster.blob_commit("alice/one", "z", &[1, 2]);
    assert_eq!(cluster.run(commit), Err(exceeded(3, 3, 1)));
    cluster.commit("bob/one", "z");
    assert_eq!(cluster.run(mount("alice/one", "bob/one", "z")), Err(exceeded(3, 3, 1)));
    let manifest = cluster.manifest_put("alice/one", "n", &["x"], &["v2"]);
    assert_eq!(cluster.run(manifest), Err(exceeded(3, 3, 1)));
    // What is there may be pushed, mounted and named again.
    cluster.does(mount("alice/two", "alice/one", "x"));
    cluster.push("alice/two", "m", &["x", "y"], &["v1"]);
    // One byte less is one byte too few.
    cluster.does(quota("alice", "admin", 4 * SIZE - 1));
    let commit = cluster.blob_commit("alice/one", "z", &[1, 2]);
    let refused = cluster.run(commit).unwrap_err();
    assert!(matches!(&refused, Refusal::QuotaExceeded { asked: SIZE, .. }), "{refused:?}");
    assert!(refused.to_string().starts_with("the quota of alice is 399 bytes, 300 are used"));
    cluster.does(quota("alice", "admin", 0));
    cluster.commit("alice/one", "z");
}

#[test]
fn a_race_for_the_last_bytes_has_one_winner() {
    let mut cluster = Cluster::new(3);
    cluster.does(quota("alice", "admin", 2 * SIZE));
    let proposals = (0..5).map(|number| {
        let to = format!("alice/r{number}");
        let command: BlobCommit = cluster.blob_commit(&to, &format!("x{number}"), &[1, 2]);
        cluster.proposal(&command.into())
    });
    let proposals = proposals.collect();
    let outcomes = cluster.propose(proposals, 0);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 2);
    assert_eq!(used(&cluster, "alice"), 2);
    // What was refused left nothing behind, not even the repository that the push made.
    assert_eq!(cluster.tables.count(Table::Repositories), 2);
}

#[test]
fn deleting_frees_and_so_does_the_end_of_a_lease() {
    let mut cluster = Cluster::new(3);
    cluster.does(SettingsSet { undelete_s: Some(3600), ..SettingsSet::default() });
    let actor = || "admin".to_owned();
    cluster.push("alice/one", "m", &["x", "y"], &["v1"]);
    cluster.push("alice/two", "n", &["x"], &["v1"]);
    cluster.commit("alice/one", "loose");
    assert_eq!(used(&cluster, "alice"), 5);
    let unlink =
        BlobUnlink { repository: repository("alice/one"), digest: digest("loose"), actor: actor() };
    cluster.does(unlink);
    assert_eq!(used(&cluster, "alice"), 4);
    cluster.pass(25 * HOUR_MS);
    // The tag could come back; all the same its bytes are not counted, and `x` is still there.
    let delete =
        ManifestDelete { repository: repository("alice/one"), digest: digest("m"), actor: actor() };
    cluster.does(delete);
    assert_eq!(used(&cluster, "alice"), 2);
    cluster.commit("alice/one", "leased");
    assert_eq!(used(&cluster, "alice"), 3);
    cluster.pass(25 * HOUR_MS);
    assert_eq!(used(&cluster, "alice"), 2);
    cluster.does(RepositoryDelete { repository: repository("alice/two"), actor: actor() });
    cluster.pass(1);
    assert_eq!(used(&cluster, "alice"), 0);
    assert_eq!(cluster.tables.count(Table::NamespaceUse), 0);
    assert_eq!(cluster.tables.count(Table::NamespaceBlobs), 0);
}

#[test]
fn a_quota_below_what_is_used_lets_only_that_in_which_adds_nothing() {
    let mut cluster = Cluster::new(3);
    cluster.push("alice/one", "m", &["x", "y"], &["v1"]);
    cluster.does(quota("alice", "admin", SIZE));
    cluster.push("alice/one", "m", &["x", "y"], &["v2"]);
    let commit = cluster.blob_commit("alice/one", "z", &[1, 2]);
    assert_eq!(cluster.run(commit), Err(exceeded(3, 1, 1)));
}

#[test]
fn only_a_system_administrator_sets_a_quota() {
    let mut cluster = Cluster::new(3);
    let refused = Err(Refusal::NotAuthorized { actor: "alice".into() });
    assert_eq!(cluster.run(quota("alice", "alice", 0)), refused);
    assert_eq!(cluster.does(quota("alice", "admin", 1)), Answer::Done);
    let denied = cluster
        .run(BlobCommit { actor: "bob".into(), ..cluster.blob_commit("alice/one", "x", &[1, 2]) });
    // Who may not push learns nothing of the quota.
    assert_eq!(
        denied,
        Err(Refusal::Denied {
            actor: "bob".into(),
            repository: repository("alice/one"),
            reason: Reason::ReadRequired,
        })
    );
}

#[test]
fn what_is_asked_early_is_what_would_be_refused() {
    let mut cluster = Cluster::new(3);
    cluster.does(quota("alice", "admin", 3 * SIZE));
    cluster.commit("alice/one", "x");
    let asks = |cluster: &Cluster, text: Option<&str>, size: u64| {
        let digest = text.map(digest);
        let asked = (digest.as_ref(), size);
        quotas::refusal(&cluster.tables, ("alice", "alice"), asked).unwrap().is_some()
    };
    assert!(!asks(&cluster, Some("y"), 2 * SIZE));
    assert!(asks(&cluster, Some("y"), 2 * SIZE + 1));
    assert!(!asks(&cluster, Some("x"), SIZE), "it is there already");
    // Not knowing which blob it is: only what can't be there.
    assert!(!asks(&cluster, None, 3 * SIZE));
    assert!(asks(&cluster, None, 3 * SIZE + 1));
    cluster.does(quota("alice", "admin", SIZE / 2));
    assert!(!asks(&cluster, None, SIZE), "it may be `x`");
    let unbounded = quotas::refusal(&cluster.tables, ("bob", "bob"), (None, u64::MAX)).unwrap();
    assert_eq!(unbounded, None);
}

#[test]
fn an_early_answer_says_nothing_of_what_is_in_other_repositories() {
    let mut cluster = with_org();
    let team = make(&mut cluster, "qa", &["bob"]);
    cluster.does(quota("org", "admin", 2 * SIZE));
    cluster.commit("org/secret", "x");
    cluster.commit("org/open", "y");
    cluster.does(RepositoryGrantPut {
        repository: repository("org/open"),
        team,
        level: Level::ReadWrite,
        actor: "admin".into(),
    });
    let is_refused = |account: &str, text: &str| {
        let asked = (Some(&digest(text)), 2 * SIZE);
        quotas::refusal(&cluster.tables, ("org", account), asked).unwrap().is_some()
    };
    assert!(is_refused("bob", "x") && is_refused("bob", "z"), "bob sees neither");
    assert!(!is_refused("bob", "y"), "he may read that");
    assert!(!is_refused("alice", "x") && is_refused("alice", "z"), "alice owns the organization");
}

#[test]
fn an_account_that_comes_anew_begins_with_nothing() {
    let mut cluster = Cluster::new(3);
    cluster.push("alice/one", "m", &["x", "y"], &["v1"]);
    cluster.does(AccountDelete { name: "alice".into(), actor: "admin".into() });
    for _ in 0..5 {
        cluster.pass(1);
    }
    assert_eq!(cluster.tables.count(Table::NamespaceUse), 0);
    cluster.push("alice/one", "m", &["x", "y"], &["v1"]);
    assert_eq!(used(&cluster, "alice"), 3);
    assert_eq!(quotas::limit(&cluster.tables, "alice").unwrap(), None);
}
