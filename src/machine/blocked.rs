//! After a drain that a budget stopped: the pods that it blocked are asked about before there is another.
//!
//! A dry run costs one request and disturbs nobody; a turn takes the slot from others and evicts what is not blocked once more.

use super::check::{Aim, Checking};
use super::gate::Blocked;
use super::{Action, Machine, Op, Out, Patience, Phase, Report};
use crate::drain::{Drain, EvictAnswer, PodRef, essence, few};
use crate::failure::{Failure, FailureKind};
use crate::journal::Failed;
use crate::node::NodeEvent;

/// So many pods an Event names.
const ANNOUNCED: usize = 5;
/// Bytes of an Event's message: no more are shown, or stored, of one.
const LONGEST: usize = 1024;

/// Asking about pods, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Asking {
    /// The one that is being asked about.
    pod: PodRef,
    left: Vec<PodRef>,
    /// Those that are still blocked, each with the server's reason.
    found: Vec<(PodRef, String)>,
    aim: Aim,
}

impl Machine {
    /// The pods that a budget blocked, if a drain that is being given up failed of that, each with the server's reason.
    pub(super) fn blockers(&self) -> Vec<(PodRef, String)> {
        let drain = match &self.phase {
            Phase::Cordoning(cordoning) => cordoning.drain.as_ref(),
            Phase::Queueing(queueing) => Some(&queueing.drain),
            Phase::Draining(draining) => Some(&draining.drain),
            _ => None,
        };
        drain
            .filter(|drain| self.expired || drain.failed())
            .into_iter()
            .flat_map(Drain::blocked_by_budgets)
            .map(|(pod, why)| (pod.clone(), why.to_owned()))
            .collect()
    }

    /// Tells whoever looks at the Node who blocks. Once for each turn that failed of it.
    pub(super) fn announce_blockers(&self, out: &mut Out, blockers: &[(PodRef, String)]) {
        let (Some(turn), Some(failed)) = (self.turn(), &self.journal.failed) else {
            return;
        };
        if blockers.is_empty() {
            return;
        }
        let named: Vec<_> = blockers
            .iter()
            .take(ANNOUNCED)
            .map(|(pod, why)| format!("{pod}: {}", essence(why)))
            .collect();
        let more = match blockers.len().saturating_sub(ANNOUNCED) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let mut message = format!(
            "PodDisruptionBudgets forbid to evict {} of its pods, so this node does not reboot yet and looks again at {}. \
             Let the budgets allow a disruption, or move the pods (kubectl get poddisruptionbudgets -A): {}{more}",
            blockers.len(),
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

    /// Asks about the pods that blocked the last drain, as far as they are still here and have to go; then goes on to the lock.
    pub(super) fn ask_blockers(&mut self, out: &mut Out, aim: Aim, going: &[PodRef]) {
        let failed = self.journal.failed.as_ref();
        let left = failed
            .into_iter()
            .flat_map(|failed| failed.blocked.iter().rev())
            .filter(|pod| going.contains(pod))
            .cloned()
            .collect();
        self.ask_next(out, left, Vec::new(), aim);
    }

    fn ask_next(
        &mut self,
        out: &mut Out,
        mut left: Vec<PodRef>,
        found: Vec<(PodRef, String)>,
        aim: Aim,
    ) {
        if let Some(pod) = left.pop() {
            let op = Op::TryEviction(pod.clone());
            let asking = Asking {
                pod,
                left,
                found,
                aim,
            };
            self.check(out, Checking::Blockers(Box::new(asking)), op);
        } else if found.is_empty() {
            self.check(out, Checking::Lock(aim), Op::ReadLock);
        } else {
            self.still_blocked(out, &found);
        }
    }

    pub(super) fn on_tried(&mut self, out: &mut Out, asking: Asking, answer: EvictAnswer) {
        let Asking {
            pod,
            left,
            mut found,
            aim,
        } = asking;
        match answer {
            // It could go, or is gone, or goes by itself.
            EvictAnswer::Accepted
            | EvictAnswer::Gone
            | EvictAnswer::Elsewhere
            | EvictAnswer::NamespaceTerminating => {}
            EvictAnswer::Budget(why) | EvictAnswer::SeveralBudgets(why) => found.push((pod, why)),
            // Nobody knows, so no turn begins.
            EvictAnswer::Throttled(_) => {
                let why = format!("cannot ask whether pod {pod} may be evicted: too many requests");
                let failure = Failure::new(FailureKind::Throttled, why);
                self.rest_on_failure(out, Blocked::failed(&failure));
                return;
            }
            EvictAnswer::Invalid(failure) | EvictAnswer::Failed(failure) => {
                self.rest_on_failure(out, Blocked::failed(&failure));
                return;
            }
        }
        self.ask_next(out, left, found, aim);
    }

    /// The back-off goes on: nothing is evicted, and no slot is taken.
    fn still_blocked(&mut self, out: &mut Out, found: &[(PodRef, String)]) {
        self.tries = 0;
        let words = found.iter().map(|(pod, why)| format!("{pod}: {why}"));
        let why = format!("a drain would be blocked again: {}", few(words));
        out.report(Report::StillBlocked, why.clone());
        let earlier = self.journal.failed.take();
        // One that may go now may be blocked again when its turn comes.
        let blocked = earlier.as_ref().map(|failed| failed.blocked.clone());
        let failed = Failed::after(earlier.as_ref(), out.now, why, blocked.unwrap_or_default());
        self.journal.failed = Some(failed);
        self.phase = Phase::Checking(Checking::StillBlocked);
        self.write_journal(out, Patience::Once);
    }
}
