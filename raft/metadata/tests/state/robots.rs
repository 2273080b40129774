//! Robots: programs of an organization, which own and manage nothing and go with it.

use metadata::access::{self, Action};
use metadata::access_tokens::Origin;
use metadata::access_tokens::commands::AccessTokenCreate;
use metadata::accounts::commands::{AccountDelete, AccountUpdate, PasswordSet};
use metadata::accounts::{self, AccountKind};
use metadata::command::Command;
use metadata::grants::Level;
use metadata::grants::commands::NamespaceGrantPut;
use metadata::organizations::{MemberDelete, MemberPut};
use metadata::outcome::{Answer, Outcome};
use metadata::refusal::Refusal;
use metadata::robots::{self, ROBOTS_MAX, RobotCreate, RobotDelete};
use metadata::tables::Table;
use metadata::teams::commands::TeamMemberPut;

use crate::cluster::{Cluster, repository};
use crate::organizations::{organization, with_org};
use crate::teams::{find, make, team};

fn robot(name: &str, actor: &str) -> RobotCreate {
    let (organization, description) = ("org".to_owned(), "builds".to_owned());
    RobotCreate { organization, name: name.into(), description, actor: actor.into() }
}

fn delete(name: &str, actor: &str) -> RobotDelete {
    RobotDelete { organization: "org".into(), name: name.into(), actor: actor.into() }
}

fn token(number: u8, account: &str, actor: &str) -> AccessTokenCreate {
    AccessTokenCreate {
        hash: [number; 32],
        account: account.into(),
        actor: actor.into(),
        label: String::new(),
        creator_agent: String::new(),
        origin: Origin::Manual,
        expires_wall_ms: 0,
        scopes: Vec::new(),
    }
}

/// `org` owned by alice, with bob for a member, and its robot `ci`.
fn with_robot() -> Cluster {
    let mut cluster = with_org();
    cluster.does(robot("ci", "alice"));
    cluster
}

fn unfit() -> Outcome {
    Err(Refusal::RobotUnfit { name: "org+ci".into() })
}

#[test]
fn owners_make_robots_and_what_they_sign_in_with() {
    let base = with_robot();
    let denied = |actor: &str| Err(Refusal::NotAuthorized { actor: actor.into() });
    let invalid = |name: &str| Err(Refusal::AccountNameInvalid { name: name.into() });
    let cases: Vec<(&str, Command, Outcome)> = vec![
        ("another", robot("web", "alice").into(), Ok(Answer::Done)),
        ("by an administrator", robot("web", "admin").into(), Ok(Answer::Done)),
        ("by a member", robot("web", "bob").into(), denied("bob")),
        ("by a robot", robot("web", "org+ci").into(), denied("org+ci")),
        (
            "the same again",
            robot("ci", "alice").into(),
            Err(Refusal::AccountExists { name: "org+ci".into() }),
        ),
        ("no name", robot("", "alice").into(), invalid("")),
        ("a plus", robot("a+b", "alice").into(), invalid("a+b")),
        ("capitals", robot("CI", "alice").into(), invalid("CI")),
        (
            "of a user",
            RobotCreate { organization: "bob".into(), ..robot("ci", "admin") }.into(),
            Err(Refusal::AccountIsUser { name: "bob".into() }),
        ),
        ("a token by the owner", token(1, "org+ci", "alice").into(), Ok(Answer::Done)),
        ("a token by a member", token(1, "org+ci", "bob").into(), denied("bob")),
        ("a token by itself", token(1, "org+ci", "org+ci").into(), denied("org+ci")),
        ("away", delete("ci", "alice").into(), Ok(Answer::Done)),
        ("away, by a member", delete("ci", "bob").into(), denied("bob")),
        (
            "none",
            delete("none", "alice").into(),
            Err(Refusal::AccountUnknown { name: "org+none".into() }),
        ),
    ];
    for (name, command, expected) in cases {
        assert_eq!(base.clone().run(command), expected, "{name}");
    }
}

#[test]
fn a_robot_is_nothing_but_a_member_of_teams() {
    let mut base = with_robot();
    base.does(organization("other"));
    let (user, actor) = (|| "org+ci".to_owned(), || "admin".to_owned());
    let member = |organization: &str, is_admin| MemberPut {
        organization: organization.into(),
        user: user(),
        actor: actor(),
        is_admin,
        is_change: false,
    };
    let (name, password_hash, former_hash, is_rehash) = (user(), "h".into(), None, false);
    let password = PasswordSet { name, actor: actor(), password_hash, former_hash, is_rehash };
    let update = |is_admin| AccountUpdate {
        name: user(),
        actor: actor(),
        full_name: None,
        is_admin,
        is_active: Some(false),
        quota_bytes: None,
    };
    let leave = MemberDelete { organization: "org".into(), user: user(), actor: actor() };
    let cases: Vec<(&str, Command, Outcome)> = vec![
        ("an owner", member("org", Some(true)).into(), unfit()),
        ("elsewhere", member("other", None).into(), unfit()),
        ("leaving", leave.into(), unfit()),
        ("a password", password.into(), unfit()),
        ("an administrator", update(Some(true)).into(), unfit()),
        ("switched off", update(None).into(), Ok(Answer::Done)),
    ];
    for (name, command, expected) in cases {
        assert_eq!(base.clone().run(command), expected, "{name}");
    }
    let ours = make(&mut base, "ours", &[]);
    base.does(team("other", "theirs"));
    let theirs = find(&base, "other", "theirs").unwrap().row.id;
    let put = |team, is_admin| TeamMemberPut {
        team,
        user: user(),
        actor: actor(),
        is_admin,
        is_change: false,
    };
    assert_eq!(base.clone().run(put(theirs, None)), unfit());
    assert_eq!(base.clone().run(put(ours, Some(true))), unfit());
    let may = |cluster: &Cluster| {
        let caller = access::caller(&cluster.tables, "org+ci").unwrap().unwrap();
        let judge =
            |action| access::judge(&cluster.tables, &caller, &repository("org/app"), action);
        [Action::Pull, Action::Push].map(|action| judge(action).unwrap().allowed)
    };
    base.commit("org/app", "x");
    assert_eq!(may(&base), [false, false]);
    base.does(put(ours, None));
    let (namespace, level) = ("org".to_owned(), Level::ReadWrite);
    base.does(NamespaceGrantPut { namespace, team: ours, level, actor: actor() });
    assert_eq!(may(&base), [true, true]);
}

#[test]
fn robots_go_with_their_organization_at_once() {
    let mut cluster = with_robot();
    cluster.does(token(1, "org+ci", "alice"));
    for number in 1..ROBOTS_MAX {
        cluster.does(robot(&format!("r{number}"), "alice"));
    }
    assert!(cluster.run(robot("more", "alice")).is_err());
    let found = robots::listing(&cluster.tables, "org", "org+r", 2).unwrap();
    let names: Vec<&str> = found.items.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["org+r1", "org+r10"]);
    assert_eq!(accounts::counts::get(&cluster.tables).unwrap().robots, ROBOTS_MAX as u64);
    let gone = Command::from(AccountDelete { name: "org".into(), actor: "admin".into() });
    let proposal = cluster.proposal(&gone);
    assert_eq!(cluster.propose(vec![proposal], 0), [Ok(Answer::Done)]);
    assert!(access::caller(&cluster.tables, "org+ci").unwrap().is_none());
    for _ in 0..60 {
        cluster.pass(0);
    }
    assert_eq!(cluster.tables.count(Table::DeletedAccounts), 0);
    assert_eq!(cluster.tables.count(Table::AccessTokens), 0);
    cluster.does(organization("org"));
    let left = accounts::listing(&cluster.tables, accounts::Filter::All, "org", 10).unwrap();
    assert!(left.items.iter().all(|(_, row)| row.kind != AccountKind::Robot));
}
