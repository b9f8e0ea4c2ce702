//! What the embedded API server can do that no real one is asked for: be not well, give out bad credentials, and be used
//! without the API by components of the same process.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rollboot::cluster::KubeletCluster;
use rollboot::failure::{Failure, FailureKind, WriteOutcome};
use rollboot::lock::LockView;
use rollboot::ports::Cluster;
use rollboot_lab::api::{Api, Fault, Kind, What};
use serde_json::json;

/// Node `node-a` with this kubeconfig.
fn node(folder: &Path, kubeconfig: &str) -> KubeletCluster {
    let path = folder.join("kubeconfig");
    fs::write(&path, kubeconfig).unwrap();
    super::open(&path, super::PATIENT)
}

async fn armed() -> (Api, tempfile::TempDir, KubeletCluster, LockView) {
    let api = Api::start().await.unwrap();
    api.arm();
    let folder = tempfile::tempdir().unwrap();
    let a = node(folder.path(), &api.node_kubeconfig("node-a"));
    let view = a.read_lock().await.unwrap().unwrap();
    (api, folder, a, view)
}

fn text(code: u16, media: &'static str, body: &str) -> Fault {
    Fault::Answer {
        code,
        media,
        body: body.to_owned(),
    }
}

#[tokio::test]
async fn an_armed_cluster_has_the_lock_and_keeps_its_slots() {
    let api = Api::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let a = node(folder.path(), &api.node_kubeconfig("node-a"));
    let failure = a.read_lock().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Forbidden, "{failure}");
    api.arm();
    let view = a.read_lock().await.unwrap().unwrap();
    let patch = view.patch(Some(("node-a.rollboot.io/default".into(), "x".into())), &[]);
    let WriteOutcome::Applied(taken) = a.patch_lock(&patch).await else {
        panic!("the lock is free");
    };
    api.arm();
    assert_eq!(a.read_lock().await, Ok(Some(taken)));
}

#[tokio::test]
async fn a_server_that_is_not_well_answers_as_it_is_told() {
    let (api, _folder, a, view) = armed().await;
    let patch = view.patch(Some(("node-a.rollboot.io/default".into(), "x".into())), &[]);
    for (fault, kind) in [
        (
            text(502, "text/html", "<html>bad gateway</html>"),
            FailureKind::Unavailable,
        ),
        (text(429, "text/plain", "too many"), FailureKind::Throttled),
        (
            text(401, "application/json", &status(401)),
            FailureKind::Unauthorized,
        ),
        (
            text(403, "application/json", &status(403)),
            FailureKind::Forbidden,
        ),
    ] {
        api.set_fault(fault.clone());
        let failure: Failure = a.read_lock().await.unwrap_err();
        assert_eq!(failure.kind, kind, "{failure}");
        assert!(
            !matches!(a.patch_lock(&patch).await, WriteOutcome::Applied(_)),
            "{fault:?}"
        );
    }
    let delay = Duration::from_millis(300);
    api.set_fault(Fault::Slow(delay));
    let begun = Instant::now();
    assert_eq!(a.read_lock().await, Ok(Some(view)), "nothing was written");
    assert!(begun.elapsed() >= delay);
    api.set_fault(Fault::None);
    assert!(matches!(
        a.patch_lock(&patch).await,
        WriteOutcome::Applied(_)
    ));
}

fn status(code: u16) -> String {
    json!({"kind": "Status", "status": "Failure", "code": code, "message": "no"}).to_string()
}

#[tokio::test]
async fn nobody_is_known_by_a_bad_certificate() {
    let (api, folder, _a, _view) = armed().await;
    for kubeconfig in [
        api.expired_node_kubeconfig("node-a"),
        api.stranger_kubeconfig("node-a"),
    ] {
        let bad = node(folder.path(), &kubeconfig);
        let failure = bad.read_lock().await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unauthorized, "{failure}");
    }
}

#[tokio::test]
async fn what_a_component_writes_is_its_own() {
    let (api, _folder, a, _view) = armed().await;
    let object =
        json!({"metadata": {"name": "node-a", "labels": {"kubernetes.io/hostname": "node-a"}}});
    api.store().create("kubelet", Kind::Node, object).unwrap();
    let cordon = |value: bool| {
        let store = api.store();
        store.update("operator", Kind::Node, "", "node-a", |node| {
            node["spec"] = json!({"unschedulable": value});
        });
    };
    cordon(true);
    let view = a.read_node().await.unwrap().unwrap();
    assert!(view.unschedulable && !view.cordon_owned);
    cordon(false);
    assert!(!a.read_node().await.unwrap().unwrap().unschedulable);
}

/// Time stands still here: the store has no business with it.
#[tokio::test(start_paused = true)]
async fn the_store_tells_everything_that_happened_once_and_in_order() {
    let api = Api::start().await.unwrap();
    let store = api.store().clone();
    let before = store.history().len();
    let mut changes = store.changes();
    let pod = json!({"metadata": {"namespace": "default", "name": "web"}, "spec": {}});
    let made = store.create("keeper", Kind::Pod, pod.clone()).unwrap();
    let again = store.create("keeper", Kind::Pod, pod).unwrap_err();
    assert_eq!((again.code, again.reason), (409, "AlreadyExists"));

    let update = |phase: &str| {
        store.update("kubelet", Kind::Pod, "default", "web", |pod| {
            pod["status"]["phase"] = json!(phase);
            pod["metadata"]["uid"] = json!("nobody can change that");
        })
    };
    let running = update("Running").unwrap();
    assert_eq!(running["metadata"]["uid"], made["metadata"]["uid"]);
    assert_eq!(update("Running"), Some(running), "nothing changed");
    let gone = store
        .remove("kubelet", Kind::Pod, "default", "web")
        .unwrap();
    assert_eq!(gone["status"]["phase"], "Running");
    assert_eq!(update("Failed"), None);
    assert_eq!(store.get(Kind::Pod, "default", "web"), None);
    assert!(store.list(Kind::Pod).is_empty());

    let history = store.history();
    let told: Vec<_> = history[before..]
        .iter()
        .map(|change| (change.what, change.by.as_str()))
        .collect();
    let wanted = [
        (What::Added, "keeper"),
        (What::Modified, "kubelet"),
        (What::Deleted, "kubelet"),
    ];
    assert_eq!(told, wanted);
    for change in &history[before..] {
        assert_eq!(changes.recv().await.unwrap().revision, change.revision);
        let version = change.object["metadata"]["resourceVersion"].as_str();
        assert_eq!(version, Some(change.revision.to_string().as_str()));
    }
    let revisions: Vec<u64> = history.iter().map(|change| change.revision).collect();
    assert_eq!(revisions, (1..=history.len() as u64).collect::<Vec<_>>());
}
