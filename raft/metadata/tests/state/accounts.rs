//! Accounts and settings.

use metadata::accounts;
use metadata::accounts::commands::{UserCreate, UserPut};
use metadata::outcome::{Answer, Outcome};
use metadata::refusal::Refusal;
use metadata::settings::{self, LEASE_MIN_S, SECONDS_MAX, SettingsSet};

use crate::cluster::{Cluster, case, check};

fn user(name: &str, is_admin: bool) -> UserPut {
    UserPut { name: name.into(), password_hash: "another".into(), is_admin }
}

#[test]
fn a_user_is_made_or_changed_but_no_organization_and_not_the_last_administrator() {
    let done = || Ok(Answer::Done);
    let invalid = |name: &str| Err(Refusal::AccountNameInvalid { name: name.into() });
    let organization: fn(&mut Cluster) = |c| drop(c.commit("new/r", "x"));
    let second: fn(&mut Cluster) = |c| drop(c.does(user("alice", true)));
    check([
        case("new", |_| (), |_| user("eve", false).into(), done()),
        case("known", |_| (), |_| user("alice", true).into(), done()),
        case("the administrator's password", |_| (), |_| user("admin", true).into(), done()),
        case(
            "the last administrator",
            |_| (),
            |_| user("admin", false).into(),
            Err(Refusal::LastAdministrator { name: "admin".into() }),
        ),
        case("one of two administrators", second, |_| user("admin", false).into(), done()),
        case(
            "an organization",
            organization,
            |_| user("new", false).into(),
            Err(Refusal::AccountIsOrganization { name: "new".into() }),
        ),
        case("empty", |_| (), |_| user("", false).into(), invalid("")),
        case("two parts", |_| (), |_| user("a/b", false).into(), invalid("a/b")),
        case("upper case", |_| (), |_| user("Eve", false).into(), invalid("Eve")),
        case(
            "reserved",
            |_| (),
            |_| user("docker-datacenter", true).into(),
            Err(Refusal::AccountNameReserved { name: "docker-datacenter".into() }),
        ),
        case(
            "a word of a path",
            |_| (),
            |_| user("language", true).into(),
            Err(Refusal::AccountNameReserved { name: "language".into() }),
        ),
    ]);
    let mut cluster = Cluster::new(3);
    let before = accounts::find(&cluster.tables, "alice").unwrap().unwrap();
    cluster.does(user("alice", true));
    let after = accounts::find(&cluster.tables, "alice").unwrap().unwrap();
    assert_eq!((after.id, after.is_admin), (before.id, true));
    assert_eq!(after.password_hash, "another");
    let page = accounts::page(&cluster.tables, "admin", 1).unwrap();
    assert_eq!((page.items[0].0.as_str(), page.more), ("alice", true));
}

/// A user of whom nothing is said.
pub(crate) fn nobody() -> UserCreate {
    UserCreate {
        name: String::new(),
        password_hash: String::new(),
        is_admin: false,
        full_name: String::new(),
        is_inactive: false,
        is_imported: false,
        quota_bytes: 0,
        actor: String::new(),
    }
}

#[test]
fn a_user_is_created_once_whoever_asks_and_never_over_an_account() {
    fn create(name: &str) -> UserCreate {
        let (name, password_hash) = (name.into(), "first".into());
        UserCreate { name, password_hash, is_admin: true, ..nobody() }
    }
    let exists = |name: &str| Err(Refusal::AccountExists { name: name.into() });
    check([
        case("new", |_| (), |_| create("eve").into(), Ok(Answer::Done)),
        case("a user", |_| (), |_| create("alice").into(), exists("alice")),
        case(
            "an organization",
            |c| drop(c.commit("new/r", "x")),
            |_| create("new").into(),
            exists("new"),
        ),
        case(
            "no name for an account",
            |_| (),
            |_| create("a/b").into(),
            Err(Refusal::AccountNameInvalid { name: "a/b".into() }),
        ),
    ]);
    // Two replicas have looked at the same time and saw nobody: the first one stays.
    let mut cluster = Cluster::new(3);
    cluster.does(create("eve"));
    let second = UserCreate { password_hash: "second".into(), is_admin: false, ..create("eve") };
    assert_eq!(cluster.run(second), exists("eve"));
    let row = accounts::find(&cluster.tables, "eve").unwrap().unwrap();
    assert_eq!((row.password_hash.as_str(), row.is_admin, row.is_active), ("first", true, true));
}

#[test]
fn settings_are_set_one_by_one_within_their_bounds() {
    fn set(change: fn(&mut SettingsSet)) -> SettingsSet {
        let mut command = SettingsSet::default();
        change(&mut command);
        command
    }
    let bounds = |setting: &str, min| -> Outcome {
        Err(Refusal::SettingOutOfBounds { setting: setting.into(), min, max: SECONDS_MAX })
    };
    let done = || Ok(Answer::Done);
    check([
        case("nothing", |_| (), |_| SettingsSet::default().into(), done()),
        case("no grace", |_| (), |_| set(|s| s.grace_s = Some(0)).into(), done()),
        case(
            "too long a grace",
            |_| (),
            |_| set(|s| s.grace_s = Some(u64::MAX)).into(),
            bounds("collectionGraceSeconds", 0),
        ),
        case("an hour's lease", |_| (), |_| set(|s| s.lease_s = Some(LEASE_MIN_S)).into(), done()),
        case(
            "too short a lease",
            |_| (),
            |_| set(|s| s.lease_s = Some(LEASE_MIN_S - 1)).into(),
            bounds("lease_s", LEASE_MIN_S),
        ),
        case("more copies", |_| (), |_| set(|s| s.copies_min = Some(5)).into(), done()),
    ]);
    let mut cluster = Cluster::new(3);
    cluster.does(set(|s| s.grace_s = Some(60)));
    cluster.does(set(|s| s.read_only = Some(true)));
    let row = settings::get(&cluster.tables).unwrap();
    assert_eq!((row.grace_s, row.read_only, row.create_repository_on_push), (60, true, true));
}

#[test]
fn more_copies_may_be_set_than_the_voters_ask_for_but_not_more_than_there_are_voters() {
    let mut cluster = Cluster::new(5);
    for (set, copies) in [(0, 3), (2, 3), (4, 4), (9, 5)] {
        cluster.does(SettingsSet { copies_min: Some(set), ..SettingsSet::default() });
        let quorum = metadata::quorum::of(&cluster.tables).unwrap();
        assert_eq!((quorum.write, quorum.copies), (3, copies), "{set}");
    }
}
