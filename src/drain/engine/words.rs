//! What a drain can tell of itself: what is blocked by what, what is still here and why.

use super::Drain;
use crate::drain::PodRef;
use crate::drain::few::few;
use crate::drain::plan::{CAME_BACK, PLACED};
use crate::drain::track::Track;

impl Drain {
    /// Whether at least one eviction was sent.
    pub fn begun(&self) -> bool {
        self.begun
    }

    /// Pods not gone yet.
    pub fn left(&self) -> usize {
        self.pods.len()
    }

    /// Whether it has failed: nothing more is sent, and the time limit has nothing to do with it.
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Pods whose eviction is refused for now, each with the server's reason.
    pub fn blocked(&self) -> impl Iterator<Item = (&PodRef, &str)> {
        self.pods.iter().filter_map(|(pod, track)| match track {
            Track::Blocked(blocked) => Some((pod, blocked.why.as_str())),
            Track::Todo | Track::Sent(_) | Track::Told(_) | Track::Ending => None,
        })
    }

    /// Looks at the clock: pods that should have ended since, each with what keeps it.
    pub fn look_at_clock(&mut self, now: i64) -> Vec<String> {
        self.endings.look(now)
    }

    /// Pods that should have ended and have not, each with what keeps it.
    pub fn late(&self) -> impl Iterator<Item = String> {
        self.endings.late()
    }

    /// Pods that stay although they came only after the cordon, in words for a person; empty where there are none.
    pub fn came_back(&self) -> String {
        let late = |(pod, why): &(PodRef, &str)| {
            [CAME_BACK, PLACED]
                .contains(why)
                .then(|| format!("{pod} {why}"))
        };
        few(self.kept.iter().filter_map(late))
    }

    /// What is still here, for a person: the blocked ones with their reason, the others by name.
    pub fn describe(&self) -> String {
        let one = |(pod, track): (&PodRef, &Track)| match track {
            Track::Blocked(blocked) => format!("{pod}: {}", blocked.why),
            Track::Told(_) | Track::Ending => format!("{pod}: {}", self.endings.words(pod)),
            Track::Todo | Track::Sent(_) => format!("{pod}: not evicted yet"),
        };
        if !self.fresh && !self.guard.is_closing() {
            return "the pods of this node cannot be watched".to_owned();
        }
        let reasons = self.guard.reasons().into_iter();
        let free = self.pods.iter().filter(|(pod, _)| !self.guard.holds(pod));
        few(reasons.chain(free.map(one)))
    }
}
