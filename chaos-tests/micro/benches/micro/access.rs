//! Who may do what in a small company and in a large one, read from tables on the disk.
//!
//! The large one is as large as Holdfast is made for: 100,000 repositories, 10,000 users, 1,000
//! teams. A hundredth of that is the small one; what is asked should cost the same in both.

use criterion::{BatchSize, Criterion};
use kv::store::{KvError, Store};
use metadata::access::{self, Action, Caller};
use metadata::accounts;
use metadata::accounts::commands::{OrganizationCreate, UserCreate};
use metadata::grants::Level;
use metadata::grants::commands::{NamespaceGrantPut, RepositoryGrantPut};
use metadata::repositories::Visibility;
use metadata::repositories::commands::RepositoryCreate;
use metadata::repositories::visible::Walk;
use metadata::teams::commands::{TeamCreate, TeamMemberPut};
use metadata::teams::{self, TeamId};
use oci::name::RepositoryName;

use crate::state::{State, repository};
use crate::stored::{View, fill};

const ADMIN: &str = "admin";
/// Teams of an organization; the first was granted all of it.
const TEAMS: usize = 10;
/// Repositories granted to each other team.
const GRANTS: usize = 100;
/// A page of repositories.
const PAGE: usize = 100;

/// How large a company is.
struct Company {
    organizations: usize,
    repositories_each: usize,
    users_each: usize,
}

impl Company {
    fn user(&self, turn: usize) -> String {
        let number = turn % (self.organizations * self.users_each);
        format!("user-{number:05}")
    }

    fn repository(&self, turn: usize) -> RepositoryName {
        let organization = turn % self.organizations;
        let number = turn / self.organizations % self.repositories_each;
        repository(&name_of(organization, number))
    }
}

fn organization_of(number: usize) -> String {
    format!("org-{number:03}")
}

fn name_of(organization: usize, number: usize) -> String {
    format!("{}/app-{number:04}", organization_of(organization))
}

/// One decision, and one page of what somebody may see.
pub(crate) fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("access");
    for (name, organizations) in [("1,000 repositories", 1), ("100,000 repositories", 100)] {
        let company = Company { organizations, repositories_each: 1_000, users_each: 100 };
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("tables")).unwrap();
        fill(&store, &found(&company));
        let mut turn = 0;
        // A prime step walks over users and repositories alike.
        let mut next = || {
            turn += 7_919;
            (caller(&store, &company.user(turn)), company.repository(turn))
        };
        group.bench_function(format!("decision, {name}"), |bencher| {
            let ask = |(caller, repository): (Caller, RepositoryName)| {
                let read = store.read(|reader| {
                    let view = View(reader);
                    let asked = access::judge(&view, &caller, &repository, Action::Push);
                    Ok::<_, KvError>(asked.unwrap())
                });
                read.unwrap()
            };
            bencher.iter_batched(&mut next, ask, BatchSize::SmallInput);
        });
        group.bench_function(format!("page of 100, {name}"), |bencher| {
            let ask = |(caller, repository): (Caller, RepositoryName)| {
                let read = store.read(|reader| {
                    let (view, mut found) = (View(reader), 0);
                    let mut walk = Walk::new(caller, "", repository.as_str());
                    while found < PAGE && !walk.is_done() {
                        found += walk.step(&view, PAGE - found).unwrap().len();
                    }
                    Ok::<_, KvError>(found)
                });
                read.unwrap()
            };
            bencher.iter_batched(&mut next, ask, BatchSize::SmallInput);
        });
        store.close().unwrap();
    }
    group.finish();
}

fn caller(store: &Store, user: &str) -> Caller {
    let read = store
        .read(|reader| Ok::<_, KvError>(access::caller(&View(reader), user).unwrap().unwrap()));
    read.unwrap()
}

/// Its organizations, each with its users, teams, repositories and grants.
fn found(company: &Company) -> State {
    let mut state = State::new();
    for organization in 0..company.organizations {
        let name = organization_of(organization);
        let create = OrganizationCreate {
            name: name.clone(),
            full_name: String::new(),
            actor: ADMIN.into(),
            quota_bytes: 0,
        };
        state.run(create).unwrap();
        let teams: Vec<TeamId> =
            (0..TEAMS).map(|team| create_team(&mut state, &name, team)).collect();
        for user in 0..company.users_each {
            let user = organization * company.users_each + user;
            create_user(&mut state, &company.user(user), &teams[user % TEAMS]);
        }
        for number in 0..company.repositories_each {
            create_repository(&mut state, &name_of(organization, number), number);
        }
        let everywhere = NamespaceGrantPut {
            namespace: name,
            team: teams[0],
            level: Level::ReadOnly,
            actor: ADMIN.into(),
        };
        state.run(everywhere).unwrap();
        for (team, id) in teams.iter().enumerate().skip(1) {
            for number in 0..GRANTS.min(company.repositories_each) {
                let number = (number * TEAMS + team) % company.repositories_each;
                let grant = RepositoryGrantPut {
                    repository: repository(&name_of(organization, number)),
                    team: *id,
                    level: Level::ReadWrite,
                    actor: ADMIN.into(),
                };
                state.run(grant).unwrap();
            }
        }
    }
    state
}

fn create_team(state: &mut State, organization: &str, number: usize) -> TeamId {
    let create = TeamCreate {
        organization: organization.to_owned(),
        name: format!("team-{number}"),
        description: String::new(),
        actor: ADMIN.into(),
    };
    state.run(create).unwrap();
    let (row, name) = (accounts::find(&state.tables, organization), format!("team-{number}"));
    let team = teams::find(&state.tables, &row.unwrap().unwrap().id, &name);
    team.unwrap().unwrap().row.id
}

fn create_user(state: &mut State, name: &str, team: &TeamId) {
    let create = UserCreate {
        name: name.to_owned(),
        password_hash: "hash".into(),
        is_admin: false,
        full_name: String::new(),
        is_inactive: false,
        is_imported: false,
        actor: ADMIN.into(),
        quota_bytes: 0,
    };
    state.run(create).unwrap();
    let put = TeamMemberPut {
        team: *team,
        user: name.to_owned(),
        actor: ADMIN.into(),
        is_admin: None,
        is_change: false,
    };
    state.run(put).unwrap();
}

/// Every tenth is public.
fn create_repository(state: &mut State, name: &str, number: usize) {
    let public = number % 10 == 0;
    let create = RepositoryCreate {
        repository: repository(name),
        visibility: if public { Visibility::Public } else { Visibility::Private },
        actor: ADMIN.into(),
        on_push: false,
        immutable_tags: false,
        short_description: String::new(),
        long_description: String::new(),
        tag_limit: 0,
    };
    state.run(create).unwrap();
}
