//! What the server's answers change, what is seen of its budgets, and time.

use super::Drain;
use crate::drain::retry::next_tick;
use crate::drain::track::{By, Sent, Track};
use crate::drain::{BudgetRef, EvictAnswer, PodRef};

impl Drain {
    /// Takes note of an answer; returns why the drain cannot be finished, if so.
    pub(super) fn answered(&mut self, pod: &PodRef, answer: EvictAnswer) -> Option<String> {
        let track = self.pods.get_mut(pod)?;
        if !self.listed.contains(pod) {
            // The list that lacks it came before the answer, and no other needs to follow.
            self.pods.remove(pod);
            return None;
        }
        let sent = match track {
            Track::Sent(sent) => std::mem::take(sent),
            Track::Todo | Track::Ending | Track::Blocked { .. } => Sent::default(),
        };
        let let_go = (answer == EvictAnswer::Accepted).then_some(sent.budget);
        let (mut now, failed) = Track::answered(pod, answer, sent.tries);
        if let Some(budget) = let_go.flatten() {
            self.openings.let_go(&budget);
            self.look_again_at(&budget);
        }
        if let Track::Blocked {
            by: By::Budget(Some(budget)),
            ticks,
            ..
        } = &mut now
        {
            self.openings.refused(budget, sent.early);
            *ticks = self.spread(pod, budget);
        }
        match &now {
            Track::Ending => self.guard.went(pod),
            Track::Blocked { by, .. } if *by != By::Nobody => self.guard.refused(pod),
            Track::Blocked { .. } | Track::Todo | Track::Sent(_) => {}
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
            Track::Blocked { ticks, .. } if track.refused_by() == Some(budget) => Some(*ticks),
            Track::Blocked { .. } | Track::Todo | Track::Sent(_) | Track::Ending => None,
        });
        next_tick(&ticks.collect::<Vec<_>>())
    }

    /// A budget is seen to allow so many evictions.
    pub(super) fn opened(&mut self, budget: &BudgetRef, room: u32) {
        self.openings.seen(budget, room);
        self.look_again_at(budget);
    }

    /// What was known of the controllers may not be so any more, now that a budget lets pods of theirs go.
    fn look_again_at(&mut self, budget: &BudgetRef) {
        if !self.openings.has_room(budget) {
            return;
        }
        let of = |track: &Track| track.refused_by() == Some(budget);
        for (pod, _) in self.pods.iter().filter(|(_, track)| of(track)) {
            self.guard.refresh(pod);
        }
    }

    pub(super) fn tick(&mut self) {
        let in_flight = self.asked_budgets();
        self.openings.tick(&in_flight);
        for (pod, track) in &mut self.pods {
            if let Track::Blocked { ticks, .. } = track {
                // What was known of its controller may not be so any more. A budget may look at other pods, or at none.
                if *ticks == 1 {
                    self.guard.refresh(pod);
                }
                *ticks = ticks.saturating_sub(1);
            }
        }
    }
}
