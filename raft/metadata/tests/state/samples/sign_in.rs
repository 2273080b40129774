//! Samples of what has to do with signing in.

use metadata::certificates::TokenKeyRotate;
use metadata::command::Command;
use metadata::page_sessions::{PageSessionEnd, PageSessionOpen};
use metadata::public_keys::{PublicKeyDelete, PublicKeyPut, PublicKeyUpdate, id_of};
use metadata::refusal::Refusal;
use metadata::robots::{RobotCreate, RobotDelete};
use metadata::sign_in::SignInSet;

pub(crate) fn commands() -> Vec<Command> {
    let (account, actor) = (|| "alice".to_owned(), || "admin".to_owned());
    let (der, label) = (vec![0x30, 0x2a], || "laptop".to_owned());
    let id = id_of(&der);
    vec![
        PublicKeyPut { account: account(), actor: actor(), der, label: label() }.into(),
        PublicKeyUpdate { account: account(), actor: actor(), id, label: label() }.into(),
        PublicKeyDelete { account: account(), actor: actor(), id }.into(),
        TokenKeyRotate {
            actor: actor(),
            former_id: "k1".into(),
            id: "k2".into(),
            public_key: vec![4],
            sealed_key: vec![5],
            former_life_ms: 420_000,
        }
        .into(),
        SignInSet {
            actor: actor(),
            refuses_passwords: Some(true),
            takes_certificates: Some(true),
            client_ca_pem: Some("pem".into()),
        }
        .into(),
        PageSessionOpen {
            hash: [6; 32],
            account: account(),
            creator_agent: "browser".into(),
            life_ms: 43_200_000,
            idle_ms: 3_600_000,
        }
        .into(),
        PageSessionEnd { hash: [6; 32] }.into(),
        RobotCreate {
            organization: "org".into(),
            name: "ci".into(),
            description: "builds".into(),
            actor: actor(),
        }
        .into(),
        RobotDelete { organization: "org".into(), name: "ci".into(), actor: actor() }.into(),
    ]
}

pub(super) fn refusals() -> Vec<Refusal> {
    vec![
        Refusal::CredentialsRevoked { actor: "alice".into() },
        Refusal::PublicKeyUnknown,
        Refusal::PublicKeyTaken,
        Refusal::TokenKeyRotated,
        Refusal::ClientAuthorityMissing,
        Refusal::PasswordsRefused,
        Refusal::RobotUnfit { name: "org+ci".into() },
    ]
}
