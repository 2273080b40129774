//! What several people are answered to the same requests, and lists followed to their end.

use serde_json::Value;

use crate::harness::{ADMIN, Answer, Registry};

/// Everyone's credentials: of the administrator, and of users made with [`Registry::user`].
pub(crate) fn credentials(name: &str) -> (&str, &str) {
    if name == ADMIN.0 { ADMIN } else { (name, "pw") }
}

/// A request, and the status that each of `N` people is answered.
pub(crate) type Case<const N: usize> = (&'static str, &'static str, &'static str, [u16; N]);

/// Has each person, the empty name being nobody, make each request in turn.
pub(crate) async fn check<const N: usize>(
    registry: &Registry,
    people: [&str; N],
    cases: &[Case<N>],
) {
    for (method, path, body, statuses) in cases {
        for (name, status) in people.iter().zip(statuses) {
            let ask = registry.ask(method, path).body(*body);
            let ask = if name.is_empty() { ask } else { ask.by(credentials(name)) };
            let answer = ask.send().await;
            let said = String::from_utf8_lossy(&answer.body);
            assert_eq!(answer.status, *status, "{name}: {method} {path} {body}: {said}");
            let code = match status {
                401 => "NOT_AUTHENTICATED",
                403 => "NOT_AUTHORIZED",
                _ => continue,
            };
            assert_eq!(answer.code(), code, "{name}: {method} {path} {body}");
        }
    }
}

/// A request of the administrator.
pub(crate) async fn ask(registry: &Registry, method: &str, path: &str, body: &str) -> Answer {
    registry.ask(method, path).by_admin().body(body).send().await
}

/// The entries under `key` of the list at `path`, two at a time by `X-Next-Page-Start`; `between`
/// runs after each part but the last, and is told how many there were.
pub(crate) async fn follow(
    registry: &Registry,
    (path, key): (&str, &str),
    mut between: impl AsyncFnMut(usize),
) -> Vec<Value> {
    let (mut entries, mut start) = (Vec::new(), String::new());
    let separator = if path.contains('?') { '&' } else { '?' };
    for parts in 1.. {
        let part = format!("{path}{separator}limit=2&start={start}");
        let answer = ask(registry, "GET", &part, "").await.is(200);
        let listed = answer.json()[key].as_array().unwrap().clone();
        assert!(listed.len() <= 2, "{listed:?}");
        entries.extend(listed);
        start = answer.header("x-next-page-start").to_owned();
        if start.is_empty() {
            break;
        }
        between(parts).await;
    }
    entries
}

/// A text of a document, by its place.
pub(crate) fn text(document: &Value, place: &str) -> String {
    document.pointer(place).and_then(Value::as_str).unwrap_or_default().to_owned()
}
