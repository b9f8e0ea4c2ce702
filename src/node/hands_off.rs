//! Autoscalers that would take a node away in the middle of its turn: it is cordoned and emptier than all others, which is just
//! what they look for. Two annotations tell them to keep their hands off. They are ours, and go again, by the same rule as the
//! cordon: the marker says that this turn set them, and nobody else has touched them since.

use std::collections::{BTreeMap, BTreeSet};

use super::{Marker, NodePatch, NodeView};
use crate::lock::TurnId;

/// The annotation of each autoscaler: cluster-autoscaler, Karpenter.
pub const HANDS_OFF: [&str; 2] = [
    "cluster-autoscaler.kubernetes.io/scale-down-disabled",
    "karpenter.sh/do-not-disrupt",
];
/// The value with which they count.
pub const HANDS_OFF_VALUE: &str = "true";

/// One of [`HANDS_OFF`] as it is on the Node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Notice {
    /// Its value.
    pub value: String,
    /// `managedFields` name [`super::FIELD_MANAGER`], and nobody else, as its owner.
    pub owned: bool,
}

impl NodeView {
    /// The annotations that a turn has set and that nobody has touched since.
    fn hands_off_by(&self, turn: Option<TurnId>) -> BTreeSet<&'static str> {
        let marker = self
            .parsed_marker()
            .filter(|marker| Some(marker.turn) == turn);
        let Some(marker) = marker else {
            return BTreeSet::new();
        };
        let ours =
            |name: &str, it: &Notice| marker.hands_off.contains(name) && it.owned && it.counts();
        self.hands_off
            .iter()
            .filter(|(name, notice)| ours(name, notice))
            .map(|(name, _)| *name)
            .collect()
    }
}

impl Notice {
    fn counts(&self) -> bool {
        self.value == HANDS_OFF_VALUE
    }
}

impl NodePatch {
    /// Marks the Node in a turn, and sets what tells autoscalers to keep off where nothing of it is there. What is there stays,
    /// whatever it says: it is somebody's decision.
    pub fn mark(node: &NodeView, marker: Marker, unschedulable: Option<bool>) -> Self {
        let absent = HANDS_OFF
            .into_iter()
            .filter(|name| !node.hands_off.contains_key(name));
        let set: BTreeMap<_, _> = absent.map(|name| (name, true)).collect();
        let mut ours = node.hands_off_by(Some(marker.turn));
        ours.extend(set.keys());
        Self::write(node, marker, ours, unschedulable, set)
    }

    /// Writes a new marker over another one, of whatever turn, and changes nothing else: what was ours stays ours.
    pub fn restamp(node: &NodeView, marker: Marker) -> Self {
        let found = node.parsed_marker().map(|marker| marker.turn);
        let ours = node.hands_off_by(found);
        Self::write(node, marker, ours, None, BTreeMap::new())
    }

    /// Takes away everything that a turn has left on the Node: its cordon, its marker, what it told autoscalers. `None`: there is
    /// nothing.
    pub fn clean(node: &NodeView, turn: Option<TurnId>) -> Option<Self> {
        node.marker.as_ref()?;
        let lift = turn.is_some_and(|turn| node.cordon_is_ours(turn));
        let ours = node.hands_off_by(turn).into_iter();
        Some(Self {
            version: node.version.clone(),
            unschedulable: lift.then_some(false),
            marker: None,
            hands_off: ours.map(|name| (name, false)).collect(),
        })
    }

    fn write(
        node: &NodeView,
        marker: Marker,
        ours: BTreeSet<&str>,
        unschedulable: Option<bool>,
        hands_off: BTreeMap<&'static str, bool>,
    ) -> Self {
        let marker = Marker {
            hands_off: ours.into_iter().map(str::to_owned).collect(),
            ..marker
        };
        Self {
            version: node.version.clone(),
            unschedulable,
            marker: Some(marker),
            hands_off,
        }
    }
}

#[cfg(test)]
mod tests;
