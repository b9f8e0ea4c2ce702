//! Gates on the cluster: what they wait for, and what cannot be read.

use rollboot_lab::api::Kind;
use serde_json::json;

use super::case::Case;
use super::host::{BOOT, CONFIG, Host, NODE, SETTINGS};

/// A host whose gates are these.
async fn gated(gates: &str) -> Host {
    let host = Host::new().await;
    host.write(CONFIG, &format!("{SETTINGS}{gates}"));
    host
}

impl Host {
    /// What applying `health.yaml` does.
    fn apply_health(&self) {
        let role = json!({
            "metadata": {"name": "rollboot-health"},
            "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list"]}],
        });
        let binding = json!({
            "metadata": {"name": "rollboot-health"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "rollboot-health"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:nodes"}],
        });
        let store = self.api.store();
        store.create("operator", Kind::ClusterRole, role).unwrap();
        store
            .create("operator", Kind::ClusterRoleBinding, binding)
            .unwrap();
    }

    fn set_ready(&self, name: &str, status: &str) {
        let change = |node: &mut serde_json::Value| {
            node["status"] = json!({
                "nodeInfo": {"bootID": BOOT},
                "conditions": [{"type": "Ready", "status": status, "lastHeartbeatTime": "2026-01-01T00:00:00Z"}],
            });
        };
        let store = self.api.store();
        assert!(
            store
                .update("kubelet", Kind::Node, "", name, change)
                .is_some()
        );
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "`max-not-ready = 0` without `health.yaml`",
            "it is applied",
            async || {
                let mut host = gated("[gate.nodes]\nmax-not-ready = 0\n").await;
                host.ask();
                host.start();
                let words = ["cannot list the Nodes", "answered 403", "apply health.yaml"];
                let message = host.tells(&words).await;
                host.untouched();
                host.apply_health();
                host.goes_on().await;
                message
            },
        ),
        Case::new(
            "`max-not-ready = 0`, and another Node is not Ready",
            "it becomes Ready",
            async || {
                let mut host = gated("[gate.nodes]\nmax-not-ready = 0\n").await;
                host.apply_health();
                host.add_node("n2");
                host.set_ready("n2", "Unknown");
                host.ask();
                host.start();
                let message = host
                    .tells(&["not Ready: n2", "at most 0 other nodes"])
                    .await;
                host.untouched();
                host.set_ready("n2", "True");
                host.goes_on().await;
                message
            },
        ),
        Case::new(
            "a pod that `[[gate.pods]]` selects",
            "it is gone",
            async || {
                let mut host = gated("[[gate.pods]]\nselector = \"app in (backup)\"\n").await;
                let pod = json!({
                    "apiVersion": "v1", "kind": "Pod",
                    "metadata": {"namespace": "jobs", "name": "nightly", "labels": {"app": "backup"}, "ownerReferences": [
                        {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "j", "controller": true}]},
                    "spec": {"nodeName": NODE},
                    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
                });
                host.api
                    .store()
                    .create("scheduler", Kind::Pod, pod)
                    .unwrap();
                host.ask();
                host.start();
                let words = [
                    "jobs/nightly is here and matches app in (backup)",
                    "[[gate.pods]]",
                ];
                let message = host.tells(&words).await;
                host.untouched();
                host.api
                    .store()
                    .remove("kubelet", Kind::Pod, "jobs", "nightly");
                host.goes_on().await;
                message
            },
        ),
    ]
}
