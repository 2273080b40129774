//! Random changes of accounts, organizations, teams, grants and tokens: the rows stay sound.

use std::collections::{BTreeMap, BTreeSet};

use metadata::access_tokens::commands::{
    AccessTokenCreate, AccessTokenDelete, AccessTokenUpdate, AccessTokensDelete, AccessTokensUsed,
    BATCH_MAX, TokenUse,
};
use metadata::access_tokens::{self, Origin, TokenHash};
use metadata::accounts::commands::{
    AccountDelete, AccountUpdate, OrganizationCreate, PasswordSet, UserCreate, UserPut,
};
use metadata::command::Command;
use metadata::grants::Level;
use metadata::grants::commands::{
    NamespaceGrantDelete, NamespaceGrantPut, RepositoryGrantDelete, RepositoryGrantPut,
};
use metadata::organizations::{MemberDelete, MemberPut};
use metadata::page_sessions::PageSessionOpen;
use metadata::public_keys::{self, PublicKeyDelete, PublicKeyPut};
use metadata::repositories::Visibility;
use metadata::repositories::commands::{RepositoriesDelete, RepositoryCreate, RepositoryDelete};
use metadata::robots::{self, RobotCreate, RobotDelete};
use metadata::teams::TeamId;
use metadata::teams::commands::{
    TeamCreate, TeamDelete, TeamMemberDelete, TeamMemberPut, TeamUpdate,
};
use proptest::prelude::*;

use crate::accounts::nobody;
use crate::cluster::{Cluster, HOUR_MS, repository};
use crate::organizations::organization;
use crate::teams;

const ACTORS: [&str; 4] = ["admin", "admin", "u0", "u1"];
const ORGANIZATIONS: [&str; 3] = ["o0", "o1", "u0"];
const USERS: [&str; 4] = ["u0", "u1", "u2", "o0"];
const NAMES: [&str; 2] = ["t0", "t1"];

/// What is drawn: the kind of change, and what it is about.
type Draw = (u8, usize, usize, usize, usize);

fn team(cluster: &Cluster, organization: &str, name: &str) -> TeamId {
    let account = metadata::accounts::find(&cluster.tables, organization).unwrap();
    let there = account.and_then(|_| teams::find(cluster, organization, name));
    there.map_or([1; 16], |team| team.row.id)
}

fn command(cluster: &Cluster, (kind, actor, organization, user, name): Draw) -> Command {
    let actor = ACTORS[actor % ACTORS.len()].to_owned();
    let organization = ORGANIZATIONS[organization % ORGANIZATIONS.len()].to_owned();
    let user = USERS[user % USERS.len()].to_owned();
    let name = NAMES[name % NAMES.len()].to_owned();
    let repository = repository(&format!("{organization}/{name}"));
    let team = team(cluster, &organization, &name);
    let level = [Level::ReadOnly, Level::ReadWrite, Level::Admin][usize::from(kind % 3)];
    let (is_admin, is_change) = (Some(kind % 2 == 0), false);
    let hash = [user.as_bytes()[1]; 32];
    match kind {
        0..3 => UserCreate { name: user, actor, ..nobody() }.into(),
        3..6 => {
            OrganizationCreate { name: organization, full_name: name, actor, quota_bytes: 0 }.into()
        }
        6 if name == "t0" => AccountDelete { name: user, actor }.into(),
        6 if user == "u0" => AccountDelete { name: organization, actor }.into(),
        6..9 => AccountUpdate {
            name: user,
            actor,
            full_name: Some(name),
            is_admin: None,
            is_active: is_admin,
            quota_bytes: None,
        }
        .into(),
        9..12 => MemberPut { organization, user, actor, is_admin, is_change }.into(),
        12 => MemberDelete { organization, user, actor }.into(),
        13..16 => TeamCreate { organization, name, description: user, actor }.into(),
        16 => TeamUpdate { team, actor, name: Some("t1".into()), description: None }.into(),
        17 => TeamDelete { team, actor }.into(),
        18..21 => TeamMemberPut { team, user, actor, is_admin, is_change }.into(),
        21 => TeamMemberDelete { team, user, actor }.into(),
        22..25 => created(repository, actor).into(),
        25 => RepositoryDelete { repository, actor }.into(),
        26..29 => RepositoryGrantPut { repository, team, level, actor }.into(),
        29 => RepositoryGrantDelete { repository, team, actor }.into(),
        30 => NamespaceGrantPut { namespace: organization, team, level, actor }.into(),
        31 => NamespaceGrantDelete { namespace: organization, team, actor }.into(),
        32..34 => token(user, actor).into(),
        34..36 => AccessTokenDelete { hash, actor }.into(),
        36..39 => RobotCreate { organization, name, description: user, actor }.into(),
        39 => RobotDelete { organization, name, actor }.into(),
        40..42 => {
            let user = robots::name_of(&organization, &name);
            TeamMemberPut { team, user, actor, is_admin: None, is_change }.into()
        }
        42 => token(robots::name_of(&organization, &name), actor).into(),
        43 => PublicKeyPut { account: user, actor, der: vec![hash[0]], label: name }.into(),
        44 => {
            let id = public_keys::id_of(&[hash[0]]);
            PublicKeyDelete { account: user, actor, id }.into()
        }
        45..48 => session(hash, user).into(),
        48 => RepositoriesDelete { namespace: organization, actor }.into(),
        _ => later_command(kind, (user, actor, name), hash),
    }
}

/// Of passwords, and of what becomes of tokens.
fn later_command(
    kind: u8,
    (user, actor, name): (String, String, String),
    hash: TokenHash,
) -> Command {
    match kind {
        49 => {
            let (password_hash, former_hash, is_rehash) = (name, None, false);
            PasswordSet { name: user, actor, password_hash, former_hash, is_rehash }.into()
        }
        50 => UserPut { name: user, password_hash: name, is_admin: false }.into(),
        51..53 => {
            AccessTokenUpdate { hash, actor, label: Some(name), is_active: Some(false) }.into()
        }
        53 => {
            let (used_before_wall_ms, origin) = (None, Some(Origin::Manual));
            let (account, start) = (user, Vec::new());
            AccessTokensDelete { account, actor, used_before_wall_ms, origin, start }.into()
        }
        _ => {
            let count = if name == "t0" { 1 } else { BATCH_MAX + 1 };
            AccessTokensUsed { uses: vec![TokenUse { hash, wall_ms: u64::from(kind) }; count] }
                .into()
        }
    }
}

/// Every command about accounts, and about what belongs to them.
const DRAWN: [&str; 30] = [
    "AccessTokenCreate",
    "AccessTokenDelete",
    "AccessTokenUpdate",
    "AccessTokensDelete",
    "AccessTokensUsed",
    "AccountDelete",
    "AccountUpdate",
    "MemberDelete",
    "MemberPut",
    "NamespaceGrantDelete",
    "NamespaceGrantPut",
    "OrganizationCreate",
    "PageSessionOpen",
    "PasswordSet",
    "PublicKeyDelete",
    "PublicKeyPut",
    "RepositoriesDelete",
    "RepositoryCreate",
    "RepositoryDelete",
    "RepositoryGrantDelete",
    "RepositoryGrantPut",
    "RobotCreate",
    "RobotDelete",
    "TeamCreate",
    "TeamDelete",
    "TeamMemberDelete",
    "TeamMemberPut",
    "TeamUpdate",
    "UserCreate",
    "UserPut",
];

fn created(repository: oci::name::RepositoryName, actor: String) -> RepositoryCreate {
    RepositoryCreate {
        repository,
        actor,
        visibility: Visibility::Private,
        on_push: false,
        immutable_tags: false,
        short_description: String::new(),
        long_description: String::new(),
        tag_limit: 0,
    }
}

fn token(user: String, actor: String) -> AccessTokenCreate {
    AccessTokenCreate {
        hash: [user.as_bytes()[1]; 32],
        account: user,
        actor,
        label: String::new(),
        creator_agent: String::new(),
        origin: Origin::Manual,
        expires_wall_ms: 0,
        scopes: Vec::new(),
    }
}

fn session(hash: [u8; 32], account: String) -> PageSessionOpen {
    let (life_ms, idle_ms) = (HOUR_MS, HOUR_MS);
    PageSessionOpen { hash, account, creator_agent: String::new(), life_ms, idle_ms }
}

fn draws(count: usize) -> impl Strategy<Value = Vec<Draw>> {
    proptest::collection::vec((0..55_u8, 0..4_usize, 0..3_usize, 0..4_usize, 0..2_usize), 1..count)
}

/// Runs them, two in an entry; every entry checks what must hold. Counts by command and outcome.
fn run(draws: &[Draw]) -> (Cluster, BTreeMap<(&'static str, bool), usize>) {
    let (mut cluster, mut counts) = (Cluster::new(1), BTreeMap::new());
    for name in ["u0", "u1", "u2"] {
        cluster.does(UserCreate { name: name.into(), ..nobody() });
    }
    for name in ["o0", "o1"] {
        cluster.does(organization(name));
        cluster.does(teams::team(name, "t0"));
    }
    for pair in draws.chunks(2) {
        let commands: Vec<_> = pair.iter().map(|draw| command(&cluster, *draw)).collect();
        let proposals = commands.iter().map(|command| {
            let mut proposal = cluster.proposal(command);
            // No id is drawn twice, nor is what an organization made by a push takes: its opposite.
            proposal.random[1] = 0;
            proposal
        });
        let proposals = proposals.collect();
        let outcomes = cluster.propose(proposals, 0);
        for (command, outcome) in commands.iter().zip(outcomes) {
            *counts.entry((command.name(), outcome.is_ok())).or_default() += 1;
        }
    }
    (cluster, counts)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_asked_of_accounts_the_rows_stay_sound(draws in draws(200)) {
        let (mut cluster, _) = run(&draws);
        // Once all of them are deleted nothing of theirs is left.
        for name in ["o0", "o1", "u0", "u1", "u2"] {
            let command = AccountDelete { name: name.into(), actor: "admin".into() };
            let proposal = cluster.proposal(&command.into());
            cluster.propose(vec![proposal], 0);
        }
        for _ in 0..40 {
            cluster.propose(Vec::new(), 0);
        }
        use metadata::tables::Table;
        for table in [
            Table::DeletedAccounts, Table::OrganizationMembers, Table::Teams, Table::TeamMembers,
            Table::RepositoryGrants, Table::TeamGrants, Table::NamespaceGrants,
            Table::AccessTokens, Table::Repositories, Table::DeletedTeams, Table::PublicKeys,
            Table::PageSessions,
        ] {
            prop_assert_eq!(cluster.tables.count(table), 0, "{:?}", table);
        }
        prop_assert!(access_tokens::listing(&cluster.tables, None, &[], 1).unwrap().next.is_none());
    }
}

/// A test that only ever sees refusals proves nothing.
#[test]
fn random_changes_of_accounts_reach_every_command_carried_out_and_refused() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut counts: BTreeMap<(&'static str, bool), usize> = BTreeMap::new();
    for _ in 0..40 {
        let drawn = draws(220).new_tree(&mut runner).unwrap().current();
        for (key, count) in run(&drawn).1 {
            *counts.entry(key).or_default() += count;
        }
    }
    let drawn: BTreeSet<&str> = counts.keys().map(|(name, _)| *name).collect();
    assert_eq!(drawn, BTreeSet::from(DRAWN));
    for name in DRAWN {
        for outcome in [true, false] {
            assert!(counts.contains_key(&(name, outcome)), "{name} {outcome}: {counts:?}");
        }
    }
}
