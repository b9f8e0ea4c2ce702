//! The contract of the cluster port against a real API server: what the adapters rely on, asked of the real part.
//!
//! `ROLLBOOT_CONTRACT_KUBECONFIGS` names a folder with `admin.kubeconfig`, `nodes/contract-a.kubeconfig` and
//! `nodes/contract-b.kubeconfig`; `tests/control-plane/up` and `node-kubeconfig` make one. Without it everything here is
//! skipped, and says so. The tests share one server and take turns; each begins with what it needs and nothing else.

mod controllers;
mod lock;
mod node;
mod outage;
mod pods;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Request;
use kube::client::Body;
use rollboot::cluster::{Deadlines, KubeletCluster, NameSource};
use rollboot::config::Config;
use rollboot::failure::WriteOutcome;
use rollboot::ports::Cluster;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

const VARIABLE: &str = "ROLLBOOT_CONTRACT_KUBECONFIGS";
const MANIFEST: &str = include_str!("../../../packaging/kubernetes/lock.yaml");
const LOCK: &str = "/api/v1/namespaces/kube-system/configmaps/rollboot";
const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

static TURN: Mutex<()> = Mutex::const_new(());

/// Says so where no test harness captures it: a contract that was not looked at must not pass for one that holds.
fn skipped(why: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("contract");
    let _ = writeln!(std::io::stderr(), "SKIPPED, not passed: {name}: {why}");
}

/// The real server, as its administrator.
struct Plane {
    folder: PathBuf,
    admin: kube::Client,
    _turn: MutexGuard<'static, ()>,
}

impl Plane {
    /// `None`: there is none, and that was said.
    async fn enter() -> Option<Self> {
        let Some(folder) = std::env::var_os(VARIABLE).map(PathBuf::from) else {
            skipped(&format!("{VARIABLE} names no real API server"));
            return None;
        };
        let turn = TURN.lock().await;
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let file = kube::config::Kubeconfig::read_from(folder.join("admin.kubeconfig")).unwrap();
        let mut config = kube::Config::try_from(file).unwrap();
        config.default_retry = false;
        let plane = Self {
            folder,
            admin: kube::Client::try_from(config).unwrap(),
            _turn: turn,
        };
        plane.start_afresh().await;
        Some(plane)
    }

    /// An armed installation with two nodes, no slots and no pods.
    async fn start_afresh(&self) {
        self.try_call("DELETE", LOCK, "", "").await;
        let manifests = MANIFEST.split("\n---\n");
        let paths = [
            LOCK,
            "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/roles/rollboot",
            "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings/rollboot",
        ];
        for (path, manifest) in paths.iter().zip(manifests) {
            let path = format!("{path}?fieldManager=contract&force=true");
            self.call("PATCH", &path, APPLY, manifest).await;
        }
        for name in ["contract-a", "contract-b"] {
            let selector = format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{name}");
            let pods = self.call("GET", &selector, "", "").await;
            for pod in pods["items"].as_array().into_iter().flatten() {
                let meta = &pod["metadata"];
                let path = pod_path(
                    meta["namespace"].as_str().unwrap(),
                    meta["name"].as_str().unwrap(),
                );
                self.call("DELETE", &format!("{path}?gracePeriodSeconds=0"), "", "")
                    .await;
            }
            let path = format!("/api/v1/nodes/{name}");
            self.try_call("DELETE", &path, "", "").await;
            // With a label, as a kubelet makes it: the server keeps no account of the owners of an object that had no field to
            // own when it was made.
            let meta = json!({"name": name, "labels": {"kubernetes.io/hostname": name}});
            let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": meta});
            self.post("/api/v1/nodes", &node).await;
            let status = json!({"status": {"nodeInfo": {"bootID": format!("boot-{name}")}}});
            self.call(
                "PATCH",
                &format!("{path}/status"),
                MERGE,
                &status.to_string(),
            )
            .await;
        }
        // RBAC is read from a cache: a right that was just given is not there at once.
        for _try in 0..100 {
            if let Ok(Some(_)) = self.node("contract-a").read_lock().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the Role of the lock does not come into force");
    }

    fn kubeconfig(&self, node: &str) -> PathBuf {
        let path = self.folder.join(format!("nodes/{node}.kubeconfig"));
        assert!(
            path.exists(),
            "no {}: make it by node-kubeconfig",
            path.display()
        );
        path
    }

    /// The cluster as this node sees it.
    fn node(&self, name: &str) -> KubeletCluster {
        self.node_with(name, Deadlines::DEFAULT, &Config::default())
    }

    fn node_with(&self, name: &str, deadlines: Deadlines, config: &Config) -> KubeletCluster {
        let config = Config {
            kubeconfig: Some(self.kubeconfig(name)),
            ..config.clone()
        };
        let cluster = KubeletCluster::with_deadlines(&config, Path::new("/"), deadlines).unwrap();
        assert_eq!(
            (cluster.node(), cluster.name_source()),
            (name, NameSource::Certificate)
        );
        cluster
    }

    /// As the administrator; anything but success ends the test.
    async fn call(&self, method: &str, path: &str, media: &str, body: &str) -> Value {
        let (code, value) = self.try_call(method, path, media, body).await;
        assert!(
            (200..300).contains(&code),
            "{method} {path}: {code} {value}"
        );
        value
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", path, "application/json", &body.to_string())
            .await
    }

    async fn try_call(&self, method: &str, path: &str, media: &str, body: &str) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("Content-Type", media)
            .body(Body::from(body.as_bytes().to_vec()))
            .unwrap();
        let response = self.admin.send(request).await.unwrap();
        let code = response.status().as_u16();
        let text = response.into_body().collect_bytes().await.unwrap();
        (code, serde_json::from_slice(&text).unwrap_or_default())
    }

    /// A namespace that no other test has seen.
    async fn namespace(&self) -> String {
        let body = json!({"metadata": {"generateName": "contract-"}});
        let made = self.post("/api/v1/namespaces", &body).await;
        made["metadata"]["name"].as_str().unwrap().to_owned()
    }
}

fn pod_path(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods/{name}")
}

/// The object after a write that the server must have applied.
fn applied<T: std::fmt::Debug>(outcome: WriteOutcome<T>) -> T {
    match outcome {
        WriteOutcome::Applied(object) => object,
        other => panic!("{other:?}"),
    }
}
