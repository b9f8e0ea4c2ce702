//! Pieces of a world that the stories here and those of the daemon (`tests/it/daemon`) are both made of.

use rollboot::drain::{Controller, ControllerRef, ControllerView, PodRef, PodView};
use rollboot::node::{HANDS_OFF_VALUE, Marker, NodePatch, NodeView, Notice};

pub(crate) fn pod(name: &str) -> PodView {
    PodView {
        pod: PodRef {
            namespace: "default".into(),
            name: name.into(),
            uid: name.into(),
        },
        controller: Some(Controller {
            api_version: "apps/v1".into(),
            kind: "ReplicaSet".into(),
            name: "app".into(),
            uid: "app".into(),
        }),
        ready: true,
        ..PodView::default()
    }
}

/// A controller with far more pods elsewhere than here.
pub(crate) fn plenty(of: &ControllerRef) -> ControllerView {
    plenty_of(&of.uid)
}

pub(crate) fn plenty_of(uid: &str) -> ControllerView {
    ControllerView {
        uid: uid.to_owned(),
        wanted: 1000,
        replicas: 1000,
        ready: 1000,
        available: 1000,
        written: "then".into(),
        ..ControllerView::default()
    }
}

/// What a server makes of a patch whose version is right.
pub(crate) fn write_node(node: &mut NodeView, patch: &NodePatch) {
    if let Some(unschedulable) = patch.unschedulable {
        node.unschedulable = unschedulable;
        node.cordon_owned = unschedulable;
    }
    for (name, set) in &patch.hands_off {
        let value = HANDS_OFF_VALUE.to_owned();
        if *set {
            node.hands_off.insert(name, Notice { value, owned: true });
        } else {
            node.hands_off.remove(name);
        }
    }
    node.marker = patch.marker.as_ref().map(Marker::encode);
    node.version = next(&node.version);
}

pub(crate) fn next(version: &str) -> String {
    (version.parse::<u64>().unwrap() + 1).to_string()
}
