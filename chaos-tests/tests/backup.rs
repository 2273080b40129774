//! Backup while pushes go on, and clusters that begin with it: with the content of a former
//! replica, without it, and with part of it.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chaos_tests::cluster::{ADMIN, Cluster};
use chaos_tests::executable::{self, text};
use chaos_tests::image::Image;
use chaos_tests::logs;
use chaos_tests::registry::{Credentials, Registry};
use chaos_tests::restored::copy_folder;
use consensus::backup::reading::{self, Item, Summary};
use reqwest::{Method, StatusCode};
use tempfile::TempDir;

const PASSPHRASE: &str = "a bird in the hand is worth two";
const ANN: &str = "violet-kettle-37";

/// What was saved of a cluster that is gone by now.
struct Saved {
    folder: TempDir,
    password: String,
    recovery_key: PathBuf,
    /// Repository, tag and the digest that the tag had.
    images: Vec<(String, Image)>,
}

impl Saved {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The administrator's password, and where the recovery key is.
    fn secrets(&self) -> (&str, &Path) {
        (&self.password, &self.recovery_key)
    }

    fn arguments(&self) -> Vec<String> {
        let all = [
            text(&self.at("backup.tar")),
            "--accounts".to_owned(),
            text(&self.at("accounts.tar")),
            "--recovery-key-file".to_owned(),
            text(&self.at("recovery-key")),
        ];
        all.to_vec()
    }

    async fn restore(&self, replicas: usize, content: impl FnOnce(&Path)) -> Cluster {
        let arguments = self.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let lay = |first: &chaos_tests::process::Process| {
            content(&first.data.join("content"));
            Ok(())
        };
        Cluster::restore(replicas, self.secrets(), &arguments, lay).await.unwrap()
    }
}

/// No replica may have panicked or logged a secret.
fn ends_well(cluster: &Cluster) {
    let complaints = logs::complaints(cluster).unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

async fn done(cluster: &Cluster, place: usize, words: &str) -> String {
    let words: Vec<&str> = words.split(' ').collect();
    let ended = cluster.verb(place, &words).await.unwrap();
    ended.expect_done().unwrap()
}

/// People, teams, rights, settings, a token, and images through every replica.
async fn filled(cluster: &Cluster, folder: &Path) -> Vec<(String, Image)> {
    let ann = folder.join("ann.password");
    fs::write(&ann, ANN).unwrap();
    for words in [
        &*format!("user create ann --new-password-file {}", text(&ann)),
        "org create acme",
        "org add acme ann",
        "team create acme builders",
        "team add acme builders ann",
        "repo create acme/web --private",
        "repo grant acme/web builders read-write",
        "settings set undeleteWindowSeconds=7200",
        "token create --label=ci",
    ] {
        done(cluster, 0, words).await;
    }
    let mut images = Vec::new();
    for (number, repository) in
        ["acme/web", "acme/web", "acme/api", "admin/tool"].iter().enumerate()
    {
        let image = Image::random(number as u64 + 1);
        let tag = format!("v{number}");
        let at = number % cluster.replicas.len();
        cluster.registry.push(at, repository, &image, &tag).await.unwrap();
        images.push(((*repository).to_owned(), image));
    }
    images
}

/// Backup and accounts of a cluster, taken while somebody pushes; then the cluster is ended, and
/// its folder kept for as long as the answer.
async fn saved() -> (Saved, Cluster) {
    let mut cluster = Cluster::start(3).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let images = filled(&cluster, folder.path()).await;
    // One at least is in the backup, however fast that is taken.
    cluster.registry.push(0, "admin/busy", &Image::random(999), "first").await.unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let (pusher, over) = (cluster.registry.clone(), is_over.clone());
    let pushing = tokio::spawn(async move {
        let mut pushed = 0_u64;
        while !over.load(Ordering::Relaxed) {
            let image = Image::random(1_000 + pushed);
            pusher.push(0, "admin/busy", &image, &format!("n{pushed}")).await.unwrap();
            pushed += 1;
        }
        pushed
    });
    fs::write(folder.path().join("passphrase"), PASSPHRASE).unwrap();
    let recovery_key = folder.path().join("recovery-key");
    let saved = Saved { password: cluster.password.clone(), recovery_key, images, folder };
    let (backup, accounts) = (text(&saved.at("backup.tar")), text(&saved.at("accounts.tar")));
    let passphrase = text(&saved.at("passphrase"));
    let take = format!("backup --output {backup} --passphrase-file {passphrase}");
    done(&cluster, 1, &take).await;
    done(&cluster, 2, &format!("accounts export --output {accounts}")).await;
    is_over.store(true, Ordering::Relaxed);
    assert!(pushing.await.unwrap() > 0, "nothing was pushed meanwhile");
    let recovery = cluster.replicas[0].data.parent().unwrap().join("data-recovery-key");
    fs::copy(recovery, saved.at("recovery-key")).unwrap();
    for place in 0..3 {
        assert_eq!(cluster.replicas[place].stop().await.unwrap(), Some(0));
    }
    (saved, cluster)
}

/// Every image by its tag, at every replica that runs: the digests are those that were pushed.
async fn pulls_everything(saved: &Saved, cluster: &Cluster, places: usize) {
    for (number, (repository, image)) in saved.images.iter().enumerate() {
        for at in 0..places {
            let found = cluster.registry.look(at, repository, &format!("v{number}")).await.unwrap();
            assert_eq!(found.as_ref(), Some(&image.manifest.digest), "{repository} at {at}");
            for blob in &image.blobs {
                let came = cluster.registry.fetch(at, repository, "blobs", &blob.digest).await;
                assert_eq!(came.unwrap(), blob.digest);
            }
        }
    }
}

/// A table, a key and a value.
type Row = (String, Vec<u8>, Vec<u8>);

/// The rows of an archive.
fn rows(path: &Path) -> (Summary, BTreeSet<Row>) {
    let mut rows = BTreeSet::new();
    let file = BufReader::new(File::open(path).unwrap());
    let summary = reading::read(file, |item| {
        if let Item::Row(table, key, value) = item {
            rows.insert((format!("{table:?}"), key.to_vec(), value.to_vec()));
        }
        Ok(())
    });
    (summary.unwrap(), rows)
}

/// Rows that a cluster changes by beginning anew: clocks and its name, who holds what, its log of
/// deeds, and what it counts.
const CHANGING: &[&str] = &["Singles", "Blobs", "AuditRecords", "RepositoryCounts"];

/// What the restored cluster saves is what it was restored from.
async fn saves_the_same(saved: &Saved, cluster: &Cluster) {
    for (name, take) in [("backup.tar", "backup"), ("accounts.tar", "accounts export")] {
        let again = saved.at("again.tar");
        done(cluster, 0, &format!("{take} --output {}", text(&again))).await;
        let ((before, was), (after, is)) = (rows(&saved.at(name)), rows(&again));
        let stays = |row: &&Row| !CHANGING.contains(&&*row.0);
        let differ: Vec<_> = was.symmetric_difference(&is).filter(stays).collect();
        assert!(differ.is_empty(), "{name}: {differ:?}");
        assert!(was.len() > 10 && before.manifest.cluster_id != after.manifest.cluster_id);
        assert!(after.manifest.log_index > before.manifest.log_index, "the log goes on after it");
    }
}

async fn verify(path: &Path) -> executable::Ended {
    executable::run(&["backup", "verify", &text(path)]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_taken_under_pushes_begins_a_cluster_with_its_content() {
    let (saved, former) = saved().await;
    let told = verify(&saved.at("backup.tar")).await.expect_done().unwrap();
    assert!(told.starts_with("whole: backup of cluster"), "{told}");
    for section in ["configuration", "repositories", "access", "certificates", "content"] {
        assert!(told.contains(section), "{told}");
    }
    damage_is_found(&saved).await;

    let content = former.replicas[0].data.join("content");
    let mut cluster = saved.restore(3, |to| copy_folder(&content, to).unwrap()).await;
    saves_the_same(&saved, &cluster).await;
    let adopted = done(&cluster, 0, "content adopt --wait 60 --finish").await;
    assert!(adopted.contains("nothing is missing"), "{adopted}");
    pulls_everything(&saved, &cluster, 1).await;
    accounts_are_there(&cluster).await;

    for place in 1..3 {
        // Who begins with a thousand small commands may count as behind for a second.
        let mut joined = cluster.join(place).await;
        for _ in 0..30 {
            if joined.is_ok() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            joined = cluster.join(place).await;
        }
        joined.unwrap();
    }
    pulls_everything(&saved, &cluster, 3).await;
    let image = Image::random(77);
    cluster.registry.push(2, "acme/web", &image, "new").await.unwrap();
    let found = cluster.registry.look(1, "acme/web", "new").await.unwrap();
    assert_eq!(found, Some(image.manifest.digest));
    // A restored replica that is killed finds its state again.
    cluster.kill(0).await.unwrap();
    cluster.restart(0).unwrap();
    cluster.wait_healthy().await.unwrap();
    pulls_everything(&saved, &cluster, 3).await;
    ends_well(&cluster);
}

/// Some of the bytes; the unit tests flip every one of a small archive.
async fn damage_is_found(saved: &Saved) {
    let whole = fs::read(saved.at("backup.tar")).unwrap();
    let path = saved.at("damaged.tar");
    for part in 1..8 {
        let mut bytes = whole.clone();
        let at = bytes.len() * part / 8;
        bytes[at] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        let ended = verify(&path).await;
        assert_eq!(ended.status, Some(1), "byte {at}: {ended}");
        assert!(ended.err.contains("is damaged"), "byte {at}: {ended}");
    }
    fs::write(&path, &whole[..whole.len() - 700]).unwrap();
    let ended = verify(&path).await;
    assert!(ended.status == Some(1) && ended.err.contains("is cut"), "{ended}");
    fs::write(&path, [&whole[..], b"\n"].concat()).unwrap();
    let ended = verify(&path).await;
    assert!(ended.status == Some(1) && ended.err.contains("follows the end"), "{ended}");
}

/// Ann signs in by her password and pushes where her team may.
async fn accounts_are_there(cluster: &Cluster) {
    let who = Credentials { name: "ann".to_owned(), password: ANN.to_owned() };
    let ann = Registry::new(vec![cluster.replicas[0].http.clone()], Some(who), None).unwrap();
    ann.push(0, "acme/web", &Image::random(5), "by-ann").await.unwrap();
    let refused = ann.push(0, "admin/tool", &Image::random(6), "by-ann").await;
    assert!(refused.is_err(), "nobody gave her that");
    let settings = cluster.registry.json(0, "/api/v0/meta/settings").await.unwrap();
    assert_eq!(settings["undeleteWindowSeconds"], 7200);
    let tokens = cluster.registry.json(0, "/api/v0/api_tokens?username=admin").await.unwrap();
    assert!(tokens.to_string().contains("\"ci\""), "{tokens}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_without_all_content_names_what_is_missing_and_takes_it_again() {
    let (saved, former) = saved().await;
    let cluster = saved.restore(1, |_| {}).await;
    let (repository, image) = &saved.images[0];
    let path = format!("manifests/{}", image.manifest.digest);
    let get = cluster.registry.request(0, Method::GET, repository, &path).await.unwrap();
    // Manifests come from the backup: clients see what there was.
    assert_eq!(get.send().await.unwrap().status(), StatusCode::OK);
    let told = done(&cluster, 0, "content adopt").await;
    for (repository, _) in &saved.images {
        assert!(told.contains(&format!("{repository}: ")), "{told}");
    }
    let ended = cluster.verb(0, &["content", "adopt", "--finish"]).await.unwrap();
    assert_eq!(ended.status, Some(3), "{ended}");
    // A push brings back what is missing, under the tag that it had.
    for (number, (repository, image)) in saved.images.iter().enumerate() {
        cluster.registry.push(0, repository, image, &format!("v{number}")).await.unwrap();
    }
    pulls_everything(&saved, &cluster, 1).await;
    let told = done(&cluster, 0, "content adopt").await;
    assert!(!told.contains("acme/"), "{told}");
    // The rest is put into the content folder while the replica runs.
    assert!(told.contains("admin/busy: "), "{told}");
    let content = former.replicas[0].data.join("content").join("blobs");
    copy_folder(&content, &cluster.replicas[0].data.join("content").join("blobs")).unwrap();
    let told = done(&cluster, 0, "content adopt --wait 80 --finish").await;
    assert!(told.contains("nothing is missing"), "{told}");
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_must_not_be_restored_is_refused_and_nobody_comes_without_accounts() {
    let (saved, former) = saved().await;
    let folder = saved.at("elsewhere");
    let config = saved.at("holdfast.toml");
    let written = fs::read_to_string(&former.replicas[0].config).unwrap();
    let moved = written.replace(&text(&former.replicas[0].data), &text(&folder));
    fs::write(&config, moved).unwrap();
    let restore = async |arguments: &[&str]| {
        let common = ["restore", "--config", &text(&config)].map(str::to_owned);
        let arguments = arguments.iter().map(|it| (*it).to_owned());
        let all: Vec<String> = common.into_iter().chain(arguments).collect();
        executable::run(&all).await.unwrap()
    };
    let (backup, accounts) = (text(&saved.at("backup.tar")), text(&saved.at("accounts.tar")));
    let (key, passphrase) = (text(&saved.at("recovery-key")), text(&saved.at("passphrase")));
    let wrong = saved.at("wrong");
    fs::write(&wrong, "not the passphrase of anything").unwrap();
    let by_wrong = restore(&[&backup, "--passphrase-file", &text(&wrong)]).await;
    assert!(by_wrong.status == Some(1) && by_wrong.err.contains("passphrase"), "{by_wrong}");
    let of_accounts = restore(&[&accounts, "--recovery-key-file", &key]).await;
    assert_eq!(of_accounts.status, Some(3), "{of_accounts}");
    assert_eq!(restore(&[&backup]).await.status, Some(2), "no key");
    assert!(!folder.join("identity.toml").exists());
    restore(&[&backup, "--passphrase-file", &passphrase]).await.expect_done().unwrap();
    let again = restore(&[&backup, "--passphrase-file", &passphrase]).await;
    assert_eq!(again.status, Some(3), "{again}");

    let arguments = [&*backup, "--passphrase-file", &passphrase, "--revoke-tokens"];
    let restored = Cluster::restore(1, saved.secrets(), &arguments, |_| Ok(())).await;
    let cluster = restored.unwrap();
    let nobody = cluster.registry.basic(0, Method::GET, "/enzi/v0/accounts").send().await.unwrap();
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    let (config, new) =
        (text(&cluster.replicas[0].config), cluster.folder().join("admin-password"));
    let reset =
        ["admin-reset", "--create", "--config", &config, "--new-password-file", &text(&new)];
    executable::run(&reset).await.unwrap().expect_done().unwrap();
    assert_eq!(done(&cluster, 0, "user list").await.split('\t').next(), Some(ADMIN));
    // Nothing of a namespace is reached before its account is there.
    assert_eq!(cluster.registry.look(0, "acme/web", "v0").await.unwrap(), None);
    done(&cluster, 0, "org create acme").await;
    let found = cluster.registry.look(0, "acme/web", "v0").await.unwrap();
    assert_eq!(found.as_ref(), Some(&saved.images[0].1.manifest.digest));
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_goes_on_where_it_broke_off_and_is_for_administrators() {
    let cluster = Cluster::start(1).await.unwrap();
    let image = Image::random(1);
    cluster.registry.push(0, "admin/app", &image, "v1").await.unwrap();
    let path = "/api/v0/meta/backup";
    let bare = cluster.registry.bare(0, Method::GET, path).send().await.unwrap();
    assert_eq!(bare.status(), StatusCode::UNAUTHORIZED);
    let whole = cluster.registry.basic(0, Method::GET, path).send().await.unwrap();
    assert_eq!(whole.status(), StatusCode::OK);
    let tag = whole.headers()["etag"].to_str().unwrap().to_owned();
    let whole = whole.bytes().await.unwrap();
    let rest = async |tag: &str, range: &str| {
        let request = cluster.registry.basic(0, Method::GET, path);
        request.header("if-match", tag).header("range", range).send().await.unwrap()
    };
    let part = rest(&tag, "bytes=1000-").await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.bytes().await.unwrap(), whole.slice(1000..));
    for (tag, range) in [("\"none\"", "bytes=1-"), (&*tag, "bytes=999999999-")] {
        assert_eq!(rest(tag, range).await.status(), StatusCode::PRECONDITION_FAILED, "{range}");
    }
    assert_eq!(rest(&tag, "bytes=-5").await.status(), StatusCode::BAD_REQUEST);
    let audit = cluster.registry.json(0, "/api/v0/audit?action=backup.take").await.unwrap();
    let records = audit["records"].as_array().unwrap();
    assert_eq!((records.len(), records[0]["actor"].as_str()), (1, Some(ADMIN)), "{audit}");
    let refused = cluster.registry.basic(0, Method::GET, "/api/v0/meta/backup?archive=x");
    assert_eq!(refused.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    ends_well(&cluster);
}
