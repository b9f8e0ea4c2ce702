//! Giving everything back: first the cordon, **then** the slot, then the journal. After a reboot and its proof it is the same way.
//!
//! In between the slot is kept until controllers have seen what this turn evicted: the next node would count those pods as Ready,
//! and one after the other would evict its share of a service whose controller is dead.

use std::time::Duration;

use super::gate::Blocked;
use super::recover::units_proof;
use super::returned::Returning;
use super::{Action, Gate, Machine, Op, Out, Patience, Phase, Reply, Report, Stop, Timer};
use crate::backoff::Delay;
use crate::drain::{Drain, UnobservedEvictions};
use crate::failure::WriteOutcome;
use crate::journal::{Asked, Failed, Outcome, Stage};
use crate::lock::LockPatch;
use crate::node::{NodePatch, NodeView};
use crate::shutdown::{GoingDown, ShutdownFacts};

/// The pause after an undo that is nobody's failure.
const AGAIN: Duration = Duration::from_secs(5);
/// An undo, and what comes after it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Undoing {
    pub(super) step: Step,
    pub(super) outcome: Outcome,
    pub(super) unobserved: UnobservedEvictions,
    /// What is waited for was evicted for certain.
    pub(super) sure: bool,
    pub(super) looks: u16,
    /// How often the Node was looked at in vain.
    pub(super) kept: u16,
    /// Why nothing is given up, until a look finds nothing wrong.
    pub(super) kept_for: Option<String>,
    /// The soak time is over, or none is asked for.
    pub(super) soaked: bool,
    pub(super) returning: Returning,
}

impl Undoing {
    /// What the slot is kept for, if it is.
    pub(super) fn waits(&self, node: &str) -> Option<String> {
        if let Some(why) = &self.kept_for {
            return Some(format!("the slot is kept: {why}"));
        }
        if self.step == Step::Soak {
            return Some("the slot is kept: healthy; the soak time runs".to_owned());
        }
        if !self.returning.missing.is_empty() {
            return Some(format!(
                "the slot is kept: pods that are not Ready since the boot: {}; if they never will be: rollboot unlock {node} --force",
                self.returning.missing
            ));
        }
        let waits = matches!(self.step, Step::Wait | Step::Controller) && self.looks > 0;
        let what = self.unobserved.describe();
        waits.then(|| {
            format!("the slot is kept: {what}; if it never will: rollboot unlock {node} --force")
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// The journal says so before the first write.
    Announce,
    ReadNode,
    /// Nothing is given up for now.
    Keep,
    /// The four facts, right before the cordon is lifted: after the read, which may have been repeated for long.
    FactsForNode(NodePatch),
    WriteNode,
    /// Whether what went down with the node runs again.
    Pods,
    /// Until that is looked at again.
    PodsWait,
    /// Whether the units of the configuration are active.
    Units,
    /// Whether it has seen what was evicted.
    Controller,
    /// Until it is looked at again.
    Wait,
    /// Whether the slot that is kept for long is still ours.
    StillOurs,
    ReadLock,
    /// The time for which the node must have been whole.
    Soak,
    /// Whether the Node is still Ready: it was long ago that it was asked.
    StillReady(LockPatch),
    /// The four facts, right before the slot is given up.
    FactsForLock(LockPatch),
    WriteLock,
    Close,
}

impl Machine {
    /// Undoes the turn. Evictions in flight have been answered.
    pub(super) fn undo(&mut self, out: &mut Out, outcome: Outcome) {
        let drain = match &mut self.phase {
            Phase::Cordoning(cordoning) => cordoning.drain.clone(),
            Phase::Draining(draining) => Some(draining.drain.clone()),
            Phase::Verifying(verifying) => Some(verifying.drain.clone()),
            _ => None,
        };
        self.undo_drain(out, drain.as_ref(), outcome);
    }

    /// Undoes the turn of this drain; without one an earlier process may have evicted.
    pub(super) fn undo_drain(&mut self, out: &mut Out, drain: Option<&Drain>, outcome: Outcome) {
        let why = match &outcome {
            Outcome::Done => None,
            Outcome::Again(why) | Outcome::BackOff(why) | Outcome::Latch(why) => Some(why.clone()),
            Outcome::Stop => Some("the service is being stopped".to_owned()),
        };
        if let Some(why) = why {
            let report = match outcome {
                Outcome::BackOff(_) => Report::TurnFailed,
                Outcome::Done | Outcome::Again(_) | Outcome::Latch(_) | Outcome::Stop => {
                    Report::Undoing
                }
            };
            out.report(report, format!("the turn is being undone: {why}"));
        }
        self.note_outcome(out, &outcome);
        // Before logind is asked, every pod that had to go has gone.
        let all = outcome == Outcome::Done || matches!(self.phase, Phase::Asked(_));
        let confirmed = drain.and_then(Drain::confirmed_evictions);
        if let (Some(log), true) = (&mut self.journal.evictions, all || confirmed.is_some()) {
            let confirmed = confirmed.clone().unwrap_or_default();
            for record in log.records.values_mut() {
                let last = confirmed.get(&record.of);
                record.confirmed = all || last.is_some();
                if let Some(last) = last {
                    record.last(last);
                }
            }
        }
        for timer in [Timer::Drain, Timer::Check] {
            out.push(Action::CancelTimer(timer));
        }
        self.end_round(out);
        self.expired = false;
        self.undoing(Step::Announce, outcome, all || confirmed.is_some());
        self.write_journal(out, Patience::Turn);
    }

    /// An earlier process had begun; the journal says so already.
    pub(super) fn undo_again(&mut self, out: &mut Out, outcome: Outcome) {
        self.undoing(Step::ReadNode, outcome, true);
        self.call(out, Op::ReadNode, Patience::Turn);
    }

    fn undoing(&mut self, step: Step, outcome: Outcome, sure: bool) {
        let turn = self.turn().map(|turn| turn.id);
        let log = self.journal.evictions.as_ref();
        let log = log.filter(|log| Some(log.turn) == turn);
        let log = log.into_iter().flat_map(|log| log.records.values());
        let log = log.filter(|record| record.confirmed || !sure);
        self.phase = Phase::Undoing(Undoing {
            step,
            unobserved: UnobservedEvictions::new(log.cloned(), self.boot_changed()),
            soaked: outcome != Outcome::Done || self.config.recovery.soak.is_zero(),
            outcome,
            sure,
            looks: 0,
            kept: 0,
            kept_for: None,
            returning: Returning::default(),
        });
    }

    /// What an outcome means for later turns. It is on disk before the first write of the undo.
    fn note_outcome(&mut self, out: &mut Out, outcome: &Outcome) {
        let Some(turn) = &mut self.journal.turn else {
            return;
        };
        turn.stage = Stage::Undoing(outcome.clone());
        let turn = turn.clone();
        match outcome {
            Outcome::Done => {
                self.journal.failed = None;
                let known = self
                    .journal
                    .history
                    .iter()
                    .any(|asked| asked.turn == turn.id);
                if turn.is_restored() {
                    // Nobody knows who has rebooted this host when: it counts for no limit, and what may be served is not tried again.
                    if !turn.requests.is_empty() {
                        let why = "served by an earlier reboot, for all that a turn without a journal tells";
                        self.journal.latch(why, &turn.requests);
                    }
                } else if !known && turn.boot_id != self.host.boot_id {
                    // The host went down by other means in our turn. The requests that were there have had their reboot.
                    self.journal.remember(Asked {
                        at: out.now,
                        boot_id: turn.boot_id,
                        turn: turn.id,
                        requests: turn.requests,
                    });
                }
            }
            Outcome::BackOff(why) => {
                let held_up = self.held_up();
                let blocked = held_up.iter().map(|it| it.blocker.clone()).collect();
                let failed = self.journal.failed.as_ref();
                let failed = Failed::after(failed, out.now, why.clone(), blocked);
                self.journal.failed = Some(failed);
                self.announce_held_up(out, &held_up);
            }
            Outcome::Latch(why) => {
                let requests = turn.requests.union(&self.present).cloned().collect();
                self.journal.latch(why, &requests);
            }
            Outcome::Again(_) | Outcome::Stop => {}
        }
    }

    pub(super) fn undo_step(&mut self, out: &mut Out, step: Step, op: Op) {
        let gives_up = matches!(step, Step::WriteNode | Step::WriteLock);
        if let Phase::Undoing(undoing) = &mut self.phase {
            undoing.step = step;
        }
        if gives_up {
            self.call_guarded(out, op);
        } else {
            self.call(out, op, Patience::Turn);
        }
    }

    pub(super) fn on_undoing(&mut self, out: &mut Out, reply: Reply) {
        let Phase::Undoing(undoing) = &self.phase else {
            return;
        };
        match (undoing.step.clone(), reply) {
            (Step::Announce, Reply::JournalWritten(_)) => {
                self.undo_step(out, Step::ReadNode, Op::ReadNode);
            }
            (Step::ReadNode, Reply::Node(result)) => {
                let node = result.unwrap_or_default();
                if let Some(why) = self.left_not_ready(node.as_ref()) {
                    self.keep(out, why);
                    return;
                }
                if self.is_of_another_turn(node.as_ref()) {
                    self.restart(out);
                    return;
                }
                match self.clean_node(node) {
                    Some(patch) => self.undo_step(out, Step::FactsForNode(patch), Op::Facts),
                    None => self.look_at_pods(out),
                }
            }
            (Step::FactsForNode(patch), Reply::Facts(facts)) => {
                self.if_up(out, &facts, Step::WriteNode, Op::PatchNode(patch));
            }
            (Step::WriteNode, Reply::NodeWritten(outcome)) => match outcome {
                WriteOutcome::Applied(_) => self.look_at_pods(out),
                WriteOutcome::Conflict | WriteOutcome::Refused(_) | WriteOutcome::Unknown(_) => {
                    self.undo_step(out, Step::ReadNode, Op::ReadNode);
                }
            },
            (Step::Pods, Reply::Pods(result)) => {
                self.pods_returned(out, &result.unwrap_or_default());
            }
            (Step::Units, Reply::Units(result)) => match units_proof(result) {
                Ok(()) => self.look_at_controllers(out),
                Err(missing) => self.keep(out, missing),
            },
            (Step::Controller, Reply::Controller(result)) => {
                if let Phase::Undoing(undoing) = &mut self.phase {
                    undoing.unobserved.read(result);
                }
                self.look_at_controllers(out);
            }
            (Step::StillOurs, Reply::Lock { result, .. }) => {
                self.still_ours(out, result.unwrap_or_default());
            }
            (Step::ReadLock, Reply::Lock { result, .. }) => {
                self.give_up_slot(out, result.unwrap_or_default());
            }
            (Step::StillReady(patch), Reply::Node(result)) => {
                match self.left_not_ready(result.unwrap_or_default().as_ref()) {
                    Some(why) => self.keep(out, why),
                    None => self.undo_step(out, Step::FactsForLock(patch), Op::Facts),
                }
            }
            (Step::FactsForLock(patch), Reply::Facts(facts)) => {
                self.if_up(out, &facts, Step::WriteLock, Op::PatchLock(patch));
            }
            (Step::WriteLock, Reply::LockWritten(outcome)) => match outcome {
                WriteOutcome::Applied(view) => {
                    out.report(Report::Released, "the slot is free again");
                    self.lock = Some(view);
                    self.close(out);
                }
                WriteOutcome::Conflict | WriteOutcome::Refused(_) | WriteOutcome::Unknown(_) => {
                    self.undo_step(out, Step::ReadLock, Op::ReadLock);
                }
            },
            (Step::Close, Reply::JournalWritten(_)) => self.undone(out),
            (step, reply) => {
                out.report(
                    Report::Defect,
                    format!("{step:?} does not expect {reply:?}"),
                );
            }
        }
    }

    fn if_up(&mut self, out: &mut Out, facts: &ShutdownFacts, step: Step, op: Op) {
        match facts.judge(out.now) {
            GoingDown::No => self.undo_step(out, step, op),
            GoingDown::Yes | GoingDown::Unanswered => self.go_down(out, facts),
        }
    }

    /// Time to look again at what the slot is kept for.
    pub(super) fn undo_check(&mut self, out: &mut Out) {
        let Phase::Undoing(undoing) = &mut self.phase else {
            return;
        };
        match undoing.step {
            Step::Wait => {
                undoing.unobserved.look_again();
                self.look_at_controllers(out);
            }
            Step::PodsWait => self.look_again_at_pods(out),
            Step::Keep => self.undo_step(out, Step::ReadNode, Op::ReadNode),
            _ => {}
        }
    }

    /// Whoever asks for an end has not long to wait.
    pub(super) fn undo_look(&mut self, out: &mut Out) {
        let Phase::Undoing(undoing) = &self.phase else {
            return;
        };
        match undoing.step {
            Step::Wait | Step::PodsWait | Step::Keep => out.set(Timer::Check, Delay::NOW),
            // The next start begins it anew.
            Step::Soak if self.stop == Stop::Undo => self.end(out),
            _ => {}
        }
    }

    /// What must be written to the own Node. One that is being deleted keeps everything.
    fn clean_node(&self, node: Option<NodeView>) -> Option<NodePatch> {
        let node = node.filter(|node| !node.deleting)?;
        NodePatch::clean(&node, self.turn().map(|turn| turn.id))
    }

    /// The release is confirmed: the turn is over.
    pub(super) fn close(&mut self, out: &mut Out) {
        self.journal.turn = None;
        if let Phase::Undoing(undoing) = &mut self.phase {
            undoing.step = Step::Close;
            if undoing.outcome == Outcome::Done {
                self.journal.evictions = None;
            }
        }
        self.write_journal(out, Patience::Turn);
    }

    fn undone(&mut self, out: &mut Out) {
        let Phase::Undoing(undoing) = &self.phase else {
            return;
        };
        let again = match &undoing.outcome {
            Outcome::Done => {
                out.report(
                    Report::Recovered,
                    "rebooted, healthy, uncordoned; the turn is over",
                );
                self.consider(out);
                return;
            }
            Outcome::Again(why) => Some(why.clone()),
            Outcome::BackOff(_) | Outcome::Latch(_) | Outcome::Stop => None,
        };
        out.report(Report::Undone, "uncordoned, and the turn is given up");
        match again {
            // What undid this turn may be something that no gate looks at: it must not go round without a pause.
            Some(why) if self.stop == Stop::No && !self.abort && !self.wanted().is_empty() => {
                let blocked = Blocked::new(Gate::Undone, why, "the gates are looked at again soon");
                self.rest(out, blocked, Some(Delay::about(AGAIN)));
            }
            Some(_) | None => self.consider(out),
        }
    }
}
