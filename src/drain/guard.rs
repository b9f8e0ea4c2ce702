//! The guard for the last Ready pod: no controller that wants several pods loses its last Ready one to this drain.
//!
//! A pod that is not Ready counts nothing and may go. A Ready one may go while a status says that another is Ready elsewhere
//! ([`past`] tells how much of a status can be believed), or while another of the same controller stays here for now. The last
//! one waits for its replacement. Of a controller that wants one pod the configuration decides.
//!
//! A Deployment counts the pods of all its ReplicaSets. Its ReplicaSet is read first: what that has Ready elsewhere is Ready
//! elsewhere for the Deployment too, so most Deployments are never read.

mod judge;
mod object;
mod past;

pub use past::Wave;

use std::collections::{BTreeMap, BTreeSet};

use super::{ControllerRef, ControllerView, Kind, PodRef, PodView};
pub(super) use judge::Verdict;
use object::{Object, Seen};

use crate::config::SingleReplica;
use crate::failure::{Failure, FailureKind};

/// Refusals in a row after which a kind counts as not to be read: a server that starts answers 403 for a moment.
const REFUSALS: u8 = 2;

/// The guard of one drain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Guard {
    single: SingleReplica,
    pods: BTreeMap<PodRef, Own>,
    objects: BTreeMap<ControllerRef, Object>,
    /// Kinds that this node may not read: `guard.yaml` is not applied.
    forbidden: BTreeSet<Kind>,
    /// The read that is on its way.
    asked: Option<ControllerRef>,
    /// Rounds of reading again since something was last evicted.
    rounds: u16,
    /// Held-back pods, each with the reason.
    held: BTreeMap<PodRef, String>,
    /// What an earlier process, or an earlier turn, had noted; whether it was this very turn.
    recalled: (BTreeMap<String, Wave>, bool),
    /// What the journal has on disk.
    on_disk: BTreeMap<String, Wave>,
    /// What it must have before more is evicted.
    to_note: BTreeMap<String, Wave>,
    /// Own pods were counted: before that a status says nothing.
    listed: bool,
    /// Another node may drain next.
    shared: bool,
    /// The drain is over; controllers are read until they have seen it.
    closing: bool,
    /// What is to be told, once.
    said: Vec<String>,
    /// What was told already.
    told: BTreeSet<String>,
}

/// A pod of a guarded kind on this node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Own {
    controller: ControllerRef,
    /// Its Ready condition is True.
    ready: bool,
    terminating: bool,
}

impl Guard {
    /// A guard that has seen nothing. `waves` is what the journal has of pods that were evicted by turns; `same_turn` tells whether it was
    /// in this turn.
    pub fn new(single: SingleReplica, waves: BTreeMap<String, Wave>, same_turn: bool) -> Self {
        let mut objects = BTreeMap::new();
        for wave in waves.values().filter(|_| same_turn) {
            objects.insert(wave.of.clone(), Object::evicted_before(wave));
        }
        Self {
            single,
            pods: BTreeMap::new(),
            objects,
            forbidden: BTreeSet::new(),
            asked: None,
            rounds: 0,
            held: BTreeMap::new(),
            on_disk: waves.clone(),
            recalled: (waves, same_turn),
            to_note: BTreeMap::new(),
            listed: false,
            shared: false,
            closing: false,
            said: Vec::new(),
            told: BTreeSet::new(),
        }
    }

    /// Whether another node may drain next: it must not count what is evicted here.
    pub fn share(&mut self, shared: bool) {
        self.shared = shared;
    }

    /// Takes note of the pods of this node. `going` are those that are to be evicted: only their controllers are read.
    pub fn pods(&mut self, pods: &[PodView], going: &BTreeSet<PodRef>) {
        self.pods.clear();
        self.listed = true;
        self.closing = false;
        for pod in pods.iter().filter(|pod| !pod.finished && !pod.mirror) {
            let owner = pod.controller.as_ref();
            let Some(controller) =
                owner.and_then(|owner| ControllerRef::of(&pod.pod.namespace, owner))
            else {
                continue;
            };
            let own = Own {
                controller,
                ready: pod.ready,
                terminating: pod.terminating,
            };
            if own.ready && going.contains(&pod.pod) {
                let object = self.objects.entry(own.controller.clone());
                object.or_insert_with(Object::unread);
            }
            self.pods.insert(pod.pod.clone(), own);
        }
        self.count();
    }

    /// The controller to read next, if one is due. One read is on its way at a time.
    pub fn next_read(&mut self) -> Option<ControllerRef> {
        let forbidden = &self.forbidden;
        let due = |(of, object): &(&ControllerRef, &mut Object)| {
            object.due && !forbidden.contains(&of.kind)
        };
        // Before own pods are counted a status says nothing about them. At the end, only whether it is newer matters.
        let useful = self.listed || self.closing;
        let (of, object) = self.objects.iter_mut().find(due).filter(|_| useful)?;
        object.due = false;
        self.asked = Some(of.clone());
        self.asked.clone()
    }

    /// Takes the answer to the read on its way.
    pub fn read(&mut self, result: Result<Option<ControllerView>, Failure>) {
        let Some(of) = self.asked.take() else {
            return;
        };
        let Some(object) = self.objects.get_mut(&of) else {
            return;
        };
        object.failed = None;
        match result {
            Ok(view) => {
                object.refusals = 0;
                let view = view.filter(|view| view.uid == of.uid);
                match view {
                    None => {
                        if object.seen != Some(Seen::Gone) {
                            self.said
                                .push(format!("{of} is gone: its pods are evicted like any other"));
                        }
                        object.seen = Some(Seen::Gone);
                    }
                    Some(view) => object.is(&of, view, &self.recalled),
                }
            }
            Err(failure) if failure.kind == FailureKind::Forbidden => {
                object.refusals = object.refusals.saturating_add(1);
                object.failed = Some(failure.message);
                if object.refusals >= REFUSALS {
                    self.forbidden.insert(of.kind);
                }
            }
            Err(failure) => object.failed = Some(failure.message),
        }
        self.resolve(&of);
        self.count();
    }

    /// Time to look again at what is waited for.
    pub fn look_again(&mut self) {
        self.rounds = self.rounds.saturating_add(1);
        let waits: BTreeSet<ControllerRef> = self
            .held
            .keys()
            .filter_map(|pod| self.pods.get(pod))
            .flat_map(|own| [own.controller.clone(), self.root(&own.controller)])
            .collect();
        let waits = if self.closing { self.unseen() } else { waits };
        for (of, object) in &mut self.objects {
            object.due |= waits.contains(of);
        }
    }

    /// How many rounds of looking again there were since something was evicted; `None`: nothing is waited for.
    pub fn waits(&self) -> Option<u16> {
        let mut objects = self.objects.iter();
        let due = objects.any(|(of, object)| object.due && !self.forbidden.contains(&of.kind));
        let busy = due || self.asked.is_some();
        let waits = if self.closing {
            !self.unseen().is_empty()
        } else {
            !self.held.is_empty()
        };
        (waits && !busy).then_some(self.rounds)
    }

    /// The drain is over: from now on only controllers are read that have not seen it. Returns how many rounds that went on.
    pub fn close(&mut self) -> u16 {
        if !self.closing {
            self.closing = true;
            self.rounds = 0;
            let unseen = self.unseen();
            for (of, object) in &mut self.objects {
                object.due = unseen.contains(of);
            }
        }
        self.rounds
    }

    /// Whether only controllers are waited for.
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// Controllers that may still count pods that were evicted here.
    pub fn unseen(&self) -> BTreeSet<ControllerRef> {
        let unseen = |(of, object): &(&ControllerRef, &Object)| {
            object.is_unseen() && !self.forbidden.contains(&of.kind)
        };
        let objects = self.objects.iter().filter(unseen);
        objects.map(|(of, _)| of.clone()).collect()
    }

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

    /// Why pods are held back, or what else is waited for; each reason once.
    pub fn reasons(&self) -> BTreeSet<String> {
        if self.closing {
            let late = |of| format!("{of}: its controller has not seen yet what was evicted");
            return self.unseen().into_iter().map(late).collect();
        }
        self.held.values().cloned().collect()
    }

    /// Whether a pod is held back.
    pub fn holds(&self, pod: &PodRef) -> bool {
        self.held.contains_key(pod)
    }

    /// What is to be told, once.
    pub fn take_said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }

    /// What the journal must have on disk before more is evicted, if it lacks something.
    pub fn unnoted(&self) -> Option<BTreeMap<String, Wave>> {
        let missing = self
            .to_note
            .iter()
            .any(|(uid, wave)| self.on_disk.get(uid) != Some(wave));
        missing.then(|| {
            let mut all = self.on_disk.clone();
            all.extend(self.to_note.clone());
            all
        })
    }

    /// The journal has it on disk.
    pub fn noted(&mut self, waves: BTreeMap<String, Wave>) {
        self.on_disk = waves;
        self.to_note.clear();
    }

    /// The controller whose pods count: a ReplicaSet's Deployment, as far as it can be read, else the controller itself.
    fn root(&self, direct: &ControllerRef) -> ControllerRef {
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
    fn resolve(&mut self, of: &ControllerRef) {
        if let Some(owner) = self.owner(of) {
            self.objects.entry(owner).or_default();
        }
    }

    /// Counts the pods of each controller anew.
    fn count(&mut self) {
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

#[cfg(test)]
mod tests;
