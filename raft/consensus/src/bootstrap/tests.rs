//! What `install` leaves behind, and what it refuses.

use std::fs;
use std::path::Path;

use metadata::command::Command;
use wire::certificate;

use super::*;

pub(crate) fn options(folder: &Path) -> InstallOptions {
    InstallOptions {
        folder: folder.to_owned(),
        allow_volatile: true,
        replica_id: None,
        admin: "admin".to_owned(),
        admin_password_hash: "$argon2id$x".to_owned(),
        create_repository_on_push: true,
        host_names: vec!["registry.example".to_owned()],
        advertise: "one.example:7101".to_owned(),
        host_name: "one".to_owned(),
        machine_id: "m1".to_owned(),
        version: "0.1.0".to_owned(),
        wall_ms: 1_750_000_000_000,
    }
}

#[test]
fn an_installation_leaves_everything_the_first_start_needs() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let installed = install(options(&path)).unwrap();
    let folder = Folder::open(&path).unwrap();
    let identity = Identity::read(&folder).unwrap();
    let keys = Keys::read(&folder).unwrap();
    assert_eq!(identity.cluster_id, installed.cluster_id);
    assert_eq!(identity.replica_id, installed.replica_id);

    let facts = certificate::parse(&keys.certificate_pem).unwrap();
    assert_eq!(
        facts.uris,
        [format!("holdfast://{}/{}", installed.cluster_id, installed.replica_id)]
    );
    assert_eq!(facts.hosts, ["one.example", "one"]);

    let first = FirstEntry::read(&path).unwrap().unwrap();
    let Command::Bootstrap(command) = first.command() else { panic!("another command") };
    assert_eq!(command.member.public_key, facts.key.to_string());
    assert_eq!(command.member.incarnation, identity.incarnation);
    let ca_key = keys.sealing_key.open(seal::CA_KEY, &command.sealed_ca_key).unwrap();
    assert!(ca_key.starts_with(b"-----BEGIN PRIVATE KEY-----"));
    let token_key = keys.sealing_key.open(seal::TOKEN_KEY, &command.sealed_token_key).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(&token_key).unwrap();
    assert_eq!(pair.public_key().as_ref(), command.token_public_key);

    let recovery = RecoveryKey::parse(&installed.recovery_key).unwrap();
    let opened = recovery.unwrap(&keys.recovery_sealed).unwrap();
    assert_eq!(opened.to_bytes(), keys.sealing_key.to_bytes());

    FirstEntry::remove(&path).unwrap();
    assert_eq!(FirstEntry::read(&path).unwrap(), None);
}

#[test]
fn no_secret_lies_in_the_clear_where_it_should_not() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let installed = install(options(&path)).unwrap();
    let folder = Folder::open(&path).unwrap();
    let first = fs::read(path.join("bootstrap")).unwrap();
    let text = String::from_utf8_lossy(&first);
    assert!(!text.contains("PRIVATE KEY"), "the first entry goes into the log");
    assert!(folder.read("keys/ca.key").unwrap().is_none());
    for name in ["bootstrap", "identity.toml", "keys/recovery.sealed", "keys/sealing.key"] {
        let bytes = folder.read(name).unwrap().unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!text.contains(installed.recovery_key.as_str()), "{name}");
    }
}

#[test]
fn an_installation_is_made_once_only() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let first = install(options(&path)).unwrap();
    let error = install(options(&path)).err().unwrap();
    assert_eq!(error.kind(), FailureKind::Refused, "{error}");
    let folder = Folder::open(&path).unwrap();
    assert_eq!(Identity::read(&folder).unwrap().cluster_id, first.cluster_id);
}

#[test]
fn a_flipped_bit_in_the_first_entry_is_noticed() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    install(options(&path)).unwrap();
    let mut bytes = fs::read(path.join("bootstrap")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path.join("bootstrap"), &bytes).unwrap();
    let error = FirstEntry::read(&path).unwrap_err().to_string();
    assert!(error.contains("checksum"), "{error}");
}

#[test]
fn an_advertised_address_is_one_that_can_be_dialled() {
    let cases = [
        ("a.example:7101", Some("a.example")),
        ("10.0.0.1:1", Some("10.0.0.1")),
        ("[fd00::1]:7101", Some("fd00::1")),
        ("a.example", None),
        ("a.example:0", None),
        ("a.example:70000", None),
        (":7101", None),
        ("0.0.0.0:7101", None),
        ("[::]:7101", None),
        ("a b:7101", None),
        ("", None),
    ];
    for (address, host) in cases {
        assert_eq!(host_of(address).ok().as_deref(), host, "{address}");
    }
}
