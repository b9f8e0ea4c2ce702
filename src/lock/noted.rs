//! Which lock a node takes part in: what it has seen of it, so that a lock that has lost its slots is never taken for a free one.

use serde::{Deserialize, Serialize};

use super::LockView;

/// What a read or the answer to a write has shown of the lock, never what is about to be written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Known")]
pub struct Noted {
    /// UID of the ConfigMap.
    pub uid: String,
    /// The highest number of turns.
    pub turns: u64,
}

/// As a journal has it. The first ones had the UID alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Known {
    Uid(String),
    Both { uid: String, turns: u64 },
}

impl From<Known> for Noted {
    fn from(known: Known) -> Self {
        match known {
            Known::Uid(uid) => Self { uid, turns: 0 },
            Known::Both { uid, turns } => Self { uid, turns },
        }
    }
}

impl Noted {
    /// What a view shows.
    pub fn of(view: &LockView) -> Self {
        Self {
            uid: view.uid.clone(),
            turns: view.turns(),
        }
    }

    /// Whether a view is of this lock, or of one that an operator accepts in its place, and no older than what is noted.
    pub fn admits(&self, view: &LockView) -> bool {
        (self.uid == view.uid || view.resumed()) && view.turns() >= self.turns
    }

    /// The same lock was seen again.
    pub fn see(&mut self, view: &LockView) {
        if self.uid == view.uid {
            self.turns = self.turns.max(view.turns());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{RESUMED, TURNS};
    use super::*;

    fn view(uid: &str, turns: &str, resumed: &str) -> LockView {
        let pairs = [(TURNS, turns), (RESUMED, resumed)];
        let set = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        LockView {
            uid: uid.into(),
            version: "5".into(),
            annotations: set.map(|(key, value)| (key.into(), value.into())).collect(),
            data: BTreeMap::new(),
        }
    }

    #[test]
    fn only_the_noted_or_a_resumed_lock_with_no_lower_number_is_admitted() {
        let noted = Noted {
            uid: "u".into(),
            turns: 7,
        };
        for (uid, turns, resumed, admitted) in [
            ("u", "7", "", true),
            ("u", "8", "", true),
            ("u", "6", "", false),
            ("u", "", "", false),
            ("u", "6", "u", false),
            ("new", "7", "", false),
            ("new", "7", "new", true),
            ("new", "6", "new", false),
            ("new", "", "new", false),
            ("new", "7", "u", false),
        ] {
            let admits = noted.admits(&view(uid, turns, resumed));
            assert_eq!(admits, admitted, "{uid} {turns} {resumed}");
        }
    }

    #[test]
    fn a_number_is_only_raised_and_only_by_the_same_lock() {
        let mut noted = Noted::of(&view("u", "7", ""));
        noted.see(&view("u", "3", ""));
        noted.see(&view("new", "9", ""));
        assert_eq!((noted.uid.as_str(), noted.turns), ("u", 7));
        noted.see(&view("u", "8", ""));
        assert_eq!(noted.turns, 8);
    }

    #[test]
    fn the_note_of_the_first_journals_is_a_uid() {
        let old: Noted = serde_json::from_str(r#""u""#).unwrap();
        assert_eq!((old.uid.as_str(), old.turns), ("u", 0));
        let new = Noted::of(&view("u", "7", ""));
        let text = serde_json::to_string(&new).unwrap();
        assert_eq!(serde_json::from_str::<Noted>(&text).unwrap(), new);
    }
}
