//! Turns what a request brought into an identity, and an identity into a token.

use std::net::IpAddr;
use std::sync::Arc;

use consensus::cluster::{Cluster, Failure, Freshness};
use directory::directory::Directory;
use directory::failure::DirectoryFailure;
use metadata::access_tokens::commands::TokenUse;
use metadata::access_tokens::{self, TokenHash};
use metadata::accounts::{self, AccountId, AccountKind, AccountRow, Named};
use metadata::certificates::TokenKeyRotate;
use metadata::page_sessions::{self, SessionHash};
use metadata::robots;
use metadata::sign_in::{self, SignInRow};
use metadata::vouchers::Voucher;
use openid::openid::OpenId;
use wire::client_certificate::{CertificateRefusal, ShownCertificate};
use zeroize::Zeroizing;

use crate::access_token::{self, Uses, hex};
use crate::certificates::{Certificates, Local};
use crate::credentials::Credentials;
use crate::keys::Keys;
use crate::page_session;
use crate::password::{PasswordFailure, Passwords};
use crate::scope::Scope;
use crate::token::{self, AHEAD_S_MAX, Claims, LIFE_S_MIN, TokenFailure, Verified};
use crate::wall_time::WallTime;

mod by_directory;
mod by_openid;

/// Who is calling.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The account's name; `None` for the anonymous caller.
    pub account: Option<String>,
    /// Its id.
    pub id: Option<AccountId>,
    /// Whether it is a system administrator.
    pub is_admin: bool,
    /// The generation of the account's credentials, which the sign-in belongs to.
    pub generation: u64,
    /// What narrows the account's rights: the claims of the token it came with.
    pub token: Option<Arc<Claims>>,
    /// The access token it came with, or that the token was issued for.
    pub access_token: Option<Arc<Pass>>,
    /// The session it came with.
    pub session: Option<SessionHash>,
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
        Self {
            account: None,
            id: None,
            is_admin: false,
            generation: 0,
            token: None,
            access_token: None,
            session: None,
        }
    }

    fn of((name, row): &Named) -> Self {
        let (account, id) = (Some(name.clone()), Some(row.id));
        let (is_admin, generation) = (row.is_admin, row.generation);
        Self { account, id, is_admin, generation, ..Self::anonymous() }
    }

    /// What the state machine is to look at again when it carries a command out for them.
    pub fn voucher(&self) -> Option<Voucher> {
        let (account, name) = (self.id?, self.account.clone()?);
        let access_token = self.access_token.as_ref().map(|pass| pass.hash);
        let generation = access_token.is_none().then_some(self.generation);
        let page_session = self.session;
        let voucher = Voucher::of(account, name);
        Some(Voucher { access_token, generation, page_session, ..voucher })
    }

    /// Whether it is a program of an organization.
    pub fn is_robot(&self) -> bool {
        self.account.as_deref().is_some_and(|name| robots::organization_of(name).is_some())
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
    /// The directory knows them, and the account of that name is another's.
    #[error(
        "the directory lets you in, but the account {name} here is not yours: it belongs to \
         somebody else, or this is no name for an account; ask an administrator"
    )]
    NotOfDirectory {
        /// The account's name.
        name: String,
    },
    /// The directory does not answer.
    #[error(transparent)]
    Directory(#[from] DirectoryFailure),
    /// The access token is good no more, or the token was issued for one that is not.
    #[error("the access token was revoked or has expired; sign in again")]
    AccessTokenGone,
    /// The token was given for a password that has been changed since.
    #[error("the password was changed, or the account switched off, since; sign in again")]
    SignInOver,
    /// The session is over.
    #[error("the session is over; sign in again")]
    SessionOver,
    /// By the setting `refusePasswords`.
    #[error(
        "this registry takes no passwords: sign in with an access token or a client certificate"
    )]
    PasswordsRefused,
    /// The certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateRefusal),
    /// The certificate is good and nobody is called so.
    #[error("the client certificate is for {name}, who is no active user here")]
    CertificateOfNobody {
        /// Its common name.
        name: String,
    },
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
    directory: Directory,
    openid: OpenId,
    verified: Verified,
    uses: Uses,
    certificates: Certificates,
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
            directory: Directory::new(cluster.clone()),
            openid: OpenId::new(cluster.clone()),
            verified: Verified::default(),
            uses: Uses::default(),
            certificates: Certificates::default(),
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
            Credentials::Session(text) => self.by_session(text).await,
            Credentials::Certificate(shown) => self.by_certificate(shown).await,
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
        if self.sign_in().await?.refuses_passwords {
            return Err(AuthFailure::PasswordsRefused);
        }
        if let Some(ldap) = self.shared.directory.in_use().await?
            && ldap.recovery_admin != name
        {
            // Rarely asked and large: it is not to lie in the future of every request.
            return Box::pin(self.by_directory((name, password), address, &ldap)).await;
        }
        let account = self.account(name).await?;
        // Who has no password costs the time of one who has: nobody learns which it is.
        let stored = account.as_ref().map(|account| account.password_hash.as_str());
        let stored = stored.filter(|hash| !hash.is_empty());
        self.shared.passwords.check(name, password, stored, address).await?;
        let account = account.ok_or(PasswordFailure::Wrong)?;
        by_directory::renew_hash(&self.shared.cluster, name, &account, password).await;
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

/// What is shown otherwise than in a header.
impl Auth {
    async fn by_session(&self, text: &str) -> Result<Identity, AuthFailure> {
        let hash = page_session::hash_of(text).ok_or(AuthFailure::SessionOver)?;
        let cluster = &self.shared.cluster;
        let found =
            cluster.read(Freshness::Local, |view| page_sessions::find_with_owner(view, &hash));
        let (session, owner) = found.await?.ok_or(AuthFailure::SessionOver)?;
        let now_ms = self.now_s().await? * 1_000;
        if !session.is_good(&owner.1, now_ms) {
            return Err(AuthFailure::SessionOver);
        }
        self.shared.uses.note(hash, session.last_used_wall_ms, now_ms);
        Ok(Identity { session: Some(hash), ..Identity::of(&owner) })
    }

    /// Nobody in particular where certificates are not taken: then none is asked for.
    async fn by_certificate(&self, shown: &ShownCertificate) -> Result<Identity, AuthFailure> {
        let settings = self.sign_in().await?;
        let Some(authority) = self.shared.certificates.authority(&settings)? else {
            return Ok(Identity::anonymous());
        };
        let name = authority.judge(shown, self.now_s().await? * 1_000)?;
        match self.account(&name).await?.filter(|account| account.kind == AccountKind::User) {
            Some(account) => Ok(Identity::of(&(name, account))),
            None => Err(AuthFailure::CertificateOfNobody { name }),
        }
    }

    /// Whether clients are to be asked for a certificate.
    pub async fn takes_certificates(&self) -> Result<bool, Failure> {
        let settings = self.sign_in().await?;
        Ok(self.shared.certificates.authority(&settings)?.is_some())
    }

    /// What this replica's own configuration says of clients' certificates.
    pub fn configure_certificates(&self, local: Local) {
        self.shared.certificates.configure(local);
    }

    async fn sign_in(&self) -> Result<SignInRow, Failure> {
        self.shared.cluster.read(Freshness::Local, |view| sign_in::get(view)).await
    }
}

/// Tokens, and what both ways in look up.
impl Auth {
    async fn by_token(&self, text: &str) -> Result<Identity, AuthFailure> {
        let now_s = self.now_s().await?;
        let claims = self.open(text, now_s).await?;
        claims.check_time(now_s)?;
        if claims.sub.is_empty() {
            return Ok(Identity { token: Some(claims), ..Identity::anonymous() });
        }
        // What a token stands for may have been taken back since.
        let identity = if let Some(hash) = claims.access_token() {
            self.by_access_token(&hash).await?.ok_or(AuthFailure::AccessTokenGone)?
        } else {
            let account = self.account(&claims.sub).await?.ok_or(AuthFailure::AccountGone)?;
            if claims.is_of(&account.id) && claims.generation != account.generation {
                return Err(AuthFailure::SignInOver);
            }
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

    /// What a token says that was signed with one of the cluster's keys, as they are now.
    async fn open(&self, text: &str, now_s: u64) -> Result<Arc<Claims>, AuthFailure> {
        let known = self.shared.verified.find(text);
        let key_id = match &known {
            Some(claims) => claims.key_id.clone(),
            None => token::key_id(text)?,
        };
        let key = self.shared.keys.public(&key_id, now_s * 1_000).await?;
        let key = key.ok_or(TokenFailure::Forged)?;
        if let Some(claims) = known {
            return Ok(claims);
        }
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
            generation: identity.generation,
            aud: self.shared.cluster.cluster_id().to_owned(),
            exp: now_s + expires_in_s,
            nbf: now_s,
            iat: now_s,
            access,
            narrowed,
            key_id: String::new(),
        };
        let token = self.shared.keys.sign(&claims).await?;
        Ok(Issued { token, expires_in_s, issued_at_s: now_s, access: claims.access })
    }

    /// A command by which tokens are signed with another key from now on. Those signed before stay
    /// good until they expire; where `drops_former` they do not.
    pub async fn rotation(
        &self,
        actor: String,
        drops_former: bool,
    ) -> Result<TokenKeyRotate, Failure> {
        // As long as the youngest of them, by whichever replica's clock, and some to spare.
        let life_ms = (self.shared.token_life_s + 2 * AHEAD_S_MAX) * 1_000;
        let former_life_ms = if drops_former { 0 } else { life_ms };
        self.shared.keys.rotation(actor, former_life_ms).await
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
