//! Teams and who is in them.

use metadata::accounts::{self, AccountId};
use metadata::command::Command;
use metadata::organizations::{self, MemberDelete};
use metadata::outcome::Answer;
use metadata::refusal::Refusal;
use metadata::tables::Table;
use metadata::teams::commands::{
    TeamCreate, TeamDelete, TeamMemberDelete, TeamMemberPut, TeamUpdate,
};
use metadata::teams::{self, Team, TeamId};

use crate::cluster::Cluster;
use crate::organizations::{join, with_org};

pub(crate) fn team(organization: &str, name: &str) -> TeamCreate {
    TeamCreate {
        organization: organization.into(),
        name: name.into(),
        description: String::new(),
        actor: "admin".into(),
    }
}

pub(crate) fn enter(team: TeamId, user: &str) -> TeamMemberPut {
    let (user, actor) = (user.into(), "admin".into());
    TeamMemberPut { team, user, actor, is_admin: None, is_change: false }
}

pub(crate) fn id_of(cluster: &Cluster, account: &str) -> AccountId {
    accounts::find(&cluster.tables, account).unwrap().unwrap().id
}

pub(crate) fn find(cluster: &Cluster, organization: &str, name: &str) -> Option<Team> {
    teams::find(&cluster.tables, &id_of(cluster, organization), name).unwrap()
}

/// Makes a team of `org` and puts people into it.
pub(crate) fn make(cluster: &mut Cluster, name: &str, users: &[&str]) -> TeamId {
    cluster.does(team("org", name));
    let id = find(cluster, "org", name).unwrap().row.id;
    for user in users {
        cluster.does(enter(id, user));
    }
    id
}

#[test]
fn teams_are_the_owners_and_administrators() {
    let mut base = with_org();
    let qa = make(&mut base, "qa", &["bob"]);
    let refused = |actor: &str| Err(Refusal::NotAuthorized { actor: actor.into() });
    let done = || Ok(Answer::Done);
    let invalid = |name: &str| Err(Refusal::TeamNameInvalid { name: name.into() });
    let by = |actor: &str, name: &str| TeamCreate { actor: actor.into(), ..team("org", name) };
    let change = |actor: &str, name: &str| {
        let (actor, name) = (actor.into(), Some(name.into()));
        Command::from(TeamUpdate { team: qa, actor, name, description: Some("new".into()) })
    };
    let long = "x".repeat(101);
    let cases: Vec<(&str, Command, Result<Answer, Refusal>)> = vec![
        ("by the owner", by("alice", "ci").into(), done()),
        ("by a member", by("bob", "ci").into(), refused("bob")),
        ("by a stranger", by("eve", "ci").into(), refused("eve")),
        ("twice", by("alice", "qa").into(), Err(Refusal::TeamExists { name: "qa".into() })),
        ("no name", team("org", "").into(), invalid("")),
        ("a space", team("org", "a b").into(), invalid("a b")),
        ("too long", team("org", &long).into(), invalid(&long)),
        ("of a user", team("bob", "ci").into(), Err(Refusal::AccountIsUser { name: "bob".into() })),
        (
            "of nobody",
            team("new", "ci").into(),
            Err(Refusal::AccountUnknown { name: "new".into() }),
        ),
        ("renamed", change("alice", "quality"), done()),
        ("renamed to itself", change("alice", "qa"), done()),
        ("renamed by a member", change("bob", "quality"), refused("bob")),
        ("deleted by a member", TeamDelete { team: qa, actor: "bob".into() }.into(), {
            refused("bob")
        }),
        ("deleted by the owner", TeamDelete { team: qa, actor: "alice".into() }.into(), done()),
        (
            "one that is not there",
            TeamDelete { team: [1; 16], actor: "alice".into() }.into(),
            Err(Refusal::TeamUnknown),
        ),
    ];
    for (name, command, outcome) in cases {
        assert_eq!(base.clone().run(command), outcome, "{name}");
    }
    let mut cluster = base;
    cluster.does(change("alice", "quality"));
    assert_eq!(find(&cluster, "org", "qa"), None);
    let renamed = find(&cluster, "org", "quality").unwrap();
    assert_eq!((renamed.row.id, renamed.row.members), (qa, 1));
    assert_eq!(renamed.row.description, "new");
}

#[test]
fn who_leads_a_team_says_who_is_in_it() {
    let mut base = with_org();
    let qa = make(&mut base, "qa", &["bob"]);
    let by = |actor: &str, put: TeamMemberPut| {
        Command::from(TeamMemberPut { actor: actor.into(), ..put })
    };
    let out = |actor: &str, user: &str| {
        Command::from(TeamMemberDelete { team: qa, user: user.into(), actor: actor.into() })
    };
    let refused = |actor: &str| Err(Refusal::NotAuthorized { actor: actor.into() });
    let changed = TeamMemberPut { is_change: true, ..enter(qa, "eve") };
    let not_there = || Err(Refusal::GroupMemberUnknown { group: "qa".into(), user: "eve".into() });
    let cases = [
        ("by a member", by("bob", enter(qa, "eve")), refused("bob")),
        ("by the owner", by("alice", enter(qa, "eve")), Ok(Answer::Done)),
        ("changed and not there", by("alice", changed), not_there()),
        ("leaving", out("bob", "bob"), Ok(Answer::Done)),
        ("taken out twice", out("alice", "eve"), not_there()),
    ];
    for (name, command, outcome) in cases {
        assert_eq!(base.clone().run(command), outcome, "{name}");
    }
    let mut cluster = base;
    cluster.does(TeamMemberPut { is_admin: Some(true), ..enter(qa, "bob") });
    // Who leads a team takes members of the organization, and brings nobody into it.
    let outsider = Refusal::Outsider { user: "eve".into(), organization: "org".into() };
    assert_eq!(cluster.run(by("bob", enter(qa, "eve"))), Err(outsider));
    let mut invited = cluster.clone();
    invited.does(join("org", "eve", false));
    invited.does(by("bob", enter(qa, "eve")));
    cluster.does(by("alice", enter(qa, "eve")));
    // A team's member is one of its organization.
    let place =
        organizations::member(&cluster.tables, &id_of(&cluster, "org"), &id_of(&cluster, "eve"));
    assert_eq!(place.unwrap().map(|row| row.is_admin), Some(false));
    assert_eq!(find(&cluster, "org", "qa").unwrap().row.members, 2);
    // Leaving the organization is leaving its teams.
    let (organization, user, actor) = ("org".into(), "eve".into(), "alice".into());
    cluster.does(MemberDelete { organization, user, actor });
    let members = teams::members(&cluster.tables, &qa, &[], 10).unwrap().items;
    assert_eq!(members.len(), 1);
    assert_eq!(members[0].0, id_of(&cluster, "bob"));
}

#[test]
fn a_user_is_in_two_hundred_teams_of_an_organization_at_most() {
    let mut cluster = with_org();
    for number in 0..200 {
        make(&mut cluster, &format!("t{number}"), &["bob"]);
    }
    let last = make(&mut cluster, "last", &["eve"]);
    let refused = cluster.run(enter(last, "bob"));
    let what = "teams of one organization that this user is in".to_owned();
    assert_eq!(refused, Err(Refusal::LimitReached { what, max: 200 }));
    let first = find(&cluster, "org", "t0").unwrap().row.id;
    cluster.does(TeamMemberDelete { team: first, user: "bob".into(), actor: "bob".into() });
    cluster.does(enter(last, "bob"));
}

#[test]
fn a_deleted_team_takes_its_members_along_bit_by_bit() {
    let mut cluster = with_org();
    let qa = make(&mut cluster, "qa", &[]);
    for number in 0..70 {
        let name = format!("u{number}");
        cluster.does(metadata::accounts::commands::UserCreate {
            name: name.clone(),
            ..crate::accounts::nobody()
        });
        cluster.does(enter(qa, &name));
    }
    cluster.does(TeamDelete { team: qa, actor: "admin".into() });
    assert_eq!(teams::find_by_id(&cluster.tables, &qa).unwrap(), None);
    // The name is free at once: members are found by the id.
    let again = make(&mut cluster, "qa", &["bob"]);
    assert_eq!(teams::members(&cluster.tables, &again, &[], 100).unwrap().items.len(), 1);
    cluster.pass(0);
    assert_eq!(cluster.tables.count(Table::TeamMembers), 1);
    assert_eq!(cluster.tables.count(Table::DeletedTeams), 0);
}
