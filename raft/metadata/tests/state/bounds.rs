//! No row, outcome or answer grows beyond what a store takes, whatever is asked.

use metadata::accounts::commands::UserPut;
use metadata::leases::{LeaseRenew, RENEWALS_MAX};
use metadata::manifests::delete::ManifestDelete;
use metadata::manifests::put::ManifestPut;
use metadata::outcome::{self, Answer};
use metadata::refusal::Refusal;
use metadata::tables::VALUE_BYTES_MAX;

use crate::cluster::{Cluster, digest, repository};

fn too_much(what: &str, max: usize) -> Refusal {
    Refusal::TooMuch { what: what.into(), max: u64::try_from(max).unwrap() }
}

#[test]
fn a_row_too_long_for_the_store_is_refused_and_one_that_just_fits_is_not() {
    let mut cluster = Cluster::new(3);
    let typed = |cluster: &Cluster, bytes: usize| {
        let artifact_type = Some("a".repeat(bytes));
        ManifestPut { artifact_type, ..cluster.manifest_put("a/r", "m", &[], &["v1"]) }
    };
    let command = typed(&cluster, VALUE_BYTES_MAX);
    let refused = too_much("the bytes of a row", VALUE_BYTES_MAX);
    assert_eq!(cluster.run(command), Err(refused));
    let command = typed(&cluster, VALUE_BYTES_MAX - 100);
    cluster.does(command);
}

#[test]
fn a_refusal_that_would_say_back_too_much_is_short() {
    let mut cluster = Cluster::new(3);
    let name = "x".repeat(100_000);
    let refused = too_much("the bytes of a command's names", VALUE_BYTES_MAX);
    let command = UserPut { name, password_hash: String::new(), is_admin: false };
    assert_eq!(cluster.run(command), Err(refused));
}

#[test]
fn lists_in_outcomes_are_cut() {
    let mut cluster = Cluster::new(3);
    let layers: Vec<_> = (0..2000).map(|number| format!("layer {number}")).collect();
    let layers: Vec<_> = layers.iter().map(String::as_str).collect();
    let command = cluster.manifest_put("a/r", "m", &layers, &[]);
    let outcome = cluster.run(command);
    assert!(outcome::encode(&outcome).len() < VALUE_BYTES_MAX);
    let Err(Refusal::ManifestBlobsUnknown { digests }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(digests.len(), 500);

    for round in 0..3 {
        let tags: Vec<_> = (0..50).map(|number| format!("v{round}.{number}")).collect();
        let tags: Vec<_> = tags.iter().map(String::as_str).collect();
        cluster.push("a/r", "m", &[], &tags);
    }
    let (here, actor) = (repository("a/r"), "admin".to_owned());
    let answer = cluster.does(ManifestDelete { repository: here, digest: digest("m"), actor });
    let Answer::Deleted { tags, more } = answer else { panic!("{answer:?}") };
    assert_eq!((tags.len(), more), (100, true), "the manifest and 50 tags are there still");

    let digests = vec![digest("x"); RENEWALS_MAX + 1];
    let command = LeaseRenew { repository: repository("a/r"), digests };
    let refused = too_much("the leases of one renewal", RENEWALS_MAX);
    assert_eq!(cluster.run(command), Err(refused));
}
