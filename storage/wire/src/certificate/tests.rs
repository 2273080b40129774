//! Certificates say what was asked of them, and read back so.

use super::*;

const NOW_MS: u64 = 1_750_000_000_000;
const DAY_MS: u64 = 24 * 3600 * 1000;

#[test]
fn a_replicas_certificate_names_it_and_ends_after_ninety_days() {
    let ca = make_ca("c1", NOW_MS).unwrap();
    let key = generate_key().unwrap();
    let hosts = ["a.example".to_owned(), "10.0.0.1".to_owned(), "fd00::1".to_owned()];
    let names = ReplicaNames { cluster_id: "c1", replica_id: "0123456789ab", hosts: &hosts };
    let csr = csr(&key).unwrap();
    let facts = parse(&issue(&ca, &csr, &names, NOW_MS).unwrap()).unwrap();
    assert_eq!(facts.uris, ["holdfast://c1/0123456789ab"]);
    assert_eq!(facts.hosts, hosts);
    assert_eq!(facts.not_after_ms, NOW_MS + 90 * DAY_MS);
    assert_eq!(facts.key, peer_key_of(&key).unwrap());
    assert_eq!(facts.key, key_of_csr(&csr).unwrap());
}

#[test]
fn a_request_whose_signature_is_wrong_is_refused() {
    let good = csr(&generate_key().unwrap()).unwrap();
    assert!(key_of_csr(&good).is_ok());
    // The signature comes last: the last letters before the line that ends the text.
    let end = good.rfind("\n-----END").or_else(|| good.rfind("\r\n-----END")).unwrap();
    let at = good[..end].trim_end_matches(['=', '\r', '\n']).len() - 12;
    let mut bad = good.clone();
    bad.replace_range(at..=at, if &good[at..=at] == "A" { "B" } else { "A" });
    assert!(key_of_csr(&bad).is_err());
    assert!(key_of_csr("no request").is_err());
}

#[test]
fn the_digest_is_that_of_the_authority_and_differs_between_clusters() {
    let (one, other) = (make_ca("c1", NOW_MS).unwrap(), make_ca("c1", NOW_MS).unwrap());
    assert_eq!(digest_of(&one.certificate_pem).unwrap().len(), 64);
    assert_ne!(
        digest_of(&one.certificate_pem).unwrap(),
        digest_of(&other.certificate_pem).unwrap()
    );
}

#[test]
fn texts_that_are_no_certificates_are_errors() {
    let key = generate_key().unwrap();
    for text in ["", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &key] {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_key_is_not_shown() {
    let made = self_signed(&["a.example".to_owned()], NOW_MS).unwrap();
    assert!(!format!("{made:?}").contains("PRIVATE KEY"));
}
