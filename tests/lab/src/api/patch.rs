//! What a patch makes of an object.

use json_patch::PatchOperation;
use serde_json::error::Category;
use serde_json::{Value, json};

use super::refusal::Refusal;

/// What the media type of a patch says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// RFC 7386.
    Merge,
    /// RFC 6902.
    Json,
    /// Like merge, but lists of conditions are merged by type.
    Strategic,
    /// Server-side apply.
    Apply,
}

impl Way {
    pub(super) fn of(media: &str) -> Result<Self, Refusal> {
        match media.split(';').next().unwrap_or_default() {
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/json-patch+json" => Ok(Self::Json),
            "application/strategic-merge-patch+json" => Ok(Self::Strategic),
            "application/apply-patch+yaml" => Ok(Self::Apply),
            _ => {
                let message = "415: Unsupported Media Type";
                Err(Refusal::new(415, "UnsupportedMediaType", message).about("", "", ""))
            }
        }
    }
}

/// The object after the patch. An apply is merged too: what it takes back is removed before, by whoever keeps account.
pub(super) fn patched(way: Way, object: &Value, body: &[u8]) -> Result<Value, Refusal> {
    let mut object = object.clone();
    match way {
        Way::Json => {
            for operation in read::<json_patch::Patch>(body)?.0 {
                operate(&mut object, operation)?;
            }
        }
        Way::Merge => json_patch::merge(&mut object, &read(body)?),
        Way::Strategic => merge_by_key(&mut object, &read(body)?, New::First),
        Way::Apply => merge_by_key(&mut object, &parse_yaml(body)?, New::Last),
    }
    Ok(object)
}

/// To the real server a field that is not there is null.
fn operate(object: &mut Value, operation: PatchOperation) -> Result<(), Refusal> {
    if let PatchOperation::Test(test) = &operation
        && test.value.is_null()
        && object.pointer(test.path.as_str()).is_none()
    {
        return Ok(());
    }
    json_patch::patch(object, &[operation]).map_err(|_| {
        let message = "the server rejected our request due to an error in our request";
        Refusal::new(422, "Invalid", message).about("", "", "")
    })
}

/// A manifest, or the body of an apply.
pub(super) fn parse_yaml(text: &[u8]) -> Result<Value, Refusal> {
    let bad = |error: String| Refusal::bad_request(format!("error decoding YAML: {error}"));
    let text = std::str::from_utf8(text).map_err(|error| bad(error.to_string()))?;
    serde_saphyr::from_str(text).map_err(|error| bad(error.to_string()))
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        // In the words of the real one where it is likely.
        let why = match error.classify() {
            Category::Eof => "unexpected end of JSON input".to_owned(),
            _ => error.to_string(),
        };
        Refusal::bad_request(format!("error decoding patch: {why}"))
    })
}

/// Where items go that were not in a list.
#[derive(Clone, Copy)]
enum New {
    First,
    Last,
}

/// A merge in which lists of conditions are merged by type.
fn merge_by_key(into: &mut Value, patch: &Value, new: New) {
    let Some(patch) = patch.as_object() else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (field, value) in patch {
        match value {
            Value::Null => {
                into.as_object_mut().map(|it| it.remove(field));
            }
            Value::Array(items) if field == "conditions" => {
                let mut list = into[field].as_array().cloned().unwrap_or_default();
                let mut added = Vec::new();
                for item in items {
                    match list.iter_mut().find(|it| it["type"] == item["type"]) {
                        Some(it) => merge_by_key(it, item, new),
                        None => added.push(item.clone()),
                    }
                }
                let list = match new {
                    New::First => [added, list].concat(),
                    New::Last => [list, added].concat(),
                };
                into[field] = json!(list);
            }
            value => merge_by_key(&mut into[field], value, new),
        }
    }
}
