//! One route as the document describes it: what it takes and what it may answer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::shape::{Schema, between, flag, shape, text};
use crate::idempotency::takes_key;

/// Codes of errors, each with its status.
type Codes = &'static [(u16, &'static str)];

/// What a place in a path stands for, and the errors that come with it. A route whose path has a
/// place that is missing here fails a test.
const PLACES: &[(&str, &str, Codes)] = &[
    ("account", "name or id of a user or organization", &[(404, "NO_SUCH_ACCOUNT")]),
    ("action", "what jobs do, such as `onlinegc_events`", &[]),
    ("digest", "the digest of a blob", &[(404, "NO_SUCH_LAYER"), (400, "INVALID_DIGEST")]),
    ("hashedtoken", "the `hashedToken` of an access token", &[(404, "NO_SUCH_API_TOKEN")]),
    ("job", "the id of a job", &[(404, "NO_SUCH_JOB")]),
    ("keyID", "the id of a public key", &[(404, "NO_SUCH_PUBLIC_KEY")]),
    ("id", "the id of a join token", &[(404, "NO_SUCH_JOIN_TOKEN")]),
    ("ns", "the namespace: a user or organization, by name", &[(404, "NO_SUCH_ACCOUNT")]),
    (
        "org",
        "name or id of an organization",
        &[(404, "NO_SUCH_ACCOUNT"), (400, "NAMESPACE_NOT_ORGANIZATION")],
    ),
    ("ref", "a tag, or a digest", &[(404, "NO_SUCH_REF")]),
    ("replica", "the id of a replica", &[(404, "NO_SUCH_REPLICA")]),
    (
        "repo",
        "the repository's name in its namespace",
        &[(404, "NO_SUCH_REPOSITORY"), (400, "INVALID_REPOSITORY_NAME")],
    ),
    ("robot", "a robot's name, with or without its organization's", &[(404, "NO_SUCH_ACCOUNT")]),
    ("tag", "a tag", &[(404, "NO_SUCH_TAG")]),
    ("team", "name or id of a team", &[(404, "NO_SUCH_TEAM"), (400, "TEAM_NOT_IN_ORGANIZATION")]),
    ("user", "name or id of a user", &[(404, "NO_SUCH_ACCOUNT"), (404, "NO_SUCH_USER")]),
    ("worker", "the id of a replica", &[(404, "NO_SUCH_WORKER")]),
];

/// What may go wrong with every request.
const ALWAYS: Codes = &[
    (400, "INVALID_PARAMETERS"),
    (401, "NOT_AUTHENTICATED"),
    (403, "NOT_AUTHORIZED"),
    (414, "INVALID_PARAMETERS"),
    (429, "TOO_MANY_REQUESTS"),
    (431, "INVALID_PARAMETERS"),
    (500, "INTERNAL_ERROR"),
    (503, "NO_QUORUM"),
    (503, "UNAVAILABLE"),
];

/// What may go wrong with a body besides.
const WITH_BODY: Codes = &[(400, "INVALID_JSON"), (413, "INVALID_PARAMETERS")];

/// What may go wrong with a change besides, where it comes under an `Idempotency-Key`.
const WITH_KEY: Codes = &[(409, "IDEMPOTENCY_ANSWER_LOST"), (422, "IDEMPOTENCY_KEY_REUSED")];

/// A method of a path.
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    summary: &'static str,
    /// Name, shape, and what it means.
    query: Vec<(&'static str, Schema, &'static str)>,
    body: Option<Schema>,
    /// Fields of a form, as a page sends them.
    form: Option<Schema>,
    status: u16,
    answer: Option<Schema>,
    /// The answer is a page for people.
    is_page: bool,
    /// The answer is an archive.
    is_tar: bool,
    /// Headers of the answer.
    headers: Vec<(&'static str, &'static str)>,
    errors: BTreeMap<u16, BTreeSet<&'static str>>,
    for_everyone: bool,
}

/// `GET` of a path.
pub(crate) fn get(path: &'static str, summary: &'static str) -> Operation {
    Operation::new("GET", path, summary)
}

/// `POST` to a path.
pub(crate) fn post(path: &'static str, summary: &'static str) -> Operation {
    Operation::new("POST", path, summary)
}

/// `PUT` of a path.
pub(crate) fn put(path: &'static str, summary: &'static str) -> Operation {
    Operation::new("PUT", path, summary)
}

/// `PATCH` of a path.
pub(crate) fn patch(path: &'static str, summary: &'static str) -> Operation {
    Operation::new("PATCH", path, summary)
}

/// `DELETE` of a path: 204 and nothing, unless said otherwise.
pub(crate) fn delete(path: &'static str, summary: &'static str) -> Operation {
    Operation { status: 204, ..Operation::new("DELETE", path, summary) }
}

impl Operation {
    fn new(method: &'static str, path: &'static str, summary: &'static str) -> Self {
        let mut operation = Self {
            method,
            path,
            summary,
            query: Vec::new(),
            body: None,
            form: None,
            status: 200,
            answer: None,
            is_page: false,
            is_tar: false,
            headers: Vec::new(),
            errors: BTreeMap::new(),
            for_everyone: false,
        };
        for (status, code) in ALWAYS {
            operation.add_error(*status, code);
        }
        let with_key = if takes_key(method, path) { WITH_KEY } else { &[] };
        for (status, code) in with_key {
            operation.add_error(*status, code);
        }
        let known = |place: &&str| PLACES.iter().find(|(name, _, _)| name == place);
        for (_, _, errors) in places(path).iter().filter_map(known) {
            for (status, code) in *errors {
                operation.add_error(*status, code);
            }
        }
        operation
    }

    /// Takes a page of a list of `/api/v0`.
    pub(crate) fn paged(self) -> Self {
        self.asks("pageStart", text(), "what `X-Next-Page-Start` was; absent for the beginning")
            .asks("pageSize", between(1, 100_000), "entries, 10 where none is asked for")
            .in_parts()
            .counted()
    }

    /// Takes a part of a list of `/enzi/v0`.
    pub(crate) fn started(self) -> Self {
        self.asks("start", text(), "name or id of the first entry, or `X-Next-Page-Start`")
            .asks("limit", between(1, 65_536), "entries, 10 where none is asked for")
            .in_parts()
    }

    /// Says where a list goes on.
    pub(crate) fn in_parts(mut self) -> Self {
        self.headers.push(("X-Next-Page-Start", "where the list goes on; absent at its end"));
        self
    }

    /// Counts a list where that is asked.
    pub(crate) fn counted(mut self) -> Self {
        self.headers.push(("X-Resource-Count", "entries in all, where `count=true` asks"));
        self.asks("count", flag(), "`true`: the answer says how many there are in all")
    }

    /// Takes a parameter behind the `?`.
    pub(crate) fn asks(mut self, name: &'static str, of: Schema, what: &'static str) -> Self {
        self.query.push((name, of, what));
        self
    }

    /// Takes a body.
    pub(crate) fn takes(mut self, body: Schema) -> Self {
        self.body = Some(body);
        for (status, code) in WITH_BODY {
            self.add_error(*status, code);
        }
        self
    }

    /// Takes a form that a page sends.
    pub(crate) fn takes_form(mut self, form: Schema) -> Self {
        self.form = Some(form);
        self.fails(413, &["INVALID_PARAMETERS"])
    }

    /// Answers this where it went well.
    pub(crate) fn answers(mut self, status: u16, answer: Schema) -> Self {
        (self.status, self.answer) = (status, Some(answer));
        self
    }

    /// Answers this and nothing else where it went well.
    pub(crate) fn ends(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Answers a page for people.
    pub(crate) fn shows_page(mut self) -> Self {
        self.is_page = true;
        self
    }

    /// May fail with these codes.
    pub(crate) fn fails(mut self, status: u16, codes: &[&'static str]) -> Self {
        for code in codes {
            self.add_error(status, code);
        }
        self
    }

    /// Answers also those who did not sign in.
    pub(crate) fn for_everyone(mut self) -> Self {
        self.for_everyone = true;
        self
    }

    fn add_error(&mut self, status: u16, code: &'static str) {
        self.errors.entry(status).or_default().insert(code);
    }
}

/// What is not JSON.
impl Operation {
    /// Answers an archive.
    pub(crate) fn sends_tar(mut self) -> Self {
        self.is_tar = true;
        self
    }
}

/// As it stands in the document.
impl Operation {
    pub(super) fn rendered(&self) -> Value {
        let mut parameters: Vec<Value> = Vec::new();
        for place in places(self.path) {
            let what = PLACES.iter().find(|(name, _, _)| *name == place).map(|(_, what, _)| what);
            parameters.push(json!({
                "name": place, "in": "path", "required": true,
                "description": what, "schema": { "type": "string", "minLength": 1 },
            }));
        }
        for (name, of, what) in &self.query {
            parameters
                .push(json!({ "name": name, "in": "query", "description": what, "schema": of }));
        }
        if takes_key(self.method, self.path) {
            let key = json!({ "type": "string", "maxLength": 255, "pattern": "^[!-~]+$" });
            parameters.push(json!({
                "name": "Idempotency-Key", "in": "header", "schema": key,
                "description": "sent again under the same key within a day, it is not done twice",
            }));
        }
        let mut operation = json!({
            "operationId": self.id(),
            "tags": [self.tag()],
            "summary": self.summary,
            "parameters": parameters,
            "responses": self.responses(),
        });
        if let Some(body) = &self.body {
            operation["requestBody"] = json!({ "content": json_content(body) });
        }
        if let Some(form) = &self.form {
            let media_type = "application/x-www-form-urlencoded";
            operation["requestBody"] = json!({ "content": { media_type: { "schema": form } } });
        }
        if self.for_everyone {
            // An empty requirement stands for none.
            operation["security"] =
                json!([{}, { "basic": [] }, { "bearer": [] }, { "session": [] }]);
        }
        operation
    }

    fn responses(&self) -> Map<String, Value> {
        let mut responses = Map::new();
        let mut fine = json!({ "description": "done" });
        if let Some(answer) = &self.answer {
            fine["content"] = json_content(answer);
        }
        if self.is_page {
            fine["content"] = json!({ "text/html": { "schema": text() } });
        }
        if self.is_tar {
            fine["content"] = json!({ "application/x-tar": { "schema": text() } });
        }
        for (name, what) in &self.headers {
            fine["headers"][*name] = json!({ "description": what, "schema": text() });
        }
        responses.insert(self.status.to_string(), fine);
        for (status, codes) in &self.errors {
            let described: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
            let mut errors = shape("Errors");
            let code = json!({ "properties": { "code": { "enum": codes } } });
            errors["properties"] = json!({ "errors": { "items": code } });
            responses.insert(
                status.to_string(),
                json!({ "description": described.join(", "), "content": json_content(&errors) }),
            );
        }
        responses
    }

    /// The method and the words of the path: stays as it is, for generated clients.
    fn id(&self) -> String {
        let mut id = self.method.to_lowercase();
        for part in self.path.split('/').filter(|part| !part.is_empty()) {
            let part = part.trim_matches(['{', '}']).replace(['.', '-'], "_");
            id = format!("{id}_{part}");
        }
        id
    }

    /// The noun that it is about.
    fn tag(&self) -> &'static str {
        let words = self.path.split('/').skip(1);
        words.filter(|word| !word.starts_with('{')).nth(2).unwrap_or("search")
    }
}

/// The places of a path, in order.
pub(super) fn places(path: &'static str) -> Vec<&'static str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect()
}

/// Whether it is known what stands in a place.
#[cfg(test)]
pub(super) fn is_known(place: &str) -> bool {
    PLACES.iter().any(|(name, _, _)| *name == place)
}

fn json_content(schema: &Schema) -> Value {
    json!({ "application/json": { "schema": schema } })
}
