//! The connection flags: which cluster a remote verb talks to, and as whom.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;
use wire::client_tls::Trust;
use zeroize::Zeroizing;

use crate::client::{Client, Credentials};
use crate::exit::Stop;
use crate::pem::Pem;
use crate::prompt;

/// Flags of every verb that asks a running cluster.
#[derive(Args, Clone, Default)]
pub struct ConnectionFlags {
    /// Any replica, or what balances between them: `https://host[:port]`
    #[arg(long, visible_alias = "ucp-url", value_name = "URL", env = "HOLDFAST_URL")]
    pub url: Option<String>,

    #[command(flatten)]
    account: AccountFlags,
}

/// As whom, and whose word counts for the server's certificate.
#[derive(Args, Clone, Default)]
pub struct AccountFlags {
    /// The account to act as
    #[arg(long, visible_alias = "ucp-username", value_name = "NAME", env = "HOLDFAST_USERNAME")]
    pub username: Option<String>,

    /// Its password or an access token; --password-file keeps it out of the process list
    #[arg(
        long,
        visible_alias = "ucp-password",
        value_name = "PASSWORD",
        env = "HOLDFAST_PASSWORD",
        hide_env_values = true,
        conflicts_with = "password_file"
    )]
    pub password: Option<String>,

    /// A file whose first line is the password
    #[arg(long, value_name = "FILE", env = "HOLDFAST_PASSWORD_FILE")]
    pub password_file: Option<PathBuf>,

    /// The authority that signed the server's certificate: PEM text, @FILE or a path
    #[arg(long, visible_alias = "ucp-ca", value_name = "PEM", env = "HOLDFAST_CA")]
    pub ca: Option<String>,

    /// Does not verify the server's certificate
    #[arg(
        long,
        visible_alias = "ucp-insecure-tls",
        env = "HOLDFAST_INSECURE_TLS",
        value_parser = FalseyValueParser::new()
    )]
    pub insecure_tls: bool,
}

impl ConnectionFlags {
    /// Makes a client of what was given; asks for a missing password on a terminal.
    pub fn client(&self) -> Result<Client, Stop> {
        let url = or_variable(self.url.clone(), "UCP_URL")
            .ok_or_else(|| Stop::usage("--url is missing: name any replica, https://host:port"))?;
        Client::new(&url, &self.account.trust()?, self.account.credentials()?)
    }

    /// What was said of the server's certificate.
    pub fn trust(&self) -> Result<Trust, Stop> {
        self.account.trust()
    }
}

impl AccountFlags {
    /// The account's name and password, where one was named; a missing password is asked for on a
    /// terminal.
    pub fn credentials(&self) -> Result<Option<Credentials>, Stop> {
        let username = or_variable(self.username.clone(), "UCP_USERNAME");
        let password = self.password(username.as_deref())?;
        Ok(username.zip(password))
    }

    fn password(&self, username: Option<&str>) -> Result<Option<Zeroizing<String>>, Stop> {
        if let Some(file) = &self.password_file {
            return prompt::password_file(file).map(Some);
        }
        if let Some(password) = or_variable(self.password.clone(), "UCP_PASSWORD") {
            return Ok(Some(Zeroizing::new(password)));
        }
        let Some(username) = username else { return Ok(None) };
        prompt::password(&format!("Password of {username}"), "--password-file").map(Some)
    }

    /// What was said of the server's certificate.
    pub fn trust(&self) -> Result<Trust, Stop> {
        let variable = std::env::var("UCP_INSECURE_TLS").unwrap_or_default();
        if self.insecure_tls || matches!(variable.as_str(), "1" | "true") {
            return Ok(Trust::None);
        }
        let Some(ca) = or_variable(self.ca.clone(), "UCP_CA") else { return Ok(Trust::System) };
        let text = Pem::new(ca)
            .read()
            .map_err(|error| Stop::usage(format!("--ca cannot be read: {error}")))?;
        Ok(Trust::Pinned(text))
    }
}

fn or_variable(given: Option<String>, variable: &str) -> Option<String> {
    given.or_else(|| std::env::var(variable).ok()).filter(|text| !text.is_empty())
}
