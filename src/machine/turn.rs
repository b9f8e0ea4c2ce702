//! Making the node safe to lose: the drain, with looks at Node and lock while pods end.
//!
//! Drains go one after the other where several turns may run: two nodes that drain at once would each count the other's pods. Whose
//! turn it is to drain says the lock: a slot that is taken while nobody drains has `draining` from the start, and no slot is taken
//! while another entry may have it. It is cleared once the controllers have seen what was evicted, so that the next node counts none of
//! it.

use std::time::Duration;

use super::cordon::Look;
use super::judge::blocking_pods_gates;
use super::{Action, Machine, Op, Out, Patience, Phase, Reply, Report, Timer};
use crate::backoff::Delay;
use crate::drain::{Drain, DrainEvent, Progress, TICK, TICK_SPREAD, few};
use crate::journal::Outcome;
use crate::lock::{Entry, LockView};

/// How often Node and lock are looked at while pods end.
const LOOK: Duration = Duration::from_secs(10);

/// Waiting for the pods to go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Draining {
    pub(super) drain: Drain,
    /// A watch was asked for and has not ended.
    pub(super) watching: bool,
    /// The retry timer runs.
    pub(super) ticking: bool,
    /// The timer of the guard runs.
    pub(super) polling: bool,
    /// It is time to look at Node and lock, and another call is on its way.
    pub(super) look_due: bool,
    /// What happens as soon as nothing is in flight any more.
    pub(super) leave: Option<Leave>,
}

impl Draining {
    fn new(drain: Drain) -> Self {
        Self {
            drain,
            watching: true,
            ticking: false,
            polling: false,
            look_due: false,
            leave: None,
        }
    }

    /// The drain is over, but a controller has not seen yet what was evicted: the next node would count it.
    fn is_unobserved(&mut self) -> bool {
        if self.leave != Some(Leave::Verify) {
            return false;
        }
        let guard = self.drain.guard_mut();
        guard.close();
        !guard.unobserved().is_empty()
    }

    /// How many pods are left, and which of them have to wait, and why.
    pub(super) fn describe(&self) -> String {
        let drain = &self.drain;
        let left = match drain.left() {
            1 => "1 pod left".to_owned(),
            left => format!("{left} pods left"),
        };
        let pods = drain.blocked().map(|(pod, why)| format!("{pod}: {why}"));
        let blocked = few(pods.chain(drain.guard().reasons()).chain(drain.late()));
        if blocked.is_empty() {
            format!("draining, {left}")
        } else {
            format!("draining, {left}; blocked: {blocked}")
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Leave {
    Verify,
    Undo(Outcome),
    Restart,
    Cordon,
}

impl Machine {
    /// [`Self::why_undo`], and the time limit.
    pub(super) fn why_undo_now(&self) -> Option<Outcome> {
        let late = || {
            let why = match &self.phase {
                Phase::Draining(draining) => draining.drain.describe(),
                Phase::Verifying(verifying) => verifying.describe(),
                _ => "the node could not be cordoned".to_owned(),
            };
            Outcome::BackOff(format!("not done within drain.timeout: {why}"))
        };
        self.why_undo().or_else(|| self.expired.then(late))
    }

    fn own_entry(&self) -> Option<Entry> {
        let view = self.lock.as_ref()?;
        view.own_entry(&self.host.node).flatten()
    }

    /// Others take it that this node does not drain.
    pub(super) fn may_not_drain(&self) -> bool {
        self.own_entry()
            .is_none_or(|entry| entry.draining == Some(false))
    }

    /// This node is the one that drains, and others may wait for it.
    pub(super) fn holds_floor(&self) -> bool {
        self.own_entry()
            .is_some_and(|entry| entry.draining == Some(true))
    }

    /// Others may wait for this drain, and controllers may not have seen yet what was evicted.
    pub(super) fn owes_a_look(&self, drain: &Drain) -> bool {
        self.holds_floor() && !drain.guard().unobserved().is_empty()
    }

    /// Waits only for controllers to see what was evicted, then leaves.
    pub(super) fn close_drain(&mut self, out: &mut Out, drain: Drain, leave: Leave) {
        // Its pods need not be watched any more.
        self.phase = Phase::Draining(Draining::new(drain));
        self.leave_drain(leave);
        out.set(Timer::Check, Delay::exactly(LOOK));
        self.drain_look(out);
        self.guard_step(out);
    }

    /// Nothing is left to evict. Pods that stay go down with the node: until it is back no other node may count them.
    pub(super) fn drained(&mut self, out: &mut Out, drain: Drain) {
        if self.holds_floor() && !drain.guard().may_keep_pods() {
            self.let_others_drain(out, drain);
        } else {
            self.verify(out, drain);
        }
    }

    pub(super) fn evictions_begun(&self) -> bool {
        match &self.phase {
            Phase::Cordoning(cordoning) => cordoning.drain.as_ref().is_some_and(Drain::begun),
            Phase::Draining(draining) => draining.drain.begun(),
            Phase::Verifying(_) => true,
            _ => false,
        }
    }

    /// Evicts: no other node does.
    pub(super) fn drain(&mut self, out: &mut Out, mut drain: Drain) {
        if !drain.begun() {
            out.report(
                Report::DrainStarted,
                "the pods of this node are being evicted",
            );
        }
        drain.on(DrainEvent::WatchEnded);
        drain.begins_list();
        self.phase = Phase::Draining(Draining::new(drain));
        out.push(Action::WatchPods);
        out.set(Timer::Check, Delay::exactly(LOOK));
    }

    /// Back to evicting, with the same plan: something evictable was found after the drain.
    pub(super) fn drain_on(&mut self, out: &mut Out, drain: Drain) {
        self.cordon_then(out, Some(drain));
    }

    /// Something happened to the pods.
    pub(super) fn on_pods(&mut self, out: &mut Out, event: DrainEvent) {
        let Phase::Draining(draining) = &mut self.phase else {
            return;
        };
        // Noted while a call was on its way: before anything more is evicted.
        if draining.leave.is_none()
            && let Some(outcome) = self.why_undo_now()
        {
            self.leave_drain(Leave::Undo(outcome));
        }
        if let DrainEvent::Pods(pods) = &event {
            // A pod that came in the moment of the cordon is not evicted, nor is any other from now on.
            let closed = blocking_pods_gates(&self.config, pods);
            if let Some(blocked) = closed.into_iter().next() {
                self.leave_drain(Leave::Undo(Outcome::Again(blocked.what)));
                self.drain_look(out);
                return;
            }
        }
        let Phase::Draining(draining) = &mut self.phase else {
            return;
        };
        if draining.leave.is_some() && matches!(event, DrainEvent::Pods(_)) {
            return;
        }
        draining.ticking &= event != DrainEvent::Tick;
        draining.polling &= event != DrainEvent::LookAgain;
        let ended = event == DrainEvent::WatchEnded;
        draining.watching &= !ended;
        let ahead = draining.drain.ahead();
        let (send, progress) = draining.drain.on(event);
        for what in draining.drain.take_news() {
            out.report(Report::DrainWaits, format!("the drain waits: {what}"));
        }
        for pod in send {
            out.push(Action::Evict(pod));
        }
        if ended && draining.leave.is_none() {
            // The watch begins with a list, so nothing is lost by beginning anew. The wait keeps a failing server in peace.
            out.set(Timer::Check, Delay::about(Duration::from_secs(2)));
        }
        self.time_ahead(out, ahead);
        match progress {
            Progress::Going => {}
            Progress::Done => self.leave_drain(Leave::Verify),
            Progress::Failed(why) => self.leave_drain(Leave::Undo(Outcome::BackOff(why))),
        }
        self.drain_look(out);
        let Phase::Draining(draining) = &mut self.phase else {
            return;
        };
        if draining.drain.needs_tick() && !draining.ticking {
            draining.ticking = true;
            let delay = Delay {
                after: TICK,
                spread: TICK_SPREAD,
            };
            out.set(Timer::Evict, delay);
        }
        self.guard_step(out);
    }

    /// A flag may have changed, or something in flight was answered.
    pub(super) fn drain_look(&mut self, out: &mut Out) {
        if let Some(outcome) = self.why_undo_now() {
            self.leave_drain(Leave::Undo(outcome));
        }
        let waiting = self.in_flight();
        let holds_floor = self.holds_floor();
        let Phase::Draining(draining) = &mut self.phase else {
            return;
        };
        if waiting || draining.drain.in_flight() > 0 || (holds_floor && draining.is_unobserved()) {
            return;
        }
        let Some(leave) = draining.leave.clone() else {
            return;
        };
        let drain = draining.drain.clone();
        self.call = None;
        for timer in [Timer::Check, Timer::Evict, Timer::Guard] {
            out.push(Action::CancelTimer(timer));
        }
        out.push(Action::UnwatchPods);
        match leave {
            Leave::Verify => {
                let text = match drain.came_back() {
                    none if none.is_empty() => "no pod is left that had to go".to_owned(),
                    pods => format!("no pod is left that had to go; it stays: {pods}"),
                };
                out.report(Report::Drained, text);
                self.drained(out, drain);
            }
            Leave::Undo(outcome) => self.undo(out, outcome),
            Leave::Restart => self.restart(out),
            Leave::Cordon => self.cordon_then(out, Some(drain)),
        }
    }

    /// Sends nothing more, and leaves when what is in flight is answered. An undo is never replaced by something milder.
    pub(super) fn leave_drain(&mut self, leave: Leave) {
        let Phase::Draining(draining) = &mut self.phase else {
            return;
        };
        match leave {
            Leave::Undo(_) | Leave::Restart => draining.drain.stop(),
            // Its view counts as stale until it goes on with a new one.
            Leave::Verify | Leave::Cordon => {
                draining.drain.on(DrainEvent::WatchEnded);
            }
        }
        let replace = matches!(
            (&draining.leave, &leave),
            (None | Some(Leave::Verify | Leave::Cordon), _)
        );
        if replace {
            draining.leave = Some(leave);
        }
    }

    /// Time to look at Node and lock while pods end.
    pub(super) fn drain_check(&mut self, out: &mut Out) {
        let Phase::Draining(draining) = &mut self.phase else {
            return;
        };
        if draining.watching && draining.leave.is_none() && draining.drain.needs_list() {
            draining.drain.on(DrainEvent::WatchEnded);
            out.push(Action::UnwatchPods);
            draining.watching = false;
        }
        if !draining.watching {
            draining.watching = true;
            draining.drain.begins_list();
            out.push(Action::WatchPods);
        }
        for late in draining.drain.look_at_clock(out.now.as_second()) {
            out.report(Report::PodStuck, late);
        }
        draining.look_due = self.call.is_some();
        if self.call.is_none() {
            self.call(out, Op::ReadNode, Patience::Turn);
        }
    }

    pub(super) fn on_draining(&mut self, out: &mut Out, reply: Reply) {
        let begun = self.evictions_begun();
        match reply {
            Reply::Node(result) => {
                match self.look_at_node(result.unwrap_or_default().as_ref(), begun) {
                    Look::Cordoned => self.call(out, Op::ReadLock, Patience::Turn),
                    // Somebody uncordoned: cordon again, then go on.
                    Look::Write(_) => self.leave_drain(Leave::Cordon),
                    Look::Lost => self.leave_drain(Leave::Restart),
                    Look::Undo(outcome) => self.leave_drain(Leave::Undo(outcome)),
                }
            }
            Reply::Lock { result, .. } => match self.look_at_lock(result.unwrap_or_default()) {
                Some(outcome) => self.leave_drain(Leave::Undo(outcome)),
                None => out.set(Timer::Check, Delay::exactly(LOOK)),
            },
            Reply::Controller(result) => {
                self.on_pods(out, DrainEvent::Controller(result));
                return;
            }
            Reply::JournalWritten(_) => {
                let log = self.journal.evictions.clone();
                let records = log.map(|log| log.records).unwrap_or_default();
                self.on_pods(out, DrainEvent::Noted(records));
                return;
            }
            reply => out.report(Report::Defect, format!("a drain does not expect {reply:?}")),
        }
        self.drain_look(out);
        self.guard_step(out);
    }

    /// Why a look at the lock ends the turn, if it does.
    pub(super) fn look_at_lock(&mut self, view: Option<LockView>) -> Option<Outcome> {
        let turn = self.turn().map(|turn| turn.id);
        let held = view.as_ref().and_then(|view| {
            let entry = view.own_entry(&self.host.node).flatten()?;
            (Some(entry.turn) == turn && entry.stamp == self.stamp).then_some(())
        });
        let paused = view
            .as_ref()
            .and_then(LockView::pause)
            .map(|reason| Outcome::Again(format!("paused: {reason}")));
        self.lock = view;
        match held {
            None => Some(Outcome::BackOff("the slot was taken from this node".into())),
            Some(()) => paused,
        }
    }
}
