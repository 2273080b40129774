//! The flags of `holdfast openid set`, and what they make of the settings that are there.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;
use reqwest::Method;
use serde_json::Value;

use super::SETTINGS;
use crate::exit::Stop;
use crate::management::body::{fields, some};
use crate::management::remote::{Change, RemoteFlags};
use crate::prompt;

#[derive(Args)]
pub(super) struct SettingsFlags {
    /// The provider's address as it gives it as `issuer`, to the letter
    #[arg(long, value_name = "URL", env = "HOLDFAST_ISSUER")]
    issuer: Option<String>,

    /// What this registry is called at the provider
    #[arg(long, value_name = "ID", env = "HOLDFAST_CLIENT_ID")]
    client_id: Option<String>,

    /// A file whose first line is the secret that the provider gave for it
    #[arg(long, value_name = "FILE", env = "HOLDFAST_CLIENT_SECRET_FILE")]
    client_secret_file: Option<PathBuf>,

    /// There is no secret: the provider knows this registry as a public client
    #[arg(long, conflicts_with = "client_secret_file", env = "HOLDFAST_NO_CLIENT_SECRET",
          value_parser = FalseyValueParser::new())]
    no_client_secret: bool,

    /// A file with the authorities that sign the provider's certificate, as PEM; an empty one for
    /// those that the machines trust
    #[arg(long, value_name = "FILE", env = "HOLDFAST_ROOT_CERTS")]
    root_certs: Option<PathBuf>,

    /// Scopes that are asked for, each by a flag of its own or between commas; openid always is
    #[arg(long, value_name = "SCOPE", value_delimiter = ',', env = "HOLDFAST_SCOPES")]
    scopes: Option<Vec<String>>,

    /// The claim that accounts are called by
    #[arg(long, value_name = "CLAIM", env = "HOLDFAST_USERNAME_CLAIM")]
    username_claim: Option<String>,

    /// The claim that says what people are called; empty for none
    #[arg(long, value_name = "CLAIM", env = "HOLDFAST_FULL_NAME_CLAIM")]
    full_name_claim: Option<String>,

    /// The claim that lists groups; dots lead into one, as in realm.roles
    #[arg(long, value_name = "CLAIM", env = "HOLDFAST_GROUPS_CLAIM")]
    groups_claim: Option<String>,

    /// The group whose members are system administrators; empty for none
    #[arg(long, value_name = "GROUP", env = "HOLDFAST_ADMIN_GROUP")]
    admin_group: Option<String>,

    /// Whether whoever the provider lets in is given an account
    #[arg(long, value_name = "BOOL", env = "HOLDFAST_CREATE_ACCOUNTS")]
    create_accounts: Option<bool>,

    /// Whether people may sign in by it
    #[arg(long, value_name = "BOOL", env = "HOLDFAST_ENABLED")]
    enabled: Option<bool>,

    /// Does not ask the provider first whether it is what the settings say
    #[arg(long, env = "HOLDFAST_NO_VERIFY", value_parser = FalseyValueParser::new())]
    no_verify: bool,

    #[command(flatten)]
    remote: RemoteFlags,
}

impl SettingsFlags {
    pub(super) async fn run(&self) -> Result<(), Stop> {
        let given = some(self.given()?)?;
        let client = self.remote.client()?;
        let mut settings = super::settings(&client).await?;
        let is_new = settings["issuerIdentifier"] == "";
        if is_new {
            // Where nothing was said yet it is shown as switched off.
            settings["enabled"] = true.into();
        }
        if let (Value::Object(settings), Value::Object(given)) = (&mut settings, given) {
            settings.extend(given);
        }
        let verify = if self.no_verify { "?verify=false" } else { "" };
        let (method, path) = (Method::PUT, format!("{SETTINGS}{verify}"));
        let done = "this is how the provider is reached from now on; people sign in at \
                    /api/v0/openid/login";
        let change = Change { method, path, body: Some(settings), done };
        self.remote.change_through(&client, change).await
    }

    /// What was given on the command line.
    fn given(&self) -> Result<Value, Stop> {
        let root_certs = self.root_certs.as_ref().map(|file| {
            let read = fs::read_to_string(file);
            read.map_err(|error| Stop::usage(format!("{} cannot be read: {error}", file.display())))
        });
        let secret = self.client_secret_file.as_deref().map(prompt::password_file).transpose()?;
        let secret = secret.map(|secret| Value::from(secret.as_str()));
        let none = self.no_client_secret.then(|| Value::from(""));
        let text = |text: &Option<String>| text.clone().map(Value::from);
        Ok(fields([
            ("issuerIdentifier", text(&self.issuer)),
            ("clientID", text(&self.client_id)),
            ("clientSecret", secret.or(none)),
            ("rootCerts", root_certs.transpose()?.map(Value::from)),
            ("scopes", self.scopes.clone().map(Value::from)),
            ("usernameClaim", text(&self.username_claim)),
            ("fullNameClaim", text(&self.full_name_claim)),
            ("groupsClaim", text(&self.groups_claim)),
            ("adminGroup", text(&self.admin_group)),
            ("createAccounts", self.create_accounts.map(Value::from)),
            ("enabled", self.enabled.map(Value::from)),
        ]))
    }
}
