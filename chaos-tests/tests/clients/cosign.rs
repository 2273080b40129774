//! cosign, as Debian 13 packages it: a signature and an attestation made at one replica are
//! verified at the others; by its tags and by the referrers API.

use std::fs;

use chaos_tests::cluster::Cluster;
use chaos_tests::programs::Program;

use crate::artifacts::{at_home, fallback_tag, referrer_types, subject};
use crate::hosts;

/// Nothing of it is told to a public log, and none is asked.
const OFFLINE: [&str; 2] = ["--key", "cosign.pub"];
const UNLOGGED: &str = "--insecure-ignore-tlog=true";
const REPOSITORY: &str = "cosign/app";

/// Signs and attests at one replica each, and verifies at all.
pub(crate) async fn signs_what_all_replicas_verify(cluster: &Cluster) {
    let Some(cosign) = Program::unpacked("cosign") else { return };
    let (hosts, folder) = (hosts(cluster), tempfile::tempdir().unwrap());
    // The key has an empty password: a variable that is set to nothing is not asked for.
    let cosign = at_home(cosign, cluster, folder.path()).await;
    let cosign = cosign.variable("COSIGN_PASSWORD", std::path::Path::new(""));
    cosign.run(&["generate-key-pair"]).await.unwrap();
    fs::write(folder.path().join("predicate.json"), "{\"built\":\"here\"}").unwrap();
    let digest = subject(cluster, REPOSITORY, 61).await;
    let at = |place: usize| format!("{}/{REPOSITORY}@{digest}", hosts[place]);
    let verify = [&["verify", UNLOGGED], &OFFLINE[..]].concat();
    let refused = cosign.ends(&[&verify[..], &[&at(0)]].concat()).await.unwrap();
    assert_ne!(refused.status, Some(0), "what nobody signed was verified: {refused}");

    let sign = ["sign", "--yes", "--key", "cosign.key", "--tlog-upload=false"];
    cosign.run(&[&sign[..], &[&at(0)]].concat()).await.unwrap();
    let attest = ["attest", "--yes", "--key", "cosign.key", "--tlog-upload=false"];
    let what = ["--type", "custom", "--predicate", "predicate.json"];
    cosign.run(&[&attest[..], &what, &[&at(1)]].concat()).await.unwrap();
    // A second one is written after the first into the same tag.
    cosign.run(&[&attest[..], &what, &[&at(2)]].concat()).await.unwrap();
    for place in 0..3 {
        let said = cosign.run(&[&verify[..], &[&at(place)]].concat()).await.unwrap();
        assert!(said.contains(&digest), "replica {place}: {said}");
        let attested = ["verify-attestation", UNLOGGED, "--type", "custom"];
        let said = cosign.run(&[&attested[..], &OFFLINE, &[&at(place)]].concat()).await.unwrap();
        assert_eq!(said.lines().count(), 2, "replica {place}: {said}");
        for end in [".sig", ".att"] {
            let tag = fallback_tag(&digest, end);
            let seen = cluster.registry.look(place, REPOSITORY, &tag).await.unwrap();
            assert!(seen.is_some(), "replica {place} does not show {tag}");
        }
    }
    let tree = cosign.run(&["tree", &at(0)]).await.unwrap();
    assert!(tree.contains(".sig") && tree.contains(".att"), "{tree}");
    by_referrers(cluster, &cosign).await;
}

/// The same without tags: the signature names what it belongs to.
async fn by_referrers(cluster: &Cluster, cosign: &Program) {
    let (hosts, repository) = (hosts(cluster), "cosign/referrers");
    let digest = subject(cluster, repository, 62).await;
    let at = |place: usize| format!("{}/{repository}@{digest}", hosts[place]);
    let cosign = cosign.clone().variable("COSIGN_EXPERIMENTAL", std::path::Path::new("1"));
    let sign = ["sign", "--yes", "--key", "cosign.key", "--tlog-upload=false"];
    let way = ["--registry-referrers-mode", "oci-1-1"];
    cosign.run(&[&sign[..], &way, &[&at(2)]].concat()).await.unwrap();
    let types = referrer_types(cluster, repository, &digest).await;
    assert_eq!(types.len(), 1, "{types:?}");
    let verify = ["verify", "--experimental-oci11", UNLOGGED];
    cosign.run(&[&verify[..], &OFFLINE, &[&at(1)]].concat()).await.unwrap();
    for place in 0..3 {
        let tags = cluster.registry.json(place, &format!("/v2/{repository}/tags/list")).await;
        assert_eq!(tags.unwrap()["tags"], serde_json::json!(["v1"]), "replica {place}");
    }
}
