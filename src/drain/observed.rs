//! Whether a controller has observed what was evicted here: one rule for the drain, the release and a restart alike.
//!
//! A controller that is awake writes its status after an eviction of a Ready pod, for it counts one pod less. Written once it may have
//! observed one of several evictions only, so the status must also settle.

use super::{ControllerView, StatusSnapshot};
use crate::failure::{Failure, FailureKind};

/// Refusals in a row after which a kind counts as not to be read: a server that starts answers 403 for a moment.
pub(super) const REFUSALS: u8 = 4;

/// Whether a controller has observed all evictions of its pods. `written`: its status was written since the last of them. `settled`: it
/// has come to rest since, or has had the minutes of a boot for that.
///
/// One that wants no pods, or is being deleted, counts none of them either way.
pub(super) fn is_observed(view: &ControllerView, written: bool, settled: bool) -> bool {
    let lives = view.wanted > 0 && !view.deleting;
    !lives || (written || view.written.is_unknown()) && settled
}

/// Reads of one kind that were refused, one after the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Refusals(u8);

impl Refusals {
    /// It was read.
    pub(super) fn end(&mut self) {
        self.0 = 0;
    }

    /// A read failed. Any other failure ends the row: between refusals of a server that starts there often are some.
    pub(super) fn add(&mut self, failure: &Failure) {
        self.0 = match failure.kind {
            FailureKind::Forbidden => self.0.saturating_add(1),
            FailureKind::Unauthorized
            | FailureKind::Restricted
            | FailureKind::Policy
            | FailureKind::NotFound
            | FailureKind::Throttled
            | FailureKind::Invalid
            | FailureKind::Unavailable
            | FailureKind::Timeout
            | FailureKind::Local => 0,
        };
    }

    /// The kind may not be read.
    pub(super) fn are_final(self) -> bool {
        self.0 >= REFUSALS
    }
}

/// A status that was seen to be written so often is of a controller that is awake, if it never rests.
const AWAKE: u8 = 3;

/// What was seen of a status since the last thing happened that it is to show.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct StatusObserver {
    last: StatusSnapshot,
    /// There was a look.
    observed: bool,
    still: bool,
    /// Of looks that differ from the one before.
    writes: u8,
}

impl StatusObserver {
    /// None yet; the status was this before.
    pub(super) fn since(last: StatusSnapshot) -> Self {
        Self {
            last,
            observed: false,
            still: false,
            writes: 0,
        }
    }

    /// What was seen until now says nothing about what happens from now on.
    pub(super) fn reset(&mut self) {
        (self.observed, self.still, self.writes) = (false, false, 0);
    }

    /// Takes the next look. Whether the status was written since the one before it.
    pub(super) fn observe(&mut self, view: &ControllerView) -> bool {
        let last = std::mem::replace(&mut self.last, StatusSnapshot::of(view));
        let counts = last.counted != view.ready;
        let wrote = counts || view.written.since(&last.written);
        let observed = std::mem::replace(&mut self.observed, true);
        self.still = observed && !wrote;
        // At least so far apart that they are of different seconds, or of different pods.
        let apart = counts || view.written.times != last.written.times;
        self.writes = self.writes.saturating_add((observed && apart).into());
        wrote
    }

    /// The status has come to rest, or its controller never lets it.
    pub(super) fn is_settled(&self) -> bool {
        self.still || self.writes >= AWAKE
    }
}
