//! A plane with the policies and without them, and who writes under them.

use std::time::Duration;

use rollboot::lock::LockView;
use rollboot::ports::Cluster;
use serde_json::{Value, json};

use super::super::{APPLY, LOCK, MERGE, Plane};

const POLICY: &str = include_str!("../../../../../packaging/kubernetes/policy.yaml");
/// The first Kubernetes, 1.x, that has such policies.
pub(super) const SINCE: u32 = 30;
const API: &str = "/apis/admissionregistration.k8s.io/v1";
const OBJECTS: [&str; 4] = [
    "validatingadmissionpolicies/lock.rollboot.io",
    "validatingadmissionpolicybindings/lock.rollboot.io",
    "validatingadmissionpolicies/slots.rollboot.io",
    "validatingadmissionpolicybindings/slots.rollboot.io",
];

/// What the server said: the code, and the message of its `Status`.
pub(super) type Said = (u16, String);

impl Plane {
    /// Takes the policies away, and with them whatever they hold.
    pub(in super::super) async fn without_policy(&self) {
        let mut there = false;
        for object in OBJECTS {
            let path = format!("{API}/{object}");
            let (code, _) = self.try_call("DELETE", &path, "", "").await;
            there |= code == 200;
        }
        // A lock without slots may be deleted under them too: what they refuse in any case tells. The server reads them anew
        // once a second, each kind of object by itself, so twice.
        let probe = json!({"metadata": {"annotations": {"x.rollboot.io/probe": "x"}}});
        let path = format!("{LOCK}?dryRun=All");
        let mut looks = if there { 2 } else { 0 };
        for _try in 0..20 {
            if looks == 0 {
                self.try_call("DELETE", LOCK, "", "").await;
                return;
            }
            tokio::time::sleep(Duration::from_millis(600)).await;
            let theirs = self.as_admin(&path, &probe).await.0;
            let nodes = self.as_node("contract-a", &path, &probe).await.0;
            looks = if theirs == 403 || nodes == 403 {
                2
            } else {
                looks - 1
            };
        }
        panic!("the policies stay in force");
    }

    /// Applies `policy.yaml` and waits until all of it is in force.
    pub(super) async fn with_policy(&self) {
        for (object, manifest) in OBJECTS.iter().zip(POLICY.split("\n---\n")) {
            let path = format!("{API}/{object}?fieldManager=contract&force=true");
            self.call("PATCH", &path, APPLY, manifest).await;
        }
        let probe = json!({"metadata": {"annotations": {"x.rollboot.io/probe": "x"}}});
        let path = format!("{LOCK}?dryRun=All");
        for _try in 0..200 {
            let theirs = self.as_admin(&path, &probe).await;
            let nodes = self.as_node("contract-a", &path, &probe).await;
            if theirs.0 == 403 && nodes.0 == 403 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the policies do not come into force");
    }

    pub(super) async fn as_admin(&self, path: &str, body: &Value) -> Said {
        said(self.try_call("PATCH", path, MERGE, &body.to_string()).await)
    }

    /// An unconditional write with the rights of a node, as a daemon never sends it.
    pub(super) async fn as_node(&self, node: &str, path: &str, body: &Value) -> Said {
        as_node(&self.admin, node, path, body).await
    }

    /// A second API server on the same etcd, as `up --second` starts it.
    pub(super) fn second(&self) -> kube::Client {
        let about = std::fs::read(self.folder.join("plane.json")).unwrap();
        let about: Value = serde_json::from_slice(&about).unwrap();
        let address = about["second_server"].as_str().expect(
            "only one API server: start the plane by `tests/control-plane/up DIR --second`",
        );
        let path = self.folder.join("admin.kubeconfig");
        let file = kube::config::Kubeconfig::read_from(path).unwrap();
        let mut config = kube::Config::try_from(file).unwrap();
        config.cluster_url = address.parse().unwrap();
        config.default_retry = false;
        kube::Client::try_from(config).unwrap()
    }

    pub(super) async fn lock(&self) -> LockView {
        let view = self.node("contract-a").read_lock().await;
        view.unwrap().unwrap()
    }
}

pub(super) async fn as_node(admin: &kube::Client, node: &str, path: &str, body: &Value) -> Said {
    let request = http::Request::builder()
        .method("PATCH")
        .uri(path)
        .header("Content-Type", MERGE)
        .header("Impersonate-User", format!("system:node:{node}"))
        .header("Impersonate-Group", "system:nodes")
        .body(kube::client::Body::from(body.to_string().into_bytes()))
        .unwrap();
    let response = admin.send(request).await.unwrap();
    let code = response.status().as_u16();
    let text = response.into_body().collect_bytes().await.unwrap();
    said((code, serde_json::from_slice(&text).unwrap_or_default()))
}

pub(super) fn said((code, body): (u16, Value)) -> Said {
    (
        code,
        body["message"].as_str().unwrap_or_default().to_owned(),
    )
}
