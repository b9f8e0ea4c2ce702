//! The daemon at work: signals, hints and operators wake it, and what it says is shown.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::signal::unix::Signal;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::Daemon;
use super::control::Control;
use super::run::Options;
use super::status::{FILE, Report, SentinelStatus, StatusFile};
use crate::cluster::KubeletCluster;
use crate::config::Config;
use crate::config::load::load;
use crate::host::{Hints, LocalHost, SentinelReading, notify};
use crate::machine::Event;
use crate::telemetry::ids;

/// A watchdog interval where nobody watches.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// Signals, from before READY on.
pub(super) struct Signals {
    pub(super) term: Signal,
    pub(super) int: Signal,
    pub(super) hup: Signal,
}

enum Wake {
    Turned,
    Stop,
    Reload,
    Sentinel,
    Shutdown,
    Abort,
    Watchdog,
}

/// The daemon with everything around it.
pub(super) struct Service {
    pub(super) daemon: Daemon<KubeletCluster, LocalHost>,
    pub(super) host: Rc<LocalHost>,
    pub(super) sentinel_hints: Hints,
    pub(super) shutdown_hints: Hints,
    pub(super) reading: SentinelReading,
    pub(super) status: StatusFile,
    /// What kept the sentinels from being watched when it was last looked at.
    pub(super) watch_problem: Option<String>,
    /// The last status line.
    pub(super) said: String,
    /// When what failed is tried again, and the same by the wall clock: converted once, or the status would change all the time.
    pub(super) next_try: Option<(Instant, Timestamp)>,
    pub(super) options: Options,
    pub(super) last_answer: Option<Result<String, String>>,
}

impl Service {
    pub(super) async fn serve(&mut self, signals: &mut Signals, control: &mut Control) {
        let mut watchdog = watchdog();
        while !self.daemon.ended() {
            let wake = tokio::select! {
                biased;
                _ = signals.term.recv() => Wake::Stop,
                _ = signals.int.recv() => Wake::Stop,
                _ = signals.hup.recv() => Wake::Reload,
                () = self.daemon.turn() => Wake::Turned,
                () = self.sentinel_hints.next() => Wake::Sentinel,
                () = self.shutdown_hints.next() => Wake::Shutdown,
                () = control.abort_asked() => Wake::Abort,
                _ = watchdog.tick() => Wake::Watchdog,
            };
            match wake {
                Wake::Turned => {}
                Wake::Stop => self.daemon.feed(Event::StopRequested),
                Wake::Reload => self.reload(),
                Wake::Sentinel => self.look(),
                Wake::Shutdown => self.daemon.feed(Event::ShutdownHint),
                Wake::Abort => self.daemon.feed(Event::Abort),
                Wake::Watchdog => notify::watchdog(),
            }
            for answer in self.daemon.take_abort_answers() {
                control.answer(&answer);
                self.last_answer = Some(answer);
            }
            self.show();
            if self.options.abort && self.last_answer.is_some() {
                return;
            }
        }
        notify::stopping(&self.daemon.machine().reason());
    }

    fn look(&mut self) {
        let reading = self.host.read_sentinels();
        for problem in &reading.problems {
            if !self.reading.problems.contains(problem) {
                tracing::warn!("{problem}");
            }
        }
        let requests = reading.requests.clone();
        self.reading = reading;
        self.daemon.feed(Event::Sentinels(requests));
    }

    fn reload(&mut self) {
        notify::reloading();
        if let Some(new) = reload(&self.options) {
            let old = self.daemon.machine().config();
            let fixed = |config: &Config| {
                (
                    config.kubeconfig.clone(),
                    config.node_name.clone(),
                    config.lock.namespace.clone(),
                    config.lock.name.clone(),
                    config.sentinels.clone(),
                )
            };
            if fixed(old) != fixed(&new) {
                tracing::warn!(
                    "sentinels, kubeconfig, node-name, lock.namespace and lock.name take effect at the next start"
                );
            }
            tracing::info!("the configuration was read again");
            self.daemon.reload(new);
        }
        notify::ready(&self.said);
    }

    /// What is wrong with the sentinels, and with the way in which they are watched.
    fn problems(&mut self) -> Vec<String> {
        let watching = self.sentinel_hints.problem();
        if watching != self.watch_problem {
            if let Some(problem) = &watching {
                tracing::warn!("sentinels are noticed late: {problem}");
            }
            self.watch_problem.clone_from(&watching);
        }
        self.reading
            .problems
            .iter()
            .cloned()
            .chain(watching)
            .collect()
    }

    /// When what failed is tried again, by the wall clock.
    fn next_try(&mut self) -> Option<Timestamp> {
        let due = self.daemon.next_try();
        if due != self.next_try.map(|(due, _)| due) {
            self.next_try = due.and_then(|due| {
                let wait = due.saturating_duration_since(Instant::now());
                let seconds = i64::try_from(wait.as_secs()).ok()?;
                let at = Timestamp::now().as_second().checked_add(seconds)?;
                Some((due, Timestamp::from_second(at).ok()?))
            });
        }
        self.next_try.map(|(_, at)| at)
    }

    /// Brings the status file and the status line up to date.
    pub(super) fn show(&mut self) {
        let problems = self.problems();
        let next_try = self.next_try();
        let machine = self.daemon.machine();
        let reason = machine.reason();
        if reason != self.said {
            notify::status(&reason);
            self.said = reason;
        }
        let mut status = machine.status();
        status.retry_at = status.retry_at.or(next_try);
        let report = Report {
            pid: std::process::id(),
            machine: status,
            sentinels: sentinels(&self.reading),
            problems,
        };
        let path = self.host.root().join(FILE);
        if let Err(error) = self.status.write(&path, &report) {
            tracing::debug!(%error, "the status file cannot be written");
        }
    }
}

pub(super) fn sentinels(reading: &SentinelReading) -> Vec<SentinelStatus> {
    reading
        .sentinels
        .iter()
        .map(|sentinel| SentinelStatus {
            path: sentinel.path.clone(),
            present: reading
                .requests
                .iter()
                .any(|request| request.path == sentinel.path),
            since: sentinel.since,
            packages: sentinel.packages.clone(),
        })
        .collect()
}

/// Reads the configuration again. A wrong one changes nothing and is told.
pub(super) fn reload(options: &Options) -> Option<Arc<Config>> {
    match load(&options.root, options.config.as_deref()) {
        Ok(config) => Some(Arc::new(config)),
        Err(error) => {
            tracing::error!(
                message_id = ids::CONFIGURATION_ERROR,
                "the configuration stays as it was: {error}"
            );
            None
        }
    }
}

pub(super) fn watchdog() -> tokio::time::Interval {
    let period = notify::watchdog_interval().unwrap_or(NEVER);
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
