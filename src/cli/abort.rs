//! `rollboot abort`: undo the turn of this node.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use super::{Exit, Failed, runtime, say};
use crate::daemon::{self, Options};
use crate::host::Root;
use crate::telemetry;

/// Evictions in flight are waited out, then two writes follow; an API server that is away is not waited for any longer.
const LIMIT: Duration = Duration::from_secs(90);

pub(super) fn abort(root: PathBuf, config: Option<PathBuf>) -> Result<Exit, Failed> {
    runtime()?.block_on(async {
        let paths = Root::new(root.clone());
        let asked = daemon::ask_to_abort(|path| paths.join(path), LIMIT)
            .await
            .context("the running daemon did not answer; its journal keeps the turn")
            .map_err(|error| Failed::new(Exit::Unavailable, error))?;
        let answer = match asked {
            Some(answer) => Some(answer),
            None => alone(root, config).await?,
        };
        Ok(match answer {
            Some(Ok(done)) => {
                say(&done);
                Exit::Ok
            }
            Some(Err(why)) => {
                say(&format!("not aborted: {why}"));
                Exit::No
            }
            None => {
                say("nothing to abort");
                Exit::Ok
            }
        })
    })
}

/// No daemon runs: the same machine undoes the turn in this process.
async fn alone(
    root: PathBuf,
    config: Option<PathBuf>,
) -> Result<Option<Result<String, String>>, Failed> {
    if !daemon::has_turn(&root).map_err(super::run::failed)? {
        return Ok(None);
    }
    let _in_journal = telemetry::init(false);
    let options = Options {
        root,
        config,
        abort: true,
    };
    match tokio::time::timeout(LIMIT, daemon::run(options)).await {
        Ok(Ok(Some(answer))) => Ok(Some(answer)),
        Ok(Ok(None)) => Err(Failed::new(
            Exit::Unavailable,
            anyhow::anyhow!(
                "ended before the turn was undone; the journal keeps it, and the next start goes on with it"
            ),
        )),
        Ok(Err(error)) => Err(super::run::failed(error)),
        Err(_) => Err(Failed::new(
            Exit::Unavailable,
            anyhow::anyhow!(
                "not undone within {LIMIT:?}; the journal keeps the turn, and the next start goes on with it"
            ),
        )),
    }
}
