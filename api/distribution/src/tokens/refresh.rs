//! Refresh tokens: access tokens that a client takes while it signs in, to keep in place of the
//! password.

use auth::credentials::Credentials;
use edge::access_tokens::{self, Wanted};
use edge::caller::Caller;
use edge::query::Query;
use metadata::access_tokens::Origin;
use zeroize::Zeroizing;

use crate::call::Call;

/// A client's id is kept so far, in characters.
const LABEL_CHARACTERS_MAX: usize = 256;

/// What the client calls itself, where its parameters ask for a refresh token.
pub(super) fn wanted(parameters: &Query, (name, value): (&str, &str)) -> Option<String> {
    if parameters.first(name) != Some(value) {
        return None;
    }
    let client = parameters.first("client_id").unwrap_or_default();
    Some(client.chars().take(LABEL_CHARACTERS_MAX).collect())
}

/// The refresh token of whoever signed in.
///
/// An access token that was shown serves as its own: a new one would outlive it, and reach further.
/// `None` for nobody, and where none can be made, be it that the user has too many or that no
/// majority answers: the client goes on with what it has.
pub(super) async fn token(
    call: &Call,
    caller: &Caller,
    credentials: &Credentials,
    client: String,
) -> Option<Zeroizing<String>> {
    let account = caller.identity.account.clone()?;
    if caller.identity.access_token.is_some() {
        return match credentials {
            Credentials::Basic { password, .. } => Some(password.clone()),
            Credentials::AccessToken(text) => Some(text.clone()),
            Credentials::None
            | Credentials::Bearer(_)
            | Credentials::Session(_)
            | Credentials::Certificate(_)
            | Credentials::Malformed => None,
        };
    }
    // It would outlive the certificate, which may be revoked.
    if matches!(credentials, Credentials::Certificate(_)) {
        return None;
    }
    if caller.is_stale {
        return None;
    }
    let wanted = Wanted {
        actor: account.clone(),
        voucher: caller.voucher(),
        account,
        label: client,
        origin: Origin::Auto,
        expires_wall_ms: 0,
        scopes: Vec::new(),
    };
    match access_tokens::make(&call.context, call.headers(), wanted).await {
        Ok((text, _)) => Some(text),
        Err(problem) => {
            tracing::debug!(%problem, "signed in without a refresh token");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use edge::query::Query;

    use super::{LABEL_CHARACTERS_MAX, wanted};

    #[test]
    fn a_refresh_token_is_made_for_those_who_ask() {
        let cases = [
            ("client_id=docker", None),
            ("offline_token=false&client_id=docker", None),
            ("offline_token=true&client_id=docker", Some("docker")),
            ("offline_token=true", Some("")),
        ];
        for (query, expected) in cases {
            let found = wanted(&Query::parse(Some(query)), ("offline_token", "true"));
            assert_eq!(found.as_deref(), expected, "{query}");
        }
        let long = format!("offline_token=true&client_id={}", "x".repeat(2_000));
        let found = wanted(&Query::parse(Some(&long)), ("offline_token", "true"));
        assert_eq!(found.map(|label| label.len()), Some(LABEL_CHARACTERS_MAX));
    }
}
