//! Turns what a request brought into an identity, and an identity into a token.

use std::net::IpAddr;
use std::sync::Arc;

use consensus::cluster::{Cluster, Failure, Freshness};
use metadata::access_tokens::commands::TokenUse;
use metadata::access_tokens::{self, TokenHash};
use metadata::accounts::{self, AccountId, AccountRow, Named};
use zeroize::Zeroizing;

use crate::access_token::{self, Uses, hex};
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
    /// Its id.
    pub id: Option<AccountId>,
    /// Whether it is a system administrator.
    pub is_admin: bool,
    /// What narrows the account's rights: the claims of the token it came with.
    pub token: Option<Arc<Claims>>,
    /// The access token it came with, or that the token was issued for.
    pub access_token: Option<Arc<Pass>>,
}

/// An access token that was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// What it is kept under.
    pub hash: TokenHash,
    /// What narrows its owner's rights; nothing does where there are none.
    pub scopes: Vec<Scope>,
}

impl Identity {
    /// Nobody in particular.
    pub fn anonymous() -> Self {
        Self { account: None, id: None, is_admin: false, token: None, access_token: None }
    }

    fn of((name, row): &Named) -> Self {
        let (account, is_admin) = (Some(name.clone()), row.is_admin);
        Self { account, id: Some(row.id), is_admin, token: None, access_token: None }
    }

    /// Whether what it came with is good for `action` on this.
    pub fn covers(&self, kind: &str, name: &str, action: &str) -> bool {
        let about = |scope: &&Scope| scope.kind == kind && scope.name == name;
        let claimed = self.token.as_ref().is_none_or(|token| {
            token.access.iter().filter(about).any(|scope| scope.covers(action))
        });
        let within = |scope: &&Scope| scope.kind == kind && scope.is_pattern_of(name);
        let passed = self.access_token.as_ref().is_none_or(|pass| {
            let mut scopes = pass.scopes.iter().filter(within);
            pass.scopes.is_empty() || scopes.any(|scope| scope.covers(action))
        });
        claimed && passed
    }

    /// Whether what it came with was given for something in particular.
    pub fn is_narrowed(&self) -> bool {
        let is_token_narrowed = |token: &Arc<Claims>| token.narrowed || !token.access.is_empty();
        self.token.as_ref().is_some_and(is_token_narrowed) || self.is_scoped()
    }

    /// Whether the access token it came with has scopes.
    pub fn is_scoped(&self) -> bool {
        self.access_token.as_ref().is_some_and(|pass| !pass.scopes.is_empty())
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
    /// The access token is good no more, or the token was issued for one that is not.
    #[error("the access token was revoked or has expired; sign in again")]
    AccessTokenGone,
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
    uses: Uses,
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
            uses: Uses::default(),
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
            Credentials::AccessToken(text) => {
                let hash = access_token::hash_of(text).ok_or(AuthFailure::AccessTokenGone)?;
                self.by_access_token(&hash).await?.ok_or(AuthFailure::AccessTokenGone)
            }
        }
    }

    async fn by_password(
        &self,
        name: &str,
        password: &Zeroizing<String>,
        address: IpAddr,
    ) -> Result<Identity, AuthFailure> {
        // Its text can't be guessed, so nothing has to be slowed down; a machine that goes on with
        // one that was revoked must not keep its owner's password out.
        if let Some(hash) = access_token::hash_of(password) {
            let identity = self.by_access_token(&hash).await?;
            let own = identity.filter(|identity| identity.account.as_deref() == Some(name));
            return Ok(own.ok_or(PasswordFailure::Wrong)?);
        }
        let account = self.account(name).await?;
        let stored = account.as_ref().map(|account| account.password_hash.as_str());
        self.shared.passwords.check(name, password, stored, address).await?;
        let account = account.ok_or(PasswordFailure::Wrong)?;
        Ok(Identity::of(&(name.to_owned(), account)))
    }

    /// Whether `password` is what was hashed to `stored`, the account's hash; slowed down as
    /// signing in is.
    pub async fn compare(
        &self,
        account: &str,
        password: &Zeroizing<String>,
        (stored, address): (&str, IpAddr),
    ) -> Result<(), PasswordFailure> {
        self.shared.passwords.check(account, password, Some(stored), address).await
    }

    /// The owner of the access token with that hash, while it is good.
    pub async fn by_access_token(&self, hash: &TokenHash) -> Result<Option<Identity>, AuthFailure> {
        let cluster = &self.shared.cluster;
        let found =
            cluster.read(Freshness::Local, |view| access_tokens::find_with_owner(view, hash));
        let found = found.await?;
        let Some((token, owner)) = found else { return Ok(None) };
        let now_ms = self.now_s().await? * 1_000;
        if !token.is_good(now_ms) || !owner.1.signs_in() {
            return Ok(None);
        }
        self.shared.uses.note(*hash, token.last_used_wall_ms, now_ms);
        // One that does not read, of a later version say, narrows to nothing, not to everything.
        let scopes = token.scopes.iter().map(|text| Scope::parse(text).unwrap_or_default());
        let scopes = scopes.collect();
        let pass = Arc::new(Pass { hash: *hash, scopes });
        Ok(Some(Identity { access_token: Some(pass), ..Identity::of(&owner) }))
    }
}

/// Tokens, and what both ways in look up.
impl Auth {
    async fn by_token(&self, text: &str) -> Result<Identity, AuthFailure> {
        let claims = match self.shared.verified.find(text) {
            Some(claims) => claims,
            None => self.open(text).await?,
        };
        claims.check_time(self.now_s().await?)?;
        if claims.sub.is_empty() {
            return Ok(Identity { token: Some(claims), ..Identity::anonymous() });
        }
        // What a token stands for may have been taken back since.
        let identity = if let Some(hash) = claims.access_token() {
            self.by_access_token(&hash).await?.ok_or(AuthFailure::AccessTokenGone)?
        } else {
            let account = self.account(&claims.sub).await?.ok_or(AuthFailure::AccountGone)?;
            Identity::of(&(claims.sub.clone(), account))
        };
        // The name may belong to another account by now.
        if identity.id.is_none_or(|id| !claims.is_of(&id)) {
            return Err(AuthFailure::AccountGone);
        }
        Ok(Identity { token: Some(claims), ..identity })
    }

    /// Takes note-worthy uses of access tokens, for the cluster to know.
    pub fn take_uses(&self, uses_max: usize) -> Vec<TokenUse> {
        self.shared.uses.take(uses_max)
    }

    async fn open(&self, text: &str) -> Result<Arc<Claims>, AuthFailure> {
        let key_id = token::key_id(text)?;
        let key = self.shared.keys.public(&key_id).await?.ok_or(TokenFailure::Forged)?;
        let claims = Arc::new(token::open(text, &key, self.shared.cluster.cluster_id())?);
        self.shared.verified.keep(text, Arc::clone(&claims));
        Ok(claims)
    }

    /// Signs a token for `identity` that grants `access`; `narrowed` where something in particular
    /// was asked for, granted or not.
    pub async fn issue(
        &self,
        identity: &Identity,
        access: Vec<Scope>,
        narrowed: bool,
    ) -> Result<Issued, AuthFailure> {
        let now_s = self.now_s().await?;
        let expires_in_s = self.shared.token_life_s;
        let claims = Claims {
            sub: identity.account.clone().unwrap_or_default(),
            account_id: identity.id.map(|id| hex(&id)).unwrap_or_default(),
            access_token: identity.access_token.as_ref().map(|pass| hex(&pass.hash)),
            aud: self.shared.cluster.cluster_id().to_owned(),
            exp: now_s + expires_in_s,
            nbf: now_s,
            iat: now_s,
            access,
            narrowed,
        };
        let token = self.shared.keys.sign(&claims).await?;
        Ok(Issued { token, expires_in_s, issued_at_s: now_s, access: claims.access })
    }

    /// The user of that name who may sign in.
    async fn account(&self, name: &str) -> Result<Option<AccountRow>, AuthFailure> {
        let cluster = &self.shared.cluster;
        let account = cluster.read(Freshness::Local, |view| accounts::find(view, name)).await?;
        Ok(account.filter(AccountRow::signs_in))
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

    use super::{Identity, Pass};
    use crate::scope::Scope;
    use crate::token::Claims;

    #[test]
    fn a_token_narrows_and_no_token_does_not() {
        let open = Identity::anonymous();
        assert!(open.covers("repository", "a/b", "push"));
        let access = vec![Scope::parse("repository:a/b:pull").unwrap()];
        let claims = Claims { access, ..Claims::default() };
        let narrowed = Identity { token: Some(Arc::new(claims)), ..Identity::anonymous() };
        assert!(narrowed.covers("repository", "a/b", "pull"));
        assert!(!narrowed.covers("repository", "a/b", "push"));
        assert!(!narrowed.covers("repository", "a/c", "pull"));
        assert!(!narrowed.covers("registry", "a/b", "pull"));
    }

    #[test]
    fn an_access_token_narrows_what_the_token_issued_for_it_claims() {
        let scopes = vec![Scope::parse("repository:org/*:pull").unwrap()];
        let pass = Arc::new(Pass { hash: [1; 32], scopes });
        let narrowed = Identity { access_token: Some(pass), ..Identity::anonymous() };
        assert!(narrowed.is_narrowed() && !Identity::anonymous().is_narrowed());
        for (name, action, covered) in
            [("org/a", "pull", true), ("org/a", "push", false), ("organic/a", "pull", false)]
        {
            assert_eq!(narrowed.covers("repository", name, action), covered, "{name} {action}");
        }
        let access = vec![Scope::parse("repository:org/a:push").unwrap()];
        let claims = Arc::new(Claims { access, ..Claims::default() });
        let both = Identity { token: Some(claims), ..narrowed };
        assert!(!both.covers("repository", "org/a", "push"));
        assert!(!both.covers("repository", "org/a", "pull"));
    }
}
