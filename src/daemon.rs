//! The one loop: events go into the machine, its actions are carried out, their results come back as events.
//!
//! Nothing is decided here. One thread; whatever takes time is a future in `tasks`, a timer, or a watch.

mod begin;
mod control;
mod run;
mod service;
mod settings;
mod status;
mod tasks;
mod timers;

pub use control::ask_to_abort;
pub use run::{Options, StartError, has_turn, report_start_error, run};
pub use status::{FILE as STATUS_FILE, Report as StatusReport, SentinelStatus};

use std::rc::Rc;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::config::Config;
use crate::machine::{Action, Event, Machine};
use crate::ports::{Cluster, Host};
use crate::telemetry::events;
use tasks::Tasks;
use timers::Timers;

/// The machine, and everything that is on its way for it.
#[derive(Debug)]
pub struct Daemon<C, H> {
    machine: Machine,
    tasks: Tasks<C, H>,
    timers: Timers,
    /// What operators who asked for an abort are answered.
    abort_answers: Vec<Result<String, String>>,
    exit: bool,
}

impl<C: Cluster + 'static, H: Host + 'static> Daemon<C, H> {
    /// A daemon that has not started.
    pub fn new(machine: Machine, cluster: Rc<C>, host: Rc<H>) -> Self {
        Self {
            machine,
            tasks: Tasks::new(cluster, host),
            timers: Timers::default(),
            abort_answers: Vec::new(),
            exit: false,
        }
    }

    /// Feeds an event to the machine and carries out what it says.
    pub fn feed(&mut self, event: Event) {
        tracing::debug!(?event, "event");
        for action in self.machine.on(Timestamp::now(), event) {
            tracing::debug!(?action, "action");
            self.carry_out(action);
        }
    }

    /// Waits for the next thing that is on its way, and feeds it. Timers that are due come first, so that nothing that arrives
    /// late overtakes the time limit that it missed. Cancelling loses nothing.
    pub async fn turn(&mut self) {
        let due = self.timers.next();
        let next = tokio::select! {
            biased;
            () = sleep_until(due), if due.is_some() => {
                self.timers.pop(Instant::now()).map(Event::Timer)
            }
            event = self.tasks.next() => Some(event),
        };
        if let Some(event) = next {
            self.feed(event);
        }
    }

    /// Whether the process may end.
    pub fn ended(&self) -> bool {
        self.exit
    }

    /// Whether another daemon could begin in this one's place: no turn runs, and nothing is on its way.
    pub fn is_at_rest(&self) -> bool {
        self.machine.journal().turn.is_none() && self.tasks.are_done()
    }

    /// The machine, to look at.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// When what failed is tried again.
    pub fn next_try(&self) -> Option<Instant> {
        self.machine
            .waits_for()
            .and_then(|timer| self.timers.due(timer))
    }

    /// Answers to operators since the last call.
    pub fn take_abort_answers(&mut self) -> Vec<Result<String, String>> {
        std::mem::take(&mut self.abort_answers)
    }

    /// Another configuration is in force.
    pub fn reload(&mut self, config: Arc<Config>) {
        self.feed(Event::Reload(config));
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Call(op) => self.tasks.call(op),
            Action::SetTimer(timer, delay) => self.timers.set(timer, delay),
            Action::CancelTimer(timer) => self.timers.cancel(timer),
            Action::WatchLock(version) => self.tasks.watch_lock(version),
            Action::UnwatchLock => self.tasks.unwatch_lock(),
            Action::WatchPods => self.tasks.watch_pods(),
            Action::UnwatchPods => self.tasks.unwatch_pods(),
            Action::Evict(pod) => self.tasks.evict(pod),
            Action::AskStopReason => self.tasks.ask_stop_reason(),
            Action::AnswerAbort(answer) => self.abort_answers.push(answer),
            Action::Announce(event) => self.tasks.announce(event),
            Action::Report(report, text) => events::report(report, &text),
            Action::Exit => self.exit = true,
        }
    }
}

async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
