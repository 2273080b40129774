//! One request, as the handlers of this surface get it.

use std::sync::Arc;

use edge::body::RequestBody;
use edge::caller::{Admission, Caller, ChallengeKind, Need, Permitted};
use edge::context::Context;
use edge::problem::Problem;
use edge::query::Query;
use http::HeaderMap;
use http::header::{AsHeaderName, CONTENT_LENGTH};
use http::request::Parts;
use metadata::access::Action;
use oci::name::RepositoryName;

use crate::ranges::digits;

/// A request whose path was read.
pub struct Call {
    /// The replica.
    pub context: Arc<Context>,
    /// Method, path and headers.
    pub parts: Parts,
    /// The query.
    pub query: Query,
    /// The body, not read yet.
    pub body: RequestBody,
}

/// Who asks, and that they may.
pub struct Admitted {
    /// Who.
    pub caller: Caller,
    /// What is known of the repository.
    pub permitted: Permitted,
}

impl Call {
    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// A header's text, where it is one.
    pub fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether only the head of the answer is wanted.
    pub fn is_head(&self) -> bool {
        self.parts.method == http::Method::HEAD
    }

    /// The bytes of the body, where the client announced them.
    pub fn content_length(&self) -> Option<u64> {
        self.header(CONTENT_LENGTH).and_then(|text| digits(text.trim()))
    }

    /// Finds out who calls; `scope` is what a 401 tells the client to ask for.
    pub async fn caller(&self, need: Need, scope: Option<String>) -> Result<Caller, Problem> {
        let admission = Admission { need, challenge: ChallengeKind::Bearer, scope };
        Caller::admit(&self.context, &self.parts, admission).await
    }

    /// Lets the caller in for `action` on `repository`, or says why not.
    pub async fn admit(
        &self,
        need: Need,
        repository: &RepositoryName,
        action: Action,
    ) -> Result<Admitted, Problem> {
        let caller = self.caller(need, Some(scope(repository, action))).await?;
        let permitted = caller.permit(&self.context, repository, action).await?;
        Ok(Admitted { caller, permitted })
    }

    /// Refuses a name that is too long together with our host name.
    ///
    /// Source: registry-protocol H1.
    pub fn check_length(&self, repository: &RepositoryName) -> Result<(), Problem> {
        if repository.fits_beside(self.context.names.external_host().len()) {
            return Ok(());
        }
        Err(Problem::Name(oci::name::NameError::RepositoryTooLong))
    }
}

/// The scope that a request of this kind needs.
///
/// Source: registry-protocol H10.
pub fn scope(repository: &RepositoryName, action: Action) -> String {
    let actions = match action {
        Action::Pull | Action::SeeEvents => "pull",
        Action::Push | Action::Scan | Action::Promote | Action::Sign => "pull,push",
        Action::Delete => "pull,delete",
        Action::Administer | Action::Create | Action::SeeAllEvents => "*",
    };
    format!("repository:{repository}:{actions}")
}
