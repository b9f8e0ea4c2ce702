//! The last look before the reboot, with fresh reads, the lock last; then logind is asked at once.

use std::time::Duration;

use super::gate::Blocked;
use super::look::Question;
use super::returned::containers;
use super::{Action, Gate, Machine, Op, Out, Patience, Phase, Reply, Report, Stop, Timer};
use crate::backoff::Delay;
use crate::config::DrainMode;
use crate::drain::{Drain, VOLUMES_LOOK};
use crate::failure::WriteOutcome;
use crate::journal::{Asked, Outcome, Stage};
use crate::node::NodeView;

/// A read of the lock that took longer says nothing about now: so long after it was sent logind may still be asked.
pub const FRESH: Duration = Duration::from_secs(5);
/// What the first look of a round saw counts for so long. Longer, and somebody may have uncordoned the node since.
const ROUND: Duration = Duration::from_secs(20);
/// A gate that closed at the last moment is looked at again after this.
const LOOK_AGAIN: Duration = VOLUMES_LOOK;

/// The final checks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Verifying {
    step: Step,
    pub(super) drain: Drain,
    /// What the last round found closed.
    blocked: Option<Blocked>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    /// The lock is told that the next node may drain.
    Drained,
    /// Somebody else has written it meanwhile.
    DrainedRead,
    /// Nothing new for a while: the scheduler may still bind a pod for seconds after a cordon.
    Quiet,
    Sentinels,
    Node,
    Look(Question),
    /// The journal says `rebooting` before logind is asked.
    Journal,
    Lock,
    /// What was looked at first is too old by now: the record is taken back, and the round begins anew.
    TakeBack,
}

impl Verifying {
    pub(super) fn describe(&self) -> String {
        let step = match self.step {
            Step::Drained | Step::DrainedRead => {
                "the lock could not be told that the drain is over"
            }
            Step::Quiet
            | Step::Sentinels
            | Step::Node
            | Step::Look(_)
            | Step::Journal
            | Step::Lock
            | Step::TakeBack => "drained, but the last checks did not come to an end",
        };
        let blocked = self.blocked.as_ref();
        blocked.map_or_else(|| step.to_owned(), |blocked| blocked.what.clone())
    }

    pub(super) fn blocked(&self) -> Option<&Blocked> {
        self.blocked.as_ref()
    }
}

impl Machine {
    pub(super) fn verify(&mut self, out: &mut Out, drain: Drain) {
        self.phase = Phase::Verifying(Verifying {
            step: Step::Quiet,
            drain,
            blocked: None,
        });
        self.begin_quiet(out);
    }

    /// Where several turns may run: the next node may drain once the lock says that this one has. Then the last checks begin.
    pub(super) fn let_others_drain(&mut self, out: &mut Out, drain: Drain) {
        self.phase = Phase::Verifying(Verifying {
            step: Step::Drained,
            drain,
            blocked: None,
        });
        self.say_drained(out);
    }

    fn say_drained(&mut self, out: &mut Out) {
        let view = self.lock.as_ref();
        match view.and_then(|view| view.says_drained(&self.host.node)) {
            Some(patch) => self.verifying(out, Step::Drained, Op::PatchLock(patch)),
            None => self.begin_quiet(out),
        }
    }

    fn begin_quiet(&mut self, out: &mut Out) {
        if let Phase::Verifying(verifying) = &mut self.phase {
            verifying.step = Step::Quiet;
        }
        out.set(Timer::Check, Delay::exactly(self.config.drain.quiet));
    }

    /// A flag changed. While nothing is on its way, it counts at once.
    pub(super) fn verify_look(&mut self, out: &mut Out) {
        let Phase::Verifying(verifying) = &self.phase else {
            return;
        };
        if !self.can_drop_call() {
            return;
        }
        let journaled = matches!(verifying.step, Step::Journal | Step::Lock | Step::TakeBack);
        let why = if journaled {
            self.no_longer()
        } else {
            self.why_undo_now()
        };
        if let Some(outcome) = why {
            self.call = None;
            out.push(Action::CancelTimer(Timer::Check));
            self.take_back(out, outcome);
        }
    }

    /// [`Self::why_undo_now`] once the requests count as served.
    fn no_longer(&self) -> Option<Outcome> {
        let late = || Outcome::BackOff("not done within drain.timeout".into());
        self.called_off().or_else(|| self.expired.then(late))
    }

    /// It has been quiet for long enough, or a closed gate is looked at again.
    pub(super) fn verify_again(&mut self, out: &mut Out) {
        let Phase::Verifying(verifying) = &self.phase else {
            return;
        };
        if verifying.step == Step::Quiet {
            self.round_is_old = false;
            out.set(Timer::Round, Delay::exactly(ROUND));
            self.verifying(out, Step::Sentinels, Op::Sentinels);
        }
    }

    fn verifying(&mut self, out: &mut Out, step: Step, op: Op) {
        if let Phase::Verifying(verifying) = &mut self.phase {
            verifying.step = step;
        }
        // Whatever nobody can say about a gate now is asked again in the next round.
        let patience = match step {
            Step::Look(Question::Host | Question::Nodes) => Patience::Once,
            // The record says that logind was asked: it is not kept while nobody answers.
            Step::Lock => Patience::Once,
            _ => Patience::Turn,
        };
        self.call(out, op, patience);
    }

    /// The round is over, one way or the other.
    pub(super) fn end_round(&mut self, out: &mut Out) {
        self.round_is_old = false;
        out.push(Action::CancelTimer(Timer::Round));
    }

    fn closed(&mut self, out: &mut Out, blocked: Blocked) {
        if !blocked.gate.is_brief() {
            out.push(Action::CancelTimer(Timer::Check));
            self.undo(out, Outcome::Again(blocked.what));
            return;
        }
        self.end_round(out);
        if !self.said.contains(&blocked) {
            out.report(
                Report::Waiting,
                format!("{}: {}", blocked.what, blocked.detail),
            );
            self.said = vec![blocked.clone()];
        }
        if let Phase::Verifying(verifying) = &mut self.phase {
            verifying.step = Step::Quiet;
            verifying.blocked = Some(blocked);
        }
        out.set(Timer::Check, Delay::exactly(LOOK_AGAIN));
    }

    pub(super) fn on_verifying(&mut self, out: &mut Out, reply: Reply) {
        let Phase::Verifying(verifying) = &self.phase else {
            return;
        };
        let step = verifying.step;
        if let Reply::Sentinels(requests) = &reply {
            self.take_sentinels(out, requests.clone());
        }
        // From here on a call has ended and nothing is written yet: whatever was noted meanwhile comes first.
        if matches!(
            step,
            Step::Drained | Step::DrainedRead | Step::Sentinels | Step::Node | Step::Look(_)
        ) && let Some(outcome) = self.why_undo_now()
        {
            out.push(Action::CancelTimer(Timer::Check));
            self.undo(out, outcome);
            return;
        }
        match (step, reply) {
            (Step::Drained, Reply::LockWritten(WriteOutcome::Applied(view))) => {
                match self.look_at_lock(Some(view)) {
                    Some(outcome) => self.undo(out, outcome),
                    None => self.begin_quiet(out),
                }
            }
            (Step::Drained, Reply::LockWritten(_)) => {
                self.verifying(out, Step::DrainedRead, Op::ReadLock);
            }
            (Step::DrainedRead, Reply::Lock { result, .. }) => {
                match self.look_at_lock(result.unwrap_or_default()) {
                    Some(outcome) => self.undo(out, outcome),
                    None => self.say_drained(out),
                }
            }
            (Step::Sentinels, Reply::Sentinels(_)) => {
                if self.settled {
                    self.verifying(out, Step::Node, Op::ReadNode);
                } else {
                    let blocked = Blocked::new(
                        Gate::Settle,
                        "the sentinel is being written to",
                        "it must be unchanged for `settle`",
                    );
                    self.closed(out, blocked);
                }
            }
            (Step::Node, Reply::Node(result)) => {
                self.verify_node(out, result.unwrap_or_default().as_ref());
            }
            (Step::Look(question), reply) => match self.closed_by(&reply) {
                Some(blocked) => self.closed(out, blocked),
                None => self.looked_at(out, question, &reply),
            },
            (Step::Journal, Reply::JournalWritten(_)) => {
                self.verifying(out, Step::Lock, Op::ReadLock);
            }
            (Step::Lock, Reply::Lock { result: Err(_), .. }) => self.look_anew(out),
            (
                Step::Lock,
                Reply::Lock {
                    result: Ok(view),
                    took,
                },
            ) => {
                let no = self.look_at_lock(view).or_else(|| self.no_longer());
                let old = took > FRESH || self.round_is_old || self.stop == Stop::Asking;
                match no {
                    Some(outcome) => self.take_back(out, outcome),
                    None if old => self.look_anew(out),
                    None => self.ask(out),
                }
            }
            (Step::TakeBack, Reply::JournalWritten(_)) => {
                let blocked = Blocked::new(
                    Gate::Api,
                    "the last look took too long, or was not answered",
                    "everything is looked at again",
                );
                self.closed(out, blocked);
            }
            (step, reply) => {
                out.report(
                    Report::Defect,
                    format!("{step:?} does not expect {reply:?}"),
                );
            }
        }
    }

    fn verify_node(&mut self, out: &mut Out, node: Option<&NodeView>) {
        let (Some(node), Some(turn)) = (node, self.turn()) else {
            self.restart(out);
            return;
        };
        let marked = node
            .parsed_marker()
            .is_some_and(|marker| marker.turn == turn.id);
        if node.uid != turn.node_uid {
            self.restart(out);
        } else if !node.unschedulable || !marked || node.deleting || node.hold.is_some() {
            // Cordoning knows what each of these means.
            let Phase::Verifying(verifying) = &self.phase else {
                return;
            };
            let drain = verifying.drain.clone();
            self.end_round(out);
            self.drain_on(out, drain);
        } else if self.config.drain.mode == DrainMode::Evict {
            match self.volumes_gate(out, node) {
                Some(blocked) => self.closed(out, blocked),
                None => self.look_on(out, None),
            }
        } else {
            self.look_on(out, None);
        }
    }

    /// A gate is open. Pods that are here may be such as have to go first.
    fn looked_at(&mut self, out: &mut Out, question: Question, reply: &Reply) {
        let Phase::Verifying(verifying) = &self.phase else {
            return;
        };
        if let Reply::Pods(Ok(pods)) = reply
            && self.config.drain.mode == DrainMode::Evict
        {
            let plan = verifying.drain.plan(pods);
            if !plan.is_empty() || plan.refusal().is_some() {
                let drain = verifying.drain.clone();
                self.end_round(out);
                self.drain_on(out, drain);
                return;
            }
        }
        if let (Reply::Pods(Ok(pods)), Some(turn)) = (reply, &mut self.journal.turn) {
            // A container that was made anew during the drain is of this boot all the same.
            turn.containers.extend(containers(pods));
        }
        self.look_on(out, Some(question));
    }

    /// Asks the next question about a gate. When none is left, nothing is in the way of the reboot.
    fn look_on(&mut self, out: &mut Out, after: Option<Question>) {
        let evicts = self.config.drain.mode == DrainMode::Evict;
        match self.next_question(after, evicts) {
            Some(question) => self.verifying(out, Step::Look(question), question.op()),
            None => self.journal_the_ask(out),
        }
    }

    fn journal_the_ask(&mut self, out: &mut Out) {
        let requests = self.present.clone();
        let Some(turn) = &mut self.journal.turn else {
            return;
        };
        turn.stage = Stage::Rebooting;
        let asked = Asked {
            at: out.now,
            boot_id: turn.boot_id.clone(),
            turn: turn.id,
            requests,
        };
        self.journal.remember(asked);
        if let Phase::Verifying(verifying) = &mut self.phase {
            verifying.step = Step::Journal;
        }
        self.write_journal(out, Patience::Turn);
    }

    /// Too much may have happened since the round began, or PID 1 has not said yet why the service is being stopped.
    fn look_anew(&mut self, out: &mut Out) {
        self.forget_the_ask();
        if let Phase::Verifying(verifying) = &mut self.phase {
            verifying.step = Step::TakeBack;
        }
        self.write_journal(out, Patience::Turn);
    }

    fn forget_the_ask(&mut self) {
        let id = self.turn().map(|turn| turn.id);
        if let Some(turn) = &mut self.journal.turn {
            turn.stage = Stage::Active;
        }
        self.journal.history.pop_if(|asked| Some(asked.turn) == id);
    }

    /// logind was not asked, or definitely refused: the record that it was is taken back with the very write that announces the
    /// undo, so before anything is undone.
    pub(super) fn take_back(&mut self, out: &mut Out, outcome: Outcome) {
        self.forget_the_ask();
        self.undo(out, outcome);
    }
}
