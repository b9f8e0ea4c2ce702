//! Waiting because of pods on the own node: it watches them, so that it goes on when the last one that is in the way has ended,
//! and not a minute later.

use std::time::Duration;

use super::gate::Blocked;
use super::judge::{blocking_pods_gates, static_pods_gate};
use super::{Action, Gate, Machine, Out, Phase, Timer};
use crate::backoff::Delay;
use crate::config::DrainMode;
use crate::drain::{Arrivals, Plan, PodView, plan};

/// What a watch does not show, because it ended or because others decide it, is looked at this often.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// From the change that opens the gate to the look at all of them: a list may disagree with the watch, and must not be asked for
/// without a pause.
const SOON: Duration = Duration::from_secs(2);

impl Machine {
    /// Why no turn may begin with these pods: all the reasons.
    pub(super) fn pods_gates(&self, pods: &[PodView]) -> Vec<Blocked> {
        let evicts = self.config.drain.mode == DrainMode::Evict;
        let plan = evicts.then(|| plan(pods, &self.config.drain, &Arrivals::default()));
        let refusal = plan.as_ref().and_then(Plan::refusal);
        let refusal =
            refusal.map(|why| Blocked::new(Gate::Pods, why, "nothing is evicted until then"));
        let ending = plan.and_then(|plan| self.ending_gate(pods, &plan.wait));
        let mut closed: Vec<_> = refusal.into_iter().collect();
        closed.extend(blocking_pods_gates(&self.config, pods));
        closed.extend(static_pods_gate(pods));
        closed.extend(ending);
        closed
    }

    /// Waits for pods of this node to change.
    pub(super) fn rest_on_pods(&mut self, out: &mut Out, closed: Vec<Blocked>) {
        self.rest_on_all(out, closed, Some(Delay::about(LOOK_AGAIN)));
        out.push(Action::WatchPods);
        if let Phase::Resting(rest) = &mut self.phase {
            rest.watching_pods = true;
        }
    }

    /// The watch shows the pods as they are now.
    pub(super) fn pods_seen_while_waiting(&mut self, out: &mut Out, pods: &[PodView]) {
        let closed = self.pods_gates(pods);
        let Phase::Resting(rest) = &mut self.phase else {
            return;
        };
        if !rest.watching_pods {
            return;
        }
        // Pods that come and go put the look off no further once it is due soon.
        if !closed.is_empty() {
            rest.opened = false;
            rest.why = closed;
        } else if !std::mem::replace(&mut rest.opened, true) {
            out.set(Timer::Attempt, Delay::about(SOON));
        }
    }
}
