//! The pods of the own node, and their eviction.

use std::time::Duration;

use rollboot::cluster::Deadlines;
use rollboot::config::Config;
use rollboot::drain::{EvictAnswer, PodRef, PodView};
use rollboot::failure::FailureKind;
use rollboot::ports::Cluster;
use serde_json::{Value, json};

use super::{MERGE, Plane, pod_path};

cases! {
    both:
    the_pods_of_the_own_node_are_listed_all_of_them_and_no_others,
    the_watch_follows_the_pods_of_the_own_node,
    only_the_very_pod_is_evicted,
    a_budget_stops_an_eviction_and_two_budgets_stop_it_for_good,
    a_namespace_that_ends_evicts_by_itself,
    a_pod_that_ends_tells_by_when_and_what_keeps_it,
    a_pod_with_a_name_that_is_none_is_not_asked_for,
}

impl Plane {
    /// A pod that runs, is Ready and is bound to this node.
    pub(super) async fn pod(&self, namespace: &str, name: &str, node: &str) -> PodRef {
        let pod = json!({
            "metadata": {"name": name, "labels": {"app": "web"}},
            "spec": {"nodeName": node, "containers": [{"name": "c", "image": "i"}], "volumes": [{"name": "v", "emptyDir": {}}]},
        });
        let made = self
            .post(&format!("/api/v1/namespaces/{namespace}/pods"), &pod)
            .await;
        let status = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
        let path = format!("{}/status", pod_path(namespace, name));
        self.call("PATCH", &path, MERGE, &status.to_string()).await;
        PodRef {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: made["metadata"]["uid"].as_str().unwrap().to_owned(),
        }
    }

    async fn object(&self, pod: &PodRef) -> (u16, Value) {
        self.try_call("GET", &pod_path(&pod.namespace, &pod.name), "", "")
            .await
    }

    async fn remove(&self, pod: &PodRef) {
        let path = pod_path(&pod.namespace, &pod.name);
        self.call("DELETE", &format!("{path}?gracePeriodSeconds=0"), "", "")
            .await;
    }

    /// A budget over `app: web` whose status says what it says: no controller is there to write one.
    pub(super) async fn budget(&self, namespace: &str, name: &str, status: Option<Value>) {
        let path = format!("/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets");
        let budget = json!({"metadata": {"name": name}, "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}});
        self.post(&path, &budget).await;
        if let Some(status) = status {
            let body = json!({"status": status}).to_string();
            self.call("PATCH", &format!("{path}/{name}/status"), MERGE, &body)
                .await;
        }
        // The server reads budgets afresh; nothing to wait for.
    }
}

async fn a_pod_that_ends_tells_by_when_and_what_keeps_it(plane: &Plane) {
    let a = plane.node("contract-a");
    let pod = plane.pod("default", "kept", "contract-a").await;
    let path = pod_path("default", "kept");
    let finalizers = async |value: Value| {
        let body = json!({"metadata": {"finalizers": value}}).to_string();
        plane.call("PATCH", &path, MERGE, &body).await;
    };
    let seen = async || {
        let pods = a.list_pods().await.unwrap();
        pods.into_iter().find(|it| it.pod == pod)
    };
    finalizers(json!(["example.com/backup", "example.com/x"])).await;
    let lives = seen().await.unwrap();
    assert_eq!((lives.ends_by, lives.finalizers), (None, Vec::new()));

    let now = jiff::Timestamp::now().as_second();
    assert_eq!(a.evict(&pod).await, EvictAnswer::Accepted);
    let ends = seen().await.unwrap();
    assert!(ends.terminating);
    // Its grace period is 30 s.
    assert!(
        (25..60).contains(&(ends.ends_by.unwrap() - now)),
        "{ends:?}"
    );
    assert_eq!(ends.finalizers, ["example.com/backup", "example.com/x"]);

    // The kubelet is done with it; the finalizers are not.
    plane.remove(&pod).await;
    let kept = seen().await.unwrap();
    assert!(kept.ends_by.unwrap() - now < 25, "{kept:?}");
    finalizers(json!(null)).await;
    assert_eq!(seen().await, None);
}

fn wrong(pod: &PodRef) -> PodRef {
    PodRef {
        uid: "00000000-0000-0000-0000-000000000000".to_owned(),
        ..pod.clone()
    }
}

async fn the_pods_of_the_own_node_are_listed_all_of_them_and_no_others(plane: &Plane) {
    let namespace = plane.namespace().await;
    let mut wanted = Vec::new();
    for number in 0..120 {
        wanted.push(
            plane
                .pod(&namespace, &format!("p{number:03}"), "contract-a")
                .await,
        );
    }
    plane.pod(&namespace, "elsewhere", "contract-b").await;
    let pods = plane.node("contract-a").list_pods().await.unwrap();
    let found: Vec<_> = pods.iter().map(|pod| pod.pod.clone()).collect();
    assert_eq!(found, wanted, "three pages in order");
    assert!(
        pods.iter()
            .all(|pod| pod.ready && pod.empty_dir && !pod.terminating && !pod.mirror)
    );
    assert!(
        pods.iter()
            .all(|pod| pod.controller.is_none() && !pod.finished && !pod.tolerates_cordon)
    );
}

async fn the_watch_follows_the_pods_of_the_own_node(plane: &Plane) {
    let namespace = plane.namespace().await;
    let first = plane.pod(&namespace, "first", "contract-a").await;
    let deadlines = Deadlines {
        watch: Duration::from_secs(4),
        ..Deadlines::DEFAULT
    };
    let a = plane.node_with("contract-a", deadlines, &Config::default());
    let mut seen: Vec<Vec<(String, bool, bool)>> = Vec::new();
    let note = |pods: Vec<PodView>| {
        let mut short: Vec<_> = pods
            .iter()
            .map(|pod| (pod.pod.name.clone(), pod.ready, pod.terminating))
            .collect();
        short.sort();
        seen.push(short);
    };
    let acts = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        plane.pod(&namespace, "other", "contract-b").await;
        assert_eq!(
            plane.node("contract-a").evict(&first).await,
            EvictAnswer::Accepted
        );
        plane.pod(&namespace, "second", "contract-a").await;
        plane.remove(&first).await;
    };
    let (end, ()) = tokio::join!(a.watch_pods(note), acts);
    assert_eq!(end, Ok(()));
    let pod = |name: &str, ready, terminating| (name.to_owned(), ready, terminating);
    assert_eq!(
        seen,
        [
            vec![pod("first", true, false)],
            vec![pod("first", true, true)],
            vec![pod("first", true, true), pod("second", false, false)],
            vec![pod("first", true, true), pod("second", true, false)],
            vec![pod("second", true, false)],
        ]
    );
}

async fn only_the_very_pod_is_evicted(plane: &Plane) {
    let namespace = plane.namespace().await;
    let pod = plane.pod(&namespace, "web", "contract-a").await;
    let other = plane.pod(&namespace, "other", "contract-b").await;
    let a = plane.node("contract-a");

    assert_eq!(a.evict(&wrong(&pod)).await, EvictAnswer::Gone);
    assert_eq!(a.try_eviction(&pod).await, EvictAnswer::Accepted);
    let object = plane.object(&pod).await.1;
    assert!(
        object["metadata"]["deletionTimestamp"].is_null(),
        "{object}"
    );
    assert_eq!(a.evict(&other).await, EvictAnswer::Elsewhere);

    assert_eq!(a.evict(&pod).await, EvictAnswer::Accepted);
    let object = plane.object(&pod).await.1;
    let since = object["metadata"]["deletionTimestamp"].clone();
    assert!(since.is_string(), "{object}");
    assert_eq!(a.evict(&pod).await, EvictAnswer::Accepted);
    assert_eq!(
        plane.object(&pod).await.1["metadata"]["deletionTimestamp"],
        since
    );
    plane.remove(&pod).await;
    assert_eq!(a.evict(&pod).await, EvictAnswer::Gone);
}

async fn a_budget_stops_an_eviction_and_two_budgets_stop_it_for_good(plane: &Plane) {
    let a = plane.node("contract-a");
    let namespace = plane.namespace().await;
    let pod = plane.pod(&namespace, "web", "contract-a").await;
    let full = json!({"observedGeneration": 1, "disruptionsAllowed": 0, "currentHealthy": 2, "desiredHealthy": 2, "expectedPods": 2});
    plane.budget(&namespace, "full", Some(full)).await;
    for answer in [a.evict(&pod).await, a.try_eviction(&pod).await] {
        assert!(
            matches!(&answer, EvictAnswer::Budget(why) if why.contains("full needs 2 healthy pods and has 2")),
            "{answer:?}"
        );
    }
    plane.budget(&namespace, "second", None).await;
    let answer = a.evict(&pod).await;
    assert!(
        matches!(&answer, EvictAnswer::SeveralBudgets(why) if why.contains("more than one")),
        "{answer:?}"
    );

    let namespace = plane.namespace().await;
    let pod = plane.pod(&namespace, "web", "contract-a").await;
    plane.budget(&namespace, "stale", None).await;
    let answer = a.evict(&pod).await;
    assert!(
        matches!(&answer, EvictAnswer::Budget(why) if why.contains("still being processed")),
        "{answer:?}"
    );
}

async fn a_namespace_that_ends_evicts_by_itself(plane: &Plane) {
    let namespace = plane.namespace().await;
    let pod = plane.pod(&namespace, "web", "contract-a").await;
    plane
        .call("DELETE", &format!("/api/v1/namespaces/{namespace}"), "", "")
        .await;
    let a = plane.node("contract-a");
    let mut answer = a.evict(&pod).await;
    // Admission knows the namespace from a cache.
    for _try in 0..40 {
        if answer == EvictAnswer::NamespaceTerminating {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        answer = a.evict(&pod).await;
    }
    assert_eq!(answer, EvictAnswer::NamespaceTerminating);
}

async fn a_pod_with_a_name_that_is_none_is_not_asked_for(plane: &Plane) {
    let pod = PodRef {
        namespace: "default".to_owned(),
        name: "no-such-pod".to_owned(),
        uid: "u".to_owned(),
    };
    let a = plane.node("contract-a");
    assert_eq!(a.evict(&pod).await, EvictAnswer::Gone);
    let odd = PodRef {
        name: "../nodes/contract-a".to_owned(),
        ..pod
    };
    let answer = a.evict(&odd).await;
    assert!(
        matches!(&answer, EvictAnswer::Invalid(failure) if failure.kind == FailureKind::Invalid),
        "{answer:?}"
    );
}
