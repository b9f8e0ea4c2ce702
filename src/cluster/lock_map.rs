//! The lock object: one ConfigMap, read whole because its `data` holds the limits.

use std::collections::BTreeMap;

use kube::api::GetParams;
use kube::core::Request;
use serde::Deserialize;
use serde_json::json;

use super::KubeletCluster;
use super::answer::Object;
use super::client::Connector;
use super::exchange::Lost;
use super::questions::Question;
use super::watch::Change;
use crate::failure::{Failure, WriteOutcome};
use crate::lock::{LockPatch, LockView};

/// The part of a ConfigMap that is read. The full type does without UID and version where they are missing, and keeps
/// `managedFields`, which are larger than all the rest.
#[derive(Debug, Deserialize)]
pub(super) struct ConfigMap {
    metadata: Metadata,
    data: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: String,
    resource_version: String,
    annotations: Option<BTreeMap<String, String>>,
}

impl Object for ConfigMap {
    const KIND: &'static str = "ConfigMap";
}

impl From<ConfigMap> for LockView {
    fn from(map: ConfigMap) -> Self {
        Self {
            uid: map.metadata.uid,
            version: map.metadata.resource_version,
            annotations: map.metadata.annotations.unwrap_or_default(),
            data: map.data.unwrap_or_default(),
        }
    }
}

/// Where the lock is. Both may stand in a path: whoever takes them from the configuration has looked.
#[derive(Debug, Clone, Copy)]
pub(super) struct LockPlace<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
}

impl LockPlace<'_> {
    pub(super) fn path(self) -> String {
        format!("/api/v1/namespaces/{}/configmaps", self.namespace)
    }
}

impl std::fmt::Display for LockPlace<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Connector {
    /// Reads the lock object. `None`: the server says that there is none.
    pub(super) async fn read_lock(&self, lock: LockPlace<'_>) -> Result<Option<LockView>, Failure> {
        let built = Request::new(lock.path()).get(lock.name, &GetParams::default());
        let question = self.reading(format!("cannot read ConfigMap {lock}"), built);
        let answer = self.ask(&question).await.map_err(Lost::failure)?;
        if answer.says_absent("configmaps", lock.name) {
            return Ok(None);
        }
        answer.object::<ConfigMap>().map(|map| Some(map.into()))
    }

    /// Patches annotations of the lock object, and nothing else of it, or asks whether that could be done.
    pub(super) async fn write_lock(
        &self,
        lock: LockPlace<'_>,
        patch: &LockPatch,
        dry_run: bool,
    ) -> WriteOutcome<LockView> {
        let what = format!("cannot change ConfigMap {lock}");
        let (path, version) = (lock.path(), &patch.version);
        let body = json!({"metadata": {
            "resourceVersion": version,
            "annotations": patch.annotations,
        }});
        let sent = self.patch(what, &path, lock.name, version, &body, dry_run);
        match sent.await {
            Ok(answer) => answer.written::<ConfigMap, _>(),
            Err(lost) => lost.written(),
        }
    }
}

impl KubeletCluster {
    /// Watches the lock object from a version on.
    pub(super) async fn follow_lock(
        &self,
        version: &str,
        mut seen: impl FnMut(Option<LockView>),
    ) -> Result<(), Failure> {
        let question = self.lock_watch(version);
        let changed = |changes| {
            for change in changes {
                match change {
                    Change::Is(map) => seen(Some(ConfigMap::into(map))),
                    Change::Gone(_) => seen(None),
                }
            }
            Ok(())
        };
        self.connector.watch(&question, changed).await
    }

    /// The watch of the lock object from a version on.
    pub(super) fn lock_watch(&self, version: &str) -> Question {
        let lock = self.lock();
        // All ConfigMaps of the namespace but one are left out by the field selector, which is also what RBAC asks for.
        let fields = format!("metadata.name={}", lock.name);
        let what = format!("cannot watch ConfigMap {lock}");
        self.connector
            .watching(what, &lock.path(), &fields, version)
    }

    /// Where the lock is.
    pub(super) fn lock(&self) -> LockPlace<'_> {
        LockPlace {
            namespace: &self.place.namespace,
            name: &self.place.lock,
        }
    }
}
