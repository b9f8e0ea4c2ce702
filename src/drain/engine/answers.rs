//! What the server's answers change, and time.

use super::Drain;
use crate::drain::track::{By, Sent, Track};
use crate::drain::{EvictAnswer, PodRef};

impl Drain {
    /// Takes note of an answer; returns why the drain cannot be finished, if so.
    pub(super) fn answered(&mut self, pod: &PodRef, answer: EvictAnswer) -> Option<String> {
        let track = self.pods.get_mut(pod)?;
        let sent = match track {
            Track::Sent(sent) => std::mem::take(sent),
            Track::Todo | Track::Told(_) | Track::Ending | Track::Blocked(_) => Sent::default(),
        };
        if !self.listed.contains(pod) {
            // The list that lacks it came before the answer, and no other needs to follow.
            self.pods.remove(pod);
            return None;
        }
        // Of one that is not there for the server nobody knows yet whether it went, or is not known to be here.
        let accepted = answer == EvictAnswer::Accepted;
        let (now, failed) = Track::answered(pod, answer, sent.tries);
        match &now {
            Track::Told(_) if accepted => self.guard.went(pod),
            Track::Blocked(blocked) if blocked.by != By::Nobody => self.guard.refused(pod),
            Track::Blocked(_) | Track::Told(_) | Track::Ending | Track::Todo | Track::Sent(_) => {}
        }
        if failed.is_none() && !self.stopped && sent.tries > 0 {
            self.news.tell_of_refusal(pod, &now);
        }
        self.pods.insert(pod.clone(), now);
        failed
    }

    pub(super) fn tick(&mut self) {
        self.pace.tick();
        for (pod, track) in &mut self.pods {
            if let Track::Blocked(blocked) = track {
                let held = self.guard.holds(pod);
                let looked = blocked.looked || !self.guard.guards(pod);
                blocked.tick(self.fresh && looked && !held);
                // Others may be before it for long. One that the guard holds back has looks of its own.
                if blocked.was_looked_at_long_ago() && !held {
                    blocked.looked = false;
                }
            }
        }
    }
}
