//! The directory's commands and rows, for the golden files.

use metadata::command::Command;
use metadata::directory::commands::{BackendSet, LdapSet, MemberSyncSet, SystemAccountsSet};
use metadata::directory::sync::{
    DirectoryGroup, DirectoryMembersSet, DirectoryRunBegin, DirectoryRunEnd, DirectoryUser,
    DirectoryUsersGone, DirectoryUsersPut,
};
use metadata::directory::{LdapRow, MemberSync, UserSearch};

use crate::cluster::{Cluster, id};

fn text(text: &str) -> String {
    text.to_owned()
}

pub(crate) fn sync() -> MemberSync {
    MemberSync {
        is_enabled: true,
        is_by_group: true,
        group_dn: text("cn=qa,dc=example"),
        group_member_attribute: text("member"),
        base_dn: text("dc=example"),
        is_subtree: true,
        filter: text("(title=boss)"),
    }
}

pub(crate) fn ldap(recovery_admin: &str) -> LdapRow {
    LdapRow {
        server_url: text("ldap://directory.example:389"),
        start_tls: true,
        root_certs: text("PEM"),
        tls_skip_verify: true,
        no_simple_pagination: true,
        reader_dn: text("cn=reader,dc=example"),
        sealed_reader_password: vec![1, 2, 3],
        recovery_admin: text(recovery_admin),
        user_searches: vec![UserSearch {
            base_dn: text("ou=people,dc=example"),
            is_subtree: true,
            username_attribute: text("uid"),
            full_name_attribute: text("cn"),
            filter: text("(objectClass=person)"),
        }],
        administrators: sync(),
        schedule: text("@hourly"),
    }
}

/// By the administrator, without a password.
pub(crate) fn ldap_set(ldap: LdapRow) -> LdapSet {
    LdapSet { actor: text("admin"), ldap, recovery_password_hash: None }
}

pub(crate) fn user(name: &str) -> DirectoryUser {
    let source = format!("uid={name},dc=example");
    DirectoryUser { name: text(name), full_name: format!("{name} of the directory"), source }
}

pub(crate) fn commands() -> Vec<Command> {
    let (run, user_id, actor) = ([8; 16], [9; 16], || text("admin"));
    vec![
        BackendSet { actor: actor(), is_ldap: true }.into(),
        LdapSet { actor: actor(), ldap: ldap("admin"), recovery_password_hash: Some(text("hash")) }
            .into(),
        SystemAccountsSet { actor: actor(), names: vec![text("admin"), text("ci")] }.into(),
        MemberSyncSet {
            actor: actor(),
            organization: text("org"),
            team: Some([7; 16]),
            sync: sync(),
        }
        .into(),
        DirectoryRunBegin { replica_id: id(2), job: Some([7; 16]) }.into(),
        DirectoryRunEnd { run, report: text("{}") }.into(),
        DirectoryUsersPut { run: Some(run), users: vec![user("dora")] }.into(),
        DirectoryUsersGone { run, users: vec![user_id] }.into(),
        DirectoryMembersSet {
            run: Some(run),
            group: DirectoryGroup::Team { team: [7; 16] },
            joining: vec![user_id],
            leaving: vec![[10; 16]],
        }
        .into(),
    ]
}

/// Rows of every kind.
pub(crate) fn fill(cluster: &mut Cluster) {
    let actor = || text("admin");
    cluster.does(ldap_set(ldap("admin")));
    cluster.does(BackendSet { actor: actor(), is_ldap: true });
    cluster.does(DirectoryRunBegin { replica_id: id(2), job: None });
    cluster.does(SystemAccountsSet { actor: actor(), names: vec![actor()] });
    cluster.does(DirectoryUsersPut { run: None, users: vec![user("dora")] });
    let organization = text("org");
    cluster.does(MemberSyncSet { actor: actor(), organization, team: None, sync: sync() });
}
