//! `rollboot run`.

use std::path::PathBuf;

use super::{Exit, Failed, runtime};
use crate::daemon::{self, Options, StartError};
use crate::host::ProcessLockError;
use crate::telemetry;

pub(super) fn run(root: PathBuf, config: Option<PathBuf>, verbose: bool) -> Result<Exit, Failed> {
    let in_journal = telemetry::init(verbose);
    let options = Options {
        root,
        config,
        abort: false,
    };
    let runtime = runtime()?;
    let result = runtime.block_on(daemon::run(options));
    // A name that does not resolve, or a credential plugin that hangs, must not hold up the end.
    runtime.shutdown_background();
    match result {
        Ok(_) => Ok(Exit::Ok),
        Err(error) => {
            // In the journal with its id, where standard error would say it a second time.
            if in_journal {
                daemon::report_start_error(&error);
            }
            Err(Failed {
                told: in_journal,
                ..failed(error)
            })
        }
    }
}

/// The exit code of a daemon that did not start.
pub(super) fn failed(error: StartError) -> Failed {
    let exit = match &error {
        StartError::Config(_) => Exit::Configuration,
        StartError::Lock(ProcessLockError::Held { .. })
        | StartError::Journal(_)
        // The unit is started again until it is mended: a slot must not be kept for good.
        | StartError::Stuck { .. }
        | StartError::Host(_)
        | StartError::NoCluster(_) => Exit::Unavailable,
        StartError::Lock(ProcessLockError::Failed { source, .. })
        | StartError::System { why: source, .. } => {
            if source.kind() == std::io::ErrorKind::PermissionDenied {
                Exit::Permission
            } else {
                Exit::Unavailable
            }
        }
    };
    Failed::new(exit, error)
}
