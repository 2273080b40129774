//! `/api/v0/meta/features` and `/api/v0/admin/version`: what this registry can do and is; and what
//! the old product served and this one does not yet.
//!
//! Source: dtr-interface 2.5, 3.2.

use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::problem::Problem;
use http::StatusCode;
use metadata::openid;
use serde_json::json;

use crate::call::Call;

/// What it can do.
pub async fn get(call: Call) -> Result<Response, Problem> {
    call.signed_in().await?;
    let cluster = &call.context.cluster;
    let openid = cluster.read(Freshness::Local, |view| openid::in_use(view)).await?;
    let document = json!({
        "openIDEnabled": openid.is_some(),
        "scanningEnabled": false,
        "scanningLicensed": true,
        "promotionLicensed": true,
        "mirroringLicensed": true,
        "metadataStoreOptedIn": true,
        "onlineGCEnabled": true,
        "db_version": 0,
        "ucpHost": call.context.names.external_host(),
    });
    Ok(answer::json(StatusCode::OK, &document))
}

/// What it is.
pub async fn version(call: Call) -> Result<Response, Problem> {
    call.signed_in().await?;
    Ok(answer::json(StatusCode::OK, &json!({ "version": env!("CARGO_PKG_VERSION") })))
}

/// The feature that the old product served under this path and this one does not have yet.
pub fn missing(path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match parts[..] {
        ["api", "v0", ref rest @ ..] => of_management(rest),
        ["api", "v1", "repositories", _, _, "tags", ..] => Some("tags with platforms"),
        ["charts", ..] => Some("charts"),
        _ => None,
    }
}

fn of_management(parts: &[&str]) -> Option<&'static str> {
    match parts[..] {
        ["imagescan", ..] => Some("scanning"),
        ["webhooks", ..] | ["accounts", _, "webhooks"] => Some("webhooks"),
        ["content_caches", ..] => Some("content caches"),
        ["remote", "registry"] => Some("mirroring"),
        ["admin", "settings", "registry"] => Some("storage settings"),
        ["repositories", "scan", "toggle"] => Some("scanning"),
        ["repositories", _, _, feature, ..] => of_repository(feature, parts.last().copied()),
        _ => None,
    }
}

fn of_repository(feature: &str, last: Option<&str>) -> Option<&'static str> {
    match (feature, last) {
        ("promotionPolicies", _) | ("tags", Some("promotion")) => Some("promotion"),
        ("mirroringPolicies" | "pollMirroringPolicies" | "pushMirroringPolicies", _)
        | ("tags", Some("pushMirroring")) => Some("mirroring"),
        ("pruningPolicies", _) => Some("pruning"),
        ("webhooks", _) => Some("webhooks"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn what_is_not_there_yet_is_called_by_its_name() {
        let cases = [
            ("/api/v0/imagescan/status", Some("scanning")),
            ("/api/v0/imagescan/scansummary/repositories/a/b/c", Some("scanning")),
            ("/api/v0/repositories/scan/toggle", Some("scanning")),
            ("/api/v0/repositories/a/b/pruningPolicies", Some("pruning")),
            ("/api/v0/repositories/a/b/pruningPolicies/test", Some("pruning")),
            ("/api/v0/repositories/a/b/promotionPolicies/1", Some("promotion")),
            ("/api/v0/repositories/a/b/tags/v1/promotion", Some("promotion")),
            ("/api/v0/repositories/a/b/tags/v1/pushMirroring", Some("mirroring")),
            ("/api/v0/repositories/a/b/tags/v1", None),
            ("/api/v0/repositories/a/b/pollMirroringPolicies", Some("mirroring")),
            ("/api/v0/jobs", None),
            ("/api/v0/webhooks", Some("webhooks")),
            ("/api/v0/accounts/a/webhooks", Some("webhooks")),
            ("/api/v0/content_caches", Some("content caches")),
            ("/api/v0/nothing", None),
            ("/api/v1/jobs", None),
            ("/enzi/v0/config/openid", None),
            ("/enzi/v0/config/auth/ldap", None),
            ("/api/v0/events", None),
            ("/enzi/v0/accounts/a/publicKeys/b", None),
            ("/enzi/v0/accounts/a/nothing", None),
            ("/api/v1/repositories/a/b/tags/c", Some("tags with platforms")),
            ("/charts/a/b/index.yaml", Some("charts")),
        ];
        for (path, feature) in cases {
            assert_eq!(missing(path), feature, "{path}");
        }
    }
}
