//! Making access tokens: for a person who asks, and for a client that signs in.

use auth::access_token;
use http::HeaderMap;
use http::header::USER_AGENT;
use metadata::access_tokens::commands::AccessTokenCreate;
use metadata::access_tokens::{Origin, TokenHash};
use metadata::vouchers::Voucher;
use zeroize::Zeroizing;

use crate::context::Context;
use crate::problem::Problem;

/// What a client says of itself is kept so far, in characters.
pub const AGENT_CHARACTERS_MAX: usize = 256;

/// A token that is to be made.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The name of the user whose it will be.
    pub account: String,
    /// The name of the account that asks.
    pub actor: String,
    /// What that one showed.
    pub voucher: Option<Voucher>,
    /// As its owner calls it.
    pub label: String,
    /// How it comes to be.
    pub origin: Origin,
    /// Refused from then on, milliseconds since 1970; 0 for never.
    pub expires_wall_ms: u64,
    /// What it is good for; nothing for all that its owner may.
    pub scopes: Vec<String>,
}

/// Makes a token for the client that sent `headers`. Its text is told nowhere else: what is kept
/// of it is the hash.
pub async fn make(
    context: &Context,
    headers: &HeaderMap,
    wanted: Wanted,
) -> Result<(Zeroizing<String>, TokenHash), Problem> {
    let (text, hash) = access_token::draw().map_err(Problem::Fault)?;
    let create = AccessTokenCreate {
        hash,
        account: wanted.account,
        actor: wanted.actor,
        label: wanted.label,
        creator_agent: agent(headers),
        origin: wanted.origin,
        expires_wall_ms: wanted.expires_wall_ms,
        scopes: wanted.scopes,
    };
    context.cluster.propose_for(wanted.voucher, create.into()).await?;
    Ok((text, hash))
}

/// What the client calls itself, as far as it is kept; empty where it does not say.
pub fn agent(headers: &HeaderMap) -> String {
    let agent = headers.get(USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()));
    agent.unwrap_or_default().chars().take(AGENT_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use http::header::USER_AGENT;
    use http::{HeaderMap, HeaderValue};

    use super::{AGENT_CHARACTERS_MAX, agent};

    #[test]
    fn a_clients_name_is_cut_and_need_not_be_there() {
        let mut headers = HeaderMap::new();
        assert_eq!(agent(&headers), "");
        headers.insert(USER_AGENT, HeaderValue::from_static("docker/27.1"));
        assert_eq!(agent(&headers), "docker/27.1");
        let long = HeaderValue::from_bytes("ü".repeat(400).as_bytes()).unwrap();
        headers.insert(USER_AGENT, long);
        assert_eq!(agent(&headers), "ü".repeat(AGENT_CHARACTERS_MAX));
    }
}
