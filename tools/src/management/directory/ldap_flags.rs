//! The flags of `holdfast directory ldap set`, and what they make of the settings that are there.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::LDAP;
use crate::exit::Stop;
use crate::management::remote::{Change, RemoteFlags};
use crate::prompt;

#[derive(Args)]
pub(super) struct LdapFlags {
    /// `ldaps://HOST[:PORT]`, or `ldap://` with --start-tls
    #[arg(long, value_name = "URL", env = "HOLDFAST_SERVER_URL")]
    server_url: Option<String>,

    /// Begins TLS after connecting to ldap://
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
          env = "HOLDFAST_START_TLS")]
    start_tls: Option<bool>,

    /// A file with the authorities that sign the directory's certificate, as PEM; an empty one for
    /// those that this machine trusts
    #[arg(long, value_name = "FILE", env = "HOLDFAST_ROOT_CERTS")]
    root_certs: Option<PathBuf>,

    /// Takes any certificate: whoever is between can then read every password
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
          env = "HOLDFAST_TLS_SKIP_VERIFY")]
    tls_skip_verify: Option<bool>,

    /// Asks for results in one piece, for directories that know no pages
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
          env = "HOLDFAST_NO_PAGES")]
    no_pages: Option<bool>,

    /// The entry that reads the directory; empty where nobody need sign in to read
    #[arg(long, value_name = "DN", env = "HOLDFAST_READER_DN")]
    reader_dn: Option<String>,

    /// A file whose first line is the reader's password
    #[arg(long, value_name = "FILE", env = "HOLDFAST_READER_PASSWORD_FILE")]
    reader_password_file: Option<PathBuf>,

    /// The system administrator who signs in by the password kept here
    #[arg(long, value_name = "USER", env = "HOLDFAST_RECOVERY_ADMIN")]
    recovery_admin: Option<String>,

    /// When the cluster syncs by itself, in UTC: minute, hour, day, month, weekday; or @hourly and
    /// the like
    #[arg(long, value_name = "CRON", env = "HOLDFAST_SYNC_SCHEDULE")]
    sync_schedule: Option<String>,

    #[command(flatten)]
    people: PeopleFlags,

    /// The group whose members are system administrators; empty for none
    #[arg(long, value_name = "DN", env = "HOLDFAST_ADMIN_GROUP")]
    admin_group: Option<String>,

    /// Which attribute of a group names its members
    #[arg(long, value_name = "ATTRIBUTE", default_value = "member", env = "HOLDFAST_MEMBER_ATTR")]
    member_attr: String,

    /// A file with all settings as JSON, as `show --json` writes them; other flags change them
    #[arg(long, value_name = "FILE", env = "HOLDFAST_FILE")]
    file: Option<PathBuf>,

    #[command(flatten)]
    remote: RemoteFlags,
}

// Where people are. Several such places are written into a --file.
#[derive(Args)]
struct PeopleFlags {
    /// Below which entry people are
    #[arg(long, value_name = "DN", env = "HOLDFAST_BASE_DN")]
    base_dn: Option<String>,

    /// Not only right below it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
          env = "HOLDFAST_SUBTREE")]
    subtree: Option<bool>,

    /// What they sign in as: uid, or sAMAccountName in Active Directory
    #[arg(long, value_name = "ATTRIBUTE", env = "HOLDFAST_USERNAME_ATTR")]
    username_attr: Option<String>,

    /// What they are called
    #[arg(long, value_name = "ATTRIBUTE", env = "HOLDFAST_FULL_NAME_ATTR")]
    full_name_attr: Option<String>,

    /// Which entries are people
    #[arg(long, value_name = "FILTER", env = "HOLDFAST_FILTER")]
    filter: Option<String>,
}

impl PeopleFlags {
    fn given(&self) -> Map<String, Value> {
        given([
            ("baseDN", self.base_dn.clone().map(Value::from)),
            ("scopeSubtree", self.subtree.map(Value::from)),
            ("usernameAttr", self.username_attr.clone().map(Value::from)),
            ("fullNameAttr", self.full_name_attr.clone().map(Value::from)),
            ("filter", self.filter.clone().map(Value::from)),
        ])
    }
}

impl LdapFlags {
    pub(super) async fn run(&self) -> Result<(), Stop> {
        let client = self.remote.client()?;
        let before = match &self.file {
            Some(file) => {
                let read = serde_json::from_str(&text_of(file)?);
                read.map_err(|error| Stop::usage(format!("{}: {error}", file.display())))?
            }
            None => client.json(client.request(Method::GET, LDAP)).await?,
        };
        let body = Some(self.changed(before)?);
        let done = "this is how the directory is reached from now on; `holdfast directory ldap \
                    test USER` tries it";
        let (method, path) = (Method::PUT, LDAP.to_owned());
        self.remote.change_through(&client, Change { method, path, body, done }).await
    }

    /// The settings with what was given on the command line.
    fn changed(&self, before: Value) -> Result<Value, Stop> {
        let Value::Object(mut settings) = before else {
            return Err(Stop::usage("the settings are an object, as `show --json` writes it"));
        };
        let root_certs = self.root_certs.as_deref().map(text_of).transpose()?;
        let password = self.reader_password_file.as_deref().map(prompt::password_file);
        let password = password.transpose()?.map(|password| password.as_str().into());
        settings.extend(given([
            ("serverURL", self.server_url.clone().map(Value::from)),
            ("startTLS", self.start_tls.map(Value::from)),
            ("rootCerts", root_certs.map(Value::from)),
            ("tlsSkipVerify", self.tls_skip_verify.map(Value::from)),
            ("noSimplePagination", self.no_pages.map(Value::from)),
            ("readerDN", self.reader_dn.clone().map(Value::from)),
            ("readerPassword", password),
            ("recoveryAdminUsername", self.recovery_admin.clone().map(Value::from)),
            ("syncSchedule", self.sync_schedule.clone().map(Value::from)),
        ]));
        if let Some(group) = &self.admin_group {
            let is_enabled = !group.is_empty();
            settings.insert(
                "adminSyncOpts".to_owned(),
                json!({
                    "enableSync": is_enabled,
                    "selectGroupMembers": is_enabled,
                    "groupDN": group,
                    "groupMemberAttr": self.member_attr,
                }),
            );
        }
        let people = self.people.given();
        if !people.is_empty() {
            change_people(&mut settings, people)?;
        }
        Ok(Value::Object(settings))
    }
}

/// Changes the one place where people are.
fn change_people(
    settings: &mut Map<String, Value>,
    people: Map<String, Value>,
) -> Result<(), Stop> {
    let places = settings.entry("userSearchConfigs").or_insert_with(|| json!([]));
    match places.as_array_mut().map(|places| (places.len(), places)) {
        Some((0, places)) => places.push(Value::Object(people)),
        Some((1, places)) => {
            if let Some(place) = places[0].as_object_mut() {
                place.extend(people);
            }
        }
        _ => {
            return Err(Stop::usage(
                "people are in several places: write the settings to a file with `show --json`, \
                 change it there and give it as --file",
            ));
        }
    }
    Ok(())
}

fn given<const N: usize>(fields: [(&str, Option<Value>); N]) -> Map<String, Value> {
    let given = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    given.collect()
}

fn text_of(file: &Path) -> Result<String, Stop> {
    fs::read_to_string(file)
        .map_err(|error| Stop::usage(format!("{} cannot be read: {error}", file.display())))
}
