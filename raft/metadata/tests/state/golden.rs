//! Every stored and sent format, compared with what is on file.
//!
//! A line that changes breaks rolling upgrades: add a field under a new number instead. New lines
//! are written with `HOLDFAST_GOLDEN=write`, and only then.

use std::fmt::{Debug, Write as _};
use std::path::Path;

use metadata::access_tokens::commands::AccessTokenCreate;
use metadata::accounts::commands::AccountDelete;
use metadata::codec::Malformed;
use metadata::command::Command;
use metadata::entry::{Entry, FORMAT, Proposal, Stamp};
use metadata::grants::Level;
use metadata::grants::commands::{NamespaceGrantPut, RepositoryGrantPut};
use metadata::manifests::delete::ManifestDelete;
use metadata::manifests::put::ManifestPut;
use metadata::outcome::{self, Answer};
use metadata::refusal::Refusal;
use metadata::snapshot::{self, Decoder, Encoder, Header, Part};
use metadata::tables::{Memory, Table, Write};
use metadata::teams::commands::TeamDelete;
use metadata::vouchers::Voucher;

use crate::cluster::{Cluster, HOUR_MS, digest, repository};
use crate::organizations::{join, organization};
use crate::samples;
use crate::teams::{find, make};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn compare(file: &str, lines: &[String]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let text = lines.join("\n") + "\n";
    if std::env::var_os("HOLDFAST_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    for (number, (found, golden)) in text.lines().zip(golden.lines()).enumerate() {
        assert_eq!(found, golden, "{file}, line {}", number + 1);
    }
    assert_eq!(text.lines().count(), golden.lines().count(), "{file} has another length");
}

/// The variant's name: what `Debug` begins with.
fn name(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned()
}

/// The field number a choice begins with: every variant must be among the samples.
fn all_numbers_once(encoded: &[Vec<u8>]) -> u32 {
    let number = |bytes: &Vec<u8>| {
        let key = u32::from(bytes[0] & 0x7f) | u32::from(bytes[1]) << 7;
        if bytes[0] < 0x80 { u32::from(bytes[0]) >> 3 } else { key >> 3 }
    };
    let mut numbers: Vec<u32> = encoded.iter().map(number).collect();
    numbers.sort_unstable();
    let count = u32::try_from(numbers.len()).unwrap();
    assert_eq!(numbers, (1..=count).collect::<Vec<_>>());
    count
}

/// An empty message under a field number.
fn empty_message(number: u32) -> Vec<u8> {
    let key = number << 3 | 2;
    match u8::try_from(key) {
        Ok(key) if key < 0x80 => vec![key, 0],
        _ => vec![u8::try_from(key & 0x7f).unwrap() | 0x80, u8::try_from(key >> 7).unwrap(), 0],
    }
}

#[test]
fn commands_are_sent_as_on_file() {
    let commands = samples::commands();
    let encoded: Vec<_> = commands.iter().map(Command::encode).collect();
    let count = all_numbers_once(&encoded);
    let next = Command::decode(&empty_message(count + 1));
    assert!(matches!(next, Err(Malformed::Unknown { .. })), "a command is not among the samples");
    let mut lines = Vec::new();
    for (command, bytes) in commands.iter().zip(&encoded) {
        assert_eq!(Command::decode(bytes).as_ref(), Ok(command));
        assert_eq!(command.name(), name(command));
        lines.push(format!("{} {}", command.name(), hex(bytes)));
    }
    compare("commands.txt", &lines);
}

#[test]
fn outcomes_are_sent_as_on_file() {
    let (answers, refusals) = (samples::answers(), samples::refusals());
    let count = all_numbers_once(&answers.iter().map(Answer::encode).collect::<Vec<_>>());
    let next = Answer::decode(&empty_message(count + 1));
    assert!(matches!(next, Err(Malformed::Unknown { .. })), "an answer is not among the samples");
    let count = all_numbers_once(&refusals.iter().map(Refusal::encode).collect::<Vec<_>>());
    let next = Refusal::decode(&empty_message(count + 1));
    assert!(matches!(next, Err(Malformed::Unknown { .. })), "a refusal is not among the samples");
    let mut lines = Vec::new();
    let outcomes = answers.into_iter().map(Ok).chain(refusals.into_iter().map(Err));
    for outcome in outcomes {
        let bytes = outcome::encode(&outcome);
        assert_eq!(outcome::decode(&bytes).as_ref(), Ok(&outcome));
        let name = outcome.as_ref().map_or_else(name, name);
        lines.push(format!("{name} {}", hex(&bytes)));
    }
    compare("outcomes.txt", &lines);
}

#[test]
fn an_entry_is_stored_as_on_file() {
    let proposal = |number| Proposal {
        session: 300,
        number,
        lowest_open: 1,
        random: [0xab; 16],
        command: samples::commands()[1].encode(),
        origin: None,
        voucher: None,
        request_key: None,
    };
    let stamp = Stamp { elapsed_ms: 250, wall_ms: 1_700_000_000_000 };
    let entry = Entry { format: FORMAT, stamp, proposals: vec![proposal(2), proposal(3)] };
    assert_eq!(Entry::read(&entry.encode()).as_ref(), Ok(&entry));
    let told = Proposal { origin: Some(samples::origin()), ..proposal(4) };
    let asked = Entry { proposals: vec![told], ..entry.clone() };
    assert_eq!(Entry::read(&asked.encode()).as_ref(), Ok(&asked));
    let voucher = Voucher {
        account: [7; 16],
        name: "alice".into(),
        access_token: Some([8; 32]),
        generation: Some(0),
        page_session: Some([9; 32]),
        as_administrator: false,
        job: None,
    };
    let of = |voucher| {
        let vouched = Proposal { voucher: Some(voucher), ..proposal(5) };
        let vouched = Entry { proposals: vec![vouched], ..entry.clone() };
        assert_eq!(Entry::read(&vouched.encode()).as_ref(), Ok(&vouched));
        vouched
    };
    let (vouched, highly) =
        (of(voucher.clone()), of(Voucher { as_administrator: true, ..voucher }));
    let keyed = Proposal { request_key: Some(samples::request_key()), ..proposal(6) };
    let keyed = Entry { proposals: vec![keyed], ..entry.clone() };
    assert_eq!(Entry::read(&keyed.encode()).as_ref(), Ok(&keyed));
    let lines = [
        ("Entry", entry),
        ("Asked", asked),
        ("Vouched", vouched),
        ("Highly", highly),
        ("Keyed", keyed),
    ];
    compare("entry.txt", &lines.map(|(name, entry)| format!("{name} {}", hex(&entry.encode()))));
}

/// A state with a row in every table.
fn state() -> Memory {
    let mut cluster = Cluster::new(3);
    let subject = Some(digest("s"));
    cluster.commit("alice/app", "x");
    let command = cluster.manifest_put("alice/app", "m", &["x"], &["v1", "latest"]);
    cluster.does(ManifestPut { subject, ..command });
    cluster.push("new/gone", "n", &["y"], &["v1"]);
    for command in samples::commands() {
        if matches!(&command, Command::RepositoryUpdate(_) | Command::RepositoryCreate(_)) {
            cluster.does(command);
        }
    }
    cluster.does(metadata::repositories::commands::RepositoryUpdate {
        repository: repository("new/gone"),
        actor: "admin".into(),
        visibility: Some(metadata::repositories::Visibility::Public),
        immutable_tags: None,
        short_description: None,
        long_description: None,
        tag_limit: None,
    });
    for text in ["idle", "condemned", "deleted"] {
        cluster.commit("alice/app", text);
    }
    cluster.pass(24 * HOUR_MS);
    cluster.pass(24 * HOUR_MS);
    for text in ["condemned", "deleted"] {
        cluster.does(metadata::collection::Condemn { digest: digest(text) });
    }
    let condemned = metadata::collection::condemned(&cluster.tables, None, 10).unwrap();
    let doomed = condemned.into_iter().find(|it| it.digest == digest("deleted")).unwrap();
    let (deleted, generation) = (doomed.digest, doomed.generation);
    cluster.does(metadata::collection::Delete { digest: deleted, generation });
    let (replica_id, forgotten) = (crate::cluster::id(2), digest("x2"));
    cluster.does(metadata::holders::Forget { digest: forgotten, replica_id });
    cluster.commit("alice/app", "leased");
    with_accounts(&mut cluster);
    let names: Vec<String> = (0..34).map(|number| format!("t{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    cluster.push("new/many", "m", &[], &names);
    for number in 0..9 {
        cluster.push("new/going", &format!("m{number}"), &[], &[]);
    }
    let (going, actor) = (repository("new/going"), "admin".to_owned());
    cluster.does(metadata::repositories::commands::RepositoryDelete { repository: going, actor });
    let (here, actor) = (repository("new/gone"), || "admin".to_owned());
    let going = find(&cluster, "org", "going").unwrap().row.id;
    let last: [Command; 4] = [
        ManifestDelete { repository: here, digest: digest("n"), actor: actor() }.into(),
        TeamDelete { team: going, actor: actor() }.into(),
        crate::tag_limit::limited("new/many", 1).into(),
        AccountDelete { name: "bob".into(), actor: actor() }.into(),
    ];
    // In one entry: what goes bit by bit would be gone after the next.
    cluster.propose(Vec::new(), 0);
    let last = last.iter().map(|command| cluster.proposal(command)).collect();
    assert!(cluster.propose(last, 0).iter().all(Result::is_ok));
    cluster.tables
}

/// An organization with teams, grants and a token.
fn with_accounts(cluster: &mut Cluster) {
    cluster.does(organization("org"));
    cluster.does(join("org", "alice", true));
    make(cluster, "going", &["bob"]);
    let team = make(cluster, "qa", &["alice", "bob"]);
    cluster.commit("org/app", "x");
    let (actor, level) = (|| "admin".to_owned(), Level::ReadWrite);
    let here = repository("org/app");
    cluster.does(RepositoryGrantPut { repository: here, team, level, actor: actor() });
    let namespace = "org".to_owned();
    cluster.does(NamespaceGrantPut { namespace, team, level, actor: actor() });
    for command in samples::commands() {
        if let Command::AccessTokenCreate(create) = command {
            let (account, actor) = ("alice".to_owned(), actor());
            cluster.does(AccessTokenCreate { account, actor, ..create });
        }
    }
    for command in samples::sign_in::commands() {
        let ends = matches!(
            command,
            Command::PublicKeyDelete(_) | Command::PageSessionEnd(_) | Command::RobotDelete(_)
        );
        if !ends {
            cluster.does(command);
        }
    }
    crate::directory_samples::fill(cluster);
    crate::openid_samples::fill(cluster);
    crate::request_keys::fill(cluster);
    crate::job_samples::fill(cluster);
}

#[test]
fn rows_are_stored_as_on_file() {
    let state = state();
    let mut lines = Vec::new();
    for table in Table::ALL {
        assert!(state.count(*table) > 0, "no row in {table:?}");
        assert_eq!(Table::from_number(*table as u8), Some(*table));
        lines.push(format!("{table:?} {}", *table as u8));
    }
    for (table, key, value) in state.rows() {
        lines.push(format!("{table:?} {} {}", hex(key), hex(value)));
    }
    compare("rows.txt", &lines);
}

#[test]
fn a_snapshot_is_stored_as_on_file_and_gives_the_same_state() {
    let header = Header {
        format: snapshot::FORMAT,
        cluster_id: "c0ffee".into(),
        log_index: 70,
        term: 3,
        consensus: vec![1, 2, 3],
    };
    let small = [(Table::Tags, b"key".to_vec(), b"value".to_vec())];
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&header, &mut bytes);
    for (table, key, value) in &small {
        encoder.push(*table, key, value, &mut bytes);
    }
    encoder.finish(&mut bytes);
    compare("snapshot.txt", &[format!("Snapshot {}", hex(&bytes))]);

    let state = state();
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&header, &mut bytes);
    for (table, key, value) in state.rows() {
        encoder.push(table, key, value, &mut bytes);
    }
    encoder.finish(&mut bytes);
    let mut decoder = Decoder::default();
    let mut read = Memory::default();
    for part in decoder.feed(&bytes).unwrap() {
        match part {
            Part::Header(found) => assert_eq!(found, header),
            Part::Row(table, key, value) => read.put(table, key, value),
        }
    }
    assert_eq!(decoder.finish(), Ok(u64::try_from(state.rows().count()).unwrap()));
    assert_eq!(read, state);
}
