//! What the routes of events, of the audit log and of a tag's history take and answer.

use super::operation::{Operation, get, post};
use super::shape::{flag, list, object, shape, text, time, word};

pub(super) fn operations() -> Vec<Operation> {
    let history = object(&[
        ("name", text()),
        ("events", list(&shape("TagEvent"))),
        ("undeleteUntil?", time()),
    ]);
    vec![
        events(get("/api/v0/events", "A page of all events, the newest first")),
        events(get(
            "/api/v0/repositories/{ns}/{repo}/events",
            "A page of what happened to one repository, the newest first",
        )),
        get("/api/v0/audit", "A page of the audit log, and both ends of its chain")
            .paged()
            .asks("oldestFirst", flag(), "`true`: from the beginning on")
            .asks("actor", text(), "name or id of who did it")
            .asks("action", text(), "what was done, such as `repository.create`")
            .asks("object", text(), "the name of what it was done to")
            .asks("since", time(), "not before then")
            .asks("until", time(), "before then")
            .answers(
                200,
                object(&[("records", list(&shape("AuditRecord"))), ("chain", shape("AuditChain"))]),
            ),
        get(
            "/api/v0/repositories/{ns}/{repo}/tags/{tag}/history",
            "What happened to a tag, the newest first, and until when it may come back",
        )
        .answers(200, history),
        post(
            "/api/v0/repositories/{ns}/{repo}/tags/{tag}/undelete",
            "Brings a tag back that was deleted or evicted",
        )
        .answers(200, shape("Tag"))
        .fails(403, &["QUOTA_EXCEEDED"])
        .fails(405, &["NOT_ALLOWED"])
        .fails(409, &["NOT_ALLOWED", "TAG_EXISTS"]),
    ]
}

fn events(operation: Operation) -> Operation {
    let types = ["CREATE", "GET", "UPDATE", "DELETE", "SEND", "FAIL", "SCAN"];
    let objects = [
        "REPOSITORY",
        "TAG",
        "BLOB",
        "MANIFEST",
        "WEBHOOK",
        "URI",
        "PROMOTION",
        "PUSH_MIRRORING",
        "POLL_MIRRORING",
    ];
    operation
        .paged()
        .asks("publishedAfter", time(), "after then")
        .asks("publishedBefore", time(), "before then")
        .asks("eventType", word(&types), "these only")
        .asks("objectType", word(&objects), "what happened to one of these only")
        .asks("actorId", text(), "name or id of who did it")
        .asks("excludePull", flag(), "`true`: no pulls")
        .answers(200, object(&[("events", list(&shape("Event")))]))
}
