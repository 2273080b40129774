//! How the provider is reached and what its claims mean, as the API writes it: read, checked and
//! shown.
//!
//! Source: dtr-interface 4, `config/openid`; all but `issuerIdentifier` is ours.

use std::fmt;

use metadata::openid::OpenIdRow;
use metadata::openid::commands::{
    GROUP_TEAMS_MAX, NAME_BYTES_MAX, ROOT_CERTS_BYTES_MAX, SCOPES_MAX, TEXT_BYTES_MAX,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::discovery;
use crate::http::Http;

/// Without this scope a provider signs nobody in.
const OPENID: &str = "openid";

/// What `/enzi/v0/config/openid` takes and shows. The secret comes in and never goes out.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OpenIdSettings {
    /// Whether people may sign in by it.
    pub enabled: bool,
    /// Who the provider says it is, to the letter.
    pub issuer_identifier: String,
    /// What this registry is called there.
    #[serde(rename = "clientID")]
    pub client_id: String,
    /// What proves it; absent for the one that is kept, empty for none.
    #[serde(skip_serializing)]
    pub client_secret: Option<String>,
    /// Authorities that count, as PEM; those of the machine where there are none.
    pub root_certs: String,
    /// What is asked for; `openid` always is.
    pub scopes: Vec<String>,
    /// The claim that an account is called by at the first sign-in.
    pub username_claim: String,
    /// The claim that says what people are called; empty for none.
    pub full_name_claim: String,
    /// The claim that lists groups.
    pub groups_claim: String,
    /// Teams that follow groups.
    pub group_teams: Vec<NamedGroupTeam>,
    /// The group whose members are system administrators; empty where that is said here.
    pub admin_group: String,
    /// Whether whoever the provider lets in is given an account.
    pub create_accounts: bool,
}

/// A team that has the members of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedGroupTeam {
    /// What the provider calls the group.
    pub group: String,
    /// The organization's name.
    pub organization: String,
    /// The team's name there.
    pub team: String,
}

impl Default for OpenIdSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            issuer_identifier: String::new(),
            client_id: String::new(),
            client_secret: None,
            root_certs: String::new(),
            scopes: [OPENID, "profile", "email"].map(str::to_owned).to_vec(),
            username_claim: "preferred_username".to_owned(),
            full_name_claim: "name".to_owned(),
            groups_claim: "groups".to_owned(),
            group_teams: Vec::new(),
            admin_group: String::new(),
            create_accounts: true,
        }
    }
}

// Never shows the secret.
impl fmt::Debug for OpenIdSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("OpenIdSettings")
            .field("issuer_identifier", &self.issuer_identifier)
            .finish_non_exhaustive()
    }
}

/// Settings that were checked: what is kept, what is to be looked up, and what is to be sealed.
pub struct Checked {
    /// What is kept, but for the secret and the teams.
    pub row: OpenIdRow,
    /// The teams, by their names.
    pub group_teams: Vec<NamedGroupTeam>,
    /// The secret, where one was given; the empty one where there is to be none.
    pub client_secret: Option<Zeroizing<String>>,
}

impl OpenIdSettings {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// In words: which one does not do, and what would.
    pub fn check(mut self) -> Result<Checked, String> {
        discovery::document_of(&self.issuer_identifier)?;
        one_line("clientID", &self.client_id, TEXT_BYTES_MAX)?;
        if self.client_id.is_empty() {
            return Err("clientID is what this registry is called at the provider".to_owned());
        }
        let secret = self.client_secret.take().map(Zeroizing::new);
        one_line("clientSecret", secret.as_deref().map_or("", |it| it), TEXT_BYTES_MAX)?;
        if self.root_certs.len() > ROOT_CERTS_BYTES_MAX {
            return Err(format!("rootCerts has more than {ROOT_CERTS_BYTES_MAX} bytes"));
        }
        // Reads the authorities.
        Http::new(&self.root_certs)?;
        for (field, text) in [
            ("usernameClaim", &self.username_claim),
            ("fullNameClaim", &self.full_name_claim),
            ("groupsClaim", &self.groups_claim),
            ("adminGroup", &self.admin_group),
        ] {
            one_line(field, text, NAME_BYTES_MAX)?;
        }
        if self.username_claim.is_empty() {
            return Err("usernameClaim says what accounts are called; preferred_username, mostly"
                .to_owned());
        }
        self.check_groups()?;
        let scopes = scopes(self.scopes)?;
        let row = OpenIdRow {
            revision: 0,
            is_enabled: self.enabled,
            issuer: self.issuer_identifier,
            client_id: self.client_id,
            sealed_client_secret: Vec::new(),
            root_certs: self.root_certs,
            scopes,
            username_claim: self.username_claim,
            full_name_claim: self.full_name_claim,
            groups_claim: self.groups_claim,
            group_teams: Vec::new(),
            admin_group: self.admin_group,
            creates_accounts: self.create_accounts,
        };
        Ok(Checked { row, group_teams: self.group_teams, client_secret: secret })
    }

    fn check_groups(&self) -> Result<(), String> {
        if self.group_teams.len() > GROUP_TEAMS_MAX {
            return Err(format!("groupTeams has more than {GROUP_TEAMS_MAX} entries"));
        }
        for pair in &self.group_teams {
            one_line("groupTeams: group", &pair.group, NAME_BYTES_MAX)?;
            if pair.group.is_empty() {
                return Err("groupTeams: every entry has group, organization and team".to_owned());
            }
        }
        let follows = !self.group_teams.is_empty() || !self.admin_group.is_empty();
        if follows && self.groups_claim.is_empty() {
            return Err("groupsClaim is needed where groupTeams or adminGroup are given".to_owned());
        }
        Ok(())
    }

    /// What is kept, without its secret; the teams by their names.
    pub fn of_row(row: &OpenIdRow, group_teams: Vec<NamedGroupTeam>) -> Self {
        let row = row.clone();
        Self {
            enabled: row.is_enabled,
            issuer_identifier: row.issuer,
            client_id: row.client_id,
            client_secret: None,
            root_certs: row.root_certs,
            scopes: row.scopes,
            username_claim: row.username_claim,
            full_name_claim: row.full_name_claim,
            groups_claim: row.groups_claim,
            group_teams,
            admin_group: row.admin_group,
            create_accounts: row.creates_accounts,
        }
    }
}

/// Source: RFC 6749, 3.3.
fn scopes(mut scopes: Vec<String>) -> Result<Vec<String>, String> {
    if !scopes.iter().any(|scope| scope == OPENID) {
        scopes.insert(0, OPENID.to_owned());
    }
    if scopes.len() > SCOPES_MAX {
        return Err(format!("scopes has more than {SCOPES_MAX} entries"));
    }
    let is_one = |scope: &String| {
        let is_letter = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        !scope.is_empty() && scope.len() <= NAME_BYTES_MAX && scope.bytes().all(is_letter)
    };
    match scopes.iter().find(|scope| !is_one(scope)) {
        Some(unfit) => Err(format!("{unfit:?} is no scope: a word such as profile")),
        None => Ok(scopes),
    }
}

fn one_line(field: &str, text: &str, bytes_max: usize) -> Result<(), String> {
    if text.len() > bytes_max {
        return Err(format!("{field} has more than {bytes_max} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{field} is a text in one line"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::OpenIdSettings;

    fn good() -> Value {
        json!({
            "issuerIdentifier": "https://id.example/realms/work",
            "clientID": "registry",
            "clientSecret": "s3cret",
            "groupTeams": [{ "group": "makers", "organization": "acme", "team": "builders" }],
            "adminGroup": "root",
        })
    }

    fn read(document: &Value) -> OpenIdSettings {
        serde_json::from_value(document.clone()).unwrap()
    }

    #[test]
    fn what_is_not_said_is_as_most_providers_have_it_and_the_secret_is_never_shown() {
        let checked = read(&good()).check().unwrap();
        assert_eq!(checked.client_secret.as_ref().unwrap().as_str(), "s3cret");
        let row = &checked.row;
        assert!(row.is_enabled && row.creates_accounts);
        assert_eq!(row.scopes, ["openid", "profile", "email"]);
        assert_eq!(
            (row.username_claim.as_str(), row.groups_claim.as_str()),
            ("preferred_username", "groups",)
        );
        let shown = OpenIdSettings::of_row(row, checked.group_teams);
        assert!(!format!("{shown:?}").contains("s3cret"));
        let document = serde_json::to_value(&shown).unwrap();
        assert!(document.get("clientSecret").is_none());
        assert_eq!(document["groupTeams"], good()["groupTeams"]);
        assert!(!format!("{:?}", read(&good())).contains("s3cret"));
        let kept = read(&json!({ "issuerIdentifier": "https://id.example", "clientID": "r" }));
        assert!(kept.check().unwrap().client_secret.is_none());
    }

    #[test]
    fn what_does_not_do_is_named() {
        let many = vec![json!({ "group": "g", "organization": "o", "team": "t" }); 101];
        let cases = [
            ("issuerIdentifier", json!("http://id.example"), "issuerIdentifier"),
            ("issuerIdentifier", json!(""), "issuerIdentifier"),
            ("clientID", json!(""), "clientID"),
            ("clientID", json!("a\nb"), "clientID"),
            ("clientSecret", json!("x".repeat(2000)), "clientSecret"),
            ("rootCerts", json!("no PEM"), "rootCerts"),
            ("rootCerts", json!("x".repeat(20_000)), "rootCerts"),
            ("scopes", json!(["a b"]), "no scope"),
            ("scopes", json!([""]), "no scope"),
            ("scopes", json!(vec!["s"; 20]), "scopes"),
            ("usernameClaim", json!(""), "usernameClaim"),
            ("fullNameClaim", json!("x".repeat(300)), "fullNameClaim"),
            ("groupsClaim", json!(""), "groupsClaim"),
            ("groupTeams", json!(many), "groupTeams"),
            (
                "groupTeams",
                json!([{ "group": "", "organization": "o", "team": "t" }]),
                "groupTeams",
            ),
        ];
        for (field, value, expected) in cases {
            let mut document = good();
            document[field] = value;
            let error = read(&document).check().err().unwrap_or_default();
            assert!(error.contains(expected), "{field}: {error}");
            assert!(!error.contains("s3cret"));
        }
    }
}
