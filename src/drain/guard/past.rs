//! How many pods of this node a status may count, although the status may be older than what is known here.
//!
//! A controller computes its status from the pods as it has seen them, and sees their changes in the order in which they
//! happened. A status is therefore true of *some* moment, of a later one with each read. Which moment, it does not say. So
//! the numbers of own Ready pods are kept, oldest first, as long as the status may still be of their time, and the largest of
//! them is taken off its Ready count: what is left is Ready elsewhere, however old the status is.
//!
//! Two things prove that a status is newer than a time:
//! - It counts fewer Ready pods than were here at that time.
//! - It was written anew, after it had counted exactly the wanted pods and all of those were here: no other pod existed then, so,
//!   while nobody changes the spec, what made the controller write is a change of a pod of this node. (Only of a ReplicaSet or
//!   ReplicationController, whose status has nothing but numbers of pods in it, and none that changes with time alone.)
//!
//! Time alone proves nothing. A status that never catches up is waited for until the drain fails.

use serde::{Deserialize, Serialize};

use crate::drain::{ControllerRef, ControllerView, StatusRevision, StatusSnapshot};

/// What must survive a crash once some pods of a controller are evicted and others are not, here or on the node that drains next:
/// evicted pods that are gone cannot be counted any more, and its status may still count them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvictionRecord {
    /// Of which controller.
    pub of: ControllerRef,
    /// The largest number of own Ready pods that the status may still stand for.
    pub ready: u32,
    /// [`super::ControllerView::written`] when the status counted all wanted pods and all of those were here; else empty.
    pub full: StatusRevision,
    /// [`super::ControllerView::written`] of the last read.
    pub written: StatusRevision,
    /// [`super::ControllerView::ready`] of the last read.
    pub counted: u32,
    /// Some of its pods were evicted, and not only asked for: known once a turn is being undone.
    #[serde(default, rename = "took")]
    pub confirmed: bool,
}

impl EvictionRecord {
    /// The last of what was evicted was sent by this status.
    pub fn last(&mut self, status: &StatusSnapshot) {
        self.written.clone_from(&status.written);
        self.counted = status.counted;
    }
}

/// The numbers of own Ready pods that a status may stand for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Past {
    /// Oldest first; never empty once something was noted.
    ready: Vec<u32>,
    /// Own pods that are here, Ready or not: a status may be newer than the view of the pods, and one of them Ready by then.
    here: u32,
    /// The oldest number was all that was wanted and all that there was, by a status of this time of writing.
    full: Option<StatusRevision>,
    /// A status of the time of one of these numbers, or of a later one, was read.
    caught_up: bool,
    /// The status is newer than all of this: its time is that of a number not above this one, still to come.
    ahead_below: Option<u32>,
    /// The status is newer than the oldest number, which was the only one then.
    ahead: bool,
}

impl Past {
    /// Takes note of how many own pods are here, and how many of them a status would count as Ready.
    pub(super) fn note(&mut self, ready: u32, here: u32) {
        self.here = here;
        if self.ready.last() == Some(&ready) {
            return;
        }
        self.ready.push(ready);
        if std::mem::take(&mut self.ahead) && self.ready.len() > 1 {
            self.ready.remove(0);
            self.full = None;
        }
        let seen = |below| self.ready.iter().position(|count| *count <= below);
        if let Some(older) = self.ahead_below.and_then(seen) {
            self.ready.drain(..older);
            self.ahead_below = None;
            self.full = None;
        }
    }

    /// Nobody watched the pods for a while. What is gone went one by one, and may have become Ready before it did.
    pub(super) fn missed(&mut self, ready: u32, here: u32) {
        let Some(last) = self.ready.last().copied() else {
            return;
        };
        let gone = self.here.saturating_sub(here);
        let unready = gone.saturating_sub(last.saturating_sub(ready));
        let most = last.saturating_add(unready);
        for count in (ready.saturating_add(1)..=most).rev() {
            self.note(count, here);
        }
    }

    /// A status that counts so many is older than the first of these numbers, and none before it was not.
    pub(super) fn is_ahead_of(&self, ready: u32) -> bool {
        !self.caught_up && self.ready.last().is_some_and(|last| ready < *last)
    }

    /// Begins with what an earlier process had noted. Each eviction makes one pod less, so these were the numbers since.
    pub(super) fn recall(&mut self, record: &EvictionRecord) {
        let now = self.ready.last().copied().unwrap_or_default();
        // More than this never ran on one node; a number out of a damaged file must not fill the memory.
        let before = record.ready.min(now.saturating_add(10_000));
        let mut ready: Vec<u32> = (now.saturating_add(1)..=before).rev().collect();
        ready.append(&mut self.ready);
        self.ready = ready;
        // Nothing was evicted before it had.
        self.caught_up |= before > now;
        self.full = (before > now && !record.full.is_unknown()).then(|| record.full.clone());
    }

    /// It is not known any more which pods were counted when: only the largest number counts.
    pub(super) fn forget_order(&mut self, ready: u32, here: u32) {
        let most = self.most().max(ready);
        self.ready.clear();
        self.ready.push(most);
        self.full = None;
        self.ahead = false;
        self.ahead_below = None;
        self.note(ready, here);
    }

    /// A status was read: drops what it can no longer stand for.
    pub(super) fn read(&mut self, ready: u32, whole: bool, written: &StatusRevision) {
        // With another spec a status is written for another reason.
        let full = self.full.take();
        self.full = full.filter(|full| full.generation == written.generation);
        let rewritten = self.full.as_ref().is_some_and(|full| written.since(full));
        if rewritten && self.ready.len() > 1 {
            self.ready.remove(0);
        } else if rewritten {
            self.ahead = true;
        }
        // One that counts fewer than there ever were is older than all of this. Or newer, if an earlier one was not: then the
        // controller has seen a change before this node.
        let possible = self.ready.iter().position(|count| *count <= ready);
        match possible {
            // The first that is not older than all of this may be of any of these times.
            Some(_) if !self.caught_up => self.caught_up = true,
            Some(older) => drop(self.ready.drain(..older)),
            None if self.caught_up => {
                let below = self.ahead_below.map_or(ready, |below| below.min(ready));
                self.ahead_below = Some(below);
            }
            None => {}
        }
        let full = whole && !written.is_unknown() && self.ready.first() == Some(&ready);
        if full {
            self.full = Some(written.clone());
        } else if rewritten || possible.is_some_and(|older| older > 0) {
            self.full = None;
        }
    }

    /// How many of the pods that a status counts as Ready are certainly elsewhere.
    pub(super) fn elsewhere(&self, ready: u32) -> u32 {
        ready.saturating_sub(self.most().max(self.here))
    }

    /// What a later process must know of it.
    pub(super) fn record_of(&self, of: &ControllerRef, view: &ControllerView) -> EvictionRecord {
        EvictionRecord {
            of: of.clone(),
            ready: self.most(),
            full: self.full.clone().unwrap_or_default(),
            written: view.written.clone(),
            counted: view.ready,
            confirmed: false,
        }
    }

    fn most(&self) -> u32 {
        self.ready.iter().copied().max().unwrap_or_default()
    }
}
