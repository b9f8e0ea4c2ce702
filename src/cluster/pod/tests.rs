//! What is read of a pod, from JSON as a server gives it.

use serde_json::{Value, json};

use super::*;

fn view(change: impl Fn(&mut Value)) -> PodView {
    let mut pod = json!({
        "metadata": {"namespace": "n", "name": "p", "uid": "u"},
        "spec": {}, "status": {"phase": "Running"},
    });
    change(&mut pod);
    serde_json::from_value::<Pod>(pod).unwrap().into()
}

#[test]
fn a_bare_pod_is_nothing_special() {
    let bare = view(|_| {});
    assert_eq!(
        bare,
        PodView {
            pod: PodRef {
                namespace: "n".into(),
                name: "p".into(),
                uid: "u".into()
            },
            ..PodView::default()
        }
    );
    assert_eq!(
        view(|pod| pod["metadata"]["annotations"] = Value::Null),
        bare
    );
    let volumes =
        json!([{"name": "a", "hostPath": {"path": "/"}}, {"name": "b", "emptyDir": null}]);
    assert_eq!(view(|pod| pod["spec"]["volumes"] = volumes.clone()), bare);
}

#[test]
fn each_field_is_read_from_its_place() {
    let ending = view(|pod| {
        pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        pod["metadata"]["finalizers"] = json!(["x"]);
    });
    assert!(ending.terminating);
    assert_eq!(ending.ends_by, Some(1_767_225_600));
    assert_eq!(ending.finalizers, ["x"]);
    let strange = view(|pod| pod["metadata"]["deletionTimestamp"] = json!("soon"));
    assert_eq!((strange.terminating, strange.ends_by), (true, None));
    let lives = view(|pod| pod["metadata"]["finalizers"] = json!(["x"]));
    assert_eq!(lives, view(|_| {}), "of no interest as long as it lives");
    for kind in ["persistentVolumeClaim", "ephemeral"] {
        let volumes = json!([{"name": "a", kind: {}}]);
        assert!(view(|pod| pod["spec"]["volumes"] = volumes.clone()).volumes);
    }
    assert!(
        view(|pod| pod["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": ""}))
            .mirror
    );
    assert!(view(|pod| pod["spec"]["volumes"] = json!([{"name": "a", "emptyDir": {}}])).empty_dir);
    let written = view(|pod| {
        pod["metadata"]["annotations"] = json!({
            "rollboot.io/drain": "wait", "rollboot.io/drain-order": "3",
            "cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "other": "x",
        });
    });
    assert!(!written.mirror && written.wishes.unsafe_to_evict());
    assert_eq!(written.wishes.drain.as_deref(), Some("wait"));
    assert_eq!(written.wishes.order.as_deref(), Some("3"));
    let statuses = json!([
        {"containerID": "containerd://1"}, {"containerID": ""}, {"containerID": null}, {},
    ]);
    let mirror = json!({"kubernetes.io/config.mirror": ""});
    let owner = |kind: &str| json!([{"apiVersion": "apps/v1", "kind": kind, "name": "d", "uid": "d", "controller": true}]);
    for (annotations, owners, shown) in [
        (mirror, Value::Null, 1),
        (Value::Null, owner("DaemonSet"), 1),
        (Value::Null, owner("ReplicaSet"), 0),
        (Value::Null, Value::Null, 0),
    ] {
        let pod = view(|pod| {
            pod["metadata"]["annotations"] = annotations.clone();
            pod["metadata"]["ownerReferences"] = owners.clone();
            pod["status"]["containerStatuses"] = statuses.clone();
        });
        assert_eq!(pod.containers.len(), shown, "{annotations} {owners}");
    }
    for (priority, critical) in [(0, false), (1_999_999_999, false), (2_000_000_000, true)] {
        assert_eq!(
            view(|pod| pod["spec"]["priority"] = json!(priority)).critical,
            critical
        );
    }
    for (phase, finished) in [
        ("Succeeded", true),
        ("Failed", true),
        ("Pending", false),
        ("Unknown", false),
    ] {
        assert_eq!(
            view(|pod| pod["status"]["phase"] = json!(phase)).finished,
            finished,
            "{phase}"
        );
    }
    for containers in [
        "containerStatuses",
        "initContainerStatuses",
        "ephemeralContainerStatuses",
    ] {
        let ended = |state: Value| {
            view(|pod| {
                pod["status"] = json!({"phase": "Failed", containers: [{"state": {"terminated": {}}}, {"state": state}]});
            })
            .finished
        };
        assert!(!ended(json!({"running": {}})), "{containers}");
        assert!(ended(json!({"terminated": {}})) && ended(json!({"waiting": {}})));
    }
    for (grace, read) in [
        (json!(3600), Some(3600)),
        (json!(-1), None),
        (Value::Null, None),
    ] {
        let pod = view(|pod| pod["spec"]["terminationGracePeriodSeconds"] = grace.clone());
        assert_eq!(pod.grace, read);
    }
    let created =
        view(|pod| pod["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z")).created;
    assert_eq!(created, Some(1_767_225_600));
    for (status, ready) in [("True", true), ("False", false), ("Unknown", false)] {
        let conditions =
            json!([{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": status}]);
        assert_eq!(
            view(|pod| pod["status"]["conditions"] = conditions.clone()).ready,
            ready,
            "{status}"
        );
    }
}

#[test]
fn labels_are_kept_whatever_their_names() {
    let labels = json!({"app.kubernetes.io/name": "backup", "e": ""});
    let found = view(|pod| pod["metadata"]["labels"] = labels.clone()).labels;
    assert_eq!(found.get("app.kubernetes.io/name"), Some("backup"));
    assert_eq!((found.get("e"), found.get("app")), (Some(""), None));
    let none = view(|pod| pod["metadata"]["labels"] = Value::Null);
    assert_eq!(none, view(|_| {}));
}

#[test]
fn the_owner_that_controls_is_the_controller() {
    let owner = |name: &str, controller: Value| json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": "o", "controller": controller});
    let owners = json!([
        owner("a", Value::Null),
        owner("b", json!(false)),
        owner("c", json!(true))
    ]);
    let found = view(|pod| pod["metadata"]["ownerReferences"] = owners.clone()).controller;
    assert_eq!(found.map(|it| it.name).as_deref(), Some("c"));
    let owners = json!([owner("a", Value::Null)]);
    assert_eq!(
        view(|pod| pod["metadata"]["ownerReferences"] = owners.clone()),
        view(|_| {})
    );
}

#[test]
fn a_controller_that_is_not_named_in_full_or_not_alone_is_none_and_noted() {
    let whole = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u", "controller": true});
    let mut odd = vec![json!([whole, whole])];
    for field in ["apiVersion", "kind", "name", "uid"] {
        for value in [json!(""), Value::Null] {
            let mut owner = whole.clone();
            owner[field] = value;
            odd.push(json!([owner]));
        }
    }
    for owners in odd {
        let found = view(|pod| pod["metadata"]["ownerReferences"] = owners.clone());
        assert_eq!((found.controller, found.unclear), (None, true), "{owners}");
    }
    let lacks_much = json!([{"controller": false}, whole]);
    let found = view(|pod| pod["metadata"]["ownerReferences"] = lacks_much.clone());
    assert!(found.controller.is_some() && !found.unclear);
}

#[test]
fn a_toleration_covers_the_cordon_as_the_scheduler_says() {
    for (toleration, covers) in [
        (json!({"operator": "Exists"}), true),
        (json!({"operator": "Exists", "effect": "NoSchedule"}), true),
        (json!({"operator": "Exists", "effect": "NoExecute"}), false),
        (
            json!({"operator": "Exists", "effect": "PreferNoSchedule"}),
            false,
        ),
        (json!({"key": CORDON_TAINT, "operator": "Exists"}), true),
        (
            json!({"key": CORDON_TAINT, "operator": "Exists", "effect": "NoSchedule"}),
            true,
        ),
        (json!({"key": CORDON_TAINT}), true),
        (
            json!({"key": CORDON_TAINT, "operator": "Equal", "value": ""}),
            true,
        ),
        (
            json!({"key": CORDON_TAINT, "operator": "Equal", "value": "x"}),
            false,
        ),
        (
            json!({"key": CORDON_TAINT, "operator": "Gt", "value": ""}),
            false,
        ),
        (
            json!({"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}),
            false,
        ),
        (json!({"key": "other", "operator": "Exists"}), false),
        (json!({}), false),
    ] {
        let tolerations = json!([{"key": "other"}, toleration]);
        assert_eq!(
            view(|pod| pod["spec"]["tolerations"] = tolerations.clone()).tolerates_cordon,
            covers,
            "{toleration}"
        );
    }
}
