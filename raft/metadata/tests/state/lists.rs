//! Lists by page: tags and repositories.

use metadata::access::Caller;
use metadata::repositories::commands::RepositoryCreate;
use metadata::repositories::{self, Visibility};
use metadata::tags;

use crate::cluster::{Cluster, repository};

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
        });
    }
    let caller = |name| metadata::access::caller(&cluster.tables, name).unwrap().unwrap();
    let everything = ["alice-x/c", "alice/a", "alice/b", "bob/d", "bob/e", "zed/f"];
    let cases: [(Caller, &[&str]); 4] = [
        (Caller::default(), &["alice/a", "bob/d", "zed/f"]),
        (caller("alice"), &["alice/a", "alice/b", "bob/d", "zed/f"]),
        (caller("bob"), &["alice/a", "bob/d", "bob/e", "zed/f"]),
        (caller("admin"), &everything),
    ];
    for (caller, expected) in cases {
        for limit in 0..8 {
            for last in ["", "alice", "alice/a", "bob/d", "bob/dd", "zzz"] {
                let page = repositories::page(&cluster.tables, &caller, last, limit).unwrap();
                let found: Vec<_> = page.items.iter().map(|(name, _)| name.as_str()).collect();
                let after: Vec<_> = expected.iter().copied().filter(|name| *name > last).collect();
                let cut: Vec<_> = after.iter().copied().take(limit).collect();
                assert_eq!(found, cut, "{caller:?} after {last:?}");
                assert_eq!(page.more, limit > 0 && after.len() > limit);
            }
        }
    }
}
