//! The controller of the pods, as late as it likes.

use crate::names;
use crate::world::World;

/// A ReplicaSet with pods on all nodes, and on one that is no part of the model.
#[derive(Debug, Clone, Hash)]
pub(crate) struct App {
    /// What its status says.
    pub(crate) ready: usize,
    /// Of which version of the object it is.
    pub(crate) version: String,
    /// Replacements that it has made and that are not Ready yet.
    pub(crate) pending: usize,
    /// Replacements that are Ready.
    pub(crate) elsewhere: usize,
    /// A host has booted with pods on it, which are not Ready for a while: the status is written even if it comes out the same.
    pub(crate) stirred: bool,
}

impl World {
    /// How many pods of the app are Ready and not about to end.
    pub(crate) fn pods_ready(&self) -> usize {
        let pods = self.nodes.iter().flatten().flat_map(|node| &node.pods);
        pods.filter(|pod| !pod.terminating && !pod.bare).count() + self.app.elsewhere
    }

    /// The app's controller has something to do or to write.
    pub(crate) fn app_lags(&self) -> bool {
        let ready = self.pods_ready();
        let missing = ready + self.app.pending < self.scenario.wanted;
        let stirred = self.app.stirred;
        self.scenario.wanted > 0 && (missing || stirred || self.app.ready != ready)
    }

    /// It looks at its pods, makes replacements and writes its status.
    pub(crate) fn app_looks(&mut self) {
        let ready = self.pods_ready();
        self.app.pending = self
            .scenario
            .wanted
            .saturating_sub(ready)
            .max(self.app.pending);
        if std::mem::take(&mut self.app.stirred) || self.app.ready != ready {
            self.app.ready = ready;
            self.app.version = self.fresh(names::VERSION);
        }
    }
}
