//! `holdfast job` and `holdfast cron`, each command at the next replica.

use serde_json::json;

use super::desk::Desk;

/// A job is run, waited for, listed, followed, cancelled and deleted; a cron is set and deleted.
pub(super) async fn are_run_followed_and_ended(desk: &Desk<'_>) {
    let done = desk.done("job run sleep --parameter seconds=1 --wait").await;
    assert!(done.contains("status\tdone\n") && done.contains("seconds=1"), "{done}");
    let failed = desk.types("admin", "job run false --wait").await;
    assert!(failed.status == Some(1) && failed.err.contains("is not done"), "{failed}");
    let listed = desk.json("job list --action sleep").await;
    let id = listed[0]["id"].as_str().unwrap();
    let logs = desk.done(&format!("job logs {id} --follow")).await;
    assert!(logs.starts_with("claimed by worker ") && logs.ends_with("done\n"), "{logs}");
    assert!(desk.done("job list --status done").await.contains("\tsleep\tdone\t"));
    desk.done(&format!("job delete {id} --yes")).await;
    assert_eq!(desk.types("admin", &format!("job show {id}")).await.status, Some(1));

    desk.done("job run sleep --at 2100-01-31T12:00:00Z --retries 2").await;
    let waiting = desk.json("job list --status waiting").await;
    let id = waiting[0]["id"].as_str().unwrap();
    assert_eq!((&waiting[0]["retriesTotal"], &waiting[0]["workerID"]), (&json!(2), &json!("")));
    desk.done(&format!("job cancel {id}")).await;
    assert!(desk.done(&format!("job show {id}")).await.contains("status\tcancel\n"));

    desk.done("cron set onlinegc_joblogs @daily --deadline 5m").await;
    let crons = desk.done("cron list").await;
    assert!(
        crons.starts_with("onlinegc_joblogs\t@daily\t") && crons.ends_with("\t5m\n"),
        "{crons}"
    );
    desk.done("cron delete onlinegc_joblogs --yes").await;
    assert_eq!(desk.done("cron list").await, "");
    let unknown = desk.types("admin", "job run frobnicate").await;
    assert!(unknown.status == Some(1) && unknown.err.contains("onlinegc_joblogs"), "{unknown}");
}
