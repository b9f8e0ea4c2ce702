//! Which pods of this node count for which controller.

use std::collections::{BTreeMap, BTreeSet};

use super::{Guard, Kind, Seen};
use crate::drain::{ControllerRef, ControllerView};

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

    fn owner(&self, direct: &ControllerRef) -> Option<ControllerRef> {
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

    /// A ReplicaSet whose Deployment is known now counts for it.
    pub(super) fn resolve(&mut self, of: &ControllerRef) {
        if let Some(owner) = self.owner(of) {
            self.objects.entry(owner).or_default();
        }
    }

    /// Counts the pods of each controller anew.
    pub(super) fn count(&mut self) {
        self.count_after(false);
    }

    /// The same after a while in which nobody watched them.
    pub(super) fn count_after(&mut self, missed: bool) {
        let mut counts: BTreeMap<ControllerRef, (u32, u32, BTreeSet<ControllerRef>)> =
            BTreeMap::new();
        for own in self.pods.values() {
            let counted = own.ready && (!own.terminating || own.controller.kind.counts_ending());
            let here = !own.terminating || own.controller.kind.counts_ending();
            for of in self
                .owner(&own.controller)
                .into_iter()
                .chain([own.controller.clone()])
            {
                let (all_ready, all_here, parts) = counts.entry(of).or_default();
                *all_ready = all_ready.saturating_add(counted.into());
                *all_here = all_here.saturating_add(here.into());
                parts.insert(own.controller.clone());
            }
        }
        for (of, object) in &mut self.objects {
            let (ready, here, parts) = counts.remove(of).unwrap_or_default();
            if missed {
                object.past.missed(ready, here);
            }
            if parts.len() > object.parts && object.parts > 0 {
                // Pods that were here before are only now known to count.
                object.past.forget_order(ready, here);
            } else {
                object.past.note(ready, here);
            }
            object.parts = object.parts.max(parts.len());
        }
    }
}
