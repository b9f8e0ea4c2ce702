//! Pods that come while the node is drained: those of one controller go together, and then none for ten seconds.
//!
//! A controller whose template names this node makes another as soon as one is evicted, for no cordon keeps it off. Until it is
//! known that this is so ([`super::Arrival::Placed`]) it must not go round as fast as the server can.

use std::collections::{BTreeMap, BTreeSet};

use super::PodRef;

/// Ticks: ten seconds at least.
const PAUSE: u8 = 6;

/// The pods that came late, each with the UID of its controller.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Pace {
    /// Those that may go.
    admitted: BTreeSet<PodRef>,
    waiting: BTreeMap<PodRef, String>,
    /// Ticks left, by controller.
    pauses: BTreeMap<String, u8>,
}

impl Pace {
    /// Takes note of the late pods of a list that have to go.
    pub(super) fn seen(&mut self, late: BTreeMap<PodRef, String>) {
        self.admitted.retain(|pod| late.contains_key(pod));
        self.waiting = late;
        self.waiting.retain(|pod, _| !self.admitted.contains(pod));
        self.admit();
    }

    fn admit(&mut self) {
        let mut begun = BTreeMap::new();
        for (pod, of) in &self.waiting {
            if !self.pauses.contains_key(of) {
                self.admitted.insert(pod.clone());
                begun.insert(of.clone(), PAUSE);
            }
        }
        self.waiting.retain(|pod, _| !self.admitted.contains(pod));
        self.pauses.extend(begun);
    }

    pub(super) fn tick(&mut self) {
        for left in self.pauses.values_mut() {
            *left = left.saturating_sub(1);
        }
        self.pauses.retain(|_, left| *left > 0);
        self.admit();
    }

    /// Whether a pod must not go yet.
    pub(super) fn holds(&self, pod: &PodRef) -> bool {
        self.waiting.contains_key(pod)
    }

    /// Whether it holds any.
    pub(super) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::TICK;
    use super::*;

    #[test]
    fn pods_of_one_controller_go_together_and_then_none_for_ten_seconds() {
        assert!((TICK * PAUSE.into()).as_secs() >= 10);
        let pod = |name: &str| PodRef {
            name: name.into(),
            ..PodRef::default()
        };
        let list = |names: &[(&str, &str)]| {
            let late = names.iter().map(|(name, of)| (pod(name), (*of).to_owned()));
            late.collect::<BTreeMap<_, _>>()
        };
        let mut pace = Pace::default();
        pace.seen(list(&[("a", "1"), ("b", "1"), ("c", "2")]));
        assert!(!pace.waits());
        pace.seen(list(&[("a", "1"), ("d", "1"), ("e", "3")]));
        for tick in 0..PAUSE {
            assert_eq!(
                ["a", "d", "e"].map(|it| pace.holds(&pod(it))),
                [false, true, false],
                "{tick}"
            );
            pace.tick();
        }
        assert!(!pace.waits());
        pace.seen(list(&[("f", "1")]));
        assert!(pace.holds(&pod("f")), "the pause begins anew");
    }
}
