//! Reading the examples of a page: fenced `sh` blocks, commands, and what the comment after them
//! promises.
//!
//! A promise is a comment that begins with a status: `# 200 {"tags":["v1"]}`. Its text is what the
//! command prints; each `…` stands for anything. Every other comment is prose.

/// Stands for any text in a promise.
const ANYTHING: char = '…';

/// Some commands and what the last request among them is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Line of the page on which it begins, from 1.
    pub(crate) line: usize,
    /// As they stand, line breaks included.
    pub(crate) commands: String,
    /// `None` where the page promises nothing.
    pub(crate) promise: Option<Promise>,
}

/// What the page says an answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Promise {
    pub(crate) status: u16,
    /// Empty where only the status is promised.
    pub(crate) text: String,
}

/// Every step of a page in order; the first block, which only sets variables, is the first step.
pub(crate) fn steps(page: &str) -> Vec<Step> {
    let (mut found, mut within) = (Vec::new(), false);
    let mut begun: Option<Step> = None;
    for (at, line) in page.lines().enumerate() {
        if line.starts_with("```") {
            within = line == "```sh";
            found.extend(begun.take());
        } else if within {
            let fresh = Step { line: at + 1, commands: String::new(), promise: None };
            let step = begun.get_or_insert(fresh);
            step.promise = promise(line);
            if step.promise.is_some() {
                found.extend(begun.take());
            } else if !line.is_empty() || !step.commands.is_empty() {
                step.commands += line;
                step.commands.push('\n');
            } else {
                begun = None;
            }
        }
    }
    found
}

fn promise(line: &str) -> Option<Promise> {
    let said = line.strip_prefix("# ")?;
    let (status, text) = said.split_once(' ').unwrap_or((said, ""));
    let is_status = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
    let status = status.parse().ok().filter(|_| is_status)?;
    Some(Promise { status, text: text.trim().to_owned() })
}

/// The commands with these variables set to what holds here; the others stay as they are.
pub(crate) fn with_values(commands: &str, values: &[(&str, String)]) -> String {
    let mut text = String::new();
    for line in commands.lines() {
        let (export, rest) =
            line.strip_prefix("export ").map_or(("", line), |rest| ("export ", rest));
        let value = rest.split_once('=').and_then(|(name, _)| {
            values.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
        });
        match (value, rest.split_once('=')) {
            (Some(value), Some((name, _))) => text += &format!("{export}{name}='{value}'"),
            _ => text += line,
        }
        text.push('\n');
    }
    text
}

/// Whether an output is as promised.
pub(crate) fn keeps(promised: &str, output: &str) -> bool {
    let output = output.replace('\r', "");
    let mut rest = output.trim();
    if promised.is_empty() {
        return true;
    }
    let pieces: Vec<&str> = promised.split(ANYTHING).collect();
    for (at, piece) in pieces.iter().enumerate() {
        let place = if at == 0 { rest.starts_with(piece).then_some(0) } else { rest.find(piece) };
        let Some(place) = place else { return false };
        // The last piece may stand earlier as well: it counts where the output ends with it.
        if at + 1 == pieces.len() && at > 0 {
            return rest.ends_with(piece);
        }
        rest = &rest[place + piece.len()..];
    }
    rest.is_empty()
}

/// `METHOD /path` of every request in what `curl -v` said, and the last status.
pub(crate) fn traced(trace: &str) -> (Vec<String>, Option<u16>) {
    let (mut asked, mut status) = (Vec::new(), None);
    for line in trace.lines() {
        let words: Vec<&str> = line.trim_end().split(' ').collect();
        match words[..] {
            [">", method, target, version] if version.starts_with("HTTP/") => {
                let path = target.split('?').next().unwrap_or_default();
                asked.push(format!("{method} {path}"));
            }
            ["<", version, code, ..] if version.starts_with("HTTP/") => {
                status = code.parse().ok().filter(|code| *code >= 200).or(status);
            }
            _ => {}
        }
    }
    (asked, status)
}

/// Whether `METHOD /path` is one of a route such as `GET /v2/{name}/tags/list`, where `{name}`
/// stands for one or more parts and any other brace for one.
pub(crate) fn belongs(asked: &str, route: &str) -> bool {
    fn matches(asked: &[&str], route: &[&str]) -> bool {
        match (asked, route) {
            ([], []) => true,
            ([_, rest @ ..], ["{name}", after @ ..]) => {
                matches(rest, after) || matches(rest, route)
            }
            ([part, rest @ ..], [wanted, after @ ..]) => {
                let fits = part == wanted || wanted.starts_with('{') && !part.is_empty();
                fits && matches(rest, after)
            }
            _ => false,
        }
    }
    let (asked, route): (Vec<_>, Vec<_>) = (asked.split('/').collect(), route.split('/').collect());
    matches(&asked, &route)
}

/// Routes of the page's tables, one method each; `HEAD` needs no example of its own.
pub(crate) fn routes(page: &str) -> Vec<String> {
    let mut routes = Vec::new();
    for line in page.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let path = cells.get(2).and_then(|cell| cell.strip_prefix("`/")?.split('`').next());
        let Some(path) = path else { continue };
        let methods = cells[1].split(", ").filter(|method| *method != "HEAD");
        routes.extend(methods.map(|method| format!("{method} /{path}")));
    }
    routes
}

#[test]
fn a_page_is_read_as_steps() {
    let page = "text\n```sh\nA=1\n```\n```json\n# 200 no\n```\n```sh\n# Prose.\ncurl a \\\n  b\n\
                # 201 x…\n\ncurl c\n```\n";
    let found = steps(page);
    let lines: Vec<usize> = found.iter().map(|step| step.line).collect();
    assert_eq!(lines, [3, 9, 14]);
    assert_eq!(found[1].commands, "# Prose.\ncurl a \\\n  b\n");
    assert_eq!(found[1].promise, Some(Promise { status: 201, text: "x…".to_owned() }));
    assert_eq!(found[2].promise, None);
    let set = with_values("HOST=x   # any\nexport CA=y\nB=z\n", &[("HOST", "h".to_owned())]);
    assert_eq!(set, "HOST='h'\nexport CA=y\nB=z\n");
}

#[test]
fn a_promise_that_is_not_kept_is_caught() {
    let kept = [("", "any"), ("{}", "{}\n"), ("a…c", "a b c"), ("…b…", "a\r\nb c"), ("…x", "xyx")];
    for (promised, output) in kept {
        assert!(keeps(promised, output), "{promised} of {output}");
    }
    let broken = [("{}", ""), ("{}", "{} and"), ("a…c", "a b c d"), ("…b…a…", "a b"), ("b", "ab")];
    for (promised, output) in broken {
        assert!(!keeps(promised, output), "{promised} of {output}");
    }
}

#[test]
fn requests_are_read_from_a_trace_and_found_among_the_routes() {
    let trace = "* Connected\n> PUT /v2/a/b/manifests/v1?tag=x HTTP/2\n< HTTP/2 100 \n\
                 < HTTP/2 201 \n< location: /v2/\n";
    assert_eq!(traced(trace), (vec!["PUT /v2/a/b/manifests/v1".to_owned()], Some(201)));
    assert!(belongs("PUT /v2/a/b/manifests/v1", "PUT /v2/{name}/manifests/{reference}"));
    assert!(!belongs("GET /v2/a/b/manifests/v1", "PUT /v2/{name}/manifests/{reference}"));
    assert!(belongs("POST /v2/a/b/blobs/uploads/", "POST /v2/{name}/blobs/uploads/"));
    assert!(!belongs("POST /v2/a/b/blobs/uploads/", "POST /v2/{name}/blobs/uploads/{uuid}"));
    let table = "| Methods | Path |\n|---|---|\n| GET, HEAD, PUT | `/v2/` | x |\n| `A` | 4 | `/` |";
    assert_eq!(routes(table), ["GET /v2/", "PUT /v2/"]);
}
