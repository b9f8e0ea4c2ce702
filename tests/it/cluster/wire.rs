//! What is sent, exactly: method, target, headers, body.

use std::collections::BTreeMap;

use rollboot::drain::{EvictAnswer, PodRef};
use rollboot::failure::{FailureKind, WriteOutcome};
use rollboot::lock::LockPatch;
use rollboot::node::NodePatch;
use rollboot::ports::Cluster;
use serde_json::{Value, json};

use super::cluster_at;
use super::server::{Asked, Piece, Reply, Server};

pub(super) const WRITE: &str = "fieldManager=rollboot&fieldValidation=Strict&timeout=15555ms";
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
            hands_off: BTreeMap::new(),
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
async fn pods_are_listed_from_no_cache_that_may_be_old() {
    let folder = tempfile::tempdir().unwrap();
    let pods = ["a", "b", "c"].map(
        |name| json!({"metadata": {"namespace": "shop", "name": name, "uid": format!("uid-{name}")}, "spec": {}, "status": {}}),
    );
    let list = json!({"kind": "PodList", "metadata": {"resourceVersion": "9"}, "items": pods});
    let empty = json!({"kind": "PodList", "metadata": {"resourceVersion": "9"}, "items": null});
    let server = Server::plain([Reply::Json(200, list), Reply::Json(200, empty)]).await;
    let cluster = cluster_at(folder.path(), &server.url);
    let pods = cluster.list_pods().await.unwrap();
    let names: Vec<_> = pods.iter().map(|pod| pod.pod.to_string()).collect();
    assert_eq!(names, ["shop/a", "shop/b", "shop/c"]);
    assert_eq!(cluster.list_pods().await, Ok(vec![]));
    let line = "GET /api/v1/pods?fieldSelector=spec.nodeName%3Dnode-a&timeout=16000ms";
    let lines: Vec<_> = server
        .asked()
        .iter()
        .map(super::server::Asked::line)
        .collect();
    assert_eq!(lines, [line, line]);
}

#[tokio::test]
async fn half_a_list_or_one_without_an_end_is_no_list() {
    let folder = tempfile::tempdir().unwrap();
    let pod = json!({"metadata": {"namespace": "shop", "name": "a", "uid": "a"}});
    let list = |pods: Vec<Value>| json!({"kind": "PodList", "metadata": {"resourceVersion": "9"}, "items": pods});
    let other = json!({"kind": "ConfigMapList", "metadata": {"resourceVersion": "9"}, "items": []});
    let expired = json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"});
    let answers = [
        (200, list(vec![json!({})]), "a pod in the list"),
        (200, list(vec![pod.clone(); 10_001]), "no end"),
        (200, other, "does not look like"),
        (410, expired, "too old"),
    ];
    for (status, answer, why) in answers {
        let server = Server::plain([Reply::Json(status, answer)]).await;
        let failure = cluster_at(folder.path(), &server.url)
            .list_pods()
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unavailable, "{failure}");
        assert!(failure.message.contains(why), "{failure}");
        assert_eq!(server.asked().len(), 1);
    }
}

/// A page of a list, and how it goes on.
fn page(version: &str, token: &str, pods: &[Value]) -> Reply {
    let metadata = json!({"resourceVersion": version, "continue": token});
    Reply::Json(
        200,
        json!({"kind": "PodList", "metadata": metadata, "items": pods}),
    )
}

/// Annotations as large as a server takes them, in one answer, and from a server that divides the list of its own accord.
#[tokio::test]
async fn sixty_pods_with_all_the_annotations_there_can_be_are_listed() {
    let pod = |number: usize| {
        json!({"metadata": {
            "namespace": "shop", "name": format!("p{number}"), "uid": format!("u{number}"),
            "annotations": {"example.com/large": "x".repeat(256 << 10)},
        }})
    };
    let all: Vec<_> = (0..60).map(pod).collect();
    let wanted: Vec<_> = (0..60).map(|number| format!("u{number}")).collect();
    let divided = vec![page("9", "more&x", &all[..50]), page("9", "", &all[50..])];
    for (replies, tokens) in [
        (vec![page("9", "", &all)], &[""][..]),
        (divided, &["", "&continue=more%26x"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::plain(replies).await;
        let cluster = cluster_at(folder.path(), &server.url);
        let pods = cluster.list_pods().await.unwrap();
        let uids: Vec<_> = pods.iter().map(|pod| pod.pod.uid.clone()).collect();
        assert_eq!(uids, wanted);
        let lines: Vec<_> = server.asked().iter().map(Asked::line).collect();
        let line = |token: &&str| {
            format!("GET /api/v1/pods?fieldSelector=spec.nodeName%3Dnode-a{token}&timeout=16000ms")
        };
        assert_eq!(lines, tokens.iter().map(line).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_list_of_which_a_page_is_missing_is_no_list() {
    let pod = [json!({"metadata": {"namespace": "shop", "name": "a", "uid": "a"}})];
    let expired = json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"});
    let endless = (0..1001).map(|_| page("9", "more", &[])).collect();
    for (then, why) in [
        (vec![Reply::Json(410, expired)], "too old"),
        (vec![page("10", "", &pod)], "different versions"),
        (vec![Reply::HangUp], "cannot list the pods of node-a"),
        (vec![Reply::Stream(vec![Piece::Raw(huge())])], "longer than"),
        (endless, "no end"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let first = page("9", "more", &pod);
        let server = Server::plain([first].into_iter().chain(then)).await;
        let failure = cluster_at(folder.path(), &server.url)
            .list_pods()
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unavailable, "{failure}");
        assert!(failure.message.contains(why), "{failure}");
    }
}

/// More than any page may be.
fn huge() -> &'static str {
    Box::leak("x".repeat((32 << 20) + 1).into_boxed_str())
}

#[tokio::test]
async fn an_eviction_carries_the_uid_where_the_server_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let success = json!({"kind": "Status", "status": "Success", "code": 201});
    let server = Server::plain([0; 2].map(|_| Reply::Json(201, success.clone()))).await;
    let cluster = cluster_at(folder.path(), &server.url);
    assert_eq!(cluster.evict(&pod_ref()).await, EvictAnswer::Accepted);
    assert_eq!(
        cluster.try_eviction(&pod_ref()).await,
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
