//! `/api/v0/repositories`: creating, showing, changing and deleting repositories.
//!
//! Until accounts have teams, these are the system administrator's.
//!
//! Source: dtr-interface 2.2, 3.1, 3.2, 12.4.

use axum::response::Response;
use consensus::cluster::{Cluster, Freshness};
use edge::answer;
use edge::caller::Need;
use edge::paging::PAGE_MAX;
use edge::problem::Problem;
use edge::query::Query;
use http::StatusCode;
use http::header::HeaderName;
use metadata::refusal::Refusal;
use metadata::repositories::commands::{RepositoryCreate, RepositoryDelete, RepositoryUpdate};
use metadata::repositories::description::{self, DescriptionRow};
use metadata::repositories::{self, RepositoryRow, Visibility};
use metadata::tables::{Damage, Read};
use oci::name::RepositoryName;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;

/// Repositories on a page where no number is asked for.
const PAGE_DEFAULT: usize = 10;
/// Bytes of the two descriptions.
const SHORT_BYTES_MAX: usize = 1_024;
const LONG_BYTES_MAX: usize = 32 * 1_024;

const NEXT_PAGE_START: HeaderName = HeaderName::from_static("x-next-page-start");

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
        if self.scan_on_push == Some(true) || self.tag_limit.is_some_and(|limit| limit > 0) {
            let text = "scanOnPush and tagLimit are not there yet: leave them out, or false and 0";
            return Err(Problem::Parameter(text.to_owned()));
        }
        Ok(())
    }
}

/// A page of the repositories there are, in all namespaces or in one.
pub async fn list(call: Call, namespace: Option<String>) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let query = Query::parse(call.parts.uri.query());
    let start = query.first("pageStart").unwrap_or_default().to_owned();
    let entries_max = query.first("pageSize").map_or(Ok(PAGE_DEFAULT), page_size)?;
    let within = namespace.map(|namespace| format!("{namespace}/"));
    let read = call.context.cluster.read(Freshness::Local, |view| {
        let within = within.as_deref().unwrap_or_default();
        let found = repositories::listing(view, within, &start, entries_max)?;
        let shown = found
            .items
            .iter()
            .map(|(name, row)| Ok(shown(name, &(row.clone(), description::of(view, row)?), false)));
        Ok((shown.collect::<Result<Vec<Value>, Damage>>()?, found.next))
    });
    let (shown, next) = read.await?;
    let mut response = answer::json(StatusCode::OK, &json!({ "repositories": shown }));
    if let Some(next) = next {
        answer::set(response.headers_mut(), NEXT_PAGE_START, next.as_str());
    }
    Ok(response)
}

fn page_size(text: &str) -> Result<usize, Problem> {
    let size = text.parse::<usize>().ok().filter(|size| *size > 0);
    let size = size.ok_or_else(|| Problem::Parameter("pageSize is a number above 0".to_owned()))?;
    Ok(size.min(PAGE_MAX))
}

/// Creates one; 201 with it.
pub async fn create(call: Call, namespace: String) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (actor, cluster) = (caller.account().to_owned(), call.context.cluster.clone());
    let asked: Asked = call.json().await?;
    asked.check()?;
    let name = asked.name.as_deref().unwrap_or_default();
    let repository = parsed(&namespace, name)?;
    let create = RepositoryCreate {
        repository: repository.clone(),
        actor,
        visibility: asked.visibility()?.unwrap_or(Visibility::Public),
        on_push: false,
        immutable_tags: asked.immutable_tags.unwrap_or(false),
        short_description: asked.short_description.unwrap_or_default(),
        long_description: asked.long_description.unwrap_or_default(),
    };
    cluster.propose(create.into()).await?;
    let row = as_changed(&cluster, &repository).await?;
    Ok(answer::json(StatusCode::CREATED, &shown(&repository, &row, true)))
}

/// Shows one.
pub async fn get(call: Call, namespace: String, name: String) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let repository = parsed(&namespace, &name)?;
    let cluster = &call.context.cluster;
    let found = cluster.read(Freshness::Local, |view| described(view, &repository)).await?;
    let found = found.ok_or_else(|| unknown(&repository))?;
    Ok(answer::json(StatusCode::OK, &shown(&repository, &found, true)))
}

/// Changes what is given; 200 with the repository as it is then.
pub async fn update(call: Call, namespace: String, name: String) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (actor, cluster) = (caller.account().to_owned(), call.context.cluster.clone());
    let repository = parsed(&namespace, &name)?;
    let asked: Asked = call.json().await?;
    asked.check()?;
    let update = RepositoryUpdate {
        repository: repository.clone(),
        actor,
        visibility: asked.visibility()?,
        immutable_tags: asked.immutable_tags,
        short_description: asked.short_description,
        long_description: asked.long_description,
    };
    cluster.propose(update.into()).await?;
    let row = as_changed(&cluster, &repository).await?;
    Ok(answer::json(StatusCode::OK, &shown(&repository, &row, true)))
}

/// Deletes one with everything in it.
pub async fn delete(call: Call, namespace: String, name: String) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let actor = caller.account().to_owned();
    let repository = parsed(&namespace, &name)?;
    call.context.cluster.propose(RepositoryDelete { repository, actor }.into()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// A repository and what is said of it.
type Described = (RepositoryRow, DescriptionRow);

fn described(read: &impl Read, repository: &RepositoryName) -> Result<Option<Described>, Damage> {
    let Some(row) = repositories::find(read, repository)? else { return Ok(None) };
    let description = description::of(read, &row)?;
    Ok(Some((row, description)))
}

/// The repository after a change. The change was applied at the leader; this replica may be behind,
/// and would show what was before.
async fn as_changed(cluster: &Cluster, repository: &RepositoryName) -> Result<Described, Problem> {
    let read = cluster.read(Freshness::Linearizable, |view| described(view, repository)).await?;
    read.ok_or_else(|| unknown(repository))
}

fn parsed(namespace: &str, name: &str) -> Result<RepositoryName, Problem> {
    Ok(RepositoryName::parse(&format!("{namespace}/{name}"))?)
}

fn unknown(repository: &RepositoryName) -> Problem {
    Problem::Refused(Refusal::RepositoryUnknown { repository: repository.clone() })
}

/// One as clients of the old product read it. What this version does not keep is zero.
fn shown(repository: &RepositoryName, (row, said): &Described, with_long: bool) -> Value {
    let namespace = repository.namespace();
    let name = &repository.as_str()[namespace.len() + 1..];
    let visibility = match row.visibility {
        Visibility::Public => "public",
        Visibility::Private => "private",
    };
    let mut shown = json!({
        "id": uuid(&row.id),
        "namespace": namespace,
        "namespaceType": "organization",
        "name": name,
        "shortDescription": said.short,
        "visibility": visibility,
        "scanOnPush": false,
        "immutableTags": row.immutable_tags,
        "enableManifestLists": true,
        "tagLimit": 0,
        "pulls": 0,
        "pushes": 0,
    });
    if with_long {
        shown["longDescription"] = said.long.clone().into();
    }
    shown
}

/// The id in the form of a UUID.
fn uuid(id: &[u8; 16]) -> String {
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    parts.join("-")
}
