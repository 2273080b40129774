//! Events: what writes them, how they are found, and when they go.

use metadata::accounts::AccountId;
use metadata::accounts::commands::AccountDelete;
use metadata::command::Command;
use metadata::events::listing::{Filter, LIMIT_MAX, listing};
use metadata::events::pulls::{BATCH_MAX, Pull, PullsNote};
use metadata::events::retention::RetentionSet;
use metadata::events::{self, ActorType, EventRow, EventType, Kind, ObjectType};
use metadata::manifests::delete::ManifestDelete;
use metadata::manifests::put::ManifestPut;
use metadata::refusal::Refusal;
use metadata::repositories::commands::{RepositoryDelete, RepositoryUpdate};
use metadata::repositories::{self, RepositoryNumber};
use metadata::settings::SettingsSet;
use metadata::tables::Table;
use metadata::tags::TagDelete;

use crate::cluster::{Cluster, HOUR_MS, digest, repository, tag};
use crate::teams::id_of;

fn all(cluster: &Cluster) -> Vec<(u64, EventRow)> {
    found(cluster, &Filter::all())
}

/// Everything that a filter finds, in parts of three, as a client would read it.
fn found(cluster: &Cluster, filter: &Filter) -> Vec<(u64, EventRow)> {
    let (mut items, mut from) = (Vec::new(), None);
    loop {
        let part = listing(&cluster.tables, filter, from, 3).unwrap();
        assert!(part.items.len() <= 3);
        items.extend(part.items);
        from = part.next;
        if from.is_none() {
            return items;
        }
    }
}

/// `CREATE REPOSITORY` and the like, the oldest first, with the tag where there is one.
fn words(events: &[(u64, EventRow)]) -> Vec<String> {
    let word = |(_, event): &(u64, EventRow)| {
        format!("{:?} {:?} {}", event.event_type, event.object_type, event.tag).trim().to_owned()
    };
    events.iter().rev().map(word).collect()
}

fn number(cluster: &Cluster, name: &str) -> RepositoryNumber {
    repositories::find(&cluster.tables, &repository(name)).unwrap().unwrap().number()
}

fn update(name: &str, actor: &str) -> RepositoryUpdate {
    RepositoryUpdate {
        repository: repository(name),
        actor: actor.into(),
        visibility: None,
        immutable_tags: None,
        tag_limit: None,
        short_description: Some("new".into()),
        long_description: None,
    }
}

fn pull(name: &str, actor: Option<AccountId>) -> Pull {
    Pull { repository: repository(name), tag: Some(tag("v1")), digest: digest("m"), actor }
}

#[test]
fn what_happens_to_a_repository_is_told_in_its_order() {
    let mut cluster = Cluster::new(3);
    let (here, admin) = (|| repository("alice/app"), || "admin".to_owned());
    cluster.push("alice/app", "m", &["x"], &["v1", "v2"]);
    // The same again is no event, a tag that moves is one.
    let again = cluster.manifest_put("alice/app", "m", &["x"], &["v1", "v2"]);
    cluster.does(again);
    cluster.push("alice/app", "n", &["y"], &["v2"]);
    cluster.does(update("alice/app", "alice"));
    let ann = id_of(&cluster, "alice");
    cluster.does(PullsNote { pulls: vec![pull("alice/app", Some(ann)), pull("no/such", None)] });
    let by_digest = Pull { tag: None, ..pull("alice/app", None) };
    cluster.does(PullsNote { pulls: vec![by_digest] });
    let (repository, tag, actor) = (here(), tag("v2"), admin());
    cluster.does(TagDelete { repository, tag, precondition: None, actor });
    cluster.does(ManifestDelete { repository: here(), digest: digest("m"), actor: admin() });
    cluster.does(RepositoryDelete { repository: here(), actor: "alice".into() });
    let events = all(&cluster);
    let expected = [
        "Create Repository",
        "Create Manifest",
        "Update Tag v1",
        "Update Tag v2",
        "Create Manifest",
        "Update Tag v2",
        "Update Repository",
        "Get Tag v1",
        "Get Manifest",
        "Delete Tag v2",
        "Delete Tag v1",
        "Delete Manifest",
        "Delete Repository",
    ];
    assert_eq!(words(&events), expected);
    let actors: Vec<_> = events.iter().rev().map(|(_, event)| event.actor_type).collect();
    assert_eq!((actors[7], actors[8]), (ActorType::User, ActorType::Anonymous));
    let (_, deleted) = &events[0];
    assert_eq!((deleted.actor, &*deleted.repository), (Some(ann), "alice/app"));
    assert_eq!(events[3].1.digest, Some(digest("n")), "what the deleted tag pointed at");
    let numbers: Vec<u64> = events.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=13).rev().collect::<Vec<_>>(), "without gaps");
}

#[test]
fn what_is_refused_is_no_event() {
    let mut cluster = Cluster::new(3);
    cluster.push("alice/app", "m", &[], &["v1"]);
    let before = all(&cluster);
    let stranger = RepositoryDelete { repository: repository("alice/app"), actor: "bob".into() };
    assert!(cluster.run(stranger).is_err());
    let command = cluster.manifest_put("alice/app", "n", &["not there"], &["v1"]);
    assert!(cluster.run(command).is_err());
    assert_eq!(all(&cluster), before);
}

#[test]
fn a_deleted_account_takes_its_repositories_and_the_cluster_says_so() {
    let mut cluster = Cluster::new(3);
    cluster.push("alice/app", "m", &[], &["v1"]);
    cluster.does(AccountDelete { name: "alice".into(), actor: "admin".into() });
    cluster.pass(1);
    let (_, newest) = &all(&cluster)[0];
    let found = (newest.kind(), newest.actor_type, newest.actor);
    let deleted = Kind::of(EventType::Delete, ObjectType::Repository);
    assert_eq!(found, (deleted, ActorType::System, None));
}

/// Every filter, compared with sifting all events by hand.
#[test]
fn each_filter_finds_what_fits_and_nothing_else() {
    let mut cluster = Cluster::new(3);
    let (alice, bob) = (id_of(&cluster, "alice"), id_of(&cluster, "bob"));
    for round in 0..6 {
        cluster.push("alice/app", &format!("m{round}"), &[], &["v1"]);
        cluster.push("bob/app", &format!("m{round}"), &[], &["v1", "v2"]);
        cluster.does(update("alice/app", "alice"));
        let pulls = [("alice/app", alice), ("bob/app", alice), ("bob/app", bob)];
        let pulls = pulls.map(|(name, actor)| pull(name, Some(actor))).to_vec();
        cluster.does(PullsNote { pulls });
        cluster.pass(1000);
    }
    let events = all(&cluster);
    let middle = events[events.len() / 2].1.wall_ms;
    let place = Some(number(&cluster, "bob/app"));
    let of = |event| Kind::ALL.iter().copied().filter(|kind| kind.event == event).collect();
    let kinds: [Vec<Kind>; 4] = [
        Kind::ALL.to_vec(),
        of(EventType::Get),
        vec![Kind::of(EventType::Update, ObjectType::Tag)],
        Vec::new(),
    ];
    let mut counts = Vec::new();
    for kinds in kinds {
        for repository in [None, place] {
            for actor in [None, Some(alice), Some([9; 16])] {
                for (after_wall_ms, before_wall_ms) in [
                    (None, None),
                    (Some(middle), None),
                    (None, Some(middle)),
                    (Some(middle - 1500), Some(middle + 1500)),
                ] {
                    let kinds = kinds.clone();
                    let filter = Filter { repository, actor, kinds, after_wall_ms, before_wall_ms };
                    let fits = |event: &EventRow| {
                        filter.kinds.contains(&event.kind())
                            && repository.is_none_or(|it| it.0 == event.repository_number)
                            && (actor.is_none() || event.actor == actor)
                            && after_wall_ms.is_none_or(|after| event.wall_ms > after)
                            && before_wall_ms.is_none_or(|before| event.wall_ms < before)
                    };
                    let sifted: Vec<_> =
                        events.iter().filter(|(_, event)| fits(event)).cloned().collect();
                    assert_eq!(found(&cluster, &filter), sifted, "{filter:?}");
                    counts.push(sifted.len());
                }
            }
        }
    }
    assert!(counts.iter().filter(|count| **count > 3).count() > 12, "{counts:?}");
}

#[test]
fn a_part_is_bounded_and_what_is_sifted_goes_on() {
    let mut cluster = Cluster::new(3);
    cluster.push("alice/app", "m", &[], &["v1"]);
    let (alice, bob) = (id_of(&cluster, "alice"), id_of(&cluster, "bob"));
    cluster.does(PullsNote { pulls: vec![pull("alice/app", Some(alice))] });
    for _ in 0..2 {
        let pulls = vec![pull("alice/app", Some(bob)); BATCH_MAX];
        cluster.does(PullsNote { pulls });
    }
    let part = listing(&cluster.tables, &Filter::all(), None, 10_000).unwrap();
    assert_eq!(part.items.len(), LIMIT_MAX);
    let repository = Some(number(&cluster, "alice/app"));
    let filter = Filter { repository, actor: Some(alice), ..Filter::all() };
    let part = listing(&cluster.tables, &filter, None, 10).unwrap();
    assert!(part.items.is_empty() && part.next.is_some(), "300 were looked at");
    assert_eq!(found(&cluster, &filter).len(), 1);
    let too_many = PullsNote { pulls: vec![pull("alice/app", None); BATCH_MAX + 1] };
    assert!(matches!(cluster.run(too_many), Err(Refusal::TooMuch { .. })));
}

fn keep(cluster: &mut Cluster, events: RetentionSet) {
    cluster.does(SettingsSet { events: Some(events), ..SettingsSet::default() });
}

#[test]
fn what_is_too_much_or_too_old_goes_some_with_each_entry() {
    let mut cluster = Cluster::new(3);
    cluster.push("alice/app", "m", &[], &["v1"]);
    cluster.does(PullsNote { pulls: vec![pull("alice/app", None); BATCH_MAX] });
    let count = |cluster: &Cluster| events::kept(&cluster.tables).unwrap().count();
    assert_eq!(count(&cluster), 253);
    let kept_max = Some(100);
    keep(&mut cluster, RetentionSet { kept_max, ..RetentionSet::default() });
    cluster.pass(1);
    assert_eq!(count(&cluster), 253, "it is not turned on");
    let is_on = Some(true);
    let proposal = cluster.proposal(&Command::from(SettingsSet {
        events: Some(RetentionSet { is_on, ..RetentionSet::default() }),
        ..SettingsSet::default()
    }));
    cluster.propose(vec![proposal], 0);
    cluster.propose(Vec::new(), 0);
    assert_eq!(count(&cluster), 253 - 64);
    cluster.pass(1);
    assert_eq!(count(&cluster), 100);
    assert_eq!(cluster.tables.count(Table::Events), 100);

    let age_max_s = Some(3600);
    keep(&mut cluster, RetentionSet { age_max_s, ..RetentionSet::default() });
    cluster.pass(HOUR_MS / 2);
    cluster.does(update("alice/app", "alice"));
    cluster.pass(HOUR_MS / 2 + 1000);
    assert_eq!(words(&all(&cluster)), ["Update Repository"]);
    assert_eq!(cluster.tables.count(Table::EventIndexes), 3);
    cluster.pass(HOUR_MS);
    assert_eq!(count(&cluster), 0);
    cluster.does(update("alice/app", "alice"));
    assert_eq!(all(&cluster)[0].0, 255, "numbers go on");

    let bounds = RetentionSet { kept_max: Some(250_001), ..RetentionSet::default() };
    let set = SettingsSet { events: Some(bounds), ..SettingsSet::default() };
    assert!(matches!(cluster.run(set), Err(Refusal::SettingOutOfBounds { .. })));
}

/// A push writes what it always wrote, and of events four rows each.
#[test]
fn a_push_with_its_events_is_one_command() {
    let mut cluster = Cluster::new(3);
    cluster.push("alice/app", "m", &["x"], &["v1"]);
    let before = events::kept(&cluster.tables).unwrap().last;
    cluster.commit("alice/app", "y");
    let put = cluster.manifest_put("alice/app", "n", &["y"], &["v1"]);
    cluster.does(ManifestPut { ..put });
    assert_eq!(events::kept(&cluster.tables).unwrap().last, before + 2);
    let rows = cluster.tables.count(Table::EventIndexes) + cluster.tables.count(Table::Events);
    assert_eq!(u64::try_from(rows).unwrap(), 4 * (before + 2));
}
