//! Which pods of this node count for which controller.

use super::{Guard, Kind, Seen};
use crate::drain::{ControllerRef, ControllerView};

/// Pods of this node that a status may count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Count {
    pub(super) ready: u32,
    /// Ready or not.
    pub(super) here: u32,
}

impl Guard {
    /// The controller whose pods count: a ReplicaSet's Deployment, as far as it can be read, else the controller itself.
    pub(super) fn root(&self, direct: &ControllerRef) -> ControllerRef {
        self.owner(direct)
            .filter(|owner| {
                let gone = self
                    .objects
                    .get(owner)
                    .is_some_and(|object| object.seen == Some(Seen::Gone));
                !gone && !self.forbidden.contains(&owner.kind)
            })
            .unwrap_or_else(|| direct.clone())
    }

    pub(super) fn owner(&self, direct: &ControllerRef) -> Option<ControllerRef> {
        let view = self.view(direct)?;
        let owner = ControllerRef::of(&direct.namespace, view.owner.as_ref()?)?;
        (direct.kind == Kind::ReplicaSet && owner.kind == Kind::Deployment).then_some(owner)
    }

    fn view(&self, of: &ControllerRef) -> Option<&ControllerView> {
        match self.objects.get(of)?.seen.as_ref()? {
            Seen::Is(view) => Some(view),
            Seen::Gone => None,
        }
    }

    /// A controller was read, and had this owner before: its pods count for the one that it has now.
    pub(super) fn resolve(&mut self, of: &ControllerRef, before: Option<&ControllerRef>) {
        let now = self.owner(of);
        if now.as_ref() == before {
            return;
        }
        if let Some(parts) = before.and_then(|before| self.parts.get_mut(before)) {
            parts.remove(of);
        }
        if let Some(owner) = &now {
            // What is known of it may be older than this.
            self.objects.entry(owner.clone()).or_default().stale = true;
            let parts = self.parts.entry(owner.clone()).or_default();
            parts.insert(of.clone());
        }
        for owner in before.into_iter().chain(&now) {
            self.note_count(owner, false);
        }
    }

    /// Counts the pods of each controller anew; `missed`: after a while in which nobody watched them.
    pub(super) fn count(&mut self, missed: bool) {
        self.counts.clear();
        for own in self.pods.values() {
            let here = !own.terminating || own.controller.kind.counts_ending();
            let count = match self.counts.get_mut(&own.controller) {
                Some(count) => count,
                None => self.counts.entry(own.controller.clone()).or_default(),
            };
            count.here = count.here.saturating_add(here.into());
            count.ready = count.ready.saturating_add((here && own.ready).into());
        }
        let all: Vec<_> = self.objects.keys().cloned().collect();
        for of in &all {
            self.note_count(of, missed);
        }
    }

    /// Takes note of how many pods of a controller are here: its own, and those of its ReplicaSets.
    pub(super) fn note_count(&mut self, of: &ControllerRef, missed: bool) {
        let parts = self.parts.get(of).into_iter().flatten().chain([of]);
        let (mut all, mut known) = (Count::default(), 0);
        for count in parts.filter_map(|part| self.counts.get(part)) {
            all.ready = all.ready.saturating_add(count.ready);
            all.here = all.here.saturating_add(count.here);
            known += 1;
        }
        if let Some(object) = self.objects.get_mut(of) {
            object.counts(&all, known, missed);
        }
    }
}
