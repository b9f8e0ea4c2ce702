//! How an object goes: at once, after a grace that somebody has to keep, or when its last finalizer is gone.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::kind::Kind;
use super::managed::Writer;
use super::object::{meta, meta_mut};
use super::refusal::Refusal;
use super::request::Asked;
use super::store::Inner;

/// How it is to go.
pub(super) struct Options<'a> {
    /// `uid` and `resourceVersion`.
    pub(super) preconditions: &'a Value,
    /// Seconds; without, what the object says.
    pub(super) grace: Option<i64>,
    /// Only asked what would be.
    pub(super) dry: bool,
}

/// What is left of it.
pub(super) enum Left {
    /// It goes, or went: its last state.
    Object(Value),
    /// Nothing but its UID.
    Nothing(String),
}

/// Deletes an object as the server does on behalf of `by`.
pub(super) fn delete(
    inner: &mut Inner,
    by: &str,
    kind: Kind,
    namespace: &str,
    name: &str,
    options: &Options<'_>,
) -> Result<Left, Refusal> {
    let found = inner.get(kind, namespace, name).cloned();
    let object = found.ok_or_else(|| Refusal::not_found(kind, name))?;
    check(kind, &object, options.preconditions)?;
    let finalizers = object["metadata"]["finalizers"].as_array();
    let waits = finalizers.is_some_and(|it| !it.is_empty());
    if kind != Kind::Pod && kind != Kind::Namespace && !waits {
        if !options.dry {
            inner.remove(by, kind, namespace, name);
        }
        return Ok(Left::Nothing(meta(&object, "uid").to_owned()));
    }
    let grace = grace(kind, &object, options.grace);
    let mut after = object;
    begin(kind, &mut after, grace);
    if options.dry {
        return Ok(Left::Object(after));
    }
    // The deletion of an object is nobody's field. A pod says that it goes before it is gone, even without any grace.
    let after = inner.update(by, &Writer::new("", ""), kind, after);
    if grace == 0 && kind == Kind::Pod && !waits {
        inner.remove(by, kind, namespace, name);
    }
    Ok(Left::Object(after))
}

/// Says when it is to be gone. A grace that runs is only ever shortened.
fn begin(kind: Kind, object: &mut Value, grace: i64) {
    if kind == Kind::Namespace {
        object["status"]["phase"] = json!("Terminating");
    }
    let metadata = meta_mut(object);
    let present = metadata
        .get("deletionGracePeriodSeconds")
        .and_then(Value::as_i64);
    if metadata.contains_key("deletionTimestamp") && present.is_none_or(|it| grace >= it) {
        return;
    }
    let end = Timestamp::now() + SignedDuration::from_secs(grace);
    let end = end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    metadata.insert("deletionTimestamp".to_owned(), json!(end));
    if kind != Kind::Namespace {
        metadata.insert("deletionGracePeriodSeconds".to_owned(), json!(grace));
    }
}

/// Whether it is the object that was meant.
pub(super) fn check(kind: Kind, object: &Value, preconditions: &Value) -> Result<(), Refusal> {
    for (field, called, own, happened) in [
        (
            "uid",
            "UID",
            meta(object, "uid"),
            "deleted and then recreated",
        ),
        (
            "resourceVersion",
            "ResourceVersion",
            meta(object, "resourceVersion"),
            "modified",
        ),
    ] {
        if let Some(wanted) = preconditions[field].as_str()
            && wanted != own
        {
            let name = meta(object, "name");
            let message = format!(
                "Operation cannot be fulfilled on {} {name:?}: the {called} in the precondition ({wanted}) does not match the {called} in record ({own}). The object might have been {happened}",
                kind.name()
            );
            let refusal = Refusal::new(409, "Conflict", message);
            return Err(refusal.about(kind.group(), kind.name(), name));
        }
    }
    Ok(())
}

/// Only pods have a grace, and only on a node on which they have not ended.
fn grace(kind: Kind, object: &Value, asked: Option<i64>) -> i64 {
    let phase = object["status"]["phase"].as_str();
    if kind != Kind::Pod
        || object["spec"]["nodeName"]
            .as_str()
            .unwrap_or_default()
            .is_empty()
        || matches!(phase, Some("Succeeded" | "Failed"))
    {
        return 0;
    }
    let own = object["spec"]["terminationGracePeriodSeconds"].as_i64();
    match asked.or(own).unwrap_or(0) {
        negative if negative < 0 => 1,
        grace => grace,
    }
}

/// An object that only waited for its finalizers goes with the last one.
pub(super) fn finish(inner: &mut Inner, asked: &Asked, object: Value) -> Value {
    let metadata = &object["metadata"];
    let waits = metadata["finalizers"]
        .as_array()
        .is_some_and(|it| !it.is_empty());
    let due = !metadata["deletionTimestamp"].is_null()
        && metadata["deletionGracePeriodSeconds"].as_i64() == Some(0);
    if due && !waits {
        let (namespace, name) = (meta(&object, "namespace"), meta(&object, "name"));
        inner.remove(&asked.user.name, asked.kind, namespace, name);
    }
    object
}
