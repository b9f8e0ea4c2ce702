//! The pods bound to this node: listed, watched, evicted. A single pod is never read: after its deletion the server answers
//! 403 to a node, not 404.

use std::collections::BTreeMap;

use k8s_openapi::api::policy::v1::Eviction;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, ObjectMeta, Preconditions};
use kube::api::ListParams;
use kube::core::{Request, request};

use super::KubeletCluster;
use super::exchange::JSON;
use super::pages::List;
use super::pod::{MAX_PODS, Pod, PodList};
use super::text::name;
use super::watch::Change;
use crate::drain::{EvictAnswer, PodRef, PodView};
use crate::failure::{Failure, FailureKind};

const PODS: &str = "/api/v1/pods";

impl KubeletCluster {
    /// All pods of the node, and the version of the list. No version is asked for: version 0 would answer from a cache that may be
    /// old. Nor is a page: from 1.31 on the server answers a whole list from its cache, as new as etcd and by the node's name, while
    /// for a page it reads the pods of all nodes from etcd until enough match (to 1.33; `shouldDelegateList` in the cacher). One that
    /// divides it all the same is followed.
    pub(super) async fn get_pods(&self) -> Result<(Vec<PodView>, String), Failure> {
        let what = format!("cannot list the pods of {}", self.place.node);
        let list = List {
            what: &what,
            accept: JSON,
            path: PODS,
            params: ListParams::default().fields(&self.pod_selector()),
            more: &[],
            within: self.connector.deadlines.request,
        };
        let mut pods = Vec::new();
        let version = self
            .connector
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

        let what = format!("cannot watch the pods of {}", self.place.node);
        let question = self
            .connector
            .watching(what, PODS, &self.pod_selector(), &version);
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
        self.connector.watch(&question, changed).await
    }

    /// Asks for an eviction, or only what the answer would be. The UID in it makes sure that no pod is evicted but the one
    /// that the plan looked at; strict validation makes sure that the server has understood it.
    ///
    /// Not by kube's own `evict`: kube-core 5.0.0 calls the field `delete_options`, which no server knows, so that UID and dry run would
    /// be ignored.
    pub(super) async fn post_eviction(&self, pod: &PodRef, dry_run: bool) -> EvictAnswer {
        let pods = match pods_of(pod) {
            Ok(pods) => pods,
            Err(failure) => return EvictAnswer::Invalid(failure),
        };
        let body = Eviction {
            metadata: ObjectMeta {
                namespace: Some(pod.namespace.clone()),
                name: Some(pod.name.clone()),
                ..ObjectMeta::default()
            },
            delete_options: Some(DeleteOptions {
                dry_run: dry_run.then(|| vec!["All".to_owned()]),
                preconditions: Some(Preconditions {
                    uid: Some(pod.uid.clone()),
                    resource_version: None,
                }),
                ..DeleteOptions::default()
            }),
        };
        let what = if dry_run {
            format!("cannot ask whether pod {pod} may be evicted")
        } else {
            format!("cannot evict pod {pod}")
        };
        let sent = self.connector.post(what, |params| {
            let body = serde_json::to_vec(&body).map_err(request::Error::SerializeBody)?;
            pods.create_subresource("eviction", &pod.name, params, body)
        });
        match sent.await {
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

/// The pods among which it is. An empty UID would be no precondition at all.
fn pods_of(pod: &PodRef) -> Result<Request, Failure> {
    name(&pod.uid)?;
    name(&pod.name)?;
    let path = format!("/api/v1/namespaces/{}/pods", name(&pod.namespace)?);
    Ok(Request::new(path))
}
