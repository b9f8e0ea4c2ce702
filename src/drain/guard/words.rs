//! What the guard can tell: which controllers may not be read, what is held back and why.

use std::collections::BTreeSet;

use super::Guard;
use crate::drain::PodRef;

/// Rounds without an eviction after which it is told what is waited for: about ten seconds. A replacement is often ready by then.
const LONG: u16 = 10;

impl Guard {
    /// The kinds of controllers that this node may not read, if there are such, for a person.
    pub fn names_of_forbidden(&self) -> Option<String> {
        let names: Vec<_> = self
            .forbidden
            .iter()
            .map(|kind| format!("{kind}s"))
            .collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// Whether a controller could be read.
    pub fn may_read(&self) -> bool {
        self.objects.values().any(|object| object.seen.is_some())
    }

    /// Whether what is waited for should be told.
    pub fn waits_long(&self) -> bool {
        self.rounds >= LONG
    }

    /// Why pods are held back, or what else is waited for; each reason once.
    pub fn reasons(&self) -> BTreeSet<String> {
        if self.closing {
            let late = |of| format!("{of}: its controller has not seen yet what was evicted");
            return self.unobserved().into_iter().map(late).collect();
        }
        self.held.values().cloned().collect()
    }

    /// Whether a pod is held back.
    pub fn holds(&self, pod: &PodRef) -> bool {
        self.held.contains_key(pod)
    }

    /// Why a pod is held back.
    pub fn reason(&self, pod: &PodRef) -> String {
        self.held.get(pod).cloned().unwrap_or_default()
    }

    /// What is to be told, once.
    pub fn take_said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }
}
