//! What is no object of its kind: fields of another type, and with strict validation fields that there are not.

use serde_json::{Value, json};

use super::kind::Kind;
use super::refusal::Refusal;

const METADATA: &[&str] = &[
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

/// The fields of what rollboot writes, by their place. What is below any other place is not looked at.
fn known(kind: &str, place: &str) -> Option<&'static [&'static str]> {
    Some(match (kind, place) {
        (_, "metadata") => METADATA,
        ("Event", "") => &[
            "involvedObject",
            "reason",
            "message",
            "source",
            "firstTimestamp",
            "lastTimestamp",
            "count",
            "type",
            "eventTime",
            "series",
            "action",
            "related",
            "reportingComponent",
            "reportingInstance",
        ],
        ("ConfigMap", "") => &["data", "binaryData", "immutable"],
        ("Node", "") => &["spec", "status"],
        ("Node", "spec") => &[
            "podCIDR",
            "podCIDRs",
            "providerID",
            "unschedulable",
            "taints",
            "configSource",
            "externalID",
        ],
        ("Eviction", "") => &["deleteOptions"],
        ("Eviction", "deleteOptions") => &[
            "kind",
            "apiVersion",
            "gracePeriodSeconds",
            "preconditions",
            "orphanDependents",
            "propagationPolicy",
            "dryRun",
            "ignoreStoreReadErrorWithClusterBreakingPotential",
        ],
        ("Eviction", "deleteOptions.preconditions") => &["uid", "resourceVersion"],
        _ => return None,
    })
}

/// Checks an object of this kind; the error is what the real server's decoder says.
pub(super) fn check(kind: &str, object: &Value, strict: bool) -> Result<(), String> {
    let metadata = &object["metadata"];
    for field in ["name", "namespace", "uid", "resourceVersion"] {
        if let Some(what) = other_than_text(&metadata[field]) {
            return Err(format!(
                "json: cannot unmarshal {what} into Go struct field ObjectMeta.metadata.{field} of type string"
            ));
        }
    }
    for field in ["annotations", "labels"] {
        for value in metadata[field].as_object().into_iter().flatten() {
            if let Some(what) = other_than_text(value.1) {
                return Err(format!(
                    "json: cannot unmarshal {what} into Go struct field ObjectMeta.metadata.{field} of type string"
                ));
            }
        }
    }
    let unknown = unknown(kind, "", object);
    if strict && !unknown.is_empty() {
        let list: Vec<String> = unknown
            .iter()
            .map(|it| format!("unknown field {it:?}"))
            .collect();
        return Err(format!("strict decoding error: {}", list.join(", ")));
    }
    Ok(())
}

/// Reads the body of a POST.
pub(super) fn body(kind: &str, body: &[u8], strict: bool) -> Result<Value, Refusal> {
    let object: Value = serde_json::from_slice(body).map_err(|error| {
        Refusal::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {error}"
        ))
    })?;
    let bad = |said: &str, why: &str| {
        let why = format!("{said} in version \"v1\" cannot be handled as a {kind}: {why}");
        Refusal::bad_request(why)
    };
    if let Some(said) = object["kind"].as_str()
        && said != kind
    {
        let group = if kind == "Eviction" { "policy" } else { "core" };
        let why = format!("converting (v1.{said}) to ({group}.{kind}): unknown conversion");
        return Err(bad(said, &why));
    }
    check(kind, &object, strict).map_err(|why| bad(kind, &why))?;
    Ok(object)
}

/// Checks what a patch has made.
pub(super) fn patched(kind: Kind, object: &Value, strict: bool) -> Result<(), Refusal> {
    let (said, version) = (&object["kind"], &object["apiVersion"]);
    let right = *said == kind.name() && *version == kind.api_version();
    let why = if right {
        check(kind.name(), object, strict)
    } else {
        let scheme = "\"pkg/runtime/scheme.go:111\"";
        Err(format!(
            "no kind {said} is registered for version {version} in scheme {scheme}"
        ))
    };
    why.map_err(|why| {
        let why = format!("Invalid value: {:?}: {why}", object.to_string());
        let message = format!(" \"\" is invalid: patch: {why}");
        Refusal::new(422, "Invalid", message).because("FieldValueInvalid", &why, "patch")
    })
}

/// Checks the options of a write.
pub(super) fn options(kind: &str, validation: &str, dry_run: &str) -> Result<(), Refusal> {
    let refuse = |field: &str, why: &str| {
        let message = format!("{kind}.meta.k8s.io \"\" is invalid: {field}: {why}");
        let refusal = Refusal::new(422, "Invalid", message).about("meta.k8s.io", kind, "");
        Err(refusal.because("FieldValueNotSupported", why, field))
    };
    if !matches!(validation, "" | "Ignore" | "Strict" | "Warn") {
        let why = format!(
            "Unsupported value: {validation:?}: supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
        );
        return refuse("fieldValidation", &why);
    }
    if !matches!(dry_run, "" | "All") {
        let why = format!(
            "Unsupported value: {}: supported values: \"All\"",
            json!([dry_run])
        );
        return refuse("dryRun", &why);
    }
    Ok(())
}

fn other_than_text(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null | Value::String(_) => None,
        Value::Bool(_) => Some("bool"),
        Value::Number(_) => Some("number"),
        Value::Array(_) => Some("array"),
        Value::Object(_) => Some("object"),
    }
}

fn unknown(kind: &str, place: &str, object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let Some(fields) = known(kind, place) else {
        return found;
    };
    for (field, value) in object.as_object().into_iter().flatten() {
        let path = match place {
            "" => field.clone(),
            place => format!("{place}.{field}"),
        };
        let top = place.is_empty() && matches!(field.as_str(), "apiVersion" | "kind" | "metadata");
        if !top && !fields.contains(&field.as_str()) {
            found.push(path);
        } else {
            found.extend(unknown(kind, &path, value));
        }
    }
    found
}
