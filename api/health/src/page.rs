//! `/load_balancer_status`: a page for the person who wonders why the balancer left a replica out.

use consensus::status::ClusterStatus;

use crate::checks::{PARTS, Part};

/// What the page shows.
pub struct Shown<'a> {
    /// What fails.
    pub failing: &'a [(Part, String)],
    /// The cluster, as this replica knows it.
    pub status: &'a ClusterStatus,
    /// This program's version.
    pub version: &'a str,
}

/// May be loaded by the page: its own style sheet and nothing else.
pub const CONTENT_SECURITY_POLICY: &str = concat!(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; ",
    "frame-ancestors 'none'"
);

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2530;--dim:#5d6b7a;--line:#d9dfe6;--back:#f5f7f9;\
--card:#fff;--good:#11734b;--bad:#b3261e}\
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf0;--dim:#9aa7b4;--line:#2c3742;\
--back:#12181f;--card:#1a222b;--good:#5fd3a0;--bad:#ff8a80}}\
*{box-sizing:border-box}body{margin:0;padding:2.5rem 1rem;background:var(--back);\
color:var(--ink);font:16px/1.5 system-ui,sans-serif}\
main{max-width:46rem;margin:0 auto}h1{font-size:1.4rem;margin:0 0 .25rem}\
h2{font-size:1rem;margin:2rem 0 .5rem}p{margin:.25rem 0 1rem;color:var(--dim)}\
table{width:100%;border-collapse:collapse;background:var(--card);border:1px solid var(--line);\
border-radius:8px;overflow:hidden}th,td{text-align:left;padding:.6rem .9rem;\
border-top:1px solid var(--line);vertical-align:top}\
thead th{border-top:0;font-size:.85rem;color:var(--dim);font-weight:600}\
tbody th{font-weight:500;white-space:nowrap}code{font:.9em ui-monospace,monospace}\
.good{color:var(--good)}.bad{color:var(--bad)}.state{font-weight:600;white-space:nowrap}\
footer{margin-top:1.5rem;font-size:.85rem;color:var(--dim)}";

/// The page.
pub fn render(shown: &Shown<'_>) -> String {
    let Shown { failing, status, version } = shown;
    let replica = status.replica_id;
    let (state, summary) = if failing.is_empty() {
        ("healthy", "This replica takes requests.")
    } else {
        ("not healthy", "A load balancer leaves this replica out until every part answers again.")
    };
    let parts: String = PARTS.iter().map(|part| part_row(*part, failing)).collect();
    let replicas: String = status
        .replicas
        .iter()
        .map(|one| {
            let role = one.role.name();
            let own = if one.replica_id == replica { " (this one)" } else { "" };
            let health = state_cell(one.ailing.is_none());
            format!(
                "<tr><th scope=\"row\"><code>{}</code>{own}</th><td>{role}</td>{health}</tr>",
                one.replica_id
            )
        })
        .collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>Holdfast: replica {replica} is {state}</title><style>{STYLE}</style></head>\n\
         <body><main><h1>Replica <code>{replica}</code> is {state}</h1><p>{summary}</p>\n\
         <table><thead><tr><th>Part</th><th>State</th><th>Why</th></tr></thead>\n\
         <tbody>{parts}</tbody></table>\n\
         <h2>The cluster, as this replica sees it</h2>\n\
         <table><thead><tr><th>Replica</th><th>Role</th><th>State</th></tr></thead>\n\
         <tbody>{replicas}</tbody></table>\n\
         <footer>Holdfast {} · for balancers: <code>/_ping</code></footer></main></body></html>\n",
        escaped(version)
    )
}

fn part_row(part: Part, failing: &[(Part, String)]) -> String {
    let cause = failing.iter().find(|(failed, _)| *failed == part).map(|(_, cause)| cause.as_str());
    let state = state_cell(cause.is_none());
    let why = escaped(cause.unwrap_or("answers"));
    format!("<tr><th scope=\"row\">{}</th>{state}<td>{why}</td></tr>\n", part.name())
}

fn state_cell(is_well: bool) -> &'static str {
    if is_well {
        "<td class=\"state good\">OK</td>"
    } else {
        "<td class=\"state bad\">Failing</td>"
    }
}

/// A text that means nothing to a browser.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use consensus::status::ClusterStatus;
    use metadata::replica::ReplicaId;

    use super::{Shown, render};
    use crate::checks::Part;

    #[test]
    fn the_page_names_every_part_and_escapes_causes() {
        let status = ClusterStatus {
            cluster_id: "c".to_owned(),
            replica_id: ReplicaId::parse("0123456789ab").unwrap(),
            leader: None,
            term: 1,
            committed: 1,
            voters: vec![],
            learners: vec![],
            failures_tolerated: 0,
            no_majority_ms: None,
            replicas: vec![],
        };
        let failing = [(Part::Storage, "<b>full</b>".to_owned())];
        let page = render(&Shown { failing: &failing, status: &status, version: "1.0.0" });
        for text in ["storage", "authorization", "metadata", "content trust", "0123456789ab"] {
            assert!(page.contains(text), "{text}");
        }
        assert!(page.contains("&lt;b&gt;full&lt;/b&gt;") && !page.contains("<b>"));
        assert!(page.contains("is not healthy"));
    }
}
