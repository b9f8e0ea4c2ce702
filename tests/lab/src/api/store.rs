//! The objects, each with its version, and everything that ever happened to them.

use serde_json::Value;
use tokio::time::Instant;

/// What kinds of objects there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `v1`.
    ConfigMap,
    /// `v1`.
    Node,
    /// `v1`.
    Pod,
    /// `policy/v1`.
    PodDisruptionBudget,
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It was made.
    Added,
    /// It was changed.
    Modified,
    /// It is gone; the change bears its last state.
    Deleted,
}

/// One revision of the store.
#[derive(Debug, Clone)]
pub struct Change {
    /// Counted from 1 over all objects; the `resourceVersion` of the object.
    pub revision: u64,
    /// When.
    pub at: Instant,
    /// Who asked for it: a user of the API, or a component of the lab.
    pub by: String,
    /// The kind of the object.
    pub kind: Kind,
    /// What happened.
    pub what: What,
    /// The object after it.
    pub object: Value,
}
