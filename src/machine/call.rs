//! The one call on its way: repeated until it has an outcome.
//!
//! A write whose reply is lost has no outcome yet. It is repeated with the same precondition until the server says 200 or 409;
//! only then does the phase that asked for it go on. Phases therefore never see "unknown".

use std::time::Duration;

use super::{Action, Machine, Op, Out, Phase, Reply, Report, Stop, Timer};
use crate::backoff::{Delay, doubling};
use crate::failure::{Failure, FailureKind, WriteOutcome};
use crate::shutdown::{GoingDown, ShutdownFacts};

/// How long a phase is patient with a call that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Patience {
    /// Not at all: the failure is an answer.
    Once,
    /// In a turn: repeat, at most ten seconds apart, for others wait for us.
    Turn,
    /// Nobody waits: repeat, at most a minute apart.
    Slow,
}

/// A call and what is known of its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Call {
    /// What was asked.
    pub op: Op,
    patience: Patience,
    /// Lifting a cordon or giving up a slot: each repetition asks first whether the host is going down.
    guarded: bool,
    /// A reply was lost: the write may have been applied, or may yet be.
    lost: bool,
    tries: u8,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum State {
    InFlight,
    /// Waits for the retry timer, for this reason.
    Resting(Failure),
    /// Asks for the shutdown facts before it is repeated.
    Rechecking,
}

/// Tries are counted up to here; waits do not grow any more then.
const MANY: u8 = 8;

impl Call {
    /// Why it is being repeated, if it is.
    pub(super) fn trouble(&self) -> Option<&Failure> {
        match &self.state {
            State::Resting(failure) => Some(failure),
            State::InFlight | State::Rechecking => None,
        }
    }

    fn wait(&self) -> Delay {
        let cap = match self.patience {
            Patience::Once | Patience::Turn => 10,
            Patience::Slow => 60,
        };
        Delay::about(doubling(
            Duration::from_millis(500),
            Duration::from_secs(cap),
            self.tries,
        ))
    }
}

impl Machine {
    /// Sends a call. The phase has none on its way.
    pub(super) fn call(&mut self, out: &mut Out, op: Op, patience: Patience) {
        self.send(out, op, patience, false);
    }

    /// Sends a write that lifts a cordon or gives up a slot, right after the facts allowed it.
    pub(super) fn call_guarded(&mut self, out: &mut Out, op: Op) {
        self.send(out, op, Patience::Turn, true);
    }

    fn send(&mut self, out: &mut Out, op: Op, patience: Patience, guarded: bool) {
        out.push(Action::Call(op.clone()));
        self.call = Some(Call {
            op,
            patience,
            guarded,
            lost: false,
            tries: 0,
            state: State::InFlight,
        });
    }

    /// Takes a reply; when it settles the call, hands it to the phase.
    pub(super) fn on_reply(&mut self, out: &mut Out, reply: Reply) {
        let Some(mut call) = self.call.take() else {
            out.report(Report::Defect, format!("a reply to nothing: {reply:?}"));
            return;
        };
        if call.state == State::Rechecking {
            self.rechecked(out, call, &reply);
            return;
        }
        if !answers(&call.op, &reply) {
            out.report(
                Report::Defect,
                format!("{reply:?} does not answer {:?}", call.op),
            );
            self.call = Some(call);
            return;
        }
        let reply = if call.tries > 0 { gone(reply) } else { reply };
        let trouble = match trouble(&reply) {
            None => None,
            Some((failure, true)) => {
                call.lost = true;
                Some(failure)
            }
            // The server refused this one, but an earlier try of it may still land.
            Some((failure, false)) => {
                (call.lost || call.patience != Patience::Once).then_some(failure)
            }
        };
        match trouble {
            None => self.on_answer(out, reply),
            Some(failure) => {
                out.set(Timer::Retry, call.wait());
                self.round_is_old |= matches!(self.phase, Phase::Verifying(_));
                if call.tries == 0 || call.tries.saturating_add(1) == MANY {
                    let lock = matches!(call.op, Op::ReadLock);
                    let unarmed = lock && failure.kind == FailureKind::Forbidden;
                    let late = call.tries > 0 && self.boot_changed();
                    if late {
                        let text = format!(
                            "this node has rebooted and cannot prove that it is healthy, the slot is kept: {failure}"
                        );
                        out.report(Report::NotHealthy, text);
                    } else if unarmed {
                        let text = format!(
                            "not armed, this node only observes until lock.yaml is applied: {failure}"
                        );
                        out.report(Report::NotArmed, text);
                    } else {
                        let advice = super::gate::advice(failure.kind);
                        out.report(Report::Retrying, format!("{failure}; {advice}"));
                    }
                }
                call.tries = call.tries.saturating_add(1).min(MANY);
                call.state = State::Resting(failure);
                self.call = Some(call);
            }
        }
    }

    /// The retry timer fired: repeat the call, with the same precondition.
    pub(super) fn on_retry(&mut self, out: &mut Out) {
        let Some(call) = &mut self.call else {
            return;
        };
        if !matches!(call.state, State::Resting(_)) {
            return;
        }
        if call.guarded {
            call.state = State::Rechecking;
            out.push(Action::Call(Op::Facts));
        } else {
            call.state = State::InFlight;
            out.push(Action::Call(call.op.clone()));
        }
    }

    /// A call that can be dropped: it waits for its next try, and no try of it may still land.
    pub(super) fn can_drop_call(&self) -> bool {
        self.call
            .as_ref()
            .is_none_or(|call| matches!(call.state, State::Resting(_)) && !call.lost)
    }

    /// Whether a reply is still to come.
    pub(super) fn in_flight(&self) -> bool {
        self.call
            .as_ref()
            .is_some_and(|call| !matches!(call.state, State::Resting(_)))
    }

    fn rechecked(&mut self, out: &mut Out, mut call: Call, reply: &Reply) {
        let Reply::Facts(facts) = reply else {
            out.report(
                Report::Defect,
                format!("{reply:?} does not answer the facts"),
            );
            self.call = Some(call);
            return;
        };
        match facts.judge(out.now) {
            GoingDown::No => {
                call.state = State::InFlight;
                out.push(Action::Call(call.op.clone()));
                self.call = Some(call);
            }
            // The write stays without an outcome: whatever starts next voids it before it decides.
            GoingDown::Yes | GoingDown::Unanswered => self.go_down(out, facts),
        }
    }

    /// Leaves whatever was going on because the host is, or may be, going down. The slot and the cordon stay.
    pub(super) fn go_down(&mut self, out: &mut Out, facts: &ShutdownFacts) {
        let down = super::asked::Down::seen(facts, out.now);
        self.tell_down(out, &down.describe());
        if std::mem::take(&mut self.abort) {
            out.push(Action::AnswerAbort(self.abort_while_down()));
        }
        self.phase = Phase::Down(down);
        if !self.note_shutdown(out) {
            self.stay_down(out);
        }
    }

    /// Waits for the end, or for the shutdown to be called off.
    pub(super) fn stay_down(&mut self, out: &mut Out) {
        // Nothing is given up any more, so there is nothing to stay for: the next start goes on.
        if self.stop == Stop::Undo {
            self.end(out);
        } else {
            out.set(Timer::Poll, super::asked::POLL);
        }
    }
}

/// Whether a reply is of the kind that the call asks for.
fn answers(op: &Op, reply: &Reply) -> bool {
    matches!(
        (op, reply),
        (Op::DrawId, Reply::Id(_))
            | (Op::Facts, Reply::Facts(_))
            | (Op::BootTime, Reply::BootTime(_))
            | (Op::Gates, Reply::Gates(_))
            | (Op::Sentinels, Reply::Sentinels(_))
            | (Op::Units(_), Reply::Units(_))
            | (Op::WriteJournal(_), Reply::JournalWritten(_))
            | (Op::Reboot, Reply::Reboot(_))
            | (Op::ReadLock, Reply::Lock { .. })
            | (Op::PatchLock(_), Reply::LockWritten(_))
            | (Op::ReadNode, Reply::Node(_))
            | (Op::PatchNode(_), Reply::NodeWritten(_))
            | (Op::PeerExists(_), Reply::Peer(_))
            | (Op::ListPods, Reply::Pods(_))
            | (Op::ListNodes, Reply::Nodes(_))
            | (Op::ReadController(_), Reply::Controller(_))
    )
}

/// A write to an object that is gone, as the server said more than once, will never land, for versions do not come back. Like
/// after a conflict the phase reads again.
fn gone(reply: Reply) -> Reply {
    let not_found = |failure: &Failure| failure.kind == FailureKind::NotFound;
    match reply {
        Reply::LockWritten(WriteOutcome::Refused(failure)) if not_found(&failure) => {
            Reply::LockWritten(WriteOutcome::Conflict)
        }
        Reply::NodeWritten(WriteOutcome::Refused(failure)) if not_found(&failure) => {
            Reply::NodeWritten(WriteOutcome::Conflict)
        }
        other => other,
    }
}

/// The failure that a reply brings, and whether it leaves the outcome of a write open.
fn trouble(reply: &Reply) -> Option<(Failure, bool)> {
    match reply {
        Reply::Id(_) | Reply::Facts(_) | Reply::Sentinels(_) | Reply::Reboot(_) => None,
        Reply::BootTime(result) => failed(result),
        Reply::Gates(result) => failed(result),
        Reply::Units(result) => failed(result),
        Reply::JournalWritten(result) => failed(result),
        Reply::Lock { result, .. } => failed(result),
        Reply::Node(result) => failed(result),
        Reply::Peer(result) => failed(result),
        Reply::Pods(result) => failed(result),
        Reply::Nodes(result) => failed(result),
        Reply::Controller(result) => failed(result),
        Reply::LockWritten(outcome) => open(outcome),
        Reply::NodeWritten(outcome) => open(outcome),
    }
}

fn failed<T>(result: &Result<T, Failure>) -> Option<(Failure, bool)> {
    result
        .as_ref()
        .err()
        .map(|failure| (failure.clone(), false))
}

fn open<T>(outcome: &WriteOutcome<T>) -> Option<(Failure, bool)> {
    match outcome {
        WriteOutcome::Applied(_) | WriteOutcome::Conflict => None,
        WriteOutcome::Refused(failure) => Some((failure.clone(), false)),
        WriteOutcome::Unknown(failure) => Some((failure.clone(), true)),
    }
}
