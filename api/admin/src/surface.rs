//! The routes of this surface.

use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::response::Response;
use axum::routing::any;
use edge::context::Context;
use edge::management_form;
use edge::problem::Problem;
use edge::request_log::RequestId;
use http::Method;

use crate::call::Call;
use crate::{
    access, account_import, accounts, action_configs, adoption, alerts, api_tokens, audit, backup,
    cluster_status, crons, events, features, gc, idempotency, index, job_logs, jobs, join_tokens,
    language, ldap_settings, ldap_sync, manifests, members, namespace_access, openapi,
    openid_settings, openid_sign_in, openid_users, passwords, public_keys, replicas, repositories,
    repository_access, robots, sessions, settings, system_accounts, tag_history, tags, team_access,
    team_members, teams, token_keys, user_settings, workers,
};

/// What a handler comes to.
type Answering = Pin<Box<dyn Future<Output = Result<Response, Problem>> + Send>>;

/// What stands in the places of a path, unless its escapes don't decode to text.
type Places = Result<RawPathParams, RawPathParamsRejection>;

/// Answers one method of one path.
pub type Handler = fn(Call) -> Answering;

macro_rules! to {
    ($($handle:path),*) => { &[$(|call| Box::pin($handle(call))),*] };
}

/// Every route of this surface: its methods and its path, as docs/api.md lists them, and who
/// answers each method, in the same order.
pub const ROUTES: &[(&str, &str, &[Handler])] = &[
    ("GET", "/api/v0/meta/cluster_status", to!(cluster_status::get)),
    ("GET, POST", "/api/v0/meta/settings", to!(settings::get, settings::set)),
    ("GET", "/api/v0/meta/backup", to!(backup::get)),
    ("GET", "/api/v0/meta/adoption", to!(adoption::get)),
    ("GET", "/api/v0/meta/adoption/missing", to!(adoption::missing)),
    ("POST", "/api/v0/meta/adoption/finish", to!(adoption::finish)),
    ("GET, POST", "/api/v0/join_tokens", to!(join_tokens::list, join_tokens::create)),
    ("DELETE", "/api/v0/join_tokens/{id}", to!(join_tokens::revoke)),
    (
        "GET, PATCH, DELETE",
        "/api/v0/replicas/{replica}",
        to!(replicas::get, replicas::update, replicas::remove),
    ),
    ("GET", "/api/v0/repositories", to!(repositories::list)),
    ("GET, POST", "/api/v0/repositories/{ns}", to!(repositories::list, repositories::create)),
    (
        "GET, PATCH, DELETE",
        "/api/v0/repositories/{ns}/{repo}",
        to!(repositories::get, repositories::update, repositories::delete),
    ),
    ("GET", "/api/v0/repositories/{ns}/{repo}/teamAccess", to!(team_access::list)),
    (
        "PUT, DELETE",
        "/api/v0/repositories/{ns}/{repo}/teamAccess/{team}",
        to!(team_access::put, team_access::delete),
    ),
    ("GET", "/api/v0/repositoryNamespaces/{ns}/teamAccess", to!(namespace_access::list)),
    (
        "GET, PUT, DELETE",
        "/api/v0/repositoryNamespaces/{ns}/teamAccess/{team}",
        to!(namespace_access::get, namespace_access::put, namespace_access::delete),
    ),
    (
        "GET",
        "/api/v0/accounts/{org}/teams/{team}/repositoryAccess",
        to!(repository_access::of_team),
    ),
    (
        "GET",
        "/api/v0/accounts/{user}/repositoryAccess/{ns}/{repo}",
        to!(repository_access::of_user),
    ),
    ("GET", "/api/v0/access/check", to!(access::check)),
    (
        "GET, POST, DELETE",
        "/api/v0/api_tokens",
        to!(api_tokens::list, api_tokens::create, api_tokens::delete_some),
    ),
    (
        "GET, PATCH, DELETE",
        "/api/v0/api_tokens/{hashedtoken}",
        to!(api_tokens::get, api_tokens::update, api_tokens::delete),
    ),
    ("GET", "/api/v0/repositories/{ns}/{repo}/tags", to!(tags::list)),
    ("GET, DELETE", "/api/v0/repositories/{ns}/{repo}/tags/{ref}", to!(tags::get, tags::delete)),
    ("GET", "/api/v0/repositories/{ns}/{repo}/tags/{tag}/history", to!(tag_history::get)),
    ("POST", "/api/v0/repositories/{ns}/{repo}/tags/{tag}/undelete", to!(tag_history::undelete)),
    ("GET", "/api/v0/repositories/{ns}/{repo}/manifests", to!(manifests::list)),
    ("DELETE", "/api/v0/repositories/{ns}/{repo}/manifests/{ref}", to!(manifests::delete)),
    ("GET", "/api/v0/repositories/{ns}/{repo}/events", to!(events::of_repository)),
    ("GET", "/api/v0/events", to!(events::list)),
    ("GET", "/api/v0/audit", to!(audit::list)),
    ("GET", "/api/v0/index/autocomplete", to!(index::autocomplete)),
    ("GET", "/api/v0/index/dockersearch", to!(index::docker_search)),
    ("GET", "/v1/search", to!(index::old_search)),
    ("GET", "/api/v0/meta/features", to!(features::get)),
    ("GET", "/api/v0/meta/alerts", to!(alerts::get)),
    ("GET", "/api/v0/admin/version", to!(features::version)),
    ("POST", "/api/v0/admin/tokens/rotate", to!(token_keys::rotate)),
    ("GET, POST", "/api/v0/jobs", to!(jobs::list, jobs::create)),
    ("GET, DELETE", "/api/v0/jobs/{job}", to!(jobs::get, jobs::delete)),
    ("POST", "/api/v0/jobs/{job}/cancel", to!(jobs::cancel)),
    ("GET", "/api/v0/jobs/{job}/logs", to!(job_logs::get)),
    ("GET, POST", "/api/v0/crons", to!(crons::list, crons::set)),
    ("GET, DELETE", "/api/v0/crons/{action}", to!(crons::get, crons::delete)),
    ("GET, POST", "/api/v0/action_configs", to!(action_configs::list, action_configs::set)),
    (
        "GET, DELETE",
        "/api/v0/action_configs/{action}",
        to!(action_configs::get, action_configs::delete),
    ),
    ("GET", "/api/v0/gc", to!(gc::get)),
    ("GET", "/api/v0/gc/plan", to!(gc::plan)),
    ("GET", "/api/v0/gc/blobs/{digest}", to!(gc::explain)),
    ("GET", "/api/v0/workers", to!(workers::list)),
    ("POST", "/api/v0/workers/{worker}/capacity", to!(workers::set_capacity)),
    ("GET", "/enzi/v0/jobs", to!(jobs::list)),
    ("GET", "/enzi/v0/jobs/{job}", to!(jobs::get)),
    ("GET", "/enzi/v0/workers", to!(workers::list)),
    ("GET, POST, DELETE", "/api/v0/session", to!(sessions::get, sessions::begin, sessions::end)),
    ("DELETE", "/api/v0/accounts/{account}", to!(accounts::delete)),
    ("DELETE", "/api/v0/accounts/{account}/repositories", to!(repositories::delete_all)),
    (
        "GET, PATCH",
        "/api/v0/accounts/{user}/settings",
        to!(user_settings::get, user_settings::update),
    ),
    ("GET", "/api/v0/accounts/language", to!(language::get)),
    ("GET", "/api/v0/openapi.json", to!(openapi::get)),
    ("GET", "/enzi/v0/openapi.json", to!(openapi::get)),
    ("GET, POST", "/enzi/v0/accounts", to!(accounts::list, accounts::create)),
    (
        "GET, PATCH, DELETE",
        "/enzi/v0/accounts/{account}",
        to!(accounts::get, accounts::update, accounts::delete),
    ),
    ("POST", "/enzi/v0/accounts/{user}/changePassword", to!(passwords::change)),
    ("GET", "/enzi/v0/accounts/{user}/organizations", to!(members::organizations)),
    ("GET, POST", "/enzi/v0/accounts/{user}/publicKeys", to!(public_keys::list, public_keys::add)),
    (
        "PATCH, DELETE",
        "/enzi/v0/accounts/{user}/publicKeys/{keyID}",
        to!(public_keys::update, public_keys::delete),
    ),
    ("GET, POST", "/enzi/v0/accounts/{org}/robots", to!(robots::list, robots::create)),
    ("DELETE", "/enzi/v0/accounts/{org}/robots/{robot}", to!(robots::delete)),
    ("GET", "/enzi/v0/accounts/{org}/members", to!(members::list)),
    (
        "GET, PUT, PATCH, DELETE",
        "/enzi/v0/accounts/{org}/members/{user}",
        to!(members::get, members::put, members::update, members::delete),
    ),
    ("GET", "/enzi/v0/accounts/{org}/members/{user}/teams", to!(members::teams)),
    ("GET, POST", "/enzi/v0/accounts/{org}/teams", to!(teams::list, teams::create)),
    (
        "GET, PATCH, DELETE",
        "/enzi/v0/accounts/{org}/teams/{team}",
        to!(teams::get, teams::update, teams::delete),
    ),
    ("GET", "/enzi/v0/accounts/{org}/teams/{team}/members", to!(team_members::list)),
    (
        "GET, PUT, PATCH, DELETE",
        "/enzi/v0/accounts/{org}/teams/{team}/members/{user}",
        to!(team_members::get, team_members::put, team_members::update, team_members::delete),
    ),
    (
        "GET, PUT",
        "/enzi/v0/accounts/{org}/adminMemberSyncConfig",
        to!(ldap_sync::get_owners, ldap_sync::set_owners),
    ),
    (
        "GET, PUT",
        "/enzi/v0/accounts/{org}/teams/{team}/memberSyncConfig",
        to!(ldap_sync::get_team, ldap_sync::set_team),
    ),
    ("GET, PUT", "/enzi/v0/config/auth", to!(ldap_settings::backend, ldap_settings::set_backend)),
    ("GET, PUT", "/enzi/v0/config/auth/ldap", to!(ldap_settings::get, ldap_settings::set)),
    ("POST", "/enzi/v0/config/auth/ldap/tryLogin", to!(ldap_settings::try_login)),
    ("GET, POST", "/enzi/v0/config/auth/ldap/sync", to!(ldap_sync::status, ldap_sync::begin)),
    ("GET, PUT", "/enzi/v0/config/openid", to!(openid_settings::get, openid_settings::set)),
    (
        "GET, PUT, DELETE",
        "/enzi/v0/accounts/{user}/openid",
        to!(openid_users::get, openid_users::tie, openid_users::untie),
    ),
    ("GET", "/api/v0/openid/login", to!(openid_sign_in::begin)),
    ("GET", "/api/v0/openid/callback", to!(openid_sign_in::finish)),
    ("POST", "/api/v0/openid/access_token", to!(openid_sign_in::make_token)),
    ("GET, PUT", "/enzi/v0/config/accounts", to!(system_accounts::get, system_accounts::set)),
    ("POST", "/enzi/v0/admin/importAccounts", to!(account_import::import)),
];

/// Whether a path belongs to this surface.
pub fn serves(path: &str) -> bool {
    ["/api/", "/enzi/", "/charts/"].iter().any(|prefix| path.starts_with(prefix))
}

/// The routes over one replica.
pub fn router(context: Arc<Context>) -> Router {
    let mut router = Router::new();
    for (methods, path, handlers) in ROUTES {
        router = router.route(
            path,
            any(async move |State(context), params: Places, request: Request| match params {
                Ok(params) => respond((methods, path, handlers), context, &params, request).await,
                Err(_) => unreadable(&request),
            }),
        );
    }
    router.with_state(context)
}

/// Runs the handler of the request's method and presents what went wrong.
async fn respond(
    (methods, path, handlers): (&'static str, &str, &[Handler]),
    context: Arc<Context>,
    params: &RawPathParams,
    request: Request,
) -> Response {
    let id = RequestId::of(request.extensions());
    // The body of an answer to HEAD is left out where it is sent.
    let is_head = request.method() == Method::HEAD;
    let asked = if is_head { Method::GET } else { request.method().clone() };
    let position = methods.split(", ").position(|method| method == asked.as_str());
    let Some(handler) = position.and_then(|position| handlers.get(position)) else {
        return management_form::respond(&Problem::MethodNotAllowed { allow: methods }, &id);
    };
    let answer = match idempotency::key_of(request.headers(), (asked.as_str(), path)) {
        Ok(None) => handler(Call::new(context, params, request)).await,
        Ok(Some(key)) => {
            Box::pin(idempotency::once(key, context, (*handler, params), request)).await
        }
        Err(problem) => Err(problem),
    };
    answer.unwrap_or_else(|problem| management_form::respond(&problem, &id))
}

/// The answer to a path that is no text.
fn unreadable(request: &Request) -> Response {
    let problem = Problem::Parameter("the path does not decode to UTF-8".to_owned());
    management_form::respond(&problem, &RequestId::of(request.extensions()))
}

/// The answer to a path of this surface that is not served.
pub fn unknown(request: &Request) -> Response {
    let problem = match features::missing(request.uri().path()) {
        Some(feature) => Problem::FeatureMissing { feature },
        None => Problem::PathUnknown,
    };
    management_form::respond(&problem, &RequestId::of(request.extensions()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use metadata::accounts::RESERVED;

    use super::ROUTES;

    /// Where a word stands in the place of an account's name in another path, that word must be no
    /// account's: it could not be asked for there.
    #[test]
    fn words_that_stand_where_an_account_could_are_reserved() {
        let mut words = BTreeSet::new();
        let accounts = ["{account}", "{user}", "{org}", "{ns}"];
        for (_, one, _) in ROUTES {
            for (_, other, _) in ROUTES {
                let mut pairs = one.split('/').zip(other.split('/'));
                let differing = pairs.find(|(one, other)| one != other);
                let Some((place, word)) = differing else { continue };
                if accounts.contains(&place) && !word.starts_with('{') {
                    words.insert(word);
                }
            }
        }
        let lacking: Vec<_> = words.iter().filter(|word| !RESERVED.contains(word)).collect();
        assert!(lacking.is_empty(), "{lacking:?} are missing in metadata::accounts::RESERVED");
        assert!(words.contains("language"), "{words:?}");
    }

    #[test]
    fn every_method_has_a_handler_and_every_handler_a_method() {
        for (methods, path, handlers) in ROUTES {
            assert_eq!(methods.split(", ").count(), handlers.len(), "{path}");
        }
    }
}
