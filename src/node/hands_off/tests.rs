//! Which annotations are ours to set and to remove.

use super::*;
use crate::node::Cordon;

const CLUSTER: &str = HANDS_OFF[0];
const KARPENTER: &str = HANDS_OFF[1];
const TURN: TurnId = TurnId(1);

fn marker(hands_off: &[&str]) -> Marker {
    Marker {
        turn: TURN,
        stamp: TurnId(2),
        boot_id: "b".into(),
        cordon: Cordon::Ours,
        hands_off: hands_off.iter().map(|name| (*name).to_owned()).collect(),
    }
}

/// A Node with these annotations, each with its value and whether we own it, and a marker that claims some of them.
fn node(notices: &[(&'static str, &str, bool)], claims: Option<&[&str]>) -> NodeView {
    let notice = |(name, value, owned): &(&'static str, &str, bool)| {
        let value = (*value).to_owned();
        let owned = *owned;
        (*name, Notice { value, owned })
    };
    NodeView {
        uid: "n".into(),
        version: "1".into(),
        unschedulable: true,
        cordon_owned: true,
        marker: claims.map(|claims| marker(claims).encode()),
        hands_off: notices.iter().map(notice).collect(),
        ..NodeView::default()
    }
}

fn claimed(patch: &NodePatch) -> Vec<&str> {
    let marker = patch.marker.as_ref().unwrap();
    marker.hands_off.iter().map(String::as_str).collect()
}

#[test]
fn what_is_not_there_is_set_and_claimed_and_what_is_there_is_left() {
    let clean = NodePatch::mark(&node(&[], None), marker(&[]), Some(true));
    assert_eq!(
        clean.hands_off,
        BTreeMap::from([(CLUSTER, true), (KARPENTER, true)])
    );
    assert_eq!(claimed(&clean), HANDS_OFF);
    for value in ["true", "false", ""] {
        let before = node(&[(CLUSTER, value, false)], None);
        let patch = NodePatch::mark(&before, marker(&[]), Some(true));
        assert_eq!(patch.hands_off, BTreeMap::from([(KARPENTER, true)]));
        assert_eq!(claimed(&patch), [KARPENTER]);
    }
}

#[test]
fn only_what_is_claimed_and_untouched_goes() {
    for (value, owned, claims, goes) in [
        ("true", true, &HANDS_OFF[..], true),
        ("true", true, &[KARPENTER], false),
        ("true", false, &HANDS_OFF, false),
        ("false", true, &HANDS_OFF, false),
        ("true", true, &[], false),
    ] {
        let node = node(&[(CLUSTER, value, owned)], Some(claims));
        let patch = NodePatch::clean(&node, Some(TURN)).unwrap();
        let wanted = BTreeMap::from_iter(goes.then_some((CLUSTER, false)));
        assert_eq!(patch.hands_off, wanted, "{value} {owned} {claims:?}");
        assert_eq!((patch.marker, patch.unschedulable), (None, Some(false)));
    }
    let marked = node(&[(CLUSTER, "true", true)], Some(&HANDS_OFF));
    for turn in [None, Some(TurnId(7))] {
        let patch = NodePatch::clean(&marked, turn).unwrap();
        assert_eq!(patch.hands_off, BTreeMap::new(), "of another turn");
    }
    let unmarked = node(&[(CLUSTER, "true", true)], None);
    assert_eq!(NodePatch::clean(&unmarked, Some(TURN)), None);
}

#[test]
fn another_marker_of_the_turn_keeps_what_is_ours_and_nothing_else() {
    let before = node(
        &[(CLUSTER, "true", true), (KARPENTER, "true", false)],
        Some(&HANDS_OFF),
    );
    for patch in [
        NodePatch::restamp(&before, marker(&[])),
        NodePatch::mark(&before, marker(&[]), Some(true)),
    ] {
        assert_eq!(claimed(&patch), [CLUSTER]);
        assert_eq!(patch.hands_off, BTreeMap::new());
    }
    // One that somebody removed: set again with the cordon, not by a restart, which may be the beginning of an undo.
    let before = node(&[(CLUSTER, "true", true)], Some(&HANDS_OFF));
    assert_eq!(
        claimed(&NodePatch::restamp(&before, marker(&[]))),
        [CLUSTER]
    );
    let again = NodePatch::mark(&before, marker(&[]), Some(true));
    assert_eq!(again.hands_off, BTreeMap::from([(KARPENTER, true)]));
}

#[test]
fn markers_of_other_versions_are_read() {
    let old =
        r#"{"turn":"0000000000000001","stamp":"0000000000000002","boot_id":"b","cordon":"ours"}"#;
    assert_eq!(marker(&[]).encode(), old, "none set: as it was");
    let read = |text: &str| serde_json::from_str::<Marker>(text).unwrap();
    assert_eq!(read(old), marker(&[]));
    let new = old.replace(
        '}',
        r#","hands_off":["karpenter.sh/do-not-disrupt","z"],"new":1}"#,
    );
    assert_eq!(read(&new), marker(&[KARPENTER, "z"]));
}
