//! Public keys, the key of tokens, sessions of the pages, and how people may sign in.

use metadata::access_tokens::commands::{AccessTokensUsed, TokenUse};
use metadata::accounts;
use metadata::accounts::commands::{AccountDelete, AccountUpdate, PasswordSet};
use metadata::certificates::{self, FORMER_KEYS_MAX, TokenKeyRotate};
use metadata::command::Command;
use metadata::outcome::{Answer, Outcome};
use metadata::page_sessions::{self, PageSessionEnd, PageSessionOpen, SESSIONS_MAX};
use metadata::public_keys::{
    self, KEYS_MAX, PublicKeyDelete, PublicKeyPut, PublicKeyUpdate, id_of,
};
use metadata::refusal::Refusal;
use metadata::sign_in::{self, SignInSet};
use metadata::tables::Table;

use crate::cluster::{Cluster, HOUR_MS, START_WALL_MS};
use crate::organizations::with_org;

const MINUTE_MS: u64 = 60_000;

fn key(number: u8, account: &str) -> PublicKeyPut {
    let (account, actor) = (account.to_owned(), account.to_owned());
    PublicKeyPut { account, actor, der: vec![number], label: format!("key {number}") }
}

fn not_authorized(actor: &str) -> Outcome {
    Err(Refusal::NotAuthorized { actor: actor.into() })
}

#[test]
fn a_key_is_one_users_until_they_give_it_away() {
    let mut base = with_org();
    base.does(key(1, "alice"));
    let by =
        |actor: &str, put: PublicKeyPut| Command::from(PublicKeyPut { actor: actor.into(), ..put });
    let update = |actor: &str, number: u8| {
        let (account, actor, id) = ("alice".into(), actor.into(), id_of(&[number]));
        Command::from(PublicKeyUpdate { account, actor, id, label: "new".into() })
    };
    let delete = |actor: &str, number: u8| {
        let (account, actor, id) = ("alice".into(), actor.into(), id_of(&[number]));
        Command::from(PublicKeyDelete { account, actor, id })
    };
    let bounds = |setting: &str, max| Err(Refusal::TooMuch { what: setting.into(), max });
    let cases: Vec<(&str, Command, Outcome)> = vec![
        ("another key", key(2, "alice").into(), Ok(Answer::Done)),
        ("the same again", key(1, "alice").into(), Ok(Answer::Done)),
        ("another's key", key(1, "bob").into(), Err(Refusal::PublicKeyTaken)),
        ("for another", by("bob", key(2, "alice")), not_authorized("bob")),
        ("by an administrator", by("admin", key(2, "alice")), Ok(Answer::Done)),
        (
            "for an organization",
            by("admin", key(2, "org")),
            Err(Refusal::AccountIsOrganization { name: "org".into() }),
        ),
        (
            "too long a key",
            PublicKeyPut { der: vec![1; 4097], ..key(1, "alice") }.into(),
            bounds("bytes of a public key", 4096),
        ),
        (
            "too long a label",
            PublicKeyPut { label: "x".repeat(1025), ..key(2, "alice") }.into(),
            bounds("bytes of a label", 1024),
        ),
        ("another label", update("alice", 1), Ok(Answer::Done)),
        ("of a key that is not", update("alice", 9), Err(Refusal::PublicKeyUnknown)),
        ("by another", update("bob", 1), not_authorized("bob")),
        ("away", delete("alice", 1), Ok(Answer::Done)),
        ("away, by an administrator", delete("admin", 1), Ok(Answer::Done)),
        ("away, by another", delete("bob", 1), not_authorized("bob")),
        ("what is not", delete("alice", 9), Err(Refusal::PublicKeyUnknown)),
    ];
    for (name, command, expected) in cases {
        assert_eq!(base.clone().run(command), expected, "{name}");
    }
    base.does(delete("alice", 1));
    base.does(key(1, "bob"));
    let row = public_keys::find(&base.tables, &id_of(&[1])).unwrap().unwrap();
    let bob = accounts::find(&base.tables, "bob").unwrap().unwrap();
    assert_eq!((row.account, row.label.as_str()), (bob.id, "key 1"));
}

#[test]
fn keys_are_bounded_and_go_with_their_user() {
    let mut cluster = Cluster::new(1);
    for number in 0..KEYS_MAX {
        cluster.does(key(u8::try_from(number).unwrap(), "alice"));
    }
    assert!(cluster.run(key(200, "alice")).is_err());
    let (name, actor) = ("alice".to_owned(), "admin".to_owned());
    let delete = Command::from(AccountDelete { name, actor });
    let proposal = cluster.proposal(&delete);
    assert_eq!(cluster.propose(vec![proposal], 0), [Ok(Answer::Done)]);
    // What still goes is nobody's.
    cluster.does(key(99, "bob"));
    cluster.pass(0);
    cluster.pass(0);
    assert_eq!(cluster.tables.count(Table::PublicKeys), 1);
    assert_eq!(cluster.tables.count(Table::AccountKeys), 1);
}

fn rotation(former: &str, id: &str, former_life_ms: u64) -> TokenKeyRotate {
    TokenKeyRotate {
        actor: "admin".into(),
        former_id: former.into(),
        id: id.into(),
        public_key: id.as_bytes().to_vec(),
        sealed_key: vec![1],
        former_life_ms,
    }
}

fn formers(cluster: &Cluster) -> Vec<(String, u64)> {
    let keys = certificates::former_token_keys(&cluster.tables).unwrap();
    keys.into_iter().map(|key| (key.id, key.until_wall_ms - START_WALL_MS)).collect()
}

#[test]
fn a_former_token_key_verifies_for_as_long_as_its_tokens_last() {
    let mut cluster = Cluster::new(1);
    let by_bob = TokenKeyRotate { actor: "bob".into(), ..rotation("k1", "k2", MINUTE_MS) };
    assert_eq!(cluster.run(by_bob), not_authorized("bob"));
    cluster.does(rotation("k1", "k2", MINUTE_MS));
    assert_eq!(cluster.run(rotation("k1", "k3", MINUTE_MS)), Err(Refusal::TokenKeyRotated));
    assert_eq!(certificates::token_key(&cluster.tables).unwrap().unwrap().id, "k2");
    assert_eq!(formers(&cluster), [("k1".to_owned(), MINUTE_MS)]);
    cluster.pass(MINUTE_MS / 2);
    cluster.does(rotation("k2", "k3", MINUTE_MS));
    assert_eq!(formers(&cluster).len(), 2);
    cluster.pass(MINUTE_MS / 2);
    cluster.does(rotation("k3", "k4", MINUTE_MS));
    let left: Vec<String> = formers(&cluster).into_iter().map(|(id, _)| id).collect();
    assert_eq!(left, ["k2", "k3"], "the first is over");
    assert!(cluster.run(rotation("k4", "k5", u64::MAX)).is_err());
    cluster.does(rotation("k4", "k5", 0));
    assert!(formers(&cluster).is_empty(), "in wrong hands");
}

#[test]
fn token_keys_are_not_rotated_without_bound() {
    let mut cluster = Cluster::new(1);
    for number in 1..=FORMER_KEYS_MAX {
        cluster.does(rotation(&format!("k{number}"), &format!("k{}", number + 1), HOUR_MS));
    }
    let last = format!("k{}", FORMER_KEYS_MAX + 1);
    assert!(cluster.run(rotation(&last, "more", HOUR_MS)).is_err());
    cluster.does(rotation(&last, "more", 0));
}

fn session(number: u8) -> PageSessionOpen {
    PageSessionOpen {
        hash: [number; 32],
        account: "alice".into(),
        creator_agent: "browser".into(),
        life_ms: 12 * HOUR_MS,
        idle_ms: HOUR_MS,
    }
}

fn is_good(cluster: &Cluster, number: u8) -> bool {
    let found = page_sessions::find_with_owner(&cluster.tables, &[number; 32]).unwrap();
    let now_ms = metadata::clocks::wall_ms(&cluster.tables).unwrap();
    found.is_some_and(|(session, (_, owner))| session.is_good(&owner, now_ms))
}

fn active(is_active: bool) -> Command {
    let (name, actor, is_active) = ("alice".into(), "admin".into(), Some(is_active));
    let (full_name, is_admin, quota_bytes) = (None, None, None);
    Command::from(AccountUpdate { name, actor, full_name, is_admin, is_active, quota_bytes })
}

#[test]
fn a_session_ends_with_all_that_ends_a_sign_in() {
    let mut base = Cluster::new(1);
    base.does(session(1));
    assert!(is_good(&base, 1));
    assert!(base.run(session(1)).is_err(), "the same again");
    let password = PasswordSet {
        name: "alice".into(),
        actor: "admin".into(),
        password_hash: "new".into(),
        former_hash: None,
        is_rehash: false,
    };
    let gone = AccountDelete { name: "alice".into(), actor: "admin".into() };
    let cases: Vec<(&str, Vec<Command>)> = vec![
        ("signed out", vec![PageSessionEnd { hash: [1; 32] }.into()]),
        ("another password", vec![password.into()]),
        ("inactive", vec![active(false)]),
        ("inactive for a while", vec![active(false), active(true)]),
        ("deleted", vec![gone.into()]),
    ];
    for (name, commands) in cases {
        let mut cluster = base.clone();
        for command in commands {
            cluster.does(command);
        }
        assert!(!is_good(&cluster, 1), "{name}");
        cluster.does(PageSessionEnd { hash: [1; 32] });
    }
    let refused = Err(Refusal::CredentialsRevoked { actor: "alice".into() });
    base.does(active(false));
    assert_eq!(base.run(session(2)), refused);
}

#[test]
fn a_session_ends_when_it_is_idle_and_in_the_end_and_its_rows_go() {
    let mut idle = Cluster::new(1);
    idle.does(session(1));
    let mut used = idle.clone();
    idle.pass(HOUR_MS - 1);
    assert!(is_good(&idle, 1));
    idle.pass(1);
    assert!(!is_good(&idle, 1));
    for hour in 1..=12 {
        // The last time just before the end.
        used.pass(HOUR_MS - 1);
        assert!(is_good(&used, 1), "hour {hour}");
        let wall_ms = metadata::clocks::wall_ms(&used.tables).unwrap();
        let uses = vec![TokenUse { hash: [1; 32], wall_ms }];
        used.does(AccessTokensUsed { uses });
    }
    used.pass(HOUR_MS / 2);
    assert!(!is_good(&used, 1), "the absolute end");
    for table in [Table::PageSessions, Table::AccountPageSessions, Table::PageSessionEnds] {
        assert_eq!(used.tables.count(table), 0, "{table:?}");
        assert_eq!(idle.tables.count(table), 1, "{table:?}");
    }
}

#[test]
fn sessions_are_bounded_and_the_one_used_least_lately_goes() {
    let mut cluster = Cluster::new(1);
    for number in 0..=SESSIONS_MAX {
        cluster.does(session(u8::try_from(number).unwrap()));
        cluster.pass(1);
    }
    assert!(!is_good(&cluster, 0));
    assert!(is_good(&cluster, 1));
    assert_eq!(cluster.tables.count(Table::PageSessions), SESSIONS_MAX);
}

#[test]
fn certificates_are_not_taken_without_an_authority() {
    let mut cluster = Cluster::new(1);
    let on = |actor: &str, client_ca_pem: Option<&str>| SignInSet {
        actor: actor.into(),
        takes_certificates: Some(true),
        client_ca_pem: client_ca_pem.map(str::to_owned),
        refuses_passwords: None,
    };
    assert_eq!(cluster.run(on("admin", None)), Err(Refusal::ClientAuthorityMissing));
    assert_eq!(cluster.run(on("alice", Some("pem"))), not_authorized("alice"));
    assert!(cluster.run(on("admin", Some(&"x".repeat(49_153)))).is_err());
    cluster.does(on("admin", Some("pem")));
    let refuses_passwords = Some(true);
    cluster.does(SignInSet { refuses_passwords, ..SignInSet::default() });
    let row = sign_in::get(&cluster.tables).unwrap();
    assert!(row.refuses_passwords && row.takes_certificates && row.client_ca_pem == "pem");
    let empty = SignInSet { client_ca_pem: Some(String::new()), ..SignInSet::default() };
    assert_eq!(cluster.run(empty), Err(Refusal::ClientAuthorityMissing));
}
