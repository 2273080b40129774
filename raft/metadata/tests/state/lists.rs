//! Lists by page: tags and repositories.

use metadata::access::Caller;
use metadata::grants::Level;
use metadata::grants::commands::RepositoryGrantPut;
use metadata::repositories::Visibility;
use metadata::repositories::commands::RepositoryCreate;
use metadata::repositories::visible::{PART_MAX, Walk};
use metadata::tables::Memory;
use metadata::tags;

use crate::cluster::{Cluster, repository};
use crate::organizations::organization;
use crate::teams::{enter, find};

/// The names of all that `caller` may read under a prefix, from a start on, in steps of at most
/// `wanted`.
pub(crate) fn readable(
    tables: &Memory,
    caller: &Caller,
    (prefix, start): (&str, &str),
    wanted: usize,
) -> Vec<String> {
    let (mut walk, mut found) = (Walk::new(caller.clone(), prefix, start), Vec::new());
    while !walk.is_done() {
        let part = walk.step(tables, wanted).unwrap();
        assert!(part.len() <= wanted.min(PART_MAX), "{} of {wanted}", part.len());
        found.extend(part.iter().map(|(name, _)| name.to_string()));
    }
    assert!(walk.step(tables, wanted).unwrap().is_empty(), "it is done");
    found
}

#[test]
fn tags_come_in_byte_order_strictly_after_any_text_one_page_at_a_time() {
    let mut cluster = Cluster::new(3);
    let mut names = ["1.0", "1", "1.0-rc", "B", "a", "aa", "_x", "latest"];
    cluster.push("a/r", "m", &[], &names);
    cluster.push("a/q", "m", &[], &["other"]);
    names.sort_unstable();
    let page = |last: &str, limit| {
        let page = tags::page(&cluster.tables, &repository("a/r"), last, limit).unwrap();
        let names = page.items.iter().map(|(tag, _)| tag.as_str().to_owned());
        (names.collect::<Vec<_>>(), page.more)
    };
    assert_eq!(page("", 100), (names.map(str::to_owned).to_vec(), false));
    assert_eq!(page("", 8), (names.map(str::to_owned).to_vec(), false));
    assert!(page("", 7).1);
    assert_eq!(page("", 0), (vec![], false));
    assert_eq!(page("zzz", 9), (vec![], false));
    for last in ["", "0", "1", "1.0", "1.00", "Z", "a", "latest", "~"] {
        let after: Vec<_> = names.iter().copied().filter(|name| *name > last).collect();
        assert_eq!(page(last, 100).0, after, "after {last:?}");
        let two: Vec<_> = after.iter().copied().take(2).collect();
        assert_eq!(page(last, 2), (two.into_iter().map(str::to_owned).collect(), after.len() > 2));
    }
    let missing = tags::page(&cluster.tables, &repository("a/no"), "", 9).unwrap();
    assert!(missing.items.is_empty() && !missing.more);
}

#[test]
fn a_caller_lists_its_own_and_public_repositories_in_full_pages() {
    let mut cluster = Cluster::new(3);
    let names = ["alice/a", "alice/b", "alice-x/c", "bob/d", "bob/e", "zed/f"];
    let public = ["alice/a", "bob/d", "zed/f"];
    for name in names {
        let visibility =
            if public.contains(&name) { Visibility::Public } else { Visibility::Private };
        let (repository, actor) = (repository(name), "admin".into());
        cluster.does(RepositoryCreate {
            repository,
            actor,
            visibility,
            on_push: true,
            immutable_tags: false,
            short_description: String::new(),
            long_description: String::new(),
            tag_limit: 0,
        });
    }
    let caller = |name| metadata::access::caller(&cluster.tables, name).unwrap().unwrap();
    let everything: [&str; 6] = ["alice-x/c", "alice/a", "alice/b", "bob/d", "bob/e", "zed/f"];
    let cases: [(Caller, &[&str]); 4] = [
        (Caller::default(), &["alice/a", "bob/d", "zed/f"]),
        (caller("alice"), &["alice/a", "alice/b", "bob/d", "zed/f"]),
        (caller("bob"), &["alice/a", "bob/d", "bob/e", "zed/f"]),
        (caller("admin"), &everything),
    ];
    for (caller, expected) in cases {
        for wanted in 1..8 {
            for start in ["", "alice", "alice/a", "bob/d", "bob/dd", "zzz"] {
                let found = readable(&cluster.tables, &caller, ("", start), wanted);
                let after: Vec<_> = expected.iter().filter(|name| **name >= start).collect();
                assert_eq!(found.iter().collect::<Vec<_>>(), after, "{caller:?} from {start:?}");
            }
            for prefix in ["alice/", "alice", "bob/e", "c"] {
                let found = readable(&cluster.tables, &caller, (prefix, ""), wanted);
                let under = expected.iter().filter(|name| name.starts_with(prefix));
                assert_eq!(found.iter().collect::<Vec<_>>(), under.collect::<Vec<_>>());
            }
        }
    }
}

/// The steps of a walk through many organizations, each with many teams, are short, and miss
/// nothing.
#[test]
fn a_member_of_many_teams_lists_what_each_was_granted() {
    let mut cluster = Cluster::new(3);
    let mut expected = Vec::new();
    for group in 0..4 {
        let name = format!("group-{group}");
        cluster.does(organization(&name));
        for number in 0..4 {
            cluster.does(crate::teams::team(&name, &format!("t{number}")));
            let team = find(&cluster, &name, &format!("t{number}")).unwrap().row.id;
            cluster.does(enter(team, "bob"));
            for letter in ["a", "b"] {
                let repository = repository(&format!("{name}/{letter}{number}"));
                let actor = "admin".to_owned();
                cluster.commit(repository.as_str(), "x");
                expected.push(repository.to_string());
                let level = Level::ReadOnly;
                cluster.does(RepositoryGrantPut { repository, team, level, actor });
            }
        }
        cluster.commit(&format!("{name}/hidden"), "x");
    }
    expected.sort();
    let bob = metadata::access::caller(&cluster.tables, "bob").unwrap().unwrap();
    for wanted in [1, 2, 7, 1_000] {
        assert_eq!(readable(&cluster.tables, &bob, ("", ""), wanted), expected, "{wanted}");
        let from = &expected[20];
        assert_eq!(readable(&cluster.tables, &bob, ("", from), wanted), expected[20..]);
    }
}
