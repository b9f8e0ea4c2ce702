//! The contract of the cluster port: what the adapters rely on, asked of the embedded API server and of a real one.
//!
//! Each case is two tests, `embedded::…` and `real::…`. The embedded server is always there, and a new one for each case. For
//! the real one `ROLLBOOT_CONTRACT_KUBECONFIGS` names a folder with `admin.kubeconfig`, `nodes/contract-a.kubeconfig` and
//! `nodes/contract-b.kubeconfig`; `tests/control-plane/up --second` and `node-kubeconfig` make one. Without it those tests are skipped,
//! and say so. They share one server and take turns; each begins with what it needs and nothing else.
//!
//! Where the two differ the real one is right.

/// The tests of these cases, each a function of a [`Plane`]: on both servers, or where only a real one can show it on that.
macro_rules! cases {
    (both: $($both:ident),* ; real only: $($real:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test]
            async fn $both() {
                super::$both(&super::Plane::embedded().await).await;
            })*
        }

        mod real {
            $(cases! { @real $both })*
            $(cases! { @real $real })*
        }
    };
    (both: $($both:ident),* $(,)?) => {
        cases! { both: $($both),* ; real only: }
    };
    (@real $case:ident) => {
        #[tokio::test]
        async fn $case() {
            if let Some(plane) = super::Plane::real().await {
                super::$case(&plane).await;
            }
        }
    };
}

mod answers;
mod controllers;
mod events;
mod kubectl;
mod lock;
mod node;
mod nodes;
mod operator;
mod outage;
mod pods;
mod policy;
mod probe;
mod transcript;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use kube::client::Body;
use kube::config::Kubeconfig;
use rollboot::cluster::{Deadlines, KubeletCluster, NameSource};
use rollboot::config::Config;
use rollboot::failure::WriteOutcome;
use rollboot::ports::Cluster;
use rollboot_lab::api::Api;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

const VARIABLE: &str = "ROLLBOOT_CONTRACT_KUBECONFIGS";
const MANIFEST: &str = include_str!("../../../packaging/kubernetes/lock.yaml");
const LOCK: &str = "/api/v1/namespaces/kube-system/configmaps/rollboot";
const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// The Kubernetes, 1.x, whose answers are written down, and which the embedded server answers like.
const RECORDED: u32 = 36;

static TURN: Mutex<()> = Mutex::const_new(());

/// Says so where no test harness captures it: a contract that was not looked at must not pass for one that holds.
fn skipped(why: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("contract");
    let _ = writeln!(std::io::stderr(), "SKIPPED, not passed: {name}: {why}");
}

/// A server, as its administrator.
struct Plane {
    folder: PathBuf,
    admin: kube::Client,
    server: Server,
}

/// What has to be kept as long as the server is asked.
enum Server {
    Embedded {
        api: Api,
        _folder: tempfile::TempDir,
    },
    /// The turn of this test.
    Real { _turn: MutexGuard<'static, ()> },
}

impl Plane {
    /// An embedded server of its own.
    async fn embedded() -> Self {
        let api = Api::start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        std::fs::write(path.join("admin.kubeconfig"), api.admin_kubeconfig()).unwrap();
        std::fs::create_dir(path.join("nodes")).unwrap();
        for node in ["contract-a", "contract-b"] {
            write_credential(&path, node, &api.node_kubeconfig(node));
        }
        let server = Server::Embedded {
            api,
            _folder: folder,
        };
        Self::enter(path, server).await
    }

    /// The real server. `None`: there is none, and that was said.
    async fn real() -> Option<Self> {
        let Some(folder) = std::env::var_os(VARIABLE).map(PathBuf::from) else {
            skipped(&format!("{VARIABLE} names no real API server"));
            return None;
        };
        let turn = TURN.lock().await;
        Some(Self::enter(folder, Server::Real { _turn: turn }).await)
    }

    async fn enter(folder: PathBuf, server: Server) -> Self {
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let file = Kubeconfig::read_from(folder.join("admin.kubeconfig")).unwrap();
        let mut config = kube::Config::try_from(file).unwrap();
        config.default_retry = false;
        let plane = Self {
            folder,
            admin: kube::Client::try_from(config).unwrap(),
            server,
        };
        plane.start_afresh().await;
        plane
    }

    /// An armed installation with two nodes, no slots and no pods.
    async fn start_afresh(&self) {
        if self.is_real() {
            self.without_policy().await;
        } else {
            self.try_call("DELETE", LOCK, "", "").await;
        }
        self.apply_lock().await;
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
    }

    /// Arms it: applies `lock.yaml`, and waits until it is in force.
    async fn apply_lock(&self) {
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
        // RBAC is read from a cache: a right that was just given is not there at once.
        for _try in 0..100 {
            if let Ok(Some(_)) = self.node("contract-a").read_lock().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the Role of the lock does not come into force");
    }

    fn is_real(&self) -> bool {
        matches!(self.server, Server::Real { .. })
    }

    /// The Kubernetes whose answers these are, 1.x.
    async fn minor(&self) -> u32 {
        if !self.is_real() {
            return RECORDED;
        }
        let version = self.call("GET", "/version", "", "").await;
        let minor = version["minor"].as_str().unwrap();
        minor.trim_end_matches('+').parse().unwrap()
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

/// Leaves a node's credential as kubeadm does: certificate and key in one file, which the kubeconfig names.
fn write_credential(folder: &Path, node: &str, kubeconfig: &str) {
    let pem = folder.join(format!("nodes/{node}.pem"));
    let config = Kubeconfig::from_yaml(kubeconfig).unwrap();
    let mut config = serde_json::to_value(config).unwrap();
    let user = config["users"][0]["user"].as_object_mut().unwrap();
    let mut text = Vec::new();
    for field in ["client-certificate", "client-key"] {
        let data = user.remove(&format!("{field}-data")).unwrap();
        text.extend(STANDARD.decode(data.as_str().unwrap()).unwrap());
        user.insert(field.to_owned(), json!(pem));
    }
    std::fs::write(&pem, text).unwrap();
    let path = folder.join(format!("nodes/{node}.kubeconfig"));
    std::fs::write(path, config.to_string()).unwrap();
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
