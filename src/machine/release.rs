//! The end of a turn: the slot is kept until the next node may rely on this one and on what was evicted from it.

use std::time::Duration;

use super::undo::Step;
use super::{Machine, Op, Out, Patience, Phase, Report, Stop, Timer};
use crate::backoff::Delay;
use crate::lock::LockView;

/// Looks at controllers that come quickly one after the other. Then somebody is told, and whoever asked for an end has waited for
/// long enough.
const QUICK: u16 = 10;

impl Machine {
    /// Reads the controllers that are due, then goes on to the lock.
    pub(super) fn look_at_controllers(&mut self, out: &mut Out) {
        let Phase::Undoing(undoing) = &mut self.phase else {
            return;
        };
        undoing.kept_for = None;
        if let Some(of) = undoing.unobserved.next_read() {
            undoing.step = Step::Controller;
            self.call(out, Op::ReadController(of), Patience::Once);
        } else {
            self.undo_step(out, Step::ReadLock, Op::ReadLock);
        }
    }

    /// Whether the slot must be kept for now.
    fn keeps_slot(&mut self, out: &mut Out) -> bool {
        let hurry = self.stop != Stop::No || self.abort;
        let Phase::Undoing(undoing) = &mut self.phase else {
            return false;
        };
        let bounded = hurry || !undoing.sure;
        if undoing.unobserved.is_empty() || (bounded && undoing.looks >= QUICK) {
            return false;
        }
        undoing.step = Step::Wait;
        undoing.looks = undoing.looks.saturating_add(1);
        let looks = undoing.looks;
        if looks == QUICK {
            let text = undoing.waits(&self.host.node).unwrap_or_default();
            out.report(Report::Waiting, text);
        }
        let seconds = if looks < QUICK { 1 } else { 15 };
        out.set(Timer::Check, Delay::about(Duration::from_secs(seconds)));
        true
    }

    pub(super) fn give_up_slot(&mut self, out: &mut Out, view: Option<LockView>) {
        let keys = view
            .as_ref()
            .map(|view| (view.own_keys(&self.host.node), view));
        match keys {
            Some((keys, _)) if !keys.is_empty() && self.keeps_slot(out) => {}
            Some((keys, _)) if !keys.is_empty() && self.soaks(out) => {}
            Some((keys, view)) if !keys.is_empty() => {
                let patch = view.patch(None, &keys);
                self.undo_step(out, Step::StillReady(patch), Op::ReadNode);
            }
            Some(_) | None => {
                self.lock = view;
                self.close(out);
            }
        }
    }

    /// Waits once until the node has been whole for the soak time. Whether it waits.
    fn soaks(&mut self, out: &mut Out) -> bool {
        let Phase::Undoing(undoing) = &mut self.phase else {
            return false;
        };
        if undoing.soaked {
            return false;
        }
        // The next start begins it anew.
        if self.stop == Stop::Undo {
            self.end(out);
            return true;
        }
        undoing.soaked = true;
        undoing.step = Step::Soak;
        out.set(Timer::Soak, Delay::exactly(self.config.recovery.soak));
        true
    }

    /// The soak time is over: what may have changed in it is looked at again.
    pub(super) fn on_soak(&mut self, out: &mut Out) {
        if let Phase::Undoing(undoing) = &self.phase
            && undoing.step == Step::Soak
        {
            self.look_at_pods(out);
        }
    }

    /// An operator may have taken the slot from a node whose pods never come back: then nobody waits for them any more.
    pub(super) fn still_ours(&mut self, out: &mut Out, view: Option<LockView>) {
        let held = view
            .as_ref()
            .is_some_and(|view| !view.own_keys(&self.host.node).is_empty());
        if held {
            self.look_at_pods(out);
        } else {
            self.lock = view;
            self.close(out);
        }
    }
}
