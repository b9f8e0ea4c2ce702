//! POST, PATCH and DELETE of an object.

use serde_json::{Value, json};

use super::answer::Answer;
use super::kind::Kind;
use super::managed::{self, Writer};
use super::object::{meta, meta_mut, revision};
use super::patch::{Way, parse_yaml, patched};
use super::refusal::Refusal;
use super::request::Asked;
use super::restrict;
use super::server::success;
use super::store::{Inner, settle};
use super::{delete, validate};

/// Makes an object.
pub(super) fn create(inner: &mut Inner, asked: &Asked) -> Result<Answer, Refusal> {
    let body = serde_json::from_slice(&asked.body)
        .map_err(|error| Refusal::bad_request(format!("error decoding: {error}")))?;
    make(inner, asked, body, &Writer::new(asked.manager(), ""))
}

fn make(
    inner: &mut Inner,
    asked: &Asked,
    mut object: Value,
    writer: &Writer,
) -> Result<Answer, Refusal> {
    let kind = asked.kind;
    if kind.is_namespaced() {
        meta_mut(&mut object).insert("namespace".to_owned(), json!(asked.namespace));
    }
    restrict::creation(inner, asked, &object)?;
    prepare(kind, &mut object);
    validate::validate(kind, &object)?;
    inner
        .create(&asked.user.name, writer, kind, object)
        .map(|made| Answer::Object(201, made))
}

/// What the server fills in or takes away before it keeps a new object.
fn prepare(kind: Kind, object: &mut Value) {
    match kind {
        Kind::Pod => {
            object["status"] = json!({"phase": "Pending"});
            if object["spec"]["terminationGracePeriodSeconds"].is_null() {
                object["spec"]["terminationGracePeriodSeconds"] = json!(30);
            }
        }
        Kind::PodDisruptionBudget => {
            object["status"] = json!({"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0});
        }
        Kind::Namespace => {
            let name = meta(object, "name").to_owned();
            if !name.is_empty() {
                object["metadata"]["labels"]["kubernetes.io/metadata.name"] = json!(name);
            }
            object["spec"] = json!({"finalizers": ["kubernetes"]});
            object["status"] = json!({"phase": "Active"});
        }
        _ => {}
    }
}

/// Changes an object; an apply makes one that is not there.
pub(super) fn patch(inner: &mut Inner, asked: &Asked) -> Result<Answer, Refusal> {
    let (kind, name) = (asked.kind, asked.name.as_str());
    let way = Way::of(&asked.media)?;
    let mut writer = Writer::new(asked.manager(), &asked.subresource);
    if way == Way::Apply {
        writer.applied = Some(parse_yaml(&asked.body)?);
    }
    let Some(before) = inner.get(kind, &asked.namespace, name).cloned() else {
        return match &writer.applied {
            Some(object) if asked.subresource.is_empty() => {
                let object = object.clone();
                make(inner, asked, object, &writer)
            }
            _ => Err(Refusal::not_found(kind, name)),
        };
    };
    let mut base = before.clone();
    if way == Way::Apply {
        managed::take_back(&mut base, &writer);
    }
    let mut after = patched(way, kind, name, &base, &asked.body)?;
    keep_apart(kind, &asked.subresource, &before, &mut after);
    restrict::change(asked, &before, &after)?;
    check_version(kind, &before, &after)?;
    validate::change(kind, &before, &after)?;
    if asked.is_dry_run() {
        let after = settle(&before, after, &writer, kind);
        return Ok(Answer::Object(200, after.unwrap_or(before)));
    }
    let after = inner.update(&asked.user.name, &writer, kind, after);
    let after = delete::finish(inner, asked, after);
    Ok(Answer::Object(200, after))
}

/// A write of the status changes nothing but it, and another write not the status.
fn keep_apart(kind: Kind, subresource: &str, before: &Value, after: &mut Value) {
    let kept = match (kind, subresource) {
        (Kind::Node | Kind::Pod | Kind::PodDisruptionBudget | Kind::Namespace, "") => "status",
        (_, "status") => "spec",
        _ => return,
    };
    match before.get(kept) {
        Some(value) => after[kept] = value.clone(),
        None => {
            after.as_object_mut().map(|after| after.remove(kept));
        }
    }
}

/// A version in the new state must be the present one. An empty one, and zero, ask for nothing.
fn check_version(kind: Kind, before: &Value, after: &Value) -> Result<(), Refusal> {
    let name = meta(before, "name");
    let version = match &after["metadata"]["resourceVersion"] {
        Value::String(text) => text.as_str(),
        Value::Null => "",
        other => {
            let message = format!("cannot use {other} as a resourceVersion");
            return Err(Refusal::new(422, "Invalid", message).about("", "", name));
        }
    };
    let wanted: u64 = match version {
        "" => 0,
        text => text.parse().map_err(|_| {
            let message = format!("strconv.ParseUint: parsing {text:?}: invalid syntax");
            Refusal::new(500, "InternalError", message)
        })?,
    };
    if wanted == 0 || wanted == revision(before) {
        Ok(())
    } else {
        Err(Refusal::outdated(kind, name))
    }
}

/// Removes an object, or begins to.
pub(super) fn delete(inner: &mut Inner, asked: &Asked) -> Result<Answer, Refusal> {
    let (kind, name) = (asked.kind, asked.name.as_str());
    let options: Value = match asked.body.as_slice() {
        [] => json!({}),
        body => serde_json::from_slice(body)
            .map_err(|error| Refusal::bad_request(format!("error decoding: {error}")))?,
    };
    restrict::deletion(inner, asked)?;
    let grace = match asked.query("gracePeriodSeconds") {
        "" => options["gracePeriodSeconds"].as_i64(),
        text => text.parse().ok(),
    };
    let dry = asked.is_dry_run() || options["dryRun"] == json!(["All"]);
    let options = delete::Options {
        preconditions: &options["preconditions"],
        grace,
        dry,
    };
    let left = delete::delete(
        inner,
        &asked.user.name,
        kind,
        &asked.namespace,
        name,
        &options,
    )?;
    Ok(Answer::Object(
        200,
        match left {
            delete::Left::Object(object) => object,
            delete::Left::Nothing(uid) => {
                let mut details = json!({"name": name, "kind": kind.resource(), "uid": uid});
                if !kind.group().is_empty() {
                    details["group"] = json!(kind.group());
                }
                success(&details)
            }
        },
    ))
}
