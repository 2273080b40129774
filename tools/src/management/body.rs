//! What is sent: the fields that were given on the command line, and no others.

use serde_json::{Map, Value};

use crate::exit::Stop;

/// An object of the fields that were given.
pub fn fields<const N: usize>(given: [(&str, Option<Value>); N]) -> Value {
    let given = given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(given.collect::<Map<_, _>>())
}

/// The same object, for a change: it changes something.
///
/// # Errors
///
/// A usage error where nothing was given.
pub fn some(body: Value) -> Result<Value, Stop> {
    if body.as_object().is_some_and(Map::is_empty) {
        return Err(Stop::usage("say what is to change; --help lists the flags"));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::exit::Exit;

    #[test]
    fn what_is_not_given_is_not_sent() {
        let body = fields([("a", Some(json!(1))), ("b", None), ("c", Some(json!(false)))]);
        assert_eq!(body, json!({"a": 1, "c": false}));
        assert_eq!(some(body.clone()), Ok(body));
        assert_eq!(some(fields([("a", None)])).unwrap_err().exit, Exit::Usage);
    }
}
