//! `/api/v0/repositories`: creating, showing, changing and deleting repositories.
//!
//! Source: dtr-interface 2.2, 3.1, 3.2, 12.4.

use std::sync::Arc;

use axum::response::Response;
use consensus::cluster::{Cluster, Freshness};
use edge::answer;
use edge::caller::Caller;
use edge::context::Context;
use edge::problem::Problem;
use edge::visible;
use http::StatusCode;
use metadata::access::{self, Action, Reason};
use metadata::accounts::{self, AccountKind};
use metadata::refusal::Refusal;
use metadata::repositories::commands::{
    RepositoriesDelete, RepositoryCreate, RepositoryDelete, RepositoryUpdate,
};
use metadata::repositories::counts::{self, CountsRow};
use metadata::repositories::description::{self, DescriptionRow};
use metadata::repositories::visible::Walk;
use metadata::repositories::{self, Named, RepositoryRow, Visibility};
use metadata::tables::{Damage, Read};
use oci::name::RepositoryName;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::accounts::managed;
use crate::call::Call;
use crate::paging::{self, Part};
use crate::reading::{read, read_changed};
use crate::reference::uuid;

/// Bytes of the two descriptions.
const SHORT_BYTES_MAX: usize = 1_024;
const LONG_BYTES_MAX: usize = 32 * 1_024;

/// Commands that delete the repositories of one namespace, at most.
const ROUNDS_MAX: usize = 10_000;

/// What POST and PATCH take; absent and `null` leave a field, unknown ones are passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    name: Option<String>,
    short_description: Option<String>,
    long_description: Option<String>,
    visibility: Option<String>,
    immutable_tags: Option<bool>,
    scan_on_push: Option<bool>,
    tag_limit: Option<u64>,
}

impl Asked {
    fn visibility(&self) -> Result<Option<Visibility>, Problem> {
        match self.visibility.as_deref() {
            None => Ok(None),
            Some("public") => Ok(Some(Visibility::Public)),
            Some("private") => Ok(Some(Visibility::Private)),
            Some(other) => {
                Err(Problem::VisibilityUnknown { given: other.chars().take(64).collect() })
            }
        }
    }

    /// Refuses what is too long, and what this version would take and not keep.
    fn check(&self) -> Result<(), Problem> {
        let texts = [
            ("shortDescription", &self.short_description, SHORT_BYTES_MAX),
            ("longDescription", &self.long_description, LONG_BYTES_MAX),
        ];
        for (field, text, bytes_max) in texts {
            if text.as_ref().is_some_and(|text| text.len() > bytes_max) {
                let text = format!("{field} has at most {bytes_max} bytes; shorten it");
                return Err(Problem::Parameter(text));
            }
        }
        if self.scan_on_push == Some(true) {
            let text = "scanOnPush is not there yet: leave it out, or false";
            return Err(Problem::Parameter(text.to_owned()));
        }
        Ok(())
    }
}

/// A part of the repositories that the caller may see, in all namespaces or in one.
pub async fn list(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?.as_metadata();
    let part = Part::of_page(&call.query)?;
    let namespace = call.place("ns").to_owned();
    let cluster = &call.context.cluster;
    let within = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
    if !part.start.is_empty() && RepositoryName::parse(&part.start).is_err() {
        return Err(paging::unreadable());
    }
    if !namespace.is_empty() {
        let owner = cluster.read(Freshness::Local, |view| accounts::find(view, &namespace));
        owner.await?.ok_or(Refusal::AccountUnknown { name: namespace })?;
    }
    let walk = |start: &str| Walk::new(caller.clone(), &within, start);
    let found =
        visible::gather(cluster, walk(&part.start), part.limit, |view, named| in_list(view, named));
    let (list, next) = found.await?;
    let count = if part.count { Some(visible::count(cluster, walk("")).await?) } else { None };
    let mut response = answer::json(StatusCode::OK, &json!({ "repositories": list }));
    paging::tell(&mut response, next.as_ref().map(RepositoryName::as_str), count);
    Ok(response)
}

/// Creates one; 201 with it.
pub async fn create(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let (actor, context) = (caller.account().to_owned(), Arc::clone(&call.context));
    let (namespace, cluster) = (call.place("ns").to_owned(), &context.cluster);
    let owner = cluster.read(Freshness::Local, |view| accounts::find(view, &namespace)).await?;
    if owner.is_none() {
        return Err(Refusal::AccountUnknown { name: namespace }.into());
    }
    let asked: Asked = call.json().await?;
    asked.check()?;
    let name = asked.name.as_deref().unwrap_or_default();
    let repository = parsed(&namespace, name)?;
    permit_creation(&context, &caller, &repository).await?;
    let create = RepositoryCreate {
        repository: repository.clone(),
        actor,
        visibility: asked.visibility()?.unwrap_or(Visibility::Public),
        on_push: false,
        immutable_tags: asked.immutable_tags.unwrap_or(false),
        short_description: asked.short_description.unwrap_or_default(),
        long_description: asked.long_description.unwrap_or_default(),
        tag_limit: asked.tag_limit.unwrap_or(0),
    };
    cluster.propose_for(caller.voucher(), create.into()).await?;
    let changed = as_changed(cluster, &repository).await?;
    Ok(answer::json(StatusCode::CREATED, &shown(&changed, true)))
}

/// Shows one.
pub async fn get(call: Call) -> Result<Response, Problem> {
    let repository = named(&call)?;
    let caller = call.signed_in().await?;
    permit(&call.context, &caller, &repository, Action::Pull).await?;
    let cluster = &call.context.cluster;
    let found = cluster.read(Freshness::Local, |view| find_described(view, &repository)).await?;
    let found = found.ok_or_else(|| unknown(&repository))?;
    Ok(answer::json(StatusCode::OK, &shown(&found, true)))
}

/// Changes what is given; 200 with the repository as it is then.
pub async fn update(call: Call) -> Result<Response, Problem> {
    let repository = named(&call)?;
    let caller = call.signed_in().await?;
    permit(&call.context, &caller, &repository, Action::Administer).await?;
    let (actor, cluster) = (caller.account().to_owned(), call.context.cluster.clone());
    let asked: Asked = call.json().await?;
    asked.check()?;
    let update = RepositoryUpdate {
        repository: repository.clone(),
        actor,
        visibility: asked.visibility()?,
        immutable_tags: asked.immutable_tags,
        short_description: asked.short_description,
        long_description: asked.long_description,
        tag_limit: asked.tag_limit,
    };
    cluster.propose_for(caller.voucher(), update.into()).await?;
    let changed = as_changed(&cluster, &repository).await?;
    Ok(answer::json(StatusCode::OK, &shown(&changed, true)))
}

/// Deletes one with everything in it.
pub async fn delete(call: Call) -> Result<Response, Problem> {
    let repository = named(&call)?;
    let caller = call.signed_in().await?;
    permit(&call.context, &caller, &repository, Action::Administer).await?;
    let delete = RepositoryDelete { repository, actor: caller.account().to_owned() };
    call.context.cluster.propose_for(caller.voucher(), delete.into()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// Deletes all repositories of a namespace, as many with each command as one may take.
pub async fn delete_all(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let (who, actor) = (caller.as_metadata(), caller.account().to_owned());
    let (text, cluster) = (call.place("account").to_owned(), &call.context.cluster);
    let found = read(cluster, Freshness::Local, |view| managed(view, &who, &text));
    let (namespace, _) = found.await?;
    let within = format!("{namespace}/");
    for _ in 0..ROUNDS_MAX {
        let left = read_changed(cluster, |view| {
            Ok(!repositories::listing(view, &within, "", 1)?.items.is_empty())
        });
        if !left.await? {
            return Ok(answer::empty(StatusCode::NO_CONTENT));
        }
        let (namespace, actor) = (namespace.clone(), actor.clone());
        let delete = RepositoriesDelete { namespace, actor };
        cluster.propose_for(caller.voucher(), delete.into()).await?;
    }
    let what = format!("repositories of {namespace} are created as fast as they are deleted");
    Err(Problem::Busy { what })
}

/// Goes on only where the caller may do this; a repository that they may not see is none to them.
pub(crate) async fn permit(
    context: &Context,
    caller: &Caller,
    repository: &RepositoryName,
    action: Action,
) -> Result<(), Problem> {
    let who = caller.as_metadata();
    let judged = context
        .cluster
        .read(Freshness::Local, |view| access::judge(view, &who, repository, action));
    let decision = judged.await?;
    match decision.reason {
        Reason::Permitted => Ok(()),
        reason if decision.visible && reason != Reason::RepositoryMissing => {
            Err(Problem::Denied { repository: repository.clone(), reason })
        }
        _ => Err(unknown(repository)),
    }
}

/// Goes on only where the caller may create this. What a command would refuse for want of a right
/// is no entry of the log.
async fn permit_creation(
    context: &Context,
    caller: &Caller,
    repository: &RepositoryName,
) -> Result<(), Problem> {
    let who = caller.as_metadata();
    let judged = context
        .cluster
        .read(Freshness::Local, |view| access::judge(view, &who, repository, Action::Create));
    match judged.await?.reason {
        reason @ (Reason::SignInRequired | Reason::ReadRequired | Reason::AdminRequired) => {
            Err(Problem::Denied { repository: repository.clone(), reason })
        }
        // Whether there is one already, or the name does not do, is decided with the creation.
        _ => Ok(()),
    }
}

/// A repository, what is said of it, and whether its namespace is an organization's.
struct Described {
    name: RepositoryName,
    row: RepositoryRow,
    said: DescriptionRow,
    counts: CountsRow,
    owner: Option<AccountKind>,
}

fn described(read: &impl Read, (name, row): Named) -> Result<Described, Damage> {
    let said = description::of(read, &row)?;
    let counts = counts::of(read, row.number())?;
    let owner = accounts::find(read, name.namespace())?.map(|row| row.kind);
    Ok(Described { name, row, said, counts, owner })
}

fn find_described(read: &impl Read, name: &RepositoryName) -> Result<Option<Described>, Damage> {
    let row = repositories::find(read, name)?;
    row.map(|row| described(read, (name.clone(), row))).transpose()
}

/// The repository after a change. The change was applied at the leader; this replica may be behind,
/// and would show what was before.
async fn as_changed(cluster: &Cluster, name: &RepositoryName) -> Result<Described, Problem> {
    let read = cluster.read(Freshness::Linearizable, |view| find_described(view, name)).await?;
    read.ok_or_else(|| unknown(name))
}

/// The repository that the path names.
pub(crate) fn named(call: &Call) -> Result<RepositoryName, Problem> {
    parsed(call.place("ns"), call.place("repo"))
}

fn parsed(namespace: &str, name: &str) -> Result<RepositoryName, Problem> {
    Ok(RepositoryName::parse(&format!("{namespace}/{name}"))?)
}

/// What somebody is told who may not know of the repository, and where there is none.
pub(crate) fn unknown(repository: &RepositoryName) -> Problem {
    Problem::Refused(Refusal::RepositoryUnknown { repository: repository.clone() })
}

/// One as lists show it.
pub(crate) fn in_list(read: &impl Read, named: Named) -> Result<Value, Damage> {
    Ok(shown(&described(read, named)?, false))
}

/// One as clients of the old product read it. What this version does not keep is zero.
fn shown(Described { name, row, said, counts, owner }: &Described, with_long: bool) -> Value {
    let namespace = name.namespace();
    let visibility = match row.visibility {
        Visibility::Public => "public",
        Visibility::Private => "private",
    };
    let kind = match owner {
        Some(AccountKind::User | AccountKind::Robot) => "user",
        _ => "organization",
    };
    let mut shown = json!({
        "id": uuid(&row.id),
        "namespace": namespace,
        "namespaceType": kind,
        "name": &name.as_str()[namespace.len() + 1..],
        "shortDescription": said.short,
        "visibility": visibility,
        "scanOnPush": false,
        "immutableTags": row.immutable_tags,
        "enableManifestLists": true,
        "tagLimit": row.tag_limit,
        "pulls": counts.pulls,
        "pushes": counts.pushes,
    });
    if with_long {
        shown["longDescription"] = said.long.clone().into();
    }
    shown
}
