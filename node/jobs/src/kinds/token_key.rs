//! `rotate_token_key`: tokens of the token endpoint are signed with a new key from now on.
//!
//! Tokens signed before are taken until they expire, unless the parameter `dropFormer` is `true`.

use async_trait::async_trait;
use auth::authenticator::Auth;
use metadata::jobs::running::JobEffect;

use crate::job::{Failed, Finished, Job, Work};

pub(super) struct TokenKey {
    pub(super) auth: Auth,
}

#[async_trait]
impl Job for TokenKey {
    fn action(&self) -> &'static str {
        "rotate_token_key"
    }

    async fn run(&self, work: &Work) -> Result<Finished, Failed> {
        let drops_former = work.parameter("dropFormer") == Some("true");
        let rotate = self.auth.rotation(work.actor().to_owned(), drops_former).await?;
        work.log(&format!("the new key is {}", rotate.id));
        // With the end of the job: whoever takes it over draws another key, and one of both counts.
        let message = format!("tokens are signed with the key {}", rotate.id);
        Ok(Finished { message, effect: Some(JobEffect::TokenKeyRotate { rotate }) })
    }
}
