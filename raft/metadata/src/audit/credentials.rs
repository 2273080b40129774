//! Deeds to how people and programs sign in: keys, sessions, robots, the directory, OpenID, and
//! what the cluster takes.

use super::deed::Deed;
use crate::command::Command;
use crate::openid;
use crate::openid::sign_in::OpenIdSignIn;
use crate::public_keys::KeyId;
use crate::sign_in::SignInSet;
use crate::tables::{Damage, Read};

pub(super) fn told(read: &impl Read, command: &Command) -> Result<Option<Deed>, Damage> {
    if let Command::OpenIdSignIn(sign_in) = command {
        return signed_in(read, sign_in).map(Some);
    }
    Ok(of_keys(command).or_else(|| by_openid(command)).or_else(|| by_directory(command)))
}

fn of_keys(command: &Command) -> Option<Deed> {
    Some(match command {
        Command::PublicKeyPut(put) => {
            let deed = Deed::new(&put.actor, "public-key.put", ("account", &put.account));
            deed.with("label", &put.label)
        }
        Command::PublicKeyUpdate(update) => {
            let deed = Deed::new(&update.actor, "public-key.update", ("account", &update.account));
            deed.with("key", hex(&update.id)).with("label", &update.label)
        }
        Command::PublicKeyDelete(delete) => {
            let deed = Deed::new(&delete.actor, "public-key.delete", ("account", &delete.account));
            deed.with("key", hex(&delete.id))
        }
        Command::RobotCreate(create) => {
            let object = ("account", create.organization.as_str());
            Deed::new(&create.actor, "robot.create", object).with("robot", &create.name)
        }
        Command::RobotDelete(delete) => {
            let object = ("account", delete.organization.as_str());
            Deed::new(&delete.actor, "robot.delete", object).with("robot", &delete.name)
        }
        Command::TokenKeyRotate(rotate) => {
            let deed = Deed::new(&rotate.actor, "token-key.rotate", ("token-key", &rotate.id));
            let deed = deed.with("former", &rotate.former_id);
            deed.with("formerLifeSeconds", rotate.former_life_ms / 1000)
        }
        Command::SignInSet(set) => set_sign_in(set),
        _ => return None,
    })
}

fn by_openid(command: &Command) -> Option<Deed> {
    Some(match command {
        Command::OpenIdSet(set) => {
            let settings = &set.settings;
            Deed::new(&set.actor, "openid.update", ("settings", "openid"))
                .with("issuerIdentifier", &settings.issuer)
                .with("clientID", &settings.client_id)
                .with("enabled", settings.is_enabled)
                .with("createAccounts", settings.creates_accounts)
                .with("adminGroup", &settings.admin_group)
                .with("groupTeams", settings.group_teams.len())
        }
        Command::OpenIdTie(tie) if tie.subject.is_empty() => {
            Deed::new(&tie.actor, "openid.untie", ("account", &tie.name))
        }
        Command::OpenIdTie(tie) => {
            let deed = Deed::new(&tie.actor, "openid.tie", ("account", &tie.name));
            deed.with("subject", &tie.subject)
        }
        _ => return None,
    })
}

/// Somebody who signs in may get an account, teams and more by it: that is kept, not only logged.
fn signed_in(read: &impl Read, sign_in: &OpenIdSignIn) -> Result<Deed, Damage> {
    let settings = openid::settings(read)?.unwrap_or_default();
    let known = openid::account_of(read, &settings.issuer, &sign_in.subject)?;
    let is_new = known.is_none().then_some(true);
    let name = known.map_or_else(|| sign_in.name.clone(), |(name, _)| name);
    Ok(Deed::new(&name, "openid.sign-in", ("account", &name))
        .with("subject", &sign_in.subject)
        .with_given("created", is_new)
        .with("groups", sign_in.groups.join(" ")))
}

/// What follows the directory tells how many; who they are stands in their accounts and teams.
fn by_directory(command: &Command) -> Option<Deed> {
    let of = |actor: &str, action| Deed::new(actor, action, ("settings", "directory"));
    Some(match command {
        Command::BackendSet(set) => of(&set.actor, "directory.use").with("isLDAP", set.is_ldap),
        Command::LdapSet(set) => {
            let password = set.recovery_password_hash.as_ref().map(|_| "set");
            of(&set.actor, "directory.update").with_given("recoveryPassword", password)
        }
        Command::SystemAccountsSet(set) => {
            of(&set.actor, "system-accounts.update").with("accounts", set.names.join(" "))
        }
        Command::MemberSyncSet(set) => {
            let object = ("account", set.organization.as_str());
            Deed::new(&set.actor, "directory.follow", object).with("ofTeam", set.team.is_some())
        }
        Command::DirectoryRunBegin(begin) => {
            of("", "directory.sync").with("replica", begin.replica_id)
        }
        Command::DirectoryUsersPut(put) => {
            of("", "directory.users-put").with("users", put.users.len())
        }
        Command::DirectoryUsersGone(gone) => {
            of("", "directory.users-gone").with("users", gone.users.len())
        }
        Command::DirectoryMembersSet(set) => {
            let deed = of("", "directory.members-set").with("joining", set.joining.len());
            deed.with("leaving", set.leaving.len())
        }
        _ => return None,
    })
}

fn set_sign_in(set: &SignInSet) -> Deed {
    Deed::new(&set.actor, "settings.update", ("settings", "cluster"))
        .with_given("refusePasswords", set.refuses_passwords)
        .with_given("clientCertAuthEnabled", set.takes_certificates)
        // Certificates are long; that they were exchanged is what matters here.
        .with_given("webTLSClientCA", set.client_ca_pem.as_ref().map(|_| "exchanged"))
}

fn hex(key: &KeyId) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}
