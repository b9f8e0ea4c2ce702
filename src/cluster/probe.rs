//! What this node may do, asked without doing it: the daemon's own requests as dry runs, and watches that are left at once.
//!
//! A dry run goes the whole way, authentication, RBAC, NodeRestriction and admission policies included, and is not stored.

use kube::api::ListParams;
use kube::core::Request;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::KubeletCluster;
use super::answer::{Answer, Object};
use super::exchange::{Lost, collect};
use super::own_node::NODES;
use crate::failure::{Failure, FailureKind};

/// A page of Nodes, of which only the names are read.
#[derive(Debug, Deserialize)]
struct NodeList {
    items: Option<Vec<Item>>,
}

#[derive(Debug, Deserialize)]
struct Item {
    metadata: ItemMetadata,
}

#[derive(Debug, Deserialize)]
struct ItemMetadata {
    name: String,
}

impl Object for NodeList {
    const KIND: &'static str = "NodeList";
}

impl KubeletCluster {
    /// Whether the own Node could be cordoned.
    ///
    /// # Errors
    /// It could not, or nobody answered.
    pub async fn may_cordon(&self, version: &str) -> Result<(), Failure> {
        let body = json!({
            "metadata": {"resourceVersion": version},
            "spec": {"unschedulable": true},
        });
        let node = &self.place.node;
        let what = format!("cannot change Node {node}");
        let sent = self
            .connector
            .patch(what, NODES, node, version, &body, true);
        judge(&sent.await.map_err(Lost::failure)?)
    }

    /// Whether the lock object could be written. What is sent would change nothing, for a slot may be held by this very node.
    ///
    /// # Errors
    /// It could not, or nobody answered.
    pub async fn may_write_lock(&self, version: &str) -> Result<(), Failure> {
        let body = json!({"metadata": {"resourceVersion": version, "annotations": {}}});
        let what = format!("cannot change ConfigMap {}", self.lock());
        judge(&self.try_lock(what, version, &body).await?)
    }

    /// Whether an admission policy would refuse a write that the lock's Role allows and no honest node makes.
    ///
    /// # Errors
    /// It was not asked far enough to tell: the lock has changed meanwhile, or nobody answered.
    pub async fn lock_is_guarded(&self, version: &str) -> Result<bool, Failure> {
        let what = format!("cannot ask who guards ConfigMap {}", self.lock());
        let body = json!({"metadata": {
            "resourceVersion": version, "annotations": {"rollboot.io/probe": "not for a node to write"},
        }});
        let answer = self.try_lock(what, version, &body).await?;
        if (200..=299).contains(&answer.status) {
            return Ok(false);
        }
        let failure = answer.failure();
        match failure.kind {
            FailureKind::Policy => Ok(true),
            _ => Err(failure),
        }
    }

    /// Whether the lock object could be watched.
    ///
    /// # Errors
    /// It could not, or nobody answered.
    pub async fn may_watch_lock(&self, version: &str) -> Result<(), Failure> {
        let question = self.lock_watch(version);
        let limit = self.connector.deadlines.request;
        let end = Instant::now() + limit;
        let response = self
            .connector
            .send(&question, end, limit)
            .await
            .map_err(Lost::failure)?;
        if response.status().is_success() {
            // The head says yes; leaving ends the watch.
            return Ok(());
        }
        let answer = collect(&question, response, end, limit).await;
        Err(answer.map_or_else(Lost::failure, |answer| answer.failure()))
    }

    /// The names of at most two Nodes that are not cordoned: whether there is any besides this one. A kubelet may not list Nodes
    /// by itself: `Forbidden` otherwise.
    ///
    /// # Errors
    /// They may not be listed, or nobody answered.
    pub async fn schedulable_nodes(&self) -> Result<Vec<String>, Failure> {
        let params = ListParams::default().fields("spec.unschedulable=false");
        let built = Request::new(NODES).list(&params.limit(2));
        let question = self
            .connector
            .reading("cannot list Nodes".to_owned(), built);
        let answer = self.connector.ask(&question).await.map_err(Lost::failure)?;
        let list: NodeList = answer.object()?;
        Ok(list
            .items
            .into_iter()
            .flatten()
            .map(|item| item.metadata.name)
            .collect())
    }

    /// A patch of the lock, as a dry run.
    async fn try_lock(&self, what: String, version: &str, body: &Value) -> Result<Answer, Failure> {
        let lock = self.lock();
        let path = lock.path();
        let sent = self
            .connector
            .patch(what, &path, lock.name, version, body, true);
        sent.await.map_err(Lost::failure)
    }
}

/// A conflict comes after everything that can forbid a write.
fn judge(answer: &Answer) -> Result<(), Failure> {
    match answer.status {
        200..=299 | 409 => Ok(()),
        _ => Err(answer.failure()),
    }
}
