//! Organizations, their members, and what becomes of deleted accounts.

use metadata::access;
use metadata::accounts::commands::{
    AccountDelete, AccountUpdate, OrganizationCreate, PasswordSet, UserCreate,
};
use metadata::accounts::{self, Filter};
use metadata::command::Command;
use metadata::organizations::{self, MemberDelete, MemberPut};
use metadata::outcome::{Answer, Outcome};
use metadata::refusal::Refusal;
use metadata::tables::Table;

use crate::accounts::nobody;
use crate::cluster::{Cluster, case, check, repository};

pub(crate) fn organization(name: &str) -> OrganizationCreate {
    OrganizationCreate {
        name: name.into(),
        full_name: String::new(),
        actor: "admin".into(),
        quota_bytes: 0,
    }
}

pub(crate) fn join(organization: &str, user: &str, is_admin: bool) -> MemberPut {
    MemberPut {
        organization: organization.into(),
        user: user.into(),
        actor: "admin".into(),
        is_admin: Some(is_admin),
        is_change: false,
    }
}

fn leave(organization: &str, user: &str, actor: &str) -> MemberDelete {
    MemberDelete { organization: organization.into(), user: user.into(), actor: actor.into() }
}

fn update(name: &str, actor: &str) -> AccountUpdate {
    let (name, actor) = (name.into(), actor.into());
    AccountUpdate {
        name,
        actor,
        full_name: None,
        is_admin: None,
        is_active: None,
        quota_bytes: None,
    }
}

fn delete(name: &str, actor: &str) -> AccountDelete {
    AccountDelete { name: name.into(), actor: actor.into() }
}

/// With the organization `org`, whose owner is alice and whose member is bob; eve is nobody there.
pub(crate) fn with_org() -> Cluster {
    let mut cluster = Cluster::new(3);
    cluster.does(organization("org"));
    cluster.does(join("org", "alice", true));
    cluster.does(join("org", "bob", false));
    cluster.does(UserCreate { name: "eve".into(), password_hash: "hash".into(), ..nobody() });
    cluster
}

fn refused(actor: &str) -> Result<Answer, Refusal> {
    Err(Refusal::NotAuthorized { actor: actor.into() })
}

#[test]
fn accounts_are_changed_by_themselves_their_owners_and_administrators() {
    let named = |name: &str, actor: &str| {
        Command::from(AccountUpdate { full_name: Some("X".into()), ..update(name, actor) })
    };
    let active = |name: &str, actor: &str| {
        Command::from(AccountUpdate { is_active: Some(false), ..update(name, actor) })
    };
    let done = || Ok(Answer::Done);
    let cases = [
        ("oneself", named("eve", "eve"), done()),
        ("another", named("bob", "eve"), refused("eve")),
        ("an administrator", named("bob", "admin"), done()),
        ("an organization by its owner", named("org", "alice"), done()),
        ("an organization by a member", named("org", "bob"), refused("bob")),
        ("one that is not there", named("new", "eve"), refused("eve")),
        (
            "one that is not there, by an administrator",
            named("new", "admin"),
            Err(Refusal::AccountUnknown { name: "new".into() }),
        ),
        ("one's own activity", active("eve", "eve"), refused("eve")),
        ("another's activity", active("eve", "admin"), done()),
        (
            "an organization's activity",
            active("org", "admin"),
            Err(Refusal::AccountIsOrganization { name: "org".into() }),
        ),
        (
            "the last administrator's activity",
            active("admin", "admin"),
            Err(Refusal::LastAdministrator { name: "admin".into() }),
        ),
        (
            "the last administrator",
            delete("admin", "admin").into(),
            Err(Refusal::LastAdministrator { name: "admin".into() }),
        ),
        ("deleted by another", delete("bob", "alice").into(), refused("alice")),
        ("created by another", UserCreate { actor: "eve".into(), ..nobody() }.into(), {
            refused("eve")
        }),
        (
            "too long a name",
            AccountUpdate { full_name: Some("x".repeat(1025)), ..update("eve", "eve") }.into(),
            Err(Refusal::TooMuch { what: "bytes of a full name".into(), max: 1024 }),
        ),
    ];
    let base = with_org();
    for (name, command, outcome) in cases {
        assert_eq!(base.clone().run(command), outcome, "{name}");
    }
}

#[test]
fn of_two_administrators_who_demote_each_other_one_stays() {
    let mut cluster = with_org();
    let made = AccountUpdate { is_admin: Some(true), ..update("alice", "admin") };
    cluster.does(made);
    let demoted = |name, actor| AccountUpdate { is_admin: Some(false), ..update(name, actor) };
    cluster.does(demoted("alice", "admin"));
    assert_eq!(cluster.run(demoted("admin", "alice")), refused("alice"));
    assert!(access::caller(&cluster.tables, "admin").unwrap().unwrap().is_admin);
}

#[test]
fn a_password_is_set_over_the_one_that_was_compared_or_by_an_administrator() {
    let set = |name: &str, actor: &str, former: Option<&str>| PasswordSet {
        name: name.into(),
        actor: actor.into(),
        password_hash: "new".into(),
        former_hash: former.map(str::to_owned),
        is_rehash: false,
    };
    let changed = || Err(Refusal::PasswordChanged { name: "alice".into() });
    let cases = [
        ("compared", set("alice", "alice", Some("hash of alice")), Ok(Answer::Done)),
        ("changed since", set("alice", "alice", Some("older")), changed()),
        ("not compared", set("alice", "alice", None), changed()),
        ("by an administrator", set("alice", "admin", None), Ok(Answer::Done)),
        ("by another", set("alice", "bob", Some("hash of alice")), refused("bob")),
        (
            "of an organization",
            set("org", "admin", None),
            Err(Refusal::AccountIsOrganization { name: "org".into() }),
        ),
    ];
    let base = with_org();
    for (name, command, outcome) in cases {
        assert_eq!(base.clone().run(command), outcome, "{name}");
    }
}

#[test]
fn members_come_and_go_by_the_owner_and_leave_by_themselves() {
    let unknown = |name: &str| Err(Refusal::AccountUnknown { name: name.into() });
    let not_there =
        |user: &str| Err(Refusal::GroupMemberUnknown { group: "org".into(), user: user.into() });
    let by = |actor: &str, put: MemberPut| MemberPut { actor: actor.into(), ..put };
    let change = |put: MemberPut| Command::from(MemberPut { is_change: true, ..put });
    let cases: Vec<(&str, Command, Outcome)> = vec![
        ("by the owner", by("alice", join("org", "eve", false)).into(), Ok(Answer::Done)),
        ("by a member", by("bob", join("org", "eve", false)).into(), refused("bob")),
        ("oneself", by("eve", join("org", "eve", true)).into(), refused("eve")),
        ("made owner", by("alice", join("org", "bob", true)).into(), Ok(Answer::Done)),
        ("changed and not there", change(join("org", "eve", true)), not_there("eve")),
        ("an unknown user", join("org", "nobody", false).into(), unknown("nobody")),
        ("an unknown organization", join("new", "eve", false).into(), unknown("new")),
        (
            "an organization as member",
            join("org", "org", false).into(),
            Err(Refusal::AccountIsOrganization { name: "org".into() }),
        ),
        (
            "of a user",
            join("bob", "eve", false).into(),
            Err(Refusal::AccountIsUser { name: "bob".into() }),
        ),
        ("leaving", leave("org", "bob", "bob").into(), Ok(Answer::Done)),
        ("taken out by another", leave("org", "alice", "bob").into(), refused("bob")),
        ("taken out twice", leave("org", "eve", "alice").into(), not_there("eve")),
    ];
    let base = with_org();
    for (name, command, outcome) in cases {
        assert_eq!(base.clone().run(command), outcome, "{name}");
    }
    let mut cluster = base;
    cluster.does(MemberPut { is_admin: None, ..join("org", "alice", false) });
    let id = |name| accounts::find(&cluster.tables, name).unwrap().unwrap().id;
    let place = organizations::member(&cluster.tables, &id("org"), &id("alice")).unwrap();
    assert!(place.unwrap().is_admin, "nothing was said of it");
    let part = organizations::members(&cluster.tables, &id("org"), &[], 1).unwrap();
    let rest = part.next.unwrap();
    let second = organizations::members(&cluster.tables, &id("org"), &rest.0, 10).unwrap();
    assert_eq!((part.items.len(), second.items.len(), second.next), (1, 1, None));
}

#[test]
fn lists_show_what_they_filter_and_go_on_where_they_ended() {
    let mut cluster = with_org();
    cluster.does(AccountUpdate { is_active: Some(false), ..update("eve", "admin") });
    let cases: [(Filter, &[&str]); 7] = [
        (Filter::All, &["admin", "alice", "bob", "eve", "org"]),
        (Filter::Users, &["admin", "alice", "bob", "eve"]),
        (Filter::Organizations, &["org"]),
        (Filter::Admins, &["admin"]),
        (Filter::NonAdmins, &["alice", "bob", "eve"]),
        (Filter::ActiveUsers, &["admin", "alice", "bob"]),
        (Filter::InactiveUsers, &["eve"]),
    ];
    for (filter, expected) in cases {
        for limit in 1..4 {
            let (mut start, mut found) = (String::new(), Vec::new());
            loop {
                let part = accounts::listing(&cluster.tables, filter, &start, limit).unwrap();
                assert!(part.items.len() <= limit);
                found.extend(part.items.into_iter().map(|(name, _)| name));
                let Some((next, _)) = part.next else { break };
                start = next;
            }
            assert_eq!(found, expected, "{filter:?}");
        }
        let counts = accounts::counts::get(&cluster.tables).unwrap();
        assert_eq!(usize::try_from(counts.of(filter)), Ok(expected.len()), "{filter:?}");
    }
}

#[test]
fn what_belonged_to_a_deleted_account_is_out_of_reach_at_once_and_goes_bit_by_bit() {
    let mut cluster = with_org();
    for number in 0..40 {
        cluster.push(&format!("org/r{number}"), &format!("m{number}"), &[], &["latest"]);
    }
    let admin = access::caller(&cluster.tables, "admin").unwrap().unwrap();
    let seen =
        |cluster: &Cluster| crate::lists::readable(&cluster.tables, &admin, ("", ""), 100).len();
    assert_eq!(seen(&cluster), 40);
    let command = cluster.proposal(&delete("org", "admin").into());
    let again = cluster.proposal(&organization("org").into());
    let outcomes = cluster.propose(vec![command, again], 0);
    assert_eq!(outcomes[0], Ok(Answer::Done));
    assert_eq!(outcomes[1], Err(Refusal::AccountGoing { name: "org".into() }));
    assert_eq!((seen(&cluster), cluster.tables.count(Table::Repositories)), (0, 40));
    let judged =
        access::judge(&cluster.tables, &admin, &repository("org/r1"), access::Action::Administer);
    assert_eq!(judged.unwrap().reason, access::Reason::RepositoryMissing);
    let push = cluster.blob_commit("org/r1", "x", &[1, 2]);
    let push = cluster.proposal(&push.into());
    let refused = cluster.propose(vec![push], 0);
    assert_eq!(refused, [Err(Refusal::AccountGoing { name: "org".into() })]);
    for _ in 0..60 {
        cluster.propose(Vec::new(), 0);
    }
    for table in [Table::Repositories, Table::OrganizationMembers, Table::DeletedAccounts] {
        assert_eq!(cluster.tables.count(table), 0, "{table:?}");
    }
    cluster.does(organization("org"));
    assert_eq!(seen(&cluster), 0);
}

#[test]
fn a_deleted_users_name_carries_no_rights_over() {
    let mut cluster = with_org();
    cluster.does(delete("alice", "admin"));
    cluster.pass(0);
    cluster.does(UserCreate { name: "alice".into(), password_hash: "new".into(), ..nobody() });
    let alice = access::caller(&cluster.tables, "alice").unwrap().unwrap();
    assert!(!access::standing::manages(&cluster.tables, &alice, "org").unwrap());
    check([case(
        "a name like an id",
        |_| (),
        |_| organization("0123456789abcdef0123456789abcdef").into(),
        Err(Refusal::AccountNameInvalid { name: "0123456789abcdef0123456789abcdef".into() }),
    )]);
}
