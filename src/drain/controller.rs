//! Who keeps pods running, as far as the guard for the last ready pod looks at it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Controller, StatusRevision};

/// The kinds that are read. Pods of any other kind, of a Job for one, are not guarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// `apps/v1`; keeps pods through its ReplicaSets.
    Deployment,
    /// `apps/v1`.
    ReplicaSet,
    /// `apps/v1`.
    StatefulSet,
    /// `v1`.
    ReplicationController,
    /// `apps/v1`; never guarded, and only looked for.
    DaemonSet,
}

impl Kind {
    /// Whether its Ready count has pods in it that are ending and still Ready: the StatefulSet controller counts each pod that runs
    /// and is Ready, the others leave out what has a deletion timestamp (`stateful_set_control.go`, `IsPodActive`).
    pub(super) fn counts_ending(self) -> bool {
        self == Self::StatefulSet
    }

    /// Whether its status has nothing in it but numbers of pods. A StatefulSet's is written when a pod begins to end, which still
    /// counts as Ready; a Deployment's has conditions with times.
    pub(super) fn has_bare_status(self) -> bool {
        match self {
            Self::ReplicaSet | Self::ReplicationController => true,
            Self::Deployment | Self::StatefulSet | Self::DaemonSet => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deployment => "Deployment",
            Self::ReplicaSet => "ReplicaSet",
            Self::StatefulSet => "StatefulSet",
            Self::ReplicationController => "ReplicationController",
            Self::DaemonSet => "DaemonSet",
        })
    }
}

/// Names one controller, and no other of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ControllerRef {
    /// Namespace.
    pub namespace: String,
    /// Kind.
    pub kind: Kind,
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
}

impl ControllerRef {
    /// The controller that an owner reference names, if it is of a kind that is guarded.
    pub fn of(namespace: &str, owner: &Controller) -> Option<Self> {
        let kind = match (owner.api_version.as_str(), owner.kind.as_str()) {
            ("apps/v1", "Deployment") => Kind::Deployment,
            ("apps/v1", "ReplicaSet") => Kind::ReplicaSet,
            ("apps/v1", "StatefulSet") => Kind::StatefulSet,
            ("v1", "ReplicationController") => Kind::ReplicationController,
            _ => return None,
        };
        Some(Self::named(namespace, kind, owner))
    }

    /// The DaemonSet that an owner reference names, if it is one of Kubernetes' own.
    pub fn daemon_set(namespace: &str, owner: &Controller) -> Option<Self> {
        owner
            .is_daemon_set()
            .then(|| Self::named(namespace, Kind::DaemonSet, owner))
    }

    fn named(namespace: &str, kind: Kind, owner: &Controller) -> Self {
        Self {
            namespace: namespace.to_owned(),
            kind,
            name: owner.name.clone(),
            uid: owner.uid.clone(),
        }
    }
}

impl fmt::Display for ControllerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// What one read of a controller saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ControllerView {
    /// UID: another one is another controller of the same name.
    pub uid: String,
    /// `spec.replicas`; absent is 1.
    pub wanted: u32,
    /// `status.replicas`; absent is 0.
    pub replicas: u32,
    /// `status.readyReplicas`; absent is 0.
    pub ready: u32,
    /// `status.availableReplicas`: Ready for long enough; absent is 0.
    pub available: u32,
    /// `status.terminatingReplicas`; absent, where the server does not tell, is 0. Of a StatefulSet, what its other numbers tell.
    pub terminating: u32,
    /// The status is of an earlier generation than the spec: its controller has not acted on the last change yet.
    pub behind: bool,
    /// It has a deletion timestamp.
    pub deleting: bool,
    /// When it is deleted its pods are to stay, and nobody will create them again.
    pub orphaning: bool,
    /// Why no pod can be created in the place of one that went, by its condition `ReplicaFailure` (a quota, a webhook).
    pub fails: Option<Box<str>>,
    /// Its own controller: of a ReplicaSet usually a Deployment.
    pub owner: Option<Controller>,
    /// When the status was last written, as this read tells.
    pub written: StatusRevision,
}

impl ControllerView {
    /// It is being deleted, and what it keeps is to stay.
    pub(super) fn leaves_orphans(&self) -> bool {
        self.deleting && self.orphaning
    }

    /// Exactly the wanted pods exist, all of them Ready, and nothing but a change of one of them will change the status.
    pub(super) fn is_whole(&self) -> bool {
        let counts = [self.replicas, self.ready, self.available];
        counts.iter().all(|count| *count == self.wanted) && self.terminating == 0 && !self.behind
    }
}
