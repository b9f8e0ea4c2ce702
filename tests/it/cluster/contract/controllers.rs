//! Controllers as a node may read them, with and without `guard.yaml`.

use std::time::Duration;

use rollboot::drain::{ControllerRef, ControllerView, Kind};
use rollboot::failure::FailureKind;
use rollboot::ports::Cluster;
use serde_json::{Value, json};

use super::{APPLY, MERGE, Plane};

// The embedded server has no controllers.
cases! {
    both:;
    real only:
    controllers_are_read_with_guard_yaml_and_only_then,
    the_time_of_the_status_changes_with_the_status_alone,
    a_status_is_seen_to_be_written_twice_in_a_second,
}

const GUARD: &str = include_str!("../../../../packaging/kubernetes/guard.yaml");
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

const KINDS: [(Kind, &str, &str); 4] = [
    (Kind::Deployment, "/apis/apps/v1", "deployments"),
    (Kind::ReplicaSet, "/apis/apps/v1", "replicasets"),
    (Kind::StatefulSet, "/apis/apps/v1", "statefulsets"),
    (
        Kind::ReplicationController,
        "/api/v1",
        "replicationcontrollers",
    ),
];

impl Plane {
    /// Applies `guard.yaml`, or takes it back, and waits until that is in force.
    pub(super) async fn guard(&self, applied: bool) {
        let objects = ["clusterroles", "clusterrolebindings"];
        for (plural, manifest) in objects.iter().zip(GUARD.split("\n---\n")) {
            let path = format!("{RBAC}/{plural}/rollboot-guard");
            if applied {
                let path = format!("{path}?fieldManager=contract&force=true");
                self.call("PATCH", &path, APPLY, manifest).await;
            } else {
                self.try_call("DELETE", &path, "", "").await;
            }
        }
        let none = ControllerRef {
            namespace: "default".into(),
            kind: Kind::Deployment,
            name: "none".into(),
            uid: "u".into(),
        };
        for _try in 0..100 {
            let answer = self.node("contract-a").read_controller(&none).await;
            if answer.is_ok() == applied {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("guard.yaml does not come into force, or does not go");
    }

    async fn controller(
        &self,
        namespace: &str,
        (kind, group, plural): (Kind, &str, &str),
        replicas: Option<u32>,
    ) -> ControllerRef {
        let labels = json!({"app": "web"});
        let selector = if kind == Kind::ReplicationController {
            labels.clone()
        } else {
            json!({"matchLabels": labels})
        };
        let template = json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
        let object = json!({
            "metadata": {"name": "web"},
            "spec": {"replicas": replicas, "selector": selector, "template": template, "serviceName": "s"},
        });
        let mut object = object;
        if kind != Kind::StatefulSet {
            object["spec"]
                .as_object_mut()
                .unwrap()
                .remove("serviceName");
        }
        let path = format!("{group}/namespaces/{namespace}/{plural}");
        let made = self.post(&path, &object).await;
        ControllerRef {
            namespace: namespace.to_owned(),
            kind,
            name: "web".to_owned(),
            uid: made["metadata"]["uid"].as_str().unwrap().to_owned(),
        }
    }

    async fn status(
        &self,
        of: &ControllerRef,
        (_, group, plural): (Kind, &str, &str),
        status: &Value,
    ) {
        let path = format!(
            "{group}/namespaces/{}/{plural}/{}/status",
            of.namespace, of.name
        );
        let path = format!("{path}?fieldManager=controllers");
        self.call(
            "PATCH",
            &path,
            MERGE,
            &json!({"status": status}).to_string(),
        )
        .await;
    }

    async fn view(&self, of: &ControllerRef) -> ControllerView {
        let view = self.node("contract-a").read_controller(of).await;
        view.unwrap().unwrap()
    }
}

async fn controllers_are_read_with_guard_yaml_and_only_then(plane: &Plane) {
    let namespace = plane.namespace().await;
    plane.guard(true).await;
    for kind in KINDS {
        let of = plane.controller(&namespace, kind, None).await;
        let view = plane.view(&of).await;
        assert_eq!(
            (view.uid.as_str(), view.wanted),
            (of.uid.as_str(), 1),
            "{of}"
        );
        assert_eq!(
            (view.ready, view.behind),
            (0, true),
            "no controller has seen {of}"
        );
        assert_eq!(view.written.times, "");
    }
    let none = ControllerRef {
        namespace: namespace.clone(),
        kind: Kind::Deployment,
        name: "none".into(),
        uid: "u".into(),
    };
    let a = plane.node("contract-a");
    assert_eq!(a.read_controller(&none).await, Ok(None));
    plane.guard(false).await;
    for kind in KINDS {
        let of = ControllerRef {
            kind: kind.0,
            ..none.clone()
        };
        let failure = plane.node("contract-a").read_controller(&of).await;
        assert_eq!(failure.unwrap_err().kind, FailureKind::Forbidden, "{of}");
    }
}

/// What the guard takes for a proof that a status was written: its time, of seconds, changes with its numbers and with nothing else.
async fn the_time_of_the_status_changes_with_the_status_alone(plane: &Plane) {
    let namespace = plane.namespace().await;
    plane.guard(true).await;
    for kind in [KINDS[1], KINDS[3]] {
        let of = plane.controller(&namespace, kind, Some(3)).await;
        let counts = |ready: u32| json!({"replicas": 3, "readyReplicas": ready, "availableReplicas": ready, "observedGeneration": 1});
        plane.status(&of, kind, &counts(3)).await;
        let first = plane.view(&of).await;
        assert_eq!((first.ready, first.wanted, first.behind), (3, 3, false));
        assert!(!first.written.times.is_empty());
        tokio::time::sleep(Duration::from_millis(1100)).await;
        // The same status again, and a change of something else.
        plane.status(&of, kind, &counts(3)).await;
        let path = format!("{}/namespaces/{namespace}/{}/web", kind.1, kind.2);
        let note = json!({"metadata": {"annotations": {"a": "b"}}}).to_string();
        plane.call("PATCH", &path, MERGE, &note).await;
        let annotated = plane.view(&of).await;
        assert!(!annotated.written.since(&first.written), "{of}");
        plane.status(&of, kind, &counts(2)).await;
        let dipped = plane.view(&of).await;
        assert_ne!(dipped.written.times, first.written.times, "{of}");
        tokio::time::sleep(Duration::from_millis(1100)).await;
        plane.status(&of, kind, &counts(3)).await;
        let back = plane.view(&of).await;
        assert_eq!(back.ready, first.ready);
        assert_ne!(back.written.times, first.written.times, "{of}");
    }
    plane.guard(false).await;
}

/// Where the times are the same: a write of the status is told from one of anything else by the rest of the metadata.
async fn a_status_is_seen_to_be_written_twice_in_a_second(plane: &Plane) {
    let namespace = plane.namespace().await;
    plane.guard(true).await;
    for kind in KINDS {
        let of = plane.controller(&namespace, kind, Some(3)).await;
        let path = format!("{}/namespaces/{namespace}/{}/web", kind.1, kind.2);
        let counts =
            |ready: u32| json!({"replicas": 3, "readyReplicas": ready, "observedGeneration": 1});
        let mut within = 0;
        for _ in 0..20 {
            plane.status(&of, kind, &counts(3)).await;
            let first = plane.view(&of).await.written;
            plane.status(&of, kind, &counts(2)).await;
            plane.status(&of, kind, &counts(3)).await;
            let back = plane.view(&of).await.written;
            assert!(back.since(&first), "{of}");
            within += usize::from(back.times == first.times);
            plane.status(&of, kind, &counts(3)).await;
            assert!(
                !plane.view(&of).await.written.since(&back),
                "the same once more"
            );
            // Of others: each alone is no write of the status, whatever the second.
            let mut last = back;
            for change in [
                json!({"metadata": {"annotations": {"a": "b"}}}),
                json!({"metadata": {"annotations": {"a": "c"}}}),
                json!({"metadata": {"labels": {"l": "m"}}}),
                json!({"metadata": {"annotations": {"a": null}}}),
                json!({"spec": {"replicas": 4}}),
                json!({"metadata": {"labels": {"l": null}}, "spec": {"replicas": 3}}),
            ] {
                plane.call("PATCH", &path, MERGE, &change.to_string()).await;
                let now = plane.view(&of).await.written;
                assert_ne!(now.version, last.version, "{of}: {change}");
                assert!(!now.since(&last), "{of}: {change}");
                last = now;
            }
        }
        assert!(within > 0, "{of}: never two writes in a second");
    }
    plane.guard(false).await;
}
