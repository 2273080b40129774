//! The groups of cases in their order, and how they are run.
//!
//! Each group has repositories of its own, so that several run beside each other: on replicas that
//! sync every write to disk most of a case's time is waiting.

use futures::StreamExt;
use futures::stream;

use crate::answer::{Seen, holds};
use crate::content::{Algorithm, GZIP, Set, unchanged};
use crate::data_sets;
use crate::extra;
use crate::run::{Record, Run};
use crate::target::Target;
use crate::{blobs, errors, legacy, manifests, referrers, uploads};

/// Groups that run at the same time.
const BESIDE_EACH_OTHER: usize = 4;

/// A group of cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Ping,
    Empty,
    Blobs(Algorithm),
    Data(&'static str),
    Sparse,
    BadDigestImage,
    MissingManifest,
    InvalidDigest,
    Legacy,
    Extra(extra::Part),
}

/// Every group, in the order of the official suite; ours come last.
pub(crate) fn all() -> Vec<Group> {
    let mut groups = vec![Group::Ping, Group::Empty];
    groups.extend([Algorithm::Sha256, Algorithm::Sha512].map(Group::Blobs));
    groups.extend(data_sets::NAMES.iter().map(|name| Group::Data(name)));
    groups.extend([Group::Sparse, Group::BadDigestImage]);
    groups.extend([Group::MissingManifest, Group::InvalidDigest, Group::Legacy]);
    groups.extend(extra::PARTS.iter().map(|part| Group::Extra(*part)));
    groups
}

/// Runs these groups; `prefix` keeps their repositories apart from those of another run.
pub(crate) async fn run(groups: &[Group], target: &Target, prefix: &str) -> Vec<Record> {
    let runs = groups.iter().map(|group| async move {
        let run = Run::new(target.fork(), &group.name(), &format!("{prefix}{}", group.slug()));
        group.cases(&run).await;
        run.into_records()
    });
    let records: Vec<Vec<Record>> = stream::iter(runs).buffered(BESIDE_EACH_OTHER).collect().await;
    records.into_iter().flatten().collect()
}

impl Group {
    fn name(self) -> String {
        match self {
            Self::Ping => "ping".to_owned(),
            Self::Empty => "empty".to_owned(),
            Self::Blobs(algorithm) => format!("{} blobs", algorithm.name()),
            Self::Data(name) => name.to_owned(),
            Self::Sparse => "sparse".to_owned(),
            Self::BadDigestImage => "bad-digest-image".to_owned(),
            Self::MissingManifest => "missing-manifest".to_owned(),
            Self::InvalidDigest => "invalid-digest-format".to_owned(),
            Self::Legacy => "legacy".to_owned(),
            Self::Extra(_) => "extra".to_owned(),
        }
    }

    /// The second part of its repository's name.
    fn slug(self) -> String {
        match self {
            Self::Extra(part) => format!("extra-{part:?}").to_lowercase(),
            other => other.name().replace(' ', "-"),
        }
    }

    async fn cases(self, run: &Run) {
        match self {
            Self::Ping => {
                run.step("", ping(run)).await;
            }
            Self::Empty => empty(run).await,
            Self::Blobs(algorithm) => {
                blobs::all(run, algorithm).await;
                blobs::bad_digests(run, algorithm).await;
            }
            Self::Data(name) => manifests::all(run, &data_sets::of(run, name)).await,
            Self::Sparse => sparse(run).await,
            Self::BadDigestImage => bad_digest_image(run).await,
            Self::MissingManifest => errors::missing_manifest(run).await,
            Self::InvalidDigest => errors::invalid_digest(run).await,
            Self::Legacy => legacy::all(run).await,
            Self::Extra(part) => part.cases(run).await,
        }
    }
}

/// Who has signed in gets 200, everyone else the challenge (PI1).
async fn ping(run: &Run) -> Seen {
    let known = run.get("/v2/").send().await?;
    holds(known.is(200)?.json()?.is_object(), || known.but("the body is no object"))?;
    let unknown = run.get("/v2/").who(crate::run::Who::Anonymous).send().await?;
    let challenge = unknown.refuses(401, "UNAUTHORIZED")?.needs("www-authenticate")?;
    let whole = challenge.starts_with("Bearer realm=") && challenge.contains("service=");
    holds(whole, || unknown.but(&format!("the challenge is {challenge:?}")))
}

/// Before any push.
async fn empty(run: &Run) {
    let list = async {
        let answer = run.get("tags/list").send().await?;
        if answer.is_one_of(&[200, 404])?.status == 404 {
            answer.refuses(404, "NAME_UNKNOWN")?;
            return Ok(());
        }
        holds(answer.json()?["tags"].is_array(), || answer.but("tags is no list"))
    };
    run.step("tag list", list).await;
    let list = async {
        let digest = run.digest(Algorithm::Sha256);
        let (came, answer) = referrers::of(run, &digest, None).await?;
        holds(came.is_empty(), || answer.but("nothing was pushed yet"))
    };
    run.step("referrers", list).await;
}

/// A manifest of which a layer, and an index of which a child was never pushed (7.2, 5).
async fn sparse(run: &Run) {
    let mut set = Set::new(run, Algorithm::Sha256);
    let child = set.image(GZIP, unchanged);
    let absent = run.digest(Algorithm::Sha256);
    let missing = |document: &mut serde_json::Value, list: &str| {
        document[list][0]["digest"] = absent.clone().into();
    };
    set.image(GZIP, |it| missing(it, "layers"));
    set.index(&[child.clone(), child], |it| missing(it, "manifests"));
    let pushed = async {
        for blob in &set.blobs {
            uploads::post_put(run, blob).await?;
        }
        manifests::pushed(run, &set.manifests[0], (&set.manifests[0].blob.digest, &[])).await
    };
    run.step("push/blob-post-put", pushed).await;
    for (step, sparse) in ["push/manifest-by-digest", "push/index-by-digest"].iter().zip(1..) {
        let refused = async {
            let manifest = &set.manifests[sparse];
            let put = run.put(&format!("manifests/{}", manifest.blob.digest));
            let put = put.header("content-type", manifest.media_type).body(&manifest.blob.bytes);
            let answer = put.send().await?;
            answer.refuses(400, "MANIFEST_BLOB_UNKNOWN")?;
            let named = answer.json()?["errors"][0]["detail"]["digest"] == absent.as_str();
            holds(named, || answer.but(&format!("detail.digest is not {absent}")))?;
            let get = run.get(&format!("manifests/{}", manifest.blob.digest)).send().await?;
            get.refuses(404, "MANIFEST_UNKNOWN").map(|_| ())
        };
        run.step(step, refused).await;
    }
}

/// A manifest with two spaces after it is not what its digest says.
async fn bad_digest_image(run: &Run) {
    let mut set = Set::new(run, Algorithm::Sha256);
    set.image(GZIP, unchanged);
    let blobs = async {
        for blob in &set.blobs {
            uploads::post_put(run, blob).await?;
        }
        Ok(())
    };
    run.step("push/blob-post-put", blobs).await;
    let manifest = &set.manifests[0];
    let refused = async {
        let spaced = [&manifest.blob.bytes[..], b"  "].concat().into();
        let path = format!("manifests/{}", manifest.blob.digest);
        let put = run.put(&path).header("content-type", manifest.media_type).body(&spaced);
        put.send().await?.refuses(400, "DIGEST_INVALID")?;
        run.get(&path).send().await?.refuses(404, "MANIFEST_UNKNOWN")?;
        Ok(())
    };
    run.step("push/manifest-by-digest", refused).await;
    let deleted = async {
        for blob in &set.blobs {
            blobs::deleted(run, blob).await?;
        }
        Ok(())
    };
    run.step("delete/blob-delete", deleted).await;
}
