//! Called off: the service is stopped, an operator aborts, the configuration says to observe only.

use super::{Action, Machine, Out, Phase, Stop};
use crate::config::Mode;
use crate::journal::{Outcome, Stage};
use crate::shutdown::StopReason;

impl Machine {
    /// logind was asked in this turn, or may have been: there is nothing to undo any more.
    pub(super) fn beyond_undo(&self) -> bool {
        let asked = self
            .turn()
            .is_some_and(|turn| turn.stage == Stage::Rebooting);
        match &self.phase {
            Phase::Asked(_) | Phase::Down(_) | Phase::Recovering(_) => true,
            Phase::Starting(_) => asked || self.boot_changed(),
            Phase::Undoing(undoing) => undoing.outcome == Outcome::Done,
            Phase::Idle
            | Phase::Resting(_)
            | Phase::Checking(_)
            | Phase::Latching
            | Phase::Reclaiming(_)
            | Phase::Acquiring(_)
            | Phase::Cordoning(_)
            | Phase::Draining(_)
            | Phase::Verifying(_)
            | Phase::Ended => false,
        }
    }

    pub(super) fn on_stop_reason(&mut self, out: &mut Out, reason: StopReason) {
        // Giving back is finished, also after a reboot: a slot that is about to be free must not stay held by a stopped service.
        let giving_back = matches!(self.phase, Phase::Undoing(_));
        let undoes = giving_back || !self.beyond_undo();
        match reason {
            StopReason::Stop if self.turn().is_some() && undoes => {
                self.stop = Stop::Undo;
                self.poke(out);
            }
            // No turn, or one that the next start goes on with: ending here is what a crash would do, and that is safe anywhere.
            StopReason::Stop | StopReason::Restart | StopReason::Shutdown | StopReason::Unknown => {
                self.end(out);
            }
        }
    }

    pub(super) fn on_abort(&mut self, out: &mut Out) {
        if matches!(self.phase, Phase::Down(_)) {
            out.push(Action::AnswerAbort(self.abort_while_down()));
            return;
        }
        self.abort = true;
        if self.beyond_undo() {
            self.refuse_abort(out);
        } else {
            self.poke(out);
        }
    }

    /// What an operator is told while the host is, or may be, going down.
    pub(super) fn abort_while_down(&self) -> Result<String, String> {
        match self.turn() {
            None => Ok("no turn is running".into()),
            Some(_) => Err("this host is going down, or systemd does not say that it is not: nothing is undone".into()),
        }
    }

    /// The reboot was asked for, or has happened.
    pub(super) fn refuse_abort(&mut self, out: &mut Out) {
        if std::mem::take(&mut self.abort) {
            let why = "the reboot was asked for already, or has happened: it cannot be undone";
            out.push(Action::AnswerAbort(Err(why.to_owned())));
        }
    }

    /// Who or what called the turn off: no reboot may be asked for any more.
    pub(super) fn called_off(&self) -> Option<Outcome> {
        if self.stop == Stop::Undo {
            Some(Outcome::Stop)
        } else if self.abort {
            Some(Outcome::Latch("an operator aborted the turn".into()))
        } else if self.config.mode == Mode::Observe {
            Some(Outcome::Again("the mode is now \"observe\"".into()))
        } else if self.shut {
            Some(Outcome::Again("the maintenance window has closed".into()))
        } else {
            None
        }
    }

    /// Why a turn that has not asked for its reboot must be undone, if it must.
    pub(super) fn why_undo(&self) -> Option<Outcome> {
        let unasked = || Outcome::Again("nobody asks for a reboot any more".into());
        self.called_off()
            .or_else(|| self.wanted().is_empty().then(unasked))
    }

    pub(super) fn end(&mut self, out: &mut Out) {
        self.phase = Phase::Ended;
        out.push(Action::Exit);
    }
}
