//! Deeds to how people and programs sign in: keys, sessions, robots, the directory, and what the
//! cluster takes.

use super::deed::Deed;
use crate::command::Command;
use crate::public_keys::KeyId;
use crate::sign_in::SignInSet;

pub(super) fn told(command: &Command) -> Option<Deed> {
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
        _ => return by_directory(command),
    })
}

/// What follows the directory tells how many; who they are stands in their accounts and teams.
fn by_directory(command: &Command) -> Option<Deed> {
    let of = |actor: &str, action| Deed::new(actor, action, ("settings", "directory"));
    Some(match command {
        Command::BackendSet(set) => of(&set.actor, "directory.use").with("isLDAP", set.is_ldap),
        Command::LdapSet(set) => of(&set.actor, "directory.update"),
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
