//! A host below a root folder that has joined an embedded cluster.

use std::fs;
use std::path::PathBuf;

use rollboot_lab::api::{Api, Kind};
use rollboot_lab::bus::Bus;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::bus::{self, Says};
use super::super::{rollboot, said};

pub(super) const NODE: &str = "node-a";
const BOOT: &str = "11111111-2222-3333-4444-555555555555";

/// A host that has joined an armed cluster, and on which the daemon runs.
pub(in super::super) struct Site {
    pub(in super::super) root: TempDir,
    pub(in super::super) api: Api,
    _bus: Bus,
}

impl Site {
    pub(in super::super) async fn healthy() -> Self {
        Self::with(bus::fine()).await
    }

    pub(super) async fn with(says: Says) -> Self {
        let api = Api::start().await.unwrap();
        api.arm();
        let root = tempfile::tempdir().unwrap();
        let site = Self {
            _bus: bus::serve(root.path(), says),
            root,
            api,
        };
        site.write("proc/sys/kernel/random/boot_id", BOOT);
        site.write("proc/sys/kernel/hostname", NODE);
        site.write(
            "etc/kubernetes/kubelet.conf",
            &site.api.node_kubeconfig(NODE),
        );
        site.write("var/lib/kubelet/config.yaml", "shutdownGracePeriod: 30s\n");
        site.write("proc/4712/comm", "rollboot\n");
        site.write("run/rollboot/status.json", STATUS);
        fs::create_dir_all(site.path("var/lib/rollboot")).unwrap();
        site.node(NODE, BOOT);
        site.pod("web", Some(("ReplicaSet", "web-5d8f")));
        site.guard();
        site
    }

    /// What applying `guard.yaml` does.
    fn guard(&self) {
        let store = self.api.store();
        let role = json!({
            "metadata": {"name": "rollboot-guard"},
            "rules": [{"apiGroups": ["apps"], "resources": ["deployments", "replicasets", "statefulsets"], "verbs": ["get"]}],
        });
        let binding = json!({
            "metadata": {"name": "rollboot-guard"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "rollboot-guard"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:nodes"}],
        });
        store.create("kubectl", Kind::ClusterRole, role).unwrap();
        store
            .create("kubectl", Kind::ClusterRoleBinding, binding)
            .unwrap();
    }

    /// Nobody may read controllers any more.
    pub(in super::super) fn unguard(&self) {
        let store = self.api.store();
        store.remove("kubectl", Kind::ClusterRoleBinding, "", "rollboot-guard");
    }

    /// One that keeps so many pods, all of them Ready, one of them here.
    pub(super) fn replica_set(&self, name: &str, wanted: u32) {
        let set = json!({
            "metadata": {"name": name, "namespace": "default", "generation": 1},
            "spec": {"replicas": wanted},
            "status": {"observedGeneration": 1, "replicas": wanted, "readyReplicas": wanted},
        });
        let store = self.api.store();
        let made = store.create("kubectl", Kind::ReplicaSet, set).unwrap();
        self.pod(name, Some(("ReplicaSet", name)));
        let owner = |pod: &mut Value| {
            pod["metadata"]["ownerReferences"][0]["uid"] = made["metadata"]["uid"].clone();
        };
        store.update("kubectl", Kind::Pod, "default", name, owner);
    }

    /// One of the two pods of a ReplicaSet, both of them here and Ready.
    pub(in super::super) fn pod_of_two(&self, name: &str, set: &str) {
        let store = self.api.store();
        let object = json!({
            "metadata": {"name": set, "namespace": "default", "generation": 1},
            "spec": {"replicas": 2},
            "status": {"observedGeneration": 1, "replicas": 2, "readyReplicas": 2},
        });
        // The second time it is there.
        let made = store.create("kubectl", Kind::ReplicaSet, object);
        let made = made
            .ok()
            .or_else(|| store.get(Kind::ReplicaSet, "default", set));
        let uid = made.unwrap()["metadata"]["uid"].clone();
        self.pod(name, Some(("ReplicaSet", set)));
        let owner = |pod: &mut Value| pod["metadata"]["ownerReferences"][0]["uid"] = uid.clone();
        store.update("kubectl", Kind::Pod, "default", name, owner);
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub(in super::super) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(super) fn node(&self, name: &str, boot_id: &str) {
        let node = json!({
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
            "spec": {},
            "status": {
                "nodeInfo": {"bootID": boot_id},
                "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}],
            },
        });
        self.api
            .store()
            .create("kubelet", Kind::Node, node)
            .unwrap();
    }

    pub(super) fn change_node(&self, change: impl FnOnce(&mut Value)) {
        let changed = self
            .api
            .store()
            .update("kubectl", Kind::Node, "", NODE, change);
        assert!(changed.is_some());
    }

    pub(super) fn change_lock(&self, change: impl FnOnce(&mut Value)) {
        let store = self.api.store();
        let changed = store.update(
            "kubectl",
            Kind::ConfigMap,
            "kube-system",
            "rollboot",
            change,
        );
        assert!(changed.is_some());
    }

    pub(in super::super) fn pod(&self, name: &str, owner: Option<(&str, &str)>) {
        let owners: Vec<_> = owner
            .map(|(kind, name)| json!({"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": name, "controller": true}))
            .into_iter()
            .collect();
        let pod = json!({
            "metadata": {"name": name, "namespace": "default", "labels": {"app": name}, "ownerReferences": owners},
            "spec": {"nodeName": NODE, "containers": [{"name": "c", "image": "i"}]},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        });
        self.api.store().create("kubectl", Kind::Pod, pod).unwrap();
    }

    pub(in super::super) fn budget(&self, name: &str, app: &str) {
        let budget = json!({
            "metadata": {"name": name, "namespace": "default", "generation": 1},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": app}}},
            "status": {"observedGeneration": 1, "disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1},
        });
        let kind = Kind::PodDisruptionBudget;
        self.api.store().create("kubectl", kind, budget).unwrap();
    }

    /// Exit code and findings: check, result, found, advice.
    pub(in super::super) async fn check(&self) -> (Option<i32>, Vec<[String; 4]>) {
        let (code, text) = self.run(&["check", "--json"]).await;
        let report: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        assert_eq!(report["ready"], code == Some(0));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let findings = report["findings"].as_array().unwrap();
        let findings = findings
            .iter()
            .map(|it| ["check", "result", "found", "advice"].map(|key| text(&it[key])))
            .collect();
        (code, findings)
    }

    /// The server answers meanwhile.
    pub(in super::super) async fn run(
        &self,
        arguments: &'static [&'static str],
    ) -> (Option<i32>, String) {
        let root = self.root.path().to_owned();
        let run = move || rollboot(&root, arguments);
        let output = tokio::task::spawn_blocking(run).await.unwrap();
        (output.status.code(), said(&output))
    }
}

const STATUS: &str = r#"{"pid":4712,"node":"node-a","phase":"idle","since":"2026-01-01T00:00:00Z","reason":"no reboot is asked for",
    "blocked_by":[],"retry_at":null,"sentinels":[],"lock":null,"mode":"reboot"}"#;
