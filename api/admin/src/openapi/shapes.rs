//! The objects of answers, by name. A field that comes or goes stands here as well: the tests of
//! the surfaces hold every answer they see against these.
//!
//! Source: dtr-interface 3.2.

use super::shape::{
    Schema, digest, flag, list, map, number, object, optional, or_null, shape, text, time, uuid,
    with, word,
};

/// How far rights go, as clients of the old product know it.
pub(super) fn level() -> Schema {
    word(&["read-only", "read-write", "admin"])
}

/// Every object that has a name.
pub(super) fn all() -> Vec<(&'static str, Schema)> {
    let mut all = accounts();
    all.extend(repositories());
    all.extend(images());
    all.extend(journals());
    all.extend(directory());
    all.extend(openid());
    all.extend(super::jobs::shapes());
    all.extend(others());
    all
}

fn account(id: Schema) -> Schema {
    object(&[
        ("id", id),
        ("name", text()),
        ("fullName", text()),
        ("isOrg", flag()),
        ("isAdmin", flag()),
        ("isActive", flag()),
        ("isImported", flag()),
        ("onDemand", flag()),
        ("otpEnabled", flag()),
        ("membersCount", number()),
        ("teamsCount", number()),
        // For who manages it.
        ("quotaBytes?", number()),
        ("usedBytes?", number()),
    ])
}

fn accounts() -> Vec<(&'static str, Schema)> {
    let team = object(&[
        ("id", uuid()),
        ("orgID", uuid()),
        ("name", text()),
        ("description", text()),
        ("membersCount", number()),
        ("clientUserIsMember", flag()),
    ]);
    let token = object(&[
        ("hashedToken", text()),
        ("tokenLabel", text()),
        ("isActive", flag()),
        ("createdAt", time()),
        ("lastUsed", time()),
        ("creatorUa", text()),
        ("generatedBy", word(&["auto", "manual"])),
        ("username", text()),
        ("scopes", list(&text())),
        ("expiresAt", time()),
    ]);
    let public_key =
        object(&[("id", text()), ("accountID", uuid()), ("publicKey", text()), ("label", text())]);
    vec![
        ("Account", account(uuid())),
        // One that the directory knows may have none here yet.
        ("TriedAccount", account(text())),
        ("NewRobot", with(&account(uuid()), &[("token", text()), ("hashedToken", text())])),
        ("PublicKey", public_key),
        ("Member", object(&[("member", shape("Account")), ("isAdmin", flag())])),
        ("Team", team),
        ("NewAPIToken", with(&token, &[("token", text())])),
        ("APIToken", token),
    ]
}

fn repositories() -> Vec<(&'static str, Schema)> {
    let repository = object(&[
        ("id", uuid()),
        ("namespace", text()),
        ("namespaceType", word(&["user", "organization"])),
        ("name", text()),
        ("shortDescription", text()),
        ("longDescription?", text()),
        ("visibility", word(&["public", "private"])),
        ("scanOnPush", flag()),
        ("immutableTags", flag()),
        ("enableManifestLists", flag()),
        ("tagLimit", number()),
        ("pulls", number()),
        ("pushes", number()),
    ]);
    let team_access = object(&[("team", shape("Team")), ("accessLevel", level())]);
    let of_repository =
        [("repository", shape("Repository")), ("teamAccessList", list(&shape("TeamAccess")))];
    let of_team = [("team", shape("Team")), ("repositoryAccessList", list(&shape("RepoAccess")))];
    vec![
        ("Repository", repository),
        ("TeamAccess", team_access),
        ("ListRepoTeamAccess", object(&of_repository)),
        (
            "ListRepoNamespaceTeamAccess",
            object(&[("namespace", text()), ("teamAccessList", list(&shape("TeamAccess")))]),
        ),
        (
            "NamespaceTeamAccess",
            object(&[("namespace", text()), ("team", shape("Team")), ("accessLevel", level())]),
        ),
        ("RepoAccess", object(&[("repository", shape("Repository")), ("accessLevel", level())])),
        ("ListTeamRepoAccess", object(&of_team)),
        (
            "RepoUserAccess",
            object(&[
                ("user", shape("Account")),
                ("repository", shape("Repository")),
                ("accessLevel", level()),
            ]),
        ),
    ]
}

fn images() -> Vec<(&'static str, Schema)> {
    let line = object(&[
        ("line", text()),
        ("layerDigest", text()),
        ("mediaType?", text()),
        ("size", number()),
        ("isEmpty", flag()),
        ("urls?", list(&text())),
    ]);
    let manifest = object(&[
        ("digest", digest()),
        ("mediaType?", text()),
        ("configDigest?", digest()),
        ("configMediaType?", text()),
        ("os?", text()),
        ("osVersion?", text()),
        ("architecture?", text()),
        ("author?", text()),
        // As the image says it, whatever that is.
        ("createdAt?", text()),
        ("size?", number()),
        ("dockerfile?", list(&shape("DockerfileLine"))),
    ]);
    let tag = object(&[
        ("name", text()),
        ("digest", digest()),
        ("author", text()),
        ("createdAt", time()),
        ("updatedAt", time()),
        ("manifest", shape("Manifest")),
        ("inNotary", flag()),
        ("hashMismatch", flag()),
        // Of a tag that went: until when it may come back.
        ("undeleteUntil?", time()),
    ]);
    vec![("DockerfileLine", line), ("Manifest", manifest), ("Tag", tag)]
}

fn journals() -> Vec<(&'static str, Schema)> {
    let object_of_event = object(&[
        ("id", or_null(&text())),
        ("type", text()),
        ("name?", text()),
        // More of it, as JSON in a text.
        ("content?", text()),
    ]);
    let event = object(&[
        ("id", text()),
        ("publishedAt", time()),
        ("actor", text()),
        ("actorType", word(&["user", "anonymous", "system", "policy"])),
        ("type", text()),
        ("object", object_of_event),
        ("repository", text()),
    ]);
    let record = object(&[
        ("number", number()),
        ("logIndex", number()),
        ("time", time()),
        ("actor", text()),
        ("actorId", or_null(&uuid())),
        ("address", text()),
        ("requestId", text()),
        ("action", text()),
        ("objectType", text()),
        ("object", text()),
        ("facts", list(&object(&[("name", text()), ("value", text())]))),
        ("previousHash", text()),
        ("hash", text()),
    ]);
    let chain = object(&[
        ("clusterId", text()),
        ("first", number()),
        ("last", number()),
        ("anchor", text()),
        ("head", text()),
    ]);
    let happened = object(&[
        ("event", word(&["pushed", "deleted", "evicted", "undeleted"])),
        ("digest", digest()),
        ("actor", text()),
        ("at", time()),
    ]);
    vec![("Event", event), ("AuditRecord", record), ("AuditChain", chain), ("TagEvent", happened)]
}

/// What of it is asked for by a field with `?` is shown by one without.
fn directory() -> Vec<(&'static str, Schema)> {
    let member_sync = object(&[
        ("enableSync", flag()),
        ("selectGroupMembers", flag()),
        ("groupDN", text()),
        ("groupMemberAttr", text()),
        ("searchBaseDN", text()),
        ("searchScopeSubtree", flag()),
        ("searchFilter", text()),
    ]);
    let user_search = object(&[
        ("baseDN", text()),
        ("scopeSubtree", flag()),
        ("usernameAttr", text()),
        ("fullNameAttr", text()),
        ("filter", text()),
    ]);
    let ldap = object(&[
        ("serverURL", text()),
        ("startTLS", flag()),
        ("rootCerts", text()),
        ("tlsSkipVerify", flag()),
        ("noSimplePagination", flag()),
        ("readerDN", text()),
        ("recoveryAdminUsername", text()),
        ("userSearchConfigs", list(&shape("UserSearchConfig"))),
        ("adminSyncOpts", shape("MemberSyncOpts")),
        ("syncSchedule", text()),
    ]);
    let secrets =
        [("readerPassword?", or_null(&text())), ("recoveryAdminPassword?", or_null(&text()))];
    vec![
        ("GivenMemberSyncOpts", optional(&member_sync)),
        ("MemberSyncOpts", member_sync),
        ("GivenUserSearchConfig", optional(&user_search)),
        ("UserSearchConfig", user_search),
        ("GivenLDAPSettings", optional(&with(&ldap, &secrets))),
        ("LDAPSettings", ldap),
    ]
}

/// The same.
fn openid() -> Vec<(&'static str, Schema)> {
    let pair = object(&[("group", text()), ("organization", text()), ("team", text())]);
    let settings = object(&[
        ("enabled", flag()),
        ("issuerIdentifier", text()),
        ("clientID", text()),
        ("rootCerts", text()),
        ("scopes", list(&text())),
        ("usernameClaim", text()),
        ("fullNameClaim", text()),
        ("groupsClaim", text()),
        ("groupTeams", list(&shape("GroupTeam"))),
        ("adminGroup", text()),
        ("createAccounts", flag()),
        ("callbackURL", text()),
    ]);
    let secret = [("clientSecret?", or_null(&text()))];
    vec![
        ("GivenGroupTeam", pair.clone()),
        ("GroupTeam", pair),
        ("GivenOpenIDSettings", optional(&with(&settings, &secret))),
        ("OpenIDSettings", settings),
    ]
}

fn others() -> Vec<(&'static str, Schema)> {
    let error = object(&[("code", text()), ("message", text()), ("detail?", object(&[]))]);
    let result = object(&[
        ("name", text()),
        ("description", text()),
        ("star_count", number()),
        ("is_official", flag()),
        ("is_trusted?", flag()),
        ("is_automated?", flag()),
    ]);
    let found = object(&[
        ("num_results", number()),
        ("query", text()),
        ("results", list(&shape("SearchResult"))),
    ]);
    let issue = object(&[("critical", flag()), ("description", text()), ("type", text())]);
    let system_tables = object(&[
        ("cluster_config", list(&object(&[]))),
        ("current_issues", list(&shape("Issue"))),
        ("db_config", list(&object(&[]))),
        ("server_status", list(&object(&[]))),
    ]);
    let status = object(&[
        ("rethink_system_tables", system_tables),
        ("current_issues", list(&shape("Issue"))),
        ("replica_health", map(&text())),
        ("replica_timestamp", map(&text())),
        ("replica_readonly", map(&flag())),
        ("gc_lock_holder", text()),
        ("raft", shape("RaftStatus")),
    ]);
    let counted = or_null(&number());
    let raft = object(&[
        ("cluster_id", text()),
        ("cluster_version", number()),
        ("leader", text()),
        ("term", number()),
        ("committed", number()),
        ("voters", list(&text())),
        ("learners", list(&text())),
        ("failures_tolerated", number()),
        ("replicas", map(&object(&[]))),
        ("under_replicated_blobs", counted.clone()),
        ("lost_blobs", counted),
        ("corrupt_blobs", number()),
        ("kept_bytes", number()),
        ("unneeded_bytes", number()),
    ]);
    vec![
        ("Error", error),
        ("Errors", object(&[("errors", list(&shape("Error")))])),
        ("SearchResult", result),
        ("DockerSearch", found),
        ("Issue", issue),
        ("RaftStatus", raft),
        ("ClusterStatus", status),
    ]
}
