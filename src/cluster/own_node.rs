//! The own Node: the few fields of it that a turn depends on, and its cordon.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::GetParams;
use kube::core::Request;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Object, Present};
use super::client::Connector;
use super::exchange::Lost;
use super::text::name;
use crate::failure::{Failure, WriteOutcome};
use crate::node::{
    FIELD_MANAGER, HANDS_OFF, HANDS_OFF_VALUE, MARKER, Marker, NodePatch, NodeView, Notice,
    Readiness,
};

/// Where Nodes are.
pub(super) const NODES: &str = "/api/v1/nodes";

/// The part of a Node that is read. Images, addresses and most of `managedFields` are skipped without being kept, and a condition
/// whose time cannot be read is one without a time: the full types would keep the ones and refuse the Node for the other.
#[derive(Debug, Deserialize)]
pub(super) struct Node {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: String,
    resource_version: String,
    deletion_timestamp: Present,
    labels: Option<Labels>,
    annotations: Option<Annotations>,
    managed_fields: Option<Vec<Managed>>,
}

/// The role labels. Distributions that embed etcd give its members a label of their own.
#[derive(Debug, Default, Deserialize)]
struct Labels {
    #[serde(rename = "node-role.kubernetes.io/control-plane")]
    control_plane: Present,
    #[serde(rename = "node-role.kubernetes.io/master")]
    master: Present,
    #[serde(rename = "node-role.kubernetes.io/etcd")]
    etcd: Present,
    /// MicroK8s runs API server and dqlite in the snap, not as static pods, and marks its members with this alone.
    #[serde(rename = "node.kubernetes.io/microk8s-controlplane")]
    microk8s: Present,
}

#[derive(Debug, Default, Deserialize)]
struct Annotations {
    #[serde(rename = "rollboot.io/turn")]
    marker: Option<String>,
    #[serde(rename = "rollboot.io/hold")]
    hold: Option<String>,
    #[serde(rename = "cluster-autoscaler.kubernetes.io/scale-down-disabled")]
    cluster_autoscaler: Option<String>,
    #[serde(rename = "karpenter.sh/do-not-disrupt")]
    karpenter: Option<String>,
}

/// Who owns which fields; of those only what a turn writes and takes away again.
#[derive(Debug, Deserialize)]
struct Managed {
    manager: Option<String>,
    subresource: Option<String>,
    #[serde(rename = "fieldsV1")]
    fields: Option<Fields>,
}

#[derive(Debug, Deserialize)]
struct Fields {
    #[serde(rename = "f:spec")]
    spec: Option<SpecFields>,
    #[serde(rename = "f:metadata")]
    metadata: Option<MetadataFields>,
}

#[derive(Debug, Deserialize)]
struct MetadataFields {
    #[serde(rename = "f:annotations")]
    annotations: Option<AnnotationFields>,
}

#[derive(Debug, Deserialize)]
struct AnnotationFields {
    #[serde(rename = "f:cluster-autoscaler.kubernetes.io/scale-down-disabled")]
    cluster_autoscaler: Present,
    #[serde(rename = "f:karpenter.sh/do-not-disrupt")]
    karpenter: Present,
}

#[derive(Debug, Deserialize)]
struct SpecFields {
    #[serde(rename = "f:unschedulable")]
    unschedulable: Present,
}

#[derive(Debug, Default, Deserialize)]
struct Spec {
    unschedulable: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    conditions: Option<Vec<Condition>>,
    node_info: Option<NodeInfo>,
    volumes_attached: Option<Vec<AttachedVolume>>,
    volumes_in_use: Option<BTreeSet<String>>,
}

#[derive(Debug, Deserialize)]
struct AttachedVolume {
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    r#type: String,
    status: Option<String>,
    last_heartbeat_time: Option<String>,
    message: Option<String>,
}

#[derive(Debug, Deserialize)]
struct NodeInfo {
    #[serde(rename = "bootID")]
    boot_id: Option<String>,
}

impl Object for Node {
    const KIND: &'static str = "Node";
}

impl From<Node> for NodeView {
    fn from(node: Node) -> Self {
        let Metadata {
            uid,
            resource_version,
            deletion_timestamp,
            labels,
            annotations,
            managed_fields,
        } = node.metadata;
        let labels = labels.unwrap_or_default();
        let annotations = annotations.unwrap_or_default();
        let managed = managed_fields.unwrap_or_default();
        let notices = [
            (
                annotations.cluster_autoscaler,
                owns(&managed, |fields| {
                    fields
                        .annotations()
                        .is_some_and(|it| it.cluster_autoscaler.is_some())
                }),
            ),
            (
                annotations.karpenter,
                owns(&managed, |fields| {
                    fields
                        .annotations()
                        .is_some_and(|it| it.karpenter.is_some())
                }),
            ),
        ];
        let notices = HANDS_OFF.into_iter().zip(notices);
        Self {
            uid,
            version: resource_version,
            unschedulable: node.spec.unschedulable.unwrap_or_default(),
            cordon_owned: owns(&managed, |fields| {
                let spec = fields.spec.as_ref();
                spec.is_some_and(|spec| spec.unschedulable.is_some())
            }),
            hands_off: notices
                .filter_map(|(name, (value, owned))| {
                    value.map(|value| (name, Notice { value, owned }))
                })
                .collect(),
            marker: annotations.marker,
            hold: annotations.hold,
            attached: node
                .status
                .volumes_attached
                .into_iter()
                .flatten()
                .map(|volume| volume.name)
                .collect(),
            in_use: node.status.volumes_in_use.unwrap_or_default(),
            deleting: deletion_timestamp.is_some(),
            control_plane: [
                labels.control_plane,
                labels.master,
                labels.etcd,
                labels.microk8s,
            ]
            .iter()
            .any(Option::is_some),
            ready: readiness(node.status.conditions.unwrap_or_default()),
            boot_id: node
                .status
                .node_info
                .and_then(|info| info.boot_id)
                .unwrap_or_default(),
            answered: None,
        }
    }
}

impl Fields {
    fn annotations(&self) -> Option<&AnnotationFields> {
        self.metadata.as_ref()?.annotations.as_ref()
    }
}

/// Whether we own a field and nobody else does: somebody who applied it too, or set it anew, has made it theirs.
fn owns(managed: &[Managed], field: impl Fn(&Fields) -> bool) -> bool {
    let mut owners = managed
        .iter()
        .filter(|entry| entry.fields.as_ref().is_some_and(&field))
        .map(|entry| {
            entry.manager.as_deref() == Some(FIELD_MANAGER)
                && entry.subresource.as_deref().unwrap_or_default().is_empty()
        })
        .peekable();
    owners.peek().is_some() && owners.all(|ours| ours)
}

fn readiness(conditions: Vec<Condition>) -> Readiness {
    conditions
        .into_iter()
        .find(|condition| condition.r#type == "Ready")
        .map_or_else(
            || Readiness {
                ready: false,
                heartbeat: None,
                message: "the Node has no Ready condition yet".to_owned(),
            },
            |condition| Readiness {
                ready: condition.status.as_deref() == Some("True"),
                heartbeat: condition
                    .last_heartbeat_time
                    .and_then(|time| time.parse::<jiff::Timestamp>().ok())
                    .map(jiff::Timestamp::as_second),
                message: condition.message.unwrap_or_default(),
            },
        )
}

impl Connector {
    /// Reads a Node. `None`: the server says that there is none.
    pub(super) async fn read_node(&self, node: &str) -> Result<Option<NodeView>, Failure> {
        let built = Request::new(NODES).get(name(node)?, &GetParams::default());
        let question = self.reading(format!("cannot read Node {node}"), built);
        let answer = self.ask(&question).await.map_err(Lost::failure)?;
        if answer.says_absent("nodes", node) {
            return Ok(None);
        }
        let view = answer.object::<Node>()?;
        Ok(Some(NodeView {
            answered: answer.answered(),
            ..view.into()
        }))
    }

    /// Whether there is a Node of this name. Only a server's own word that there is none counts as no.
    pub(super) async fn has_node(&self, node: &str) -> Result<bool, Failure> {
        self.read_node(node).await.map(|node| node.is_some())
    }

    /// Writes cordon, marker and what autoscalers are told in one request, so that none is ever there without the others; or asks
    /// whether that could be done.
    pub(super) async fn write_node(
        &self,
        node: &str,
        patch: &NodePatch,
        dry_run: bool,
    ) -> WriteOutcome<NodeView> {
        let what = format!("cannot change Node {node}");
        let node = match name(node) {
            Ok(node) => node,
            Err(failure) => return WriteOutcome::Refused(failure),
        };
        let body = patch_body(patch);
        let sent = self.patch(what, NODES, node, &patch.version, &body, dry_run);
        let answer = match sent.await {
            Ok(answer) => answer,
            Err(lost) => return lost.written(),
        };
        match answer.written::<Node, NodeView>() {
            WriteOutcome::Applied(node) => WriteOutcome::Applied(NodeView {
                answered: answer.answered(),
                ..node
            }),
            other => other,
        }
    }
}

/// The merge patch that says it.
fn patch_body(patch: &NodePatch) -> Value {
    let NodePatch {
        version,
        unschedulable,
        marker,
        hands_off,
    } = patch;
    let mut annotations = BTreeMap::from([(MARKER, marker.as_ref().map(Marker::encode))]);
    annotations.extend(hands_off.iter().map(|(name, set)| {
        let value = set.then(|| HANDS_OFF_VALUE.to_owned());
        (*name, value)
    }));
    let mut body = json!({"metadata": {
        "resourceVersion": version, "annotations": annotations,
    }});
    if let (Some(value), Some(body)) = (unschedulable, body.as_object_mut()) {
        // A cordon that is lifted leaves no field behind, and so no owner of it.
        let value = value.then_some(true);
        body.insert("spec".to_owned(), json!({"unschedulable": value}));
    }
    body
}
