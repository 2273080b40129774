//! What teams were granted, and what comes of it.

use metadata::access::{self, Action, Level as Right, Reason, Rule, judge};
use metadata::accounts::commands::AccountDelete;
use metadata::command::Command;
use metadata::grants::Level;
use metadata::grants::commands::{
    NamespaceGrantDelete, NamespaceGrantPut, RepositoryGrantDelete, RepositoryGrantPut,
};
use metadata::outcome::{Answer, Outcome};
use metadata::refusal::Refusal;
use metadata::repositories::Visibility;
use metadata::repositories::commands::{RepositoryCreate, RepositoryDelete};
use metadata::tables::Table;
use metadata::teams::TeamId;
use metadata::teams::commands::TeamDelete;

use crate::cluster::{Cluster, repository};
use crate::lists::readable;
use crate::organizations::{organization, with_org};
use crate::teams::{find, make, team};

fn create(cluster: &mut Cluster, name: &str, visibility: Visibility) {
    cluster.does(RepositoryCreate {
        repository: repository(name),
        actor: "admin".into(),
        visibility,
        on_push: false,
        immutable_tags: false,
        short_description: String::new(),
        long_description: String::new(),
        tag_limit: 0,
    });
}

fn on_repository(name: &str, team: TeamId, level: Level) -> RepositoryGrantPut {
    RepositoryGrantPut { repository: repository(name), team, level, actor: "admin".into() }
}

fn on_namespace(team: TeamId, level: Level) -> NamespaceGrantPut {
    NamespaceGrantPut { namespace: "org".into(), team, level, actor: "admin".into() }
}

/// Two repositories of `org` and one of bob; eve is in the team that comes back.
fn with_team() -> (Cluster, TeamId) {
    let mut cluster = with_org();
    let qa = make(&mut cluster, "qa", &["eve"]);
    create(&mut cluster, "org/private", Visibility::Private);
    create(&mut cluster, "org/public", Visibility::Public);
    create(&mut cluster, "bob/own", Visibility::Private);
    (cluster, qa)
}

fn level(cluster: &Cluster, who: &str, name: &str) -> (Right, Rule) {
    let caller = access::caller(&cluster.tables, who).unwrap().unwrap_or_default();
    let decision = judge(&cluster.tables, &caller, &repository(name), Action::Pull).unwrap();
    assert_eq!(decision.visible, decision.level > Right::Nothing);
    (decision.level, decision.rule)
}

#[test]
fn the_highest_grant_counts_and_only_where_it_was_given() {
    let (base, qa) = with_team();
    let (private, public) = ("org/private", "org/public");
    let nothing = (Right::Nothing, Rule::NoGrant);
    let everyone = (Right::Read, Rule::PublicRepository);
    let here = |right| (right, Rule::RepositoryGrant(qa));
    let everywhere = |right| (right, Rule::NamespaceGrant(qa));
    type Held = (Right, Rule);
    let read = |name: &str| Command::from(on_repository(name, qa, Level::ReadOnly));
    let write = |name: &str| Command::from(on_repository(name, qa, Level::ReadWrite));
    let admin_everywhere = || Command::from(on_namespace(qa, Level::Admin));
    let cases: Vec<(&str, Vec<Command>, Held, Held)> = vec![
        ("nothing", vec![], nothing, everyone),
        ("read here", vec![read(private)], here(Right::Read), everyone),
        ("write there", vec![write(public)], nothing, here(Right::Write)),
        ("admin everywhere", vec![admin_everywhere()], everywhere(Right::Admin), {
            everywhere(Right::Admin)
        }),
        (
            "both",
            vec![write(private), Command::from(on_namespace(qa, Level::ReadOnly))],
            here(Right::Write),
            everyone,
        ),
        ("changed", vec![write(private), read(private)], here(Right::Read), everyone),
        (
            "taken away",
            vec![
                write(private),
                admin_everywhere(),
                RepositoryGrantDelete {
                    repository: repository(private),
                    team: qa,
                    actor: "admin".into(),
                }
                .into(),
                NamespaceGrantDelete { namespace: "org".into(), team: qa, actor: "admin".into() }
                    .into(),
            ],
            nothing,
            everyone,
        ),
    ];
    for (name, given, on_private, on_public) in cases {
        let mut cluster = base.clone();
        for command in given {
            cluster.does(command);
        }
        assert_eq!(level(&cluster, "eve", private), on_private, "{name}");
        assert_eq!(level(&cluster, "eve", public), on_public, "{name}");
        assert_eq!(level(&cluster, "eve", "bob/own"), nothing, "{name}");
        assert_eq!(level(&cluster, "bob", private), nothing, "{name}: a member, not in the team");
        assert_eq!(level(&cluster, "nobody", private), nothing, "{name}");
        assert_eq!(level(&cluster, "alice", private), (Right::Owner, Rule::OrganizationOwner));
        assert_eq!(level(&cluster, "admin", private), (Right::Owner, Rule::SystemAdministrator));
    }
}

#[test]
fn every_level_may_what_the_table_says() {
    use Action::{
        Administer, Create, Delete, Promote, Pull, Push, Scan, SeeAllEvents, SeeEvents, Sign,
    };
    let reading = [Pull, SeeEvents];
    let writing = [Push, Delete, Scan, Promote, Sign];
    let administering = [Administer, SeeAllEvents];
    let (base, qa) = with_team();
    for (granted, rank) in [
        (None, 0),
        (Some(Level::ReadOnly), 1),
        (Some(Level::ReadWrite), 2),
        (Some(Level::Admin), 3),
    ] {
        let mut cluster = base.clone();
        if let Some(level) = granted {
            cluster.does(on_repository("org/private", qa, level));
        }
        let eve = access::caller(&cluster.tables, "eve").unwrap().unwrap();
        let ranks = [(&reading[..], 1), (&writing[..], 2), (&administering[..], 3)];
        for (actions, needed) in ranks {
            for action in actions {
                let name = repository("org/private");
                let decision = judge(&cluster.tables, &eve, &name, *action).unwrap();
                assert_eq!(decision.allowed, rank >= needed, "{granted:?} {action:?}");
                assert_eq!(decision.visible, rank > 0, "{granted:?} {action:?}");
            }
        }
    }
    // Creating: on purpose with admin on the namespace, by a push only its owners.
    let mut cluster = base;
    cluster.does(on_namespace(qa, Level::Admin));
    let new = repository("org/new");
    for (who, action, reason) in [
        ("eve", Create, Reason::Permitted),
        ("eve", Push, Reason::RepositoryMissing),
        ("alice", Push, Reason::Permitted),
        ("bob", Create, Reason::ReadRequired),
    ] {
        let caller = access::caller(&cluster.tables, who).unwrap().unwrap();
        let decision = judge(&cluster.tables, &caller, &new, action).unwrap();
        assert_eq!(decision.reason, reason, "{who} {action:?}");
    }
}

#[test]
fn grants_are_given_by_who_administers_and_to_teams_of_the_organization() {
    let (mut base, qa) = with_team();
    base.does(organization("other"));
    base.does(team("other", "qa"));
    let foreign = find(&base, "other", "qa").unwrap().row.id;
    let by = |actor: &str, put: RepositoryGrantPut| {
        Command::from(RepositoryGrantPut { actor: actor.into(), ..put })
    };
    let all = |actor: &str| {
        Command::from(NamespaceGrantPut { actor: actor.into(), ..on_namespace(qa, Level::Admin) })
    };
    let given = || on_repository("org/private", qa, Level::Admin);
    let denied = |actor: &str, reason| {
        let repository = repository("org/private");
        Err(Refusal::Denied { actor: actor.into(), repository, reason })
    };
    let elsewhere = || Err(Refusal::TeamElsewhere { namespace: "org".into() });
    let cases: Vec<(&str, Command, Outcome)> = vec![
        ("by the owner", by("alice", given()), Ok(Answer::Done)),
        ("by a member", by("bob", given()), denied("bob", Reason::ReadRequired)),
        ("on all by the owner", all("alice"), Ok(Answer::Done)),
        ("on all by a member", all("bob"), Err(Refusal::NotAuthorized { actor: "bob".into() })),
        (
            "to another organization's team",
            on_repository("org/private", foreign, Level::Admin).into(),
            elsewhere(),
        ),
        (
            "on all, to another organization's team",
            on_namespace(foreign, Level::Admin).into(),
            elsewhere(),
        ),
        (
            "to no team",
            on_repository("org/private", [1; 16], Level::Admin).into(),
            Err(Refusal::TeamUnknown),
        ),
        (
            "on a user's repository",
            on_repository("bob/own", qa, Level::Admin).into(),
            Err(Refusal::AccountIsUser { name: "bob".into() }),
        ),
        (
            "on no repository",
            on_repository("org/new", qa, Level::Admin).into(),
            Err(Refusal::RepositoryUnknown { repository: repository("org/new") }),
        ),
    ];
    for (name, command, outcome) in cases {
        assert_eq!(base.clone().run(command), outcome, "{name}");
    }
}

#[test]
fn lists_show_what_is_granted_in_order_and_end() {
    let (mut cluster, qa) = with_team();
    for name in ["org/a", "org/b", "org/c"] {
        create(&mut cluster, name, Visibility::Private);
    }
    cluster.does(on_repository("org/b", qa, Level::ReadOnly));
    let listed = |cluster: &Cluster, who: &str| -> Vec<String> {
        let caller = access::caller(&cluster.tables, who).unwrap().unwrap_or_default();
        let one_by_one = readable(&cluster.tables, &caller, ("", ""), 1);
        assert_eq!(one_by_one, readable(&cluster.tables, &caller, ("", ""), 100), "{who}");
        one_by_one
    };
    let all = ["bob/own", "org/a", "org/b", "org/c", "org/private", "org/public"];
    assert_eq!(listed(&cluster, "eve"), ["org/b", "org/public"]);
    assert_eq!(listed(&cluster, "bob"), ["bob/own", "org/public"]);
    assert_eq!(listed(&cluster, "alice"), all[1..]);
    assert_eq!(listed(&cluster, "admin"), all);
    assert_eq!(listed(&cluster, "nobody"), ["org/public"]);
    cluster.does(on_namespace(qa, Level::ReadOnly));
    assert_eq!(listed(&cluster, "eve"), all[1..]);
}

#[test]
fn rights_go_with_the_repository_the_team_and_the_organization() {
    let (base, qa) = with_team();
    let mut base = base;
    base.does(on_repository("org/private", qa, Level::Admin));
    base.does(on_namespace(qa, Level::ReadOnly));

    let mut cluster = base.clone();
    let (name, actor) = (repository("org/private"), "admin".to_owned());
    cluster.does(RepositoryDelete { repository: name, actor });
    // One of the same name is another one, while the rows of the first still go.
    create(&mut cluster, "org/private", Visibility::Private);
    assert_eq!(level(&cluster, "eve", "org/private"), (Right::Read, Rule::NamespaceGrant(qa)));
    cluster.pass(0);
    assert_eq!(cluster.tables.count(Table::RepositoryGrants), 0);
    assert_eq!(cluster.tables.count(Table::TeamGrants), 0);

    let mut cluster = base.clone();
    let command = cluster.proposal(&TeamDelete { team: qa, actor: "alice".into() }.into());
    cluster.propose(vec![command], 0);
    assert_eq!(level(&cluster, "eve", "org/private"), (Right::Nothing, Rule::NoGrant));
    cluster.pass(0);
    for table in [Table::RepositoryGrants, Table::TeamGrants, Table::NamespaceGrants] {
        assert_eq!(cluster.tables.count(table), 0, "{table:?}");
    }

    let mut cluster = base;
    cluster.does(AccountDelete { name: "org".into(), actor: "admin".into() });
    assert_eq!(level(&cluster, "eve", "org/private"), (Right::Nothing, Rule::NoGrant));
    for _ in 0..8 {
        cluster.pass(0);
    }
    for table in [Table::Teams, Table::TeamGrants, Table::NamespaceGrants, Table::MemberTeams] {
        assert_eq!(cluster.tables.count(table), 0, "{table:?}");
    }
}
