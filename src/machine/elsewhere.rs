//! A host that was joined to another cluster in the middle of its turn: nothing is written there, and its slot stays in the old one.

use std::time::Duration;

use super::start::{Starting, Step};
use super::{Action, Machine, Out, Phase, Report, Stop, Timer};
use crate::backoff::Delay;
use crate::lock::LockView;
use crate::node::NodeView;

/// How often it is looked at whether the cluster of a turn is back.
const ELSEWHERE: Duration = Duration::from_secs(600);

impl Starting {
    /// Why it goes no further, if it does not.
    pub(super) fn stays(&self) -> Option<&str> {
        match &self.step {
            Step::Elsewhere(why) => Some(why),
            _ => None,
        }
    }
}

impl Machine {
    /// Whether this is the lock in which the turn holds its slot, as far as that is known; without a turn any is.
    pub(super) fn is_the_lock_of_the_turn(&self, view: Option<&LockView>) -> bool {
        let noted = self.turn().and(self.journal.lock.as_ref());
        noted.is_none_or(|noted| view.is_some_and(|view| view.uid == noted.uid || view.resumed()))
    }

    /// Stays where it is if both the lock and the Node are others than the turn's: this host has been joined to another cluster.
    /// A Node of another UID alone was deleted and registered itself again, another lock alone was created again.
    pub(super) fn is_elsewhere(&mut self, out: &mut Out, node: Option<&NodeView>) -> bool {
        let (Some(node), Some(turn)) = (node, self.turn()) else {
            return false;
        };
        if turn.is_restored()
            || node.uid == turn.node_uid
            || self.is_the_lock_of_the_turn(self.lock.as_ref())
        {
            return false;
        }
        let why = format!(
            "turn {} began in another cluster, and its slot stays there: Node {} and the lock are others here. Make the kubeconfig that \
             one's again, or let it go: rollboot unlock {} --force in the old cluster; stop rollboot, remove \
             /var/lib/rollboot/journal.json, start it",
            turn.id, self.host.node, self.host.node
        );
        out.report(Report::NotHealthy, why.clone());
        if let Phase::Starting(start) = &mut self.phase {
            start.step = Step::Elsewhere(why);
        }
        out.set(Timer::Check, Delay::about(ELSEWHERE));
        self.elsewhere_look(out);
        true
    }

    /// Nothing can be undone here: whoever asks for an end gets one, and the turn stays on record.
    pub(super) fn elsewhere_look(&mut self, out: &mut Out) {
        let Phase::Starting(start) = &self.phase else {
            return;
        };
        let Some(why) = start.stays().map(str::to_owned) else {
            return;
        };
        if std::mem::take(&mut self.abort) {
            out.push(Action::AnswerAbort(Err(why)));
        }
        if self.stop == Stop::Undo {
            self.end(out);
        }
    }

    /// Looks anew whether this is the cluster of the turn.
    pub(super) fn start_check(&mut self, out: &mut Out) {
        if let Phase::Starting(Starting {
            step: Step::Elsewhere(_),
            ..
        }) = &self.phase
        {
            self.restart(out);
        }
    }
}
