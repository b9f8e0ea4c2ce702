//! What is in the host's cluster, and what the daemon has done to it.

use rollboot_lab::api::Kind;
use serde_json::{Value, json};

use super::host::{BOOT, Host, NODE};

impl Host {
    pub(super) fn add_node(&self, name: &str) {
        let node = json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
            "status": {"nodeInfo": {"bootID": BOOT}, "conditions": [{"type": "Ready", "status": "True",
                "lastHeartbeatTime": "2026-01-01T00:00:00Z"}]},
        });
        self.api
            .store()
            .create("kubelet", Kind::Node, node)
            .unwrap();
    }

    /// Changes the lock, as an operator.
    pub(super) fn edit_lock(&self, change: impl FnOnce(&mut Value)) {
        let store = self.api.store();
        let changed = store.update(
            "operator",
            Kind::ConfigMap,
            "kube-system",
            "rollboot",
            change,
        );
        assert!(changed.is_some());
    }

    /// No write of this node was ever made, to the Node or to the lock.
    pub(super) fn untouched(&self) {
        let history = self.api.store().history();
        let ours: Vec<_> = history
            .iter()
            .filter(|change| change.by.starts_with("system:node:"))
            .collect();
        assert!(ours.is_empty(), "{ours:#?}\n{}", self.log());
    }

    /// Neither cordon nor marker on the Node, no slot in the lock.
    pub(super) fn is_clean(&self) -> bool {
        let store = self.api.store();
        let node = store.get(Kind::Node, "", NODE).unwrap_or_default();
        let lock = store
            .get(Kind::ConfigMap, "kube-system", "rollboot")
            .unwrap_or_default();
        node["spec"]["unschedulable"].is_null()
            && node["metadata"]["annotations"]["rollboot.io/turn"].is_null()
            && !lock["metadata"]["annotations"]
                .to_string()
                .contains("\"n1.rollboot.io/")
    }

    pub(super) fn clean(&self) {
        assert!(self.is_clean(), "{}", self.log());
    }

    /// A pod that may be evicted.
    pub(super) fn add_pod(&self) {
        self.owned_pod("p", "ReplicaSet", "r", "r");
    }

    pub(super) fn remove_pod(&self) {
        self.pod_ends("p");
    }

    /// A Ready pod of a controller.
    pub(super) fn owned_pod(&self, name: &str, kind: &str, of: &str, uid: &str) {
        let owner = json!({"apiVersion": "apps/v1", "kind": kind, "name": of, "uid": uid, "controller": true});
        self.pod(name, |pod| {
            pod["metadata"]["ownerReferences"] = json!([owner]);
        });
    }

    /// A Ready pod that nobody keeps, changed in this way. Nobody checks what becomes of it.
    pub(super) fn pod(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"namespace": "default", "name": name},
            "spec": {"nodeName": NODE, "terminationGracePeriodSeconds": 30},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        });
        change(&mut pod);
        let store = self.api.store();
        store.create("scheduler", Kind::Pod, pod).unwrap();
    }

    pub(super) fn edit_pod(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let store = self.api.store();
        let changed = store.update("somebody", Kind::Pod, "default", name, change);
        assert!(changed.is_some());
    }

    /// As a kubelet says that a pod has ended.
    pub(super) fn pod_ends(&self, name: &str) {
        let store = self.api.store();
        let gone = store.remove("kubelet", Kind::Pod, "default", name);
        assert!(gone.is_some());
    }

    /// Names of the pods that this node has ever evicted, in the order in which it did.
    pub(super) fn evicted(&self) -> Vec<String> {
        let mut names = Vec::new();
        for change in self.api.store().history() {
            let metadata = &change.object["metadata"];
            let name = metadata["name"].as_str().unwrap_or_default().to_owned();
            let goes = !metadata["deletionTimestamp"].is_null();
            let pod = change.kind == Kind::Pod && change.by.starts_with("system:node:");
            if pod && goes && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}
