//! What the server makes of an object before it keeps it.

use serde_json::{Value, json};

use super::kind::Kind;
use super::object::{meta, meta_mut};

/// What it fills in or takes away when an object is made.
pub(super) fn prepare(kind: Kind, object: &mut Value) {
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

/// What admission adds to a new object, in nobody's name.
pub(super) fn admit(kind: Kind, object: &mut Value) {
    if kind == Kind::Node {
        // Until the node is Ready, which is the business of a controller.
        let taint = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"});
        object["spec"]["taints"] = json!([taint]);
    }
}

/// What is as good as not there is not there; what is always there is null if nobody set it.
pub(super) fn tidy(kind: Kind, object: &mut Value) {
    let metadata = meta_mut(object);
    for field in ["annotations", "labels", "finalizers", "ownerReferences"] {
        let empty = match metadata.get(field) {
            Some(Value::Object(map)) => map.is_empty(),
            Some(Value::Array(list)) => list.is_empty(),
            Some(Value::Null) => true,
            _ => false,
        };
        if empty {
            metadata.remove(field);
        }
    }
    if kind != Kind::Node {
        return;
    }
    if object["spec"].is_null() {
        object["spec"] = json!({});
    }
    if let Some(spec) = object["spec"].as_object_mut()
        && spec.get("unschedulable") == Some(&Value::Bool(false))
    {
        spec.remove("unschedulable");
    }
    let conditions = object
        .get_mut("status")
        .and_then(|it| it.get_mut("conditions"));
    for condition in conditions
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        for field in ["lastHeartbeatTime", "lastTransitionTime"] {
            if condition[field].is_null() {
                condition[field] = Value::Null;
            }
        }
    }
}

/// A write of the status changes nothing but it, and another write not the status.
pub(super) fn keep_apart(kind: Kind, subresource: &str, before: &Value, after: &mut Value) {
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
