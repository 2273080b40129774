//! Turns what a request brought into an identity, and an identity into a token.

use std::net::IpAddr;
use std::sync::Arc;

use consensus::cluster::{Cluster, Failure, Freshness};
use metadata::accounts::{self, AccountKind, AccountRow};
use zeroize::Zeroizing;

use crate::credentials::Credentials;
use crate::keys::Keys;
use crate::password::{PasswordFailure, Passwords};
use crate::scope::Scope;
use crate::token::{self, Claims, LIFE_S_MIN, TokenFailure, Verified};
use crate::wall_time::WallTime;

/// Who is calling.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The account's name; `None` for the anonymous caller.
    pub account: Option<String>,
    /// Whether it is a system administrator.
    pub is_admin: bool,
    /// What narrows the account's rights: the claims of the token it came with.
    pub token: Option<Arc<Claims>>,
}

impl Identity {
    /// Nobody in particular.
    pub fn anonymous() -> Self {
        Self { account: None, is_admin: false, token: None }
    }

    /// Whether the token, if there is one, was given for `action` on this.
    pub fn covers(&self, kind: &str, name: &str, action: &str) -> bool {
        let Some(token) = &self.token else { return true };
        let about = |scope: &&Scope| scope.kind == kind && scope.name == name;
        token.access.iter().filter(about).any(|scope| scope.covers(action))
    }
}

/// Why nobody could be made out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AuthFailure {
    /// The header reads as no credentials that are known here.
    #[error("the Authorization header is neither Basic nor Bearer")]
    Malformed,
    /// The password.
    #[error(transparent)]
    Password(#[from] PasswordFailure),
    /// The token.
    #[error(transparent)]
    Token(#[from] TokenFailure),
    /// The token is genuine; its account is gone or may no longer log in.
    #[error("the account of this token no longer exists or is inactive")]
    AccountGone,
    /// The tables could not be read or the key not be opened.
    #[error(transparent)]
    Cluster(#[from] Failure),
}

/// A new token.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The token itself.
    pub token: String,
    /// Its life in seconds.
    pub expires_in_s: u64,
    /// When it was issued, in seconds since the Unix epoch, by the cluster's wall time.
    pub issued_at_s: u64,
    /// What it grants.
    pub access: Vec<Scope>,
}

/// Checks credentials and issues tokens. Clones share one state.
#[derive(Clone)]
pub struct Auth {
    shared: Arc<Shared>,
}

struct Shared {
    cluster: Cluster,
    passwords: Passwords,
    verified: Verified,
    keys: Keys,
    wall: WallTime,
    token_life_s: u64,
}

impl Auth {
    /// Works with the accounts and the token key of `cluster`.
    pub fn new(cluster: Cluster, token_life_s: u64) -> Self {
        let clock = cluster.clock();
        let shared = Shared {
            passwords: Passwords::new(Arc::clone(&clock)),
            verified: Verified::default(),
            keys: Keys::new(cluster.clone()),
            wall: WallTime::new(clock),
            token_life_s: token_life_s.max(LIFE_S_MIN),
            cluster,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Who `credentials` belong to, by what this replica has applied: the caller of this function
    /// has waited for the read barrier where that matters.
    pub async fn identify(
        &self,
        credentials: &Credentials,
        address: IpAddr,
    ) -> Result<Identity, AuthFailure> {
        match credentials {
            Credentials::None => Ok(Identity::anonymous()),
            Credentials::Malformed => Err(AuthFailure::Malformed),
            Credentials::Basic { account, password } => {
                self.by_password(account, password, address).await
            }
            Credentials::Bearer(token) => self.by_token(token).await,
        }
    }

    async fn by_password(
        &self,
        name: &str,
        password: &Zeroizing<String>,
        address: IpAddr,
    ) -> Result<Identity, AuthFailure> {
        let account = self.account(name).await?;
        let stored = account.as_ref().map(|account| account.password_hash.as_str());
        self.shared.passwords.check(name, password, stored, address).await?;
        let account = account.ok_or(PasswordFailure::Wrong)?;
        Ok(Identity { account: Some(name.to_owned()), is_admin: account.is_admin, token: None })
    }

    async fn by_token(&self, text: &str) -> Result<Identity, AuthFailure> {
        let claims = match self.shared.verified.find(text) {
            Some(claims) => claims,
            None => self.open(text).await?,
        };
        claims.check_time(self.now_s().await?)?;
        if claims.sub.is_empty() {
            return Ok(Identity { token: Some(claims), ..Identity::anonymous() });
        }
        let account = self.account(&claims.sub).await?.ok_or(AuthFailure::AccountGone)?;
        let name = Some(claims.sub.clone());
        Ok(Identity { account: name, is_admin: account.is_admin, token: Some(claims) })
    }

    async fn open(&self, text: &str) -> Result<Arc<Claims>, AuthFailure> {
        let key_id = token::key_id(text)?;
        let key = self.shared.keys.public(&key_id).await?.ok_or(TokenFailure::Forged)?;
        let claims = Arc::new(token::open(text, &key, self.shared.cluster.cluster_id())?);
        self.shared.verified.keep(text, Arc::clone(&claims));
        Ok(claims)
    }

    /// Signs a token for `identity` that grants `access`.
    pub async fn issue(
        &self,
        identity: &Identity,
        access: Vec<Scope>,
    ) -> Result<Issued, AuthFailure> {
        let now_s = self.now_s().await?;
        let expires_in_s = self.shared.token_life_s;
        let claims = Claims {
            sub: identity.account.clone().unwrap_or_default(),
            aud: self.shared.cluster.cluster_id().to_owned(),
            exp: now_s + expires_in_s,
            nbf: now_s,
            iat: now_s,
            access,
        };
        let token = self.shared.keys.sign(&claims).await?;
        Ok(Issued { token, expires_in_s, issued_at_s: now_s, access: claims.access })
    }

    /// The user of that name who may sign in.
    async fn account(&self, name: &str) -> Result<Option<AccountRow>, AuthFailure> {
        let cluster = &self.shared.cluster;
        let account = cluster.read(Freshness::Local, |view| accounts::find(view, name)).await?;
        Ok(account.filter(|account| account.is_active && account.kind == AccountKind::User))
    }

    /// The cluster's wall time in seconds.
    async fn now_s(&self) -> Result<u64, AuthFailure> {
        let agreed_ms = self.shared.cluster.wall_ms().await?;
        Ok(self.shared.wall.now_ms(&self.shared.cluster).max(agreed_ms) / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Identity;
    use crate::scope::Scope;
    use crate::token::Claims;

    #[test]
    fn a_token_narrows_and_no_token_does_not() {
        let open = Identity::anonymous();
        assert!(open.covers("repository", "a/b", "push"));
        let access = vec![Scope::parse("repository:a/b:pull").unwrap()];
        let claims = Claims { sub: "ann".into(), aud: "c".into(), exp: 1, nbf: 0, iat: 0, access };
        let narrowed = Identity { token: Some(Arc::new(claims)), ..Identity::anonymous() };
        assert!(narrowed.covers("repository", "a/b", "pull"));
        assert!(!narrowed.covers("repository", "a/b", "push"));
        assert!(!narrowed.covers("repository", "a/c", "pull"));
        assert!(!narrowed.covers("registry", "a/b", "pull"));
    }
}
