//! What was shown for a command must still hold when it is carried out.

use metadata::access_tokens::commands::{AccessTokenCreate, AccessTokenDelete, AccessTokenUpdate};
use metadata::access_tokens::{self, Origin};
use metadata::accounts::commands::{AccountDelete, AccountUpdate, PasswordSet, UserPut};
use metadata::accounts::{self, AccountRow};
use metadata::command::Command;
use metadata::outcome::{Answer, Outcome};
use metadata::refusal::Refusal;
use metadata::settings::SettingsSet;
use metadata::vouchers::Voucher;

use crate::cluster::{Cluster, HOUR_MS, START_WALL_MS};

fn row(cluster: &Cluster, name: &str) -> AccountRow {
    accounts::find(&cluster.tables, name).unwrap().unwrap()
}

fn by_password(cluster: &Cluster, name: &str) -> Voucher {
    let AccountRow { id: account, generation, .. } = row(cluster, name);
    let (name, generation) = (name.to_owned(), Some(generation));
    let (access_token, page_session, as_administrator) = (None, None, false);
    Voucher { account, name, access_token, generation, page_session, as_administrator, job: None }
}

fn by_token(cluster: &Cluster, name: &str, hash: [u8; 32]) -> Voucher {
    Voucher { access_token: Some(hash), generation: None, ..by_password(cluster, name) }
}

fn token(number: u8, origin: Origin, expires_wall_ms: u64) -> Command {
    Command::from(AccessTokenCreate {
        hash: [number; 32],
        account: "alice".into(),
        actor: "alice".into(),
        label: String::new(),
        creator_agent: String::new(),
        origin,
        expires_wall_ms,
        scopes: Vec::new(),
    })
}

/// Renames nothing; a change that only asks for the right to make it.
fn asks(actor: &str) -> Command {
    let (name, full_name) = (actor.to_owned(), Some("A".to_owned()));
    let (actor, is_admin, is_active, quota_bytes) = (actor.to_owned(), None, None, None);
    Command::from(AccountUpdate { name, actor, full_name, is_admin, is_active, quota_bytes })
}

fn run_for(cluster: &mut Cluster, voucher: Voucher, command: &Command) -> Outcome {
    let mut proposal = cluster.proposal(command);
    proposal.voucher = Some(voucher);
    cluster.propose(vec![proposal], 0).remove(0)
}

fn new_password(former: &str) -> Command {
    let former_hash = Some(former.to_owned());
    let (name, actor) = ("alice".to_owned(), "alice".to_owned());
    let (password_hash, is_rehash) = ("new".into(), false);
    Command::from(PasswordSet { name, actor, password_hash, former_hash, is_rehash })
}

fn active(is_active: bool) -> Command {
    let (name, actor, is_active) = ("alice".into(), "admin".into(), Some(is_active));
    let (full_name, is_admin, quota_bytes) = (None, None, None);
    Command::from(AccountUpdate { name, actor, full_name, is_admin, is_active, quota_bytes })
}

fn recreated() -> Vec<Command> {
    let (name, actor) = ("alice".to_owned(), "admin".to_owned());
    let put = UserPut { name: name.clone(), password_hash: "h".into(), is_admin: false };
    vec![AccountDelete { name, actor }.into(), put.into()]
}

#[test]
fn what_was_taken_back_meanwhile_opens_nothing() {
    let mut base = Cluster::new(1);
    base.does(token(1, Origin::Manual, 0));
    base.does(token(2, Origin::Auto, 0));
    base.does(token(3, Origin::Manual, START_WALL_MS + HOUR_MS));
    let hash = [1; 32];
    let actor = || "alice".to_owned();
    let switch = |is_active| {
        let is_active = Some(is_active);
        Command::from(AccessTokenUpdate { hash, actor: actor(), label: None, is_active })
    };
    let delete = Command::from(AccessTokenDelete { hash, actor: actor() });
    let password = by_password(&base, "alice");
    let [manual, auto, short] = [1, 2, 3].map(|number| by_token(&base, "alice", [number; 32]));
    let borrowed = by_token(&base, "bob", hash);
    let renamed = Voucher { name: "another".into(), ..password.clone() };
    let cases: Vec<(&str, &Voucher, Vec<Command>, bool)> = vec![
        ("a password", &password, vec![], true),
        ("a token", &manual, vec![], true),
        ("another's token", &borrowed, vec![], false),
        ("an id under another name", &renamed, vec![], false),
        ("a revoked token", &manual, vec![delete.clone()], false),
        ("another token was revoked", &short, vec![delete], true),
        ("a token switched off", &manual, vec![switch(false)], false),
        ("and on again", &manual, vec![switch(false), switch(true)], true),
        ("a changed password", &password, vec![new_password("hash of alice")], false),
        ("a token, after that", &manual, vec![new_password("hash of alice")], true),
        ("a refresh token, after that", &auto, vec![new_password("hash of alice")], false),
        ("an inactive account", &password, vec![active(false)], false),
        ("an inactive account's token", &manual, vec![active(false)], false),
        ("active again", &password, vec![active(false), active(true)], false),
        ("a token, active again", &manual, vec![active(false), active(true)], true),
        ("an account of the same name", &password, recreated(), false),
    ];
    for (name, voucher, meanwhile, holds) in cases {
        let mut cluster = base.clone();
        for command in meanwhile {
            cluster.does(command);
            cluster.pass(0);
        }
        let outcome = run_for(&mut cluster, voucher.clone(), &asks(&voucher.name));
        let actor = voucher.name.clone();
        let expected =
            if holds { Ok(Answer::Done) } else { Err(Refusal::CredentialsRevoked { actor }) };
        assert_eq!(outcome, expected, "{name}");
    }
    let mut late = base.clone();
    late.pass(HOUR_MS);
    let refused = Err(Refusal::CredentialsRevoked { actor: actor() });
    assert_eq!(run_for(&mut late, short, &asks("alice")), refused, "an expired token");
}

#[test]
fn another_password_takes_away_what_clients_took_while_signing_in() {
    let mut cluster = Cluster::new(1);
    cluster.does(token(1, Origin::Manual, 0));
    cluster.does(token(2, Origin::Auto, 0));
    cluster.does(new_password("hash of alice"));
    let left = access_tokens::listing(&cluster.tables, None, &[], 10).unwrap().items;
    assert_eq!(left.iter().map(|(hash, _)| hash[0]).collect::<Vec<_>>(), [1]);
    assert_eq!(row(&cluster, "alice").generation, 1);
}

#[test]
fn who_was_let_in_as_an_administrator_must_be_one_still() {
    let mut cluster = Cluster::new(1);
    let rise = |is_admin| {
        let (name, actor, is_admin) = ("alice".into(), "admin".into(), Some(is_admin));
        let (full_name, is_active, quota_bytes) = (None, None, None);
        Command::from(AccountUpdate { name, actor, full_name, is_admin, is_active, quota_bytes })
    };
    cluster.does(rise(true));
    let voucher = Voucher { as_administrator: true, ..by_password(&cluster, "alice") };
    // Neither command names who asks for it.
    let commands = [
        Command::from(SettingsSet { read_only: Some(true), ..SettingsSet::default() }),
        Command::from(UserPut {
            name: "mallory".into(),
            password_hash: "hash of mallory".into(),
            is_admin: true,
        }),
    ];
    for command in &commands {
        let outcome = run_for(&mut cluster.clone(), voucher.clone(), command);
        assert_eq!(outcome, Ok(Answer::Done));
    }
    cluster.does(rise(false));
    for command in &commands {
        let outcome = run_for(&mut cluster, voucher.clone(), command);
        assert_eq!(outcome, Err(Refusal::NotAuthorized { actor: "alice".into() }));
    }
    let herself = by_password(&cluster, "alice");
    let outcome = run_for(&mut cluster, herself, &asks("alice"));
    assert_eq!(outcome, Ok(Answer::Done), "as herself she may ask");
}

#[test]
fn a_hash_made_anew_of_the_same_password_ends_no_sign_in() {
    let mut cluster = Cluster::new(1);
    cluster.does(token(2, Origin::Auto, 0));
    let voucher = by_password(&cluster, "alice");
    let rehash = |former: &str| {
        Command::from(PasswordSet {
            name: "alice".into(),
            actor: "alice".into(),
            password_hash: "better hash of alice".into(),
            former_hash: Some(former.to_owned()),
            is_rehash: true,
        })
    };
    cluster.does(rehash("hash of alice"));
    assert_eq!(row(&cluster, "alice").password_hash, "better hash of alice");
    assert_eq!(run_for(&mut cluster, voucher, &asks("alice")), Ok(Answer::Done));
    assert_eq!(access_tokens::listing(&cluster.tables, None, &[], 10).unwrap().items.len(), 1);
    // Somebody has another password since.
    let voucher = by_password(&cluster, "alice");
    let outcome = run_for(&mut cluster, voucher, &rehash("hash of alice"));
    assert_eq!(outcome, Err(Refusal::PasswordChanged { name: "alice".into() }));
}

#[test]
fn a_command_that_was_refused_is_refused_again_under_its_number() {
    let mut cluster = Cluster::new(1);
    let voucher = by_password(&cluster, "alice");
    let mut proposal = cluster.proposal(&asks("alice"));
    proposal.voucher = Some(voucher.clone());
    cluster.does(active(false));
    let refused = Err(Refusal::CredentialsRevoked { actor: "alice".into() });
    proposal.number += 10;
    proposal.lowest_open = proposal.number;
    assert_eq!(cluster.propose(vec![proposal.clone()], 0), std::slice::from_ref(&refused));
    cluster.propose(vec![], 0);
    assert_eq!(cluster.propose(vec![proposal], 0), [refused]);
}
