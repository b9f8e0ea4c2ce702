//! Objects are JSON; what is in their metadata is found here.

use serde_json::{Map, Value, json};

/// A text in the metadata; empty if it is not there.
pub(super) fn meta<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// Metadata to write into. An object without has some then.
pub(super) fn meta_mut(object: &mut Value) -> &mut Map<String, Value> {
    if !object["metadata"].is_object() {
        object["metadata"] = Value::Object(Map::new());
    }
    object["metadata"]
        .as_object_mut()
        .expect("it was just made one")
}

/// Revision of the last change.
pub(super) fn revision(object: &Value) -> u64 {
    meta(object, "resourceVersion").parse().unwrap_or_default()
}

/// Now, as objects say it: whole seconds.
pub(super) fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

/// Whether two states of an object are the same but for its version and for when somebody became owner of a field.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    let bare = |object: &Value| {
        let mut object = object.clone();
        let meta = meta_mut(&mut object);
        meta.remove("resourceVersion");
        for entry in meta
            .get_mut("managedFields")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            entry.as_object_mut().map(|entry| entry.remove("time"));
        }
        object
    };
    bare(one) == bare(other)
}

/// The Status object of something that was done. To say its code is left to what was made.
pub(super) fn success(code: u16, details: &Value) -> Value {
    let mut status =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
    if code != 200 {
        status["code"] = json!(code);
    }
    if !details.is_null() {
        status["details"] = details.clone();
    }
    status
}
