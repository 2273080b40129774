//! Access tokens: whose they are, when they are good, and that they go with their owner.

use metadata::access_tokens::commands::{
    AccessTokenCreate, AccessTokenDelete, AccessTokenUpdate, AccessTokensDelete, AccessTokensUsed,
    TokenUse,
};
use metadata::access_tokens::{self, Origin};
use metadata::accounts::commands::AccountDelete;
use metadata::command::Command;
use metadata::outcome::{Answer, Outcome};
use metadata::refusal::Refusal;
use metadata::tables::Table;

use crate::cluster::{Cluster, START_WALL_MS};
use crate::organizations::with_org;

pub(crate) fn token(number: u8, account: &str) -> AccessTokenCreate {
    AccessTokenCreate {
        hash: [number; 32],
        account: account.into(),
        actor: account.into(),
        label: "ci".into(),
        creator_agent: "curl".into(),
        origin: Origin::Manual,
        expires_wall_ms: 0,
        scopes: Vec::new(),
    }
}

fn hashes(cluster: &Cluster) -> Vec<u8> {
    let all = access_tokens::listing(&cluster.tables, None, &[], 100).unwrap();
    all.items.iter().map(|(hash, _)| hash[0]).collect()
}

#[test]
fn tokens_are_their_owners_and_unknown_to_others() {
    let mut base = with_org();
    base.does(token(1, "alice"));
    let hash = [1; 32];
    let update = |actor: &str| {
        let (actor, label) = (actor.into(), Some("new".into()));
        Command::from(AccessTokenUpdate { hash, actor, label, is_active: Some(false) })
    };
    let delete = |actor: &str, hash| Command::from(AccessTokenDelete { hash, actor: actor.into() });
    let by = |actor: &str, create: AccessTokenCreate| {
        Command::from(AccessTokenCreate { actor: actor.into(), ..create })
    };
    let unknown = || Err(Refusal::AccessTokenUnknown);
    let bounds = |setting: &str, max| Err(Refusal::TooMuch { what: setting.into(), max });
    let cases: Vec<(&str, Command, Outcome)> = vec![
        ("for oneself", token(2, "bob").into(), Ok(Answer::Done)),
        ("by an administrator", by("admin", token(2, "bob")), Ok(Answer::Done)),
        (
            "for another",
            by("bob", token(2, "alice")),
            Err(Refusal::NotAuthorized { actor: "bob".into() }),
        ),
        (
            "for an organization",
            by("admin", token(2, "org")),
            Err(Refusal::AccountIsOrganization { name: "org".into() }),
        ),
        ("the same again", token(1, "alice").into(), Err(Refusal::AccessTokenExists)),
        (
            "too long a label",
            AccessTokenCreate { label: "x".repeat(1025), ..token(2, "bob") }.into(),
            bounds("bytes of a label", 1024),
        ),
        (
            "too many scopes",
            AccessTokenCreate { scopes: vec!["s".into(); 65], ..token(2, "bob") }.into(),
            bounds("scopes of a token", 64),
        ),
        ("changed", update("alice"), Ok(Answer::Done)),
        ("changed by another", update("bob"), unknown()),
        ("deleted", delete("alice", hash), Ok(Answer::Done)),
        ("deleted by an administrator", delete("admin", hash), Ok(Answer::Done)),
        ("deleted by another", delete("bob", hash), unknown()),
        ("one that is not there", delete("alice", [9; 32]), unknown()),
    ];
    for (name, command, outcome) in cases {
        assert_eq!(base.clone().run(command), outcome, "{name}");
    }
    let mut cluster = base;
    cluster.does(update("alice"));
    let row = access_tokens::find(&cluster.tables, &hash).unwrap().unwrap();
    assert_eq!((row.label.as_str(), row.is_good(0)), ("new", false));
}

#[test]
fn a_token_is_good_until_it_expires() {
    let mut cluster = with_org();
    cluster.does(AccessTokenCreate { expires_wall_ms: 100, ..token(1, "bob") });
    cluster.does(token(2, "bob"));
    let good = |hash, at| access_tokens::find(&cluster.tables, &hash).unwrap().unwrap().is_good(at);
    assert_eq!((good([1; 32], 99), good([1; 32], 100), good([2; 32], u64::MAX)), {
        (true, false, true)
    });
}

#[test]
fn many_are_deleted_by_age_and_origin() {
    let mut cluster = with_org();
    for number in 1..=4 {
        let origin = if number % 2 == 0 { Origin::Auto } else { Origin::Manual };
        cluster.does(AccessTokenCreate { origin, ..token(number, "bob") });
    }
    cluster.does(AccessTokenCreate { origin: Origin::Auto, ..token(5, "alice") });
    let used = |number, wall_ms| TokenUse { hash: [number; 32], wall_ms };
    let later = START_WALL_MS + 1_000_000_000;
    // One that is gone is passed over, and an older use changes nothing.
    cluster.does(AccessTokensUsed { uses: vec![used(2, later), used(9, later), used(2, 5)] });
    let row = access_tokens::find(&cluster.tables, &[2; 32]).unwrap().unwrap();
    assert_eq!(row.last_used_wall_ms, later);
    let delete = |before, origin| AccessTokensDelete {
        account: "bob".into(),
        actor: "bob".into(),
        used_before_wall_ms: before,
        origin,
        start: Vec::new(),
    };
    let deleted = |deleted| Answer::TokensDeleted { deleted, next: Vec::new() };
    assert_eq!(cluster.does(delete(Some(later), Some(Origin::Auto))), deleted(1));
    assert_eq!(hashes(&cluster), [1, 2, 3, 5]);
    assert_eq!(cluster.does(delete(None, Some(Origin::Manual))), deleted(2));
    assert_eq!(cluster.does(delete(None, None)), deleted(1));
    assert_eq!(hashes(&cluster), [5]);
}

#[test]
fn what_clients_take_by_themselves_makes_room_for_itself_and_for_nothing_else() {
    let mut cluster = with_org();
    cluster.does(token(200, "bob"));
    for number in 1..=100 {
        cluster.does(AccessTokenCreate { origin: Origin::Auto, ..token(number, "bob") });
    }
    // The first was used since, so the second is the one that was used least lately.
    let used = TokenUse { hash: [1; 32], wall_ms: START_WALL_MS + 1_000_000_000 };
    let others = (3..=100).map(|number| TokenUse { hash: [number; 32], ..used.clone() });
    cluster.does(AccessTokensUsed { uses: others.chain([used.clone()]).collect() });
    cluster.does(AccessTokenCreate { origin: Origin::Auto, ..token(101, "bob") });
    let held = access_tokens::listing(&cluster.tables, None, &[], 1000).unwrap().items;
    let held: Vec<u8> = held.iter().map(|(hash, _)| hash[0]).collect();
    let expected: Vec<u8> = (1..=101).filter(|number| *number != 2).chain([200]).collect();
    assert_eq!(held, expected);
}

#[test]
fn a_deleted_owners_tokens_open_nothing_and_go() {
    let mut cluster = with_org();
    for number in 1..=100 {
        cluster.does(token(number, "bob"));
    }
    let command = AccountDelete { name: "bob".into(), actor: "admin".into() };
    let command = cluster.proposal(&command.into());
    cluster.propose(vec![command], 0);
    assert_eq!(access_tokens::find_with_owner(&cluster.tables, &[1; 32]).unwrap(), None);
    cluster.pass(0);
    assert_eq!(cluster.tables.count(Table::AccessTokens), 0);
    assert_eq!(cluster.tables.count(Table::AccountTokens), 0);
}
