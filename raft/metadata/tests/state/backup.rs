//! Backups: every row belongs somewhere, what is restored is what was there, and nothing is
//! collected until adoption is over.

use std::collections::BTreeSet;

use metadata::accounts;
use metadata::adoption::{self, AdoptionFinish};
use metadata::backup::places::{SINGLES, of_row, of_table};
use metadata::backup::{self, Archive, BackupNote, Beginning, Place, Section};
use metadata::blobs;
use metadata::bootstrap;
use metadata::collection::{Condemn, Delete};
use metadata::command::Command;
use metadata::holders::{Forget, HolderAdd};
use metadata::invariants;
use metadata::members;
use metadata::membership;
use metadata::outcome::Answer;
use metadata::refusal::Refusal;
use metadata::tables::{Memory, Read, Table, Write};
use proptest::prelude::*;

use crate::cluster::{Cluster, HOUR_MS, START_WALL_MS, id, repository};
use crate::steps::step;
use crate::world::World;

pub(crate) fn commands() -> Vec<Command> {
    let note = BackupNote {
        actor: "admin".into(),
        archive: "backup".into(),
        log_index: 77,
        size_bytes: 1_000_000,
    };
    vec![AdoptionFinish { actor: "admin".into() }.into(), note.into()]
}

pub(crate) fn refusals() -> Vec<Refusal> {
    vec![Refusal::AdoptionOpen]
}

/// Says for every table where it belongs: whoever changes one changes this list too.
#[test]
fn every_table_belongs_to_one_archive_or_to_none() {
    let of = |wanted: Place| -> Vec<String> {
        let tables = Table::ALL.iter().filter(|table| of_table(**table) == wanted);
        tables.map(|table| format!("{table:?}")).collect()
    };
    let in_backup: usize =
        Section::ALL.iter().map(|section| of(Place::Backup(*section)).len()).sum();
    let (accounts, nothing) = (of(Place::Accounts), of(Place::Nothing));
    assert_eq!(in_backup + accounts.len() + nothing.len(), Table::ALL.len());
    assert_eq!(
        accounts.join(" "),
        "Accounts AccountIds AccountFilters DeletedAccounts OrganizationMembers \
         MemberOrganizations Teams TeamIds TeamMembers MemberTeams DeletedTeams PublicKeys \
         AccountKeys DirectoryUsers MemberSyncs OpenIdUsers OpenIdSubjects"
    );
    assert_eq!(
        nothing.join(" "),
        "Sessions ReplicaSessions Outcomes Members MemberIds MemberKeys JoinTokens Releases \
         ReleaseIndexes PageSessions AccountPageSessions PageSessionEnds RequestKeys \
         RequestKeyEnds Jobs JobIndexes JobLogs Workers"
    );
    for table in Table::ALL {
        let place = of_table(*table);
        let archives = [Archive::Backup, Archive::Accounts];
        let taken = archives.iter().filter(|archive| place.section_of(**archive).is_some());
        assert_eq!(taken.count(), usize::from(place != Place::Nothing), "{table:?}");
    }
}

/// A state with something in many tables: all samples that delete nothing, carried out or refused.
fn full() -> Cluster {
    let mut cluster = Cluster::new(3);
    cluster.push("admin/app", "one", &["base", "top"], &["v1", "v2"]);
    cluster.push("admin/web", "two", &["base"], &["v1"]);
    let deletes =
        |name: &str| ["Delete", "Lost", "Drop", "Gone"].iter().any(|it| name.contains(it));
    for command in crate::samples::commands() {
        if !deletes(command.name()) {
            let _ = cluster.run(command);
        }
    }
    cluster
}

#[test]
fn every_row_there_is_one_of_is_named_with_its_place() {
    let cluster = full();
    let known: BTreeSet<&[u8]> = SINGLES.iter().map(|(key, _)| *key).collect();
    assert_eq!(known.len(), SINGLES.len(), "a key is named twice");
    let singles = cluster.tables.range(Table::Singles, &[], None, usize::MAX).unwrap();
    assert!(singles.len() >= 10, "{singles:?}");
    for (key, _) in singles {
        let text = String::from_utf8_lossy(&key).into_owned();
        assert!(known.contains(&*key), "say in backup::places where {text:?} belongs");
    }
}

/// The rows of an archive.
fn archived(tables: &Memory, archive: Archive) -> Vec<backup::TableRow> {
    let rows = tables.rows();
    let rows = rows.filter(|(table, key, _)| of_row(*table, key).section_of(archive).is_some());
    rows.map(|(table, key, value)| (table, key.to_vec(), value.to_vec())).collect()
}

fn beginning(from: &Memory) -> Beginning {
    let former = bootstrap::cluster(from).unwrap().unwrap();
    let member = members::list(from).unwrap().remove(0);
    Beginning {
        cluster_id: "new".into(),
        former,
        host_names: vec![],
        member: members::MemberRow { public_key: "another".into(), ..member },
        log_index: 1000,
        wall_ms: START_WALL_MS + HOUR_MS,
        token_key: None,
    }
}

fn restored(from: &Memory, archives: &[Archive], revoke_tokens: bool) -> Memory {
    let mut tables = Memory::default();
    for archive in archives {
        for (table, key, value) in archived(from, *archive) {
            if let Some(value) = backup::restored(table, &key, value, revoke_tokens).unwrap() {
                tables.put(table, key, value);
            }
        }
    }
    for (table, key, value) in beginning(from).rows().unwrap() {
        tables.put(table, key, value);
    }
    tables
}

const BOTH: &[Archive] = &[Archive::Backup, Archive::Accounts];

#[test]
fn what_both_archives_hold_makes_a_sound_state_with_every_row_as_it_was() {
    let cluster = full();
    let before = &cluster.tables;
    let after = restored(before, BOTH, false);
    assert_eq!(invariants::check(&after).unwrap(), vec![]);
    for (table, key, value) in before.rows() {
        let now = after.get(table, key).unwrap();
        match (of_row(table, key), table) {
            (Place::Nothing, _) => {}
            (_, Table::Blobs) => assert!(now.is_some()),
            (_, Table::Singles) if key == bootstrap::KEY => assert_ne!(now.as_deref(), Some(value)),
            _ => assert_eq!(now.as_deref(), Some(value), "{table:?} {key:02x?}"),
        }
    }
    let cluster_row = bootstrap::cluster(&after).unwrap().unwrap();
    assert_eq!(cluster_row.cluster_id, "new");
    assert_eq!(membership::voters(&after).unwrap().voter_numbers.len(), 1);
    assert_eq!(members::list(&after).unwrap().len(), 1);
    let page = blobs::page(&after, None, 1000).unwrap();
    assert!(page.items.len() >= 4);
    assert!(page.items.iter().all(|(_, blob)| blob.holders.is_empty()));
}

#[test]
fn what_is_not_in_the_backup_is_not_restored_from_it() {
    let cluster = full();
    let after = restored(&cluster.tables, &[Archive::Backup], false);
    for table in Table::ALL.iter().filter(|table| of_table(**table) == Place::Accounts) {
        assert_eq!(after.count(*table), 0, "{table:?}");
    }
    assert!(accounts::find(&after, "admin").unwrap().is_none());
    let alone = restored(&cluster.tables, &[Archive::Accounts], false);
    assert!(accounts::find(&alone, "admin").unwrap().is_some());
    assert_eq!((alone.count(Table::Tags), alone.count(Table::Certificates)), (0, 0));
}

#[test]
fn revoked_tokens_stay_behind() {
    let mut cluster = full();
    cluster.does(crate::access_tokens::token(77, "admin"));
    assert!(cluster.tables.count(Table::AccessTokens) > 0);
    assert!(restored(&cluster.tables, BOTH, false).count(Table::AccessTokens) > 0);
    let after = restored(&cluster.tables, BOTH, true);
    assert_eq!((after.count(Table::AccessTokens), after.count(Table::AccountTokens)), (0, 0));
    assert_eq!(invariants::check(&after).unwrap(), vec![]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_backup_of_any_state_restores_to_a_sound_one(
        steps in proptest::collection::vec(step(), 1..80)
    ) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
        let after = restored(&world.newest.tables, BOTH, false);
        prop_assert_eq!(invariants::check(&after).unwrap(), vec![]);
    }
}

/// A cluster in adoption, with an image that nobody has.
fn adopting() -> (Cluster, oci::digest::Digest) {
    let mut cluster = Cluster::new(2);
    let digest = cluster.push("admin/app", "one", &["base"], &["v1"]);
    let rows = beginning(&cluster.tables).rows().unwrap();
    let (_, adoption, row) = rows.into_iter().find(|(_, key, _)| key == b"adoption").unwrap();
    let key = digest.to_bytes();
    let stored = cluster.tables.get(Table::Blobs, &key).unwrap().unwrap();
    let unknown = backup::restored(Table::Blobs, &key, stored, false).unwrap().unwrap();
    for tables in [&mut cluster.tables, &mut cluster.follower] {
        tables.put(Table::Singles, adoption.clone(), row.clone());
        tables.put(Table::Blobs, key.clone(), unknown.clone());
    }
    (cluster, digest)
}

#[test]
fn nothing_is_collected_until_adoption_is_over() {
    let (mut cluster, digest) = adopting();
    let idle = cluster.commit("admin/app", "idle");
    cluster.pass(1000 * HOUR_MS);
    let refused = Err(Refusal::AdoptionOpen);
    assert_eq!(cluster.run(Condemn { digest: idle.clone() }), refused);
    assert_eq!(cluster.run(Delete { digest: idle.clone(), generation: 0 }), refused);
    let forget = Forget { digest: digest.clone(), replica_id: id(1) };
    assert_eq!(cluster.run(forget.clone()), refused);
    let stranger = AdoptionFinish { actor: "nobody".into() };
    assert!(matches!(cluster.run(stranger), Err(Refusal::NotAuthorized { .. })));
    let finish = AdoptionFinish { actor: "admin".into() };
    assert_eq!(cluster.run(finish.clone()), Ok(Answer::Done));
    assert_eq!(adoption::open(&cluster.tables).unwrap(), None);
    assert_eq!(cluster.run(finish), Ok(Answer::Done), "done before");
    cluster.pass(1000 * HOUR_MS);
    let condemned = cluster.run(Condemn { digest: idle });
    assert!(matches!(condemned, Ok(Answer::Condemned { .. })), "{condemned:?}");
    assert_eq!(cluster.run(forget), Ok(Answer::Done));
}

#[test]
fn what_nobody_has_is_named_with_its_repository_until_it_is_found() {
    let (mut cluster, digest) = adopting();
    let found = adoption::missing(&cluster.tables, &[], 100).unwrap();
    let missing: Vec<_> = found.missing.iter().map(|it| (&it.repository, &it.digest)).collect();
    assert_eq!(missing, [(&repository("admin/app"), &digest)]);
    assert_eq!(found.next, None);
    let (mut from, mut seen) = (Vec::new(), 0);
    loop {
        let page = adoption::missing(&cluster.tables, &from, 1).unwrap();
        seen += page.missing.len();
        let Some(next) = page.next else { break };
        from = next;
    }
    assert_eq!(seen, 1, "page by page");
    let receipt = cluster.receipt(1);
    cluster.does(HolderAdd { digest, receipt });
    assert!(adoption::missing(&cluster.tables, &[], 100).unwrap().missing.is_empty());
}

#[test]
fn the_last_backup_is_remembered_and_one_of_accounts_is_not_one() {
    let mut cluster = Cluster::of_one();
    let note = |actor: &str, archive: &str| BackupNote {
        actor: actor.into(),
        archive: archive.into(),
        log_index: 5,
        size_bytes: 10,
    };
    assert!(cluster.run(note("nobody", "backup")).is_err());
    cluster.does(note("admin", "accounts"));
    assert_eq!(backup::last(&cluster.tables).unwrap(), None);
    cluster.does(note("admin", "backup"));
    let last = backup::last(&cluster.tables).unwrap().unwrap();
    assert_eq!((last.log_index, last.size_bytes), (5, 10));
    assert!(last.taken_wall_ms >= START_WALL_MS);
}
