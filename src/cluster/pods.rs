//! The pods bound to this node: listed, watched, evicted. A single pod is never read: after its deletion the server answers
//! 403 to a node, not 404.

use std::collections::BTreeMap;

use http::Method;
use serde_json::json;

use super::KubeletCluster;
use super::exchange::{JSON, Question};
use super::pages::List;
use super::pod::{MAX_PODS, Pod, PodList};
use super::text::{name, query};
use super::watch::Change;
use crate::drain::{EvictAnswer, PodRef, PodView};
use crate::failure::{Failure, FailureKind};

/// Pods in one page.
const PAGE: &str = "50";

impl KubeletCluster {
    /// All pods of the node, and the version of the list. No version is asked for: version 0 would answer from a cache that may be
    /// old.
    pub(super) async fn get_pods(&self) -> Result<(Vec<PodView>, String), Failure> {
        let what = format!("cannot list the pods of {}", self.place.node);
        let list = List {
            what: &what,
            accept: JSON,
            path: "/api/v1/pods",
            pairs: &[("fieldSelector", &self.pod_selector()), ("limit", PAGE)],
        };
        let mut pods = Vec::new();
        let version = self
            .pages(&list, |page: PodList| page.add_to(&what, &mut pods))
            .await?;
        let version = version.ok_or_else(|| {
            let why = format!("{what}: the list has no version");
            Failure::new(FailureKind::Unavailable, why)
        })?;
        Ok((pods, version))
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
            format!("cannot watch the pods of {}", self.place.node),
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
        let changed = |changes: Vec<Change<Pod>>| {
            let mut differs = false;
            for change in changes {
                // Most changes of a pod are in fields that are not looked at.
                differs |= match change {
                    Change::Is(pod) => {
                        let (uid, pod) = (pod.uid().to_owned(), PodView::from(pod));
                        let before = pods.insert(uid, pod.clone());
                        // Its time is moved forward once more right before it goes, which is no news.
                        let ends_by = pod.ends_by;
                        before.is_none_or(|before| PodView { ends_by, ..before } != pod)
                    }
                    Change::Gone(pod) => pods.remove(pod.uid()).is_some(),
                };
            }
            if pods.len() > MAX_PODS {
                return Err(endless(&question.what));
            }
            if differs {
                seen(pods.values().cloned().collect());
            }
            Ok(())
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
        match self.write(&question).await {
            Ok(answer) => answer.evicted(),
            Err(lost) => EvictAnswer::Failed(lost.failure()),
        }
    }

    fn pod_selector(&self) -> String {
        format!("spec.nodeName={}", self.place.node)
    }
}

/// A watch is bounded like a list.
fn endless(what: &str) -> Failure {
    let why = format!("{what}: it has no end, after {MAX_PODS} pods");
    Failure::new(FailureKind::Unavailable, why)
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
