//! Which pod may go now.

use std::collections::BTreeMap;

use super::{Guard, Kind, Object, Own, Seen};
use crate::config::SingleReplica;
use crate::drain::{ControllerRef, PodRef};

/// What a round of judging begins with.
pub(in crate::drain) struct Left {
    /// Ready pods that stay here for now, by the controller whose pods count.
    ready: BTreeMap<ControllerRef, u32>,
    /// Of each namespace a ReplicaSet that nobody has read yet, if there is one.
    unread: BTreeMap<String, ControllerRef>,
}

/// What the guard says about an eviction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::drain) enum Verdict {
    Go,
    /// Not now; the guard has noted why.
    Wait,
    /// It must stay, so the drain cannot be finished.
    Never(String),
}

impl Guard {
    /// Begins a round of judging. `staying` are the pods that are to go and whose eviction has not been sent.
    pub(in crate::drain) fn left<'a>(&mut self, staying: impl Iterator<Item = &'a PodRef>) -> Left {
        self.held.clear();
        self.to_note.clear();
        let mut ready = BTreeMap::<_, u32>::new();
        for own in staying.filter_map(|pod| self.pods.get(pod)) {
            if own.ready && !own.terminating {
                let count = ready.entry(self.root(&own.controller)).or_default();
                *count = count.saturating_add(1);
            }
        }
        Left {
            ready,
            unread: self.unread(),
        }
    }

    /// As long as a ReplicaSet is unknown, its pods may belong to any Deployment of the namespace.
    pub(super) fn unread(&self) -> BTreeMap<String, ControllerRef> {
        let mut unread = BTreeMap::new();
        for (of, object) in &self.objects {
            if object.seen.is_none()
                && of.kind == Kind::ReplicaSet
                && !self.forbidden.contains(&of.kind)
                && !unread.contains_key(&of.namespace)
            {
                unread.insert(of.namespace.clone(), of.clone());
            }
        }
        unread
    }

    /// Whether a pod may go now; if so, it no longer counts as left. `counted`: so far it does.
    pub(in crate::drain) fn judge(
        &mut self,
        pod: &PodRef,
        counted: bool,
        left: &mut Left,
    ) -> Verdict {
        let Some(own) = self.pods.get(pod).filter(|own| own.ready).cloned() else {
            return Verdict::Go;
        };
        if self.forbidden.contains(&own.controller.kind) {
            return match self.single {
                SingleReplica::Evict => Verdict::Go,
                SingleReplica::Block => Verdict::Never(format!(
                    "{}: may not be read, so nobody knows whether it is a single replica",
                    own.controller
                )),
            };
        }
        let root = self.root(&own.controller);
        let others = left.ready.get(&root).copied().unwrap_or_default();
        let others = others.saturating_sub(counted.into());
        let ready_here = others.saturating_add(1);
        let unread = left.unread.get(&own.controller.namespace);
        let verdict = self.may_go(&own, &root, ready_here, unread);
        let sure = verdict.and_then(|note| self.may_be_sent(&own).map(|()| note));
        let why = match sure {
            Ok(note) => {
                left.ready.insert(root, others);
                if let Some(object) = self.objects.get_mut(&own.controller) {
                    object.evicts(&pod.uid);
                    self.unsettled.remove(&own.controller);
                }
                if let Some(note) = note.filter(|note| self.told.insert(note.clone())) {
                    self.said.push(note);
                }
                return Verdict::Go;
            }
            Err(No::Later(why)) => why,
            Err(No::Never(why)) => return Verdict::Never(why),
        };
        self.held.insert(pod.clone(), why);
        Verdict::Wait
    }

    /// `Ok`: it may, and what is to be told about it.
    fn may_go(
        &mut self,
        own: &Own,
        root: &ControllerRef,
        ready_here: u32,
        unread: Option<&ControllerRef>,
    ) -> Result<Option<String>, No> {
        let direct = self.known(&own.controller)?;
        if direct.leaves_orphans() {
            return Err(No::Later(format!(
                "{}: it is being deleted without its pods, and nobody would create them again",
                own.controller
            )));
        }
        if direct.lets_all_go(0) {
            return Ok(None);
        }
        let (behind, going) = (direct.behind(), direct.going());
        if let Some(of) = unread {
            return Err(No::Later(format!("{of}: not read yet")));
        }
        if let Some(object) = self.objects.get_mut(root) {
            // A Deployment: only now its own numbers are needed.
            let asked = self.asked.as_ref() == Some(root);
            object.due |= !asked && !object.is_known() && object.failed.is_none();
        }
        let object = self.known(root)?;
        // What the ReplicaSet has more than it wants may be what its Deployment still counts elsewhere.
        if !behind && object.lets_all_go(going) {
            return Ok(None);
        }
        let late = [(behind, &own.controller), (object.behind(), root)];
        if let Some((_, of)) = late.iter().find(|(late, _)| *late) {
            return Err(No::Later(format!(
                "{of}: its controller has not acted on its last change yet"
            )));
        }
        if object.lacks_pods_here() && !object.wants_one() {
            return Err(No::Later(format!(
                "{root}: its status counts fewer ready pods than are on this node: its controller is late"
            )));
        }
        if ready_here <= 1 {
            return match (object.wants_one(), self.single) {
                (true, SingleReplica::Evict) => Ok(Some(format!(
                    "the only pod of {root} is evicted: it is interrupted until its replacement is ready"
                ))),
                (true, SingleReplica::Block) => Err(No::Never(format!(
                    "{root}: wants a single replica, and it is on this node (drain.single-replica = \"block\")"
                ))),
                (false, _) => {
                    let fails = object
                        .fails()
                        .or_else(|| self.known(&own.controller).ok()?.fails());
                    let why = object.failed.as_deref().or(fails);
                    Err(No::Later(last(root, why)))
                }
            };
        }
        // Some go now and others later: the journal must have the numbers first.
        let noted = self.note(&own.controller);
        if !self.note(root) || !noted {
            return Err(No::Later(format!("{root}: noted in the journal first")));
        }
        Ok(None)
    }

    /// The slot is kept until its controller has seen it go. The next process must know of it, too.
    fn may_be_sent(&mut self, own: &Own) -> Result<(), No> {
        if self.asked.as_ref() == Some(&own.controller) {
            // What is on its way may be of before, and would pass for one that has seen it.
            return Err(No::Later(format!("{}: is being read", own.controller)));
        }
        if !self.note(&own.controller) {
            return Err(No::Later(format!(
                "{}: noted in the journal first",
                own.controller
            )));
        }
        Ok(())
    }

    fn known(&self, of: &ControllerRef) -> Result<&Object, No> {
        let object = self.objects.get(of);
        let known = object.filter(|object| object.is_known());
        known.ok_or_else(|| {
            let failed = object.and_then(|object| object.failed.clone());
            No::Later(failed.unwrap_or_else(|| format!("{of}: not read yet")))
        })
    }

    /// Whether the journal has on disk what is known of a controller; if not, it is to be written.
    fn note(&mut self, of: &ControllerRef) -> bool {
        if let Some(object) = self.objects.get(of)
            && let Some(Seen::Is(view)) = &object.seen
        {
            let record = object.past.record_of(of, view);
            if self.on_disk.get(&of.uid) != Some(&record) {
                self.to_note.insert(of.uid.clone(), record);
                return false;
            }
        }
        true
    }

    /// Looks at all pods that are to go as one drain would, without evicting any: which may never go, each with the reason.
    ///
    /// # Errors
    /// A controller that must be read first. Not until all that are known to be needed are read is anything judged, which may
    /// show that more are.
    pub fn survey(&mut self, going: &[PodRef]) -> Result<Vec<String>, ControllerRef> {
        if let Some(unread) = self.next_read() {
            return Err(unread);
        }
        let mut never = Vec::new();
        // Nothing is evicted, so what would have to be noted first counts as noted.
        for _ in 0..2 {
            never.clear();
            let mut left = self.left(going.iter());
            for pod in going {
                if let Verdict::Never(why) = self.judge(pod, true, &mut left) {
                    never.push(why);
                }
            }
            let noted = self.to_note.clone();
            self.on_disk.extend(noted);
        }
        self.next_read().map_or(Ok(never), Err)
    }
}

/// Why a pod may not go.
enum No {
    Later(String),
    Never(String),
}

fn last(root: &ControllerRef, failed: Option<&str>) -> String {
    let what =
        format!("{root}: its last ready pod is on this node, waiting for a replacement elsewhere");
    match failed {
        Some(why) => format!("{what} ({why})"),
        None => what,
    }
}
