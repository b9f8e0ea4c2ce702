//! The API server, asked by a person with a credential of their own: what `rollboot pause`, `resume` and `unlock` need.

mod config;

use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta;
use kube::api::ListParams;
use serde::Deserialize;

use super::Deadlines;
use super::answer::Object;
use super::client::Connector;
use super::lock_map::LockPlace;
use super::nodes::{PAGE, TABLE};
use super::own_node::NODES;
use super::pages::{List, Page};
use super::text::name;
use crate::config::Lock;
use crate::failure::{Failure, WriteOutcome};
use crate::lock::{LockPatch, LockView, Marked};
use crate::node::{MARKER, Marker, NodePatch, NodeView};

/// A connection that is not up by then never will be.
const CONNECT: Duration = Duration::from_secs(15);

/// How an operator chooses cluster and user: the flags of kubectl, with the same meaning.
#[derive(Debug, Clone, Default)]
pub struct ConfigFlags {
    /// `--kubeconfig`: this file and no other.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`, instead of the current one.
    pub context: Option<String>,
    /// `--cluster`, instead of the context's.
    pub cluster: Option<String>,
    /// `--user`, instead of the context's.
    pub user: Option<String>,
    /// `--as`: whom to impersonate.
    pub impersonate: Option<String>,
    /// `--as-group`: the groups of whom to impersonate.
    pub impersonate_groups: Vec<String>,
    /// `--request-timeout`; zero: as long as it takes.
    pub request_timeout: Duration,
}

/// An operator's view of the cluster.
#[derive(Debug)]
pub struct Operator {
    connector: Connector,
    lock: Lock,
}

/// A page of Nodes, each with its metadata: some kilobytes.
#[derive(Debug, Deserialize)]
struct Heads {
    metadata: ListMeta,
    rows: Option<Vec<Row>>,
}

#[derive(Debug, Deserialize)]
struct Row {
    object: Head,
}

#[derive(Debug, Deserialize)]
struct Head {
    metadata: HeadMetadata,
}

#[derive(Debug, Deserialize)]
struct HeadMetadata {
    name: String,
    annotations: Option<Annotations>,
}

#[derive(Debug, Deserialize)]
struct Annotations {
    #[serde(rename = "rollboot.io/turn")]
    marker: Option<String>,
}

impl Object for Heads {
    const KIND: &'static str = "Table";
}

impl Page for Heads {
    fn metadata(&self) -> &ListMeta {
        &self.metadata
    }
}

impl From<Row> for Option<Marked> {
    fn from(row: Row) -> Self {
        let HeadMetadata { name, annotations } = row.object.metadata;
        let marker = annotations?.marker?;
        let turn = serde_json::from_str::<Marker>(&marker).ok();
        Some(Marked {
            node: name,
            turn: turn.map(|marker| marker.turn),
        })
    }
}

impl Operator {
    /// Reads the kubeconfig as kubectl does, and makes the client; a credential plugin is run, and may ask the person at the
    /// terminal. Connects to nothing yet. Belongs into a runtime.
    ///
    /// # Errors
    /// There is no kubeconfig, it names no cluster, or what it names cannot be used.
    pub fn connect(flags: &ConfigFlags, lock: &Lock) -> Result<Self, Failure> {
        name(&lock.namespace)?;
        name(&lock.name)?;
        let limit = match flags.request_timeout {
            Duration::ZERO => Duration::from_secs(24 * 60 * 60),
            limit => limit,
        };
        let deadlines = Deadlines {
            connect: CONNECT.min(limit),
            request: limit,
            write: limit,
            ..Deadlines::DEFAULT
        };
        let client = config::client(flags, deadlines.connect)?;
        Ok(Self {
            connector: Connector::of(client, deadlines),
            lock: lock.clone(),
        })
    }

    /// Reads the lock object. `None`: the server says that there is none.
    ///
    /// # Errors
    /// It may not be read, or nobody answered.
    pub async fn read_lock(&self) -> Result<Option<LockView>, Failure> {
        self.connector.read_lock(self.place()).await
    }

    /// Patches annotations of the lock object, or asks whether that could be done.
    pub async fn patch_lock(&self, patch: &LockPatch, dry_run: bool) -> WriteOutcome<LockView> {
        self.connector
            .write_lock(self.place(), patch, dry_run)
            .await
    }

    /// Reads a Node. `None`: the server says that there is none.
    ///
    /// # Errors
    /// It may not be read, or nobody answered.
    pub async fn read_node(&self, node: &str) -> Result<Option<NodeView>, Failure> {
        self.connector.read_node(node).await
    }

    /// Patches what a turn has left on a Node, or asks whether that could be done.
    pub async fn patch_node(
        &self,
        node: &str,
        patch: &NodePatch,
        dry_run: bool,
    ) -> WriteOutcome<NodeView> {
        self.connector.write_node(node, patch, dry_run).await
    }

    /// Lists the Nodes that bear the mark of a turn ([`MARKER`]).
    ///
    /// # Errors
    /// Nodes may not be listed, or nobody answered.
    pub async fn marked_nodes(&self) -> Result<Vec<Marked>, Failure> {
        let list = List {
            what: &format!("cannot look for {MARKER} on the Nodes"),
            accept: TABLE,
            path: NODES,
            params: ListParams::default().limit(PAGE),
            more: &[],
            // A person waits for as many pages as there are.
            within: self.connector.deadlines.request.saturating_mul(100),
        };
        let mut found = Vec::new();
        let take = |page: Heads| {
            let rows = page.rows.into_iter().flatten();
            found.extend(rows.filter_map(Option::<Marked>::from));
            Ok(())
        };
        self.connector.pages(&list, take).await?;
        Ok(found)
    }

    /// Who this is to the server.
    ///
    /// # Errors
    /// It does not say, or nobody answered.
    pub async fn user(&self) -> Result<Option<String>, Failure> {
        self.connector.user("cannot ask who this is").await
    }

    /// Namespace and name of the lock.
    pub fn lock_label(&self) -> String {
        self.place().to_string()
    }

    fn place(&self) -> LockPlace<'_> {
        LockPlace {
            namespace: &self.lock.namespace,
            name: &self.lock.name,
        }
    }
}
