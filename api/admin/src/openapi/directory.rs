//! What the routes of the directory, of system accounts and of accounts from elsewhere take and
//! answer.

use super::operation::{Operation, get, post, put};
use super::shape::{flag, form, list, number, object, or_null, shape, text, time, word};

pub(super) fn operations() -> Vec<Operation> {
    let mut all = settings();
    all.extend(syncs());
    all.extend(accounts());
    all
}

fn settings() -> Vec<Operation> {
    let (place, ldap) = ("/enzi/v0/config/auth", "/enzi/v0/config/auth/ldap");
    let backend = || object(&[("backend", word(&["managed", "ldap"]))]);
    let trial = form(&[
        ("username", text()),
        ("password", text()),
        ("ldapSettings?", shape("GivenLDAPSettings")),
    ]);
    vec![
        get(place, "Where people sign in").answers(200, backend()),
        put(place, "Says where people sign in").takes(backend()).answers(200, backend()),
        get(ldap, "How the directory is reached, without its secrets")
            .answers(200, shape("LDAPSettings")),
        put(ldap, "Says how the directory is reached")
            .takes(shape("GivenLDAPSettings"))
            .answers(200, shape("LDAPSettings"))
            .fails(405, &["NOT_ALLOWED"]),
        post("/enzi/v0/config/auth/ldap/tryLogin", "Signs somebody in by settings, to try them")
            .takes(trial)
            .answers(200, shape("TriedAccount")),
    ]
}

fn syncs() -> Vec<Operation> {
    let sync = "/enzi/v0/config/auth/ldap/sync";
    let owners = "/enzi/v0/accounts/{org}/adminMemberSyncConfig";
    let team = "/enzi/v0/accounts/{org}/teams/{team}/memberSyncConfig";
    let run = object(&[
        ("state", word(&["never", "running", "done", "failed", "interrupted"])),
        ("replicaID?", text()),
        ("startedAt?", time()),
        ("endedAt?", or_null(&time())),
        ("report?", or_null(&object(&[]))),
    ]);
    vec![
        get(sync, "The sync with the directory that goes on, or the last one")
            .answers(200, run.clone()),
        post(sync, "Begins a sync with the directory")
            .answers(202, run)
            .fails(409, &["SYNC_RUNNING"]),
        get(owners, "How an organization's owners follow the directory")
            .answers(200, shape("MemberSyncOpts")),
        put(owners, "Says how an organization's owners follow the directory")
            .takes(shape("GivenMemberSyncOpts"))
            .answers(200, shape("MemberSyncOpts")),
        get(team, "How a team follows the directory").answers(200, shape("MemberSyncOpts")),
        put(team, "Says how a team follows the directory")
            .takes(shape("GivenMemberSyncOpts"))
            .answers(200, shape("MemberSyncOpts")),
    ]
}

fn accounts() -> Vec<Operation> {
    let place = "/enzi/v0/config/accounts";
    let listed = object(&[
        ("systemAccounts", list(&text())),
        ("usersCount", number()),
        ("orgsCount", number()),
    ]);
    let or_not = or_null(&flag());
    let imported = object(&[
        ("name", text()),
        ("fullName?", text()),
        ("isOrg?", or_not.clone()),
        ("isAdmin?", or_not.clone()),
        ("isActive?", or_not),
        ("passwordHash?", or_null(&text())),
    ]);
    vec![
        get(place, "Accounts that are never deleted").answers(200, listed.clone()),
        put(place, "Says which accounts are never deleted")
            .takes(object(&[("systemAccounts", list(&text()))]))
            .answers(200, listed)
            .fails(404, &["NO_SUCH_ACCOUNT"]),
        post("/enzi/v0/admin/importAccounts", "Makes accounts from elsewhere, all or none")
            .takes(object(&[("accounts", list(&imported))]))
            .answers(201, object(&[("accounts", list(&shape("Account")))]))
            .fails(400, &["ACCOUNT_EXISTS"]),
    ]
}
