//! The cluster as it was at any revision: the history, applied change by change.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::api::{Change, Kind, What};
use crate::cluster::object::{controller, covers, is_healthy, is_terminating, name, node_of, uid};

/// Objects as of the last change that was applied.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    /// Nodes that hold a slot.
    pub(crate) holders: BTreeSet<String>,
    /// Nodes by name.
    pub(crate) nodes: BTreeMap<String, Value>,
    /// Pods by UID.
    pub(crate) pods: BTreeMap<String, Value>,
    /// Budgets by name.
    pub(crate) budgets: BTreeMap<String, Value>,
}

impl Replay {
    /// Applies the next change; returns the object as it was before.
    pub(super) fn apply(&mut self, change: &Change) -> Option<Value> {
        let object = &change.object;
        let (objects, key) = match change.kind {
            Kind::Node => (&mut self.nodes, name(object)),
            Kind::Pod => (&mut self.pods, uid(object)),
            Kind::PodDisruptionBudget => (&mut self.budgets, name(object)),
            _ => {
                if let Some(holders) = slots_after(change) {
                    self.holders = holders;
                }
                return None;
            }
        };
        match change.what {
            What::Deleted => objects.remove(key),
            What::Added | What::Modified => objects.insert(key.to_owned(), object.clone()),
        }
    }

    /// Pods on a node that a drain must have moved, by name.
    pub(super) fn undrained(&self, node: &str) -> Vec<&str> {
        let stays = |pod: &&Value| {
            let mirror = !pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_null();
            mirror || controller(pod).is_some_and(|(kind, _)| kind == "DaemonSet")
        };
        let pods = self.pods.values();
        pods.filter(|pod| node_of(pod) == node && !stays(pod))
            .map(name)
            .collect()
    }

    /// How many pods of a budget are healthy, and how many it needs.
    pub(crate) fn budget(&self, budget: &Value) -> (usize, usize) {
        let needs = budget["spec"]["minAvailable"].as_u64().unwrap_or_default();
        let covered = self.pods.values().filter(|pod| covers(budget, pod));
        let healthy = covered.filter(|pod| is_healthy(pod)).count();
        (healthy, usize::try_from(needs).unwrap_or(usize::MAX))
    }
}

/// Nodes that hold a slot after a change of the lock; `None`: it is another object's.
pub(super) fn slots_after(change: &Change) -> Option<BTreeSet<String>> {
    if change.kind != Kind::ConfigMap || name(&change.object) != "rollboot" {
        return None;
    }
    Some(match change.what {
        What::Deleted => BTreeSet::new(),
        What::Added | What::Modified => slots(&change.object),
    })
}

/// Nodes that hold a slot in this lock: whatever the value says, the key counts.
pub(super) fn slots(lock: &Value) -> BTreeSet<String> {
    let annotations = lock["metadata"]["annotations"].as_object();
    let keys = annotations.into_iter().flatten().map(|(key, _)| key);
    keys.filter_map(|key| key.split_once(".rollboot.io/"))
        .map(|(node, _group)| node.to_owned())
        .collect()
}

/// Whether a change is an eviction: a node asked for a pod to go.
pub(super) fn is_eviction(change: &Change, before: Option<&Value>) -> bool {
    change.kind == Kind::Pod
        && change.by.starts_with("system:node:")
        && (change.what == What::Deleted || is_terminating(&change.object))
        && before.is_some_and(|pod| !is_terminating(pod))
}
