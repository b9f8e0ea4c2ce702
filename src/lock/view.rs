//! One reading of the lock object and what may be done on it.

use std::collections::BTreeMap;

use super::{Entry, Limits, PAUSE, RESUMED, TURNS};

const DOMAIN: &str = ".rollboot.io";
/// The counter has at most fifteen digits, so that every program can read it as a number.
pub(super) const MOST_TURNS: u64 = 999_999_999_999_999;

/// The annotation key of a node's slot in a group.
pub fn key(node: &str, group: &str) -> String {
    format!("{node}{DOMAIN}/{group}")
}

/// The lock object as one read saw it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LockView {
    /// UID of the ConfigMap: another one is another lock.
    pub uid: String,
    /// `metadata.resourceVersion`, opaque; the precondition of every write decided on this view.
    pub version: String,
    /// All annotations, ours and others'.
    pub annotations: BTreeMap<String, String>,
    /// The limits, as they stand.
    pub data: BTreeMap<String, String>,
}

/// A held slot. Whoever holds it, its value is not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    /// Node that holds it.
    pub node: String,
    /// Group it counts in.
    pub group: String,
}

/// A merge patch of annotations under a precondition; `None` removes a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LockPatch {
    /// Version that the write was decided on, never empty and never "0": the server takes those as "unconditional".
    pub version: String,
    /// Keys to set or to remove.
    pub annotations: BTreeMap<String, Option<String>>,
}

/// Whether a node could take a slot on a view.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// A slot is free: write this patch.
    Free,
    /// An operator stopped new turns, for this reason.
    Paused(String),
    /// All slots of the group, or of all groups, are held, or the limit is zero.
    Full {
        /// Limits that were applied.
        limits: Limits,
        /// Who holds slots now.
        holders: Vec<Slot>,
    },
}

impl LockView {
    /// All held slots, of every group.
    pub fn slots(&self) -> Vec<Slot> {
        self.annotations
            .keys()
            .filter_map(|key| slot(key))
            .collect()
    }

    /// The keys of a node's own slots: by the exact prefix, so that a change of group in the configuration loses nothing.
    pub fn own_keys(&self, node: &str) -> Vec<String> {
        self.annotations
            .keys()
            .filter(|key| slot(key).is_some_and(|slot| slot.node == node))
            .cloned()
            .collect()
    }

    /// The entry of a node's own slot, if it holds one: the outer `None` means no slot, the inner one that the value is not
    /// ours to understand.
    pub fn own_entry(&self, node: &str) -> Option<Option<Entry>> {
        let keys = self.own_keys(node);
        let entries: Vec<_> = keys
            .iter()
            .filter_map(|key| self.annotations.get(key))
            .map(|value| Entry::parse(value))
            .collect();
        entries
            .iter()
            .find(|entry| entry.is_some())
            .or(entries.first())
            .cloned()
    }

    /// The write that says that this node has drained; none if its entry already says so, or cannot be read.
    pub fn says_drained(&self, node: &str) -> Option<LockPatch> {
        let of = |key: &String| {
            let entry = Entry::parse(self.annotations.get(key)?)?;
            (entry.draining != Some(false)).then(|| (key.clone(), entry))
        };
        let (key, entry) = self.own_keys(node).iter().find_map(of)?;
        let drained = Entry {
            draining: Some(false),
            ..entry
        };
        Some(self.patch(Some((key, drained.encode())), &[]))
    }

    /// Other nodes that hold slots and may be draining: all but those that say that they are not. What cannot be read may be.
    pub fn others_draining(&self, node: &str) -> Vec<String> {
        let may_drain = |(key, value): (&String, &String)| {
            let slot = slot(key).filter(|slot| slot.node != node)?;
            let says_no = Entry::parse(value).is_some_and(|entry| entry.draining == Some(false));
            (!says_no).then_some(slot.node)
        };
        self.annotations.iter().filter_map(may_drain).collect()
    }

    /// The reason of a pause, if new turns are stopped.
    pub fn pause(&self) -> Option<&str> {
        self.annotations.get(PAUSE).map(String::as_str)
    }

    /// Whether an operator accepted this very object after an earlier one was deleted.
    pub fn resumed(&self) -> bool {
        self.annotations.get(RESUMED) == Some(&self.uid)
    }

    /// How many slots were ever taken, as far as the lock tells. Missing, or not `[1-9][0-9]{0,14}`: 0.
    pub fn turns(&self) -> u64 {
        let text = self.annotations.get(TURNS).map_or("", String::as_str);
        let canonical = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse().ok().filter(|_| canonical);
        number.filter(|it| *it <= MOST_TURNS).unwrap_or(0)
    }

    /// A patch of this view's version that takes a slot which the node does not hold yet, and counts it. Every write that adds an
    /// own key is built here.
    pub fn take(&self, slot: String, entry: &Entry) -> LockPatch {
        let turns = self.turns().saturating_add(1).min(MOST_TURNS);
        let mut patch = self.patch(Some((slot, entry.encode())), &[]);
        patch
            .annotations
            .insert(TURNS.to_owned(), Some(turns.to_string()));
        patch
    }

    /// Whether a slot of `group` is free. The node's own slots count like any other.
    pub fn verdict(&self, group: &str) -> Verdict {
        if let Some(reason) = self.pause() {
            return Verdict::Paused(reason.to_owned());
        }
        let limits = Limits::read(&self.data, group);
        let holders = self.slots();
        let in_group = holders.iter().filter(|slot| slot.group == group).count();
        if in_group < usize::from(limits.group) && holders.len() < usize::from(limits.total) {
            Verdict::Free
        } else {
            Verdict::Full { limits, holders }
        }
    }

    /// A patch of this view's version that sets one annotation and removes others. It takes no slot: [`Self::take`] does.
    pub fn patch(&self, set: Option<(String, String)>, remove: &[String]) -> LockPatch {
        let mut annotations: BTreeMap<_, _> =
            remove.iter().map(|key| (key.clone(), None)).collect();
        if let Some((key, value)) = set {
            annotations.insert(key, Some(value));
        }
        LockPatch {
            version: self.version.clone(),
            annotations,
        }
    }
}

/// Reads an annotation key as a slot: the name before `/` must end in our domain and leave a node's name before it.
fn slot(key: &str) -> Option<Slot> {
    let (prefix, group) = key.split_once('/')?;
    let node = prefix.strip_suffix(DOMAIN)?;
    (!node.is_empty()).then(|| Slot {
        node: node.to_owned(),
        group: group.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::TurnId;
    use super::*;

    fn view(annotations: &[(&str, &str)], data: &[(&str, &str)]) -> LockView {
        let map = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect()
        };
        LockView {
            uid: "u".into(),
            version: "5".into(),
            annotations: map(annotations),
            data: map(data),
        }
    }

    #[test]
    fn a_key_is_a_slot_whatever_its_value_says() {
        for value in ["", "garbage", "{}", "null"] {
            let full = view(&[("a.rollboot.io/default", value)], &[]).verdict("default");
            assert!(matches!(full, Verdict::Full { .. }), "{value:?}");
        }
    }

    #[test]
    fn a_group_and_the_total_are_both_limits() {
        let held = [("a.rollboot.io/default", "")];
        let two = [("max.default", "2"), ("max.total", "2")];
        assert_eq!(view(&held, &two).verdict("default"), Verdict::Free);
        assert_eq!(view(&held, &two).verdict("control-plane"), Verdict::Free);
        assert!(matches!(
            view(&held, &two[..1]).verdict("default"),
            Verdict::Full { .. }
        ));
        assert!(matches!(
            view(&[], &two).verdict("gpu"),
            Verdict::Full { .. }
        ));
    }

    #[test]
    fn a_pause_comes_before_a_free_slot() {
        let paused = view(&[(PAUSE, "storage upgrade")], &[]);
        assert_eq!(
            paused.verdict("default"),
            Verdict::Paused("storage upgrade".into())
        );
        assert!(paused.slots().is_empty(), "the pause itself is no slot");
    }

    #[test]
    fn whoever_does_not_say_that_it_is_not_draining_may_be() {
        let entry = |draining| {
            Entry {
                v: 1,
                turn: TurnId(1),
                stamp: TurnId(2),
                node_uid: String::new(),
                boot_id: String::new(),
                since: String::new(),
                draining,
            }
            .encode()
        };
        let (no, yes, silent) = (entry(Some(false)), entry(Some(true)), entry(None));
        let many = view(
            &[
                ("a.rollboot.io/default", &yes),
                ("b.rollboot.io/default", &no),
                ("c.rollboot.io/gpu", &yes),
                ("d.rollboot.io/default", &silent),
                ("e.rollboot.io/default", r#"{"revoked":true}"#),
                (PAUSE, "x"),
            ],
            &[],
        );
        assert_eq!(many.others_draining("a"), ["c", "d", "e"]);
    }

    #[test]
    fn what_cannot_be_read_as_a_number_of_turns_is_none() {
        for (text, turns) in [
            ("1", 1),
            ("10", 10),
            ("999999999999999", 999_999_999_999_999),
            ("0", 0),
            ("01", 0),
            ("+1", 0),
            (" 1", 0),
            ("-1", 0),
            ("", 0),
            ("1e3", 0),
            ("\u{661}", 0),
            ("1000000000000000", 0),
            ("99999999999999999999999", 0),
        ] {
            assert_eq!(view(&[(TURNS, text)], &[]).turns(), turns, "{text:?}");
        }
        assert_eq!(view(&[], &[]).turns(), 0);
        assert!(view(&[(TURNS, "7")], &[]).slots().is_empty());
    }

    #[test]
    fn taking_a_slot_is_counted_and_nothing_else_is() {
        let entry = Entry {
            v: 1,
            turn: TurnId(1),
            stamp: TurnId(2),
            node_uid: String::new(),
            boot_id: String::new(),
            since: String::new(),
            draining: None,
        };
        let slot = || key("a", "default");
        for (before, after) in [
            (&[][..], "1"),
            (&[(TURNS, "41")][..], "42"),
            (&[(TURNS, "x")][..], "1"),
            (&[(TURNS, "999999999999999")][..], "999999999999999"),
        ] {
            let view = view(before, &[]);
            let patch = view.take(slot(), &entry);
            assert_eq!(patch.version, view.version);
            let set = [
                (slot(), Some(entry.encode())),
                (TURNS.to_owned(), Some(after.to_owned())),
            ];
            assert_eq!(patch.annotations, set.into());
            let other = view.patch(Some((slot(), entry.encode())), &["b".to_owned()]);
            assert!(!other.annotations.contains_key(TURNS));
        }
    }

    #[test]
    fn own_keys_are_found_by_the_exact_name_in_any_group() {
        let many = view(
            &[
                ("a.rollboot.io/old", ""),
                ("b.a.rollboot.io/default", ""),
                ("A.rollboot.io/default", ""),
                ("a.rollboot.io.example/default", ""),
                ("a.other.io/default", ""),
            ],
            &[],
        );
        assert_eq!(many.own_keys("a"), ["a.rollboot.io/old"]);
        assert_eq!(many.own_keys("b.a"), ["b.a.rollboot.io/default"]);
        assert_eq!(many.slots().len(), 3);
    }
}
