//! What an operator writes into the lock: a pause, its end, and the end of a slot whose node will not give it back.

use super::view::MOST_TURNS;
use super::{LockPatch, LockView, PAUSE, RESUMED, TURNS, TurnId};

/// The value of a slot that an operator is taking away: its holder reads it as "not yours any more", and `policy.yaml` lets only
/// such a slot be dropped by anybody but its node.
pub const REVOKED: &str = r#"{"revoked":true}"#;

/// A Node that bears the mark of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// Its name.
    pub node: String,
    /// The turn that the mark names; `None`: it cannot be read.
    pub turn: Option<TurnId>,
}

impl LockView {
    /// No new turns from now on.
    pub fn paused(&self, reason: &str) -> LockPatch {
        self.changing([(PAUSE.to_owned(), Some(reason.to_owned()))])
    }

    /// Turns may begin again, on this very object as it stands. The number of turns is raised above whatever any node can have
    /// noted of a lock that was lost: one more than here, and at least `now`, seconds since the epoch, since no lock counts a
    /// turn a second.
    pub fn resuming(&self, now: u64) -> LockPatch {
        let turns = self.turns().saturating_add(1).max(now).min(MOST_TURNS);
        let pause = self.pause().map(|_| (PAUSE.to_owned(), None));
        let accepted = [
            (RESUMED.to_owned(), Some(self.uid.clone())),
            (TURNS.to_owned(), Some(turns.to_string())),
        ];
        self.changing(accepted.into_iter().chain(pause))
    }

    /// Marks the slots of a node as taken away. No annotations: they are.
    pub fn revoking(&self, node: &str) -> LockPatch {
        let held = self.own_keys(node).into_iter();
        self.changing(
            held.filter(|key| !self.is_revoked(key))
                .map(|key| (key, Some(REVOKED.to_owned()))),
        )
    }

    /// Drops the slots of a node that are marked so, and no other: the node may have begun a new turn meanwhile.
    pub fn freeing(&self, node: &str) -> LockPatch {
        let held = self.own_keys(node).into_iter();
        self.changing(
            held.filter(|key| self.is_revoked(key))
                .map(|key| (key, None)),
        )
    }

    /// Those of the marked Nodes whose turn has no slot here: this lock does not know of a turn that may be under way.
    pub fn unaccounted<'a>(&self, marked: &'a [Marked]) -> Vec<&'a str> {
        let has_slot = |it: &&Marked| {
            let entry = self.own_entry(&it.node).flatten();
            it.turn.is_some() && it.turn == entry.map(|entry| entry.turn)
        };
        marked
            .iter()
            .filter(|it| !has_slot(it))
            .map(|it| it.node.as_str())
            .collect()
    }

    pub(crate) fn is_revoked(&self, key: &str) -> bool {
        self.annotations.get(key).is_some_and(|it| it == REVOKED)
    }

    fn changing(
        &self,
        annotations: impl IntoIterator<Item = (String, Option<String>)>,
    ) -> LockPatch {
        LockPatch {
            version: self.version.clone(),
            annotations: annotations.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Entry;
    use super::*;

    fn view(annotations: &[(&str, &str)]) -> LockView {
        LockView {
            uid: "u".into(),
            version: "5".into(),
            annotations: annotations
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            data: Default::default(),
        }
    }

    fn slot(turn: u64) -> String {
        Entry {
            v: 1,
            turn: TurnId(turn),
            stamp: TurnId(9),
            node_uid: String::new(),
            boot_id: String::new(),
            since: String::new(),
            draining: None,
        }
        .encode()
    }

    fn told(patch: &LockPatch) -> Vec<(&str, Option<&str>)> {
        assert_eq!(patch.version, "5");
        let pairs = patch.annotations.iter();
        pairs
            .map(|(key, value)| (key.as_str(), value.as_deref()))
            .collect()
    }

    #[test]
    fn a_resumed_lock_has_a_number_that_no_node_can_have_noted() {
        for (before, now, after) in [
            (None, 1_700_000_000, "1700000000"),
            (Some("41"), 1_700_000_000, "1700000000"),
            (Some("1700000000"), 1_700_000_000, "1700000001"),
            (Some("rubbish"), 7, "7"),
            (Some("41"), 0, "42"),
        ] {
            let lock = view(before.map(|it| (TURNS, it)).as_slice());
            let patch = lock.resuming(now);
            assert_eq!(
                told(&patch),
                [(RESUMED, Some("u")), (TURNS, Some(after))],
                "{before:?} {now}"
            );
        }
        let paused = view(&[(PAUSE, "why")]).resuming(1);
        assert_eq!(told(&paused)[0], (PAUSE, None));
        let pausing = view(&[]).paused("why");
        assert_eq!(told(&pausing), [(PAUSE, Some("why"))]);
    }

    #[test]
    fn only_what_was_revoked_is_dropped() {
        let (key, old) = ("a.rollboot.io/default", "a.rollboot.io/old");
        let held = slot(1);
        let lock = view(&[(key, &held), (old, REVOKED), ("b.rollboot.io/default", "")]);
        assert_eq!(told(&lock.revoking("a")), [(key, Some(REVOKED))]);
        assert_eq!(told(&lock.freeing("a")), [(old, None)]);
        assert!(lock.freeing("b").annotations.is_empty());
        assert!(lock.revoking("nobody").annotations.is_empty());
    }

    #[test]
    fn a_mark_is_accounted_for_by_the_slot_of_the_same_turn_alone() {
        let (one, two) = (slot(1), slot(2));
        let lock = view(&[
            ("same.rollboot.io/default", &one),
            ("older.rollboot.io/default", &two),
            ("revoked.rollboot.io/default", REVOKED),
        ]);
        let marked: Vec<_> = [
            ("same", Some(1)),
            ("older", Some(1)),
            ("revoked", Some(1)),
            ("none", Some(1)),
            ("same", None),
            ("nobody", None),
        ]
        .into_iter()
        .map(|(node, turn)| Marked {
            node: node.into(),
            turn: turn.map(TurnId),
        })
        .collect();
        assert_eq!(
            lock.unaccounted(&marked),
            ["older", "revoked", "none", "same", "nobody"]
        );
        assert!(lock.unaccounted(&marked[..1]).is_empty());
    }
}
