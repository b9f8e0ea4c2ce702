//! Reading a controller: what is asked, what is made of the answer.

use rollboot::drain::{ControllerRef, ControllerView, Kind, StatusRevision};
use rollboot::failure::{Failure, FailureKind};
use rollboot::ports::Cluster;
use serde_json::{Value, json};

use super::answers::{HTML, THROTTLED, cluster_for, json_reply, policy_403, status};
use super::server::{Reply, Server};
use super::{PATIENT, cluster_with};

fn of(kind: Kind) -> ControllerRef {
    ControllerRef {
        namespace: "shop".to_owned(),
        kind,
        name: "web".to_owned(),
        uid: "u".to_owned(),
    }
}

async fn read(kind: Kind, reply: Reply) -> Result<Option<ControllerView>, Failure> {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain([reply.clone()]).await;
    let answer = cluster_for(&reply, folder.path(), &server)
        .read_controller(&of(kind))
        .await;
    assert_eq!(server.asked().len(), 1, "nothing is retried");
    answer
}

fn whole() -> Value {
    json!({
        "kind": "ReplicaSet", "apiVersion": "apps/v1",
        "metadata": {
            "name": "web", "namespace": "shop", "uid": "u", "generation": 3, "resourceVersion": "9",
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "X", "name": "x", "uid": "x"},
                {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "uid": "du", "controller": true, "blockOwnerDeletion": true},
            ],
            "managedFields": [
                {"manager": "kubectl", "operation": "Apply", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {}}},
                {"manager": "kcm", "operation": "Update", "subresource": "status", "time": "2026-01-01T00:00:07Z", "fieldsV1": {"f:status": {}}},
                {"manager": "a", "operation": "Update", "subresource": "status", "time": "2026-01-01T00:00:05Z"},
            ],
        },
        "spec": {"replicas": 5, "template": {"spec": {"containers": [{"name": "c", "env": [{"name": "N", "value": "v"}]}]}}},
        "status": {
            "replicas": 4, "fullyLabeledReplicas": 4, "readyReplicas": 3, "availableReplicas": 2, "terminatingReplicas": 1,
            "observedGeneration": 3, "conditions": [],
        },
    })
}

#[tokio::test]
async fn each_kind_is_asked_for_by_its_name_in_its_place() {
    for (kind, path) in [
        (
            Kind::Deployment,
            "/apis/apps/v1/namespaces/shop/deployments/web",
        ),
        (
            Kind::ReplicaSet,
            "/apis/apps/v1/namespaces/shop/replicasets/web",
        ),
        (
            Kind::StatefulSet,
            "/apis/apps/v1/namespaces/shop/statefulsets/web",
        ),
        (
            Kind::ReplicationController,
            "/api/v1/namespaces/shop/replicationcontrollers/web",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut object = whole();
        object["kind"] = json!(kind.to_string());
        let server = Server::plain([Reply::Json(200, object)]).await;
        let cluster = cluster_with(folder.path(), &server.url, PATIENT);
        let view = cluster.read_controller(&of(kind)).await.unwrap().unwrap();
        assert_eq!(server.only().line(), format!("GET {path}?timeout=16000ms"));
        assert_eq!(view.uid, "u");
    }
}

#[tokio::test]
async fn each_field_is_read_from_its_place() {
    let view = read(Kind::ReplicaSet, Reply::Json(200, whole())).await;
    let view = view.unwrap().unwrap();
    let owner = view.owner.clone().unwrap();
    assert_eq!(
        (owner.kind.as_str(), owner.uid.as_str()),
        ("Deployment", "du")
    );
    assert_eq!(
        view,
        ControllerView {
            uid: "u".into(),
            wanted: 5,
            replicas: 4,
            ready: 3,
            available: 2,
            terminating: 1,
            behind: false,
            deleting: false,
            fails: None,
            orphaning: false,
            owner: Some(owner),
            written: StatusRevision {
                fresh: false,
                version: "9".into(),
                generation: 3,
                others: view.written.others,
                .."2026-01-01T00:00:05Z 2026-01-01T00:00:07Z".into()
            },
        }
    );
    let mut late = whole();
    late["status"]["observedGeneration"] = json!(2);
    late["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let view = read(Kind::ReplicaSet, Reply::Json(200, late)).await;
    let view = view.unwrap().unwrap();
    assert!(view.behind && view.deleting);
    // What keeps its pods from being created is told while it does, and bounded.
    for (kind, status, message, fails) in [
        (
            "ReplicaFailure",
            "True",
            "exceeded quota",
            Some("exceeded quota"),
        ),
        ("ReplicaFailure", "False", "exceeded quota", None),
        ("Progressing", "True", "exceeded quota", None),
        (
            "ReplicaFailure",
            "True",
            &"é".repeat(2000),
            Some(&"é".repeat(300)[..]),
        ),
    ] {
        let mut stopped = whole();
        stopped["status"]["conditions"] = json!([{"type": "Available", "status": "True"}, {"type": kind, "status": status, "message": message}]);
        let view = read(Kind::ReplicaSet, Reply::Json(200, stopped)).await;
        assert_eq!(view.unwrap().unwrap().fails.as_deref(), fails);
    }
}

/// The server's clock is its `Date`; that of the test is of no account.
async fn read_at(date: &str, object: &Value) -> ControllerView {
    let leaked = |text: String| -> &'static str { text.leak() };
    let date = leaked(format!("Date: Thu, 01 Jan 2026 {date} GMT\r\n"));
    let reply = Reply::Text(200, "application/json", date, leaked(object.to_string()));
    read(Kind::ReplicaSet, reply).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_status_is_fresh_while_another_write_may_bear_its_time() {
    for (date, fresh) in [
        ("00:00:06", true),
        ("00:00:07", true),
        ("00:00:09", true),
        ("00:00:10", false),
        ("23:59:59", false),
    ] {
        let view = read_at(date, &whole()).await;
        assert_eq!(view.written.fresh, fresh, "{date}");
    }
    let mut untold = whole();
    untold["metadata"]["managedFields"] =
        json!([{"manager": "kubectl", "time": "2026-01-01T00:00:07Z"}]);
    assert!(!read_at("00:00:07", &untold).await.written.fresh);
    let undated = read(Kind::ReplicaSet, Reply::Json(200, whole())).await;
    assert!(!undated.unwrap().unwrap().written.fresh);
}

/// Whatever is written besides the status leaves a trace in the metadata, in the generation for a spec.
#[tokio::test]
async fn another_version_counts_as_a_write_of_the_status_if_nothing_else_has_changed() {
    type Change = fn(&mut Value);
    let changes: [(&str, bool, Change); 11] = [
        ("status", true, |it| {
            it["status"]["readyReplicas"] = json!(4);
        }),
        ("fields of the status", true, |it| {
            it["metadata"]["managedFields"][1]["fieldsV1"] =
                json!({"f:status": {"f:replicas": {}}});
        }),
        ("spec", false, |it| it["metadata"]["generation"] = json!(4)),
        ("annotation", false, |it| {
            it["metadata"]["annotations"] = json!({"a": "b"});
        }),
        ("label", false, |it| {
            it["metadata"]["labels"] = json!({"a": "b"});
        }),
        ("finalizer", false, |it| {
            it["metadata"]["finalizers"] = json!(["f"]);
        }),
        ("deletion", false, |it| {
            it["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:07Z");
        }),
        ("owner", false, |it| {
            it["metadata"]["ownerReferences"][0]["uid"] = json!("y");
        }),
        ("time of another", false, |it| {
            it["metadata"]["managedFields"][0]["time"] = json!("2026-01-01T00:00:01Z");
        }),
        ("fields of another", false, |it| {
            it["metadata"]["managedFields"][0]["fieldsV1"] =
                json!({"f:spec": {}, "f:metadata": {}});
        }),
        ("one more", false, |it| {
            let other =
                json!({"manager": "x", "operation": "Update", "time": "2026-01-01T00:00:00Z"});
            it["metadata"]["managedFields"]
                .as_array_mut()
                .unwrap()
                .push(other);
        }),
    ];
    let of = async |object: Value| read_at("00:00:08", &object).await;
    let then = of(whole()).await.written;
    assert!(!of(whole()).await.written.since(&then));
    for (what, counts, change) in changes {
        let mut object = whole();
        object["metadata"]["resourceVersion"] = json!("10");
        change(&mut object);
        let now = of(object).await.written;
        assert_eq!(now.since(&then), counts, "{what}");
    }
}

/// The numbers are as `stateful_set_control.go` counts them.
#[tokio::test]
async fn pods_of_a_stateful_set_that_are_ending_are_those_that_are_of_no_revision() {
    let mut object = whole();
    object["kind"] = json!("StatefulSet");
    object["status"] = json!({"replicas": 3, "readyReplicas": 3, "updatedReplicas": 1, "currentReplicas": 1,
        "currentRevision": "a", "updateRevision": "b"});
    type Change = fn(&mut Value);
    let changes: [(Change, u32); 6] = [
        (|_| (), 1),
        (|it| it["status"]["updatedReplicas"] = json!(2), 0),
        // At rest each pod counts in both numbers.
        (|it| it["status"]["updateRevision"] = json!("a"), 2),
        (
            |it| {
                it["status"]["updateRevision"] = json!("a");
                it["status"]["updatedReplicas"] = json!(3);
                it["status"]["currentReplicas"] = json!(3);
            },
            0,
        ),
        (|it| it["status"]["updateRevision"] = Value::Null, 0),
        (
            |it| it["spec"]["updateStrategy"] = json!({"type": "OnDelete"}),
            0,
        ),
    ];
    for (change, ending) in changes {
        let mut object = object.clone();
        change(&mut object);
        let view = read(Kind::StatefulSet, Reply::Json(200, object.clone())).await;
        assert_eq!(view.unwrap().unwrap().terminating, ending, "{object}");
    }
}

#[tokio::test]
async fn what_is_absent_has_the_meaning_that_the_api_gives_it() {
    let bare = json!({"kind": "StatefulSet", "metadata": {"uid": "u", "managedFields": null}, "spec": {}, "status": {}});
    let null = json!({"kind": "StatefulSet", "metadata": {"uid": "u", "ownerReferences": null}, "spec": {"replicas": null}, "status": {"readyReplicas": null}});
    let least = json!({"kind": "StatefulSet", "metadata": {"uid": "u"}});
    for object in [bare, null, least] {
        let view = read(Kind::StatefulSet, Reply::Json(200, object)).await;
        let view = view.unwrap().unwrap();
        assert_eq!((view.wanted, view.ready, view.behind), (1, 0, false));
        assert_eq!(view.owner, None);
        assert!(view.written.is_unknown());
    }
    // Nobody has acted on it yet.
    let new = json!({"kind": "StatefulSet", "metadata": {"uid": "u", "generation": 1}, "spec": {"replicas": 0}});
    let view = read(Kind::StatefulSet, Reply::Json(200, new)).await;
    let view = view.unwrap().unwrap();
    assert!(view.behind && view.wanted == 0);
}

#[tokio::test]
async fn each_answer_has_its_own_path() {
    use FailureKind::*;
    let mut absent = status(404, "NotFound", "deployments.apps \"web\" not found");
    absent["details"] = json!({"name": "web", "group": "apps", "kind": "deployments"});
    assert_eq!(
        read(Kind::Deployment, json_reply(absent.clone())).await,
        Ok(None)
    );
    absent["details"]["name"] = json!("other");
    let mut number = whole();
    number["spec"]["replicas"] = json!(-1);
    number["kind"] = json!("Deployment");
    for (reply, kind) in [
        (json_reply(absent), NotFound),
        (
            json_reply(status(
                403,
                "Forbidden",
                "deployments.apps \"web\" is forbidden",
            )),
            Forbidden,
        ),
        (json_reply(policy_403()), Policy),
        (
            json_reply(status(401, "Unauthorized", "Unauthorized")),
            Unauthorized,
        ),
        (
            json_reply(status(500, "InternalError", "etcdserver: no leader")),
            Unavailable,
        ),
        (
            json_reply(status(503, "ServiceUnavailable", "shutting down")),
            Unavailable,
        ),
        (
            Reply::Text(429, "text/plain", "Retry-After: 1\r\n", THROTTLED),
            Throttled,
        ),
        (
            Reply::Text(404, "text/plain", "", "404 page not found\n"),
            Unavailable,
        ),
        (Reply::Text(200, "text/html", "", HTML), Unavailable),
        (Reply::Json(200, whole()), Unavailable),
        (Reply::Json(200, number), Unavailable),
        (Reply::Half, Unavailable),
        (Reply::HangUp, Unavailable),
        (Reply::Silence, Timeout),
    ] {
        let shown = format!("{reply:?}");
        let failure = read(Kind::Deployment, reply).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{shown}: {failure}");
        assert!(
            failure.message.contains("cannot read Deployment shop/web"),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn a_name_that_is_none_is_not_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain([]).await;
    let cluster = cluster_with(folder.path(), &server.url, PATIENT);
    for (namespace, name) in [("shop", "../../nodes/a"), ("", "web"), ("shop", "")] {
        let odd = ControllerRef {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            ..of(Kind::Deployment)
        };
        let failure = cluster.read_controller(&odd).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Invalid);
    }
    assert!(server.asked().is_empty());
}
