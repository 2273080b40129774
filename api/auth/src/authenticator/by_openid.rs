//! Signing people in by an OpenID provider, in two steps: a browser goes there, and comes back.

use openid::failure::OpenIdFailure;
use openid::openid::{Begun, OpenId, Returned};

use super::{Auth, AuthFailure, Identity};

impl Auth {
    /// The provider that people may sign in by.
    pub fn openid(&self) -> &OpenId {
        &self.shared.openid
    }

    /// Sends a browser there. It is to come back to `redirect_uri`, and goes to `return_path` then.
    pub async fn begin_openid(
        &self,
        redirect_uri: &str,
        return_path: &str,
    ) -> Result<Begun, OpenIdFailure> {
        let now_s = self.openid_now_s().await?;
        self.shared.openid.begin((redirect_uri, return_path), now_s).await
    }

    /// Who comes back, and where they go; `cookie` is what the browser carried meanwhile.
    pub async fn finish_openid(
        &self,
        cookie: &str,
        returned: &Returned,
    ) -> Result<(Identity, String), OpenIdFailure> {
        let now_s = self.openid_now_s().await?;
        let signed_in = self.shared.openid.finish((cookie, returned), now_s).await?;
        Ok((Identity::of(&signed_in.account), signed_in.return_path))
    }

    async fn openid_now_s(&self) -> Result<u64, OpenIdFailure> {
        self.now_s().await.map_err(|failure| match failure {
            AuthFailure::Cluster(failure) => failure.into(),
            // Nothing else is asked for the time.
            other => OpenIdFailure::Settings(other.to_string()),
        })
    }
}
