//! The API server, asked with the kubelet's own credential.
//!
//! Each method of [`KubeletCluster`] makes one request (a list: one for each page) under a deadline and says what
//! came of it. Nothing is retried, nothing is decided, nothing is remembered but the connection.

mod answer;
mod certificate;
mod client;
mod controllers;
mod credential;
mod events;
mod exchange;
mod files;
mod identity;
mod kubeconfig;
mod lenient;
mod lock_map;
mod nodes;
mod operator;
mod own_node;
mod owner;
mod pages;
mod pod;
mod pods;
mod probe;
mod questions;
pub mod reading;
mod text;
mod transport;
mod watch;
mod written;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use credential::{Access, Credential};
pub use kubeconfig::{NameSource, PLACES, Source};
pub use operator::{ConfigFlags, Operator};

use self::client::{Connector, Maker};
use crate::config::Config;
use crate::drain::{ControllerRef, ControllerView, EvictAnswer, PodRef, PodView};
use crate::failure::{Failure, WriteOutcome};
use crate::journal::Place;
use crate::lock::{LockPatch, LockView};
use crate::node::{NodeEvent, NodePatch, NodeView, NodesView};
use crate::ports::Cluster;

/// The longest that an API server works on a request; it takes no more.
const SERVED: Duration = Duration::from_secs(35);

/// How long is waited for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// For a connection, TLS included, whichever of the server's addresses it goes to.
    pub connect: Duration,
    /// For a read, from building the client to the last byte of the answer; for a watch, to the head of the answer.
    pub request: Duration,
    /// The same for a write, which may have to wait for admission webhooks.
    pub write: Duration,
    /// For a watch as a whole; the server is told to end it then.
    pub watch: Duration,
    /// For the next event of a watch; after so much silence it is over. A server that has anything to tell sends a bookmark every
    /// minute.
    pub idle: Duration,
}

impl Deadlines {
    /// A connection that takes longer than 4 s is given up before the request is: then it is certain that nothing was sent.
    /// A read has 10 s, a watch 290 s (shorter than the five minutes after which middle boxes like to forget), an event 90 s.
    ///
    /// A write has 45 s. An admission webhook may take 30 s (`timeoutSeconds` of its configuration), and one that does not answer
    /// takes all of them before the server goes on without it, or says which one it was. With less time nothing could be
    /// written as long as such a webhook is there. A connection that is dead is noticed by TCP, long before.
    pub const DEFAULT: Self = Self {
        connect: Duration::from_secs(4),
        request: Duration::from_secs(10),
        write: Duration::from_secs(45),
        watch: Duration::from_secs(290),
        idle: Duration::from_secs(90),
    };

    /// Longest time that undoing a turn takes if the server answers at all: a write or an eviction that is in flight is waited
    /// out, then cordon and slot are given back, each with a read and a write.
    pub const fn undo(&self) -> Duration {
        let answers = self.request.saturating_mul(2);
        self.write.saturating_mul(3).saturating_add(answers)
    }

    /// What the server is told of the deadline of a read: a little less, so that it rather says that it gave up than that we do
    /// not know.
    fn served(&self) -> String {
        let time = (self.request * 4 / 5).min(SERVED);
        format!("{}ms", time.as_millis())
    }

    /// The same for a write, 35 s of 45: a write that we no longer wait for does not happen later.
    fn served_write(&self) -> String {
        let time = (self.write * 7 / 9).min(SERVED);
        format!("{}ms", time.as_millis())
    }
}

impl Default for Deadlines {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The cluster as a kubelet may see it.
#[derive(Debug)]
pub struct KubeletCluster {
    connector: Connector,
    source: Source,
    place: Place,
    name_source: NameSource,
}

impl KubeletCluster {
    /// Finds the kubeconfig and the node's name below `root`, where files alone tell them; see also [`Self::find`].
    pub fn discover(config: &Config, root: &Path) -> Result<Self, Failure> {
        Self::with_deadlines(config, root, Deadlines::DEFAULT)
    }

    /// The same with other deadlines.
    pub fn with_deadlines(
        config: &Config,
        root: &Path,
        deadlines: Deadlines,
    ) -> Result<Self, Failure> {
        let source = Source::find(config.kubeconfig.as_deref(), root)?;
        let (node, by) = source
            .node_name(config.node_name.as_deref())?
            .ok_or_else(|| {
                Failure::local(format!(
                    "{} does not tell the node's name, for it has no client certificate of a node",
                    source.path().display()
                ))
            })?;
        Self::of(source, node, by, config, deadlines)
    }

    /// Where a turn has begun, and nowhere else. Connects to nothing yet.
    ///
    /// # Errors
    /// Its kubeconfig is not there.
    pub fn recorded(place: &Place, root: &Path) -> Result<Self, Failure> {
        let source = Source::recorded(&place.kubeconfig, root)?;
        Self::at(
            place.clone(),
            source,
            NameSource::Record,
            Deadlines::DEFAULT,
        )
    }

    fn at(
        place: Place,
        source: Source,
        name_source: NameSource,
        deadlines: Deadlines,
    ) -> Result<Self, Failure> {
        text::name(&place.namespace)?;
        text::name(&place.lock)?;
        let maker = Maker {
            source: source.clone(),
            connect: deadlines.connect,
            configured: place.named.then(|| place.node.clone()),
            node: place.node.clone(),
            renamed: Arc::default(),
        };
        Ok(Self {
            connector: Connector::new(maker, deadlines),
            source,
            place,
            name_source,
        })
    }

    /// The own node's name.
    pub fn node(&self) -> &str {
        &self.place.node
    }

    /// What all requests are about.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Where the own node's name was found.
    pub fn name_source(&self) -> NameSource {
        self.name_source
    }

    /// Whether the credential on disk names another node by now, so that this one can make no request any more.
    pub fn is_renamed(&self) -> bool {
        self.connector.is_renamed()
    }

    /// The kubeconfig in use.
    pub fn kubeconfig(&self) -> &Path {
        self.source.path()
    }

    /// What [`Cluster::evict`] would be answered now, without evicting. Budgets are consulted, but several such questions do not
    /// add up.
    pub async fn try_eviction(&self, pod: &PodRef) -> EvictAnswer {
        self.post_eviction(pod, true).await
    }
}

impl Cluster for KubeletCluster {
    async fn read_lock(&self) -> Result<Option<LockView>, Failure> {
        self.connector.read_lock(self.lock()).await
    }

    async fn patch_lock(&self, patch: &LockPatch) -> WriteOutcome<LockView> {
        self.connector.write_lock(self.lock(), patch, false).await
    }

    async fn watch_lock(
        &self,
        version: &str,
        seen: impl FnMut(Option<LockView>),
    ) -> Result<(), Failure> {
        self.follow_lock(version, seen).await
    }

    async fn read_node(&self) -> Result<Option<NodeView>, Failure> {
        self.connector.read_node(self.node()).await
    }

    async fn patch_node(&self, patch: &NodePatch) -> WriteOutcome<NodeView> {
        self.connector.write_node(self.node(), patch, false).await
    }

    async fn peer_exists(&self, node: &str) -> Result<bool, Failure> {
        self.connector.has_node(node).await
    }

    async fn list_pods(&self) -> Result<Vec<PodView>, Failure> {
        self.get_pods().await.map(|(pods, _version)| pods)
    }

    async fn watch_pods(&self, seen: impl FnMut(Vec<PodView>)) -> Result<(), Failure> {
        self.follow_pods(seen).await
    }

    async fn list_nodes(&self) -> Result<NodesView, Failure> {
        self.get_nodes().await
    }

    async fn read_controller(
        &self,
        controller: &ControllerRef,
    ) -> Result<Option<ControllerView>, Failure> {
        self.get_controller(controller).await
    }

    async fn announce(&self, event: &NodeEvent) -> Result<(), Failure> {
        self.post_event(event).await
    }

    async fn evict(&self, pod: &PodRef) -> EvictAnswer {
        self.post_eviction(pod, false).await
    }
}
