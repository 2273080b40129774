//! What the routes of backups, and of what follows a restore, take and answer.

use super::operation::{Operation, get, post};
use super::shape::{between, flag, list, number, object, text, time, word};

pub(super) fn operations() -> Vec<Operation> {
    let adoption = object(&[
        ("isOpen", flag()),
        ("formerClusterID?", text()),
        ("logIndex?", number()),
        ("begunAt?", time()),
    ]);
    let missing = object(&[("repository", text()), ("digest", text()), ("size", number())]);
    vec![
        get("/api/v0/meta/backup", "The state as one archive, a tar; see docs/operate/backup.md")
            .asks("archive", word(&["backup", "accounts"]), "which; `backup` where none is asked")
            .asks("ignoreEventsTable", flag(), "`true`: without events")
            .asks("ignoreScanData", flag(), "`true`: without results of scans")
            .sends_tar()
            .fails(412, &["PRECONDITION_FAILED"])
            .fails(507, &["NO_ROOM"]),
        get("/api/v0/meta/adoption", "Whether restored content is being adopted")
            .answers(200, adoption),
        get("/api/v0/meta/adoption/missing", "A page of what nobody has, by repository")
            .asks("pageStart", text(), "what `X-Next-Page-Start` was; absent for the beginning")
            .asks("pageSize", between(1, 100_000), "entries, 10 where none is asked for")
            .in_parts()
            .answers(200, object(&[("missing", list(&missing))])),
        post("/api/v0/meta/adoption/finish", "Ends adoption: collection begins again").ends(204),
    ]
}
