//! Who may do what: the table of rights.

use metadata::access::{Action, Caller, Reason, judge};
use metadata::repositories::Visibility;
use metadata::repositories::commands::RepositoryCreate;
use metadata::settings::SettingsSet;

use crate::cluster::{Cluster, repository};

/// Both are alice's.
fn with_one_private_and_one_public() -> Cluster {
    let mut cluster = Cluster::new(3);
    for (name, visibility) in
        [("alice/private", Visibility::Private), ("alice/public", Visibility::Public)]
    {
        cluster.does(RepositoryCreate {
            repository: repository(name),
            actor: "alice".into(),
            visibility,
            on_push: false,
            immutable_tags: false,
            short_description: String::new(),
            long_description: String::new(),
            tag_limit: 0,
        });
    }
    cluster
}

/// Somebody of that name, whether or not there is such an account.
fn caller(cluster: &Cluster, name: &str) -> Caller {
    let unknown = Caller { account: Some(name.to_owned()), ..Caller::default() };
    metadata::access::caller(&cluster.tables, name).unwrap().unwrap_or(unknown)
}

#[test]
fn rights_follow_owner_administrator_and_visibility() {
    use Action::{Administer, Create, Delete, Pull, Push};
    use Reason::{
        AdminRequired, CreateOnPushOff, Permitted, ReadRequired, RepositoryMissing, SignInRequired,
        WriteRequired,
    };
    let mut cluster = with_one_private_and_one_public();
    // Who, what, where: why, and whether it is seen.
    let cases = [
        (None, Pull, "alice/public", Permitted, true),
        (None, Push, "alice/public", SignInRequired, true),
        (None, Pull, "alice/private", SignInRequired, false),
        (None, Pull, "alice/missing", SignInRequired, false),
        (Some("bob"), Pull, "alice/public", Permitted, true),
        (Some("bob"), Push, "alice/public", WriteRequired, true),
        (Some("bob"), Delete, "alice/public", WriteRequired, true),
        (Some("bob"), Administer, "alice/public", AdminRequired, true),
        (Some("bob"), Pull, "alice/private", ReadRequired, false),
        (Some("bob"), Pull, "alice/missing", ReadRequired, false),
        (Some("bob"), Push, "alice/private", ReadRequired, false),
        (Some("bob"), Push, "alice/missing", ReadRequired, false),
        (Some("bob"), Create, "alice/missing", ReadRequired, false),
        (Some("alice"), Pull, "alice/private", Permitted, true),
        (Some("alice"), Push, "alice/private", Permitted, true),
        (Some("alice"), Delete, "alice/private", Permitted, true),
        (Some("alice"), Administer, "alice/private", Permitted, true),
        (Some("alice"), Pull, "alice/missing", RepositoryMissing, true),
        (Some("alice"), Push, "alice/missing", Permitted, true),
        (Some("alice"), Delete, "alice/missing", RepositoryMissing, true),
        (Some("alice"), Create, "alice/missing", Permitted, true),
        (Some("alic"), Pull, "alice/private", ReadRequired, false),
        (Some("admin"), Administer, "alice/private", Permitted, true),
        (Some("admin"), Pull, "new/missing", RepositoryMissing, true),
        (Some("admin"), Push, "new/missing", Permitted, true),
    ];
    let caller = |account: Option<&str>| match account {
        Some(name) => caller(&cluster, name),
        None => Caller::default(),
    };
    for (account, action, name, reason, visible) in cases {
        let caller = caller(account);
        let decision = judge(&cluster.tables, &caller, &repository(name), action).unwrap();
        let found = (decision.reason, decision.visible);
        assert_eq!(found, (reason, visible), "{account:?} {action:?} {name}");
        assert_eq!(decision.allowed, reason == Permitted, "{account:?} {action:?} {name}");
    }
    let create_repository_on_push = Some(false);
    cluster.does(SettingsSet { create_repository_on_push, ..SettingsSet::default() });
    for account in ["alice", "admin"] {
        let (caller, missing) = (self::caller(&cluster, account), repository("alice/missing"));
        let decision = judge(&cluster.tables, &caller, &missing, Push).unwrap();
        assert_eq!((decision.allowed, decision.reason), (false, CreateOnPushOff));
    }
}

#[test]
fn a_callers_standing_is_looked_up_anew() {
    let cluster = Cluster::new(3);
    let caller = |name| metadata::access::caller(&cluster.tables, name).unwrap();
    assert!(caller("admin").unwrap().is_admin);
    assert!(!caller("alice").unwrap().is_admin);
    assert_eq!(caller("eve"), None);
}
