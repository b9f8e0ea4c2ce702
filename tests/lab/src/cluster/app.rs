//! What runs in the cluster: apps with so many replicas, or with one pod on each node.

use serde_json::{Value, json};

use super::NAMESPACE;
use super::object::controller;

/// An app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    name: String,
    shape: Shape,
    min_available: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Replicas(usize),
    EachNode,
}

impl App {
    /// An app with so many replicas.
    pub fn replicas(name: &str, replicas: usize) -> Self {
        Self {
            name: name.to_owned(),
            shape: Shape::Replicas(replicas),
            min_available: None,
        }
    }

    /// An app with a pod on each node, which no drain moves.
    pub fn each_node(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            shape: Shape::EachNode,
            min_available: None,
        }
    }

    /// The app with a disruption budget: so many of its pods must stay available.
    #[must_use]
    pub fn with_budget(mut self, min_available: usize) -> Self {
        self.min_available = Some(min_available);
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many pods it wants in a cluster of so many nodes.
    pub fn wanted(&self, nodes: usize) -> usize {
        match self.shape {
            Shape::Replicas(replicas) => replicas,
            Shape::EachNode => nodes,
        }
    }

    /// The least that its budget leaves; `None`: it has no budget.
    pub fn min_available(&self) -> Option<usize> {
        self.min_available
    }

    /// Whether it has a pod on each node.
    pub fn is_on_each_node(&self) -> bool {
        self.shape == Shape::EachNode
    }

    /// Whether a pod is one of its own.
    pub fn owns(&self, pod: &Value) -> bool {
        controller(pod).is_some_and(|(_, name)| name == self.controller())
    }

    fn controller(&self) -> String {
        match self.shape {
            Shape::Replicas(_) => format!("{}-7d4b9c", self.name),
            Shape::EachNode => self.name.clone(),
        }
    }

    /// A new pod, bound to `node` if it names one.
    pub(crate) fn pod(&self, name: &str, node: Option<&str>) -> Value {
        let kind = match self.shape {
            Shape::Replicas(_) => "ReplicaSet",
            Shape::EachNode => "DaemonSet",
        };
        json!({
            "metadata": {
                "namespace": NAMESPACE,
                "name": name,
                "labels": {"app": self.name},
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": kind, "name": self.controller(),
                    "uid": format!("uid-of-{}", self.controller()), "controller": true,
                }],
            },
            "spec": {
                "nodeName": node,
                "terminationGracePeriodSeconds": 30,
                "containers": [{"name": self.name, "image": format!("registry.example/{}:1", self.name)}],
            },
            "status": {"phase": "Pending"},
        })
    }
}
