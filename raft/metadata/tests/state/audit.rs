//! The audit log: what is kept of each command, and that the chain holds.

use metadata::access_tokens::Origin;
use metadata::access_tokens::commands::AccessTokenDelete;
use metadata::accounts::commands::{AccountDelete, PasswordSet};
use metadata::audit::deed::is_told_with_its_origin;
use metadata::audit::listing::{Filter, Order, listing};
use metadata::audit::{self, AuditRecord};
use metadata::blobs::commands::BlobUnlink;
use metadata::command::Command;
use metadata::entry::Proposal;
use metadata::events::pulls::PullsNote;
use metadata::grants::Level;
use metadata::grants::commands::{NamespaceGrantPut, RepositoryGrantPut};
use metadata::join_tokens::{JoinTokenCreate, JoinTokenRevoke};
use metadata::manifests::delete::ManifestDelete;
use metadata::organizations::MemberPut;
use metadata::refusal::Refusal;
use metadata::repositories::commands::{RepositoryCreate, RepositoryDelete};
use metadata::settings::SettingsSet;
use metadata::tables::Memory;
use metadata::tags::TagDelete;
use metadata::teams::commands::TeamDelete;

use crate::cluster::{Cluster, digest, join, repository, tag};
use crate::samples;
use crate::teams::{enter, id_of, team};

fn newest(cluster: &Cluster) -> AuditRecord {
    let last = audit::chain(&cluster.tables).unwrap().last;
    audit::find(&cluster.tables, last).unwrap().unwrap().record
}

fn count(cluster: &Cluster) -> u64 {
    audit::chain(&cluster.tables).unwrap().last
}

/// Action, kind and name of the thing, and the facts.
fn words(record: &AuditRecord) -> String {
    let facts = record.facts.iter().map(|fact| format!(" {}={}", fact.name, fact.value));
    let facts: String = facts.collect();
    format!("{} {} {}{facts}", record.action, record.object_type, record.object)
}

/// Carries the command out and says what was written down of it: one record.
#[track_caller]
fn kept(cluster: &mut Cluster, command: impl Into<Command>) -> String {
    let before = count(cluster);
    cluster.does(command);
    assert_eq!(count(cluster), before + 1);
    words(&newest(cluster))
}

#[test]
fn a_cluster_begins_with_its_first_record() {
    let cluster = Cluster::of_one();
    assert_eq!(count(&cluster), 1);
    let first = newest(&cluster);
    assert_eq!(
        words(&first),
        "cluster.create cluster c0ffee administrator=admin replica=000000000001"
    );
    assert_eq!((&*first.actor, first.actor_id), ("", None));
}

#[test]
fn what_changes_accounts_and_rights_is_written_down() {
    let mut cluster = Cluster::new(1);
    let admin = || "admin".to_owned();
    let it = &mut cluster;
    assert_eq!(
        kept(it, crate::organizations::organization("org")),
        "organization.create account org"
    );
    assert_eq!(newest(it).actor, "admin");
    assert_eq!(newest(it).actor_id, Some(id_of(it, "admin")));
    assert_eq!(kept(it, team("org", "qa")), "team.create team org/qa");
    let qa = crate::teams::find(it, "org", "qa").unwrap().row.id;
    assert_eq!(kept(it, enter(qa, "bob")), "team.member-put team org/qa user=bob");
    it.does(RepositoryCreate { on_push: false, ..create("org/app") });
    let (level, namespace) = (Level::ReadOnly, "org".to_owned());
    let put = RepositoryGrantPut {
        repository: repository("org/app"),
        team: qa,
        level: Level::ReadWrite,
        actor: admin(),
    };
    assert_eq!(kept(it, put), "grant.put repository org/app team=org/qa level=read-write");
    let put = NamespaceGrantPut { namespace, team: qa, level, actor: admin() };
    assert_eq!(kept(it, put), "grant.put account org team=org/qa level=read-only");
    let put = MemberPut {
        organization: "org".into(),
        user: "alice".into(),
        actor: admin(),
        is_admin: Some(true),
        is_change: false,
    };
    assert_eq!(kept(it, put), "organization.member-put account org user=alice isAdmin=true");
    assert_eq!(kept(it, TeamDelete { team: qa, actor: "alice".into() }), "team.delete team org/qa");
    assert_eq!(newest(it).actor, "alice");
    let set = PasswordSet {
        name: "bob".into(),
        actor: admin(),
        password_hash: "the new hash".into(),
        former_hash: None,
        is_rehash: false,
    };
    assert_eq!(kept(it, set), "user.password account bob");
    let delete = AccountDelete { name: "bob".into(), actor: admin() };
    assert_eq!(kept(it, delete), "account.delete account bob");
}

#[test]
fn what_changes_repositories_tokens_and_the_cluster_is_written_down() {
    let mut cluster = Cluster::new(2);
    let (admin, it) = (|| "admin".to_owned(), &mut cluster);
    let created = "repository.create repository alice/app visibility=public immutableTags=true";
    assert_eq!(kept(it, RepositoryCreate { on_push: false, ..create("alice/app") }), created);
    it.push("alice/app", "m", &[], &["attached.sig", "v2"]);
    let here = || repository("alice/app");
    it.commit("alice/app", "loose");
    let unlink = BlobUnlink { repository: here(), digest: digest("loose"), actor: admin() };
    assert_eq!(kept(it, unlink), format!("blob.delete blob alice/app@{}", digest("loose")));
    let delete =
        TagDelete { repository: here(), tag: tag("v2"), precondition: None, actor: "alice".into() };
    let told = format!("tag.delete tag alice/app:v2 digest={}", digest("m"));
    assert_eq!(kept(it, delete), told);
    let delete = ManifestDelete { repository: here(), digest: digest("m"), actor: admin() };
    let told = format!("manifest.delete manifest alice/app@{} tags=attached.sig", digest("m"));
    assert_eq!(kept(it, delete), told);
    let delete = RepositoryDelete { repository: here(), actor: admin() };
    assert_eq!(kept(it, delete), "repository.delete repository alice/app");

    let name = "09".repeat(32);
    for command in samples::commands() {
        if let Command::AccessTokenCreate(create) = command {
            let (account, actor) = ("alice".to_owned(), admin());
            let create = metadata::access_tokens::commands::AccessTokenCreate {
                account,
                actor,
                origin: Origin::Manual,
                ..create
            };
            let told = format!(
                "token.create token {name} owner=alice label=ci origin=manual \
                 expiresWallMs=1800000000000 scopes=repository:org/*:pull"
            );
            assert_eq!(kept(it, create), told);
        }
    }
    let delete = AccessTokenDelete { hash: [9; 32], actor: admin() };
    assert_eq!(kept(it, delete), format!("token.delete token {name} owner=alice"));
    let create = JoinTokenCreate {
        id: "t".into(),
        secret_hash: b"secret".to_vec(),
        expires_wall_ms: 1_800_000_000_000,
        uses: 2,
    };
    let told = "join-token.create join-token t uses=2 expiresWallMs=1800000000000";
    assert_eq!(kept(it, create), told);
    let revoked = "join-token.revoke join-token t";
    assert_eq!(kept(it, JoinTokenRevoke { id: "t".into() }), revoked);
    assert!(kept(it, join(9)).starts_with("replica.join replica 000000000009 joinToken=token"));
    let before = count(it);
    it.does(join(9));
    assert_eq!(count(it), before, "the same key again changes nothing");
    let set = SettingsSet { read_only: Some(true), ..SettingsSet::default() };
    assert_eq!(kept(it, set), "settings.update settings cluster readOnlyRegistry=true");
}

fn create(name: &str) -> RepositoryCreate {
    RepositoryCreate {
        repository: repository(name),
        actor: "admin".into(),
        visibility: metadata::repositories::Visibility::Public,
        on_push: true,
        immutable_tags: true,
        tag_limit: 0,
        short_description: String::new(),
        long_description: String::new(),
    }
}

#[test]
fn a_push_is_written_down_only_where_it_creates_a_repository() {
    let mut cluster = Cluster::new(3);
    let before = count(&cluster);
    cluster.push("new/app", "m", &["x"], &["v1"]);
    assert_eq!(count(&cluster), before + 1, "one blob, one manifest, one repository");
    let told = "repository.create repository new/app onPush=true namespace=created";
    assert_eq!(words(&newest(&cluster)), told);
    assert_eq!(newest(&cluster).actor_id, Some(id_of(&cluster, "admin")));
    cluster.push("new/app", "n", &["y"], &["v1"]);
    cluster.does(create("new/app"));
    cluster.does(PullsNote { pulls: Vec::new() });
    assert_eq!(count(&cluster), before + 1);
}

#[test]
fn what_is_refused_leaves_no_record() {
    let mut cluster = Cluster::new(1);
    let before = audit::chain(&cluster.tables).unwrap();
    let delete = AccountDelete { name: "alice".into(), actor: "bob".into() };
    assert!(matches!(cluster.run(delete), Err(Refusal::NotAuthorized { .. })));
    assert_eq!(audit::chain(&cluster.tables).unwrap(), before);
}

#[test]
fn a_record_says_by_which_request_and_a_command_sent_twice_is_one_record() {
    let mut cluster = Cluster::new(1);
    let before = count(&cluster);
    let command = SettingsSet { read_only: Some(true), ..SettingsSet::default() };
    let told = Proposal { origin: Some(samples::origin()), ..cluster.proposal(&command.into()) };
    cluster.propose(vec![told.clone(), told], 0);
    assert_eq!(count(&cluster), before + 1);
    let record = newest(&cluster);
    assert_eq!((&*record.actor, record.actor_id), ("alice", Some([6; 16])));
    assert_eq!((&*record.address, &*record.request_id), ("192.0.2.7", "00c0ffee00c0ffee"));
    assert_eq!(record.log_index, cluster.index);
}

/// No secret, and no hash of a password, is anywhere in the log.
#[test]
fn no_secret_is_written_down() {
    let mut cluster = Cluster::new(1);
    for command in samples::commands() {
        cluster.run(command).ok();
    }
    let records = list(&cluster, &Filter::default(), Order::OldestFirst);
    assert!(records.len() > 15, "{}", records.len());
    for record in records {
        let told = format!("{record:?}");
        assert!(!told.contains("hash of") && !told.contains("secret"), "{told}");
    }
}

fn list(cluster: &Cluster, filter: &Filter, order: Order) -> Vec<AuditRecord> {
    let (mut records, mut from) = (Vec::new(), None);
    loop {
        let part = listing(&cluster.tables, filter, order, (from, 2)).unwrap();
        for (before, row) in part.items {
            assert_eq!(row.record.hash(&before), row.hash);
            records.push(row.record);
        }
        from = part.next;
        if from.is_none() {
            return records;
        }
    }
}

#[test]
fn lists_go_both_ways_and_are_filtered() {
    let mut cluster = Cluster::new(2);
    cluster.pass(1000);
    cluster.does(crate::organizations::organization("org"));
    cluster.does(team("org", "qa"));
    let create = RepositoryCreate { actor: "alice".into(), on_push: false, ..create("alice/app") };
    cluster.does(create);
    let all = list(&cluster, &Filter::default(), Order::OldestFirst);
    let numbers: Vec<u64> = all.iter().map(|record| record.number).collect();
    assert_eq!(numbers, (1..=count(&cluster)).collect::<Vec<_>>());
    let mut newest_first = list(&cluster, &Filter::default(), Order::NewestFirst);
    newest_first.reverse();
    assert_eq!(newest_first, all);
    let text = |text: &str| Some(text.to_owned());
    let since_wall_ms = all.last().map(|record| record.wall_ms);
    let none = Filter::default();
    let cases = [
        (Filter { actor: text("alice"), ..none.clone() }, 1),
        (Filter { actor_id: Some(id_of(&cluster, "alice")), ..none.clone() }, 1),
        (Filter { action: text("team.create"), ..none.clone() }, 1),
        (Filter { action: text("team."), ..none.clone() }, 1),
        (Filter { action: text("team"), ..none.clone() }, 0),
        (Filter { object: text("org"), ..none.clone() }, 1),
        (Filter { since_wall_ms, ..none.clone() }, 3),
        (Filter { until_wall_ms: since_wall_ms, ..none.clone() }, all.len() - 3),
        (Filter { action: text("team."), actor: text("alice"), ..none }, 0),
    ];
    for (filter, expected) in cases {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            assert_eq!(list(&cluster, &filter, order).len(), expected, "{filter:?} {order:?}");
        }
    }
}

/// Whoever adds a command says whether it is kept; this says it once more.
#[test]
fn everyday_commands_travel_without_their_origin_and_all_others_with_it() {
    let commands = samples::commands();
    let mut cluster = Cluster::new(3);
    cluster.push("alice/app", "m", &["x"], &[]);
    let is_told = |tables: &Memory, command| is_told_with_its_origin(tables, command).unwrap();
    let alone = commands.iter().filter(|command| !is_told(&cluster.tables, command));
    let mut alone: Vec<_> = alone.map(Command::name).collect();
    alone.sort_unstable();
    let expected = [
        "AccessTokensUsed",
        "BlobCommit",
        "BlobMount",
        "Condemn",
        "CronFire",
        "Delete",
        "DirectoryRunEnd",
        "EventsCompact",
        "Forget",
        "HolderAdd",
        "HolderDrop",
        "HolderLost",
        "JobClaim",
        "JobsCompact",
        "LeaseRenew",
        "LeaseSweep",
        "ManifestPut",
        "PageSessionEnd",
        "PageSessionOpen",
        "PullsNote",
        "RepositoriesUsed",
        "RequestAnswered",
        "SessionOpen",
        "WorkerBeat",
        "WorkerLeave",
    ];
    assert_eq!(alone, expected);
    // A push to where nothing is yet creates something.
    let pushes = commands.iter().filter(|it| ["BlobCommit", "ManifestPut"].contains(&it.name()));
    assert!(pushes.clone().all(|push| is_told(&Memory::default(), push)));
    assert_eq!(pushes.count(), 2);
}
