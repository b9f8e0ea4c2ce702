//! The own Node as data, the marker that says whose cordon it bears, and whether it could be lifted.

mod hands_off;

pub use hands_off::{HANDS_OFF, HANDS_OFF_VALUE, Notice};

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lock::TurnId;

/// Annotation of the own Node that marks a turn.
pub const MARKER: &str = "rollboot.io/turn";
/// Annotation with which an operator makes this one node wait; its value is the reason.
pub const HOLD: &str = "rollboot.io/hold";
/// Field manager of every write, so that `managedFields` can tell whose cordon it is.
pub const FIELD_MANAGER: &str = "rollboot";

/// What one read of the own Node saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct NodeView {
    /// UID: another one is another Node object of the same name.
    pub uid: String,
    /// `metadata.resourceVersion`, the precondition of every write decided on this view.
    pub version: String,
    /// `spec.unschedulable`.
    pub unschedulable: bool,
    /// `managedFields` name [`FIELD_MANAGER`], and nobody else, as owner of `spec.unschedulable`.
    pub cordon_owned: bool,
    /// The raw text of the [`MARKER`] annotation.
    pub marker: Option<String>,
    /// The text of the [`HOLD`] annotation.
    pub hold: Option<String>,
    /// Those of [`HANDS_OFF`] that are there.
    pub hands_off: BTreeMap<&'static str, Notice>,
    /// `status.volumesAttached`: what the cluster has attached to it.
    pub attached: BTreeSet<String>,
    /// `status.volumesInUse`: what its kubelet has mounted, or is about to.
    pub in_use: BTreeSet<String>,
    /// It has a deletion timestamp.
    pub deleting: bool,
    /// It bears the role label of a control-plane node.
    pub control_plane: bool,
    /// `status.nodeInfo.bootID`, written by the kubelet.
    pub boot_id: String,
    /// The Ready condition.
    pub ready: Readiness,
    /// When the server gave this answer: seconds since the epoch by its clock.
    pub answered: Option<i64>,
}

/// The Ready condition of a Node as the kubelet last wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Readiness {
    /// Its status is True.
    pub ready: bool,
    /// Its `lastHeartbeatTime`, seconds since the epoch.
    pub heartbeat: Option<i64>,
    /// Its message, for the operator.
    pub message: String,
}

/// Whose cordon it is while a turn runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cordon {
    /// We set it, we lift it.
    Ours,
    /// Somebody else had set it; it stays.
    Foreign,
    /// There is none yet.
    None,
}

/// The value of the [`MARKER`] annotation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Marker {
    /// The turn that wrote it; the same from its first write to its last.
    pub turn: TurnId,
    /// The start of the daemon that wrote it last.
    pub stamp: TurnId,
    /// Boot ID of the host when the turn began.
    pub boot_id: String,
    /// Whose cordon it is.
    pub cordon: Cordon,
    /// The annotations of [`HANDS_OFF`] that this turn has set. A marker of an older version names none, one of a newer version
    /// may name others.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub hands_off: BTreeSet<String>,
}

impl Marker {
    /// The text of the annotation.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A merge patch of the own Node under a precondition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodePatch {
    /// Version that the write was decided on.
    pub version: String,
    /// `spec.unschedulable`: set, lift, or leave alone.
    pub unschedulable: Option<bool>,
    /// The marker: set it, or remove it.
    pub marker: Option<Marker>,
    /// Annotations of [`HANDS_OFF`] to set, or to remove.
    pub hands_off: BTreeMap<&'static str, bool>,
}

impl NodeView {
    /// The marker, if there is one that can be read.
    pub fn parsed_marker(&self) -> Option<Marker> {
        serde_json::from_str(self.marker.as_deref()?).ok()
    }

    /// A cordon is ours only while the marker carries our turn **and** `managedFields` still name us: somebody who lifted it
    /// and cordoned again has made it theirs.
    pub fn cordon_is_ours(&self, turn: TurnId) -> bool {
        self.unschedulable
            && self.cordon_owned
            && self
                .parsed_marker()
                .is_some_and(|marker| marker.turn == turn && marker.cordon == Cordon::Ours)
    }
}

/// What a list of all Nodes says of their health.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct NodesView {
    /// How many there are.
    pub all: usize,
    /// The names of those that are not Ready, or of which it is not known.
    pub not_ready: Vec<String>,
    /// Those among them that are part of the control plane, by their roles.
    pub control_plane: Vec<String>,
}

/// Something that whoever looks at the Node should know.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeEvent {
    /// UID of the Node.
    pub node_uid: String,
    /// The turn that it is about. A turn tells a thing once.
    pub turn: TurnId,
    /// When it happened.
    pub at: Timestamp,
    /// In one word.
    pub reason: &'static str,
    /// What happened, and what to do.
    pub message: String,
}
