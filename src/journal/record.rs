//! Where a turn runs, and with which configuration: it ends there, whatever the configuration says by then.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::Config;

/// Kept beside a turn, from before its first write to after its last.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Record {
    /// Where its writes go.
    pub place: Place,
    /// The last configuration that could be loaded: its files, in their order, each with its text.
    pub configuration: Vec<(PathBuf, String)>,
}

/// One node and one lock, in the cluster of one kubeconfig.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Name of the own Node.
    pub node: String,
    /// `node-name` of the configuration gave the name, so the credential may be of another one.
    pub named: bool,
    /// The kubeconfig's path on the host.
    pub kubeconfig: PathBuf,
    /// Namespace of the lock object.
    pub namespace: String,
    /// Name of the lock object.
    pub lock: String,
}

impl Place {
    /// A configuration that leads here; everything else in it stays.
    #[must_use]
    pub fn applied_to(&self, config: &Config) -> Config {
        let mut config = config.clone();
        config.node_name = Some(self.node.clone());
        config.kubeconfig = Some(self.kubeconfig.clone());
        config.lock.namespace.clone_from(&self.namespace);
        config.lock.name.clone_from(&self.lock);
        config
    }
}
