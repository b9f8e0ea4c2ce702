//! The pods bound to this node: listed, watched, evicted. A single pod is never read: after its deletion the server answers
//! 403 to a node, not 404.

use std::collections::BTreeMap;

use http::Method;
use serde_json::json;

use super::KubeletCluster;
use super::exchange::{Lost, Question};
use super::pod::{Pod, PodList, senseless};
use super::text::{name, query};
use super::watch::Change;
use crate::drain::{EvictAnswer, PodRef, PodView};
use crate::failure::{Failure, FailureKind};

/// Pods in one page. A pod has some ten thousand bytes of JSON.
const PAGE: &str = "50";
/// A kubelet runs a few hundred pods; a server that never ends its list must not keep us.
const MAX_PAGES: usize = 200;

impl KubeletCluster {
    /// All pods of the node, and the version of the list.
    pub(super) async fn get_pods(&self) -> Result<(Vec<PodView>, String), Failure> {
        let mut pods = Vec::new();
        let mut token: Option<String> = None;
        for _page in 0..MAX_PAGES {
            let list = self.get_page(token.as_deref()).await?;
            pods.extend(list.items.into_iter().flatten().map(PodView::from));
            token = list.metadata.r#continue.filter(|token| !token.is_empty());
            if token.is_none() {
                // Later pages are of the same version as the first.
                return Ok((pods, list.metadata.resource_version));
            }
        }
        Err(Failure::new(
            FailureKind::Unavailable,
            format!(
                "cannot list the pods of {}: the list has no end, after {} pods",
                self.node,
                pods.len()
            ),
        ))
    }

    /// One page. No version is asked for: version 0 would answer from a cache that may be old, and ignores the limit.
    async fn get_page(&self, token: Option<&str>) -> Result<PodList, Failure> {
        let selector = self.pod_selector();
        let served = self.deadlines.served();
        let mut pairs = vec![
            ("fieldSelector", selector.as_str()),
            ("limit", PAGE),
            ("timeout", &served),
        ];
        pairs.extend(token.map(|token| ("continue", token)));
        let question = Question::get(
            format!("cannot list the pods of {}", self.node),
            format!("/api/v1/pods{}", query(&pairs)),
        );
        let answer = self.ask(&question).await.map_err(Lost::failure)?;
        answer
            .object()
            .map_err(|failure| match senseless(&answer.body) {
                Some(why) => {
                    let why = format!("{}: cannot make sense of {why}", answer.what);
                    Failure::new(failure.kind, why)
                }
                None => failure,
            })
    }

    /// Lists the pods, then follows the changes from the version of that list.
    pub(super) async fn follow_pods(
        &self,
        mut seen: impl FnMut(Vec<PodView>),
    ) -> Result<(), Failure> {
        let (list, version) = self.get_pods().await?;
        // By UID: a StatefulSet's pod comes back under the same name.
        let mut pods: BTreeMap<String, PodView> = list
            .into_iter()
            .map(|pod| (pod.pod.uid.clone(), pod))
            .collect();
        seen(pods.values().cloned().collect());

        let question = Question::get(
            format!("cannot watch the pods of {}", self.node),
            "/api/v1/pods".to_owned()
                + &query(&[
                    ("watch", "true"),
                    ("fieldSelector", &self.pod_selector()),
                    ("resourceVersion", &version),
                    ("allowWatchBookmarks", "true"),
                    (
                        "timeoutSeconds",
                        &self.deadlines.watch.as_secs().to_string(),
                    ),
                ]),
        );
        let changed = |change: Change<Pod>| {
            // Most changes of a pod are in fields that are not looked at.
            let differs = match change {
                Change::Is(pod) => {
                    let (uid, pod) = (pod.uid().to_owned(), PodView::from(pod));
                    let before = pods.insert(uid, pod.clone());
                    // Its time is moved forward once more right before it goes, which is no news.
                    let ends_by = pod.ends_by;
                    before.is_none_or(|before| PodView { ends_by, ..before } != pod)
                }
                Change::Gone(pod) => pods.remove(pod.uid()).is_some(),
            };
            if differs {
                seen(pods.values().cloned().collect());
            }
        };
        self.connector
            .watch(&question, &self.deadlines, changed)
            .await
    }

    /// Asks for an eviction, or only what the answer would be. The UID in it makes sure that no pod is evicted but the one
    /// that the plan looked at; strict validation makes sure that the server has understood it.
    pub(super) async fn post_eviction(&self, pod: &PodRef, dry_run: bool) -> EvictAnswer {
        let path = match eviction_path(pod) {
            Ok(path) => path,
            Err(failure) => return EvictAnswer::Invalid(failure),
        };
        let mut options = json!({"preconditions": {"uid": pod.uid}});
        if let (true, Some(options)) = (dry_run, options.as_object_mut()) {
            options.insert("dryRun".to_owned(), json!(["All"]));
        }
        let body = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"namespace": pod.namespace, "name": pod.name},
            "deleteOptions": options,
        });
        let question = Question {
            what: if dry_run {
                format!("cannot ask whether pod {pod} may be evicted")
            } else {
                format!("cannot evict pod {pod}")
            },
            method: Method::POST,
            target: path + &self.write_query(),
            body: Some(("application/json", body.to_string())),
        };
        match self.ask(&question).await {
            Ok(answer) => answer.evicted(),
            Err(lost) => EvictAnswer::Failed(lost.failure()),
        }
    }

    fn pod_selector(&self) -> String {
        format!("spec.nodeName={}", self.node)
    }
}

/// An empty UID would be no precondition at all.
fn eviction_path(pod: &PodRef) -> Result<String, Failure> {
    name(&pod.uid)?;
    Ok(format!(
        "/api/v1/namespaces/{}/pods/{}/eviction",
        name(&pod.namespace)?,
        name(&pod.name)?
    ))
}
