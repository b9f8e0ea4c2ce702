//! Which evictions go next.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::Drain;
use crate::drain::guard::{Left, Verdict};
use crate::drain::track::{Sent, Track};
use crate::drain::{BudgetRef, Order, PodRef};

/// What is chosen by one view.
struct Round {
    left: Left,
    /// Budgets that refused a pod before whose eviction is in flight again, or chosen. Two of one budget at once get into each
    /// other's way in the server, which then waits for half a second and tries again (`EvictionsRetry` in
    /// `pkg/registry/core/pod/storage/eviction.go`).
    asked: BTreeSet<BudgetRef>,
    /// So many may be sent.
    room: usize,
    send: Vec<(PodRef, Sent)>,
}

impl Drain {
    /// Those of an order that are gone make way for the next. A pod that ends by itself holds up nobody.
    pub(super) fn order_now(&self) -> Option<Order> {
        let orders = self.pods.keys().filter_map(|pod| self.order.get(pod));
        orders.min().copied()
    }

    fn asked_budgets(&self) -> BTreeSet<BudgetRef> {
        let budget = |track: &Track| match track {
            Track::Sent(sent) => sent.budget.clone(),
            Track::Todo | Track::Told(_) | Track::Ending | Track::Blocked(_) => None,
        };
        self.pods.values().filter_map(budget).collect()
    }

    /// The evictions to send now; or why the drain cannot be finished.
    pub(super) fn next(&mut self) -> Result<Vec<PodRef>, String> {
        if !self.fresh || self.stopped {
            return Ok(Vec::new());
        }
        let now = self.order_now();
        if std::mem::replace(&mut self.now, now) != now {
            for (pod, _) in self.order.iter().filter(|(_, order)| Some(**order) == now) {
                self.guard.refresh(pod);
            }
        }
        let room = usize::from(self.policy.concurrency).saturating_sub(self.in_flight());
        if room == 0 {
            // What was found when there was room still has to be read, noted and told.
            self.look_again();
            return Ok(Vec::new());
        }
        let staying = self.pods.iter().filter(|(_, track)| track.stays());
        let mut round = Round {
            left: self.guard.left(staying.map(|(pod, _)| pod)),
            asked: self.asked_budgets(),
            room,
            send: Vec::new(),
        };
        let known = |(pod, track): &(&PodRef, &Track)| track.looked() || !self.guard.guards(pod);
        let known = self.pods.iter().filter(known);
        let known = known.map(|(pod, _)| pod.clone()).collect();
        self.choose(&mut round, &known)?;
        // Only then, for a look makes what is known of a controller an old view, also for others of it.
        let looked = self.look_again();
        self.choose(&mut round, &looked)?;
        self.begun |= !round.send.is_empty();
        let sent = |(pod, sent): (PodRef, Sent)| {
            self.pods.insert(pod.clone(), Track::Sent(sent));
            pod
        };
        Ok(round.send.into_iter().map(sent).collect())
    }

    /// Chooses of these pods those that may go by what is known; or tells why the drain cannot be finished.
    fn choose(&mut self, round: &mut Round, of: &BTreeSet<PodRef>) -> Result<(), String> {
        let mut line: Vec<_> = self.pods.iter().collect();
        line.retain(|(pod, _)| self.order.get(*pod).copied() == self.now && of.contains(*pod));
        line.retain(|(pod, _)| !self.pace.holds(pod));
        // Whoever was not asked for yet, then whoever has waited longest: nobody waits for others to be refused again and again.
        line.sort_by_key(|(_, track)| Reverse(track.late()));
        for (pod, track) in line {
            let Some(sent) = track.due() else {
                continue;
            };
            let budget = sent.budget.as_ref();
            if budget.is_some_and(|budget| round.asked.contains(budget)) {
                continue;
            }
            if round.send.len() == round.room {
                break;
            }
            match self.guard.judge(pod, track.stays(), &mut round.left) {
                Verdict::Go => {}
                Verdict::Wait => continue,
                // None goes then, those before it included.
                Verdict::Never(why) => return Err(why),
            }
            if let Some(budget) = &sent.budget {
                round.asked.insert(budget.clone());
            }
            round.send.push((pod.clone(), sent));
        }
        Ok(())
    }

    /// What was known of the controller of a blocked pod may not be so any more once it may be asked for again: a budget may look
    /// at other pods, or at none. Returns those that may go as soon as that is read, if it can be.
    fn look_again(&mut self) -> BTreeSet<PodRef> {
        let mut now = BTreeSet::new();
        for (pod, track) in &mut self.pods {
            let Track::Blocked(blocked) = track else {
                continue;
            };
            let may_go = blocked.is_due() && self.order.get(pod).copied() == self.now;
            let looked = std::mem::replace(&mut blocked.looked, may_go);
            if !may_go || looked {
                continue;
            }
            // Neither is there anything to know of a pod that is not Ready, until it is, nor does a read that began earlier count.
            blocked.looked = self.guard.guards(pod) && !self.guard.is_reading_of(pod);
            if blocked.looked {
                self.guard.refresh(pod);
                now.insert(pod.clone());
            }
        }
        now
    }
}
