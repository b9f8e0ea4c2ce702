//! One node's turn as a pure, total function: [`Machine::step`] takes an event and returns what to do.
//!
//! No I/O, no clock, no randomness, no panic. The time comes with each event and is only written down or shown, never compared
//! with another machine's. The same code runs in the daemon, in the model check and in simulations. Each phase has a file:
//!
//! ```text
//! start ─→ wait ─→ acquire ─→ turn (cordon, drain) ─→ verify ─→ asked ─→ (boot) ─→ start ─→ recover ─→ undo(done) ─→ wait
//!              ↖──────────────── undo ←─────────┴────────────┴────────┘
//! ```
//!
//! A phase makes one [`Op`] at a time and goes on when it has an outcome (`call` repeats it until then).

mod acquire;
mod asked;
mod blocked;
mod call;
mod called_off;
mod check;
mod cordon;
mod elsewhere;
mod gate;
mod guard;
mod io;
mod judge;
mod known;
mod look;
mod reclaim;
mod recover;
mod release;
mod returned;
mod start;
mod status;
mod stop;
mod turn;
mod undo;
mod verify;
mod volumes;
mod wait;
mod wait_pods;

pub use gate::{Blocked, Gate};
pub use io::{Action, Event, Op, Reply, Report, Timer};
pub use judge::{
    HOLD_FILE, blocking_pods_gates, control_plane_gate, group_of, host_gates, is_waited_for,
    node_gates, nodes_gate, recreated_gate, start_gate, static_pods_gate,
};
pub use status::{BlockedBy, Failing, Holder, Label, LockStatus, Reboot, Status};
pub use verify::FRESH;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::backoff::Delay;
use crate::config::Config;
use crate::journal::{Journal, Turn};
use crate::lock::{LockView, TurnId};
use crate::request::Requests;
use call::{Call, Patience};

/// What never changes while the process runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostId {
    /// Name of the own Node.
    pub node: String,
    /// Boot ID of the running kernel.
    pub boot_id: String,
}

/// The whole state of one node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Machine {
    host: HostId,
    config: Arc<Config>,
    /// What is on disk, or about to be.
    journal: Journal,
    /// The sentinels as last seen.
    present: Requests,
    /// They have been unchanged for long enough.
    settled: bool,
    /// Names this start of the daemon, or its last recovery from facts, in everything it writes.
    stamp: TurnId,
    phase: Phase,
    /// Since when the phase has the label it has.
    since: Timestamp,
    call: Option<Call>,
    stop: Stop,
    /// An operator wants the turn undone and its requests latched.
    abort: bool,
    /// The drain has taken too long.
    expired: bool,
    /// No maintenance window is open, as of the last event.
    shut: bool,
    /// The round of last checks has taken too long, or a call in it was repeated.
    round_is_old: bool,
    /// The search for stale holders has its timer.
    reclaim_set: bool,
    /// Attempts in a row that failed of the API, for the wait before the next.
    tries: u8,
    /// Releases in a row that another node was quicker after: they decide about nothing but the length of a wait.
    outrun: u8,
    /// The lock as last read, for the report.
    lock: Option<LockView>,
    /// What was last reported as waited for, so that it is said once.
    said: Vec<Blocked>,
    /// Controllers may not be read, and which.
    unguarded: Option<String>,
    /// Holders whose Node was not there.
    absent: BTreeMap<String, reclaim::Absence>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase {
    Starting(start::Starting),
    Idle,
    Resting(wait::Resting),
    Checking(check::Checking),
    Latching,
    Reclaiming(reclaim::Reclaiming),
    Acquiring(acquire::Acquiring),
    Cordoning(cordon::Cordoning),
    Draining(turn::Draining),
    Verifying(verify::Verifying),
    Asked(asked::Asked),
    Down(asked::Down),
    Recovering(recover::Recovering),
    Undoing(undo::Undoing),
    Ended,
}

/// Whether the process was asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Stop {
    No,
    /// PID 1 is being asked why.
    Asking,
    /// The unit is stopped for good: undo what can be undone, then end.
    Undo,
}

/// Collects the actions of one step.
#[derive(Debug)]
struct Out {
    actions: Vec<Action>,
    now: Timestamp,
}

impl Out {
    fn push(&mut self, action: Action) {
        self.actions.push(action);
    }

    fn set(&mut self, timer: Timer, delay: Delay) {
        self.push(Action::SetTimer(timer, delay));
    }

    fn report(&mut self, report: Report, text: impl Into<String>) {
        self.push(Action::Report(report, text.into()));
    }
}

impl Machine {
    /// A machine that has not started: feed it [`Event::Start`] first.
    pub fn new(
        host: HostId,
        config: Arc<Config>,
        journal: Journal,
        present: Requests,
        now: Timestamp,
    ) -> Self {
        Self {
            host,
            config,
            journal,
            present,
            settled: false,
            stamp: TurnId(0),
            phase: Phase::Idle,
            since: now,
            call: None,
            stop: Stop::No,
            abort: false,
            expired: false,
            shut: false,
            round_is_old: false,
            reclaim_set: false,
            tries: 0,
            outrun: 0,
            lock: None,
            said: Vec::new(),
            unguarded: None,
            absent: BTreeMap::new(),
        }
    }

    /// Takes one event and returns the next state and what to do. `now` is the wall clock.
    #[must_use]
    pub fn step(mut self, now: Timestamp, event: Event) -> (Self, Vec<Action>) {
        let actions = self.on(now, event);
        (self, actions)
    }

    /// The same in place, for whoever does not need the state before: in a drain it holds hundreds of pods.
    pub fn on(&mut self, now: Timestamp, event: Event) -> Vec<Action> {
        let before = self.label();
        let mut out = Out {
            actions: Vec::new(),
            now,
        };
        self.shut = !self.config.windows.is_open(now);
        self.see_lock(&event);
        self.on_event(&mut out, event);
        if self.label() != before {
            self.since = now;
        }
        out.actions
    }

    fn on_event(&mut self, out: &mut Out, event: Event) {
        if self.phase == Phase::Ended {
            return;
        }
        match event {
            Event::Start => {
                if !self.present.is_empty() {
                    out.set(Timer::Settle, Delay::exactly(self.config.settle));
                }
                self.restart(out);
            }
            Event::Reply(reply) => self.on_reply(out, reply),
            Event::Timer(timer) => self.on_timer(out, timer),
            Event::Sentinels(requests) => self.on_sentinels(out, requests),
            Event::LockSeen(view) => self.on_lock_seen(out, view),
            Event::LockWatchEnded(failure) => self.on_lock_watch_ended(out, failure.as_ref()),
            Event::PodsSeen(pods) if matches!(self.phase, Phase::Resting(_)) => {
                self.pods_seen_while_waiting(out, &pods);
            }
            Event::PodsSeen(pods) => self.on_pods(out, crate::drain::DrainEvent::Pods(pods)),
            Event::PodsWatchEnded(_) => self.on_pods(out, crate::drain::DrainEvent::WatchEnded),
            Event::Evicted(pod, answer) => {
                self.on_pods(out, crate::drain::DrainEvent::Answer(pod, answer));
            }
            Event::ShutdownHint => {
                self.on_shutdown_hint(out);
            }
            Event::StopRequested => {
                if self.stop == Stop::No {
                    self.stop = Stop::Asking;
                    out.push(Action::AskStopReason);
                }
            }
            Event::StopReason(reason) => self.on_stop_reason(out, reason),
            Event::Abort => self.on_abort(out),
            Event::Reload(config) => {
                self.config = config;
                self.on_reload(out);
            }
        }
    }

    fn on_timer(&mut self, out: &mut Out, timer: Timer) {
        match timer {
            Timer::Settle => {
                self.settled = true;
                self.poke(out);
            }
            Timer::Retry => self.on_retry(out),
            Timer::Attempt => {
                if matches!(self.phase, Phase::Resting(_)) {
                    self.reconsider(out);
                }
            }
            Timer::Reclaim => self.on_reclaim_timer(out),
            Timer::Look => self.on_look(out),
            Timer::Drain => {
                if !self.waits_ahead(out) && !self.volumes_late(out) {
                    self.expired = true;
                    self.poke(out);
                }
            }
            Timer::Evict => self.on_pods(out, crate::drain::DrainEvent::Tick),
            Timer::Guard => self.on_pods(out, crate::drain::DrainEvent::LookAgain),
            Timer::Check => self.on_check(out),
            Timer::Round => self.round_is_old = true,
            Timer::Poll => self.on_poll(out),
            Timer::Soak => self.on_soak(out),
        }
    }

    fn on_check(&mut self, out: &mut Out) {
        match self.phase {
            Phase::Draining(_) => self.drain_check(out),
            Phase::Verifying(_) => self.verify_again(out),
            Phase::Recovering(_) => self.prove(out),
            Phase::Undoing(_) => self.undo_check(out),
            Phase::Starting(_) => self.start_check(out),
            Phase::Idle
            | Phase::Resting(_)
            | Phase::Checking(_)
            | Phase::Latching
            | Phase::Reclaiming(_)
            | Phase::Acquiring(_)
            | Phase::Cordoning(_)
            | Phase::Asked(_)
            | Phase::Down(_)
            | Phase::Ended => {}
        }
    }

    /// A call has an outcome: the phase goes on.
    fn on_answer(&mut self, out: &mut Out, reply: Reply) {
        match self.phase {
            Phase::Starting(_) => self.on_starting(out, reply),
            Phase::Resting(_) => self.on_resting(out, &reply),
            Phase::Checking(_) => self.on_checking(out, reply),
            Phase::Latching => self.latched(out, &reply),
            Phase::Reclaiming(_) => self.on_reclaiming(out, reply),
            Phase::Acquiring(_) => self.on_acquiring(out, reply),
            Phase::Cordoning(_) => self.on_cordoning(out, reply),
            Phase::Draining(_) => self.on_draining(out, reply),
            Phase::Verifying(_) => self.on_verifying(out, reply),
            Phase::Asked(_) => self.on_asked(out, reply),
            Phase::Down(_) => self.on_down(out, &reply),
            Phase::Recovering(_) => self.on_recovering(out, reply),
            Phase::Undoing(_) => self.on_undoing(out, reply),
            Phase::Idle | Phase::Ended => {
                out.report(Report::Defect, format!("no phase waits for {reply:?}"));
            }
        }
    }

    fn on_sentinels(&mut self, out: &mut Out, requests: Requests) {
        if self.take_sentinels(out, requests) {
            self.poke(out);
        }
    }

    /// Notes what sentinels there are; whether that is news. The settle time begins anew with every change.
    fn take_sentinels(&mut self, out: &mut Out, requests: Requests) -> bool {
        if requests == self.present {
            return false;
        }
        self.present = requests;
        self.settled = false;
        if self.present.is_empty() {
            out.push(Action::CancelTimer(Timer::Settle));
        } else {
            out.set(Timer::Settle, Delay::exactly(self.config.settle));
        }
        true
    }

    /// Something changed that a phase without a turn decides on. A call on its way is waited for.
    fn poke(&mut self, out: &mut Out) {
        match self.phase {
            Phase::Idle | Phase::Resting(_) => self.reconsider(out),
            Phase::Draining(_) => self.drain_look(out),
            Phase::Verifying(_) => self.verify_look(out),
            Phase::Cordoning(_) => self.cordon_look(out),
            Phase::Undoing(_) => self.undo_look(out),
            Phase::Starting(_) => self.elsewhere_look(out),
            // They look at what changed when the call that they wait for has its outcome.
            Phase::Checking(_)
            | Phase::Latching
            | Phase::Reclaiming(_)
            | Phase::Acquiring(_)
            | Phase::Asked(_)
            | Phase::Down(_)
            | Phase::Recovering(_)
            | Phase::Ended => {}
        }
    }

    fn turn(&self) -> Option<&Turn> {
        self.journal.turn.as_ref()
    }

    /// The turn began in an earlier boot.
    fn boot_changed(&self) -> bool {
        self.turn()
            .is_some_and(|turn| turn.boot_id != self.host.boot_id)
    }

    /// Requests that no reboot has served and nobody has latched.
    fn wanted(&self) -> Requests {
        let spent = self.journal.spent();
        self.present
            .iter()
            .filter(|request| !spent.contains(request))
            .cloned()
            .collect()
    }

    fn write_journal(&mut self, out: &mut Out, patience: Patience) {
        let journal = Box::new(self.journal.clone());
        self.call(out, Op::WriteJournal(journal), patience);
    }
}
