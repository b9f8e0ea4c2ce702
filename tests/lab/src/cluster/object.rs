//! The few fields of the objects that everybody here looks at.

use serde_json::{Value, json};

/// The name of an object.
pub(crate) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// The UID of an object.
pub(crate) fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}

/// The node that a pod is bound to; empty: none yet.
pub(crate) fn node_of(pod: &Value) -> &str {
    pod["spec"]["nodeName"].as_str().unwrap_or_default()
}

/// Whether a pod is on its way out.
pub(crate) fn is_terminating(pod: &Value) -> bool {
    !pod["metadata"]["deletionTimestamp"].is_null()
}

/// Whether the Ready condition of a pod or a node is True.
pub(crate) fn is_ready(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// Whether a node is cordoned.
pub(crate) fn is_cordoned(node: &Value) -> bool {
    node["spec"]["unschedulable"] == true
}

/// The controller of a pod: its kind and its name.
pub(crate) fn controller(pod: &Value) -> Option<(&str, &str)> {
    let owners = pod["metadata"]["ownerReferences"].as_array();
    let owner = owners
        .into_iter()
        .flatten()
        .find(|it| it["controller"] == true)?;
    Some((owner["kind"].as_str()?, owner["name"].as_str()?))
}

/// Whether a pod counts for a budget: Ready, and not on its way out, as the disruption controller counts.
pub(crate) fn is_healthy(pod: &Value) -> bool {
    is_ready(pod) && !is_terminating(pod)
}

/// Whether a budget is about a pod. Selectors other than `matchLabels` are not used here.
pub(crate) fn covers(budget: &Value, pod: &Value) -> bool {
    let labels = &pod["metadata"]["labels"];
    let wanted = budget["spec"]["selector"]["matchLabels"].as_object();
    wanted.is_some_and(|wanted| wanted.iter().all(|(key, value)| labels[key] == *value))
}

/// Sets the Ready condition and leaves all others.
pub(crate) fn set_ready(object: &mut Value, ready: bool, more: Value) {
    let mut condition = more;
    condition["type"] = json!("Ready");
    condition["status"] = json!(if ready { "True" } else { "False" });
    let conditions = &mut object["status"]["conditions"];
    let mut all = conditions.as_array().cloned().unwrap_or_default();
    match all.iter_mut().find(|it| it["type"] == "Ready") {
        Some(old) => *old = condition,
        None => all.push(condition),
    }
    *conditions = json!(all);
}

/// The time as objects have it.
pub(crate) fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}
