//! What requests about access tokens say, read and checked.

use auth::access_token::hash_from;
use auth::scope::{self, Scope};
use edge::problem::Problem;
use edge::query::Query;
use metadata::access_tokens::commands::{SCOPES_MAX, TEXT_BYTES_MAX};
use metadata::access_tokens::{Origin, TokenHash};
use serde::Deserialize;

use crate::moment::{self, NEVER};

/// What POST and PATCH take; absent and `null` leave a field, unknown ones are passed over.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked {
    token_label: Option<String>,
    pub(super) is_active: Option<bool>,
    scopes: Option<Vec<String>>,
    expires_at: Option<String>,
}

impl Asked {
    /// What the owner calls it.
    pub(super) fn label(&self) -> Result<Option<String>, Problem> {
        if self.token_label.as_ref().is_some_and(|label| label.len() > TEXT_BYTES_MAX) {
            let text = format!("tokenLabel has at most {TEXT_BYTES_MAX} bytes; shorten it");
            return Err(Problem::Parameter(text));
        }
        Ok(self.token_label.clone())
    }

    /// Refuses to change what a token was made for: it would be taken for done.
    pub(super) fn check_stays(&self) -> Result<(), Problem> {
        if self.scopes.is_some() || self.expires_at.is_some() {
            let text = "scopes and expiresAt stay as they are; make another token";
            return Err(Problem::Parameter(text.to_owned()));
        }
        Ok(())
    }

    /// What it is good for, as it is kept: without what is not known, since that allows nothing.
    pub(crate) fn scopes(&self) -> Result<Vec<String>, Problem> {
        let asked = self.scopes.as_deref().unwrap_or_default();
        if asked.len() > SCOPES_MAX {
            return Err(Problem::Parameter(format!("a token has at most {SCOPES_MAX} scopes")));
        }
        asked.iter().map(|text| one_scope(text)).collect()
    }

    /// When it ends, in milliseconds since 1970; 0 for never, which some clients spell out.
    pub(crate) fn expires_wall_ms(&self, now_ms: u64) -> Result<u64, Problem> {
        let Some(text) = self.expires_at.as_deref().filter(|text| *text != NEVER) else {
            return Ok(0);
        };
        moment::parse(text).filter(|ends_ms| *ends_ms > now_ms).ok_or_else(|| {
            let text = "expiresAt is a time to come, such as 2030-01-31T12:00:00Z";
            Problem::Parameter(text.to_owned())
        })
    }
}

fn one_scope(text: &str) -> Result<String, Problem> {
    let scope = Scope::parse(text).filter(|scope| !scope.actions.is_empty());
    let kept = scope.map(|scope| scope::render(&[scope]));
    kept.filter(|kept| kept.len() <= TEXT_BYTES_MAX).ok_or_else(|| {
        let text: String = text.chars().take(128).collect();
        Problem::Parameter(format!(
            "{text:?} is no scope; write it as repository:NAME:ACTIONS, where NAME may end with * \
             and ACTIONS are some of pull, push, delete and *"
        ))
    })
}

/// Which tokens of a user are revoked together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bulk {
    pub(super) used_before_wall_ms: Option<u64>,
    pub(super) origin: Origin,
}

impl Bulk {
    /// Reads `usedbefore` and `generatedby`; by default all that clients took while signing in.
    pub(super) fn read(query: &Query) -> Result<Self, Problem> {
        let used_before_wall_ms = match query.first("usedbefore").filter(|text| !text.is_empty()) {
            Some(text) => Some(moment::parse(text).ok_or_else(|| {
                let text = "usedbefore is a time, such as 2030-01-31T12:00:00Z";
                Problem::Parameter(text.to_owned())
            })?),
            None => None,
        };
        let origin = match query.first("generatedby") {
            None | Some("" | "auto") => Origin::Auto,
            Some("manual") => Origin::Manual,
            Some(_) => {
                let text = "generatedby is auto or manual";
                return Err(Problem::Parameter(text.to_owned()));
            }
        };
        Ok(Self { used_before_wall_ms, origin })
    }
}

/// The token that a list goes on with.
pub(super) fn cursor(text: &str) -> Result<TokenHash, Problem> {
    let text = hash_from(text).ok_or("pageStart is what X-Next-Page-Start was, or absent");
    text.map_err(|text| Problem::Parameter(text.to_owned()))
}

/// How it came to be, as clients of the old product read it.
pub(super) fn word(origin: Origin) -> &'static str {
    match origin {
        Origin::Manual => "manual",
        Origin::Auto => "auto",
    }
}

#[cfg(test)]
mod tests {
    use edge::query::Query;
    use metadata::access_tokens::Origin;

    use super::{Asked, Bulk, NEVER};

    /// 2026-02-15T10:00:01Z.
    const NOW_MS: u64 = 1_771_149_601_000;

    #[test]
    fn a_scope_names_something_and_what_may_be_done_with_it() {
        let cases = [
            ("repository:org/*:pull", Some("repository:org/*:pull")),
            ("repository:a/b:pull,push,pull", Some("repository:a/b:pull,push")),
            ("repository:a/b:pull,fly", Some("repository:a/b:pull")),
            ("registry:catalog:*", Some("registry:catalog:*")),
            ("repository:a/b:fly", None),
            ("repository:a/b:", None),
            ("repository:a/b", None),
            ("alien:a/b:pull", None),
            ("", None),
        ];
        for (text, kept) in cases {
            let asked = Asked { scopes: Some(vec![text.to_owned()]), ..Asked::default() };
            let read = asked.scopes().ok().map(|scopes| scopes.join(" "));
            assert_eq!(read.as_deref(), kept, "{text:?}");
        }
        assert!(Asked::default().scopes().unwrap().is_empty());
        let many = vec!["repository:a/b:pull".to_owned(); 65];
        assert!(Asked { scopes: Some(many), ..Asked::default() }.scopes().is_err());
        let long = vec![format!("repository:{}:pull", "a".repeat(1_024))];
        assert!(Asked { scopes: Some(long), ..Asked::default() }.scopes().is_err());
    }

    #[test]
    fn a_token_ends_in_the_future_or_never() {
        let cases = [
            (None, Some(0)),
            (Some(NEVER), Some(0)),
            (Some("2026-02-15T10:00:02Z"), Some(NOW_MS + 1_000)),
            (Some("2026-02-15T10:00:01Z"), None),
            (Some("1999-01-01T00:00:00Z"), None),
            (Some("never"), None),
            (Some(""), None),
        ];
        for (text, ends_ms) in cases {
            let asked = Asked { expires_at: text.map(str::to_owned), ..Asked::default() };
            assert_eq!(asked.expires_wall_ms(NOW_MS).ok(), ends_ms, "{text:?}");
        }
    }

    #[test]
    fn tokens_of_clients_are_revoked_where_nothing_else_is_said() {
        let bulk = |used_before_wall_ms, origin| Some(Bulk { used_before_wall_ms, origin });
        let cases = [
            ("", bulk(None, Origin::Auto)),
            ("generatedby=manual", bulk(None, Origin::Manual)),
            ("usedbefore=2026-02-15T10:00:01Z", bulk(Some(NOW_MS), Origin::Auto)),
            ("usedbefore=2026-02-15T10:00:01%2B00:00", bulk(Some(NOW_MS), Origin::Auto)),
            ("usedbefore=yesterday", None),
            ("generatedby=all", None),
        ];
        for (query, expected) in cases {
            assert_eq!(Bulk::read(&Query::parse(Some(query))).ok(), expected, "{query:?}");
        }
    }
}
