//! Controllers: some that may not be read, some that go, some whose status says what cannot be believed.

use rollboot_lab::api::Kind;
use serde_json::{Value, json};

use super::case::Case;
use super::host::{CONFIG, Host, SETTINGS};

const ALL: [&str; 3] = ["deployments", "replicasets", "statefulsets"];

impl Host {
    /// What applying `guard.yaml` does, as far as it is about these.
    fn apply_guard(&self, resources: &[&str]) {
        let store = self.api.store();
        store.remove("operator", Kind::ClusterRole, "", "rollboot-guard");
        store.remove("operator", Kind::ClusterRoleBinding, "", "rollboot-guard");
        let role = json!({
            "metadata": {"name": "rollboot-guard"},
            "rules": [{"apiGroups": ["apps"], "resources": resources, "verbs": ["get"]}],
        });
        let binding = json!({
            "metadata": {"name": "rollboot-guard"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "rollboot-guard"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:nodes"}],
        });
        store.create("operator", Kind::ClusterRole, role).unwrap();
        let bound = store.create("operator", Kind::ClusterRoleBinding, binding);
        bound.unwrap();
    }

    /// A controller that wants so many and has all of them Ready; the first of them are here. Its UID.
    fn keeper(&self, kind: Kind, name: &str, wanted: u32, here: u32) -> String {
        let keeper = json!({
            "metadata": {"namespace": "default", "name": name, "generation": 1},
            "spec": {"replicas": wanted},
            "status": {"observedGeneration": 1, "replicas": wanted, "readyReplicas": wanted, "availableReplicas": wanted},
        });
        let made = self.api.store().create("kubectl", kind, keeper).unwrap();
        let uid = made["metadata"]["uid"].as_str().unwrap().to_owned();
        for number in 0..here {
            self.owned_pod(&format!("{name}-{number}"), kind.name(), name, &uid);
        }
        uid
    }

    fn edit_keeper(&self, kind: Kind, name: &str, change: impl FnOnce(&mut Value)) {
        let store = self.api.store();
        let changed = store.update("somebody", kind, "default", name, change);
        assert!(changed.is_some());
    }

    fn ready(&self, name: &str, ready: u32) {
        self.edit_keeper(Kind::ReplicaSet, name, |keeper| {
            keeper["status"]["readyReplicas"] = json!(ready);
        });
    }

    /// Once exactly these were evicted, the last of them ends.
    async fn evicts(&self, names: &[&str]) {
        self.until(&format!("{names:?} are evicted"), |_| {
            self.evicted() == names
        })
        .await;
        if let Some(name) = names.last() {
            self.pod_ends(name);
        }
    }

    /// A while in which more would be evicted, if more were.
    async fn keeps(&self, names: &[&str]) {
        for _ in 0..30 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            assert_eq!(self.evicted(), names, "{}", self.log());
        }
    }
}

/// A ReplicaSet of two, one of which is here, changed in this way, keeps its pod until it is mended.
async fn held(bad: impl FnOnce(&mut Value), words: &[&str], heal: impl FnOnce(&Host)) -> String {
    let mut host = Host::new().await;
    host.apply_guard(&ALL);
    host.keeper(Kind::ReplicaSet, "web", 2, 1);
    host.edit_keeper(Kind::ReplicaSet, "web", bad);
    host.ask();
    host.start();
    let message = host.shows(words).await;
    host.keeps(&[]).await;
    heal(&host);
    host.evicts(&["web-0"]).await;
    host.goes_on().await;
    message
}

fn mended(change: impl FnOnce(&mut Value)) -> impl FnOnce(&Host) {
    move |host| host.edit_keeper(Kind::ReplicaSet, "web", change)
}

const DELETED: &str = "2026-01-01T00:00:00Z";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "`guard.yaml` without StatefulSets: those that may be read are guarded all the same",
            "by itself: budgets keep the others",
            async || {
                let mut host = Host::new().await;
                host.apply_guard(&["deployments", "replicasets"]);
                host.keeper(Kind::StatefulSet, "db", 2, 1);
                host.keeper(Kind::ReplicaSet, "web", 2, 1);
                host.ready("web", 1);
                host.ask();
                host.start();
                host.evicts(&["db-0"]).await;
                host.shows(&["ReplicaSet default/web: its last ready pod is on this node"])
                    .await;
                host.keeps(&["db-0"]).await;
                assert_eq!(host.status()["not_guarded"], "StatefulSets");
                let message = host.logged(&["this node may not read StatefulSets", "guard.yaml"]);
                host.ready("web", 2);
                host.evicts(&["db-0", "web-0"]).await;
                host.goes_on().await;
                message
            },
        ),
        Case::new(
            "the same, with `single-replica = \"block\"`",
            "it is applied",
            async || {
                let mut host = Host::new().await;
                host.write(CONFIG, &format!("{SETTINGS}single-replica = \"block\"\n"));
                host.apply_guard(&["deployments", "replicasets"]);
                host.keeper(Kind::StatefulSet, "db", 2, 1);
                host.ask();
                host.start();
                let words = [
                    "nobody knows which pods are single replicas",
                    "cannot read StatefulSet default/db",
                    "apply guard.yaml",
                ];
                let message = host.tells(&words).await;
                host.untouched();
                host.apply_guard(&ALL);
                host.evicts(&["db-0"]).await;
                host.goes_on().await;
                message
            },
        ),
        Case::new(
            "a ReplicaSet that is being deleted without its pods",
            "another ReplicaSet adopts them",
            async || {
                let orphaning = |keeper: &mut Value| {
                    keeper["metadata"]["deletionTimestamp"] = json!(DELETED);
                    keeper["metadata"]["finalizers"] = json!(["orphan"]);
                };
                let adopted = |host: &Host| {
                    let uid = host.keeper(Kind::ReplicaSet, "new", 2, 0);
                    host.edit_pod("web-0", |pod| {
                        let owner = &mut pod["metadata"]["ownerReferences"][0];
                        (owner["name"], owner["uid"]) = (json!("new"), json!(uid));
                    });
                };
                let words = ["ReplicaSet default/web: it is being deleted without its pods"];
                held(orphaning, &words, adopted).await
            },
        ),
        Case::new(
            "a ReplicaSet that is being deleted with its pods",
            "nothing is wrong: its pods are to go",
            async || {
                let mut host = Host::new().await;
                host.apply_guard(&ALL);
                host.keeper(Kind::ReplicaSet, "web", 2, 2);
                host.edit_keeper(Kind::ReplicaSet, "web", |keeper| {
                    keeper["metadata"]["deletionTimestamp"] = json!(DELETED);
                    keeper["metadata"]["finalizers"] = json!(["foregroundDeletion"]);
                });
                host.ask();
                host.start();
                host.until("both go", |_| host.evicted() == ["web-0", "web-1"])
                    .await;
                host.pod_ends("web-0");
                host.pod_ends("web-1");
                host.goes_on().await;
                String::new()
            },
        ),
        Case::new(
            "a status of an earlier generation",
            "the controller acts on the change",
            async || {
                held(
                    |keeper| keeper["status"]["observedGeneration"] = json!(0),
                    &[
                        "ReplicaSet default/web: its controller has not acted on its last change yet",
                    ],
                    mended(|keeper| keeper["status"]["observedGeneration"] = json!(1)),
                ).await
            },
        ),
        Case::new(
            "a status that counts fewer ready pods than are here",
            "the controller counts them",
            async || {
                held(
                    |keeper| keeper["status"] = json!({"observedGeneration": 1}),
                    &[
                        "ReplicaSet default/web: its status counts fewer ready pods than are on this node",
                    ],
                    mended(|keeper| keeper["status"]["readyReplicas"] = json!(2)),
                ).await
            },
        ),
        Case::new("`spec.replicas: -1`", "a number is written", async || {
            held(
                |keeper| keeper["spec"]["replicas"] = json!(-1),
                &[
                    "cannot read ReplicaSet default/web: cannot make sense of the ReplicaSet: invalid value",
                ],
                mended(|keeper| keeper["spec"]["replicas"] = json!(2)),
            ).await
        }),
        Case::new(
            "a ReplicaSet whose owner reference lacks the name of a Deployment",
            "it has one",
            async || {
                let odd = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "uid": "d", "controller": true}]);
                held(
                    |keeper| keeper["metadata"]["ownerReferences"] = odd,
                    &[
                        "cannot read ReplicaSet default/web: its owner references do not name one controller in full",
                    ],
                    mended(|keeper| keeper["metadata"]["ownerReferences"] = json!([])),
                ).await
            },
        ),
        Case::new(
            "a status that never catches up with what was evicted",
            "it does",
            async || {
                let mut host = Host::new().await;
                host.apply_guard(&ALL);
                host.keeper(Kind::ReplicaSet, "web", 3, 3);
                host.ask();
                host.start();
                let two = ["web-0", "web-1"];
                host.until("two of three go", |_| host.evicted() == two)
                    .await;
                host.pod_ends("web-0");
                host.pod_ends("web-1");
                // It goes on to count three, of which one is left.
                let words = [
                    "1 pod left",
                    "ReplicaSet default/web: its last ready pod is on this node",
                ];
                let message = host.shows(&words).await;
                host.keeps(&two).await;
                // The one that is here, and no replacement yet.
                host.ready("web", 1);
                host.keeps(&two).await;
                host.ready("web", 3);
                host.evicts(&["web-0", "web-1", "web-2"]).await;
                host.goes_on().await;
                message
            },
        ),
    ]
}
