//! Controllers that may not have seen yet what a turn evicted: the next node would still count those pods as Ready.
//!
//! A controller has observed all of them once its status was written and came to rest ([`super::observed`]). After a boot it has had
//! minutes for that, and having written is enough.

use std::collections::BTreeMap;

use super::observed::{Refusals, StatusObserver, is_observed};
use super::{ControllerRef, ControllerView, EvictionRecord, Kind, StatusSnapshot};
use crate::failure::Failure;

/// The controllers that are waited for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct UnobservedEvictions {
    left: BTreeMap<ControllerRef, PendingController>,
    booted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct PendingController {
    observer: StatusObserver,
    /// It was written since the last eviction that went.
    wrote: bool,
    refusals: Refusals,
    due: bool,
}

impl UnobservedEvictions {
    /// These, of which pods were evicted; `booted`: in an earlier boot.
    pub fn new(records: impl IntoIterator<Item = EvictionRecord>, booted: bool) -> Self {
        // A Deployment sees pods through its ReplicaSets, and may miss a short fall.
        let records = records.into_iter();
        let records = records.filter(|record| record.of.kind != Kind::Deployment);
        let late = |record: EvictionRecord| {
            let late = PendingController {
                // The last look before the last eviction.
                observer: StatusObserver::since(StatusSnapshot::noted(&record)),
                wrote: false,
                refusals: Refusals::default(),
                due: true,
            };
            (record.of, late)
        };
        Self {
            left: records.map(late).collect(),
            booted,
        }
    }

    /// Whether all have seen it.
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// The controller to read next, if one is due.
    pub fn next_read(&self) -> Option<ControllerRef> {
        let mut left = self.left.iter();
        left.find(|(_, late)| late.due).map(|(of, _)| of.clone())
    }

    /// Takes the answer to [`Self::next_read`].
    pub fn read(&mut self, result: Result<Option<ControllerView>, Failure>) {
        let Some(of) = self.next_read() else {
            return;
        };
        let Some(late) = self.left.get_mut(&of) else {
            return;
        };
        late.due = false;
        let seen = match result {
            Ok(view) => view
                .filter(|view| view.uid == of.uid)
                .is_none_or(|view| late.has_seen(&view, self.booted)),
            Err(failure) => {
                late.refusals.add(&failure);
                late.refusals.are_final()
            }
        };
        if seen {
            self.left.remove(&of);
        }
    }

    /// All that are left are due again.
    pub fn look_again(&mut self) {
        self.left.values_mut().for_each(|late| late.due = true);
    }

    /// What is waited for, in words; empty if nothing is.
    pub fn describe(&self) -> String {
        let names: Vec<_> = self.left.keys().map(ControllerRef::to_string).collect();
        if names.is_empty() {
            return String::new();
        }
        format!(
            "{}: the controller has not seen yet what was evicted (is kube-controller-manager at work?)",
            names.join(", ")
        )
    }
}

impl PendingController {
    fn has_seen(&mut self, view: &ControllerView, booted: bool) -> bool {
        self.refusals.end();
        self.wrote |= self.observer.observe(view);
        is_observed(view, self.wrote, booted || self.observer.is_settled())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drain::StatusRevision;
    use crate::drain::observed::REFUSALS;
    use crate::failure::FailureKind;

    fn records(names: &[&str]) -> Vec<EvictionRecord> {
        let record = |name: &&str| EvictionRecord {
            of: ControllerRef {
                namespace: "ns".into(),
                kind: Kind::ReplicaSet,
                name: (*name).into(),
                uid: (*name).into(),
            },
            ready: 1,
            full: StatusRevision::default(),
            written: "1".into(),
            counted: 2,
            confirmed: true,
        };
        names.iter().map(record).collect()
    }

    fn view(ready: u32, written: impl Into<StatusRevision>) -> ControllerView {
        ControllerView {
            uid: "a".into(),
            wanted: 2,
            replicas: 2,
            ready,
            available: ready,
            written: written.into(),
            ..ControllerView::default()
        }
    }

    /// Whether it has seen, after each of these looks.
    fn looks<const N: usize>(booted: bool, views: [ControllerView; N]) -> [bool; N] {
        let mut unobserved = UnobservedEvictions::new(records(&["a"]), booted);
        views.map(|view| {
            unobserved.look_again();
            unobserved.read(Ok(Some(view)));
            unobserved.is_empty()
        })
    }

    #[test]
    fn a_status_that_was_written_and_rests_has_seen_it() {
        let same = || view(2, "1");
        assert_eq!(looks(false, [same(), same(), same()]), [false; 3]);
        assert_eq!(looks(true, [same(), same(), same()]), [false; 3]);
        // Of two evictions it may have seen one: it is looked at once more, unless a boot lies between.
        let wrote = || view(2, "2");
        assert_eq!(looks(false, [wrote(), wrote()]), [false, true]);
        assert_eq!(looks(true, [wrote()]), [true]);
        let fell = || view(1, "1");
        assert_eq!(looks(true, [fell()]), [true], "within the same second");
        let second = |version: &str, others| StatusRevision {
            fresh: true,
            version: version.into(),
            others,
            .."1".into()
        };
        let at = |version, others| view(2, second(version, others));
        // The note is of a status that was written long before: what counts is what is seen to be written.
        let twice = || [at("10", 0), at("11", 0)];
        assert_eq!(looks(true, twice()), [false, true]);
        let [first, next] = twice();
        assert_eq!(
            looks(false, [first, next.clone(), next]),
            [false, false, true]
        );
        assert_eq!(
            looks(true, [at("10", 0), at("11", 1)]),
            [false, false],
            "an annotation"
        );
        let flaps = ["2", "3", "4", "5"].map(|written| view(2, written));
        assert_eq!(looks(false, flaps), [false, false, false, true]);
        let silent = || view(2, "");
        assert_eq!(looks(false, [silent(), silent()]), [false, true]);
    }

    #[test]
    fn what_nobody_wants_or_nobody_keeps_is_not_waited_for() {
        type Change = fn(&mut ControllerView);
        let changes: [Change; 3] = [
            |it| it.wanted = 0,
            |it| it.deleting = true,
            |it| it.uid = "another".into(),
        ];
        for change in changes {
            let mut same = view(2, "1");
            change(&mut same);
            assert_eq!(looks(false, [same]), [true]);
        }
        let mut unobserved = UnobservedEvictions::new(records(&["a"]), false);
        unobserved.read(Ok(None));
        assert!(unobserved.is_empty());
        let mut deployment = records(&["a"]);
        deployment[0].of.kind = Kind::Deployment;
        assert!(UnobservedEvictions::new(deployment, true).is_empty());
    }

    #[test]
    fn each_is_read_once_a_look_and_failures_say_nothing() {
        let mut unobserved = UnobservedEvictions::new(records(&["a", "b"]), true);
        let failure = |kind| Err(Failure::new(kind, "no"));
        for look in 0..10 {
            assert_eq!(unobserved.next_read().unwrap().name, "a");
            unobserved.read(failure(if look % 3 == 2 {
                FailureKind::Unavailable
            } else {
                FailureKind::Forbidden
            }));
            assert_eq!(unobserved.next_read().unwrap().name, "b");
            unobserved.read(failure(FailureKind::Unavailable));
            assert_eq!(unobserved.next_read(), None);
            unobserved.look_again();
        }
        assert!(
            unobserved
                .describe()
                .starts_with("ReplicaSet ns/a, ReplicaSet ns/b: ")
        );
        // What may not be read any more is not waited for.
        for _ in 0..REFUSALS {
            unobserved.read(failure(FailureKind::Forbidden));
            unobserved.read(failure(FailureKind::Unavailable));
            unobserved.look_again();
        }
        assert!(unobserved.describe().starts_with("ReplicaSet ns/b: "));
        // In a row: one that is read between them may be read again.
        for _ in 0..REFUSALS {
            unobserved.read(failure(FailureKind::Forbidden));
            unobserved.look_again();
            let same = ControllerView {
                uid: "b".into(),
                ..view(2, "1")
            };
            unobserved.read(Ok(Some(same)));
            unobserved.look_again();
        }
        assert!(unobserved.describe().starts_with("ReplicaSet ns/b: "));
        assert_eq!(UnobservedEvictions::default().describe(), "");
    }
}
