//! What the drain knows of a pod, and what the server may answer to its eviction.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::DrainAnnotations;
use crate::failure::Failure;

/// Names one pod, and no other of the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PodRef {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID: the precondition of its eviction.
    pub uid: String,
}

impl std::fmt::Display for PodRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The owner that has `controller: true`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Controller {
    /// API group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name, in the pod's namespace.
    pub name: String,
    /// UID.
    pub uid: String,
}

impl Controller {
    /// Whether it is a DaemonSet of Kubernetes' own.
    pub fn is_daemon_set(&self) -> bool {
        (self.api_version.as_str(), self.kind.as_str()) == ("apps/v1", "DaemonSet")
    }
}

/// The labels of a pod. Lists of pods are copied with every change of one of them, and labels hardly ever change: copies share
/// them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Labels(Arc<[(Box<str>, Box<str>)]>);

impl Labels {
    /// The value of a label, if it is there.
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self.0.iter().find(|(name, _)| **name == *key);
        found.map(|(_, value)| &**value)
    }
}

impl FromIterator<(String, String)> for Labels {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(labels: T) -> Self {
        let boxed = |(key, value): (String, String)| (key.into(), value.into());
        Self(labels.into_iter().map(boxed).collect())
    }
}

/// The few fields of a pod that a drain depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct PodView {
    /// Which pod.
    pub pod: PodRef,
    /// Who keeps it.
    pub controller: Option<Controller>,
    /// Somebody keeps it, and its owner references do not say who.
    pub unclear: bool,
    /// It has the annotation `kubernetes.io/config.mirror`: a static pod of the kubelet.
    pub mirror: bool,
    /// Its phase is Succeeded or Failed, and none of its containers runs.
    pub finished: bool,
    /// When it was created: seconds since the epoch by the API server's clock.
    pub created: Option<i64>,
    /// It has a deletion timestamp.
    pub terminating: bool,
    /// When it should be gone, if it has a deletion timestamp: seconds since the epoch by the API server's clock.
    pub ends_by: Option<i64>,
    /// Its finalizers, if it has a deletion timestamp.
    pub finalizers: Vec<String>,
    /// How long it may take to end, in seconds (`terminationGracePeriodSeconds`).
    pub grace: Option<u64>,
    /// It has a volume of type emptyDir.
    pub empty_dir: bool,
    /// It has a volume that may have to be attached to its node: a claim, or an ephemeral one.
    pub volumes: bool,
    /// It tolerates the taint `node.kubernetes.io/unschedulable:NoSchedule`, so a cordon does not keep it off.
    pub tolerates_cordon: bool,
    /// Its Ready condition is True.
    pub ready: bool,
    /// The IDs of its containers, if it stays through a drain: static, or of a DaemonSet. Each boot makes new ones.
    pub containers: BTreeSet<Box<str>>,
    /// Its priority is that of `system-cluster-critical` or higher.
    pub critical: bool,
    /// What an operator has written on it.
    pub wishes: DrainAnnotations,
    /// What gates select it by.
    pub labels: Labels,
}

/// What the server answered to an eviction; each has its own path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EvictAnswer {
    /// 2xx: it will end.
    Accepted,
    /// 404, or 409 for the UID: this very pod is no more, as far as the server knows.
    Gone,
    /// 403 of NodeRestriction "can only evict pods with spec.nodeName set to itself": the name now lives elsewhere.
    Elsewhere,
    /// 429 with the cause DisruptionBudget: the message names what is missing.
    Budget(String),
    /// 429 of priority and fairness: come back after so many seconds.
    Throttled(u16),
    /// 403 with the cause NamespaceTerminating: it ends by itself.
    NamespaceTerminating,
    /// 500 because more than one PodDisruptionBudget selects the pod: only an administrator can mend that.
    SeveralBudgets(String),
    /// 400 or 422: the request itself is wrong; trying again is pointless.
    Invalid(Failure),
    /// Anything else: no answer, 5xx, 401, 403 of RBAC. May heal.
    Failed(Failure),
}
