//! The directory: who may say how it is reached, one sync at a time, and what a sync may touch.

use metadata::accounts::commands::{AccountDelete, AccountUpdate, UserCreate};
use metadata::accounts::{self, AccountId, AccountRow};
use metadata::command::Command;
use metadata::directory::commands::{
    BackendSet, LdapSet, MemberSyncSet, SEARCHES_MAX, SystemAccountsSet,
};
use metadata::directory::sync::{
    DirectoryGroup, DirectoryMembersSet, DirectoryRunBegin, DirectoryRunEnd, DirectoryUsersGone,
    DirectoryUsersPut, USERS_MAX,
};
use metadata::directory::{self, LdapRow, MemberSync};
use metadata::outcome::{Answer, Outcome};
use metadata::refusal::Refusal;
use metadata::tables::Table;
use metadata::teams::commands::TeamDelete;
use metadata::{organizations, teams as metadata_teams};

use crate::accounts::nobody;
use crate::cluster::{Cluster, HOUR_MS, id};
use crate::directory_samples::{ldap, ldap_set, sync, user};
use crate::organizations::{organization, with_org};
use crate::teams::{id_of, make};

fn by_admin<T>(make: impl FnOnce(String) -> T) -> T {
    make("admin".to_owned())
}

/// People sign in by the directory; `admin` is the recovery administrator.
fn use_directory(cluster: &mut Cluster) {
    cluster.does(ldap_set(ldap("admin")));
    cluster.does(by_admin(|actor| BackendSet { actor, is_ldap: true }));
}

fn begin(cluster: &mut Cluster, replica: u64) -> [u8; 16] {
    cluster.does(DirectoryRunBegin { replica_id: id(replica), job: None });
    directory::run(&cluster.tables).unwrap().unwrap().id
}

fn row(cluster: &Cluster, name: &str) -> AccountRow {
    accounts::find(&cluster.tables, name).unwrap().unwrap()
}

fn put(names: &[&str]) -> DirectoryUsersPut {
    DirectoryUsersPut { run: None, users: names.iter().map(|name| user(name)).collect() }
}

#[test]
fn where_people_sign_in_is_for_administrators_and_needs_somebody_for_bad_days() {
    let not_ready = |outcome: &Outcome| matches!(outcome, Err(Refusal::DirectoryNotReady { .. }));
    let mut base = with_org();
    let by = |actor: &str, name: &str| -> Command {
        LdapSet { actor: actor.into(), ..ldap_set(ldap(name)) }.into()
    };
    let refused = base.clone().run(by("alice", "admin"));
    assert_eq!(refused, Err(Refusal::NotAuthorized { actor: "alice".into() }));
    assert!(not_ready(&base.clone().run(by_admin(|actor| BackendSet { actor, is_ldap: true }))));
    for unfit in ["alice", "nobody", "org", ""] {
        let mut cluster = base.clone();
        cluster.does(by("admin", unfit));
        let switch = by_admin(|actor| BackendSet { actor, is_ldap: true });
        assert!(not_ready(&cluster.run(switch)), "{unfit:?}");
    }
    let mut many = ldap("admin");
    many.user_searches = vec![many.user_searches[0].clone(); SEARCHES_MAX + 1];
    let long = LdapRow { server_url: "x".repeat(2000), ..ldap("admin") };
    for ldap in [many, long] {
        let outcome = base.clone().run(ldap_set(ldap));
        assert!(matches!(outcome, Err(Refusal::TooMuch { .. })), "{outcome:?}");
    }

    use_directory(&mut base);
    assert!(not_ready(&base.clone().run(by("admin", "alice"))), "not while it is in use");
    let keeps = Err(Refusal::RecoveryAdministrator { name: "admin".into() });
    base.does(UserCreate { name: "second".into(), is_admin: true, ..nobody() });
    let gone = by_admin(|actor| AccountDelete { name: "admin".into(), actor });
    assert_eq!(base.clone().run(gone.clone()), keeps);
    let update = AccountUpdate {
        name: "admin".into(),
        actor: "second".into(),
        full_name: None,
        is_admin: Some(false),
        is_active: None,
        quota_bytes: None,
    };
    assert_eq!(base.clone().run(update), keeps);
    base.does(by_admin(|actor| BackendSet { actor, is_ldap: false }));
    base.does(gone);
}

#[test]
fn the_recovery_password_is_set_with_the_settings_or_not_at_all() {
    let mut cluster = with_org();
    let with_password = |actor: &str, ldap: LdapRow| LdapSet {
        actor: actor.into(),
        recovery_password_hash: Some("another hash".into()),
        ..ldap_set(ldap)
    };
    let before = row(&cluster, "admin");
    let refused = cluster.run(with_password("alice", ldap("admin")));
    assert_eq!(refused, Err(Refusal::NotAuthorized { actor: "alice".into() }));
    let long = LdapRow { server_url: "x".repeat(2000), ..ldap("admin") };
    assert!(matches!(cluster.run(with_password("admin", long)), Err(Refusal::TooMuch { .. })));
    let none = cluster.run(with_password("admin", ldap("org")));
    assert_eq!(none, Err(Refusal::AccountIsOrganization { name: "org".into() }));
    assert_eq!(row(&cluster, "admin"), before);

    cluster.does(with_password("admin", ldap("rescue")));
    let rescue = row(&cluster, "rescue");
    assert!(rescue.is_admin && rescue.is_active);
    assert_eq!(rescue.password_hash, "another hash");
    cluster.does(by_admin(|actor| BackendSet { actor, is_ldap: true }));
    // While it is in use it stays somebody's who can sign in.
    cluster.does(with_password("admin", ldap("second-rescue")));
    assert_eq!(directory::ldap(&cluster.tables).unwrap().unwrap().recovery_admin, "second-rescue");
}

#[test]
fn one_replica_syncs_at_a_time_and_a_dead_one_is_waited_for_five_minutes() {
    let mut cluster = with_org();
    let begun = cluster.run(DirectoryRunBegin { replica_id: id(1), job: None });
    assert!(matches!(begun, Err(Refusal::DirectoryNotReady { .. })), "{begun:?}");
    use_directory(&mut cluster);
    let first = begin(&mut cluster, 1);
    let second = cluster.run(DirectoryRunBegin { replica_id: id(2), job: None });
    assert!(matches!(second, Err(Refusal::SyncRunning { .. })), "{second:?}");

    // What it proposes renews its lease.
    for _ in 0..3 {
        cluster.pass(4 * 60 * 1000);
        cluster.does(DirectoryUsersPut { run: Some(first), ..put(&["dora"]) });
    }
    cluster.pass(6 * 60 * 1000);
    let late = cluster.run(DirectoryUsersPut { run: Some(first), ..put(&["eric"]) });
    assert_eq!(late, Err(Refusal::SyncOver));
    let second = begin(&mut cluster, 2);
    let late = cluster.run(DirectoryUsersGone { run: first, users: Vec::new() });
    assert_eq!(late, Err(Refusal::SyncOver), "another took its place");
    cluster.does(DirectoryRunEnd { run: second, report: "{}".into() });
    let ended = directory::run(&cluster.tables).unwrap().unwrap();
    assert_eq!((ended.report.as_str(), ended.lease_until_ms), ("{}", 0));
    assert!(ended.ended_wall_ms >= ended.begun_wall_ms);
    let again = cluster.run(DirectoryRunEnd { run: second, report: "{}".into() });
    assert_eq!(again, Err(Refusal::SyncOver));
    begin(&mut cluster, 3);
}

#[test]
fn people_of_the_directory_become_users_and_take_over_no_administrator() {
    let mut cluster = with_org();
    use_directory(&mut cluster);
    cluster.does(UserCreate { name: "root".into(), is_admin: true, ..nobody() });
    cluster.does(put(&["dora", "bob", "root", "admin", "org", "No Name"]));
    let dora = row(&cluster, "dora");
    assert!(dora.is_imported && dora.is_active && !dora.is_admin);
    assert_eq!(dora.full_name, "dora of the directory");
    assert!(dora.password_hash.is_empty());
    let link = |cluster: &Cluster, name: &str| {
        directory::link(&cluster.tables, &row(cluster, name).id).unwrap()
    };
    assert_eq!(link(&cluster, "dora").unwrap().source, "uid=dora,dc=example");
    assert!(link(&cluster, "bob").is_some(), "a user of that name who is no administrator");
    for name in ["root", "admin", "org"] {
        assert!(link(&cluster, name).is_none(), "{name}");
    }
    // Several of one command have ids of their own.
    cluster.does(put(&["p1", "p2", "p3"]));
    assert_ne!(row(&cluster, "p1").id, row(&cluster, "p2").id);
    let names: Vec<String> = (0..=USERS_MAX).map(|number| format!("n{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let too_many = cluster.run(put(&names));
    assert!(matches!(too_many, Err(Refusal::TooMuch { .. })));

    cluster.does(by_admin(|actor| AccountDelete { name: "dora".into(), actor }));
    assert!(directory::link(&cluster.tables, &dora.id).unwrap().is_none());
}

#[test]
fn who_is_gone_is_inactive_and_comes_back_unless_an_administrator_said_otherwise() {
    let mut cluster = with_org();
    use_directory(&mut cluster);
    let run = begin(&mut cluster, 1);
    cluster.does(put(&["dora", "eric"]));
    let [dora, eric, alice] = ["dora", "eric", "alice"].map(|name| id_of(&cluster, name));
    let is_active = |is_active| AccountUpdate {
        name: "eric".into(),
        actor: "admin".into(),
        full_name: None,
        is_admin: None,
        is_active: Some(is_active),
        quota_bytes: None,
    };
    cluster.does(is_active(false));
    cluster.does(DirectoryUsersGone { run, users: vec![dora, eric, alice, [1; 16]] });
    assert!(!row(&cluster, "dora").is_active && !row(&cluster, "eric").is_active);
    assert!(row(&cluster, "alice").is_active, "she does not come from there");
    cluster.does(put(&["dora", "eric"]));
    assert!(row(&cluster, "dora").is_active);
    assert!(!row(&cluster, "eric").is_active, "an administrator had said so");
    assert_eq!(row(&cluster, "dora").generation, 1, "who was signed in is so no more");
}

#[test]
fn what_an_administrator_says_of_somebody_who_is_gone_counts_when_they_come_back() {
    let mut base = with_org();
    use_directory(&mut base);
    let run = begin(&mut base, 1);
    base.does(put(&["dora"]));
    base.does(DirectoryUsersGone { run, users: vec![id_of(&base, "dora")] });
    for said in [vec![false], vec![true, false], vec![true]] {
        let mut cluster = base.clone();
        for is_active in &said {
            let (name, actor, is_active) = ("dora".into(), "admin".into(), Some(*is_active));
            let (full_name, is_admin, quota_bytes) = (None, None, None);
            let update = AccountUpdate { name, actor, full_name, is_admin, is_active, quota_bytes };
            cluster.does(update);
        }
        cluster.does(put(&["dora"]));
        assert_eq!(Some(&row(&cluster, "dora").is_active), said.last(), "{said:?}");
    }
}

#[test]
fn groups_follow_the_directory_and_keep_those_who_do_not_come_from_there() {
    let mut cluster = with_org();
    use_directory(&mut cluster);
    let team = make(&mut cluster, "qa", &["bob"]);
    cluster.does(put(&["dora", "eric"]));
    let [dora, eric, bob, org] = ["dora", "eric", "bob", "org"].map(|name| id_of(&cluster, name));
    let mut set = |group, joining: &[AccountId], leaving: &[AccountId]| {
        let (joining, leaving) = (joining.to_vec(), leaving.to_vec());
        cluster.does(DirectoryMembersSet { run: None, group, joining, leaving });
        cluster.clone()
    };
    let here = DirectoryGroup::Team { team };
    let after = set(here, &[dora, eric, dora, [0xee; 16]], &[bob]);
    let is_in = |cluster: &Cluster, user: &AccountId| {
        metadata_teams::member(&cluster.tables, &team, user).unwrap().is_some()
    };
    assert!(is_in(&after, &dora) && is_in(&after, &eric) && is_in(&after, &bob));
    let after = set(here, &[], &[eric]);
    assert!(is_in(&after, &dora) && !is_in(&after, &eric));
    let owners = DirectoryGroup::Owners { organization: org };
    let owns = |cluster: &Cluster, user: &AccountId| {
        let member = organizations::member(&cluster.tables, &org, user).unwrap();
        member.map(|row| row.is_admin)
    };
    assert_eq!(owns(&set(owners, &[dora], &[]), &dora), Some(true));
    let after = set(owners, &[], &[dora, id_of(&after, "alice")]);
    assert_eq!(owns(&after, &dora), Some(false), "still a member");
    assert_eq!(owns(&after, &id_of(&after, "alice")), Some(true), "made here");
    let after = set(DirectoryGroup::Administrators, &[eric], &[]);
    assert!(row(&after, "eric").is_admin);
    let admin = id_of(&after, "admin");
    let after = set(DirectoryGroup::Administrators, &[], &[eric, admin]);
    assert!(!row(&after, "eric").is_admin && row(&after, "admin").is_admin);
    // What is no more is passed over.
    set(DirectoryGroup::Team { team: [0xee; 16] }, &[dora], &[eric]);
    set(DirectoryGroup::Owners { organization: [0xee; 16] }, &[dora], &[eric]);
    // And so is a user where an organization should be.
    set(DirectoryGroup::Owners { organization: bob }, &[dora], &[eric]);
}

#[test]
fn how_a_group_follows_goes_with_the_group() {
    let mut cluster = with_org();
    let team = make(&mut cluster, "qa", &[]);
    cluster.does(organization("other"));
    let set = |actor: &str, organization: &str, team, sync: MemberSync| MemberSyncSet {
        actor: actor.into(),
        organization: organization.into(),
        team,
        sync,
    };
    let refused = cluster.run(set("alice", "org", Some(team), sync()));
    assert_eq!(refused, Err(Refusal::NotAuthorized { actor: "alice".into() }));
    let elsewhere = cluster.run(set("admin", "other", Some(team), sync()));
    assert_eq!(elsewhere, Err(Refusal::TeamUnknown));
    let of_user = cluster.run(set("admin", "bob", None, sync()));
    assert_eq!(of_user, Err(Refusal::AccountIsUser { name: "bob".into() }));
    cluster.does(set("admin", "org", Some(team), sync()));
    cluster.does(set("admin", "other", None, sync()));
    assert_eq!(directory::member_sync(&cluster.tables, &team).unwrap(), sync());
    cluster.does(by_admin(|actor| TeamDelete { team, actor }));
    assert_eq!(cluster.tables.count(Table::MemberSyncs), 1);
    cluster.does(set("admin", "other", None, MemberSync::default()));
    assert_eq!(cluster.tables.count(Table::MemberSyncs), 0);
    cluster.does(set("admin", "other", None, sync()));
    cluster.does(by_admin(|actor| AccountDelete { name: "other".into(), actor }));
    assert_eq!(cluster.tables.count(Table::MemberSyncs), 0);
    cluster.pass(HOUR_MS);
}

#[test]
fn a_system_account_is_not_deleted() {
    let mut cluster = with_org();
    let set = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        by_admin(|actor| SystemAccountsSet { actor, names })
    };
    let unknown = cluster.run(set(&["bob", "nobody"]));
    assert_eq!(unknown, Err(Refusal::AccountUnknown { name: "nobody".into() }));
    let by_bob = SystemAccountsSet { actor: "bob".into(), names: Vec::new() };
    assert_eq!(cluster.run(by_bob), Err(Refusal::NotAuthorized { actor: "bob".into() }));
    cluster.does(set(&["org", "bob", "org"]));
    assert_eq!(directory::system_accounts(&cluster.tables).unwrap().names, ["bob", "org"]);
    let delete = || by_admin(|actor| AccountDelete { name: "bob".into(), actor });
    assert_eq!(cluster.run(delete()), Err(Refusal::AccountIsSystem { name: "bob".into() }));
    cluster.does(set(&[]));
    assert_eq!(cluster.run(delete()), Ok(Answer::Done));
}
