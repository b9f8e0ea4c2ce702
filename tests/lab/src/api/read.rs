//! GET of one object and of many.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::kind::Kind;
use super::object::meta;
use super::refusal::Refusal;
use super::request::Asked;
use super::store::Inner;

pub(super) fn get(inner: &Inner, asked: &Asked) -> Result<Value, Refusal> {
    inner
        .get(asked.kind, asked.place(), &asked.name)
        .cloned()
        .ok_or_else(|| Refusal::not_found(asked.kind, &asked.name))
}

/// A list, in pages if that is asked for; all pages are of the version of the first.
pub(super) fn list(inner: &Inner, asked: &Asked) -> Result<Value, Refusal> {
    check_selectors(asked)?;
    let kind = asked.kind;
    // From the cache of the real server, which knows no pages.
    let limit = match asked.query("resourceVersion") {
        "0" => usize::MAX,
        _ => asked.query("limit").parse().unwrap_or(usize::MAX),
    };
    let limit = if limit == 0 { usize::MAX } else { limit };
    let (revision, objects) = match asked.query("continue") {
        "" => (inner.revision(), inner.list(kind).collect()),
        token => {
            let invalid = || {
                let why = "invalid continue token: continue key is not valid";
                Refusal::bad_request(why)
            };
            let (revision, namespace, name) = place(token).ok_or_else(invalid)?;
            if revision < inner.oldest() {
                return Err(Refusal::new(410, "Expired", EXPIRED));
            }
            let from = (kind, namespace, name);
            (revision, inner.list_at(&from, revision))
        }
    };
    let mut chosen = objects
        .into_iter()
        .filter(|object| is_chosen(asked, object));
    let items: Vec<Value> = chosen
        .by_ref()
        .take(limit)
        .cloned()
        .map(|mut item| {
            // Items of a list do not say what they are; the list does.
            if let Some(item) = item.as_object_mut() {
                item.remove("apiVersion");
                item.remove("kind");
            }
            item
        })
        .collect();
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if let (Some(_), Some(last)) = (chosen.next(), items.last()) {
        let (namespace, name) = (meta(last, "namespace"), meta(last, "name"));
        let token = format!("{revision} {namespace} {name}");
        metadata["continue"] = json!(URL_SAFE_NO_PAD.encode(token));
        if asked.selectors().next().is_none() {
            metadata["remainingItemCount"] = json!(1 + chosen.count());
        }
    }
    if asked.wants_table() {
        return Ok(table(asked, &metadata, &items));
    }
    Ok(json!({
        "kind": format!("{}List", kind.name()), "apiVersion": kind.api_version(),
        "metadata": metadata, "items": items,
    }))
}

/// What the real server prints of objects: of all kinds the name, of Nodes also how they are.
fn table(asked: &Asked, metadata: &Value, items: &[Value]) -> Value {
    let of_nodes = asked.kind == Kind::Node;
    let names = if of_nodes {
        &["Name", "Status"][..]
    } else {
        &["Name"]
    };
    let columns: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    let rows: Vec<Value> = items
        .iter()
        .map(|item| {
            let mut cells = vec![json!(meta(item, "name"))];
            if of_nodes {
                cells.push(json!(health(item)));
            }
            // Without the object, if that is asked for.
            let object = (asked.query("includeObject") != "None")
                .then(|| json!({"kind": "PartialObjectMetadata", "metadata": item["metadata"]}));
            json!({"cells": cells, "object": object})
        })
        .collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata, "columnDefinitions": columns, "rows": rows,
    })
}

/// How the real server words the health of a Node.
fn health(node: &Value) -> String {
    let conditions = node["status"]["conditions"].as_array();
    let ready = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Ready");
    let mut words = vec![match ready {
        Some(ready) if ready["status"] == "True" => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }];
    if node["spec"]["unschedulable"] == true {
        words.push("SchedulingDisabled");
    }
    words.join(",")
}

const EXPIRED: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.";

/// The version of a list that goes on, and after which object it does.
fn place(token: &str) -> Option<(u64, String, String)> {
    let text = URL_SAFE_NO_PAD.decode(token).ok()?;
    let text = String::from_utf8(text).ok()?;
    let (revision, last) = text.split_once(' ')?;
    let (namespace, name) = last.split_once(' ')?;
    Some((revision.parse().ok()?, namespace.into(), name.into()))
}

/// Only some fields can be asked for.
pub(super) fn check_selectors(asked: &Asked) -> Result<(), Refusal> {
    for (field, _) in asked.selectors() {
        let known = matches!(field, "metadata.name" | "metadata.namespace")
            || (asked.kind == Kind::Node && field == "spec.unschedulable")
            || (asked.kind == Kind::Pod && matches!(field, "spec.nodeName" | "status.phase"));
        if !known {
            let message = match asked.kind {
                Kind::Pod | Kind::Node => format!("field label not supported: {field}"),
                _ => format!(
                    "{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                ),
            };
            return Err(Refusal::bad_request(message));
        }
    }
    Ok(())
}

/// Whether a list or a watch is about this object.
pub(super) fn is_chosen(asked: &Asked, object: &Value) -> bool {
    let namespace = asked.place();
    (namespace.is_empty() || meta(object, "namespace") == namespace)
        && asked.selectors().all(|(field, value)| match field {
            "metadata.name" => meta(object, "name") == value,
            "metadata.namespace" => meta(object, "namespace") == value,
            // Of a Node; without the field it is false.
            "spec.unschedulable" => {
                let cordoned = object["spec"]["unschedulable"].as_bool();
                cordoned.unwrap_or_default().to_string() == value
            }
            "spec.nodeName" => object["spec"]["nodeName"].as_str().unwrap_or_default() == value,
            "status.phase" => object["status"]["phase"].as_str().unwrap_or_default() == value,
            _ => false,
        })
}
