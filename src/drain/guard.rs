//! The guard for the last Ready pod: no controller that wants several pods loses its last Ready one to this drain.
//!
//! A pod that is not Ready counts nothing and may go. A Ready one may go while a status says that another is Ready elsewhere
//! ([`past`] tells how much of a status can be believed), or while another of the same controller stays here for now. The last
//! one waits for its replacement. Of a controller that wants one pod the configuration decides.
//!
//! A Deployment counts the pods of all its ReplicaSets. Its ReplicaSet is read first: what that has Ready elsewhere is Ready
//! elsewhere for the Deployment too, so most Deployments are never read.

mod count;
mod judge;
mod notes;
mod object;
mod past;
mod sendings;
mod words;

pub use past::EvictionRecord;

use std::collections::{BTreeMap, BTreeSet};

use super::{ControllerRef, ControllerView, Kind, PodRef, PodView, StatusSnapshot};
use count::Count;
pub(super) use judge::{Left, Verdict};
use object::{Object, Seen};

use crate::config::SingleReplica;
use crate::failure::{Failure, FailureKind};

/// The guard of one drain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Guard {
    single: SingleReplica,
    pods: BTreeMap<PodRef, Own>,
    objects: BTreeMap<ControllerRef, Object>,
    /// Pods here, by their own controller.
    counts: BTreeMap<ControllerRef, Count>,
    /// ReplicaSets that are known to be of a Deployment.
    parts: BTreeMap<ControllerRef, BTreeSet<ControllerRef>>,
    /// Kinds that this node may not read: `guard.yaml` is not applied.
    forbidden: BTreeSet<Kind>,
    /// Kinds of which one could be read in this drain: a refusal is a failure then.
    readable: BTreeSet<Kind>,
    /// The read that is on its way.
    asked: Option<ControllerRef>,
    /// The one that was read last.
    last: Option<ControllerRef>,
    /// Rounds of reading again since something was last evicted.
    rounds: u16,
    /// Held-back pods, each with the reason.
    held: BTreeMap<PodRef, String>,
    /// What an earlier process, or an earlier turn, had noted; whether it was this very turn.
    recalled: (BTreeMap<String, EvictionRecord>, bool),
    /// What the journal has on disk.
    on_disk: BTreeMap<String, EvictionRecord>,
    /// What it must have before more is evicted.
    to_note: BTreeMap<String, EvictionRecord>,
    /// Controllers of which it has a later status than that of the last pod that went.
    unsettled: BTreeSet<ControllerRef>,
    /// Own pods were counted: before that a status says nothing.
    listed: bool,
    /// Pods may have changed unseen since they were counted.
    missed: bool,
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
    /// A guard that has seen nothing. `records` is what the journal has of pods that were evicted by turns; `same_turn`: by this
    /// one.
    pub fn new(
        single: SingleReplica,
        records: BTreeMap<String, EvictionRecord>,
        same_turn: bool,
    ) -> Self {
        let mut objects = BTreeMap::new();
        // A Deployment sees pods through its ReplicaSets.
        let direct = |record: &&EvictionRecord| same_turn && record.of.kind != Kind::Deployment;
        for record in records.values().filter(direct) {
            objects.insert(record.of.clone(), Object::evicted_before(record));
        }
        Self {
            single,
            pods: BTreeMap::new(),
            objects,
            counts: BTreeMap::new(),
            parts: BTreeMap::new(),
            forbidden: BTreeSet::new(),
            readable: BTreeSet::new(),
            asked: None,
            last: None,
            rounds: 0,
            held: BTreeMap::new(),
            on_disk: records.clone(),
            recalled: (records, same_turn),
            to_note: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            listed: false,
            missed: false,
            closing: false,
            said: Vec::new(),
            told: BTreeSet::new(),
        }
    }

    /// The pods are not watched any more: the next list may lack what happened until then.
    pub fn unwatched(&mut self) {
        self.missed = true;
    }

    /// What is known of the controller of a pod is too old: it is read again before the pod goes.
    pub fn refresh(&mut self, pod: &PodRef) {
        let Some(own) = self.pods.get(pod).filter(|own| own.ready) else {
            return;
        };
        let (direct, root) = (own.controller.clone(), self.root(&own.controller));
        let object = self.objects.entry(direct.clone());
        let object = object.or_insert_with(Object::unread);
        (object.stale, object.due) = (true, true);
        // It is read only if it is needed. A read on its way began too early.
        if let Some(object) = self.objects.get_mut(&root) {
            object.stale = true;
            object.due |= self.asked.as_ref() == Some(&root);
        }
        self.note_count(&direct, false);
    }

    /// Whether it has a say about a pod: a Ready one of a controller.
    pub fn guards(&self, pod: &PodRef) -> bool {
        self.pods.get(pod).is_some_and(|own| own.ready)
    }

    /// Whether a controller of a pod is being read: what comes of it is of this moment, or of one before it.
    pub fn is_reading_of(&self, pod: &PodRef) -> bool {
        let Some(own) = self.pods.get(pod) else {
            return false;
        };
        let asked = |of: &ControllerRef| self.asked.as_ref() == Some(of);
        asked(&own.controller) || asked(&self.root(&own.controller))
    }

    /// Takes note of the pods of this node. `going` are those that are to be evicted: only their controllers are read, and
    /// ReplicaSets that may be of the same Deployment.
    pub fn pods(&mut self, pods: &[PodView], going: &BTreeSet<PodRef>) {
        self.pods.clear();
        self.listed = true;
        self.closing = false;
        let missed = std::mem::take(&mut self.missed);
        for (of, object) in &mut self.objects {
            object.stale |= missed;
            object.due |= missed && self.asked.as_ref() == Some(of);
        }
        let namespaces: BTreeSet<_> = going.iter().map(|pod| &pod.namespace).collect();
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
            let goes = going.contains(&pod.pod);
            let may_count = own.controller.kind == Kind::ReplicaSet
                && !own.terminating
                && namespaces.contains(&pod.pod.namespace);
            if own.ready && (goes || may_count) {
                let object = self.objects.entry(own.controller.clone());
                let object = object.or_insert_with(Object::unread);
                object.stale |= missed;
                object.due |= missed;
            }
            self.pods.insert(pod.pod.clone(), own);
        }
        self.count(missed);
    }

    /// The controller to read next, if one is due. One read is on its way at a time, and none that is due waits for others to be read
    /// twice.
    pub fn next_read(&mut self) -> Option<ControllerRef> {
        let forbidden = &self.forbidden;
        let due =
            |(of, object): &(&ControllerRef, &Object)| object.due && !forbidden.contains(&of.kind);
        let due = || self.objects.iter().filter(due).map(|(of, _)| of);
        // Before own pods are counted a status says nothing about them. At the end, only whether it is newer matters.
        let useful = self.listed || self.closing;
        let after = due().find(|of| self.last.as_ref().is_none_or(|last| *of > last));
        let of = after.or_else(|| due().next()).filter(|_| useful)?.clone();
        self.objects.get_mut(&of)?.due = false;
        self.last = Some(of.clone());
        self.asked = Some(of);
        self.asked.clone()
    }

    /// Controllers that are known to need reading.
    pub fn due(&self) -> usize {
        let due = |(of, object): &(&ControllerRef, &Object)| {
            object.due && !self.forbidden.contains(&of.kind)
        };
        self.objects.iter().filter(due).count()
    }

    /// Takes the answer to the read on its way.
    pub fn read(&mut self, result: Result<Option<ControllerView>, Failure>) {
        let Some(of) = self.asked.take() else {
            return;
        };
        let before = self.owner(&of);
        let Some(object) = self.objects.get_mut(&of) else {
            return;
        };
        object.failed = None;
        match result {
            Ok(view) => {
                object.refusals.end();
                object.stale = object.due;
                self.readable.insert(of.kind);
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
            Err(failure) => {
                // Of a kind that could be read a refusal is a failure like any other.
                let refused =
                    failure.kind == FailureKind::Forbidden && !self.readable.contains(&of.kind);
                object.refusals.add(&failure);
                object.failed = Some(failure.message);
                if refused && object.refusals.are_final() {
                    self.forbidden.insert(of.kind);
                } else if refused {
                    // The others would be refused as well: one of a kind is enough, and the same, until it is looked at again.
                    self.last = None;
                    let others = self.objects.iter_mut().filter(|(it, _)| it.kind == of.kind);
                    others.for_each(|(_, object)| object.due = false);
                }
            }
        }
        self.resolve(&of, before.as_ref());
    }

    /// Time to look again at what is waited for.
    pub fn look_again(&mut self) {
        self.rounds = self.rounds.saturating_add(1);
        let unread = self.unread();
        let waits: BTreeSet<ControllerRef> = self
            .held
            .keys()
            .filter_map(|pod| self.pods.get(pod))
            .flat_map(|own| {
                let unread = unread.get(&own.controller.namespace);
                let known = [own.controller.clone(), self.root(&own.controller)];
                known.into_iter().chain(unread.cloned())
            })
            .collect();
        let waits = if self.closing {
            self.unobserved()
        } else {
            waits
        };
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
            !self.unobserved().is_empty()
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
            self.objects.values_mut().for_each(Object::closes);
            let unobserved = self.unobserved();
            for (of, object) in &mut self.objects {
                object.due = unobserved.contains(of);
            }
        }
        self.rounds
    }

    /// Whether only controllers are waited for.
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// Controllers that may still count pods that were evicted here.
    pub fn unobserved(&self) -> BTreeSet<ControllerRef> {
        let may_count = |(of, object): &(&ControllerRef, &Object)| {
            object.is_unobserved() && !self.forbidden.contains(&of.kind)
        };
        let objects = self.objects.iter().filter(may_count);
        objects.map(|(of, _)| of.clone()).collect()
    }

    /// The eviction of a pod was carried out, or the pod went by itself.
    pub fn went(&mut self, pod: &PodRef) {
        let Some(own) = self.pods.get(pod) else {
            return;
        };
        if own.ready {
            self.rounds = 0;
        }
        if let Some(object) = self.objects.get_mut(&own.controller) {
            object.confirm(&pod.uid);
        }
    }

    /// The eviction of a pod was not carried out.
    pub fn refused(&mut self, pod: &PodRef) {
        let Some(of) = self.pods.get(pod).map(|own| own.controller.clone()) else {
            return;
        };
        if let Some(object) = self.objects.get_mut(&of) {
            object.refused(&pod.uid);
            if self.is_unsettled(&of) {
                self.unsettled.insert(of);
            }
        }
    }

    /// Whether pods of guarded controllers may be here that are not ending. One that is not Ready may be in a moment, count for others,
    /// and go down with the node all the same. Before a list nobody knows.
    pub fn may_keep_pods(&self) -> bool {
        !self.listed || self.pods.values().any(|own| !own.terminating)
    }

    /// Controllers of Ready pods that were evicted, and not only asked for, by what was last seen; each with its status when the
    /// last of them was sent. `None`: nobody has looked since an earlier process evicted some.
    pub fn confirmed_evictions(&self) -> Option<BTreeMap<ControllerRef, StatusSnapshot>> {
        let evicted = |(of, object): (&ControllerRef, &Object)| {
            let own = self.pods.iter().filter(|(_, own)| own.controller == *of);
            let stays = own.filter(|(_, own)| !own.terminating);
            let (ready, stays) = stays.fold((0_u32, BTreeSet::new()), |(ready, mut uids), it| {
                uids.insert(it.0.uid.as_str());
                (ready.saturating_add(it.1.ready.into()), uids)
            });
            object.taken(ready, &stays).map(|last| (of.clone(), last))
        };
        let known = self.listed || !self.recalled.1;
        known.then(|| self.objects.iter().filter_map(evicted).collect())
    }
}

#[cfg(test)]
mod tests;
