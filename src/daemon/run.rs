//! `rollboot run`: from the command line to the loop, and the end.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::Daemon;
use super::control::{Control, socket};
use super::status::{FILE, Report, SentinelStatus, StatusFile};
use crate::cluster::KubeletCluster;
use crate::config::Config;
use crate::config::load::{ConfigError, load};
use crate::failure::Failure;
use crate::host::{
    Hints, JournalError, LocalHost, ProcessLock, ProcessLockError, Root, SentinelReading, boot,
    notify,
};
use crate::journal::Journal;
use crate::machine::{Event, HostId, Machine};
use crate::telemetry::ids;

/// How often a kubeconfig is looked for that is not there yet.
const NO_KUBECONFIG: Duration = Duration::from_secs(15);
/// A watchdog interval where nobody watches.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// What the command line says.
#[derive(Debug, Clone)]
pub struct Options {
    /// Prefix of every host path.
    pub root: PathBuf,
    /// Instead of the main configuration file.
    pub config: Option<PathBuf>,
    /// Undo the turn, then end, as `abort` does where no daemon runs.
    pub abort: bool,
}

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Another process runs, or the lock file cannot be made.
    #[error(transparent)]
    Lock(#[from] ProcessLockError),
    /// The journal is there and cannot be read: what it says might be a turn, so nothing begins without it.
    #[error("{0}; nothing is done without it, for it may tell of a turn")]
    Journal(#[from] JournalError),
    /// This host does not say what it is.
    #[error(transparent)]
    Host(#[from] Failure),
    /// The kernel refused something basic.
    #[error("cannot {what}: {why}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        why: std::io::Error,
    },
    /// An `abort` found no kubeconfig: there is no cluster to undo anything in.
    #[error("{0}")]
    NoCluster(Failure),
}

/// Signals, from before READY on.
struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
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

/// Runs until PID 1 or the machine ends it. Returns the last answer to an abort, if there was one.
///
/// # Errors
/// Only before anything was done; see [`StartError`].
pub async fn run(options: Options) -> Result<Option<Result<String, String>>, StartError> {
    let root = Root::new(options.root.clone());
    let config = Arc::new(load(&options.root, options.config.as_deref())?);
    let _lock = ProcessLock::take(&root)?;
    let system = |what| move |why| StartError::System { what, why };
    let listen = |kind| signal(kind).map_err(system("listen to signals"));
    let mut signals = Signals {
        term: listen(SignalKind::terminate())?,
        int: listen(SignalKind::interrupt())?,
        hup: listen(SignalKind::hangup())?,
    };
    let mut control =
        Control::listen(&root.join(socket())).map_err(system("listen on the control socket"))?;
    let host = Rc::new(LocalHost::new(root, config.sentinels.clone()));
    let journal = read_journal(&host)?;
    notify::ready("starting");
    let Some((cluster, config)) = find_cluster(&options, &host, config, &mut signals).await? else {
        return Ok(None);
    };
    tracing::info!(
        node = cluster.node(),
        kubeconfig = %cluster.kubeconfig().display(),
        "this node's name comes from {:?}",
        cluster.name_source()
    );
    let reading = host.read_sentinels();
    let id = HostId {
        node: cluster.node().to_owned(),
        boot_id: boot::boot_id(host.root())?,
        boot_time: boot::booted_at(host.root())?.as_second(),
    };
    let machine = Machine::new(
        id,
        config,
        journal,
        reading.requests.clone(),
        Timestamp::now(),
    );
    let mut service = Service {
        daemon: Daemon::new(machine, Rc::new(cluster), Rc::clone(&host)),
        sentinel_hints: host.sentinel_hints(),
        shutdown_hints: host.shutdown_hints(),
        host,
        reading,
        status: StatusFile::default(),
        said: String::new(),
        options,
        last_answer: None,
    };
    service.daemon.feed(Event::Start);
    if service.options.abort {
        service.daemon.feed(Event::Abort);
    }
    service.show();
    service.serve(&mut signals, &mut control).await;
    Ok(service.last_answer)
}

/// Whether the journal below `root` tells of a turn, for an `abort` that finds no daemon.
///
/// # Errors
/// The journal is there and cannot be read.
pub fn has_turn(root: &std::path::Path) -> Result<bool, StartError> {
    let host = LocalHost::new(Root::new(root), Vec::new());
    Ok(host.journal().read()?.turn.is_some())
}

/// Puts an error of the start into the log, with the id of its kind.
pub fn report_start_error(error: &StartError) {
    match error {
        StartError::Config(error) => {
            tracing::error!(message_id = ids::CONFIGURATION_ERROR, "{error}");
        }
        error => tracing::error!("{error}"),
    }
}

/// A damaged journal is kept aside and its turn is given up as one whose history is lost; one that cannot be read is waited for.
fn read_journal(host: &LocalHost) -> Result<Journal, StartError> {
    match host.journal().read() {
        Ok(journal) => Ok(journal),
        Err(error @ JournalError::Unreadable { .. }) => Err(error.into()),
        Err(error @ JournalError::Damaged { .. }) => {
            let aside = host.journal().set_aside()?;
            tracing::error!(
                "{error}; it is kept as {}, and a turn that it told of will be undone",
                aside.display()
            );
            Ok(Journal::default())
        }
    }
}

/// Waits for a kubeconfig, and says what for. `None`: asked to end meanwhile.
async fn find_cluster(
    options: &Options,
    host: &LocalHost,
    mut config: Arc<Config>,
    signals: &mut Signals,
) -> Result<Option<(KubeletCluster, Arc<Config>)>, StartError> {
    let mut said = String::new();
    loop {
        match KubeletCluster::discover(&config, &options.root) {
            Ok(cluster) => return Ok(Some((cluster, config))),
            Err(failure) if options.abort => return Err(StartError::NoCluster(failure)),
            Err(failure) => {
                if failure.message != said {
                    tracing::warn!("waiting for a kubeconfig: {failure}");
                    notify::status(&format!("waiting for a kubeconfig: {failure}"));
                    said.clone_from(&failure.message);
                    write_waiting_status(host, failure.message);
                }
            }
        }
        let deadline = Instant::now() + NO_KUBECONFIG;
        let mut watchdog = watchdog();
        loop {
            tokio::select! {
                _ = signals.term.recv() => return Ok(None),
                _ = signals.int.recv() => return Ok(None),
                _ = signals.hup.recv() => {
                    if let Some(new) = reload(options) {
                        config = new;
                    }
                    break;
                }
                _ = watchdog.tick() => notify::watchdog(),
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
    }
}

fn watchdog() -> tokio::time::Interval {
    let period = notify::watchdog_interval().unwrap_or(NEVER);
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// `status` must say something before there is a machine.
fn write_waiting_status(host: &LocalHost, problem: String) {
    let node = boot::host_name(host.root()).unwrap_or_default();
    let report = Report {
        machine: crate::machine::Status::without_cluster(node, Timestamp::now(), &problem),
        sentinels: sentinels(&host.read_sentinels()),
        problems: vec![problem],
    };
    let written = StatusFile::default().write(&host.root().join(FILE), &report);
    if let Err(error) = written {
        tracing::warn!(%error, "the status file cannot be written");
    }
}

/// Reads the configuration again. A wrong one changes nothing and is told.
fn reload(options: &Options) -> Option<Arc<Config>> {
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

/// The daemon with everything around it.
struct Service {
    daemon: Daemon<KubeletCluster, LocalHost>,
    host: Rc<LocalHost>,
    sentinel_hints: Hints,
    shutdown_hints: Hints,
    reading: SentinelReading,
    status: StatusFile,
    /// The last status line.
    said: String,
    options: Options,
    last_answer: Option<Result<String, String>>,
}

impl Service {
    async fn serve(&mut self, signals: &mut Signals, control: &mut Control) {
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
                control.answer(&answer).await;
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

    /// Brings the status file and the status line up to date.
    fn show(&mut self) {
        let machine = self.daemon.machine();
        let reason = machine.reason();
        if reason != self.said {
            notify::status(&reason);
            self.said = reason;
        }
        let report = Report {
            machine: machine.status(),
            sentinels: sentinels(&self.reading),
            problems: self.reading.problems.clone(),
        };
        let path = self.host.root().join(FILE);
        if let Err(error) = self.status.write(&path, &report) {
            tracing::debug!(%error, "the status file cannot be written");
        }
    }
}

fn sentinels(reading: &SentinelReading) -> Vec<SentinelStatus> {
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
