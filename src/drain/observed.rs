//! Looks at a status, one after the other: whether its controller has seen by now what was evicted.
//!
//! A controller that is awake writes its status after an eviction of a Ready pod, for it counts one pod less. StatusRevision once it may
//! have seen one of several pods only, so a status is also to come to rest.

use super::{ControllerView, EvictionRecord, StatusRevision};

/// A status that was seen to be written so often is of a controller that is awake, if it never rests.
const AWAKE: u8 = 3;

/// What a status showed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StatusSnapshot {
    /// [`ControllerView::written`].
    pub written: StatusRevision,
    /// [`ControllerView::ready`].
    pub counted: u32,
}

impl StatusSnapshot {
    pub(super) fn of(view: &ControllerView) -> Self {
        Self {
            written: view.written.clone(),
            counted: view.ready,
        }
    }

    pub(super) fn noted(wave: &EvictionRecord) -> Self {
        Self {
            written: wave.written.clone(),
            counted: wave.counted,
        }
    }
}

/// What was seen of a status since the last thing happened that it is to show.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Looks {
    last: StatusSnapshot,
    /// There was one.
    looked: bool,
    still: bool,
    /// Of looks that differ from the one before.
    writes: u8,
}

impl Looks {
    /// None yet; the status was this before.
    pub(super) fn after(last: StatusSnapshot) -> Self {
        Self {
            last,
            looked: false,
            still: false,
            writes: 0,
        }
    }

    /// What was seen until now says nothing about what happens from now on.
    pub(super) fn anew(&mut self) {
        (self.looked, self.still, self.writes) = (false, false, 0);
    }

    /// Takes the next look. Whether the status was written since the one before it.
    pub(super) fn look(&mut self, view: &ControllerView) -> bool {
        let last = std::mem::replace(&mut self.last, StatusSnapshot::of(view));
        let counts = last.counted != view.ready;
        let wrote = counts || view.written.since(&last.written);
        let looked = std::mem::replace(&mut self.looked, true);
        self.still = looked && !wrote;
        // At least so far apart that they are of different seconds, or of different pods.
        let apart = counts || view.written.times != last.written.times;
        self.writes = self.writes.saturating_add((looked && apart).into());
        wrote
    }

    /// It has come to rest, or is of a controller that never lets it.
    pub(super) fn rests(&self) -> bool {
        self.still || self.writes >= AWAKE
    }
}
