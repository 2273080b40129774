//! Repositories of the destination: made where they miss, with an organization around them where
//! that misses too.

use oci::name::RepositoryName;
use reqwest::Method;
use serde_json::{Value, json};

use super::api::Api;
use super::trouble::Trouble;

/// Where the repositories of a namespace, and each of them, are.
pub fn path_of(name: &RepositoryName) -> (String, String) {
    let list = format!("/api/v0/repositories/{}", name.namespace());
    (list, format!("/api/v0/repositories/{}", name.as_str()))
}

/// The last part of a repository's name.
pub fn own_name(name: &RepositoryName) -> &str {
    name.components().last().unwrap_or_default()
}

/// Makes a repository of these settings; `false` where somebody else just made it.
pub async fn create(api: &Api, name: &RepositoryName, settings: Value) -> Result<bool, Trouble> {
    let (list, _) = path_of(name);
    let mut body = settings;
    body["name"] = own_name(name).into();
    match api.change(Method::POST, &list, &body).await {
        Ok(_) => Ok(true),
        // Our own request, of which the answer was lost, may have been the somebody.
        Err(trouble) if trouble.says("REPOSITORY_EXISTS") => Ok(false),
        Err(trouble) => Err(trouble),
    }
}

/// Makes an organization, unless an account of that name is there.
pub async fn create_organization(api: &Api, name: &str) -> Result<(), Trouble> {
    let body = json!({"name": name, "isOrg": true});
    match api.change(Method::POST, "/enzi/v0/accounts", &body).await {
        Err(trouble) if !trouble.says("ACCOUNT_EXISTS") => Err(trouble),
        _ => Ok(()),
    }
}
