//! What a patch makes of an object.

use serde_json::{Value, json};

use super::kind::Kind;
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
                let message = "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml, application/apply-patch+cbor";
                Err(Refusal::new(415, "UnsupportedMediaType", message))
            }
        }
    }
}

/// The object after the patch. An apply is merged too: what it takes back is removed before, by whoever keeps account.
pub(super) fn patched(
    way: Way,
    kind: Kind,
    name: &str,
    object: &Value,
    body: &[u8],
) -> Result<Value, Refusal> {
    let mut object = object.clone();
    if way == Way::Json {
        let patch: json_patch::Patch = read(body)?;
        json_patch::patch(&mut object, &patch.0).map_err(|error| {
            let message =
                format!("the server rejected our request due to an error in our request: {error}");
            Refusal::new(422, "Invalid", message).about("", "", name)
        })?;
        return Ok(object);
    }
    let patch: Value = match way {
        Way::Apply => parse_yaml(body)?,
        _ => read(body)?,
    };
    if !patch.is_object() {
        return Err(Refusal::bad_request("the body is no object"));
    }
    for (field, own) in [
        ("kind", kind.name().to_owned()),
        ("apiVersion", kind.api_version()),
    ] {
        if let Some(said) = patch[field].as_str()
            && said != own
        {
            let message = format!("{field} in the patch is {said}, and it is {own}");
            return Err(Refusal::new(422, "Invalid", message).about("", "", name));
        }
    }
    match way {
        Way::Merge => json_patch::merge(&mut object, &patch),
        _ => merge_by_key(&mut object, &patch),
    }
    Ok(object)
}

/// A manifest, or the body of an apply.
pub(super) fn parse_yaml(text: &[u8]) -> Result<Value, Refusal> {
    let bad = |error: String| Refusal::bad_request(format!("error decoding YAML: {error}"));
    let text = std::str::from_utf8(text).map_err(|error| bad(error.to_string()))?;
    serde_saphyr::from_str(text).map_err(|error| bad(error.to_string()))
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("error decoding patch: {error}")))
}

/// A merge in which lists of conditions are merged by type.
fn merge_by_key(into: &mut Value, patch: &Value) {
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
                for item in items {
                    match list.iter_mut().find(|it| it["type"] == item["type"]) {
                        Some(it) => merge_by_key(it, item),
                        None => list.push(item.clone()),
                    }
                }
                into[field] = json!(list);
            }
            value => merge_by_key(&mut into[field], value),
        }
    }
}
