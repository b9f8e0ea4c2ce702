//! No turn yet: what the node waits for.

use std::time::Duration;

use jiff::Timestamp;

use super::check::Checking;
use super::gate::{Blocked, Gate};
use super::reclaim::Reclaim;
use super::{Action, Machine, Op, Out, Patience, Phase, Reply, Report, Stop, Timer};
use crate::backoff::{Delay, doubling};
use crate::config::Mode;
use crate::failure::Failure;
use crate::lock::LockView;

/// Waiters start within this time of a release, at random. The first write reaches the others through their watch and calls
/// them off.
const AFTER_RELEASE: Duration = Duration::from_millis(250);

/// Nobody knows how many nodes wait. A waiter learns it whenever it has begun to look and another was quicker: each time doubles
/// its wait, up to this, so even thousands soon meet in a handful of conflicts, and a few do not leave the slot idle.
const AFTER_RELEASE_OF_MANY: Duration = Duration::from_secs(2);

/// More would change nothing: the wait has its full length.
pub(super) const OUTRUN_MOST: u8 = 3;

/// The clock may be set while a window is waited for.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(3600);

/// Waiting for something.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Resting {
    /// All the reasons that the last look has shown; the first decides how the wait ends.
    pub(super) why: Vec<Blocked>,
    /// The lock is being watched.
    pub(super) watching: bool,
    /// The pods of this node are being watched.
    pub(super) watching_pods: bool,
    /// Pods are in nobody's way any more, and that is looked at soon.
    pub(super) opened: bool,
    /// Look at the gates again as soon as the call on its way is answered.
    pub(super) again: bool,
    /// Group whose slots are waited for.
    pub(super) group: String,
    /// The search for holders whose Node is gone.
    pub(super) reclaim: Reclaim,
}

impl Resting {
    /// Whether the wait is for this gate.
    pub(super) fn is_for(&self, gates: &[Gate]) -> bool {
        self.why
            .first()
            .is_some_and(|blocked| gates.contains(&blocked.gate))
    }
}

impl Machine {
    /// No turn runs: what now? Called whenever that may have changed, with no call on its way.
    pub(super) fn consider(&mut self, out: &mut Out) {
        self.leave_rest(out);
        if self.stop == Stop::Undo {
            self.end(out);
            return;
        }
        if self.abort {
            self.latch_abort(out);
            return;
        }
        if self.present.is_empty() {
            self.said.clear();
            self.absent.clear();
            self.phase = Phase::Idle;
            return;
        }
        self.journal.believe_clock(out.now);
        let closed = self.gates_of_this_node(out.now);
        let retry = closed.first().and_then(|(_, retry)| *retry);
        if closed.is_empty() {
            self.phase = Phase::Checking(Checking::Gates);
            self.call(out, Op::Gates, Patience::Once);
        } else {
            let why = closed.into_iter().map(|(why, _)| why).collect();
            self.rest_on_all(out, why, retry);
        }
    }

    /// The gates that need no look at host or cluster, each with the time after which to look again where no event opens it.
    fn gates_of_this_node(&self, now: Timestamp) -> Vec<(Blocked, Option<Delay>)> {
        let hour = Duration::from_secs(3600);
        if self.wanted().is_empty() {
            let detail = "a new sentinel, or an operator, goes on";
            let blocked = Blocked::new(Gate::Latch, self.why_spent(), detail);
            return vec![(blocked, None)];
        }
        let mut closed = Vec::new();
        if !self.settled {
            let settle = self.config.settle;
            let blocked = Blocked::new(
                Gate::Settle,
                "the sentinel is new, or is written again and again",
                format!("it must be unchanged for {settle:?} (`settle`)"),
            );
            closed.push((blocked, None));
        }
        if self.config.mode == Mode::Observe {
            let blocked = Blocked::new(
                Gate::Mode,
                "mode = \"observe\"",
                "a reboot is asked for; this node only looks until the mode is \"reboot\" again",
            );
            closed.push((blocked, None));
        }
        if let Some(failed) = &self.journal.failed
            && let left = failed.retry_at.as_second().saturating_sub(now.as_second())
            && let Ok(left @ 1..) = u64::try_from(left)
        {
            let blocked = Blocked::new(
                Gate::BackOff,
                failed.why.clone(),
                "backing off, so that other nodes get their turn",
            );
            let after = Duration::from_secs(left);
            // Nodes that failed of the same thing at the same time must not come back at the same time.
            let spread = after / 10;
            closed.push((blocked, Some(Delay { after, spread })));
        }
        let today = self.journal.reboots_in_a_day(now);
        if today >= usize::from(self.config.max_reboots_per_day) {
            let what = format!("{today} reboots in 24 hours");
            let blocked = Blocked::new(Gate::DailyLimit, what, "max-reboots-per-day is reached");
            closed.push((blocked, Some(Delay::exactly(hour))));
        }
        closed.extend(self.window_gate(now));
        closed
    }

    /// Why no turn may begin at this time, if so, and when to look again: clocks are set, so not much later than in an hour.
    pub(super) fn window_gate(&self, now: Timestamp) -> Option<(Blocked, Option<Delay>)> {
        let windows = &self.config.windows;
        if windows.admits(now) {
            return None;
        }
        let next = windows.next(now);
        let left = next.map_or(i64::MAX, |next| {
            next.as_second().saturating_sub(now.as_second())
        });
        let left = Duration::from_secs(u64::try_from(left).unwrap_or(0)).min(LOOK_AT_CLOCK);
        let detail = match next {
            Some(next) => format!("a turn may begin at {next}"),
            None => "none opens for three weeks; see [[window]]".to_owned(),
        };
        let what = if windows.is_open(now) {
            "a turn does not fit into the maintenance window any more"
        } else {
            "no maintenance window is open"
        };
        let delay = Delay {
            after: left,
            spread: AFTER_RELEASE_OF_MANY,
        };
        Some((Blocked::new(Gate::Window, what, detail), Some(delay)))
    }

    fn after_release(&self) -> Delay {
        Delay::within(doubling(AFTER_RELEASE, AFTER_RELEASE_OF_MANY, self.outrun))
    }

    /// Looks at everything again, now or when the call on its way is answered.
    pub(super) fn reconsider(&mut self, out: &mut Out) {
        if !self.in_flight() {
            self.consider(out);
        } else if let Phase::Resting(rest) = &mut self.phase {
            rest.again = true;
        }
    }

    /// Waits for an event, or until `retry` has passed.
    pub(super) fn rest(&mut self, out: &mut Out, why: Blocked, retry: Option<Delay>) {
        self.rest_on_all(out, vec![why], retry);
    }

    /// The same, where one look has shown several closed gates.
    pub(super) fn rest_on_all(&mut self, out: &mut Out, why: Vec<Blocked>, retry: Option<Delay>) {
        if why.iter().all(|blocked| blocked.gate != Gate::Lock) {
            // Absence counts only while it is looked at without a pause.
            self.absent.clear();
        }
        for blocked in &why {
            if !self.said.contains(blocked) {
                let report = match blocked.gate {
                    Gate::Latch => Report::Latched,
                    Gate::LockRecreated => Report::LockRecreated,
                    Gate::NotArmed => Report::NotArmed,
                    _ => Report::Waiting,
                };
                out.report(report, format!("{}: {}", blocked.what, blocked.detail));
            }
        }
        self.said.clone_from(&why);
        if let Some(delay) = retry {
            out.set(Timer::Attempt, delay);
        }
        self.phase = Phase::Resting(Resting {
            why,
            watching: false,
            watching_pods: false,
            opened: false,
            again: false,
            group: String::new(),
            reclaim: Reclaim::default(),
        });
    }

    /// Waits for the lock object to change.
    pub(super) fn rest_on_lock(
        &mut self,
        out: &mut Out,
        why: Blocked,
        view: &LockView,
        group: String,
    ) {
        let full = why.gate == Gate::Lock;
        self.rest(out, why, None);
        out.push(Action::WatchLock(view.version.clone()));
        if full {
            self.set_reclaim_timer(out);
        }
        if let Phase::Resting(rest) = &mut self.phase {
            rest.watching = true;
            rest.group = group;
        }
    }

    pub(super) fn leave_rest(&mut self, out: &mut Out) {
        if let Phase::Resting(rest) = &self.phase {
            if rest.watching {
                out.push(Action::UnwatchLock);
            }
            if rest.watching_pods {
                out.push(Action::UnwatchPods);
            }
            out.push(Action::CancelTimer(Timer::Attempt));
        }
        self.call = None;
    }

    fn latch_abort(&mut self, out: &mut Out) {
        self.abort = false;
        self.journal
            .latch("an operator aborted the turn", &self.present);
        self.phase = Phase::Latching;
        self.write_journal(out, Patience::Once);
    }

    /// Only what is on disk holds after a restart, too.
    pub(super) fn latched(&mut self, out: &mut Out, reply: &Reply) {
        out.push(Action::AnswerAbort(match reply {
            Reply::JournalWritten(Err(failure)) => Err(format!(
                "no turn is running any more, but {failure}: after a restart this node may reboot all the same"
            )),
            _ => Ok("no turn is running any more".into()),
        }));
        self.consider(out);
    }

    fn why_spent(&self) -> String {
        let latched = self.journal.latch.as_ref().filter(|latch| {
            self.present
                .iter()
                .any(|request| latch.requests.contains(request))
        });
        match latched {
            Some(latch) => latch.why.clone(),
            None => "this sentinel has had its reboot and is still there".to_owned(),
        }
    }

    pub(super) fn on_lock_seen(&mut self, out: &mut Out, view: Option<LockView>) {
        let Phase::Resting(rest) = &mut self.phase else {
            return;
        };
        if !rest.watching {
            return;
        }
        let group = rest.group.clone();
        let why = view.as_ref().and_then(|view| self.lock_gate(view, &group));
        self.lock = view;
        let Phase::Resting(rest) = &mut self.phase else {
            return;
        };
        // A slot of ours that came back with a backup would be waited for like another's.
        let view = self.lock.as_ref();
        let ours = view.is_some_and(|view| view.own_entry(&self.host.node).is_some());
        let free = why.is_none() || ours;
        let full = why.as_ref().is_some_and(|why| why.gate == Gate::Lock);
        if let Some(why) = why {
            rest.why = vec![why];
        }
        if full {
            self.set_reclaim_timer(out);
        }
        if free {
            out.set(Timer::Attempt, self.after_release());
        } else {
            out.push(Action::CancelTimer(Timer::Attempt));
        }
    }

    pub(super) fn on_lock_watch_ended(&mut self, out: &mut Out, failure: Option<&Failure>) {
        let Phase::Resting(rest) = &mut self.phase else {
            return;
        };
        if rest.watching {
            // Read again, never resume: a watch from an old version may be silent for ever.
            let delay = if failure.is_some() {
                Delay::about(Duration::from_secs(10))
            } else {
                // The watches of all waiters may have ended at the same time.
                Delay::within(AFTER_RELEASE_OF_MANY)
            };
            out.set(Timer::Attempt, delay);
        }
    }
}
