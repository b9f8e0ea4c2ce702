//! What is sent, exactly: method, target, headers, body.

use std::collections::BTreeMap;

use rollboot::drain::{EvictAnswer, PodRef};
use rollboot::failure::{FailureKind, WriteOutcome};
use rollboot::lock::{LockPatch, TurnId};
use rollboot::node::{Cordon, Marker, NodePatch};
use rollboot::ports::Cluster;
use serde_json::{Value, json};

use super::cluster_at;
use super::server::{Reply, Server};

const WRITE: &str = "fieldManager=rollboot&fieldValidation=Strict&timeout=16000ms";
const LOCK: &str = "/api/v1/namespaces/kube-system/configmaps/rollboot";

pub(super) fn lock_object(version: &str) -> Value {
    json!({
        "kind": "ConfigMap", "apiVersion": "v1",
        "metadata": {
            "name": "rollboot", "namespace": "kube-system", "uid": "u1", "resourceVersion": version,
            "annotations": {"node-b.rollboot.io/default": "x"},
            "managedFields": [{"manager": "rollboot", "fieldsV1": {"f:metadata": {}}}],
        },
        "data": {"max.total": "2"},
    })
}

pub(super) fn node_object() -> Value {
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

fn patch(pairs: &[(&str, Option<&str>)]) -> LockPatch {
    let annotations: BTreeMap<_, _> = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned)))
        .collect();
    LockPatch {
        version: "41".to_owned(),
        annotations,
    }
}

pub(super) fn pod_ref() -> PodRef {
    PodRef {
        namespace: "shop".to_owned(),
        name: "web-0".to_owned(),
        uid: "5f1e".to_owned(),
    }
}

fn marker() -> Marker {
    Marker {
        turn: TurnId(1),
        stamp: TurnId(2),
        boot_id: "b1".to_owned(),
        cordon: Cordon::Ours,
    }
}

#[tokio::test]
async fn the_lock_is_read_whole_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain([Reply::Json(200, lock_object("42"))]).await;
    let view = cluster_at(folder.path(), &server.url)
        .read_lock()
        .await
        .unwrap()
        .unwrap();
    let asked = server.only();
    assert_eq!(asked.line(), format!("GET {LOCK}?timeout=16000ms"));
    assert_eq!(asked.body, "");
    assert_eq!(asked.headers["accept"], "application/json");
    assert!(asked.headers["user-agent"].starts_with("rollboot/"));
    assert_eq!((view.uid.as_str(), view.version.as_str()), ("u1", "42"));
    assert_eq!(view.annotations["node-b.rollboot.io/default"], "x");
    assert_eq!(view.data["max.total"], "2");
}

#[tokio::test]
async fn a_lock_without_annotations_and_data_is_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let bare = json!({"kind": "ConfigMap", "metadata": {"uid": "u", "resourceVersion": "1"}});
    let null = json!({"kind": "ConfigMap", "metadata": {"uid": "u", "resourceVersion": "1", "annotations": null}, "data": null});
    let server = Server::plain([Reply::Json(200, bare), Reply::Json(200, null)]).await;
    let cluster = cluster_at(folder.path(), &server.url);
    for _ in 0..2 {
        let view = cluster.read_lock().await.unwrap().unwrap();
        assert!(view.annotations.is_empty() && view.data.is_empty());
    }
}

#[tokio::test]
async fn a_lock_write_is_a_merge_patch_of_our_annotation_and_its_version() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain([Reply::Json(200, lock_object("42"))]).await;
    let outcome = cluster_at(folder.path(), &server.url)
        .patch_lock(&patch(&[
            ("node-a.rollboot.io/default", Some("{\"v\":1}")),
            ("node-a.rollboot.io/old", None),
        ]))
        .await;
    assert!(
        matches!(&outcome, WriteOutcome::Applied(view) if view.version == "42"),
        "{outcome:?}"
    );
    let asked = server.only();
    assert_eq!(asked.line(), format!("PATCH {LOCK}?{WRITE}"));
    assert_eq!(
        asked.headers["content-type"],
        "application/merge-patch+json"
    );
    assert_eq!(
        asked.json(),
        json!({"metadata": {
            "resourceVersion": "41",
            "annotations": {"node-a.rollboot.io/default": "{\"v\":1}", "node-a.rollboot.io/old": null},
        }})
    );
}

#[tokio::test]
async fn a_write_without_a_precondition_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain([]).await;
    let cluster = cluster_at(folder.path(), &server.url);
    for version in ["", "0", "00", " "] {
        let lock = LockPatch {
            version: version.to_owned(),
            ..patch(&[("node-a.rollboot.io/default", Some("x"))])
        };
        let node = NodePatch {
            version: version.to_owned(),
            unschedulable: Some(true),
            marker: None,
        };
        let (lock, node) = (
            cluster.patch_lock(&lock).await,
            cluster.patch_node(&node).await,
        );
        assert!(
            matches!(&lock, WriteOutcome::Refused(why) if why.kind == FailureKind::Invalid),
            "{lock:?}"
        );
        assert!(
            matches!(&node, WriteOutcome::Refused(why) if why.kind == FailureKind::Invalid),
            "{node:?}"
        );
    }
    let nameless = PodRef {
        uid: String::new(),
        ..pod_ref()
    };
    let answer = cluster.evict(&nameless).await;
    assert!(matches!(answer, EvictAnswer::Invalid(_)), "{answer:?}");
    assert_eq!(server.asked(), []);
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
    let fresh = read(&|node| node["status"] = json!({})).await;
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
async fn pods_are_listed_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let page = |token: &str, names: &[&str]| {
        let pods: Vec<_> = names
            .iter()
            .map(|name| json!({"metadata": {"namespace": "shop", "name": name, "uid": format!("uid-{name}")}, "spec": {}, "status": {}}))
            .collect();
        Reply::Json(
            200,
            json!({"kind": "PodList", "metadata": {"resourceVersion": "9", "continue": token}, "items": pods}),
        )
    };
    let empty = json!({"kind": "PodList", "metadata": {"resourceVersion": "9"}, "items": null});
    let server = Server::plain([
        page("next/1=", &["a", "b"]),
        page("", &["c"]),
        Reply::Json(200, empty),
    ])
    .await;
    let cluster = cluster_at(folder.path(), &server.url);
    let pods = cluster.list_pods().await.unwrap();
    let names: Vec<_> = pods.iter().map(|pod| pod.pod.to_string()).collect();
    assert_eq!(names, ["shop/a", "shop/b", "shop/c"]);
    assert_eq!(cluster.list_pods().await, Ok(vec![]));
    let first = "GET /api/v1/pods?fieldSelector=spec.nodeName%3Dnode-a&limit=50&timeout=16000ms";
    let lines: Vec<_> = server
        .asked()
        .iter()
        .map(super::server::Asked::line)
        .collect();
    assert_eq!(
        lines,
        [first, &format!("{first}&continue=next%2F1%3D"), first]
    );
}

#[tokio::test]
async fn a_list_that_breaks_off_or_never_ends_is_no_list() {
    let folder = tempfile::tempdir().unwrap();
    let page = json!({"kind": "PodList", "metadata": {"resourceVersion": "9", "continue": "more"}, "items": []});
    let expired = json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old", "metadata": {"continue": "inconsistent"}});
    let server = Server::plain([Reply::Json(200, page.clone()), Reply::Json(410, expired)]).await;
    let failure = cluster_at(folder.path(), &server.url)
        .list_pods()
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert_eq!(server.asked().len(), 2);

    let endless = Server::plain((0..1000).map(|_| Reply::Json(200, page.clone()))).await;
    let failure = cluster_at(folder.path(), &endless.url)
        .list_pods()
        .await
        .unwrap_err();
    assert!(failure.message.contains("no end"), "{failure}");
    assert!(endless.left() > 0);
}

#[tokio::test]
async fn an_eviction_carries_the_uid_where_the_server_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let success = json!({"kind": "Status", "status": "Success", "code": 201});
    let server = Server::plain([0; 2].map(|_| Reply::Json(201, success.clone()))).await;
    let cluster = cluster_at(folder.path(), &server.url);
    assert_eq!(cluster.evict(&pod_ref()).await, EvictAnswer::Accepted);
    assert_eq!(
        cluster.evict_dry_run(&pod_ref()).await,
        EvictAnswer::Accepted
    );
    let asked = server.asked();
    for one in &asked {
        assert_eq!(
            one.line(),
            format!("POST /api/v1/namespaces/shop/pods/web-0/eviction?{WRITE}")
        );
        assert_eq!(one.headers["content-type"], "application/json");
    }
    let mut body = json!({
        "apiVersion": "policy/v1", "kind": "Eviction",
        "metadata": {"namespace": "shop", "name": "web-0"},
        "deleteOptions": {"preconditions": {"uid": "5f1e"}},
    });
    assert_eq!(asked[0].json(), body);
    body["deleteOptions"]["dryRun"] = json!(["All"]);
    assert_eq!(asked[1].json(), body);
}
