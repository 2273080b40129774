//! What the routes of the whole system, and of tokens, take and answer.

use super::operation::{Operation, delete, get, patch, post};
use super::shape::{Schema, between, flag, form, list, number, object, shape, text, time, word};

pub(super) fn operations() -> Vec<Operation> {
    let mut all = system();
    all.extend(join_tokens());
    all.extend(replicas());
    all.extend(access_tokens());
    all
}

fn system() -> Vec<Operation> {
    let settings = object(&[
        ("dtrHost", text()),
        ("createRepositoryOnPush", flag()),
        ("readOnlyRegistry", flag()),
        ("clientCertAuthEnabled", flag()),
        ("webTLSClientCA", text()),
        ("refusePasswords", flag()),
        ("undeleteWindowSeconds", number()),
        ("collectionGraceSeconds", number()),
        ("repoEventHistoryCompactionEnabled", flag()),
        ("repoEventHistoryToKeep", number()),
        ("repoEventHistoryMaxAge", text()),
        ("jobHistoryCompactionEnabled", flag()),
        ("jobHistoryToKeep", number()),
        ("jobHistoryMaxAge", text()),
        ("replicaID", text()),
    ]);
    let changes = form(&[
        ("createRepositoryOnPush?", flag()),
        ("readOnlyRegistry?", flag()),
        ("clientCertAuthEnabled?", flag()),
        ("webTLSClientCA?", text()),
        ("refusePasswords?", flag()),
        ("undeleteWindowSeconds?", number()),
        ("collectionGraceSeconds?", number()),
        ("repoEventHistoryCompactionEnabled?", flag()),
        ("repoEventHistoryToKeep?", number()),
        ("repoEventHistoryMaxAge?", text()),
        ("jobHistoryCompactionEnabled?", flag()),
        ("jobHistoryToKeep?", number()),
        ("jobHistoryMaxAge?", text()),
    ]);
    let alert = object(&[("message", text()), ("id?", text()), ("class?", text())]);
    vec![
        get("/api/v0/meta/cluster_status", "How the cluster is, as the replica asked sees it")
            .answers(200, shape("ClusterStatus")),
        get("/api/v0/meta/settings", "The settings in force").answers(200, settings),
        post("/api/v0/meta/settings", "Sets what is given and leaves the rest")
            .takes(changes)
            .ends(202)
            .fails(400, &["INVALID_SETTINGS"]),
        get("/api/v0/meta/features", "What this registry can do").answers(200, features()),
        get("/api/v0/meta/alerts", "What an administrator should know of")
            .answers(200, list(&alert)),
        get("/api/v0/admin/version", "What this registry is")
            .answers(200, object(&[("version", text())])),
        get("/api/v0/openapi.json", "This document").for_everyone().answers(200, object(&[])),
        get("/enzi/v0/openapi.json", "The same").for_everyone().answers(200, object(&[])),
    ]
}

fn features() -> Schema {
    object(&[
        ("openIDEnabled", flag()),
        ("scanningEnabled", flag()),
        ("scanningLicensed", flag()),
        ("promotionLicensed", flag()),
        ("mirroringLicensed", flag()),
        ("metadataStoreOptedIn", flag()),
        ("onlineGCEnabled", flag()),
        ("db_version", number()),
        ("ucpHost", text()),
    ])
}

fn join_tokens() -> Vec<Operation> {
    let listed = object(&[("id", text()), ("usesLeft", number()), ("expiresAt", time())]);
    let made =
        object(&[("token", text()), ("id", text()), ("uses", number()), ("expiresAt", time())]);
    let month_s = 30 * 24 * 3_600;
    let wanted = form(&[("uses?", between(1, 100)), ("expiresIn?", between(1, month_s))]);
    vec![
        get("/api/v0/join_tokens", "The tokens by which replicas may join, without their secrets")
            .answers(200, object(&[("joinTokens", list(&listed))])),
        post("/api/v0/join_tokens", "Makes one; its secret is shown this once")
            .takes(wanted)
            .answers(201, made),
        delete("/api/v0/join_tokens/{id}", "Ends one"),
    ]
}

fn replicas() -> Vec<Operation> {
    let one = "/api/v0/replicas/{replica}";
    let standing = object(&[
        ("replicaID", text()),
        ("address", text()),
        ("health", text()),
        ("isReachable", flag()),
        ("isVoter", flag()),
        ("isDraining", flag()),
        ("othersAnswer", flag()),
        ("blobsHeld", number()),
        ("blobsToCopy", number()),
        ("lastCopies", number()),
        ("lastDigests", list(&text())),
    ]);
    let unsafe_or_last = &["UNSAFE", "NOT_ALLOWED"];
    vec![
        get(one, "How a member stands, and what it holds that others do not")
            .answers(200, standing.clone()),
        patch(one, "Begins to move its content to the others, or stops that")
            .takes(form(&[("isDraining?", flag())]))
            .answers(200, standing)
            .fails(409, unsafe_or_last),
        delete(one, "Removes it for ever: a live one once it is drained, a dead one at once")
            .asks("force", flag(), "`true`: also where blobs are lost with it")
            .fails(409, unsafe_or_last),
    ]
}

fn access_tokens() -> Vec<Operation> {
    let (all, one) = ("/api/v0/api_tokens", "/api/v0/api_tokens/{hashedtoken}");
    let wanted =
        form(&[("tokenLabel?", text()), ("scopes?", list(&text())), ("expiresAt?", time())]);
    let owner = "whose they are; absent for one's own";
    vec![
        get(all, "A page of the access tokens of a user; of all users for an administrator")
            .paged()
            .asks("username", text(), "whose they are")
            .answers(200, list(&shape("APIToken")))
            .fails(404, &["NO_SUCH_USER"]),
        post(all, "Makes one; its text is shown this once")
            .asks("username", text(), owner)
            .takes(wanted)
            .answers(200, shape("NewAPIToken"))
            .fails(404, &["NO_SUCH_USER"])
            .fails(409, &["NOT_ALLOWED"]),
        delete(all, "Revokes those of a user that were not used for long")
            .asks("username", text(), owner)
            .asks("usedbefore", time(), "last used before then")
            .asks("generatedby", word(&["auto", "manual"]), "`auto` where nothing is said")
            .ends(200)
            .fails(404, &["NO_SUCH_USER"]),
        get(one, "One access token").answers(200, shape("APIToken")),
        patch(one, "Changes its label, and whether it may be used")
            .takes(form(&[("tokenLabel?", text()), ("isActive?", flag())]))
            .answers(200, shape("APIToken")),
        delete(one, "Revokes it for ever").ends(200),
    ]
}
