//! `rollboot run`: from the command line to the loop, and the end.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::Daemon;
use super::control::{Control, socket};
use super::service::{Service, Signals, reload, sentinels, watchdog};
use super::status::{FILE, Report, StatusFile};
use crate::cluster::KubeletCluster;
use crate::config::load::{ConfigError, load};
use crate::config::{Config, Mode};
use crate::failure::Failure;
use crate::host::{JournalError, LocalHost, ProcessLock, ProcessLockError, Root, boot, notify};
use crate::journal::Journal;
use crate::machine::{Event, HostId, Machine};
use crate::telemetry::ids;

/// How often a kubeconfig is looked for that is not there yet.
const NO_KUBECONFIG: Duration = Duration::from_secs(15);

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
    let Some((cluster, config)) =
        find_cluster(&options, &host, config, &mut signals, &mut control).await?
    else {
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
        watch_problem: None,
        said: String::new(),
        next_try: None,
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
    control: &mut Control,
) -> Result<Option<(KubeletCluster, Arc<Config>)>, StartError> {
    let mut said = String::new();
    // One for all rounds: made anew in each, it would never be due.
    let mut watchdog = watchdog();
    loop {
        match KubeletCluster::discover(&config, &options.root) {
            Ok(cluster) => return Ok(Some((cluster, config))),
            Err(failure) if options.abort => return Err(StartError::NoCluster(failure)),
            Err(failure) => {
                if failure.message != said {
                    tracing::warn!("waiting for a kubeconfig: {failure}");
                    notify::status(&format!("waiting for a kubeconfig: {failure}"));
                    said.clone_from(&failure.message);
                }
                write_waiting_status(host, config.mode, failure.message);
            }
        }
        let deadline = Instant::now() + NO_KUBECONFIG;
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
                () = control.abort_asked() => control.answer(&abort_without_cluster(host)),
                _ = watchdog.tick() => notify::watchdog(),
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
    }
}

/// What an operator's abort is answered before there is a cluster to undo anything in.
fn abort_without_cluster(host: &LocalHost) -> Result<String, String> {
    match host.journal().read() {
        Ok(journal) if journal.turn.is_none() => Ok("no turn is running".into()),
        Ok(_) => Err("a turn is recorded, and without a kubeconfig it cannot be undone".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// `status` must say something before there is a machine.
fn write_waiting_status(host: &LocalHost, mode: Mode, problem: String) {
    let node = boot::host_name(host.root()).unwrap_or_default();
    let report = Report {
        pid: std::process::id(),
        machine: crate::machine::Status::without_cluster(node, mode, Timestamp::now(), &problem),
        sentinels: sentinels(&host.read_sentinels()),
        problems: vec![problem],
    };
    let written = StatusFile::default().write(&host.root().join(FILE), &report);
    if let Err(error) = written {
        tracing::warn!(%error, "the status file cannot be written");
    }
}
