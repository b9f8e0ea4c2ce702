//! The lock object: one ConfigMap, read whole because its `data` holds the limits.

use std::collections::BTreeMap;

use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::answer::Object;
use super::exchange::{Lost, Question};
use super::text::{is_precondition, query};
use super::watch::Change;
use super::{KubeletCluster, MERGE_PATCH};
use crate::failure::{Failure, FailureKind, WriteOutcome};
use crate::lock::{LockPatch, LockView};

/// The part of a ConfigMap that is read. `managedFields` alone would be larger than all of it.
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

impl KubeletCluster {
    /// Reads the lock object. `None`: the server says that there is none.
    pub(super) async fn get_lock(&self) -> Result<Option<LockView>, Failure> {
        let question = Question::get(
            format!("cannot read ConfigMap {}", self.lock_label()),
            self.lock_path() + &query(&[("timeout", &self.deadlines.served())]),
        );
        let answer = self.ask(&question).await.map_err(Lost::failure)?;
        if answer.says_absent("configmaps", &self.place.lock) {
            return Ok(None);
        }
        answer.object::<ConfigMap>().map(|map| Some(map.into()))
    }

    /// Patches annotations of the lock object, and nothing else of it.
    pub(super) async fn write_lock(&self, patch: &LockPatch) -> WriteOutcome<LockView> {
        let what = format!("cannot change ConfigMap {}", self.lock_label());
        if let Err(failure) = check_precondition(&what, &patch.version) {
            return WriteOutcome::Refused(failure);
        }
        let body = json!({"metadata": {
            "resourceVersion": patch.version,
            "annotations": patch.annotations,
        }});
        let question = Question {
            what,
            method: Method::PATCH,
            target: self.lock_path() + &self.write_query(),
            body: Some((MERGE_PATCH, body.to_string())),
        };
        match self.write(&question).await {
            Ok(answer) => answer.written::<ConfigMap, _>(),
            Err(lost) => lost.written(),
        }
    }

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
        self.connector
            .watch(&question, &self.deadlines, changed)
            .await
    }

    /// The watch of the lock object from a version on.
    pub(super) fn lock_watch(&self, version: &str) -> Question {
        // All ConfigMaps of the namespace but one are left out by the field selector, which is also what RBAC asks for.
        Question::get(
            format!("cannot watch ConfigMap {}", self.lock_label()),
            format!("/api/v1/namespaces/{}/configmaps", self.place.namespace)
                + &query(&[
                    ("watch", "true"),
                    (
                        "fieldSelector",
                        &format!("metadata.name={}", self.place.lock),
                    ),
                    ("resourceVersion", version),
                    ("allowWatchBookmarks", "true"),
                    (
                        "timeoutSeconds",
                        &self.deadlines.watch.as_secs().to_string(),
                    ),
                ]),
        )
    }

    pub(super) fn lock_path(&self) -> String {
        format!(
            "/api/v1/namespaces/{}/configmaps/{}",
            self.place.namespace, self.place.lock
        )
    }

    pub(super) fn lock_label(&self) -> String {
        format!("{}/{}", self.place.namespace, self.place.lock)
    }
}

/// A write without a precondition must not leave this host, whoever asks for it.
pub(super) fn check_precondition(what: &str, version: &str) -> Result<(), Failure> {
    if is_precondition(version) {
        Ok(())
    } else {
        Err(Failure::new(
            FailureKind::Invalid,
            format!("{what}: {version:?} is no version that a write could depend on"),
        ))
    }
}
