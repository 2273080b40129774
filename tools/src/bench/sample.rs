//! One sample of a workload: what is timed.

use std::sync::Arc;

use super::address::path_of;
use super::failure::Failure;
use super::fill::Blob;
use super::image::Image;
use super::sink::Take;
use super::steps::{Done, Repository, Way};
use super::worker::{Request, Worker};

/// Following `Link`, no walk takes more pages.
const PAGES_MAX: u32 = 100_000;

/// What a worker does between two looks at the clock.
#[derive(Clone)]
pub enum Sample {
    /// Pushes an image under a tag.
    PushImage {
        /// Where to.
        to: Arc<Repository>,
        /// What.
        image: Image,
        /// Under which tag.
        tag: String,
        /// How the layer is sent.
        way: Way,
    },
    /// Pulls an image by its tag.
    PullImage {
        /// Where from.
        from: Arc<Repository>,
        /// What should come.
        image: Image,
        /// By which tag.
        tag: String,
        /// In six requests, not three.
        fully: bool,
    },
    /// Pushes a blob, monolithic.
    PushBlob {
        /// Where to.
        to: Arc<Repository>,
        /// What.
        blob: Blob,
    },
    /// Pulls a blob.
    PullBlob {
        /// Where from.
        from: Arc<Repository>,
        /// What should come.
        blob: Blob,
    },
    /// Pushes a manifest.
    PushManifest {
        /// The token's scope.
        scope: Arc<str>,
        /// Path and query.
        path: String,
        /// Its media type.
        kind: &'static str,
        /// Its bytes.
        body: Blob,
        /// Whether the tags of the query must move.
        tagging: bool,
    },
    /// One request without a body, whose answer must be 200.
    Ask {
        /// GET or HEAD.
        method: &'static str,
        /// The token's scope.
        scope: Arc<str>,
        /// Path and query.
        path: String,
        /// The media type that is asked for; empty for any.
        kind: &'static str,
    },
    /// Follows `Link` to the end.
    Walk {
        /// The token's scope.
        scope: Arc<str>,
        /// The first page.
        path: String,
    },
}

impl Sample {
    /// The scope of the token that it needs.
    pub fn scope(&self) -> &Arc<str> {
        match self {
            Self::PushImage { to, .. } | Self::PushBlob { to, .. } => &to.scope,
            Self::PullImage { from, .. } | Self::PullBlob { from, .. } => &from.scope,
            Self::PushManifest { scope, .. }
            | Self::Ask { scope, .. }
            | Self::Walk { scope, .. } => scope,
        }
    }

    /// Does it.
    pub async fn carry_out(&self, worker: &mut Worker) -> Result<Done, Failure> {
        match self {
            Self::PushImage { to, image, tag, way } => {
                worker.push_image(to, image, tag, *way).await
            }
            Self::PullImage { from, image, tag, fully } => {
                worker.pull_image(from, image, tag, *fully).await
            }
            Self::PushBlob { to, blob } => {
                worker.push_blob(to, blob, Way::Monolith).await?;
                Ok(Done { bytes: blob.size, first_byte: None })
            }
            Self::PullBlob { from, blob } => worker.pull_blob(from, blob).await,
            Self::PushManifest { scope, path, kind, body, tagging } => {
                let moved = worker.push_manifest(scope, path, kind, body).await?;
                if *tagging && !moved {
                    return Err(Failure::answer(NO_TAGGING, Some(201)));
                }
                Ok(Done { bytes: body.size, first_byte: None })
            }
            Self::Ask { method, scope, path, kind } => {
                let request = Request { method, path, scope, kind, body: None };
                let answer = worker.expect(&request, 200, Take::Count).await?;
                Ok(Done { bytes: answer.received.bytes, first_byte: None })
            }
            Self::Walk { scope, path } => walk(worker, scope, path).await,
        }
    }
}

/// What a registry of an older protocol does to `?tag=`.
pub const NO_TAGGING: &str = "the registry took a manifest and ignored its ?tag= parameters";

async fn walk(worker: &mut Worker, scope: &Arc<str>, path: &str) -> Result<Done, Failure> {
    let mut done = Done::default();
    let mut path = path.to_owned();
    for _ in 0..PAGES_MAX {
        let request = Request { method: "GET", path: &path, scope, kind: "", body: None };
        let answer = worker.expect(&request, 200, Take::Count).await?;
        done.bytes += answer.received.bytes;
        match answer.head.link.as_deref().and_then(next) {
            Some(next) => path_of(next).clone_into(&mut path),
            None => return Ok(done),
        }
    }
    Err(Failure::answer(format!("{path} is page {PAGES_MAX}, and no last one"), Some(200)))
}

/// The target of `<…>; rel="next"`.
fn next(link: &str) -> Option<&str> {
    let (target, parameters) = link.strip_prefix('<')?.split_once('>')?;
    parameters.contains("next").then_some(target)
}

#[cfg(test)]
mod tests {
    use super::next;

    #[test]
    fn a_link_names_the_next_page() {
        let cases = [
            (r#"</v2/a/tags/list?n=2&last=b>; rel="next""#, Some("/v2/a/tags/list?n=2&last=b")),
            (r#"</v2/a>; rel="prev""#, None),
            ("", None),
        ];
        for (link, expected) in cases {
            assert_eq!(next(link), expected, "{link}");
        }
    }
}
