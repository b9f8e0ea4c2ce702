//! What the commands of an operator share: which cluster, as whom, and how they write.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;

use super::text::list;
use super::{Exit, Failed};
use crate::cluster::{ConfigFlags, Operator};
use crate::config::load::load;
use crate::failure::{Failure, FailureKind, WriteOutcome};
use crate::lock::{LockPatch, LockView};

/// A conflict means that somebody else wrote, and no reply that it may have been done; so often in a row means that something is
/// wrong.
const TRIES: u8 = 5;
const BETWEEN: Duration = Duration::from_millis(300);
/// Of many names so many are shown.
const SHOWN: usize = 10;

/// Which cluster and as whom, as for kubectl.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster and user, as for kubectl")]
pub(super) struct Flags {
    /// The kubeconfig to use [default: the files in $KUBECONFIG, else ~/.kube/config, else /etc/kubernetes/admin.conf].
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context to use.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The cluster to use, instead of the context's.
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// The user to use, instead of the context's.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The user to impersonate.
    #[arg(long = "as", value_name = "USER")]
    impersonate: Option<String>,
    /// A group to impersonate; may be repeated.
    #[arg(long = "as-group", value_name = "GROUP", requires = "impersonate")]
    impersonate_groups: Vec<String>,
    /// How long to wait for an answer: 5s, 2m, a number of seconds; 0: as long as it takes.
    #[arg(long, value_name = "TIME", default_value = "45s", value_parser = timeout)]
    request_timeout: Duration,
    /// Ask the server whether it would, and change nothing.
    #[arg(long, help_heading = "Options")]
    pub(super) dry_run: bool,
}

/// The cluster that an operator means, and whether anything is to be changed.
pub(super) struct Access {
    pub(super) operator: Operator,
    pub(super) dry_run: bool,
}

/// Connects to the cluster of the lock that is configured here. Belongs into a runtime.
pub(super) fn connect(root: &Path, config: Option<&Path>, flags: Flags) -> Result<Access, Failed> {
    let config = load(root, config).map_err(|error| Failed::new(Exit::Configuration, error))?;
    let dry_run = flags.dry_run;
    let chosen = ConfigFlags {
        kubeconfig: flags.kubeconfig,
        context: flags.context,
        cluster: flags.cluster,
        user: flags.user,
        impersonate: flags.impersonate,
        impersonate_groups: flags.impersonate_groups,
        request_timeout: flags.request_timeout,
    };
    let operator = Operator::connect(&chosen, &config.lock).map_err(failed)?;
    Ok(Access { operator, dry_run })
}

impl Access {
    /// Reads the lock.
    pub(super) async fn read(&self) -> Result<LockView, Failed> {
        let view = self.operator.read_lock().await.map_err(failed)?;
        view.ok_or_else(|| {
            let name = self.operator.lock_label();
            Failed::new(
                Exit::Unavailable,
                anyhow!("there is no ConfigMap {name}: nothing is locked, and nobody reboots; lock.yaml makes it"),
            )
        })
    }

    /// Writes under a precondition, and returns the lock as it stands then. Decides anew when somebody else wrote meanwhile,
    /// and when no reply says whether it was done: a second write on the same version cannot be done twice.
    pub(super) async fn write(
        &self,
        decide: impl AsyncFn(&LockView) -> Result<LockPatch, Failed>,
    ) -> Result<LockView, Failed> {
        let mut last = None;
        for _ in 0..TRIES {
            let view = self.read().await?;
            let patch = decide(&view).await?;
            if patch.annotations.is_empty() {
                return Ok(view);
            }
            match self.operator.patch_lock(&patch, self.dry_run).await {
                WriteOutcome::Applied(view) => return Ok(view),
                WriteOutcome::Conflict => last = None,
                WriteOutcome::Refused(failure) => return Err(failed(failure)),
                WriteOutcome::Unknown(failure) => last = Some(failure),
            }
            tokio::time::sleep(BETWEEN).await;
        }
        Err(last.map_or_else(
            || {
                let why = "the lock changes all the time: try again";
                Failed::new(Exit::Unavailable, anyhow!(why))
            },
            |failure| Failed {
                exit: Exit::Unavailable,
                told: false,
                error: anyhow::Error::from(failure)
                    .context("no reply, so it may have been done: look, and repeat"),
            },
        ))
    }

    /// Added to what would have been done.
    pub(super) fn unless_dry(&self) -> &'static str {
        if self.dry_run {
            " (dry run: nothing was changed)"
        } else {
            ""
        }
    }
}

/// Who is in a turn, in words.
pub(super) fn holders(view: &LockView) -> String {
    let nodes: Vec<_> = view.slots().into_iter().map(|slot| slot.node).collect();
    if nodes.is_empty() {
        return "nobody is in a turn".to_owned();
    }
    let names = list(nodes.iter().map(String::as_str), SHOWN);
    format!("in a turn: {names}")
}

pub(super) fn failed(failure: Failure) -> Failed {
    let exit = match failure.kind {
        FailureKind::Unauthorized
        | FailureKind::Forbidden
        | FailureKind::Restricted
        | FailureKind::Policy => Exit::Permission,
        FailureKind::NotFound
        | FailureKind::Throttled
        | FailureKind::Invalid
        | FailureKind::Unavailable
        | FailureKind::Timeout
        | FailureKind::Local => Exit::Unavailable,
    };
    Failed::new(exit, failure)
}

/// A time as kubectl reads it: `90`, `1m30s`, `500ms`.
fn timeout(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|it: char| !it.is_ascii_digit() && it != '.');
        let (number, more) = rest.split_at(end.unwrap_or(rest.len()));
        let end = more.find(|it: char| it.is_ascii_digit());
        let (unit, more) = more.split_at(end.unwrap_or(more.len()));
        let scale = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err("a time is written like 30s, 1m30s or 500ms".to_owned()),
        };
        let part = number.parse::<f64>().map_err(|error| error.to_string())?;
        let part = Duration::try_from_secs_f64(part * scale).map_err(|error| error.to_string())?;
        total = total.saturating_add(part);
        rest = more;
    }
    if text.is_empty() {
        return Err("no time".to_owned());
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_kubectl_reads_it() {
        for (text, milliseconds) in [
            ("0", 0),
            ("7", 7_000),
            ("5s", 5_000),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("1.5h", 5_400_000),
            ("0s", 0),
        ] {
            assert_eq!(timeout(text), Ok(Duration::from_millis(milliseconds)));
        }
        for wrong in ["", "s", "5d", "-1", "-1s", "1,5s", "five", "5 s", "1..5s"] {
            assert!(timeout(wrong).is_err(), "{wrong:?}");
        }
    }
}
