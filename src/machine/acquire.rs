//! Taking a slot: an id, the journal, then one conditional write.

use std::time::Duration;

use super::check::Aim;
use super::gate::Blocked;
use super::{Gate, Machine, Op, Out, Patience, Phase, Reply, Report, Stop};
use crate::backoff::Delay;
use crate::config::DrainMode;
use crate::failure::{Failure, WriteOutcome};
use crate::journal::{Outcome, Stage, Turn};
use crate::lock::{Entry, Limits, LockView, key};

/// An acquisition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Acquiring {
    step: Step,
    /// The view with a free slot that the write is decided on.
    view: LockView,
    aim: Aim,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Step {
    Id,
    /// The journal announces the turn before its first write.
    Journal,
    Write,
    /// 409: the entry is ours if its turn id is.
    Look,
    /// It definitely failed: the journal is closed, then we wait for this.
    Close(Blocked, Delay),
}

impl Machine {
    pub(super) fn acquire(&mut self, out: &mut Out, view: LockView, aim: Aim) {
        self.phase = Phase::Acquiring(Acquiring {
            step: Step::Id,
            view,
            aim,
        });
        self.call(out, Op::DrawId, Patience::Once);
    }

    pub(super) fn on_acquiring(&mut self, out: &mut Out, reply: Reply) {
        let Phase::Acquiring(acquiring) = &mut self.phase else {
            return;
        };
        match (acquiring.step.clone(), reply) {
            (Step::Id, Reply::Id(id)) => {
                acquiring.step = Step::Journal;
                let Aim {
                    control_plane,
                    containers,
                    daemon_sets,
                    ..
                } = acquiring.aim.clone();
                let turn = Turn {
                    id,
                    boot_id: self.host.boot_id.clone(),
                    node_uid: acquiring.aim.node_uid.clone(),
                    since: out.now,
                    group: acquiring.aim.group.clone(),
                    lock_version: acquiring.view.version.clone(),
                    requests: self.wanted(),
                    control_plane,
                    containers,
                    daemon_sets: Some(daemon_sets),
                    shutdown: false,
                    stage: Stage::Active,
                };
                self.journal.turn = Some(turn);
                self.write_journal(out, Patience::Once);
            }
            (Step::Journal, Reply::JournalWritten(result)) => self.journaled(out, result),
            (Step::Write, Reply::LockWritten(outcome)) => match outcome {
                WriteOutcome::Applied(view) => self.acquired(out, view),
                WriteOutcome::Conflict => {
                    self.at(Step::Look);
                    self.call(out, Op::ReadLock, Patience::Turn);
                }
                WriteOutcome::Refused(failure) | WriteOutcome::Unknown(failure) => {
                    let delay = Delay::about(Duration::from_secs(30));
                    self.close_failed_acquisition(out, Blocked::failed(&failure), delay);
                }
            },
            (Step::Look, Reply::Lock { result, .. }) => {
                self.looked(out, result.unwrap_or_default());
            }
            (Step::Close(why, delay), Reply::JournalWritten(_)) => {
                if self.stop == Stop::Undo || self.abort {
                    self.consider(out);
                } else {
                    self.rest(out, why, Some(delay));
                }
            }
            (step, reply) => {
                out.report(
                    Report::Defect,
                    format!("{step:?} does not expect {reply:?}"),
                );
            }
        }
    }

    fn at(&mut self, step: Step) {
        if let Phase::Acquiring(acquiring) = &mut self.phase {
            acquiring.step = step;
        }
    }

    fn journaled(&mut self, out: &mut Out, result: Result<(), Failure>) {
        let Phase::Acquiring(acquiring) = &self.phase else {
            return;
        };
        if let Err(failure) = result {
            self.journal.turn = None;
            let what = failure.message;
            let advice = "no turn without a journal on disk: make room there, and make it writable";
            let blocked = Blocked::new(Gate::Journal, what, advice);
            self.rest(out, blocked, Some(Delay::about(super::check::LOOK_AGAIN)));
            return;
        }
        let Some(turn) = &self.journal.turn else {
            return;
        };
        if self.why_undo().is_some() {
            let blocked = Blocked::new(Gate::Settle, "nothing was acquired", "it was called off");
            self.close_failed_acquisition(out, blocked, Delay::NOW);
            return;
        }
        // Where several turns may run, their drains go one after the other: ours is next if nobody else's goes on.
        let view = &acquiring.view;
        let several = Limits::read(&view.data, &acquiring.aim.group).total > 1;
        let evicts = self.config.drain.mode == DrainMode::Evict;
        let alone = || evicts && view.others_draining(&self.host.node).is_empty();
        let entry = Entry {
            draining: several.then(alone),
            ..self.entry(turn)
        };
        let slot = key(&self.host.node, &acquiring.aim.group);
        let patch = acquiring.view.take(slot, &entry);
        self.at(Step::Write);
        self.call(out, Op::PatchLock(patch), Patience::Once);
    }

    fn looked(&mut self, out: &mut Out, view: Option<LockView>) {
        let mine = self.turn().map(|turn| turn.id);
        match view {
            Some(view) if self.own_turn_in(&view) == mine => self.acquired(out, view),
            Some(_) | None => {
                let blocked = Blocked::new(
                    Gate::Lock,
                    "another node was quicker",
                    "tried again at once",
                );
                self.close_failed_acquisition(out, blocked, Delay::within(Duration::from_secs(1)));
            }
        }
    }

    /// The turn that the own slot of a view belongs to.
    pub(super) fn own_turn_in(&self, view: &LockView) -> Option<crate::lock::TurnId> {
        view.own_entry(&self.host.node)
            .flatten()
            .map(|entry| entry.turn)
    }

    fn close_failed_acquisition(&mut self, out: &mut Out, why: Blocked, delay: Delay) {
        self.journal.turn = None;
        self.at(Step::Close(why, delay));
        self.write_journal(out, Patience::Turn);
    }

    fn acquired(&mut self, out: &mut Out, view: LockView) {
        let text = format!(
            "turn {} begins: this node may reboot now",
            self.turn()
                .map_or_else(String::new, |turn| turn.id.to_string())
        );
        self.said.clear();
        self.outrun = 0;
        self.absent.clear();
        out.report(Report::Acquired, text);
        let paused = view.pause().map(|reason| format!("paused: {reason}"));
        self.lock = Some(view);
        match paused {
            Some(why) => self.undo(out, Outcome::Again(why)),
            None => self.cordon(out),
        }
    }
}
