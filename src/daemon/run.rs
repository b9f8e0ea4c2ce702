//! `rollboot run`: from the command line to the loop, and the end.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use tokio::signal::unix::{SignalKind, signal};

use super::begin::{Notes, Waiting};
use super::control::{Control, socket};
use super::service::{End, Service, Signals};
use super::settings::Settings;
use crate::config::load::{ConfigError, load};
use crate::failure::Failure;
use crate::host::{JournalError, LocalHost, ProcessLock, ProcessLockError, Root, notify};
use crate::telemetry::ids;

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
    /// The configuration cannot be used, and there is, or may be, a turn that waits for one.
    #[error("{broken}; {why}: mend the configuration, then the turn goes on")]
    Stuck {
        /// What is wrong with the configuration on disk.
        broken: ConfigError,
        /// Why the turn's own does not help.
        why: String,
    },
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
    let host = LocalHost::new(root.clone(), Vec::new())
        .with_configuration(wrong_on_disk, options.config.clone());
    let mut notes = Notes::default();
    let mut settings = match Settings::load(&options) {
        Ok(settings) => settings,
        Err(broken) => {
            let why = broken.to_string();
            let settings = Settings::of_turn(host.journal(), broken)?;
            notes.note_broken(format!(
                "the turn that runs goes on with the last configuration that could be loaded: {why}"
            ));
            settings
        }
    };
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
    let mut host = Rc::new(host.with_sentinels(settings.config.sentinels.clone()));
    notify::ready("starting");
    loop {
        let waiting = Waiting {
            options: &options,
            host: &host,
            signals: &mut signals,
            control: &mut control,
            notes: &mut notes,
        };
        let Some(begun) = waiting.begin(settings).await? else {
            return Ok(None);
        };
        // The configuration may have been read again while something was waited for.
        host = Rc::new(host.with_sentinels(begun.settings.config.sentinels.clone()));
        let mut service = Service::new(&options, Rc::clone(&host), begun, notes);
        service.start();
        match service.serve(&mut signals, &mut control).await {
            End::Process => return Ok(service.last_answer),
            // What the process began with has changed, and no turn runs: as a restart would, but nobody has to make one.
            End::Anew(new) => {
                settings = new;
                notes = service.notes;
            }
        }
    }
}

/// Why the configuration on disk cannot be loaded, if it cannot.
fn wrong_on_disk(root: &Path, file: Option<&Path>) -> Option<String> {
    load(root, file).err().map(|error| error.to_string())
}

/// Whether the journal below `root` tells of a turn, for an `abort` that finds no daemon.
///
/// # Errors
/// The journal is there and cannot be read.
pub fn has_turn(root: &Path) -> Result<bool, StartError> {
    let host = LocalHost::new(Root::new(root), Vec::new());
    Ok(host.journal().read()?.turn.is_some())
}

/// Puts an error of the start into the log, with the id of its kind.
pub fn report_start_error(error: &StartError) {
    match error {
        StartError::Config(_) | StartError::Stuck { .. } => {
            tracing::error!(message_id = ids::CONFIGURATION_ERROR, "{error}");
        }
        error => tracing::error!("{error}"),
    }
}
