//! The last look before the reboot, with fresh reads, the lock last; then logind is asked at once.

use std::time::Duration;

use super::check::host_gate;
use super::wait::Blocked;
use super::{Machine, Op, Out, Patience, Phase, Reply, Report, Timer};
use crate::backoff::Delay;
use crate::config::DrainMode;
use crate::drain::Drain;
use crate::failure::Failure;
use crate::journal::{Asked, Outcome, Stage};
use crate::lock::LockView;
use crate::node::NodeView;

/// A read of the lock that took longer says nothing about now.
const FRESH: Duration = Duration::from_secs(5);
/// A gate that closed at the last moment is looked at again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The final checks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Verifying {
    step: Step,
    drain: Drain,
    /// What the last round found closed.
    blocked: Option<Blocked>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Step {
    /// Nothing new for a while: the scheduler may still bind a pod for seconds after a cordon.
    Quiet,
    Sentinels,
    Node,
    Pods,
    Gates,
    /// The journal says `rebooting` before logind is asked.
    Journal,
    Lock,
    /// Time was lost, so the journal says so no more, and everything is looked at again.
    Reopen,
}

impl Verifying {
    pub(super) fn describe(&self) -> String {
        self.blocked
            .as_ref()
            .map_or_else(String::new, |blocked| blocked.what.clone())
    }

    pub(super) fn blocked(&self) -> Option<&Blocked> {
        self.blocked.as_ref()
    }
}

impl Machine {
    pub(super) fn verify(&mut self, out: &mut Out, drain: Drain) {
        out.set(Timer::Check, Delay::exactly(self.config.drain.quiet));
        self.phase = Phase::Verifying(Verifying {
            step: Step::Quiet,
            drain,
            blocked: None,
        });
    }

    /// A flag changed. While nothing is on its way, it counts at once.
    pub(super) fn verify_look(&mut self, out: &mut Out) {
        let Phase::Verifying(verifying) = &self.phase else {
            return;
        };
        if verifying.step == Step::Quiet
            && let Some(outcome) = self.why_undo_now()
        {
            self.undo_from_verify(out, outcome);
        }
    }

    fn undo_from_verify(&mut self, out: &mut Out, outcome: Outcome) {
        out.push(super::Action::CancelTimer(Timer::Check));
        self.undo(out, outcome);
    }

    /// It has been quiet for long enough, or a closed gate is looked at again.
    pub(super) fn verify_again(&mut self, out: &mut Out) {
        let Phase::Verifying(verifying) = &self.phase else {
            return;
        };
        if verifying.step == Step::Quiet {
            self.verifying(out, Step::Sentinels, Op::Sentinels);
        }
    }

    fn verifying(&mut self, out: &mut Out, step: Step, op: Op) {
        self.at_check(step);
        self.call(out, op, Patience::Turn);
    }

    fn at_check(&mut self, step: Step) {
        if let Phase::Verifying(verifying) = &mut self.phase {
            verifying.step = step;
        }
    }

    fn closed(&mut self, out: &mut Out, blocked: Blocked) {
        out.report(
            Report::Waiting,
            format!("{}: {}", blocked.what, blocked.detail),
        );
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
        let step = verifying.step.clone();
        if let Reply::Sentinels(requests) = &reply {
            self.take_sentinels(out, requests.clone());
        }
        // From here on a call has ended and nothing is written yet: whatever was noted meanwhile comes first.
        if matches!(
            step,
            Step::Sentinels | Step::Node | Step::Pods | Step::Gates
        ) && let Some(outcome) = self.why_undo_now()
        {
            self.undo_from_verify(out, outcome);
            return;
        }
        match (step, reply) {
            (Step::Sentinels, Reply::Sentinels(_)) => {
                if self.settled {
                    self.verifying(out, Step::Node, Op::ReadNode);
                } else {
                    let blocked = Blocked::new(
                        super::Gate::Settle,
                        "the sentinel is being written to",
                        "it must be unchanged for `settle`",
                    );
                    self.closed(out, blocked);
                }
            }
            (Step::Node, Reply::Node(result)) => {
                self.verify_node(out, result.unwrap_or_default().as_ref());
            }
            (Step::Pods, Reply::Pods(result)) => {
                let Phase::Verifying(verifying) = &self.phase else {
                    return;
                };
                let plan = verifying.drain.left_over(&result.unwrap_or_default());
                if plan.is_empty() && plan.refusal().is_none() {
                    self.verifying(out, Step::Gates, Op::Gates);
                } else {
                    let drain = verifying.drain.clone();
                    self.drain_on(out, drain);
                }
            }
            (Step::Gates, Reply::Gates(result)) => match host_gate(&result) {
                Some(blocked) => self.closed(out, blocked),
                None => self.journal_the_ask(out),
            },
            (Step::Journal, Reply::JournalWritten(Ok(()))) => {
                self.at_check(Step::Lock);
                self.call(out, Op::ReadLock, Patience::Once);
            }
            (Step::Journal, Reply::JournalWritten(Err(failure))) => {
                self.forget_the_ask();
                let detail = "no reboot without a journal on disk";
                self.closed(
                    out,
                    Blocked::new(super::Gate::Journal, failure.message, detail),
                );
            }
            (Step::Lock, Reply::Lock { result, took }) => self.last_read(out, result, took),
            (Step::Reopen, Reply::JournalWritten(_)) => match self.why_undo_now() {
                Some(outcome) => self.undo_from_verify(out, outcome),
                None => {
                    let what = "the last read of the lock took too long";
                    let blocked =
                        Blocked::new(super::Gate::Api, what, "everything is looked at again");
                    self.closed(out, blocked);
                }
            },
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
            self.drain_on(out, drain);
        } else if self.config.drain.mode == DrainMode::Evict {
            self.verifying(out, Step::Pods, Op::ListPods);
        } else {
            self.verifying(out, Step::Gates, Op::Gates);
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
        // Like the lock after it, it is tried once: whoever waits for it no longer knows what Node and pods are like.
        self.at_check(Step::Journal);
        self.write_journal(out, Patience::Once);
    }

    fn last_read(
        &mut self,
        out: &mut Out,
        result: Result<Option<LockView>, Failure>,
        took: Duration,
    ) {
        let fresh = result.is_ok() && took <= FRESH;
        let late = || Outcome::BackOff("not done within drain.timeout".into());
        let no = result.ok().and_then(|view| self.look_at_lock(view));
        let no = no
            .or_else(|| self.called_off())
            .or_else(|| self.expired.then(late));
        match no {
            Some(outcome) => self.take_back(out, outcome),
            None if fresh => self.ask(out),
            None => {
                self.forget_the_ask();
                self.at_check(Step::Reopen);
                self.write_journal(out, Patience::Turn);
            }
        }
    }

    /// logind was not asked: the turn goes on as it was before the record.
    fn forget_the_ask(&mut self) {
        if let Some(turn) = &mut self.journal.turn {
            turn.stage = Stage::Active;
            let id = turn.id;
            self.journal.history.pop_if(|asked| asked.turn == id);
        }
    }

    /// logind was not asked, or definitely refused: the record that it was is taken back with the very write that announces the
    /// undo, so before anything is undone.
    pub(super) fn take_back(&mut self, out: &mut Out, outcome: Outcome) {
        self.forget_the_ask();
        self.undo(out, outcome);
    }
}
