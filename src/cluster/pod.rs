//! The part of a pod that is read. A typed pod is ten times as large, and a node may have hundreds.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::answer::{Object, Present};
use super::owner::{Owner, Unclear, controller};
use super::pages::Page;
use crate::drain::{DrainAnnotations, PodRef, PodView};
use crate::failure::{Failure, FailureKind};

/// A kubelet runs a few hundred pods; a server that never ends its list must not keep us.
pub(super) const MAX_PODS: usize = 10_000;

/// The taint that a cordon brings.
const CORDON_TAINT: &str = "node.kubernetes.io/unschedulable";

/// The priority of `system-cluster-critical`; that of `system-node-critical` is higher (`pkg/apis/scheduling`).
const SYSTEM_CRITICAL: i32 = 2_000_000_000;

/// A page of a list. Its pods have no kind of their own.
#[derive(Debug, Deserialize)]
pub(super) struct PodList {
    metadata: ListMeta,
    items: Option<Vec<Pod>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Pod {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    namespace: String,
    name: String,
    uid: String,
    creation_timestamp: Option<String>,
    deletion_timestamp: Option<String>,
    finalizers: Option<Vec<String>>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<Annotations>,
    owner_references: Option<Vec<Owner>>,
}

#[derive(Debug, Deserialize)]
struct Annotations {
    #[serde(rename = "kubernetes.io/config.mirror")]
    mirror: Present,
    #[serde(rename = "rollboot.io/drain")]
    drain: Option<String>,
    #[serde(rename = "rollboot.io/drain-order")]
    order: Option<String>,
    #[serde(rename = "cluster-autoscaler.kubernetes.io/safe-to-evict")]
    safe_to_evict: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    volumes: Option<Vec<Volume>>,
    tolerations: Option<Vec<Toleration>>,
    priority: Option<i32>,
    termination_grace_period_seconds: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Volume {
    empty_dir: Present,
    persistent_volume_claim: Present,
    ephemeral: Present,
}

#[derive(Debug, Deserialize)]
struct Toleration {
    key: Option<String>,
    operator: Option<String>,
    value: Option<String>,
    effect: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    phase: Option<String>,
    conditions: Option<Vec<Condition>>,
    container_statuses: Option<Vec<Container>>,
    init_container_statuses: Option<Vec<Container>>,
    ephemeral_container_statuses: Option<Vec<Container>>,
}

#[derive(Debug, Deserialize)]
struct Container {
    #[serde(rename = "containerID")]
    id: Option<Box<str>>,
    state: Option<ContainerState>,
}

#[derive(Debug, Deserialize)]
struct ContainerState {
    running: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Condition {
    r#type: String,
    status: Option<String>,
}

impl Object for PodList {
    const KIND: &'static str = "PodList";

    /// Which pod it is, instead of a place in a text that nobody has. A list with such a pod is none: nothing is guessed.
    fn senseless(body: &[u8], why: &serde_json::Error) -> String {
        let list: Value = serde_json::from_slice(body).unwrap_or_default();
        let pods = list.get("items").and_then(Value::as_array);
        let pod = pods.into_iter().flatten().find_map(|pod| {
            let why = Pod::deserialize(pod).err()?;
            let part = |field| pod.get("metadata")?.get(field)?.as_str();
            Some(match part("namespace").zip(part("name")) {
                Some((namespace, name)) => format!("{namespace}/{name}: {why}"),
                None => format!("a pod in the list: {why}"),
            })
        });
        pod.unwrap_or_else(|| format!("the list: {why}"))
    }
}

impl Page for PodList {
    fn metadata(&self) -> &ListMeta {
        &self.metadata
    }
}

impl PodList {
    /// Adds the pods of this page to others.
    ///
    /// # Errors
    /// They are too many.
    pub(super) fn add_to(self, what: &str, pods: &mut Vec<PodView>) -> Result<(), Failure> {
        pods.extend(self.items.into_iter().flatten().map(PodView::from));
        if pods.len() > MAX_PODS {
            let why = format!("{what}: the list has no end, after {MAX_PODS} pods");
            return Err(Failure::new(FailureKind::Unavailable, why));
        }
        Ok(())
    }
}

impl Pod {
    /// What names this pod and no other.
    pub(super) fn uid(&self) -> &str {
        &self.metadata.uid
    }
}

impl From<Pod> for PodView {
    fn from(pod: Pod) -> Self {
        let Pod {
            metadata,
            spec,
            status,
        } = pod;
        let (mirror, wishes) = match metadata.annotations {
            None => (false, DrainAnnotations::default()),
            Some(annotations) => (
                annotations.mirror.is_some(),
                DrainAnnotations {
                    drain: annotations.drain,
                    order: annotations.order,
                    safe_to_evict: annotations.safe_to_evict,
                },
            ),
        };
        let (controller, unclear) = match controller(metadata.owner_references) {
            Ok(controller) => (controller, false),
            Err(Unclear) => (None, true),
        };
        // Those of the others are of no use to anybody, and a node may have hundreds.
        let stays = mirror
            || controller
                .as_ref()
                .is_some_and(|owner| owner.kind == "DaemonSet");
        let finished = status.is_finished();
        let containers = status.container_statuses.into_iter().flatten();
        let containers = containers.filter(|_| stays);
        let containers = containers
            .filter_map(|container| container.id)
            .filter(|id| !id.is_empty())
            .collect();
        Self {
            pod: PodRef {
                namespace: metadata.namespace,
                name: metadata.name,
                uid: metadata.uid,
            },
            controller,
            unclear,
            mirror,
            finished,
            created: seconds(metadata.creation_timestamp.as_deref()),
            terminating: metadata.deletion_timestamp.is_some(),
            // One that cannot be read still says that the pod is ending.
            ends_by: seconds(metadata.deletion_timestamp.as_deref()),
            // Only those of pods that are ending matter, and a node may have hundreds of others.
            finalizers: metadata
                .finalizers
                .filter(|_| metadata.deletion_timestamp.is_some())
                .unwrap_or_default(),
            grace: spec
                .termination_grace_period_seconds
                .and_then(|grace| u64::try_from(grace).ok()),
            empty_dir: spec
                .volumes
                .iter()
                .flatten()
                .any(|volume| volume.empty_dir.is_some()),
            volumes: spec.volumes.iter().flatten().any(|volume| {
                volume.persistent_volume_claim.is_some() || volume.ephemeral.is_some()
            }),
            tolerates_cordon: spec
                .tolerations
                .iter()
                .flatten()
                .any(Toleration::covers_cordon),
            ready: status.conditions.iter().flatten().any(|condition| {
                condition.r#type == "Ready" && condition.status.as_deref() == Some("True")
            }),
            containers,
            critical: spec
                .priority
                .is_some_and(|priority| priority >= SYSTEM_CRITICAL),
            wishes,
            labels: metadata.labels.into_iter().flatten().collect(),
        }
    }
}

/// A time, in seconds since the epoch.
fn seconds(time: Option<&str>) -> Option<i64> {
    time?.parse().ok().map(jiff::Timestamp::as_second)
}

impl Status {
    /// The phase alone does not tell: a pod that the kubelet has evicted is Failed while its containers still end.
    fn is_finished(&self) -> bool {
        let containers = [
            &self.container_statuses,
            &self.init_container_statuses,
            &self.ephemeral_container_statuses,
        ];
        let mut states = containers
            .into_iter()
            .flatten()
            .flatten()
            .map(|it| &it.state);
        matches!(self.phase.as_deref(), Some("Succeeded" | "Failed"))
            && !states.any(|state| state.as_ref().is_some_and(|it| it.running.is_some()))
    }
}

impl Toleration {
    /// As the scheduler matches a toleration with a taint that has no value and the effect NoSchedule.
    fn covers_cordon(&self) -> bool {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let effect = text(&self.effect);
        let key = text(&self.key);
        let matches_value = match text(&self.operator).as_str() {
            "Exists" => true,
            // Without a key only Exists is allowed, and covers every taint.
            "" | "Equal" => !key.is_empty() && text(&self.value).is_empty(),
            _ => false,
        };
        (effect.is_empty() || effect == "NoSchedule")
            && (key.is_empty() || key == CORDON_TAINT)
            && matches_value
    }
}

#[cfg(test)]
mod tests;
