//! The own Node: cordon, marker, ownership; other Nodes; the credential itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use rollboot::cluster::KubeletCluster;
use rollboot::config::Config;
use rollboot::failure::{FailureKind, WriteOutcome};
use rollboot::lock::TurnId;
use rollboot::node::{Cordon, HANDS_OFF, Marker, NodePatch, NodeView};
use rollboot::ports::Cluster;
use serde_json::json;

use super::super::authority::{Authority, point};
use super::{APPLY, MERGE, Plane, applied};

cases! {
    both:
    cordon_and_marker_are_written_and_lifted_together,
    a_cordon_that_somebody_else_touched_is_not_ours,
    autoscalers_are_told_with_the_cordon_and_what_others_told_them_stays,
    volumes_are_told_as_long_as_they_are_attached_or_in_use,
    the_own_node_may_be_missing_and_another_one_is_not_ours_to_see,
    who_we_are_changes_with_the_certificate_on_disk,
}

const NODE: &str = "/api/v1/nodes/contract-a";

fn patch(view: &NodeView, unschedulable: Option<bool>, marked: bool) -> NodePatch {
    NodePatch {
        version: view.version.clone(),
        unschedulable,
        marker: marked.then(|| Marker {
            turn: TurnId(1),
            stamp: TurnId(2),
            boot_id: view.boot_id.clone(),
            cordon: Cordon::Ours,
            hands_off: BTreeSet::new(),
        }),
        hands_off: BTreeMap::new(),
    }
}

impl Plane {
    /// Somebody else changes the cordon.
    async fn cordon_as(&self, manager: &str, value: Option<bool>) {
        let body = json!({"spec": {"unschedulable": value}}).to_string();
        self.call(
            "PATCH",
            &format!("{NODE}?fieldManager={manager}"),
            MERGE,
            &body,
        )
        .await;
    }
}

async fn cordon_and_marker_are_written_and_lifted_together(plane: &Plane) {
    let a = plane.node("contract-a");
    let fresh = a.read_node().await.unwrap().unwrap();
    assert_eq!(fresh.boot_id, "boot-contract-a");
    assert!(!fresh.unschedulable && !fresh.cordon_owned && fresh.marker.is_none());

    let cordoned = applied(a.patch_node(&patch(&fresh, Some(true), true)).await);
    assert!(cordoned.unschedulable && cordoned.cordon_owned);
    assert!(cordoned.cordon_is_ours(TurnId(1)));
    assert!(!cordoned.cordon_is_ours(TurnId(2)));
    assert_eq!(
        a.patch_node(&patch(&fresh, Some(true), true)).await,
        WriteOutcome::Conflict
    );
    // A new marker over the cordon leaves the cordon ours.
    let marked = applied(a.patch_node(&patch(&cordoned, None, true)).await);
    assert!(marked.cordon_is_ours(TurnId(1)));

    let lifted = applied(a.patch_node(&patch(&marked, Some(false), false)).await);
    assert!(!lifted.unschedulable && !lifted.cordon_owned && lifted.marker.is_none());
    let object = plane.call("GET", NODE, "", "").await;
    assert!(object["spec"]["unschedulable"].is_null(), "{object}");
    assert_eq!(
        object["metadata"]["annotations"]["rollboot.io/turn"],
        json!(null)
    );
}

async fn a_cordon_that_somebody_else_touched_is_not_ours(plane: &Plane) {
    let a = plane.node("contract-a");
    let read = async || a.read_node().await.unwrap().unwrap();
    let cordon = async || {
        let view = read().await;
        applied(a.patch_node(&patch(&view, Some(true), true)).await)
    };
    assert!(cordon().await.cordon_owned);

    plane.cordon_as("kubectl-uncordon", None).await;
    let uncordoned = read().await;
    assert!(!uncordoned.unschedulable && !uncordoned.cordon_owned);
    plane.cordon_as("kubectl-cordon", Some(true)).await;
    let foreign = read().await;
    assert!(foreign.unschedulable && !foreign.cordon_owned);
    assert!(
        !foreign.cordon_is_ours(TurnId(1)),
        "the marker alone is not enough"
    );
    // Setting what is set already makes nobody its owner: ours stays not ours.
    assert!(!cordon().await.cordon_owned);

    plane.cordon_as("kubectl-uncordon", Some(false)).await;
    assert!(cordon().await.cordon_owned, "from false, too");
    plane.cordon_as("kubectl-cordon", Some(true)).await;
    assert!(
        read().await.cordon_owned,
        "a cordon of what is cordoned changes nothing"
    );

    // Another manager that applies the same value shares it from now on.
    let body = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "contract-a"}, "spec": {"unschedulable": true}});
    plane
        .call(
            "PATCH",
            &format!("{NODE}?fieldManager=fleet"),
            APPLY,
            &body.to_string(),
        )
        .await;
    let shared = read().await;
    assert!(shared.unschedulable && !shared.cordon_owned);
}

/// What is told of autoscalers on the Node, with whether it is ours.
fn told(view: &NodeView) -> Vec<(&str, &str, bool)> {
    let all = view.hands_off.iter();
    all.map(|(name, it)| (*name, it.value.as_str(), it.owned))
        .collect()
}

async fn autoscalers_are_told_with_the_cordon_and_what_others_told_them_stays(plane: &Plane) {
    let a = plane.node("contract-a");
    let [cluster_autoscaler, karpenter] = HANDS_OFF;
    let annotate = async |value: serde_json::Value| {
        let body = json!({"metadata": {"annotations": {karpenter: value}}}).to_string();
        let path = format!("{NODE}?fieldManager=kubectl-annotate");
        plane.call("PATCH", &path, MERGE, &body).await;
    };
    let read = async || a.read_node().await.unwrap().unwrap();
    let marker = |view: &NodeView| patch(view, None, true).marker.unwrap();
    let cordon = async || {
        let view = read().await;
        applied(
            a.patch_node(&NodePatch::mark(&view, marker(&view), Some(true)))
                .await,
        )
    };
    let clean = async || {
        let patch = NodePatch::clean(&read().await, Some(TurnId(1))).unwrap();
        applied(a.patch_node(&patch).await)
    };
    assert_eq!(told(&read().await), []);

    let cordoned = cordon().await;
    let both = [
        (cluster_autoscaler, "true", true),
        (karpenter, "true", true),
    ];
    assert!(cordoned.cordon_is_ours(TurnId(1)));
    assert_eq!(told(&cordoned), both);
    // A start over it, and a cordon that is set again.
    let restamped = NodePatch::restamp(&cordoned, marker(&cordoned));
    assert_eq!(told(&applied(a.patch_node(&restamped).await)), both);
    plane.cordon_as("kubectl-uncordon", None).await;
    assert_eq!(told(&cordon().await), both);
    let lifted = clean().await;
    assert!(!lifted.unschedulable && lifted.marker.is_none());
    assert_eq!(told(&lifted), []);

    // Somebody changed one meanwhile, or removed it and set the same again: it is theirs.
    for values in [vec![json!("false")], vec![json!(null), json!("true")]] {
        cordon().await;
        for value in &values {
            annotate(value.clone()).await;
        }
        let text = values.last().unwrap().as_str().unwrap();
        assert_eq!(told(&clean().await), [(karpenter, text, false)]);
        // It was there before the next turn.
        assert_eq!(
            told(&cordon().await),
            [(cluster_autoscaler, "true", true), (karpenter, text, false)]
        );
        assert_eq!(told(&clean().await), [(karpenter, text, false)]);
        annotate(json!(null)).await;
    }
}

async fn volumes_are_told_as_long_as_they_are_attached_or_in_use(plane: &Plane) {
    let a = plane.node("contract-a");
    let read = async || a.read_node().await.unwrap().unwrap();
    let told = async || {
        let node = read().await;
        let names = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(" ");
        (names(node.attached), names(node.in_use))
    };
    let none = (String::new(), String::new());
    assert_eq!(told().await, none);
    // As the attach-detach controller and the kubelet write them.
    let report = async |attached: &[&str], in_use: &[&str]| {
        let attached: Vec<_> = attached
            .iter()
            .map(|name| json!({"name": name, "devicePath": ""}))
            .collect();
        let status = json!({"status": {"volumesAttached": attached, "volumesInUse": in_use}});
        plane
            .call(
                "PATCH",
                &format!("{NODE}/status"),
                MERGE,
                &status.to_string(),
            )
            .await;
    };
    let [one, two] = [
        "kubernetes.io/csi/disk.example^one",
        "kubernetes.io/csi/disk.example^two",
    ];
    report(&[one, two], &[one]).await;
    assert_eq!(told().await, (format!("{one} {two}"), one.to_owned()));
    report(&[one], &[]).await;
    assert_eq!(told().await, (one.to_owned(), String::new()));
    report(&[], &[]).await;
    assert_eq!(told().await, none);
}

async fn the_own_node_may_be_missing_and_another_one_is_not_ours_to_see(plane: &Plane) {
    let a = plane.node("contract-a");
    // Until 1.31 every node may read every Node.
    let restricted = plane.minor().await >= 32;
    if !restricted {
        assert!(a.peer_exists("contract-b").await.unwrap());
        assert!(!a.peer_exists("contract-gone").await.unwrap());
    }
    for peer in ["contract-b", "contract-gone"]
        .into_iter()
        .filter(|_| restricted)
    {
        let failure = a.peer_exists(peer).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Restricted, "{failure}");
    }
    let api = "/apis/rbac.authorization.k8s.io/v1";
    let (role, binding) = (
        format!("{api}/clusterroles/contract-peers"),
        format!("{api}/clusterrolebindings/contract-peers"),
    );
    let rule = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "contract-peers"},
        "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]});
    let bound = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "contract-peers"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "contract-peers"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:nodes"}]});
    for (path, object) in [(&role, &rule), (&binding, &bound)] {
        let path = format!("{path}?fieldManager=contract&force=true");
        plane.call("PATCH", &path, APPLY, &object.to_string()).await;
    }
    let mut there = a.peer_exists("contract-b").await;
    for _try in 0..100 {
        if there.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        there = a.peer_exists("contract-b").await;
    }
    let gone = a.peer_exists("contract-gone").await;
    plane.call("DELETE", &binding, "", "").await;
    plane.call("DELETE", &role, "", "").await;
    assert_eq!((there, gone), (Ok(true), Ok(false)));

    plane.call("DELETE", NODE, "", "").await;
    assert_eq!(a.read_node().await, Ok(None));
}

/// A copy of a node's kubeconfig whose certificate is behind a link in `folder`.
fn linked(plane: &Plane, folder: &Path) -> KubeletCluster {
    let pem = plane.folder.join("nodes/contract-a.pem");
    let text = fs::read_to_string(plane.kubeconfig("contract-a")).unwrap();
    assert!(text.contains(pem.to_str().unwrap()), "{text}");
    let path = folder.join("kubeconfig");
    fs::write(&path, text.replace(pem.to_str().unwrap(), "current.pem")).unwrap();
    point(&folder.join("current.pem"), &pem);
    let config = Config {
        kubeconfig: Some(path),
        ..Config::default()
    };
    KubeletCluster::discover(&config, Path::new("/")).unwrap()
}

async fn who_we_are_changes_with_the_certificate_on_disk(plane: &Plane) {
    let folder = tempfile::tempdir().unwrap();
    let a = linked(plane, folder.path());
    let link = folder.path().join("current.pem");
    assert!(a.read_node().await.is_ok());

    point(&link, &plane.folder.join("nodes/contract-b.pem"));
    let failure = a.read_node().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Local, "{failure}");
    assert!(failure.message.contains("contract-b"), "{failure}");

    let foreign = folder.path().join("foreign.pem");
    fs::write(&foreign, Authority::new().node_pem("contract-a")).unwrap();
    point(&link, &foreign);
    for _ in 0..2 {
        let failure = a.read_node().await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unauthorized, "{failure}");
    }

    point(&link, &plane.folder.join("nodes/contract-a.pem"));
    assert!(a.read_node().await.is_ok());
}
