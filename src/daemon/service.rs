//! The daemon at work: signals, hints and operators wake it, and what it says is shown.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::signal::unix::Signal;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::Daemon;
use super::begin::{Begun, Notes};
use super::control::Control;
use super::run::Options;
use super::settings::Settings;
use super::status::{FILE, Report, SentinelStatus, StatusFile};
use crate::cluster::KubeletCluster;
use crate::config::Config;
use crate::host::{Hints, LocalHost, SentinelReading, notify};
use crate::machine::{Event, Machine};

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

/// Why the loop was left.
#[derive(Debug)]
pub(super) enum End {
    /// The process is to end.
    Process,
    /// What this began with is not so any more: with this configuration from now on.
    Anew(Settings),
}

/// The daemon with everything around it.
pub(super) struct Service {
    pub(super) daemon: Daemon<KubeletCluster, LocalHost>,
    pub(super) notes: Notes,
    pub(super) last_answer: Option<Result<String, String>>,
    cluster: Rc<KubeletCluster>,
    host: Rc<LocalHost>,
    sentinel_hints: Hints,
    shutdown_hints: Hints,
    reading: SentinelReading,
    status: StatusFile,
    /// The configuration as it was last read.
    settings: Settings,
    /// A turn runs where the configuration may not lead: it is followed when that is over.
    elsewhere: bool,
    /// What this began with, of what cannot change under way.
    fixed: Fixed,
    /// What of the surroundings was wrong when it was last looked at.
    wrong: Vec<String>,
    /// Why the status file could not be written last.
    unwritten: Option<String>,
    /// The last status line.
    said: String,
    /// When what failed is tried again, and the same by the wall clock: converted once, or the status would change all the time.
    next_try: Option<(Instant, Timestamp)>,
    options: Options,
}

/// The part of the configuration that a daemon begins with and keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fixed {
    kubeconfig: Option<PathBuf>,
    node_name: Option<String>,
    namespace: String,
    name: String,
    sentinels: Vec<PathBuf>,
}

impl Fixed {
    fn of(config: &Config) -> Self {
        Self {
            kubeconfig: config.kubeconfig.clone(),
            node_name: config.node_name.clone(),
            namespace: config.lock.namespace.clone(),
            name: config.lock.name.clone(),
            sentinels: config.sentinels.clone(),
        }
    }
}

impl Service {
    pub(super) fn new(options: &Options, host: Rc<LocalHost>, begun: Begun, notes: Notes) -> Self {
        let Begun {
            cluster,
            settings,
            elsewhere,
            id,
            journal,
            reading,
        } = begun;
        let cluster = Rc::new(cluster);
        let fixed = Fixed::of(&settings.config);
        let requests = reading.requests.clone();
        host.journal().set_record(settings.record(cluster.place()));
        let config = Arc::new(cluster.place().applied_to(&settings.config));
        let machine = Machine::new(id, config, journal, requests, Timestamp::now());
        Self {
            daemon: Daemon::new(machine, Rc::clone(&cluster), Rc::clone(&host)),
            notes,
            last_answer: None,
            cluster,
            sentinel_hints: host.sentinel_hints(),
            shutdown_hints: host.shutdown_hints(),
            host,
            reading,
            status: StatusFile::default(),
            settings,
            elsewhere,
            fixed,
            wrong: Vec::new(),
            unwritten: None,
            said: String::new(),
            next_try: None,
            options: options.clone(),
        }
    }

    pub(super) fn start(&mut self) {
        for problem in &self.reading.problems {
            tracing::warn!("{problem}");
        }
        self.daemon.feed(Event::Start);
        if self.options.abort {
            self.daemon.feed(Event::Abort);
        }
        self.show();
    }

    pub(super) async fn serve(&mut self, signals: &mut Signals, control: &mut Control) -> End {
        let mut watchdog = watchdog();
        loop {
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
                return End::Process;
            }
            // Being asked to end comes first: what begins anew would know nothing of that.
            if self.daemon.ended() {
                break;
            }
            if self.daemon.is_at_rest()
                && let Some(settings) = self.outdated_by()
            {
                // Nor of an operator who waits.
                control.answer(&Err(
                    "the daemon begins anew because its configuration changed: ask again".into(),
                ));
                tracing::info!("beginning anew, with what has changed");
                return End::Anew(settings);
            }
        }
        notify::stopping(&self.daemon.machine().reason());
        End::Process
    }

    /// What to begin anew with, if that, or the credential on disk, is not what this began with.
    fn outdated_by(&self) -> Option<Settings> {
        let outdated = self.elsewhere
            || self.cluster.is_renamed()
            || Fixed::of(&self.settings.config) != self.fixed;
        outdated.then(|| self.settings.clone())
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
        if let Some(new) = reload(&self.options, &mut self.notes) {
            tracing::info!("the configuration was read again");
            let place = self.cluster.place();
            self.host.journal().set_record(new.record(place));
            let config = Arc::new(place.applied_to(&new.config));
            let anew = Fixed::of(&new.config) != self.fixed;
            self.settings = new;
            if anew && !self.daemon.is_at_rest() {
                tracing::warn!(
                    "sentinels, kubeconfig, node-name, lock.namespace and lock.name take effect when no turn runs"
                );
            }
            if !anew || !self.daemon.is_at_rest() {
                self.daemon.reload(config);
            }
        }
        notify::ready(&self.said);
    }

    /// What is wrong around the machine; whatever is news goes into the log.
    fn problems(&mut self) -> Vec<String> {
        let sentinels = self.sentinel_hints.problem();
        let shutdown = self.shutdown_hints.problem();
        let wrong: Vec<String> = sentinels
            .map(|problem| format!("sentinels are noticed late: {problem}"))
            .into_iter()
            .chain(shutdown.map(|problem| format!("shutdowns are noticed late: {problem}")))
            .collect();
        for problem in &wrong {
            if !self.wrong.contains(problem) {
                tracing::warn!("{problem}");
            }
        }
        self.wrong = wrong;
        self.reading
            .problems
            .iter()
            .chain(&self.wrong)
            .cloned()
            .chain(self.notes.problems())
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
        let unwritten = self.status.write(&path, &report).err();
        let unwritten = unwritten.map(|error| error.to_string());
        if unwritten != self.unwritten {
            if let Some(why) = &unwritten {
                tracing::warn!("{} cannot be written: {why}", path.display());
            }
            self.unwritten = unwritten;
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

/// Reads the configuration again. A wrong one changes nothing, and is told until there is a right one.
pub(super) fn reload(options: &Options, notes: &mut Notes) -> Option<Settings> {
    match Settings::load(options) {
        Ok(settings) => {
            notes.config = None;
            Some(settings)
        }
        Err(error) => {
            notes.note_broken(format!("the configuration stays as it was: {error}"));
            None
        }
    }
}

/// Feeds the watchdog now, and says when to do so again: whatever took these ticks before may have left it hungry.
pub(super) fn watchdog() -> tokio::time::Interval {
    notify::watchdog();
    let period = notify::watchdog_interval().unwrap_or(NEVER);
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
