//! One controller, as the guard knows it.

use std::collections::{BTreeMap, BTreeSet};

use super::count::Count;
use super::past::{EvictionRecord, Past};
use super::sendings::Sendings;
use crate::drain::observed::{Refusals, StatusObserver, is_observed};
use crate::drain::{ControllerRef, ControllerView, Kind, StatusSnapshot};

/// A controller and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Object {
    pub(super) seen: Option<Seen>,
    pub(super) past: Past,
    /// Pods that its Ready count may have in it although they are ending, or are more than are wanted.
    going: u32,
    /// ReplicaSets that count for a Deployment.
    pub(super) parts: usize,
    /// It must be read, or read again.
    pub(super) due: bool,
    /// What was seen is too old to be acted on.
    pub(super) stale: bool,
    pub(super) refusals: Refusals,
    /// Why the last read failed.
    pub(super) failed: Option<String>,
    /// Ready pods of it that were evicted.
    evicted: Option<Evicted>,
}

/// What was evicted, and what was seen of the status since.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Evicted {
    /// Those whose eviction was sent, and not refused.
    sendings: Sendings,
    /// An earlier process may have evicted some of so many.
    before: u32,
    observer: StatusObserver,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Seen {
    /// There is none of this UID.
    Gone,
    Is(Box<ControllerView>),
}

impl Object {
    pub(super) fn unread() -> Self {
        Self {
            due: true,
            ..Self::default()
        }
    }

    /// Why no replacement can be created, as its status tells.
    pub(super) fn fails(&self) -> Option<&str> {
        match &self.seen {
            Some(Seen::Is(view)) => view.fails.as_deref(),
            Some(Seen::Gone) | None => None,
        }
    }

    pub(super) fn is(
        &mut self,
        of: &ControllerRef,
        view: ControllerView,
        recalled: &(BTreeMap<String, EvictionRecord>, bool),
    ) {
        if self.seen.is_none()
            && let (records, same_turn) = recalled
            && let Some(record) = records.get(&of.uid)
            // Between two turns minutes pass: a status that was written since is of a controller that is awake.
            && (*same_turn || !view.written.since(&record.written))
        {
            self.past.recall(record);
        }
        if let Some(evicted) = &mut self.evicted
            && evicted.observer.observe(&view)
        {
            evicted.sendings.wrote();
        }
        let ending = if of.kind.counts_ending() {
            view.terminating
        } else {
            0
        };
        // A Deployment has more than it wants throughout a rollout, and takes them away one by one.
        let surplus = if of.kind == Kind::Deployment {
            0
        } else {
            view.replicas.saturating_sub(view.wanted)
        };
        self.going = ending.saturating_add(surplus);
        let whole = of.kind.has_bare_status() && view.is_whole();
        self.past.read(view.ready, whole, &view.written);
        self.seen = Some(Seen::Is(Box::new(view)));
    }

    /// One of which an earlier process has evicted pods: how many, it does not know.
    pub(super) fn evicted_before(record: &EvictionRecord) -> Self {
        Self {
            evicted: Some(Evicted {
                sendings: Sendings::of_earlier(StatusSnapshot::noted(record)),
                before: record.ready,
                observer: StatusObserver::since(StatusSnapshot::noted(record)),
            }),
            ..Self::unread()
        }
    }

    /// A Ready pod of it is being evicted.
    pub(super) fn evicts(&mut self, uid: &str) {
        if let Some(Seen::Is(view)) = &self.seen {
            let evicted = self.evicted.get_or_insert_with(|| Evicted {
                sendings: Sendings::default(),
                before: 0,
                observer: StatusObserver::since(StatusSnapshot::of(view)),
            });
            evicted.sendings.sent(uid, StatusSnapshot::of(view));
            evicted.observer.reset();
        }
    }

    /// This pod went.
    pub(super) fn confirm(&mut self, uid: &str) {
        if let Some(evicted) = &mut self.evicted {
            evicted.sendings.confirm(uid);
        }
    }

    /// The eviction of this pod was refused: there is nothing to be seen of it.
    pub(super) fn refused(&mut self, uid: &str) {
        if let Some(evicted) = &mut self.evicted {
            evicted.sendings.refused(uid);
        }
    }

    /// What the status was when the last Ready pod of it was sent that went, with these of its pods still here, so many of them
    /// Ready. `None`: none went.
    pub(super) fn taken(&self, ready: u32, stays: &BTreeSet<&str>) -> Option<StatusSnapshot> {
        let evicted = self.evicted.as_ref()?;
        let gone = evicted.sendings.last(|uid| !stays.contains(uid));
        let before = || (evicted.before > ready).then(|| evicted.sendings.earlier.clone());
        gone.cloned().or_else(|| before().flatten())
    }

    /// What the journal is to have of the last that went, where it has a later one that was refused.
    pub(super) fn settled(&self) -> Option<&StatusSnapshot> {
        self.evicted.as_ref()?.sendings.settled()
    }

    /// The drain is over: the last of what was evicted is gone only now.
    pub(super) fn closes(&mut self) {
        if let Some(evicted) = &mut self.evicted {
            evicted.observer.reset();
        }
    }

    /// Its status may still count pods that were evicted: it has neither fallen by all of them, nor been written since and come
    /// to rest, nor been written again and again.
    pub(super) fn is_unobserved(&self) -> bool {
        let Some(evicted) = &self.evicted else {
            return false;
        };
        let view = match &self.seen {
            None => return true,
            Some(Seen::Gone) => return false,
            Some(Seen::Is(view)) => view,
        };
        let (written, settled) = (evicted.sendings.seen(), evicted.observer.is_settled());
        !is_observed(view, written, settled) && !evicted.sendings.fallen(view.ready)
    }

    /// Takes note of its pods on this node, which are of so many controllers; `missed`: nobody watched them for a while.
    pub(super) fn counts(&mut self, count: &Count, parts: usize, missed: bool) {
        let Count { ready, here } = *count;
        if missed {
            self.past.missed(ready, here);
        }
        if parts > self.parts && self.parts > 0 {
            // Pods that were here before are only now known to count.
            self.past.forget_order(ready, here);
        } else {
            self.past.note(ready, here);
        }
        self.parts = self.parts.max(parts);
    }

    /// It was read, and not too long ago.
    pub(super) fn is_known(&self) -> bool {
        self.seen.is_some() && !self.stale
    }

    /// Its status does not count all Ready pods of this node yet: it is older than what is known here, and so may later ones be.
    pub(super) fn lacks_pods_here(&self) -> bool {
        matches!(&self.seen, Some(Seen::Is(view)) if self.past.is_ahead_of(view.ready))
    }

    /// How many pods are certainly Ready elsewhere.
    pub(super) fn elsewhere(&self) -> u32 {
        match &self.seen {
            Some(Seen::Is(view)) if !view.behind => {
                let elsewhere = self.past.elsewhere(view.ready);
                elsewhere.saturating_sub(self.going)
            }
            Some(Seen::Is(_) | Seen::Gone) | None => 0,
        }
    }

    /// Nothing of it needs to stay: another pod is Ready elsewhere, or nobody wants any, or nobody is there to want. So many of
    /// its Ready pods are about to end, as one of its parts says.
    pub(super) fn lets_all_go(&self, going: u32) -> bool {
        match &self.seen {
            Some(Seen::Is(view)) => {
                let ends = view.deleting && !view.leaves_orphans();
                ends || view.wanted == 0 || self.elsewhere() > going
            }
            Some(Seen::Gone) => true,
            None => false,
        }
    }

    /// None of its pods would be created again, and none of them is to end.
    pub(super) fn leaves_orphans(&self) -> bool {
        matches!(&self.seen, Some(Seen::Is(view)) if view.leaves_orphans())
    }

    /// Ready pods that may be about to end.
    pub(super) fn going(&self) -> u32 {
        self.going
    }

    pub(super) fn behind(&self) -> bool {
        matches!(&self.seen, Some(Seen::Is(view)) if view.behind)
    }

    pub(super) fn wants_one(&self) -> bool {
        matches!(&self.seen, Some(Seen::Is(view)) if view.wanted == 1)
    }
}
