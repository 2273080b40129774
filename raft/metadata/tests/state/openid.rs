//! Sign-in by OpenID: who may say how, whose account is whose, and which teams follow which groups.

use metadata::accounts::commands::{AccountDelete, AccountUpdate, PasswordSet, UserCreate};
use metadata::accounts::{self, AccountRow};
use metadata::audit;
use metadata::directory::commands::{BackendSet, LdapSet};
use metadata::directory::sync::DirectoryUsersPut;
use metadata::openid::commands::{GROUP_TEAMS_MAX, OpenIdSet, OpenIdTie, SUBJECT_BYTES_MAX};
use metadata::openid::sign_in::OpenIdSignIn;
use metadata::openid::{self, GroupTeam, OpenIdRow};
use metadata::outcome::Outcome;
use metadata::refusal::Refusal;
use metadata::tables::Table;
use metadata::teams as metadata_teams;

use crate::accounts::nobody;
use crate::cluster::Cluster;
use crate::directory_samples::{ldap, user};
use crate::openid_samples::{settings, sign_in};
use crate::organizations::with_org;
use crate::teams::{id_of, make};

fn set(settings: OpenIdRow) -> OpenIdSet {
    OpenIdSet { actor: "admin".into(), settings }
}

fn tie(name: &str, subject: &str) -> OpenIdTie {
    OpenIdTie { actor: "admin".into(), name: name.into(), subject: subject.into() }
}

fn ready() -> Cluster {
    let mut cluster = with_org();
    cluster.does(set(settings()));
    cluster
}

fn row(cluster: &Cluster, name: &str) -> AccountRow {
    accounts::find(&cluster.tables, name).unwrap().unwrap()
}

fn is_active(name: &str, is_active: bool) -> AccountUpdate {
    AccountUpdate {
        name: name.into(),
        actor: "admin".into(),
        full_name: None,
        is_admin: None,
        is_active: Some(is_active),
        quota_bytes: None,
    }
}

/// What a refused sign-in is told.
fn not_admitted(outcome: Outcome) -> String {
    match outcome {
        Err(Refusal::OpenIdNotAdmitted { what }) => what,
        other => panic!("{other:?}"),
    }
}

fn is_not_ready(outcome: &Outcome) -> bool {
    matches!(outcome, Err(Refusal::OpenIdNotReady { .. }))
}

#[test]
fn settings_are_for_administrators_counted_and_bounded() {
    let mut base = with_org();
    let by_alice = OpenIdSet { actor: "alice".into(), settings: settings() };
    assert_eq!(base.run(by_alice), Err(Refusal::NotAuthorized { actor: "alice".into() }));
    for revision in 1..=2 {
        base.does(set(OpenIdRow { revision: 77, ..settings() }));
        assert_eq!(openid::settings(&base.tables).unwrap().unwrap().revision, revision);
    }
    let pair = |team| GroupTeam { group: "makers".into(), team };
    let unknown = base.run(set(OpenIdRow { group_teams: vec![pair([9; 16])], ..settings() }));
    assert_eq!(unknown, Err(Refusal::TeamUnknown));
    let team = make(&mut base, "qa", &[]);
    base.does(set(OpenIdRow { group_teams: vec![pair(team); GROUP_TEAMS_MAX], ..settings() }));
    let group_teams = vec![pair(team); GROUP_TEAMS_MAX + 1];
    let too_many = [
        OpenIdRow { group_teams, ..settings() },
        OpenIdRow { issuer: "x".repeat(1025), ..settings() },
        OpenIdRow { admin_group: "x".repeat(257), ..settings() },
        OpenIdRow { scopes: vec!["s".into(); 21], ..settings() },
        OpenIdRow { sealed_client_secret: vec![0; 2049], ..settings() },
        OpenIdRow { root_certs: "x".repeat(16 * 1024 + 1), ..settings() },
    ];
    for unfit in too_many {
        let outcome = base.run(set(unfit));
        assert!(matches!(outcome, Err(Refusal::TooMuch { .. })), "{outcome:?}");
    }
    for unfit in [
        OpenIdRow { issuer: String::new(), ..settings() },
        OpenIdRow { issuer: "a\0b".into(), ..settings() },
        OpenIdRow { client_id: String::new(), ..settings() },
    ] {
        assert!(is_not_ready(&base.run(set(unfit))));
    }
}

#[test]
fn a_person_is_their_subject_whatever_they_are_called() {
    let mut cluster = ready();
    cluster.does(sign_in("s-1", "olga"));
    let olga = row(&cluster, "olga");
    assert!(olga.is_imported && olga.is_active && !olga.is_admin && olga.password_hash.is_empty());
    assert_eq!(olga.full_name, "olga of the provider");
    // Called otherwise by now, also by the name of somebody else.
    for name in ["olga-maria", "bob", "no name"] {
        cluster.does(sign_in("s-1", name));
    }
    assert_eq!(row(&cluster, "olga").id, olga.id);
    assert_eq!(row(&cluster, "olga").full_name, "no name of the provider");
    assert!(accounts::find(&cluster.tables, "olga-maria").unwrap().is_none());
    let found = openid::account_of(&cluster.tables, &settings().issuer, "s-1").unwrap();
    assert_eq!(found.unwrap().0, "olga");
    // Another provider's s-1 is somebody else.
    cluster.does(set(OpenIdRow { issuer: "https://other.example".into(), ..settings() }));
    let what = not_admitted(cluster.run(OpenIdSignIn { revision: 2, ..sign_in("s-1", "olga") }));
    assert!(what.contains("belongs to another account"), "{what}");
    cluster.does(AccountDelete { name: "olga".into(), actor: "admin".into() });
    assert_eq!(cluster.tables.count(Table::OpenIdUsers), 0);
    assert_eq!(cluster.tables.count(Table::OpenIdSubjects), 0);
}

#[test]
fn nobody_takes_over_an_account_by_its_name() {
    let mut cluster = ready();
    cluster.does(sign_in("s-1", "olga"));
    for name in ["alice", "bob", "admin", "eve", "olga", "org"] {
        let what = not_admitted(cluster.run(sign_in("s-2", name)));
        assert!(what.contains(name) && what.contains("another account"), "{what}");
    }
    for name in ["no name", "", "Olga", "a/b"] {
        let outcome = cluster.run(sign_in("s-2", name));
        assert_eq!(outcome, Err(Refusal::AccountNameInvalid { name: name.into() }));
    }
    // Nor does the directory take one over.
    cluster.does(LdapSet {
        recovery_password_hash: None,
        actor: "admin".into(),
        ldap: ldap("admin"),
    });
    cluster.does(BackendSet { actor: "admin".into(), is_ldap: true });
    cluster.does(DirectoryUsersPut { run: None, users: vec![user("olga"), user("dora")] });
    assert_eq!(row(&cluster, "olga").full_name, "olga of the provider");
    let what = not_admitted(cluster.run(sign_in("s-3", "dora")));
    assert!(what.contains("another account"), "{what}");
}

#[test]
fn who_may_not_come_in_does_not() {
    let base = ready();
    let mut cluster = base.clone();
    cluster.does(sign_in("s-1", "olga"));
    cluster.does(is_active("olga", false));
    let what = not_admitted(cluster.run(sign_in("s-1", "olga")));
    assert!(what.contains("switched off"), "{what}");
    cluster.does(is_active("olga", true));
    cluster.does(sign_in("s-1", "olga"));

    let subject = "x".repeat(SUBJECT_BYTES_MAX + 1);
    let outcome = base.clone().run(sign_in(&subject, "olga"));
    assert!(matches!(outcome, Err(Refusal::TooMuch { .. })), "{outcome:?}");
    for subject in ["", "a\0b"] {
        assert!(is_not_ready(&base.clone().run(sign_in(subject, "olga"))), "{subject:?}");
    }
    let mut closed = base.clone();
    closed.does(set(OpenIdRow { creates_accounts: false, ..settings() }));
    let second = |command: OpenIdSignIn| OpenIdSignIn { revision: 2, ..command };
    let what = not_admitted(closed.run(second(sign_in("s-1", "olga"))));
    assert!(what.contains("no account"), "{what}");
    // By settings of before, or ahead, and where it is switched off, nobody comes in.
    assert!(is_not_ready(&closed.run(sign_in("s-1", "olga"))));
    assert!(is_not_ready(&base.clone().run(second(sign_in("s-1", "olga")))));
    let mut off = base;
    off.does(set(OpenIdRow { is_enabled: false, ..settings() }));
    assert!(is_not_ready(&off.run(second(sign_in("s-1", "olga")))));
    assert!(is_not_ready(&with_org().run(sign_in("s-1", "olga"))));
}

#[test]
fn teams_follow_groups_at_every_sign_in() {
    let mut cluster = with_org();
    let [qa, dev, other] = ["qa", "dev", "other"].map(|name| make(&mut cluster, name, &["bob"]));
    let pair = |group: &str, team| GroupTeam { group: group.into(), team };
    let group_teams = vec![pair("makers", dev), pair("testers", qa), pair("makers", qa)];
    let admin_group = "root".to_owned();
    cluster.does(set(OpenIdRow { group_teams, admin_group, ..settings() }));
    let mut sign_in_with = |groups: &[&str]| {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        cluster.does(OpenIdSignIn { groups, ..sign_in("s-1", "olga") });
        let olga = id_of(&cluster, "olga");
        let is_in = |team| metadata_teams::member(&cluster.tables, team, &olga).unwrap().is_some();
        ([&qa, &dev, &other].map(is_in), row(&cluster, "olga").is_admin)
    };
    assert_eq!(sign_in_with(&[]), ([false, false, false], false));
    assert_eq!(sign_in_with(&["testers"]), ([true, false, false], false));
    assert_eq!(sign_in_with(&["makers", "root"]), ([true, true, false], true));
    assert_eq!(sign_in_with(&["strangers"]), ([false, false, false], false));
    // By hand they are in what follows no group, and stay.
    cluster.does(crate::teams::enter(other, "olga"));
    cluster.does(sign_in("s-1", "olga"));
    let olga = id_of(&cluster, "olga");
    assert!(metadata_teams::member(&cluster.tables, &other, &olga).unwrap().is_some());
    let bob = id_of(&cluster, "bob");
    assert!(metadata_teams::member(&cluster.tables, &qa, &bob).unwrap().is_some());
}

#[test]
fn the_last_administrator_stays_one_without_the_group() {
    let mut cluster = with_org();
    let admin_group = "root".to_owned();
    cluster.does(set(OpenIdRow { admin_group: admin_group.clone(), ..settings() }));
    let olga = sign_in("s-1", "olga");
    cluster.does(OpenIdSignIn { groups: vec![admin_group], ..olga.clone() });
    let demote =
        AccountUpdate { is_active: None, is_admin: Some(false), ..is_active("admin", true) };
    cluster.does(demote);
    cluster.does(olga);
    assert!(row(&cluster, "olga").is_admin, "nobody else is");
}

#[test]
fn an_administrator_says_who_is_whom() {
    let mut cluster = with_org();
    assert!(is_not_ready(&cluster.run(tie("bob", "s-1"))), "by which provider?");
    cluster.does(set(OpenIdRow { creates_accounts: false, ..settings() }));
    let by_bob = OpenIdTie { actor: "bob".into(), ..tie("bob", "s-1") };
    assert_eq!(cluster.run(by_bob), Err(Refusal::NotAuthorized { actor: "bob".into() }));
    let before = row(&cluster, "bob");
    cluster.does(tie("bob", "s-1"));
    let after = row(&cluster, "bob");
    assert_eq!((after.id, after.password_hash.as_str()), (before.id, ""));
    assert_eq!(after.generation, before.generation + 1, "what was signed in by it is over");
    cluster.does(sign_in("s-1", "anything"));
    assert_eq!(row(&cluster, "bob").full_name, "anything of the provider");
    let password = |name: &str| PasswordSet {
        name: name.into(),
        actor: "admin".into(),
        password_hash: "hash".into(),
        former_hash: None,
        is_rehash: false,
    };
    assert!(is_not_ready(&cluster.run(password("bob"))));
    assert!(is_not_ready(&cluster.run(tie("alice", "s-1"))), "bob is");
    cluster.does(tie("bob", "s-2"));
    not_admitted(cluster.run(sign_in("s-1", "bob")));
    cluster.does(tie("bob", ""));
    not_admitted(cluster.run(sign_in("s-2", "bob")));
    cluster.does(password("bob"));

    let last = cluster.run(tie("admin", "s-9"));
    assert_eq!(last, Err(Refusal::LastAdministrator { name: "admin".into() }));
    let of_org = cluster.run(tie("org", "s-9"));
    assert_eq!(of_org, Err(Refusal::AccountIsOrganization { name: "org".into() }));
    cluster.does(UserCreate { name: "root".into(), is_admin: true, ..nobody() });
    cluster.does(LdapSet {
        recovery_password_hash: None,
        actor: "root".into(),
        ldap: ldap("admin"),
    });
    cluster.does(BackendSet { actor: "root".into(), is_ldap: true });
    let recovery = cluster.run(tie("admin", "s-9"));
    assert_eq!(recovery, Err(Refusal::RecoveryAdministrator { name: "admin".into() }));
    // Somebody of the directory moves over to the provider.
    cluster.does(DirectoryUsersPut { run: None, users: vec![user("dora")] });
    cluster.does(tie("dora", "s-4"));
    assert_eq!(cluster.tables.count(Table::DirectoryUsers), 0);
    cluster.does(sign_in("s-4", "dora"));
}

#[test]
fn a_sign_in_stands_in_the_audit_log() {
    let mut cluster = ready();
    cluster.does(sign_in("s-1", "olga"));
    cluster.does(OpenIdSignIn { groups: vec!["makers".into()], ..sign_in("s-1", "other") });
    let chain = audit::chain(&cluster.tables).unwrap();
    let record = |number| audit::find(&cluster.tables, number).unwrap().unwrap().record;
    let facts = |number| {
        let facts = record(number).facts;
        facts.into_iter().map(|fact| (fact.name, fact.value)).collect::<Vec<_>>()
    };
    let [first, second] = [chain.last - 1, chain.last];
    for number in [first, second] {
        let record = record(number);
        let told = (record.action.as_str(), record.actor.as_str(), record.object.as_str());
        assert_eq!(told, ("openid.sign-in", "olga", "olga"));
    }
    let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert!(facts(first).contains(&fact("created", "true")), "{:?}", facts(first));
    assert_eq!(facts(second), [fact("subject", "s-1"), fact("groups", "makers")]);
    let set = record(first - 1);
    assert_eq!((set.action.as_str(), set.actor.as_str()), ("openid.update", "admin"));
    assert!(set.facts.iter().all(|fact| !fact.value.contains("secret")));
}
