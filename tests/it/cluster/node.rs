//! The own Node on the wire: what is read of it, whose its cordon is, and how it is written.

use std::collections::{BTreeMap, BTreeSet};

use rollboot::failure::{FailureKind, WriteOutcome};
use rollboot::lock::TurnId;
use rollboot::node::{Cordon, HANDS_OFF, Marker, NodePatch, Notice};
use rollboot::ports::Cluster;
use serde_json::{Value, json};

use super::cluster_at;
use super::server::{Reply, Server};
use super::wire::WRITE;

fn node_object() -> Value {
    json!({
        "kind": "Node", "apiVersion": "v1",
        "metadata": {
            "name": "node-a", "uid": "n1", "resourceVersion": "7",
            "labels": {"kubernetes.io/hostname": "node-a"},
            "annotations": {"rollboot.io/turn": "{}", "rollboot.io/hold": "mine", "other": "x"},
        },
        "spec": {"podCIDR": "10.0.0.0/24"},
        "status": {
            "images": [{"names": ["a", "b"]}],
            "nodeInfo": {"bootID": "b1", "kernelVersion": "6"},
            "conditions": [
                {"type": "MemoryPressure", "status": "False"},
                {"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-02T03:04:05Z", "message": "fine"},
            ],
        },
    })
}

fn marker() -> Marker {
    Marker {
        turn: TurnId(1),
        stamp: TurnId(2),
        boot_id: "b1".to_owned(),
        cordon: Cordon::Ours,
        hands_off: BTreeSet::new(),
    }
}

#[tokio::test]
async fn cordon_and_marker_go_in_one_patch() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain([0; 3].map(|_| Reply::Json(200, node_object()))).await;
    let cluster = cluster_at(folder.path(), &server.url);
    let patches = [
        (
            Some(true),
            Some(marker()),
            json!({"unschedulable": true}),
            json!(marker().encode()),
        ),
        (
            Some(false),
            None,
            json!({"unschedulable": null}),
            Value::Null,
        ),
        (None, Some(marker()), Value::Null, json!(marker().encode())),
    ];
    for (number, (unschedulable, marker, spec, annotation)) in patches.into_iter().enumerate() {
        let patch = NodePatch {
            version: "6".to_owned(),
            unschedulable,
            marker,
            hands_off: BTreeMap::from([(HANDS_OFF[number % 2], number == 0)]),
        };
        let outcome = cluster.patch_node(&patch).await;
        assert!(
            matches!(&outcome, WriteOutcome::Applied(view) if view.version == "7"),
            "{outcome:?}"
        );
        let asked = &server.asked()[number];
        assert_eq!(asked.line(), format!("PATCH /api/v1/nodes/node-a?{WRITE}"));
        assert_eq!(
            asked.headers["content-type"],
            "application/merge-patch+json"
        );
        let mut body = json!({"metadata": {"resourceVersion": "6", "annotations": {"rollboot.io/turn": annotation}}});
        let told = if number == 0 {
            json!("true")
        } else {
            Value::Null
        };
        body["metadata"]["annotations"][HANDS_OFF[number % 2]] = told;
        if !spec.is_null() {
            body["spec"] = spec;
        }
        assert_eq!(asked.json(), body);
    }
}

#[tokio::test]
async fn the_own_node_is_read_and_another_one_only_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let absent = json!({"kind": "Status", "reason": "NotFound", "code": 404, "details": {"kind": "nodes", "name": "node-b"}});
    let server = Server::plain([
        Reply::Json(200, node_object()),
        Reply::Json(200, node_object()),
        Reply::Json(404, absent),
    ])
    .await;
    let cluster = cluster_at(folder.path(), &server.url);
    let node = cluster.read_node().await.unwrap().unwrap();
    assert_eq!(
        (
            node.uid.as_str(),
            node.version.as_str(),
            node.boot_id.as_str()
        ),
        ("n1", "7", "b1")
    );
    assert!(!node.unschedulable && !node.cordon_owned && !node.deleting && !node.control_plane);
    assert_eq!(node.marker.as_deref(), Some("{}"));
    assert_eq!(node.hold.as_deref(), Some("mine"));
    assert!(node.ready.ready);
    assert_eq!(node.ready.heartbeat, Some(1_767_323_045));
    assert_eq!(node.ready.message, "fine");
    assert_eq!(cluster.peer_exists("node-b").await, Ok(true));
    assert_eq!(cluster.peer_exists("node-b").await, Ok(false));
    let lines: Vec<_> = server
        .asked()
        .iter()
        .map(super::server::Asked::line)
        .collect();
    assert_eq!(
        lines,
        [
            "GET /api/v1/nodes/node-a?timeout=16000ms",
            "GET /api/v1/nodes/node-b?timeout=16000ms",
            "GET /api/v1/nodes/node-b?timeout=16000ms",
        ]
    );
    for name in ["", "a/b", "..", "a?b"] {
        assert_eq!(
            cluster.peer_exists(name).await.unwrap_err().kind,
            FailureKind::Invalid
        );
    }
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn every_field_of_a_node_is_read_from_its_place() {
    let read = async |change: &dyn Fn(&mut Value)| {
        let folder = tempfile::tempdir().unwrap();
        let mut object = node_object();
        change(&mut object);
        let server = Server::plain([Reply::Json(200, object)]).await;
        cluster_at(folder.path(), &server.url)
            .read_node()
            .await
            .unwrap()
            .unwrap()
    };
    assert!(
        read(&|node| node["spec"]["unschedulable"] = json!(true))
            .await
            .unschedulable
    );
    assert!(
        read(&|node| node["metadata"]["deletionTimestamp"] = json!("2026-01-02T03:04:05Z"))
            .await
            .deleting
    );
    for label in ["control-plane", "master", "etcd"] {
        let key = format!("node-role.kubernetes.io/{label}");
        assert!(
            read(&|node| node["metadata"]["labels"][&key] = json!(""))
                .await
                .control_plane,
            "{label}"
        );
    }
    assert!(
        !read(&|node| node["metadata"]["labels"]["node-role.kubernetes.io/worker"] = json!(""))
            .await
            .control_plane
    );
    for status in ["False", "Unknown"] {
        assert!(
            !read(&|node| node["status"]["conditions"][1]["status"] = json!(status))
                .await
                .ready
                .ready
        );
    }
    let volumes = read(&|node| {
        node["status"]["volumesAttached"] =
            json!([{"name": "v", "devicePath": "/dev/v"}, {"name": "w"}]);
        node["status"]["volumesInUse"] = json!(["w"]);
    })
    .await;
    assert_eq!(volumes.attached, BTreeSet::from(["v".into(), "w".into()]));
    assert_eq!(volumes.in_use, BTreeSet::from(["w".into()]));
    let fresh = read(&|node| node["status"] = json!({})).await;
    assert!(fresh.attached.is_empty() && fresh.in_use.is_empty());
    assert_eq!(
        (
            fresh.boot_id.as_str(),
            fresh.ready.ready,
            fresh.ready.heartbeat
        ),
        ("", false, None)
    );
}

#[tokio::test]
async fn the_cordon_is_ours_only_if_nobody_else_owns_it() {
    let owner = |manager: &str, subresource: &str| json!({"manager": manager, "operation": "Update", "subresource": subresource, "fieldsV1": {"f:spec": {"f:unschedulable": {}}}});
    let other = json!({"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:metadata": {"f:annotations": {}}, "f:spec": {"f:podCIDR": {}}}});
    let mut plain = owner("rollboot", "");
    plain.as_object_mut().unwrap().remove("subresource");
    for (managed, owned) in [
        (json!([other, plain]), true),
        (json!([other, owner("rollboot", "")]), true),
        (json!([plain, owner("rollboot", "")]), true),
        (json!([other]), false),
        (json!([]), false),
        (Value::Null, false),
        (json!([other, owner("kubectl-cordon", "")]), false),
        (json!([plain, owner("kubectl", "")]), false),
        (json!([owner("rollboot", "status")]), false),
        (json!([owner("rollboot2", "")]), false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut object = node_object();
        object["metadata"]["managedFields"] = managed.clone();
        let server = Server::plain([Reply::Json(200, object)]).await;
        let node = cluster_at(folder.path(), &server.url).read_node().await;
        assert_eq!(node.unwrap().unwrap().cordon_owned, owned, "{managed}");
    }
}

#[tokio::test]
async fn what_autoscalers_are_told_is_read_with_whose_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let owner = |manager: &str, name: &str| {
        let fields = json!({"f:metadata": {"f:annotations": {format!("f:{name}"): {}, ".": {}}}});
        json!({"manager": manager, "operation": "Update", "fieldsV1": fields})
    };
    let [cluster_autoscaler, karpenter] = HANDS_OFF;
    let mut object = node_object();
    object["metadata"]["annotations"][cluster_autoscaler] = json!("true");
    object["metadata"]["annotations"][karpenter] = json!("x");
    let mut half = object.clone();
    half["metadata"]["annotations"][karpenter] = Value::Null;
    object["metadata"]["managedFields"] = json!([
        owner("rollboot", cluster_autoscaler),
        owner("rollboot", karpenter),
        owner("kubectl-annotate", karpenter),
    ]);
    let server = Server::plain([Reply::Json(200, object), Reply::Json(200, half)]).await;
    let cluster = cluster_at(folder.path(), &server.url);
    let read = async || cluster.read_node().await.unwrap().unwrap().hands_off;
    let notice = |value: &str, owned| Notice {
        value: value.to_owned(),
        owned,
    };
    let told = [
        (cluster_autoscaler, notice("true", true)),
        (karpenter, notice("x", false)),
    ];
    assert_eq!(read().await, BTreeMap::from(told));
    let told = [(cluster_autoscaler, notice("true", false))];
    assert_eq!(read().await, BTreeMap::from(told), "nobody owns it");
}

/// MicroK8s marks each member of its control plane (kube-apiserver and dqlite run in the snap, not in static pods) with this label
/// alone, and its kubeconfig is among the places that are looked at.
#[tokio::test]
async fn a_control_plane_node_of_microk8s_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut object = node_object();
    object["metadata"]["labels"]["node.kubernetes.io/microk8s-controlplane"] =
        json!("microk8s-controlplane");
    let server = Server::plain([Reply::Json(200, object)]).await;
    let node = cluster_at(folder.path(), &server.url).read_node().await;
    assert!(node.unwrap().unwrap().control_plane);
}
