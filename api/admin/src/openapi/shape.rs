//! How a shape of JSON is written down: the few forms of JSON Schema that this API needs.

use serde_json::{Map, Value, json};

/// A schema as it stands in the document.
pub(crate) type Schema = Value;

/// Any text.
pub(crate) fn text() -> Schema {
    json!({ "type": "string" })
}

/// Yes or no.
pub(crate) fn flag() -> Schema {
    json!({ "type": "boolean" })
}

/// A whole number, not below zero.
pub(crate) fn number() -> Schema {
    json!({ "type": "integer", "minimum": 0 })
}

/// A whole number from one to another.
pub(crate) fn between(min: u64, max: u64) -> Schema {
    json!({ "type": "integer", "minimum": min, "maximum": max })
}

/// A time, RFC 3339 in UTC; `0001-01-01T00:00:00Z` stands for never.
pub(crate) fn time() -> Schema {
    json!({ "type": "string", "format": "date-time" })
}

/// An id in the form of a UUID.
pub(crate) fn uuid() -> Schema {
    json!({ "type": "string", "format": "uuid" })
}

/// The digest of content.
pub(crate) fn digest() -> Schema {
    json!({ "type": "string", "pattern": "^sha(256|512):[0-9a-f]+$" })
}

/// One of these words.
pub(crate) fn word(words: &[&str]) -> Schema {
    json!({ "type": "string", "enum": words })
}

/// Entries of one shape.
pub(crate) fn list(of: &Schema) -> Schema {
    json!({ "type": "array", "items": of })
}

/// Values of one shape under names that differ.
pub(crate) fn map(of: &Schema) -> Schema {
    json!({ "type": "object", "additionalProperties": of })
}

/// A shape, or `null`.
pub(crate) fn or_null(of: &Schema) -> Schema {
    json!({ "anyOf": [of, { "type": "null" }] })
}

/// The shape of that name, see `shapes`.
pub(crate) fn shape(name: &str) -> Schema {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// An answer's object: every field is there, but for those whose name ends with `?`.
pub(crate) fn object(fields: &[(&str, Schema)]) -> Schema {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (name, schema) in fields {
        let bare = name.trim_end_matches('?');
        if bare == *name {
            required.push(bare);
        }
        properties.insert(bare.to_owned(), schema.clone());
    }
    json!({ "type": "object", "properties": properties, "required": required })
}

/// A request's object: a field whose name ends with `?` may be absent or `null`, which is the same;
/// unknown fields are passed over.
pub(crate) fn form(fields: &[(&str, Schema)]) -> Schema {
    let fields = fields.iter().map(|(name, schema)| {
        let may_lack = name.ends_with('?');
        (*name, if may_lack { or_null(schema) } else { schema.clone() })
    });
    object(&fields.collect::<Vec<_>>())
}

/// The object of `schema` as a request gives it: every field may lack, also those of the shapes in
/// it, which stand under `Given` and their name.
pub(crate) fn optional(schema: &Schema) -> Schema {
    let text = schema.to_string().replace("#/components/schemas/", "#/components/schemas/Given");
    let mut given: Schema = serde_json::from_str(&text).unwrap_or_default();
    given["required"] = json!([]);
    given
}

/// The object of `schema` with more fields.
pub(crate) fn with(schema: &Schema, more: &[(&str, Schema)]) -> Schema {
    let mut whole = schema.clone();
    let added = object(more);
    for (key, value) in [("properties", &added["properties"]), ("required", &added["required"])] {
        match (&mut whole[key], value) {
            (Value::Object(there), Value::Object(new)) => there.extend(new.clone()),
            (Value::Array(there), Value::Array(new)) => there.extend(new.iter().cloned()),
            _ => {}
        }
    }
    whole
}
