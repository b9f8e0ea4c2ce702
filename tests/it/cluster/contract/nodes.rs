//! The health of all Nodes as a node may list it, with and without `health.yaml`; labels of pods, as selectors see them.

use std::time::Duration;

use rollboot::failure::FailureKind;
use rollboot::node::NodesView;
use rollboot::ports::Cluster;
use rollboot::selector::Selector;
use serde_json::{Value, json};

use super::{APPLY, MERGE, Plane};

cases! {
    both:
    nodes_are_listed_with_health_yaml_and_only_then,
    whatever_is_not_said_to_be_ready_is_not,
    many_nodes_come_in_pages;
    real only:
    selectors_select_what_the_server_selects,
}

const HEALTH: &str = include_str!("../../../../packaging/kubernetes/health.yaml");
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

impl Plane {
    /// Applies `health.yaml`, or takes it back, and waits until that is in force.
    async fn health(&self, applied: bool) {
        let objects = ["clusterroles", "clusterrolebindings"];
        for (plural, manifest) in objects.iter().zip(HEALTH.split("\n---\n")) {
            let path = format!("{RBAC}/{plural}/rollboot-health");
            if applied {
                let path = format!("{path}?fieldManager=contract&force=true");
                self.call("PATCH", &path, APPLY, manifest).await;
            } else {
                self.try_call("DELETE", &path, "", "").await;
            }
        }
        // Until 1.31 every node may list Nodes in any case.
        let allowed = applied || self.minor().await < 32;
        for _try in 0..100 {
            if self.node("contract-a").list_nodes().await.is_ok() == allowed {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("health.yaml does not come into force, or does not go");
    }

    async fn nodes(&self) -> NodesView {
        self.node("contract-a").list_nodes().await.unwrap()
    }

    async fn becomes(&self, node: &str, status: Value) {
        let path = format!("/api/v1/nodes/{node}/status");
        let body = json!({"status": {"conditions": status}});
        self.call("PATCH", &path, MERGE, &body.to_string()).await;
    }

    async fn add_node(&self, name: &str) {
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}});
        self.post("/api/v1/nodes", &node).await;
    }

    async fn remove_nodes(&self, names: &[String]) {
        for name in names {
            let path = format!("/api/v1/nodes/{name}");
            self.try_call("DELETE", &path, "", "").await;
        }
    }
}

async fn nodes_are_listed_with_health_yaml_and_only_then(plane: &Plane) {
    plane.health(false).await;
    let answer = plane.node("contract-a").list_nodes().await;
    if plane.minor().await < 32 {
        assert!(answer.is_ok(), "{answer:?}");
    } else {
        let failure = answer.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Restricted, "{failure}");
        assert!(
            failure.message.contains("cannot list the Nodes"),
            "{failure}"
        );
    }
    plane.health(true).await;
    assert!(plane.nodes().await.all >= 2);
    // What it grants is enough to tell whether a holder's Node is gone.
    let peer = plane.node("contract-a").peer_exists("contract-b").await;
    assert_eq!(peer, Ok(true));
    plane.health(false).await;
}

async fn whatever_is_not_said_to_be_ready_is_not(plane: &Plane) {
    plane.health(true).await;
    let ready = |status: &str| json!([{"type": "Ready", "status": status}]);
    plane.becomes("contract-a", ready("True")).await;
    for (conditions, is_ready) in [
        (json!([]), false),
        (json!([{"type": "MemoryPressure", "status": "True"}]), false),
        (ready("False"), false),
        (ready("Unknown"), false),
        (ready("True"), true),
    ] {
        plane.becomes("contract-b", conditions.clone()).await;
        for cordoned in [true, false] {
            let body = json!({"spec": {"unschedulable": cordoned.then_some(true)}});
            let path = "/api/v1/nodes/contract-b";
            plane.call("PATCH", path, MERGE, &body.to_string()).await;
            let view = plane.nodes().await;
            let listed = view.not_ready.contains(&"contract-b".to_owned());
            assert_eq!(listed, !is_ready, "{conditions} {cordoned}");
            assert!(!view.not_ready.contains(&"contract-a".to_owned()));
        }
    }
    plane.health(false).await;
}

async fn many_nodes_come_in_pages(plane: &Plane) {
    plane.health(true).await;
    let before = plane.nodes().await.all;
    let names: Vec<_> = (0..1001).map(|n| format!("contract-many-{n}")).collect();
    for name in &names {
        plane.add_node(name).await;
    }
    let view = plane.nodes().await;
    plane.remove_nodes(&names).await;
    assert_eq!(view.all, before + names.len());
    assert!(names.iter().all(|name| view.not_ready.contains(name)));
    plane.health(false).await;
}

/// What the selectors of gates select is what kubectl's do.
async fn selectors_select_what_the_server_selects(plane: &Plane) {
    let namespace = plane.namespace().await;
    let pods = [
        json!({}),
        json!({"a": "x"}),
        json!({"a": "y", "b": "x"}),
        json!({"a": "", "c": "7"}),
        json!({"b": "y", "c": "007", "example.org/d": "in"}),
        json!({"a": "notin", "c": "x"}),
    ];
    for (number, labels) in pods.iter().enumerate() {
        let pod = json!({
            "metadata": {"name": format!("p{number}"), "labels": labels},
            "spec": {"nodeName": "contract-a", "containers": [{"name": "c", "image": "i"}]},
        });
        let path = format!("/api/v1/namespaces/{namespace}/pods");
        plane.post(&path, &pod).await;
    }
    let views = plane.node("contract-a").list_pods().await.unwrap();
    for selector in [
        "a",
        "!a",
        "a=x",
        "a==y",
        "a=",
        "a!=x",
        "a!=",
        "a in (x,y)",
        "a in (,x)",
        "a in ()",
        "a in (x,)",
        "a notin (x, y)",
        "a notin (x,y),a",
        "a=x,b",
        "a,!b",
        "a in (notin)",
        "c>6",
        "c>7",
        "c<8",
        "c > 0",
        "example.org/d",
        "example.org/d=in",
        " a = y , b in ( x ) ",
        "in",
        "!in",
        "b notin (x),c",
    ] {
        let ours = Selector::parse(selector).unwrap();
        let mut ours: Vec<_> = views
            .iter()
            .filter(|pod| pod.pod.namespace == namespace && ours.matches(|key| pod.labels.get(key)))
            .map(|pod| pod.pod.name.clone())
            .collect();
        ours.sort();
        let (code, list) = plane
            .try_call("GET", &selected(&namespace, selector), "", "")
            .await;
        assert_eq!(code, 200, "{selector}: {list}");
        let name = |pod: &Value| pod["metadata"]["name"].as_str().unwrap().to_owned();
        let theirs: Vec<_> = list["items"].as_array().unwrap().iter().map(name).collect();
        assert_eq!(ours, theirs, "{selector}");
    }
    for wrong in [
        ",",
        "a,",
        "a b",
        "=b",
        "a===b",
        "!a=b",
        "!!a",
        "a in b",
        "a in (b",
        "a in (b c)",
        "a exists",
        "a!",
        "a>b",
        "a>",
        "a=-b",
        "a=b/c",
        "-a",
        "/a",
        "a/",
        "A.b/c",
        "a/b/c",
        "a=b c",
    ] {
        assert!(Selector::parse(wrong).is_err(), "{wrong}");
        let (code, answer) = plane
            .try_call("GET", &selected(&namespace, wrong), "", "")
            .await;
        assert_eq!(code, 400, "{wrong}: {answer}");
    }
}

fn selected(namespace: &str, selector: &str) -> String {
    let escaped: String = selector
        .bytes()
        .map(|byte| format!("%{byte:02X}"))
        .collect();
    format!("/api/v1/namespaces/{namespace}/pods?labelSelector={escaped}")
}
