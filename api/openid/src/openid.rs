//! The way in: sending a browser to the provider, and making a user of what comes back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use consensus::cluster::{Cluster, Failure, Freshness};
use metadata::accounts::{self, AccountKind, Named};
use metadata::openid::sign_in::OpenIdSignIn;
use metadata::openid::{self as kept, CLIENT_SECRET, GroupTeam, OpenIdRow};
use metadata::teams;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::claims::{self, Person};
use crate::failure::OpenIdFailure;
use crate::id_token::{Expected, is_same};
use crate::login_state::{self, LoginState};
use crate::provider::Provider;
use crate::settings::{Checked, NamedGroupTeam};

/// People whom the provider is asked for side by side.
const TURNS_MAX: usize = 16;
/// How long one more waits for a turn.
const TURN_MAX: Duration = Duration::from_secs(5);
/// What a browser brings back in bytes, at most.
const CODE_BYTES_MAX: usize = 4096;

/// How long somebody may be at the provider, in seconds.
pub const LIFE_S: u64 = login_state::LIFE_S;

/// Sign-in by OpenID in this cluster. Clones share one state.
#[derive(Clone)]
pub struct OpenId {
    shared: Arc<Shared>,
}

struct Shared {
    cluster: Cluster,
    prepared: Mutex<Option<Arc<Provider>>>,
    turns: Arc<Semaphore>,
}

/// A sign-in that begins.
pub struct Begun {
    /// Where the browser is sent.
    pub location: String,
    /// What it carries in a cookie until it is back; good for [`LIFE_S`] seconds.
    pub cookie: String,
}

/// What a browser brings back from the provider.
#[derive(Clone, Debug, Default)]
pub struct Returned {
    /// What the token is fetched with.
    pub code: Option<String>,
    /// That of the sign-in.
    pub state: Option<String>,
    /// Who sends it back.
    pub issuer: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
}

/// Somebody who is signed in.
pub struct SignedIn {
    /// Their account.
    pub account: Named,
    /// Where they wanted to go.
    pub return_path: String,
}

impl OpenId {
    /// Works with the settings that `cluster` keeps; nothing is asked yet.
    pub fn new(cluster: Cluster) -> Self {
        let turns = Arc::new(Semaphore::new(TURNS_MAX));
        Self { shared: Arc::new(Shared { cluster, prepared: Mutex::default(), turns }) }
    }

    /// Sends a browser to the provider. `redirect_uri` is where it is to come back to;
    /// `return_path` where it goes then, a path of ours; `now_s` the time in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`OpenIdFailure::Off`] where nobody signs in so; others of the provider.
    pub async fn begin(
        &self,
        (redirect_uri, return_path): (&str, &str),
        now_s: u64,
    ) -> Result<Begun, OpenIdFailure> {
        let row = self.in_use().await?;
        let provider = self.prepare(&row)?;
        let _turn = self.turn().await?;
        let endpoints = provider.endpoints(self.now_ms()).await?;
        let state = LoginState::draw((now_s, row.revision), redirect_uri, return_path);
        let state = state.map_err(fault)?;
        let mut location = endpoints.authorization.clone();
        location
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &row.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", &row.scopes.join(" "))
            .append_pair("state", &state.state)
            .append_pair("nonce", &state.nonce)
            .append_pair("code_challenge", &state.challenge())
            .append_pair("code_challenge_method", "S256");
        let cookie = state.seal(&self.shared.cluster).map_err(fault)?;
        Ok(Begun { location: location.into(), cookie })
    }

    /// Signs in who comes back from the provider, with what they carried meanwhile. Their account
    /// is made at the first time, and their teams are as their groups are now.
    ///
    /// # Errors
    ///
    /// [`OpenIdFailure`] says for whom to mend; refusals of the state machine are among them.
    pub async fn finish(
        &self,
        (cookie, returned): (&str, &Returned),
        now_s: u64,
    ) -> Result<SignedIn, OpenIdFailure> {
        let state = LoginState::open(&self.shared.cluster, cookie, now_s);
        let state = state.ok_or(OpenIdFailure::Stale)?;
        if !returned.state.as_deref().is_some_and(|given| is_same(given, &state.state)) {
            return Err(OpenIdFailure::Stale);
        }
        let row = self.in_use().await?;
        if row.revision != state.revision {
            return Err(OpenIdFailure::Stale);
        }
        let provider = self.prepare(&row)?;
        let _turn = self.turn().await?;
        let expected = Expected {
            issuer: &row.issuer,
            client_id: &row.client_id,
            nonce: &state.nonce,
            begun_s: state.begun_s,
            now_s,
        };
        let (subject, person) = self.ask(&provider, (&state, returned), &expected).await?;
        let account = self.admit(&row, &subject, person).await?;
        Ok(SignedIn { account, return_path: state.return_path })
    }
}

/// From what comes back to an account.
impl OpenId {
    /// Who it is, by the provider's word.
    async fn ask(
        &self,
        provider: &Provider,
        (state, returned): (&LoginState, &Returned),
        expected: &Expected<'_>,
    ) -> Result<(String, Person), OpenIdFailure> {
        let endpoints = provider.endpoints(self.now_ms()).await?;
        // Source: RFC 9207, 2.4: it may come from a provider that this one was mixed up with.
        let is_named = returned
            .issuer
            .as_deref()
            .map_or(!endpoints.names_itself, |issuer| issuer == expected.issuer);
        if !is_named {
            let text = "this is not the answer of the OpenID provider that was asked (iss)";
            return Err(OpenIdFailure::Declined(text.to_owned()));
        }
        if let Some(error) = &returned.error {
            let clean = error.chars().filter(|letter| letter.is_ascii_graphic() || *letter == ' ');
            let error: String = clean.take(200).collect();
            let text = format!("the OpenID provider did not let you in: {error}");
            return Err(OpenIdFailure::Declined(text));
        }
        let code = returned.code.as_deref().unwrap_or_default();
        if code.is_empty() || code.len() > CODE_BYTES_MAX {
            return Err(OpenIdFailure::Stale);
        }
        let proof = (code, state.verifier.as_str(), state.redirect_uri.as_str());
        let handed = provider.exchange(&endpoints, proof).await?;
        let mut claims = provider.verify(&handed, expected, self.now_ms()).await?;
        if claims::lacks_any(&claims, &provider.row) {
            provider.add_userinfo(&endpoints, &handed, &mut claims).await?;
        }
        let subject = claims.get("sub").and_then(|sub| sub.as_str()).unwrap_or_default().to_owned();
        let person = claims::person(&claims, &provider.row).map_err(OpenIdFailure::Declined)?;
        Ok((subject, person))
    }

    /// Their account, with the teams of now.
    async fn admit(
        &self,
        row: &OpenIdRow,
        subject: &str,
        person: Person,
    ) -> Result<Named, OpenIdFailure> {
        let cluster = &self.shared.cluster;
        let of_subject = || kept_account(cluster, &row.issuer, subject);
        if person.name.is_empty() && of_subject().await?.is_none() {
            return Err(OpenIdFailure::Declined(format!(
                "the OpenID provider does not say what you are called ({}); an administrator can \
                 ask it for another scope or claim",
                row.username_claim
            )));
        }
        let sign_in = OpenIdSignIn {
            revision: row.revision,
            subject: subject.to_owned(),
            name: person.name,
            full_name: person.full_name,
            groups: person.groups,
        };
        cluster.propose(sign_in.into()).await?;
        // It was applied at the leader; this replica may be behind.
        cluster.barrier().await?;
        let gone = || OpenIdFailure::Declined("your account was deleted meanwhile".to_owned());
        of_subject().await?.ok_or_else(gone)
    }
}

async fn kept_account(
    cluster: &Cluster,
    issuer: &str,
    subject: &str,
) -> Result<Option<Named>, Failure> {
    cluster.read(Freshness::Local, |view| kept::account_of(view, issuer, subject)).await
}

fn fault(cause: String) -> OpenIdFailure {
    OpenIdFailure::Cluster(Failure::Fault(cause))
}

/// What settings are made ready with.
impl OpenId {
    /// What is kept for settings that were checked: teams looked up, the secret sealed. With
    /// `is_verified` the provider is asked first whether it is what they say.
    ///
    /// # Errors
    ///
    /// In words, for whoever sets them.
    pub async fn row_of(
        &self,
        checked: Checked,
        is_verified: bool,
    ) -> Result<OpenIdRow, OpenIdFailure> {
        let Checked { mut row, group_teams, client_secret } = checked;
        for pair in group_teams {
            row.group_teams.push(self.team(pair).await?);
        }
        let secret = match client_secret {
            Some(secret) => secret,
            None => self.kept_secret(&row).await?,
        };
        if is_verified {
            let provider = Provider::new(&row, secret.clone()).map_err(OpenIdFailure::Settings)?;
            provider.probe().await?;
        }
        if !secret.is_empty() {
            row.sealed_client_secret = self.shared.cluster.seal(CLIENT_SECRET, secret.as_bytes());
        }
        Ok(row)
    }

    async fn team(&self, pair: NamedGroupTeam) -> Result<GroupTeam, OpenIdFailure> {
        let (organization, name) = (pair.organization.as_str(), pair.team.as_str());
        let read = self.shared.cluster.read(Freshness::Local, |view| {
            let account = accounts::find(view, organization)?;
            let account = account.filter(|row| row.kind == AccountKind::Organization);
            account.map_or(Ok(None), |row| teams::find(view, &row.id, name))
        });
        let unknown = || {
            OpenIdFailure::Settings(format!(
                "groupTeams: there is no team {name:?} in an organization {organization:?}"
            ))
        };
        let team = read.await?.ok_or_else(unknown)?;
        Ok(GroupTeam { group: pair.group, team: team.row.id })
    }

    /// The secret that is kept, where these settings go to the same provider as the same client:
    /// elsewhere it must be given again, or whoever sets the address could fetch it.
    async fn kept_secret(&self, row: &OpenIdRow) -> Result<Zeroizing<String>, OpenIdFailure> {
        let kept = self.kept().await?.filter(|kept| !kept.sealed_client_secret.is_empty());
        let Some(kept) = kept else { return Ok(Zeroizing::default()) };
        let of =
            |row: &OpenIdRow| (row.issuer.clone(), row.client_id.clone(), row.root_certs.clone());
        if of(&kept) != of(row) {
            let text = "issuerIdentifier, clientID or rootCerts changed: give clientSecret again, \
                        or \"\" where there is none";
            return Err(OpenIdFailure::Settings(text.to_owned()));
        }
        let opened = self.shared.cluster.open_sealed(CLIENT_SECRET, &kept.sealed_client_secret);
        let opened = opened.map_err(|error| {
            OpenIdFailure::Settings(format!("clientSecret cannot be unsealed ({error}); give it"))
        })?;
        Ok(Zeroizing::new(String::from_utf8_lossy(&opened).into_owned()))
    }

    /// The teams that follow groups, by their names; those that were deleted are left out.
    pub async fn named_teams(&self, row: &OpenIdRow) -> Result<Vec<NamedGroupTeam>, Failure> {
        let mut named = Vec::with_capacity(row.group_teams.len());
        for pair in &row.group_teams {
            let read = self.shared.cluster.read(Freshness::Local, |view| {
                let Some(team) = teams::find_by_id(view, &pair.team)? else { return Ok(None) };
                let owner = accounts::find_by_id(view, &team.organization)?;
                Ok(owner.map(|(organization, _)| (organization, team.name)))
            });
            if let Some((organization, team)) = read.await? {
                named.push(NamedGroupTeam { group: pair.group.clone(), organization, team });
            }
        }
        Ok(named)
    }

    /// What is kept, in use or not.
    pub async fn kept(&self) -> Result<Option<OpenIdRow>, Failure> {
        self.shared.cluster.read(Freshness::Local, |view| kept::settings(view)).await
    }

    async fn in_use(&self) -> Result<OpenIdRow, OpenIdFailure> {
        self.kept().await?.filter(|row| row.is_enabled).ok_or(OpenIdFailure::Off)
    }

    fn prepare(&self, row: &OpenIdRow) -> Result<Arc<Provider>, OpenIdFailure> {
        let mut prepared = self.shared.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(provider) = prepared.as_ref().filter(|provider| provider.row == *row) {
            return Ok(Arc::clone(provider));
        }
        let provider = Arc::new(Provider::of_row(&self.shared.cluster, row)?);
        *prepared = Some(Arc::clone(&provider));
        Ok(provider)
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, OpenIdFailure> {
        let turn = timeout(TURN_MAX, Arc::clone(&self.shared.turns).acquire_owned()).await;
        match turn {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(OpenIdFailure::Busy),
        }
    }

    fn now_ms(&self) -> u64 {
        self.shared.cluster.clock().monotonic_ms()
    }
}
