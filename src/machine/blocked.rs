//! After a drain that failed: what held it up is remembered, and the next one begins with just that.
//!
//! A drain that is held up again has then disturbed nothing but what held it up. Some budgets open only once the node is cordoned, so
//! nobody asks before; others open only once the other pods are gone, so every fourth turn drains everything.

use std::time::Duration;

use super::gate::Blocked;
use super::{Action, Gate, Machine, Out, Phase, Timer};
use crate::backoff::Delay;
use crate::drain::{Blocker, Drain, HeldUp, PodView, essence, few};
use crate::node::NodeEvent;

/// So many pods an Event names.
const ANNOUNCED: usize = 5;
/// Bytes of an Event's message: no more are shown, or stored, of one.
const LONGEST: usize = 1024;
/// What held up the last drain has so long, after the last of it went, until this one is given up.
const PATIENCE: Duration = Duration::from_secs(300);
/// Of so many turns in a row that failed the last drains everything.
const EVERYTHING: u8 = 4;

impl Machine {
    /// What holds up a drain that is being given up because it failed, or because its time is over.
    pub(super) fn held_up(&self) -> Vec<HeldUp> {
        let drain = match &self.phase {
            Phase::Cordoning(cordoning) => cordoning.drain.as_ref(),
            Phase::Draining(draining) => Some(&draining.drain),
            _ => None,
        };
        drain
            .filter(|drain| self.expired || drain.failed())
            .map(|drain| drain.held_up(self.expired))
            .unwrap_or_default()
    }

    /// Tells whoever looks at the Node what holds it up. Once for each turn that failed of it.
    pub(super) fn announce_held_up(&self, out: &mut Out, held_up: &[HeldUp]) {
        let (Some(turn), Some(failed)) = (self.turn(), &self.journal.failed) else {
            return;
        };
        if held_up.is_empty() {
            return;
        }
        let named: Vec<_> = held_up
            .iter()
            .take(ANNOUNCED)
            .map(|it| {
                let twice = format!("cannot evict pod {}: ", it.pod);
                let why = essence(&it.why);
                format!("{}: {}", it.pod, why.strip_prefix(&twice).unwrap_or(why))
            })
            .collect();
        let more = match held_up.len().saturating_sub(ANNOUNCED) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let mut message = format!(
            "{} of its pods could not be moved, so this node does not reboot yet and tries again at {}, these first. \
             Mend what holds them, or move them (rollboot plan, kubectl get poddisruptionbudgets -A): {}{more}",
            held_up.len(),
            failed.retry_at,
            named.join("; "),
        );
        let mut ends = (0..=LONGEST).rev();
        message.truncate(ends.find(|at| message.is_char_boundary(*at)).unwrap_or(0));
        out.push(Action::Announce(NodeEvent {
            node_uid: turn.node_uid.clone(),
            turn: turn.id,
            at: out.now,
            reason: "DrainBlocked",
            message,
        }));
    }

    /// Whose pods go first in this turn.
    pub(super) fn goes_ahead(&self) -> Vec<Blocker> {
        let failed = self.journal.failed.as_ref();
        let some = failed.filter(|failed| !failed.times.is_multiple_of(EVERYTHING));
        some.map(|failed| failed.blocked.clone())
            .unwrap_or_default()
    }

    /// Why no turn may begin yet: a pod of the last drain is still ending, and the next would only wait for it.
    pub(super) fn ending_gate(
        &self,
        pods: &[PodView],
        waits: &[crate::drain::PodRef],
    ) -> Option<Blocked> {
        self.journal.failed.as_ref()?;
        let ending = |pod: &&PodView| pod.terminating && waits.contains(&pod.pod);
        let ending = pods.iter().filter(ending);
        let ending: Vec<_> = ending.map(|pod| pod.pod.to_string()).collect();
        (!ending.is_empty()).then(|| {
            Blocked::new(
                Gate::Pods,
                format!("still ending since the last drain: {}", few(ending)),
                "no slot is taken until their containers have ended",
            )
        })
    }

    /// Gives what goes first its time: anew whenever one of it went, which the list shows, and not an answer; and the others theirs
    /// once it is gone. `before`: how many there were.
    pub(super) fn time_ahead(&self, out: &mut Out, before: Option<usize>) {
        let Phase::Draining(draining) = &self.phase else {
            return;
        };
        let timeout = self.config.drain.timeout;
        match (before, draining.drain.ahead()) {
            (None, Some(_)) => out.set(Timer::Drain, Delay::exactly(PATIENCE.min(timeout))),
            (Some(before), Some(now)) if now < before => {
                out.set(Timer::Drain, Delay::exactly(PATIENCE.min(timeout)));
            }
            (Some(_), None) => out.set(Timer::Drain, Delay::exactly(timeout)),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// The time of what goes first is over, and all of it is ending: that may take what it takes.
    pub(super) fn waits_ahead(&self, out: &mut Out) -> bool {
        let drain = match &self.phase {
            Phase::Draining(draining) => Some(&draining.drain),
            _ => None,
        };
        let waits = drain.is_some_and(Drain::ahead_is_ending);
        if waits {
            let wait = PATIENCE.min(self.config.drain.timeout);
            out.set(Timer::Drain, Delay::exactly(wait));
        }
        waits
    }
}
