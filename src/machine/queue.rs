//! Drains go one after the other where several turns may run: two nodes that drain at once would each count the other's pods.
//!
//! Whose turn it is to drain says the lock: `draining` in the own entry, set by compare-and-swap only if no other entry may have
//! it. A slot that is acquired while nobody drains has it from the start. It is given back once the controllers have seen what
//! was evicted, so that the next node counts none of it. A node that waits for it watches the lock.

use std::time::Duration;

use super::gate::Blocked;
use super::turn::{Draining, Leave};
use super::{Action, Gate, Machine, Op, Out, Patience, Phase, Reply, Report, Timer};
use crate::backoff::Delay;
use crate::drain::Drain;
use crate::failure::WriteOutcome;
use crate::lock::{Entry, LockView};

/// How often the own Node is looked at while another node drains.
const LOOK: Duration = Duration::from_secs(60);
/// After a watch that ended.
const READ_AGAIN: Duration = Duration::from_secs(5);

/// Waiting to be the one that drains, or giving that on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Queueing {
    pub(super) drain: Drain,
    /// The drain is done.
    pub(super) gives: bool,
    /// Who drains now; the lock is being watched.
    behind: Vec<String>,
}

impl Queueing {
    pub(super) fn describe(&self) -> String {
        match self.blocked() {
            Some(blocked) => format!("{}: {}", blocked.what, blocked.detail),
            None if self.gives => "drained; the next node may drain".to_owned(),
            None => "cordoned; making sure that no other node drains".to_owned(),
        }
    }

    pub(super) fn blocked(&self) -> Option<Blocked> {
        (!self.behind.is_empty()).then(|| {
            let what = format!(
                "cordoned; waiting for the drain of {}",
                self.behind.join(", ")
            );
            Blocked::new(Gate::Lock, what, "drains go one after the other")
        })
    }
}

impl Draining {
    pub(super) fn new(drain: Drain) -> Self {
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
    pub(super) fn is_unseen(&mut self) -> bool {
        if self.leave != Some(Leave::Verify) {
            return false;
        }
        let guard = self.drain.guard_mut();
        guard.close();
        !guard.unseen().is_empty()
    }
}

impl Machine {
    fn own_entry(&self) -> Option<Entry> {
        let view = self.lock.as_ref()?;
        view.own_entry(&self.host.node).flatten()
    }

    /// Others take it that this node drains.
    pub(super) fn must_queue(&self) -> bool {
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
        self.holds_floor() && !drain.guard().unseen().is_empty()
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

    /// Waits until no other node drains.
    pub(super) fn queue(&mut self, out: &mut Out, drain: Drain) {
        self.queueing(out, drain, false);
    }

    /// Lets the next node drain.
    pub(super) fn step_aside(&mut self, out: &mut Out, drain: Drain) {
        self.queueing(out, drain, true);
    }

    fn queueing(&mut self, out: &mut Out, drain: Drain, gives: bool) {
        self.phase = Phase::Queueing(Queueing {
            drain,
            gives,
            behind: Vec::new(),
        });
        self.call(out, Op::ReadLock, Patience::Turn);
    }

    pub(super) fn on_queueing(&mut self, out: &mut Out, reply: Reply) {
        match reply {
            Reply::Lock { result, .. } => self.queue_on(out, result.unwrap_or_default()),
            Reply::LockWritten(WriteOutcome::Applied(view)) => self.queue_on(out, Some(view)),
            Reply::LockWritten(_) => self.call(out, Op::ReadLock, Patience::Turn),
            reply => out.report(Report::Defect, format!("a queue does not expect {reply:?}")),
        }
    }

    /// Decides on a view of the lock.
    fn queue_on(&mut self, out: &mut Out, view: Option<LockView>) {
        let undo = self.look_at_lock(view).or_else(|| self.why_undo_now());
        if let Some(outcome) = undo {
            self.leave_queue(out);
            self.undo(out, outcome);
            return;
        }
        let Phase::Queueing(queueing) = &mut self.phase else {
            return;
        };
        let (Some(view), gives) = (&self.lock, queueing.gives) else {
            return;
        };
        let node = &self.host.node;
        let Some(entry) = view.own_entry(node).flatten() else {
            return;
        };
        let done = match entry.draining {
            Some(draining) => draining != gives,
            None => true,
        };
        if done {
            let drain = queueing.drain.clone();
            self.leave_queue(out);
            self.queue_done(out, drain, gives);
            return;
        }
        let others = view.others_draining(node);
        if !gives && !others.is_empty() {
            let (version, begins) = (view.version.clone(), queueing.behind.is_empty());
            queueing.behind = others;
            let text = queueing.describe();
            if begins {
                out.report(Report::Waiting, text);
                out.push(Action::WatchLock(version));
                out.set(Timer::Check, Delay::exactly(LOOK));
            }
            return;
        }
        let keys = view.own_keys(node);
        let key = keys.iter().find(|key| {
            view.annotations
                .get(*key)
                .is_some_and(|it| Entry::parse(it).is_some())
        });
        let entry = Entry {
            draining: Some(!gives),
            ..entry
        };
        let patch = view.patch(key.map(|key| (key.clone(), entry.encode())), &[]);
        self.leave_queue(out);
        self.call(out, Op::PatchLock(patch), Patience::Turn);
    }

    fn queue_done(&mut self, out: &mut Out, drain: Drain, gives: bool) {
        if gives {
            self.verify(out, drain);
            return;
        }
        if !drain.begun() {
            // The time that others took is not ours.
            out.set(Timer::Drain, Delay::exactly(self.config.drain.timeout));
        }
        self.drain(out, drain);
    }

    /// The lock is not watched any more.
    fn leave_queue(&mut self, out: &mut Out) {
        if let Phase::Queueing(queueing) = &mut self.phase
            && !queueing.behind.is_empty()
        {
            queueing.behind.clear();
            out.push(Action::UnwatchLock);
            out.push(Action::CancelTimer(Timer::Check));
        }
    }

    /// The watch shows the lock.
    pub(super) fn queue_seen(&mut self, out: &mut Out, view: Option<LockView>) {
        if self.call.is_none() {
            self.queue_on(out, view);
        }
    }

    /// Reads again, never resumes.
    pub(super) fn queue_watch_ended(&mut self, out: &mut Out) {
        out.set(Timer::Check, Delay::about(READ_AGAIN));
    }

    /// Time to look at Node and lock while others drain.
    pub(super) fn queue_check(&mut self, out: &mut Out) {
        let Phase::Queueing(queueing) = &self.phase else {
            return;
        };
        if self.call.is_none() {
            let drain = queueing.drain.clone();
            self.leave_queue(out);
            self.cordon_then(out, Some(drain));
        }
    }

    /// A flag changed. A write that may still land is waited for.
    pub(super) fn queue_look(&mut self, out: &mut Out) {
        if self.can_drop_call()
            && let Some(outcome) = self.why_undo_now()
        {
            self.call = None;
            self.leave_queue(out);
            self.undo(out, outcome);
        }
    }
}
