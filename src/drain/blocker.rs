//! What held up a drain that failed, so that the next one can begin with it.
//!
//! Remembered are controllers, not pods: whatever takes the place of a pod is held up by the same. What these drains disturb is then
//! only what held them up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Drain, PodRef, PodView};
use crate::drain::track::Track;

/// Whose pods a drain could not move: a controller, or a pod without one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Blocker {
    /// Namespace.
    pub namespace: String,
    /// Name of the controller, or of the pod.
    pub name: String,
    /// UID of the controller. Empty: a pod without one.
    pub uid: String,
}

impl Blocker {
    /// What is remembered of a pod.
    pub fn of(pod: &PodView) -> Self {
        let namespace = pod.pod.namespace.clone();
        let (name, uid) = match &pod.controller {
            Some(owner) => (owner.name.clone(), owner.uid.clone()),
            None => (pod.pod.name.clone(), String::new()),
        };
        Self {
            namespace,
            name,
            uid,
        }
    }

    fn is_of(&self, pod: &PodView) -> bool {
        self.namespace == pod.pod.namespace
            && match &pod.controller {
                Some(owner) => owner.uid == self.uid,
                None => self.uid.is_empty() && self.name == pod.pod.name,
            }
    }
}

/// Whose pods go ahead of all others, and who keeps the pods of the last list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Blockers {
    ahead: Vec<Blocker>,
    of: BTreeMap<PodRef, Blocker>,
}

impl Blockers {
    pub(super) fn seen(&mut self, pods: &[PodView]) {
        let of = |pod: &PodView| (pod.pod.clone(), Blocker::of(pod));
        self.of = pods.iter().map(of).collect();
    }

    /// Whether a pod goes ahead.
    pub(super) fn goes_ahead(&self, pod: &PodView) -> bool {
        self.ahead.iter().any(|blocker| blocker.is_of(pod))
    }
}

/// A pod that held up a drain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldUp {
    /// Which.
    pub pod: PodRef,
    /// What is remembered of it.
    pub blocker: Blocker,
    /// Why it has not gone.
    pub why: String,
}

impl Drain {
    /// Begins with the pods of those that held up the last one.
    #[must_use]
    pub fn with_ahead(mut self, ahead: Vec<Blocker>) -> Self {
        self.blockers.ahead = ahead;
        self
    }

    /// How many pods that go ahead of all others are not ending, as the list shows, whatever was answered. `None`: none of them is here
    /// any more, and the others go.
    pub fn ahead(&self) -> Option<usize> {
        let mut ahead = self.ahead_left().peekable();
        ahead.peek()?;
        let stays = |track: &&Track| !matches!(track, Track::Ending);
        Some(ahead.map(|(_, track)| track).filter(stays).count())
    }

    /// Whether all pods that go ahead are ending, and may take the time that they take.
    pub fn ahead_is_ending(&self) -> bool {
        let late = self.ahead_left().any(|(pod, _)| self.endings.is_late(pod));
        self.ahead() == Some(0) && !late
    }

    fn ahead_left(&self) -> impl Iterator<Item = (&PodRef, &Track)> {
        let ahead = |pod: &PodRef| self.order.get(pod).is_some_and(|order| order.is_ahead());
        self.pods.iter().filter(move |(pod, _)| ahead(pod))
    }

    /// What holds it up now. `expired`: its time is over, so pods that have not ended count too.
    pub fn held_up(&self, expired: bool) -> Vec<HeldUp> {
        let held_up = |(pod, track): (&PodRef, &Track)| {
            let why = match track {
                Track::Blocked(blocked) => blocked.why.clone(),
                _ if self.guard.holds(pod) => self.guard.reason(pod),
                Track::Told(_) | Track::Ending if expired => self.endings.words(pod),
                Track::Sent(_) if expired => "its eviction was not answered".to_owned(),
                Track::Todo | Track::Sent(_) | Track::Told(_) | Track::Ending => return None,
            };
            let blocker = self.blockers.of.get(pod)?.clone();
            let pod = pod.clone();
            Some(HeldUp { pod, blocker, why })
        };
        self.pods.iter().filter_map(held_up).collect()
    }
}
