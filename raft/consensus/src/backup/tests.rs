//! Archives as files: what is written reads back, and nothing else does.

use metadata::backup::{Section, rows};
use metadata::tables::Table;
use oci::digest::Algorithm;
use oci::verifier::digest_of;

use super::manifest::{FORMAT, Manifest, Opener, WrappedKey};
use super::reading::{ArchiveError, Item, Summary, read};
use super::writing::Writer;
use crate::seal::SealingKey;
use crate::seal::recovery::{PassphraseKey, RecoveryKey};

fn manifest() -> Manifest {
    Manifest {
        format: FORMAT,
        archive: "backup".to_owned(),
        version: "1.2.3".to_owned(),
        cluster_version: 1,
        cluster_id: "c1".to_owned(),
        log_index: 7,
        taken_wall_ms: 1_700_000_000_000,
        sections: ["configuration", "repositories", "content"].map(str::to_owned).to_vec(),
        sealing_key: None,
    }
}

fn archive(tags: u32) -> Vec<u8> {
    let mut writer = Writer::begin(Vec::new(), &manifest()).unwrap();
    let row = (Table::Singles as u8, &b"settings"[..], &b""[..]);
    writer.push(Section::Configuration, row).unwrap();
    for tag in 0..tags {
        let row = (Table::Tags as u8, &tag.to_be_bytes()[..], &[7; 100][..]);
        writer.push(Section::Repositories, row).unwrap();
    }
    let bytes = b"a manifest";
    let digest = digest_of(Algorithm::Sha256, bytes).to_bytes();
    writer.push(Section::Content, (rows::CONTENT, &digest, bytes)).unwrap();
    let (bytes, length) = writer.finish().unwrap();
    assert_eq!(bytes.len() as u64, length);
    bytes
}

fn whole(bytes: &[u8]) -> Result<Summary, ArchiveError> {
    read(bytes, |_| Ok(()))
}

#[test]
fn an_archive_gives_back_its_records_from_parts_of_bounded_size() {
    let bytes = archive(200_000);
    let (mut tags, mut contents) = (0, 0);
    let summary = read(&bytes[..], |item| {
        match item {
            Item::Row(Table::Tags, key, value) => {
                assert_eq!((key, value), (&u32::to_be_bytes(tags)[..], &[7; 100][..]));
                tags += 1;
            }
            Item::Content(_, bytes) => {
                assert_eq!(bytes, b"a manifest");
                contents += 1;
            }
            _ => {}
        }
        Ok(())
    });
    let summary = summary.unwrap();
    assert_eq!((tags, contents), (200_000, 1));
    assert_eq!(summary.records[&Section::Repositories], 200_000);
    assert_eq!((summary.manifest, summary.bytes), (manifest(), bytes.len() as u64));
    let names: Vec<&str> = [b"repositories/1\0", b"repositories/2\0", b"repositories/3\0"]
        .iter()
        .filter(|name| bytes.windows(name.len()).any(|window| window == **name))
        .map(|name| std::str::from_utf8(*name).unwrap())
        .collect();
    assert_eq!(names.len(), 3, "22 MB go into three parts of 8 MiB at most");
}

#[test]
fn a_flipped_bit_anywhere_a_cut_and_a_trailing_byte_fail_with_words() {
    let bytes = archive(3);
    assert!(whole(&bytes).is_ok());
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        let error = whole(&flipped).expect_err(&format!("bit flipped in byte {at}"));
        assert!(error.to_string().len() > 20, "{error}");
        let error = whole(&bytes[..at]).expect_err(&format!("cut before byte {at}"));
        assert!(matches!(error, ArchiveError::Cut(end, _) if end == at as u64), "{error}");
    }
    let trailing = whole(&[&bytes[..], b"x"].concat()).unwrap_err();
    assert!(matches!(trailing, ArchiveError::Trailing(end) if end == bytes.len() as u64));
    let padded = whole(&[&bytes[..], &[0; 512]].concat()).unwrap_err();
    assert!(matches!(padded, ArchiveError::Trailing(_)));
}

#[test]
fn what_was_added_taken_out_or_moved_with_tar_is_found() {
    let bytes = archive(3);
    // Header and one block each: manifest, configuration, repositories, content.
    let manifest_bytes = bytes.windows(8).position(|window| window == b"configur").unwrap();
    let starts: Vec<usize> = (0..bytes.len())
        .step_by(512)
        .filter(|at| bytes[*at..].len() > 265 && bytes[at + 257..].starts_with(b"ustar"))
        .collect();
    assert_eq!(starts.len(), 5, "{manifest_bytes}");
    let member = |n: usize| &bytes[starts[n]..starts.get(n + 1).copied().unwrap_or(bytes.len())];
    let without = [member(0), member(1), member(3), member(4)].concat();
    let error = whole(&without).unwrap_err().to_string();
    assert!(error.contains("sums.json"), "{error}");
    let swapped = [member(0), member(2), member(1), member(3), member(4)].concat();
    assert!(whole(&swapped).is_err());
    let doubled = [member(0), member(1), member(1), member(2), member(3), member(4)].concat();
    assert!(whole(&doubled).is_err());
}

#[test]
fn a_row_of_another_archive_and_bytes_of_another_digest_are_refused() {
    let mut writer = Writer::begin(Vec::new(), &manifest()).unwrap();
    let row = (Table::Accounts as u8, &b"ann"[..], &b""[..]);
    writer.push(Section::Repositories, row).unwrap();
    let error = whole(&writer.finish().unwrap().0).unwrap_err().to_string();
    assert!(error.contains("Accounts does not belong"), "{error}");
    let mut writer = Writer::begin(Vec::new(), &manifest()).unwrap();
    let digest = digest_of(Algorithm::Sha256, b"others").to_bytes();
    writer.push(Section::Content, (rows::CONTENT, &digest, b"bytes")).unwrap();
    let error = whole(&writer.finish().unwrap().0).unwrap_err().to_string();
    assert!(error.contains("are others"), "{error}");
}

#[test]
fn a_newer_format_says_so() {
    let newer = Manifest { format: FORMAT + 1, ..manifest() };
    let bytes = Writer::begin(Vec::new(), &newer).unwrap().finish().unwrap().0;
    assert!(matches!(whole(&bytes), Err(ArchiveError::Newer(2))));
}

#[test]
fn the_sealing_key_opens_by_the_recovery_key_or_the_passphrase_and_by_nothing_else() {
    let (sealing, recovery) = (SealingKey::generate(), RecoveryKey::generate());
    let passphrase = PassphraseKey::new("open sesame");
    let wrapped = WrappedKey::new(&recovery.wrap(&sealing), Some(&passphrase), &sealing);
    let with_key = Manifest { sealing_key: Some(wrapped), ..manifest() };
    let text = serde_json::to_string(&with_key).unwrap();
    assert!(!text.contains(&*crate::seal::hex(&sealing.to_bytes())));
    let by_text = |text: &str| Opener::Passphrase(text.to_owned().into());
    for opener in [Opener::Recovery(recovery), by_text("open sesame")] {
        assert_eq!(with_key.open(&opener).unwrap().to_bytes(), sealing.to_bytes());
    }
    for wrong in [Opener::Recovery(RecoveryKey::generate()), by_text("open simsim")] {
        let error = with_key.open(&wrong).unwrap_err();
        assert!(error.starts_with("this is not the"), "{error}");
    }
    let error = manifest().open(&by_text("x")).unwrap_err();
    assert!(error.contains("no sealing key"), "{error}");
}
