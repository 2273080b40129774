//! Creating, changing and deleting repositories.

use metadata::access::Reason;
use metadata::accounts::{self, AccountKind};
use metadata::blobs;
use metadata::outcome::{Answer, Outcome};
use metadata::refusal::Refusal;
use metadata::repositories::commands::{
    DELETED_MAX, RepositoriesDelete, RepositoryCreate, RepositoryDelete, RepositoryUpdate,
};
use metadata::repositories::{self, Visibility, description};
use metadata::settings::SettingsSet;
use metadata::tables::Table;

use crate::cluster::{Cluster, HOUR_MS, case, check, digest, repository};

fn create(name: &str, actor: &str, on_push: bool) -> RepositoryCreate {
    let (repository, visibility) = (repository(name), Visibility::Private);
    RepositoryCreate {
        repository,
        actor: actor.into(),
        visibility,
        on_push,
        immutable_tags: false,
        short_description: String::new(),
        long_description: String::new(),
        tag_limit: 0,
    }
}

fn created(created: bool) -> Outcome {
    Ok(Answer::RepositoryCreated { created })
}

fn denied(actor: &str, name: &str, reason: Reason) -> Outcome {
    Err(Refusal::Denied { actor: actor.into(), repository: repository(name), reason })
}

fn off(cluster: &mut Cluster) {
    let create_repository_on_push = Some(false);
    cluster.does(SettingsSet { create_repository_on_push, ..SettingsSet::default() });
}

#[test]
fn who_creates_what_and_how() {
    let unknown = |name| Err(Refusal::RepositoryUnknown { repository: repository(name) });
    let unfit = |name| Err(Refusal::RepositoryNameUnfit { repository: repository(name) });
    let exists: fn(&mut Cluster) = |c| drop(c.does(create("alice/r", "alice", false)));
    check([
        case("own", |_| (), |_| create("alice/r", "alice", false).into(), created(true)),
        case("own, on push", |_| (), |_| create("alice/r", "alice", true).into(), created(true)),
        case(
            "own, on push, off",
            off,
            |_| create("alice/r", "alice", true).into(),
            unknown("alice/r"),
        ),
        case("on purpose, off", off, |_| create("alice/r", "alice", false).into(), created(true)),
        case(
            "another's",
            |_| (),
            |_| create("alice/r", "bob", true).into(),
            denied("bob", "alice/r", Reason::ReadRequired),
        ),
        case(
            "a namespace that is not there",
            |_| (),
            |_| create("new/r", "bob", true).into(),
            denied("bob", "new/r", Reason::ReadRequired),
        ),
        case(
            "the same by an administrator",
            |_| (),
            |_| create("new/r", "admin", true).into(),
            created(true),
        ),
        case(
            "an account that is not there",
            |_| (),
            |_| create("eve/r", "eve", true).into(),
            denied("eve", "eve/r", Reason::AccountInactive),
        ),
        case(
            "again",
            exists,
            |_| create("alice/r", "alice", false).into(),
            Err(Refusal::RepositoryExists { repository: repository("alice/r") }),
        ),
        case("again, on push", exists, |_| create("alice/r", "alice", true).into(), created(false)),
        case("one part", |_| (), |_| create("admin", "admin", true).into(), unfit("admin")),
        case("three parts", |_| (), |_| create("a/b/c", "admin", true).into(), unfit("a/b/c")),
        case(
            "a reserved namespace",
            |_| (),
            |_| create("docker-datacenter/r", "admin", true).into(),
            Err(Refusal::AccountNameReserved { name: "docker-datacenter".into() }),
        ),
    ]);
}

#[test]
fn an_administrators_push_to_a_new_namespace_creates_an_organization_once() {
    let mut cluster = Cluster::new(3);
    cluster.commit("new/r", "x");
    let account = accounts::find(&cluster.tables, "new").unwrap().unwrap();
    assert_eq!(account.kind, AccountKind::Organization);
    let row = repositories::find(&cluster.tables, &repository("new/r")).unwrap().unwrap();
    assert_eq!(row.visibility, Visibility::Private);
    assert_ne!(row.id, account.id);
    cluster.commit("new/q", "x");
    assert_eq!(accounts::find(&cluster.tables, "new").unwrap().unwrap(), account);
    let name = repositories::name_of(&cluster.tables, row.number()).unwrap();
    assert_eq!(name, Some(repository("new/r")));
}

#[test]
fn settings_of_a_repository_are_changed_by_its_owner() {
    fn update(actor: &str, visibility: Option<Visibility>) -> RepositoryUpdate {
        let (repository, actor) = (repository("alice/r"), actor.into());
        RepositoryUpdate {
            repository,
            actor,
            visibility,
            immutable_tags: None,
            short_description: None,
            long_description: None,
            tag_limit: None,
        }
    }
    let given: fn(&mut Cluster) = |c| drop(c.does(create("alice/r", "alice", false)));
    let public: fn(&mut Cluster) = |c| {
        c.does(create("alice/r", "alice", false));
        c.does(update("alice", Some(Visibility::Public)));
    };
    check([
        case(
            "owner",
            given,
            |_| update("alice", Some(Visibility::Public)).into(),
            Ok(Answer::Done),
        ),
        case("administrator", given, |_| update("admin", None).into(), Ok(Answer::Done)),
        case(
            "somebody",
            given,
            |_| update("bob", None).into(),
            denied("bob", "alice/r", Reason::ReadRequired),
        ),
        case(
            "somebody who reads",
            public,
            |_| update("bob", None).into(),
            denied("bob", "alice/r", Reason::AdminRequired),
        ),
        case(
            "not there",
            |_| (),
            |_| update("alice", None).into(),
            Err(Refusal::RepositoryUnknown { repository: repository("alice/r") }),
        ),
    ]);
    let mut cluster = Cluster::new(3);
    public(&mut cluster);
    let row = |c: &Cluster| repositories::find(&c.tables, &repository("alice/r")).unwrap().unwrap();
    assert_eq!(row(&cluster).visibility, Visibility::Public);
    cluster.does(RepositoryUpdate { immutable_tags: Some(true), ..update("alice", None) });
    assert_eq!(
        (row(&cluster).visibility, row(&cluster).immutable_tags),
        (Visibility::Public, true)
    );
    cluster.does(update("alice", Some(Visibility::Private)));
    assert_eq!(cluster.tables.count(Table::PublicRepositories), 0);
}

#[test]
fn a_deleted_repository_is_gone_at_once_and_its_rows_a_few_at_a_time() {
    fn delete(actor: &str) -> RepositoryDelete {
        RepositoryDelete { repository: repository("alice/r"), actor: actor.into() }
    }
    let given: fn(&mut Cluster) = |c| drop(c.does(create("alice/r", "alice", false)));
    check([
        case("owner", given, |_| delete("alice").into(), Ok(Answer::Done)),
        case(
            "somebody",
            given,
            |_| delete("bob").into(),
            denied("bob", "alice/r", Reason::ReadRequired),
        ),
        case(
            "not there",
            |_| (),
            |_| delete("alice").into(),
            Err(Refusal::RepositoryUnknown { repository: repository("alice/r") }),
        ),
    ]);

    let mut cluster = Cluster::new(3);
    for number in 0..40 {
        let text = format!("m{number}");
        cluster.push("alice/r", &text, &["x", &format!("layer of {text}")], &[&text, "latest"]);
    }
    cluster.push("bob/r", "n", &["x"], &["v1"]);
    cluster.does(delete("alice"));
    let refs = |c: &Cluster| blobs::find(&c.tables, &digest("x")).unwrap().unwrap().refs;
    assert!(!blobs::linked(&cluster.tables, &repository("alice/r"), &digest("x")).unwrap());
    assert!(refs(&cluster) > 20, "most rows are still there");
    // The name may be taken again while the old rows go.
    cluster.push("alice/r", "new", &["x"], &["v1"]);
    for _ in 0..20 {
        cluster.propose(Vec::new(), 0);
    }
    assert_eq!(refs(&cluster), 2);
    assert_eq!(cluster.tables.count(Table::Manifests), 2);
    assert_eq!(cluster.tables.count(Table::DeletedRepositories), 0);
    let names = [Table::RepositoryNames, Table::Repositories].map(|t| cluster.tables.count(t));
    assert_eq!(names, [2, 2]);
    cluster.pass(24 * HOUR_MS);
    let idle = cluster.tables.count(Table::IdleBlobs);
    assert_eq!(idle, 80, "forty manifests and their own layers");
}

#[test]
fn what_is_said_of_a_repository_changes_nothing_that_requests_read() {
    let mut cluster = Cluster::new(3);
    let said = RepositoryCreate {
        short_description: "short".into(),
        long_description: "long".into(),
        ..create("alice/r", "alice", false)
    };
    cluster.does(said);
    let name = repository("alice/r");
    let row = |cluster: &Cluster| repositories::find(&cluster.tables, &name).unwrap().unwrap();
    let texts = |cluster: &Cluster| {
        let said = description::of(&cluster.tables, &row(cluster)).unwrap();
        (said.short, said.long)
    };
    let before = row(&cluster);
    assert_eq!(texts(&cluster), ("short".into(), "long".into()));
    let change = |short: Option<&str>, long: Option<&str>| RepositoryUpdate {
        repository: repository("alice/r"),
        actor: "alice".into(),
        visibility: None,
        immutable_tags: None,
        short_description: short.map(str::to_owned),
        long_description: long.map(str::to_owned),
        tag_limit: None,
    };
    cluster.does(change(None, Some("longer")));
    assert_eq!(texts(&cluster), ("short".into(), "longer".into()), "what is not given stays");
    assert_eq!(row(&cluster), before);
    cluster.does(change(Some(""), Some("")));
    assert_eq!(cluster.tables.count(Table::Descriptions), 0, "nothing said, no row");
    cluster.does(change(Some("again"), None));
    let (repository, actor) = (repository("alice/r"), "alice".to_owned());
    cluster.does(RepositoryDelete { repository, actor });
    assert_eq!(cluster.tables.count(Table::Descriptions), 0, "it goes with the repository");
}

fn delete_all(namespace: &str, actor: &str) -> RepositoriesDelete {
    RepositoriesDelete { namespace: namespace.into(), actor: actor.into() }
}

#[test]
fn the_repositories_of_a_namespace_go_together_a_part_with_each_command() {
    let refused = |actor: &str| Err(Refusal::NotAuthorized { actor: actor.into() });
    let read_only: fn(&mut Cluster) =
        |c| drop(c.does(SettingsSet { read_only: Some(true), ..SettingsSet::default() }));
    let nobody = Err(Refusal::AccountUnknown { name: "nobody".into() });
    check([
        case("one's own", |_| (), |_| delete_all("alice", "alice").into(), Ok(Answer::Done)),
        case(
            "as an administrator",
            |_| (),
            |_| delete_all("bob", "admin").into(),
            Ok(Answer::Done),
        ),
        case("another's", |_| (), |_| delete_all("alice", "bob").into(), refused("bob")),
        case("nobody's", |_| (), |_| delete_all("nobody", "admin").into(), nobody),
        case("read-only", read_only, |_| delete_all("bob", "admin").into(), Err(Refusal::ReadOnly)),
    ]);
    let mut cluster = Cluster::new(3);
    for number in 0..DELETED_MAX + 5 {
        cluster.does(create(&format!("alice/r{number}"), "alice", false));
    }
    cluster.does(create("alice-x/kept", "admin", true));
    let left = |cluster: &Cluster| cluster.tables.count(Table::Repositories);
    cluster.does(delete_all("alice", "alice"));
    assert_eq!(left(&cluster), 6);
    cluster.does(delete_all("alice", "alice"));
    assert_eq!(left(&cluster), 1, "another namespace that begins alike is left alone");
}
