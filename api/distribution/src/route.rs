//! What a path below `/v2/` means, read from its right end.
//!
//! A repository's name may itself contain `blobs`, `manifests`, `tags`, `uploads` or `referrers`,
//! so only the last components say what is meant: `/v2/a/manifests/manifests/x` is manifest `x` of
//! `a/manifests`.
//!
//! Source: registry-protocol H1–H4.

use std::borrow::Cow;

use oci::name::{NameError, RepositoryName};
use percent_encoding::percent_decode_str;

/// Every route of this surface and its methods, as docs/api.md lists them.
pub const ROUTES: &[(&str, &str)] = &[
    ("GET, HEAD", "/v2/"),
    ("GET", "/v2/_catalog"),
    ("GET, POST", "/auth/token"),
    ("GET", "/v2/{name}/tags/list"),
    ("GET, HEAD, PUT, DELETE", "/v2/{name}/manifests/{reference}"),
    ("GET, HEAD, DELETE", "/v2/{name}/blobs/{digest}"),
    ("POST", "/v2/{name}/blobs/uploads/"),
    ("GET, PATCH, PUT, DELETE", "/v2/{name}/blobs/uploads/{uuid}"),
    ("GET", "/v2/{name}/referrers/{digest}"),
];

/// One of this surface's places. Digests and references are read later, since what is wrong with
/// them is answered with another code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/v2/`.
    Ping,
    /// `/v2/_catalog`.
    Catalog,
    /// `/auth/token`.
    Token,
    /// `/v2/<name>/tags/list`.
    Tags(RepositoryName),
    /// `/v2/<name>/manifests/<reference>`.
    Manifest(RepositoryName, String),
    /// `/v2/<name>/blobs/<digest>`.
    Blob(RepositoryName, String),
    /// `/v2/<name>/blobs/uploads/`.
    Uploads(RepositoryName),
    /// `/v2/<name>/blobs/uploads/<uuid>`.
    Upload(RepositoryName, String),
    /// `/v2/<name>/referrers/<digest>`.
    Referrers(RepositoryName, String),
}

/// Why a path is none of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteError {
    /// Nothing of the kind is served.
    Unknown,
    /// Trust data, which is not kept yet.
    Trust,
    /// The form is known, the repository's name is none.
    Name(NameError),
}

impl Route {
    /// Reads the path of a request as it was sent, escapes included.
    pub fn parse(path: &str) -> Result<Self, RouteError> {
        match path {
            "/v2" | "/v2/" => return Ok(Self::Ping),
            "/v2/_catalog" => return Ok(Self::Catalog),
            "/auth/token" => return Ok(Self::Token),
            _ => {}
        }
        let below = path.strip_prefix("/v2/").ok_or(RouteError::Unknown)?;
        let raw: Vec<&str> = below.split('/').collect();
        // Decoded once, component by component: an escaped slash stays inside its component, where
        // no grammar takes it.
        let parts: Vec<Cow<str>> = raw.iter().map(|part| decoded(part)).collect();
        let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
        match parts.as_slice() {
            parts if parts.windows(2).any(|pair| pair == ["_trust", "tuf"]) => {
                Err(RouteError::Trust)
            }
            [name @ .., "tags", "list"] => Ok(Self::Tags(repository(name)?)),
            [name @ .., "blobs", "uploads" | "uploads/"] | [name @ .., "blobs", "uploads", ""] => {
                Ok(Self::Uploads(repository(name)?))
            }
            [name @ .., "manifests", reference] => {
                Ok(Self::Manifest(repository(name)?, (*reference).to_owned()))
            }
            [name @ .., "referrers", digest] => {
                Ok(Self::Referrers(repository(name)?, (*digest).to_owned()))
            }
            [name @ .., "blobs", digest] => Ok(Self::Blob(repository(name)?, (*digest).to_owned())),
            [name @ .., "blobs", "uploads", id] => {
                Ok(Self::Upload(repository(name)?, (*id).to_owned()))
            }
            _ => Err(RouteError::Unknown),
        }
    }

    /// The repository that is meant, where one is.
    pub fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Ping | Self::Catalog | Self::Token => None,
            Self::Tags(name)
            | Self::Manifest(name, _)
            | Self::Blob(name, _)
            | Self::Uploads(name)
            | Self::Upload(name, _)
            | Self::Referrers(name, _) => Some(name),
        }
    }

    /// The methods that are served, for the `Allow` header.
    pub fn methods(&self) -> &'static str {
        match self {
            Self::Ping => "GET, HEAD",
            Self::Catalog | Self::Tags(_) | Self::Referrers(..) => "GET",
            Self::Token => "GET, POST",
            Self::Manifest(..) => "GET, HEAD, PUT, DELETE",
            Self::Blob(..) => "GET, HEAD, DELETE",
            Self::Uploads(_) => "POST",
            Self::Upload(..) => "GET, PATCH, PUT, DELETE",
        }
    }
}

fn decoded(part: &str) -> Cow<'_, str> {
    percent_decode_str(part).decode_utf8_lossy()
}

fn repository(parts: &[&str]) -> Result<RepositoryName, RouteError> {
    if parts.is_empty() {
        return Err(RouteError::Unknown);
    }
    if let Some(part) = parts.iter().find(|part| part.contains('/')) {
        return Err(RouteError::Name(NameError::Repository((*part).to_owned())));
    }
    RepositoryName::parse(&parts.join("/")).map_err(RouteError::Name)
}

#[cfg(test)]
mod tests {
    use super::{ROUTES, Route, RouteError};

    fn shown(path: &str) -> String {
        match Route::parse(path) {
            Ok(Route::Ping) => "ping".to_owned(),
            Ok(Route::Catalog) => "catalog".to_owned(),
            Ok(Route::Token) => "token".to_owned(),
            Ok(Route::Tags(name)) => format!("tags {}", name.as_str()),
            Ok(Route::Manifest(name, reference)) => {
                format!("manifest {} {reference}", name.as_str())
            }
            Ok(Route::Blob(name, digest)) => format!("blob {} {digest}", name.as_str()),
            Ok(Route::Uploads(name)) => format!("uploads {}", name.as_str()),
            Ok(Route::Upload(name, id)) => format!("upload {} {id}", name.as_str()),
            Ok(Route::Referrers(name, digest)) => format!("referrers {} {digest}", name.as_str()),
            Err(RouteError::Trust) => "trust".to_owned(),
            Err(RouteError::Unknown) => "unknown".to_owned(),
            Err(RouteError::Name(_)) => "bad name".to_owned(),
        }
    }

    #[test]
    fn a_path_is_read_from_its_right_end() {
        let cases = [
            ("/v2", "ping"),
            ("/v2/", "ping"),
            ("/v2/_catalog", "catalog"),
            ("/auth/token", "token"),
            ("/v2/a/b/tags/list", "tags a/b"),
            ("/v2/a/tags/tags/list", "tags a/tags"),
            ("/v2/a/manifests/manifests/x", "manifest a/manifests x"),
            ("/v2/blobs/uploads/manifests/x", "manifest blobs/uploads x"),
            ("/v2/blobs/uploads/blobs/uploads", "uploads blobs/uploads"),
            ("/v2/blobs/uploads/blobs/uploads/", "uploads blobs/uploads"),
            ("/v2/blobs/uploads/blobs/uploads/u1", "upload blobs/uploads u1"),
            ("/v2/a/blobs/sha256:0", "blob a sha256:0"),
            ("/v2/a/blobs/sha256%3A0", "blob a sha256:0"),
            ("/v2/a/blobs/blobs/x", "blob a/blobs x"),
            ("/v2/a/referrers/sha256:0", "referrers a sha256:0"),
            ("/v2/a/b/c/d/e/f/g/manifests/x", "manifest a/b/c/d/e/f/g x"),
            ("/v2/a%2Db/manifests/x", "manifest a-b x"),
        ];
        for (path, expected) in cases {
            assert_eq!(shown(path), expected, "{path}");
        }
    }

    #[test]
    fn bad_names_and_unknown_places_are_told_apart() {
        let cases = [
            ("/v2/a%2Fb/manifests/x", "bad name"),
            ("/v2/A/manifests/x", "bad name"),
            ("/v2/a//b/manifests/x", "bad name"),
            ("/v2//manifests/x", "bad name"),
            ("/v2/a%252Fb/manifests/x", "bad name"),
            ("/v2/a%FF/manifests/x", "bad name"),
            ("/v2/../manifests/x", "bad name"),
            ("/v2/host:5000/a/b/_trust/tuf/root.json", "trust"),
            ("/v2/manifests/x", "unknown"),
            ("/v2/a/b", "unknown"),
            ("/v2/a", "unknown"),
            ("/v3/", "unknown"),
            ("/v2/tags/list", "unknown"),
        ];
        for (path, expected) in cases {
            assert_eq!(shown(path), expected, "{path}");
        }
        let long = format!("/v2/{}/manifests/x", "a".repeat(256));
        assert_eq!(shown(&long), "bad name");
    }

    #[test]
    fn the_listed_routes_are_the_parsed_ones() {
        for (methods, template) in ROUTES {
            let path = template
                .replace("{name}", "a/b")
                .replace("{reference}", "x")
                .replace("{digest}", "sha256:0")
                .replace("{uuid}", "u");
            let route = Route::parse(&path).unwrap();
            assert_eq!(route.methods(), *methods, "{template}");
        }
    }
}
