//! `rollboot plan` against an embedded API server: what it says of each pod, and that nothing happens to any.

use rollboot_lab::api::Kind;
use serde_json::{Value, json};

use super::check::Site;

/// Annotates a pod, or changes its spec.
fn change(site: &Site, name: &str, change: impl FnOnce(&mut Value)) {
    let store = site.api.store();
    let changed = store.update("kubectl", Kind::Pod, "default", name, change);
    assert!(changed.is_some(), "{name}");
}

fn annotate(site: &Site, name: &str, key: &str, value: &str) {
    change(site, name, |pod| {
        pod["metadata"]["annotations"][key] = json!(value);
    });
}

/// The exit code and the report, with each pod as `name action order reason`.
async fn plan(site: &Site) -> (Option<i32>, String, Vec<String>) {
    let before = site.api.store().history().len();
    let (code, text) = site.run(&["plan", "--json"]).await;
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
    assert_eq!(report["node"], "node-a");
    assert_eq!(
        site.api.store().history().len(),
        before,
        "something was done"
    );
    let pods = report["pods"].as_array().unwrap().iter().map(|pod| {
        let text = |key: &str| pod[key].as_str().unwrap().to_owned();
        assert!(!text("uid").is_empty() && text("namespace") == "default");
        format!(
            "{} {} {} {}",
            text("name"),
            text("action"),
            pod["order"],
            text("reason")
        )
    });
    let verdict = report["verdict"].as_str().unwrap().to_owned();
    (code, verdict, pods.collect())
}

#[tokio::test]
async fn pods_are_listed_as_they_would_go_and_each_that_stays_says_why() {
    let site = Site::healthy().await;
    for name in ["early", "late", "critical", "stays", "ends"] {
        site.pod(name, Some(("ReplicaSet", name)));
    }
    site.pod("agent", Some(("DaemonSet", "agent")));
    annotate(&site, "early", "rollboot.io/drain-order", "-1");
    annotate(&site, "late", "rollboot.io/drain-order", "7");
    annotate(&site, "stays", "rollboot.io/drain", "skip");
    annotate(&site, "ends", "rollboot.io/drain", "wait");
    change(&site, "critical", |pod| {
        pod["spec"]["priority"] = json!(2_000_001_000);
    });
    let (code, verdict, pods) = plan(&site).await;
    assert_eq!((code, verdict.as_str()), (Some(0), "ready"));
    assert_eq!(
        pods,
        [
            "early evict -1 ",
            "web evict 0 ",
            "late evict 7 ",
            "critical evict 2147483648 ",
            "agent skip 0 kept on every node by its DaemonSet",
            "ends wait 0 its annotation rollboot.io/drain says \"wait\"",
            "stays skip 0 its annotation rollboot.io/drain says \"skip\"",
        ]
    );
    let (_, text) = site.run(&["plan"]).await;
    for line in [
        "evict   default/critical  of ReplicaSet/critical (order last)",
        "ready: 4 would be evicted, 1 waited for, 2 would stay",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

#[tokio::test]
async fn what_would_wait_for_a_replacement_or_end_too_late_is_told() {
    let site = Site::healthy().await;
    for name in ["a", "b"] {
        site.pod_of_two(name, "dns");
    }
    site.pod("slow", Some(("ReplicaSet", "slow")));
    change(&site, "slow", |pod| {
        pod["spec"]["terminationGracePeriodSeconds"] = json!(1800);
    });
    let (code, verdict, pods) = plan(&site).await;
    assert_eq!((code, verdict.as_str()), (Some(0), "ready"));
    let waits = "ReplicaSet default/dns: its last ready pod is on this node, waiting for a replacement elsewhere";
    assert_eq!(
        pods,
        [
            "a evict 0 ".to_owned(),
            format!("b evict 0 {waits}"),
            "slow evict 0 it may take 1800 s to end, longer than drain.timeout".to_owned(),
            "web evict 0 ".to_owned(),
        ]
    );
    let (_, text) = site.run(&["check"]).await;
    assert!(
        text.contains("a drain would wait, until drain.timeout"),
        "{text}"
    );
}

#[tokio::test]
async fn one_pod_that_refuses_and_nothing_would_be_evicted() {
    let site = Site::healthy().await;
    site.pod("debug", None);
    site.pod("batch", Some(("Job", "batch")));
    let unsafe_to_evict = "cluster-autoscaler.kubernetes.io/safe-to-evict";
    annotate(&site, "batch", unsafe_to_evict, "false");
    let (code, verdict, pods) = plan(&site).await;
    assert_eq!((code, verdict.as_str()), (Some(1), "refused"));
    assert!(
        pods.iter()
            .any(|pod| pod.starts_with("debug refuse 0 has no controller"))
    );
    assert!(
        pods.iter()
            .any(|pod| pod.starts_with("batch refuse 0 its annotation safe-to-evict"))
    );
    let (_, text) = site.run(&["plan"]).await;
    assert!(
        text.contains("refused: because of 2 pods nothing would be evicted"),
        "{text}"
    );
}

#[tokio::test]
async fn a_budget_that_allows_nothing_now_is_named() {
    let site = Site::healthy().await;
    site.budget("web-budget", "web");
    let (code, verdict, pods) = plan(&site).await;
    assert_eq!((code, verdict.as_str()), (Some(1), "blocked"));
    assert!(
        pods[0].starts_with("web evict 0 ") && pods[0].contains("web-budget"),
        "{pods:?}"
    );
}

#[tokio::test]
async fn a_node_that_leaves_its_pods_to_the_kubelet_evicts_nothing() {
    let site = Site::healthy().await;
    site.write("etc/rollboot/config.toml", "[drain]\nmode = \"none\"\n");
    let (code, verdict, pods) = plan(&site).await;
    assert_eq!((code, verdict.as_str()), (Some(0), "ready"));
    assert_eq!(pods, ["web skip 0 drain.mode = \"none\""]);
}

#[tokio::test]
async fn without_a_cluster_there_is_no_plan() {
    let site = Site::healthy().await;
    std::fs::remove_file(site.root.path().join("etc/kubernetes/kubelet.conf")).unwrap();
    let (code, text) = site.run(&["plan"]).await;
    assert_eq!(code, Some(69), "{text}");
    assert!(text.contains("kubeconfig"), "{text}");
    let site = Site::healthy().await;
    site.write("etc/rollboot/config.toml", "unknown = 1\n");
    assert_eq!(site.run(&["plan"]).await.0, Some(78));
}

#[tokio::test]
async fn a_pod_that_a_gate_waits_for_is_named_whatever_a_drain_would_do_with_it() {
    let site = Site::healthy().await;
    site.pod("agent", Some(("DaemonSet", "agent")));
    let gates = "[[gate.pods]]\nselector = \"app in (agent, web)\"\nnamespace = \"default\"\n";
    site.write("etc/rollboot/config.toml", gates);
    let (code, verdict, pods) = plan(&site).await;
    assert_eq!((code, verdict.as_str()), (Some(1), "blocked"));
    let why = "no turn while it is here: it matches app in (agent, web) of [[gate.pods]]";
    assert_eq!(
        pods,
        [format!("web evict 0 {why}"), format!("agent skip 0 {why}")]
    );
    let (_, text) = site.run(&["plan"]).await;
    assert!(
        text.ends_with("blocked: a gate waits for 2 pods\n"),
        "{text}"
    );
    site.write(
        "etc/rollboot/config.toml",
        "[[gate.pods]]\nselector = \"!app\"\n",
    );
    assert_eq!(plan(&site).await.0, Some(0));
}
