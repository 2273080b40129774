//! Every answer of the management API that a test sees is held against the `OpenAPI` document: the
//! status is one that the route's entry tells of, and the body has that shape and no field more.

use std::sync::LazyLock;

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::harness::Answer;

static DOCUMENT: LazyLock<Value> = LazyLock::new(admin::openapi::document);

/// What is wrong with an answer to `METHOD /path`; the body of the request too, where it was taken.
pub(crate) fn complaint(
    (method, path): (&Method, &str),
    asked: &[u8],
    answer: &Answer,
) -> Option<String> {
    let operation = operation(method, path)?;
    let at = format!("{method} {path}: {}", answer.status);
    let described = &operation["responses"][answer.status.as_str()];
    if described.is_null() {
        let text = String::from_utf8_lossy(&answer.body);
        return Some(format!("{at} is not described; the answer was {text}"));
    }
    if answer.status.is_success() && !asked.is_empty() {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        // A form is none.
        if schema.is_object()
            && let Ok(body) = serde_json::from_slice(asked)
            && let Some(wrong) = misfit(schema, &body, false)
        {
            return Some(format!("{at}, though the request does not fit: {wrong}"));
        }
    }
    if *method == Method::HEAD {
        return None;
    }
    let is_of_browsers = path.starts_with("/api/v0/openid/");
    // What goes wrong is told in JSON, and to a browser on a page.
    let is_page = answer.header("content-type").starts_with("text/html");
    if is_of_browsers && is_page && !answer.status.is_success() {
        return None;
    }
    if described["content"]["text/html"].is_object() {
        return (!is_page).then(|| format!("{at} should be a page"));
    }
    if described["content"]["application/x-tar"].is_object() {
        let is_tar = answer.header("content-type") == "application/x-tar";
        return (!is_tar).then(|| format!("{at} should be an archive"));
    }
    let schema = &described["content"]["application/json"]["schema"];
    if schema.is_null() {
        return (!answer.body.is_empty()).then(|| format!("{at} should have no body"));
    }
    if answer.header("content-type") != "application/json" {
        return Some(format!("{at} comes as {:?}", answer.header("content-type")));
    }
    misfit(schema, &answer.json(), true).map(|wrong| format!("{at}: {wrong}"))
}

/// The entry of a route; `None` where the document has none of that method and path: the router has
/// none then either, as a test of the surface says.
fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let parts: Vec<&str> = path.split('/').collect();
    let paths = DOCUMENT["paths"].as_object()?;
    let fits = |template: &str| {
        let template: Vec<&str> = template.split('/').collect();
        let same = |(one, other): (&&str, &&str)| one.starts_with('{') || one == other;
        template.len() == parts.len() && template.iter().zip(&parts).all(same)
    };
    let fitting = paths.iter().filter(|(template, _)| fits(template));
    // A word goes before a place, as in the router.
    let (_, found) = fitting.min_by_key(|(template, _)| template.matches('{').count())?;
    let method = if *method == Method::HEAD { "get".to_owned() } else { method.to_string() };
    found.get(method.to_lowercase())
}

/// Where and how a value does not fit a schema. `is_closed`: a field that the schema does not name
/// does not fit.
///
/// Knows the words that the document uses and panics at others, so that none is passed over.
fn misfit(schema: &Value, value: &Value, is_closed: bool) -> Option<String> {
    let words = schema.as_object().unwrap_or_else(|| panic!("no schema: {schema}"));
    words.iter().find_map(|(word, rule)| {
        let wrong = || Some(format!("{word} {rule}, and it is {value}"));
        let fits = |holds: bool| if holds { None } else { wrong() };
        match word.as_str() {
            "type" => fits(is_of_type(rule.as_str().unwrap(), value)),
            "enum" => fits(rule.as_array().unwrap().contains(value)),
            "anyOf" => {
                let mut choices = rule.as_array().unwrap().iter();
                fits(choices.any(|one| misfit(one, value, is_closed).is_none()))
            }
            "$ref" => {
                let pointer = rule.as_str().unwrap().trim_start_matches('#');
                let named = DOCUMENT.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
                misfit(named, value, is_closed).map(|wrong| format!("{pointer}: {wrong}"))
            }
            "minimum" => fits(value.as_f64().is_none_or(|it| it >= rule.as_f64().unwrap())),
            "maximum" => fits(value.as_f64().is_none_or(|it| it <= rule.as_f64().unwrap())),
            "format" | "pattern" => fits(has_form(rule.as_str().unwrap(), value)),
            "items" => {
                let mut items = value.as_array().into_iter().flatten();
                items.find_map(|item| misfit(rule, item, is_closed))
            }
            "required" => {
                let mut names = rule.as_array().unwrap().iter();
                names.find_map(|name| value.get(name.as_str().unwrap()).is_none().then(wrong)?)
            }
            "properties" => misfit_of_fields(words, value, is_closed),
            "additionalProperties" => {
                let mut values = value.as_object().into_iter().flat_map(Map::values);
                values.find_map(|value| misfit(rule, value, is_closed))
            }
            other => panic!("{other} is a word that this check does not know"),
        }
    })
}

fn misfit_of_fields(schema: &Map<String, Value>, value: &Value, is_closed: bool) -> Option<String> {
    let known = schema["properties"].as_object().unwrap();
    // An object without fields of its own, and what only adds to another shape, are open.
    let is_open = !is_closed || known.is_empty() || schema.contains_key("$ref");
    value.as_object()?.iter().find_map(|(name, value)| match known.get(name) {
        Some(schema) => misfit(schema, value, is_closed).map(|wrong| format!("{name}: {wrong}")),
        // A schema of one part of an object, such as the code of an error.
        None if is_open || !schema.contains_key("type") => None,
        None => Some(format!("{name} is not described")),
    })
}

fn is_of_type(name: &str, value: &Value) -> bool {
    match name {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("{other} is a type that this check does not know"),
    }
}

fn has_form(name: &str, value: &Value) -> bool {
    let Some(text) = value.as_str() else { return true };
    let is_hex = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_hexdigit());
    match name {
        "date-time" => admin::moment::parse(text).is_some(),
        "uuid" => {
            let lengths: Vec<usize> = text.split('-').map(str::len).collect();
            lengths == [8, 4, 4, 4, 12] && text.split('-').all(is_hex)
        }
        "^sha(256|512):[0-9a-f]+$" => {
            let parts = text.split_once(':');
            parts.is_some_and(|(name, hex)| ["sha256", "sha512"].contains(&name) && is_hex(hex))
        }
        other => panic!("{other} is a form that this check does not know"),
    }
}

/// A check that lets everything through proves nothing.
#[test]
fn what_does_not_fit_is_noticed() {
    let account = json!({
        "id": "0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f", "name": "ann", "fullName": "",
        "isOrg": false, "isAdmin": false, "isActive": true, "isImported": false,
        "onDemand": false, "otpEnabled": false, "membersCount": 0, "teamsCount": 0,
    });
    let answered = |path: &str, status: u16, body: &Value| {
        let mut headers = http::HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        let (status, body) = (StatusCode::from_u16(status).unwrap(), body.to_string().into_bytes());
        complaint((&Method::GET, path), b"", &Answer { status, headers, body })
    };
    let shown = |change: &dyn Fn(&mut Value)| {
        let mut changed = account.clone();
        change(&mut changed);
        answered("/enzi/v0/accounts/ann", 200, &changed)
    };
    assert_eq!(shown(&|_| ()), None);
    let missing: &dyn Fn(&mut Value) = &|it| drop(it.as_object_mut().unwrap().remove("name"));
    let changes: [&dyn Fn(&mut Value); 5] = [
        missing,
        &|it| it["isAdmin"] = json!("no"),
        &|it| it["teamsCount"] = json!(-1),
        &|it| it["id"] = json!("ann"),
        &|it| it["isNew"] = json!(true),
    ];
    for (number, change) in changes.iter().enumerate() {
        assert!(shown(*change).is_some(), "{number}");
    }
    let error = |code: &str| json!({ "errors": [{ "code": code, "message": "no" }] });
    assert_eq!(answered("/enzi/v0/accounts/ann", 404, &error("NO_SUCH_ACCOUNT")), None);
    assert!(answered("/enzi/v0/accounts/ann", 404, &error("NO_SUCH_TEAM")).is_some(), "the code");
    assert!(answered("/enzi/v0/accounts/ann", 418, &json!({})).is_some(), "the status");
}
