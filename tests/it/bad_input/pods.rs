//! Pods that no API server would have accepted, pods that say less than pods do, and many of them.

use std::time::Duration;

use serde_json::{Value, json};

use super::case::Case;
use super::host::Host;

/// Nothing is evicted because of pod `p`, which is then mended in this way.
async fn refuses(pod: impl FnOnce(&mut Value), words: &[&str], heal: impl FnOnce(&Host)) -> String {
    let mut host = Host::new().await;
    host.pod("p", pod);
    // It would go, were it not for the other.
    host.owned_pod("q", "ReplicaSet", "r", "r");
    host.ask();
    host.start();
    let message = host.tells(words).await;
    host.untouched();
    assert!(host.evicted().is_empty());
    heal(&host);
    host.until("q is evicted", |_| host.evicted() == ["q"])
        .await;
    host.pod_ends("q");
    host.goes_on().await;
    message
}

fn owners(owners: Value) -> impl FnOnce(&mut Value) {
    move |pod| pod["metadata"]["ownerReferences"] = owners
}

fn goes(host: &Host) {
    host.pod_ends("p");
}

const GONE: &str = "the pod is gone";
const UNCLEAR: [&str; 2] = ["default/p: its owner references", "nothing is evicted"];

/// Pods of a DaemonSet, which stay.
async fn crowd(host: &Host, pods: usize) {
    for number in 0..pods {
        host.owned_pod(&format!("d{number:05}"), "DaemonSet", "d", "d");
        // The servers of the other cases have a word to say meanwhile.
        if number % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "an owner reference without the name of the controller",
            GONE,
            async || {
                let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "uid": "r", "controller": true}]);
                refuses(owners(owner), &UNCLEAR, goes).await
            },
        ),
        Case::new("an owner reference with an empty UID", GONE, async || {
            let owner = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "s", "uid": "", "controller": true}]);
            refuses(owners(owner), &UNCLEAR, goes).await
        }),
        Case::new(
            "owner references with two controllers",
            "one of them goes",
            async || {
                let owner = |name: &str| json!({"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": name, "controller": true});
                // A Job that has ended, as it were.
                let heal = |host: &Host| {
                    host.edit_pod("p", |pod| {
                        pod["metadata"]["ownerReferences"] = json!([owner("a")]);
                        pod["metadata"]["annotations"] = json!({"rollboot.io/drain": "skip"});
                    });
                };
                refuses(owners(json!([owner("a"), owner("b")])), &UNCLEAR, heal).await
            },
        ),
        Case::new(
            "an owner reference of another type: `controller: \"true\"`",
            GONE,
            async || {
                let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "r", "controller": "true"}]);
                let words = ["cannot make sense of default/p", "invalid type: string"];
                refuses(owners(owner), &words, goes).await
            },
        ),
        Case::new(
            "a pod without a status, and nobody keeps it",
            GONE,
            async || {
                let bare = |pod: &mut Value| drop(pod.as_object_mut().unwrap().remove("status"));
                let words = ["default/p: has no controller", "nothing is evicted"];
                refuses(bare, &words, goes).await
            },
        ),
        Case::new(
            "a pod without a phase, and nobody keeps it",
            GONE,
            async || {
                let bare = |pod: &mut Value| pod["status"] = json!({"conditions": null});
                let words = ["default/p: has no controller", "nothing is evicted"];
                refuses(bare, &words, goes).await
            },
        ),
        Case::new("`rollboot.io/drain: never` on a pod", GONE, async || {
            let never = |pod: &mut Value| {
                owners(
                    json!([{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "j", "controller": true}]),
                )(pod);
                pod["metadata"]["annotations"] = json!({"rollboot.io/drain": "never"});
            };
            let words = ["default/p: its annotation rollboot.io/drain is none of"];
            refuses(never, &words, goes).await
        }),
        Case::new(
            "10 000 pods, of which one forbids the drain",
            GONE,
            async || {
                let mut host = Host::new().await;
                crowd(&host, 9_999).await;
                host.pod("p", |_| ());
                host.ask();
                host.start();
                let message = host.tells(&["default/p: has no controller"]).await;
                host.untouched();
                host.pod_ends("p");
                host.goes_on().await;
                assert!(host.evicted().is_empty());
                message
            },
        ),
        Case::new("more than 10 000 pods", "there are fewer", async || {
            let mut host = Host::new().await;
            crowd(&host, 10_001).await;
            host.ask();
            host.start();
            let message = host.tells(&["the list has no end"]).await;
            host.untouched();
            host.pod_ends("d00000");
            host.goes_on().await;
            assert!(host.evicted().is_empty());
            message
        }),
    ]
}
