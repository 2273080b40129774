//! The key pair that signs tokens: a sealed row, the same on every replica.

use std::sync::{Arc, Mutex, PoisonError};

use consensus::cluster::{Cluster, Failure, Freshness};
use consensus::seal::TOKEN_KEY;
use metadata::certificates;
use metadata::certificates::TokenKeyRow;
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

    /// The public key with that id; `None` where it is not, or no longer, one of the cluster's.
    pub async fn public(&self, id: &str) -> Result<Option<PublicKey>, Failure> {
        let row = self.row().await?;
        Ok((row.id == id).then_some(PublicKey { id: row.id, bytes: row.public_key }))
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
