//! Admission of what a node asks for: its own Node, its own pods, and nothing of them that would give it more.

use std::collections::BTreeSet;

use serde_json::Value;

use super::kind::Kind;
use super::refusal::Refusal;
use super::request::Asked;
use super::store::Inner;

/// The annotation of a pod that stands for a static one.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// A new object. Namespaces that end take none.
pub(super) fn creation(inner: &Inner, asked: &Asked, object: &Value) -> Result<(), Refusal> {
    let Some(node) = asked.user.as_node() else {
        return lifecycle(inner, asked, asked.name.as_str());
    };
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let no = |why: String| Err(Refusal::forbidden(asked.kind, name, &why));
    match asked.kind {
        Kind::Node if name != node => Err(foreign(asked, node, name)),
        Kind::Node => match forbidden_labels(&Value::Null, object).as_slice() {
            [] => Ok(()),
            labels => no(format!(
                "node {node:?} is not allowed to set the following labels: {}",
                labels.join(", ")
            )),
        },
        Kind::Pod if object["metadata"]["annotations"][MIRROR].is_null() => no(format!(
            "pod does not have {MIRROR:?} annotation, node {node:?} can only create mirror pods"
        )),
        Kind::Pod if object["spec"]["nodeName"] != node => no(format!(
            "node {node:?} can only create pods with spec.nodeName set to itself"
        )),
        // The simulated kubelets make theirs without the API, so nobody asks what else it has to be like.
        Kind::Pod => no("the lab makes no mirror pods over the API".to_owned()),
        _ => lifecycle(inner, asked, name),
    }
}

/// A new state of an object.
pub(super) fn change(asked: &Asked, before: &Value, after: &Value) -> Result<(), Refusal> {
    let Some(node) = asked.user.as_node() else {
        return Ok(());
    };
    let no = |why: String| Err(Refusal::forbidden(asked.kind, &asked.name, &why));
    match (asked.kind, asked.subresource.as_str()) {
        (Kind::Node, _) => {
            if asked.name != node {
                return Err(foreign(asked, node, &asked.name));
            }
            if before["spec"]["taints"] != after["spec"]["taints"] {
                return no(format!("node {node:?} is not allowed to modify taints"));
            }
            if before["metadata"]["ownerReferences"] != after["metadata"]["ownerReferences"] {
                return no(format!(
                    "node {node:?} is not allowed to modify ownerReferences"
                ));
            }
            let labels = forbidden_labels(before, after);
            if !labels.is_empty() {
                return no(format!(
                    "is not allowed to modify labels: {}",
                    labels.join(", ")
                ));
            }
            Ok(())
        }
        (Kind::Pod, "status") if before["spec"]["nodeName"] != node => no(format!(
            "node {node:?} can only update pod status for pods with spec.nodeName set to itself"
        )),
        (Kind::Pod, "status") if before["metadata"]["labels"] != after["metadata"]["labels"] => no(
            format!("node {node:?} cannot update labels through pod status"),
        ),
        _ => Ok(()),
    }
}

/// A deletion.
pub(super) fn deletion(inner: &Inner, asked: &Asked) -> Result<(), Refusal> {
    let Some(node) = asked.user.as_node() else {
        return Ok(());
    };
    if asked.kind != Kind::Pod {
        return Ok(());
    }
    let pod = inner.get(Kind::Pod, &asked.namespace, &asked.name);
    let pod = pod.ok_or_else(|| Refusal::not_found(Kind::Pod, &asked.name))?;
    if pod["spec"]["nodeName"] == node {
        return Ok(());
    }
    let why = format!("node {node:?} can only delete pods with spec.nodeName set to itself");
    Err(Refusal::forbidden(Kind::Pod, &asked.name, &why))
}

/// An eviction, which is something made.
pub(super) fn eviction(inner: &Inner, asked: &Asked) -> Result<(), Refusal> {
    lifecycle(inner, asked, &asked.name)?;
    let Some(node) = asked.user.as_node() else {
        return Ok(());
    };
    let pod = inner.get(Kind::Pod, &asked.namespace, &asked.name);
    let pod = pod.ok_or_else(|| no_pod(&asked.name))?;
    if pod["spec"]["nodeName"] == node {
        return Ok(());
    }
    let why = format!("node {node} can only evict pods with spec.nodeName set to itself");
    Err(Refusal::forbidden(Kind::Pod, &asked.name, &why))
}

/// As admission says it, which has it from a cache of its own.
fn no_pod(name: &str) -> Refusal {
    Refusal::new(404, "NotFound", format!("pod {name:?} not found")).about("", "pod", name)
}

fn foreign(asked: &Asked, node: &str, name: &str) -> Refusal {
    let why = format!("node {node:?} is not allowed to modify node {name:?}");
    Refusal::forbidden(asked.kind, name, &why)
}

/// In a namespace that is not there, or that ends, nothing is made.
fn lifecycle(inner: &Inner, asked: &Asked, name: &str) -> Result<(), Refusal> {
    if !asked.kind.is_namespaced() {
        return Ok(());
    }
    let namespace = &asked.namespace;
    let Some(found) = inner.get(Kind::Namespace, "", namespace) else {
        return Err(Refusal::not_found(Kind::Namespace, namespace));
    };
    if found["metadata"]["deletionTimestamp"].is_null() {
        return Ok(());
    }
    let why = format!(
        "unable to create new content in namespace {namespace} because it is being terminated"
    );
    let message = format!("namespace {namespace} is being terminated");
    let refusal = Refusal::forbidden(asked.kind, name, &why);
    Err(refusal.because("NamespaceTerminating", &message, "metadata.namespace"))
}

fn forbidden_labels(before: &Value, after: &Value) -> Vec<String> {
    let labels = |object: &Value| {
        object["metadata"]["labels"]
            .as_object()
            .cloned()
            .unwrap_or_default()
    };
    let (before, after) = (labels(before), labels(after));
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key) && is_forbidden(key))
        .cloned()
        .collect()
}

/// Labels that a kubelet may set although they are Kubernetes' own.
const KUBELET: [&str; 14] = [
    "kubernetes.io/hostname",
    "kubernetes.io/arch",
    "kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.kubernetes.io/region",
    "failure-domain.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "node.kubernetes.io/windows-build",
];

fn is_forbidden(key: &str) -> bool {
    let Some((prefix, _)) = key.split_once('/') else {
        return false;
    };
    let within = |domain: &str| prefix == domain || prefix.ends_with(&format!(".{domain}"));
    if within("node-restriction.kubernetes.io") {
        return true;
    }
    let kubelet =
        KUBELET.contains(&key) || within("kubelet.kubernetes.io") || within("node.kubernetes.io");
    (within("kubernetes.io") || within("k8s.io")) && !kubelet
}
