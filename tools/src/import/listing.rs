//! Lists of a registry, followed to their end one bounded page at a time: repositories, tags and
//! referrers.
//!
//! Source: OCI distribution-spec 1.1, "Listing Tags", "Listing Referrers"; distribution, "Catalog".

use oci::descriptor::Descriptor;
use oci::digest::Digest;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::reading;
use super::registry::{Registry, pull};
use super::trouble::Trouble;
use crate::bench::address::path_of;

/// Entries that are asked for at once; some registries refuse more.
const PAGE_SIZE: usize = 500;
/// Bytes of a page. Some registries answer with all tags whatever is asked for.
const PAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Pages of a list: nobody has so many, and a server may go round in circles.
const PAGES_MAX: usize = 100_000;

/// What is left of a list.
pub struct Listing<'a> {
    registry: &'a Registry,
    doing: String,
    scopes: String,
    /// Path and query of the next page; `None` where all was read.
    next: Option<String>,
    pages: usize,
}

#[derive(Deserialize)]
struct Catalog {
    #[serde(default)]
    repositories: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
}

impl<'a> Listing<'a> {
    /// All repositories that the account may know of.
    pub fn catalog(registry: &'a Registry) -> Self {
        Self {
            registry,
            doing: "listing repositories".to_owned(),
            scopes: "registry:catalog:*".to_owned(),
            next: Some(format!("/v2/_catalog?n={PAGE_SIZE}")),
            pages: 0,
        }
    }

    /// The tags of a repository.
    pub fn tags(registry: &'a Registry, repository: &str) -> Self {
        Self {
            registry,
            doing: format!("listing the tags of {repository}"),
            scopes: pull(repository),
            next: Some(format!("/v2/{repository}/tags/list?n={PAGE_SIZE}")),
            pages: 0,
        }
    }

    fn referrers(registry: &'a Registry, repository: &str, subject: &Digest) -> Self {
        Self {
            registry,
            doing: format!("listing what refers to {subject} in {repository}"),
            scopes: pull(repository),
            next: Some(format!("/v2/{repository}/referrers/{subject}")),
            pages: 0,
        }
    }

    /// The next names of a catalog; `None` at the end.
    pub async fn next_repositories(&mut self) -> Result<Option<Vec<String>>, Trouble> {
        let page = self.next_page::<Catalog>().await?;
        Ok(page.map(|page| page.repositories.unwrap_or_default()))
    }

    /// The next tags; `None` at the end. A repository that was never pushed to has none.
    pub async fn next_tags(&mut self) -> Result<Option<Vec<String>>, Trouble> {
        let page = self.next_page::<Tags>().await?;
        Ok(page.map(|page| page.tags.unwrap_or_default()))
    }

    async fn next_page<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Trouble> {
        let Some(path) = self.next.take() else { return Ok(None) };
        let asked = self.registry.ask(&self.doing, Method::GET, (&path, &self.scopes)).await?;
        self.next = following(&asked);
        self.pages += 1;
        if self.next.as_ref() == Some(&path) || self.pages > PAGES_MAX {
            return Err(Trouble::lasting(format!("{}: the list has no end", self.doing)));
        }
        let body = reading::whole(asked, PAGE_BYTES_MAX).await?;
        serde_json::from_slice(&body)
            .map(Some)
            .map_err(|error| Trouble::lasting(format!("{}: no list: {error}", self.doing)))
    }
}

/// What refers to a manifest, as far as the registry knows. One that does not have the API is not
/// asked again: there referrers hang on tags, which are brought as tags.
pub async fn referrers(
    registry: &Registry,
    repository: &str,
    subject: &Digest,
) -> Result<Vec<Descriptor>, Trouble> {
    let mut found = Vec::new();
    if !registry.may_have_referrers() {
        return Ok(found);
    }
    let mut listing = Listing::referrers(registry, repository, subject);
    loop {
        match listing.next_page::<Index>().await {
            Ok(Some(page)) => found.extend(page.manifests.unwrap_or_default()),
            Ok(None) => return Ok(found),
            Err(trouble) if listing.pages == 0 && lacks_api(&trouble) => {
                registry.lacks_referrers();
                return Ok(Vec::new());
            }
            Err(trouble) => return Err(trouble),
        }
    }
}

/// Whether a registry says by this that it does not have the API. To an account that may read the
/// manifest the API itself answers 200, with an empty list where nothing refers to it.
fn lacks_api(trouble: &Trouble) -> bool {
    let says = |status: StatusCode| trouble.text.contains(&format!("answered {status}"));
    trouble.is_missing() || says(StatusCode::METHOD_NOT_ALLOWED) || says(StatusCode::BAD_REQUEST)
}

/// Path and query of the page after this one.
fn following(response: &reqwest::Response) -> Option<String> {
    let links = response.headers().get_all("link").iter().filter_map(|it| it.to_str().ok());
    links.flat_map(|header| header.split(',')).find_map(next_of)
}

/// Reads `</path?query>; rel="next"`.
fn next_of(link: &str) -> Option<String> {
    let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = parameters.split(';').any(|it| {
        let word = it.trim().replace('"', "");
        word.eq_ignore_ascii_case("rel=next")
    });
    let path = path_of(target);
    (is_next && path.starts_with('/')).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_says_where_a_list_goes_on() {
        let cases = [
            (r#"</v2/_catalog?last=a&n=2>; rel="next""#, Some("/v2/_catalog?last=a&n=2")),
            ("<https://h:5/v2/a/tags/list?last=b>;rel=next", Some("/v2/a/tags/list?last=b")),
            (r#"</v2/_catalog?last=a>; rel="prev""#, None),
            (r#"<v2/x>; rel="next""#, None),
            ("", None),
        ];
        for (link, expected) in cases {
            assert_eq!(next_of(link).as_deref(), expected, "{link}");
        }
    }
}
