//! The key pair that signs tokens: a sealed row, the same on every replica.

use std::sync::{Arc, Mutex, PoisonError};

use consensus::cluster::{Cluster, Failure, Freshness};
use consensus::seal::TOKEN_KEY;
use metadata::certificates::{self, TokenKeyRotate, TokenKeyRow};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

use crate::token::{self, Claims, PublicKey};

/// Finds and unseals the token key; unsealed once and kept while its id stays.
pub struct Keys {
    cluster: Cluster,
    signing: Mutex<Option<Arc<SigningKey>>>,
}

/// An unsealed key pair.
struct SigningKey {
    id: String,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl Keys {
    /// Nothing is unsealed before the first token.
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster, signing: Mutex::new(None) }
    }

    /// The public key with that id; `None` where it is not, or at `now_ms` no longer, one of the
    /// cluster's.
    pub async fn public(&self, id: &str, now_ms: u64) -> Result<Option<PublicKey>, Failure> {
        let read = self.cluster.read(Freshness::Local, |view| {
            let present = certificates::token_key(view)?.filter(|row| row.id == id);
            if let Some(row) = present {
                return Ok(Some(row.public_key));
            }
            let mut former = certificates::former_token_keys(view)?.into_iter();
            let found = former.find(|key| key.id == id && key.until_wall_ms > now_ms);
            Ok(found.map(|key| key.public_key))
        });
        Ok(read.await?.map(|bytes| PublicKey { id: id.to_owned(), bytes }))
    }

    /// A new key pair for the cluster, which signs once the command is carried out. Tokens signed
    /// by the present one are good for `former_life_ms` longer.
    pub async fn rotation(
        &self,
        actor: String,
        former_life_ms: u64,
    ) -> Result<TokenKeyRotate, Failure> {
        let former_id = self.row().await?.id;
        let fault = |what: &str| Failure::Fault(format!("a token key cannot be made: {what}"));
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
        let document = document.map_err(|_| fault("the system gives no random numbers"))?;
        let pkcs8 = Zeroizing::new(document.as_ref().to_vec());
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| fault("it does not read"))?;
        let public_key = pair.public_key().as_ref().to_vec();
        let sealed_key = self.cluster.seal(TOKEN_KEY, &pkcs8);
        let id = token::id_of(&public_key);
        Ok(TokenKeyRotate { actor, former_id, id, public_key, sealed_key, former_life_ms })
    }

    /// Signs `claims` with the present key.
    pub async fn sign(&self, claims: &Claims) -> Result<String, Failure> {
        let row = self.row().await?;
        let key = match self.unsealed(&row.id) {
            Some(key) => key,
            None => self.unseal(&row)?,
        };
        token::sign(claims, &key.id, &key.pkcs8).map_err(Failure::Fault)
    }

    fn unsealed(&self, id: &str) -> Option<Arc<SigningKey>> {
        let signing = self.signing.lock().unwrap_or_else(PoisonError::into_inner);
        signing.as_ref().filter(|key| key.id == id).cloned()
    }

    fn unseal(&self, row: &TokenKeyRow) -> Result<Arc<SigningKey>, Failure> {
        let opened = self.cluster.open_sealed(TOKEN_KEY, &row.sealed_key);
        let pkcs8 = opened.map_err(|error| {
            Failure::Fault(format!("the token key of the cluster cannot be unsealed: {error}"))
        })?;
        let key = Arc::new(SigningKey { id: row.id.clone(), pkcs8 });
        *self.signing.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&key));
        Ok(key)
    }

    async fn row(&self) -> Result<TokenKeyRow, Failure> {
        let row = self.cluster.read(Freshness::Local, |view| certificates::token_key(view)).await?;
        row.ok_or_else(|| Failure::Fault("the cluster has no token key".to_owned()))
    }
}
