//! Pulls and pushes, told some at a time.

use metadata::outcome::Answer;
use metadata::refusal::Refusal;
use metadata::repositories::commands::RepositoryDelete;
use metadata::repositories::counts::{self, BATCH_MAX, CountsRow, RepositoriesUsed, RepositoryUse};
use metadata::repositories::{self, RepositoryNumber};
use metadata::tables::Table;

use crate::cluster::{Cluster, repository};

fn number(cluster: &Cluster, name: &str) -> RepositoryNumber {
    repositories::find(&cluster.tables, &repository(name)).unwrap().unwrap().number()
}

#[test]
fn uses_are_added_up_and_those_of_what_is_gone_are_passed_over() {
    let mut cluster = Cluster::new(3);
    cluster.push("a/r", "m", &["x"], &["v1", "v2"]);
    cluster.push("a/q", "m", &["x"], &["v1"]);
    let (here, there) = (number(&cluster, "a/r"), number(&cluster, "a/q"));
    let used =
        |number: RepositoryNumber, pulls, pushes| RepositoryUse { number: number.0, pulls, pushes };
    let nowhere = RepositoryNumber(999);
    let uses = vec![used(here, 5, 1), used(nowhere, 1, 1), used(there, 0, 2), used(here, 2, 0)];
    assert_eq!(cluster.does(RepositoriesUsed { uses }), Answer::Done);
    let of = |cluster: &Cluster, number| counts::of(&cluster.tables, number).unwrap();
    assert_eq!(of(&cluster, here), CountsRow { tags: 2, pulls: 7, pushes: 1 });
    assert_eq!(of(&cluster, there), CountsRow { tags: 1, pulls: 0, pushes: 2 });
    assert_eq!(of(&cluster, nowhere), CountsRow::default());
    // As much as there can be stays so.
    cluster.does(RepositoriesUsed { uses: vec![used(here, u64::MAX, 1)] });
    assert_eq!(of(&cluster, here), CountsRow { tags: 2, pulls: u64::MAX, pushes: 2 });

    for name in ["a/r", "a/q"] {
        let (repository, actor) = (repository(name), "admin".to_owned());
        cluster.does(RepositoryDelete { repository, actor });
    }
    for _ in 0..10 {
        cluster.propose(Vec::new(), 0);
    }
    assert_eq!(cluster.tables.count(Table::RepositoryCounts), 0, "they go with their repository");
}

#[test]
fn one_command_tells_of_a_thousand_repositories_at_most() {
    let mut cluster = Cluster::new(1);
    let uses = |count| vec![RepositoryUse { number: 1, pulls: 1, pushes: 0 }; count];
    assert_eq!(cluster.does(RepositoriesUsed { uses: uses(BATCH_MAX) }), Answer::Done);
    let refused = cluster.run(RepositoriesUsed { uses: uses(BATCH_MAX + 1) });
    assert!(matches!(refused, Err(Refusal::TooMuch { .. })), "{refused:?}");
}
