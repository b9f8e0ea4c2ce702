//! Whose a credential is: told by the server, where no certificate tells it.

use std::fs;
use std::path::Path;

use rollboot::cluster::{KubeletCluster, NameSource};
use rollboot::config::Config;
use serde_json::{Value, json};

use super::kubeconfig;
use super::server::{Reply, Server};

const PLACE: &str = "etc/kubernetes/kubelet.conf";

/// A host with a token and no certificate, as where an account of a cloud is the credential, and with a name of its own.
fn host(url: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("proc/sys/kernel/hostname", "ip-10-0-0-7\n");
    write(
        PLACE,
        &kubeconfig(&format!("{{server: \"{url}\"}}"), "{token: t}"),
    );
    root
}

fn review(user: &str) -> Value {
    json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {},
        "status": {"userInfo": {"username": user, "groups": ["system:nodes", "system:authenticated"]}}})
}

async fn found(root: &Path, config: &Config) -> Result<(String, NameSource), String> {
    let found = KubeletCluster::find(config, root, None).await;
    found
        .map(|cluster| (cluster.node().to_owned(), cluster.name_source()))
        .map_err(|failure| failure.message)
}

#[tokio::test]
async fn the_server_tells_the_name_where_no_certificate_does() {
    let server = Server::plain([Reply::Json(201, review("system:node:i-0abc.example"))]).await;
    let root = host(&server.url);
    let name = ("i-0abc.example".to_owned(), NameSource::Review);
    assert_eq!(found(root.path(), &Config::default()).await, Ok(name));
    let asked = server.only();
    assert_eq!(
        asked.line(),
        "POST /apis/authentication.k8s.io/v1/selfsubjectreviews"
    );
    assert_eq!(asked.json()["kind"], "SelfSubjectReview");
}

#[tokio::test]
async fn what_is_no_node_gets_no_name_by_guess() {
    for (reply, words) in [
        (
            Reply::Json(201, review("kubernetes-admin")),
            "kubernetes-admin",
        ),
        (
            Reply::Json(201, review("system:node:")),
            "cannot be the name of a node",
        ),
        (
            Reply::Json(201, review("system:node:Upper")),
            "from the API server",
        ),
        (
            Reply::Json(201, json!({"kind": "SelfSubjectReview"})),
            "cannot ask the API server whose this credential is",
        ),
        (
            Reply::Json(403, json!({"kind": "Status", "message": "no"})),
            "cannot ask the API server whose this credential is",
        ),
        (
            Reply::HangUp,
            "cannot ask the API server whose this credential is",
        ),
    ] {
        let server = Server::plain([reply]).await;
        let root = host(&server.url);
        let error = found(root.path(), &Config::default()).await.unwrap_err();
        assert!(error.contains(words), "{error}");
        assert!(!error.contains("ip-10-0-0-7"), "{error}");
    }
}

#[tokio::test]
async fn a_configured_name_is_taken_without_a_question() {
    let server = Server::plain([]).await;
    let root = host(&server.url);
    let config = Config {
        node_name: Some("given".into()),
        ..Config::default()
    };
    let name = ("given".to_owned(), NameSource::Configured);
    assert_eq!(found(root.path(), &config).await, Ok(name));
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn the_running_kubelets_kubeconfig_comes_before_the_known_places() {
    let server = Server::plain([Reply::Json(201, review("system:node:n"))]).await;
    let root = host("http://127.0.0.1:9");
    let own = "var/lib/k0s/kubelet.conf";
    fs::create_dir_all(root.path().join("var/lib/k0s")).unwrap();
    let text = kubeconfig(&format!("{{server: \"{}\"}}", server.url), "{token: t}");
    fs::write(root.path().join(own), text).unwrap();
    let running = Path::new("/var/lib/k0s/kubelet.conf");
    let cluster = KubeletCluster::find(&Config::default(), root.path(), Some(running))
        .await
        .unwrap();
    assert_eq!((cluster.node(), cluster.kubeconfig()), ("n", running));
}
