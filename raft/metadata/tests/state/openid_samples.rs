//! The commands and rows of sign-in by OpenID, for the golden files.

use metadata::command::Command;
use metadata::openid::commands::{OpenIdSet, OpenIdTie};
use metadata::openid::sign_in::OpenIdSignIn;
use metadata::openid::{GroupTeam, OpenIdRow};

use crate::cluster::Cluster;

fn text(text: &str) -> String {
    text.to_owned()
}

pub(crate) fn settings() -> OpenIdRow {
    OpenIdRow {
        revision: 0,
        is_enabled: true,
        issuer: text("https://id.example/realms/work"),
        client_id: text("registry"),
        sealed_client_secret: vec![1, 2, 3],
        root_certs: text("PEM"),
        scopes: vec![text("openid"), text("profile")],
        username_claim: text("preferred_username"),
        full_name_claim: text("name"),
        groups_claim: text("groups"),
        group_teams: Vec::new(),
        admin_group: text(""),
        creates_accounts: true,
    }
}

pub(crate) fn sign_in(subject: &str, name: &str) -> OpenIdSignIn {
    OpenIdSignIn {
        revision: 1,
        subject: text(subject),
        name: text(name),
        full_name: format!("{name} of the provider"),
        groups: Vec::new(),
    }
}

pub(crate) fn commands() -> Vec<Command> {
    let actor = || text("admin");
    let pair = GroupTeam { group: text("makers"), team: [7; 16] };
    let settings =
        OpenIdRow { revision: 4, group_teams: vec![pair], admin_group: text("root"), ..settings() };
    vec![
        OpenIdSet { actor: actor(), settings }.into(),
        OpenIdSignIn { groups: vec![text("makers"), text("root")], ..sign_in("s-1", "olga") }
            .into(),
        OpenIdTie { actor: actor(), name: text("alice"), subject: text("s-2") }.into(),
    ]
}

/// Rows of every kind.
pub(crate) fn fill(cluster: &mut Cluster) {
    cluster.does(OpenIdSet { actor: text("admin"), settings: settings() });
    cluster.does(sign_in("s-1", "olga"));
}
