//! What the server's answers change, what is seen of its budgets, and time.

use super::Drain;
use crate::drain::retry::next_tick;
use crate::drain::track::{By, Sent, Track};
use crate::drain::{BudgetRef, EvictAnswer, PodRef};

impl Drain {
    /// Takes note of an answer; returns why the drain cannot be finished, if so.
    pub(super) fn answered(&mut self, pod: &PodRef, answer: EvictAnswer) -> Option<String> {
        let track = self.pods.get_mut(pod)?;
        let sent = match track {
            Track::Sent(sent) => std::mem::take(sent),
            Track::Todo | Track::Told(_) | Track::Ending | Track::Blocked(_) => Sent::default(),
        };
        if let (EvictAnswer::Accepted, Some(budget)) = (&answer, &sent.budget) {
            self.openings.let_go(budget);
        }
        if !self.listed.contains(pod) {
            // The list that lacks it came before the answer, and no other needs to follow.
            self.pods.remove(pod);
            return None;
        }
        // Of one that is not there for the server nobody knows yet whether it went, or is not known to be here.
        let accepted = answer == EvictAnswer::Accepted;
        let (mut now, failed) = Track::answered(pod, answer, sent.tries);
        if let Track::Blocked(blocked) = &mut now
            && let By::Budget(Some(budget)) = &blocked.by
        {
            if sent.budget.as_ref() == Some(budget) {
                self.openings.refused(budget, sent.early);
            }
            blocked.ticks = self.spread(pod, budget);
        }
        match &now {
            Track::Told(_) if accepted => self.guard.went(pod),
            Track::Blocked(blocked) if blocked.by != By::Nobody => self.guard.refused(pod),
            Track::Blocked(_) | Track::Told(_) | Track::Ending | Track::Todo | Track::Sent(_) => {}
        }
        if failed.is_none() && !self.stopped && sent.tries > 0 && !sent.early {
            self.news.tell_of_refusal(pod, &now);
        }
        self.pods.insert(pod.clone(), now);
        failed
    }

    /// Ticks until a pod is asked for again that this budget has refused.
    fn spread(&self, pod: &PodRef, budget: &BudgetRef) -> u8 {
        let others = self.pods.iter().filter(|(other, _)| *other != pod);
        let ticks = others.filter_map(|(_, track)| match track {
            Track::Blocked(blocked) => {
                (blocked.by.budget() == Some(budget)).then_some(blocked.ticks)
            }
            Track::Todo | Track::Sent(_) | Track::Told(_) | Track::Ending => None,
        });
        next_tick(&ticks.collect::<Vec<_>>())
    }

    /// A budget is seen to allow so many evictions.
    pub(super) fn opened(&mut self, budget: &BudgetRef, room: u32) {
        self.openings.seen(budget, room);
    }

    /// No watch shows this budget any more, for a while at least.
    pub fn unwatched(&mut self, budget: &BudgetRef) {
        self.openings.unseen(budget);
    }

    pub(super) fn tick(&mut self) {
        let in_flight = self.asked_budgets();
        self.openings.tick(&in_flight);
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
