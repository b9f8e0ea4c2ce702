//! What a node may do, asked without doing it.

use std::path::Path;

use rollboot::cluster::KubeletCluster;
use rollboot::config::Config;
use rollboot::failure::FailureKind;
use rollboot::node::NodeView;
use rollboot::ports::Cluster;
use serde_json::json;

use super::{LOCK, Plane};

cases! {
    both:
    what_is_asked_as_a_dry_run_is_permitted_and_changes_nothing,
    what_may_not_be_done_is_told_by_a_dry_run,
    a_kubelet_may_not_list_nodes_until_somebody_grants_it,
    a_kubelet_is_told_who_it_is,
}

impl Plane {
    /// With the credential of this node, whatever else the configuration names.
    fn stranger(&self, node: &str, config: &Config) -> KubeletCluster {
        let config = Config {
            kubeconfig: Some(self.kubeconfig(node)),
            ..config.clone()
        };
        KubeletCluster::discover(&config, Path::new("/")).unwrap()
    }
}

async fn what_is_asked_as_a_dry_run_is_permitted_and_changes_nothing(plane: &Plane) {
    let cluster = plane.node("contract-a");
    let node = cluster.read_node().await.unwrap().unwrap();
    let lock = cluster.read_lock().await.unwrap().unwrap();
    cluster.may_cordon(&node.version).await.unwrap();
    cluster.may_write_lock(&lock.version).await.unwrap();
    cluster.may_watch_lock(&lock.version).await.unwrap();
    let again = cluster.read_node().await.unwrap().unwrap();
    // The server's clock goes on.
    let answered = node.answered;
    assert_eq!(NodeView { answered, ..again }, node);
    assert_eq!(cluster.read_lock().await.unwrap().unwrap(), lock);
    // A version that has passed is a conflict, which comes after all that could forbid it.
    let pause = json!({"metadata": {"annotations": {"rollboot.io/pause": "x"}}});
    plane
        .call("PATCH", LOCK, super::MERGE, &pause.to_string())
        .await;
    cluster.may_write_lock(&lock.version).await.unwrap();
    // Without a version nothing leaves this host.
    for version in ["", "0"] {
        let failure = cluster.may_cordon(version).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Invalid);
    }
}

async fn what_may_not_be_done_is_told_by_a_dry_run(plane: &Plane) {
    let stranger = Config {
        node_name: Some("contract-b".to_owned()),
        ..Config::default()
    };
    let cluster = plane.stranger("contract-a", &stranger);
    let failure = cluster.may_cordon("1").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Restricted, "{failure}");

    let mut other = Config::default();
    other.lock.name = "other".to_owned();
    let cluster = plane.stranger("contract-a", &other);
    for failure in [
        cluster.may_write_lock("1").await.unwrap_err(),
        cluster.may_watch_lock("1").await.unwrap_err(),
    ] {
        assert_eq!(failure.kind, FailureKind::Forbidden, "{failure}");
    }
}

async fn a_kubelet_may_not_list_nodes_until_somebody_grants_it(plane: &Plane) {
    let cluster = plane.node("contract-a");
    // Until 1.31 every node may.
    if plane.minor().await < 32 {
        let nodes = cluster.schedulable_nodes().await.unwrap();
        assert!(nodes.contains(&"contract-b".to_owned()), "{nodes:?}");
        return;
    }
    let failure = cluster.schedulable_nodes().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Restricted, "{failure}");
}

async fn a_kubelet_is_told_who_it_is(plane: &Plane) {
    let user = plane.node("contract-a").user().await;
    assert_eq!(user.as_deref(), Ok("system:node:contract-a"));
    // Whatever the configuration names.
    let other = Config {
        node_name: Some("contract-b".to_owned()),
        ..Config::default()
    };
    let user = plane.stranger("contract-a", &other).user().await;
    assert_eq!(user.as_deref(), Ok("system:node:contract-a"));
}
