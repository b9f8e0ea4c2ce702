//! Who keeps pods running: the few fields of Deployments and their like that the guard for the last Ready pod looks at.

use kube::api::GetParams;
use kube::core::Request;
use serde::Deserialize;

use super::KubeletCluster;
use super::answer::{Answer, Object, Present};
use super::exchange::Lost;
use super::owner::{Owner, Unclear, controller};
use super::text::name;
use super::written::written;
use crate::drain::{ControllerRef, ControllerView, Kind, StatusRevision};
use crate::failure::{Failure, FailureKind};

/// The part of a controller that is read, whatever its kind. Its template is skipped without being kept.
#[derive(Debug, Deserialize)]
struct Keeper {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: String,
    generation: Option<i64>,
    deletion_timestamp: Present,
    finalizers: Option<Vec<String>>,
    owner_references: Option<Vec<Owner>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    replicas: Option<u32>,
    update_strategy: Option<UpdateStrategy>,
}

/// Of a StatefulSet.
#[derive(Debug, Deserialize)]
struct UpdateStrategy {
    r#type: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    observed_generation: Option<i64>,
    replicas: Option<u32>,
    ready_replicas: Option<u32>,
    available_replicas: Option<u32>,
    terminating_replicas: Option<u32>,
    current_replicas: Option<u32>,
    updated_replicas: Option<u32>,
    current_revision: Option<String>,
    update_revision: Option<String>,
    conditions: Option<Vec<Condition>>,
}

#[derive(Debug, Deserialize)]
struct Condition {
    r#type: String,
    status: String,
    message: Option<String>,
}

impl Status {
    /// Why pods that are wanted cannot be created: ReplicaSet, ReplicationController and Deployment say so
    /// (`pkg/controller/replicaset/replica_set_utils.go`, `ReplicaSetReplicaFailure`).
    fn fails(&self) -> Option<Box<str>> {
        let mut conditions = self.conditions.iter().flatten();
        let failure = conditions.find(|it| it.r#type == "ReplicaFailure" && it.status == "True")?;
        let message = failure.message.as_deref().unwrap_or_default();
        Some(message.chars().take(SHOWN).collect())
    }

    /// Pods of a StatefulSet that are ending. Its Ready count has them in it; what it counts by revision has not
    /// (`stateful_set_control.go`, `computeReplicaStatus`). Of one that is updated on deletion there may be pods of any revision.
    fn ending(&self, spec: &Spec) -> u32 {
        let strategy = spec.update_strategy.as_ref();
        let on_delete = strategy.is_some_and(|it| it.r#type.as_deref() == Some("OnDelete"));
        let (Some(current), Some(update), false) =
            (&self.current_revision, &self.update_revision, on_delete)
        else {
            return 0;
        };
        let updated = self.updated_replicas.unwrap_or_default();
        let others = self.current_replicas.filter(|_| current != update);
        let stay = updated.saturating_add(others.unwrap_or_default());
        self.replicas.unwrap_or_default().saturating_sub(stay)
    }
}

macro_rules! kinds {
    ($($kind:ident)*) => {$(
        #[derive(Debug, Deserialize)]
        #[serde(transparent)]
        struct $kind(Keeper);

        impl Object for $kind {
            const KIND: &'static str = stringify!($kind);
        }
    )*};
}

kinds!(Deployment ReplicaSet StatefulSet ReplicationController DaemonSet);

/// Of a text of others so many characters are shown.
const SHOWN: usize = 300;
/// Of an object that is being deleted: what it keeps stays, and belongs to nobody then (`kubectl delete --cascade=orphan`).
const ORPHANS: &str = "orphan";

impl TryFrom<Keeper> for ControllerView {
    type Error = Unclear;

    fn try_from(keeper: Keeper) -> Result<Self, Unclear> {
        let Keeper {
            metadata,
            spec,
            status,
        } = keeper;
        // Of a StatefulSet only, for no other has revisions.
        let ending = status.ending(&spec);
        let mut finalizers = metadata.finalizers.iter().flatten();
        Ok(Self {
            uid: metadata.uid,
            wanted: spec.replicas.unwrap_or(1),
            replicas: status.replicas.unwrap_or_default(),
            ready: status.ready_replicas.unwrap_or_default(),
            available: status.available_replicas.unwrap_or_default(),
            terminating: status.terminating_replicas.unwrap_or(ending),
            behind: status.observed_generation.unwrap_or_default()
                < metadata.generation.unwrap_or_default(),
            deleting: metadata.deletion_timestamp.is_some(),
            fails: status.fails(),
            orphaning: finalizers.any(|finalizer| finalizer == ORPHANS),
            owner: controller(metadata.owner_references)?,
            written: StatusRevision::default(),
        })
    }
}

impl KubeletCluster {
    /// Reads one controller. `None`: the server says that there is none of this name.
    pub(super) async fn get_controller(
        &self,
        of: &ControllerRef,
    ) -> Result<Option<ControllerView>, Failure> {
        let (group, plural) = match of.kind {
            Kind::Deployment => ("/apis/apps/v1", "deployments"),
            Kind::ReplicaSet => ("/apis/apps/v1", "replicasets"),
            Kind::StatefulSet => ("/apis/apps/v1", "statefulsets"),
            Kind::ReplicationController => ("/api/v1", "replicationcontrollers"),
            Kind::DaemonSet => ("/apis/apps/v1", "daemonsets"),
        };
        let path = format!("{group}/namespaces/{}/{plural}", name(&of.namespace)?);
        let built = Request::new(path).get(name(&of.name)?, &GetParams::default());
        let question = self.connector.reading(format!("cannot read {of}"), built);
        let answer = self.connector.ask(&question).await.map_err(Lost::failure)?;
        if answer.says_absent(plural, &of.name) {
            return Ok(None);
        }
        let view: Result<ControllerView, _> = keeper(of.kind, &answer)?.try_into();
        let mut view = view.map_err(|Unclear| {
            let why = format!(
                "cannot read {of}: its owner references do not name one controller in full"
            );
            Failure::new(FailureKind::Unavailable, why)
        })?;
        view.written = written(&answer);
        Ok(Some(view))
    }
}

fn keeper(kind: Kind, answer: &Answer) -> Result<Keeper, Failure> {
    match kind {
        Kind::Deployment => answer.object().map(|Deployment(keeper)| keeper),
        Kind::ReplicaSet => answer.object().map(|ReplicaSet(keeper)| keeper),
        Kind::StatefulSet => answer.object().map(|StatefulSet(keeper)| keeper),
        Kind::ReplicationController => answer.object().map(|ReplicationController(keeper)| keeper),
        Kind::DaemonSet => answer.object().map(|DaemonSet(keeper)| keeper),
    }
}
