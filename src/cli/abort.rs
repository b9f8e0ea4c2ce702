//! `rollboot abort`: undo the turn of this node.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use super::{Exit, Failed, runtime, say};
use crate::cluster::Deadlines;
use crate::daemon::{self, Options};
use crate::host::Root;
use crate::telemetry;

/// Evictions in flight are waited out, then two writes follow; an API server that is away is not waited for any longer. The unit's
/// stop has the same time, maintainer scripts a little more.
const LIMIT: Duration = Deadlines::DEFAULT
    .undo()
    .saturating_add(Duration::from_secs(25));

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

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> String {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        std::fs::read_to_string(path).unwrap()
    }

    /// The numbers behind `before`, each up to the first character that is no digit.
    fn numbers(name: &str, before: &str) -> Vec<u64> {
        let text = file(name);
        let found: Vec<_> = text
            .split(before)
            .skip(1)
            .map(|rest| {
                let digits = rest.split(|it: char| !it.is_ascii_digit()).next();
                digits.unwrap().parse().unwrap()
            })
            .collect();
        assert!(!found.is_empty(), "{name} has no {before:?} any more");
        found
    }

    /// What waits for an undo elsewhere has its time written down as a number.
    #[test]
    fn whoever_waits_for_an_undo_waits_as_long_as_it_may_take() {
        let undo = LIMIT.as_secs();
        for stop in numbers("systemd/rollboot.service", "\nTimeoutStopSec=") {
            assert_eq!(stop, undo, "TimeoutStopSec= in seconds");
        }
        for script in ["packaging/deb/prerm", "packaging/rpm/preun"] {
            for limit in numbers(script, "timeout ") {
                assert_eq!(limit, undo + 20, "{script}");
            }
        }
        for written in numbers("packaging/man/rollboot.8", "gives up after ") {
            assert_eq!(written, undo, "packaging/man/rollboot.8");
        }
        let write = Deadlines::DEFAULT.write.as_secs();
        for written in numbers("systemd/rollboot.service", "may take ") {
            assert_eq!(written, write, "the comment on TimeoutStopSec=");
        }
    }
}
