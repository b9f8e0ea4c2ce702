//! `rollboot unlock NODE`: an operator frees the slot of a node that will not do it itself.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::{Exit, Failed, runtime, say};
use crate::cluster::KubeletCluster;
use crate::config::Config;
use crate::config::load::load;
use crate::failure::{Failure, FailureKind, WriteOutcome};
use crate::lock::{LockPatch, LockView};
use crate::node::{NodePatch, NodeView};
use crate::ports::Cluster;

/// A holder asks logind at most 5 s after it last read the lock; with the entry revoked for longer, it will not ask any more.
const REVOKED: Duration = Duration::from_secs(10);
/// A conflict means that somebody else wrote; so often in a row means that something is wrong.
const TRIES: u8 = 5;

/// What the command line says.
#[derive(Debug)]
pub(super) struct Unlock {
    pub(super) node: String,
    pub(super) force: bool,
    pub(super) uncordon: bool,
    pub(super) kubeconfig: Option<PathBuf>,
}

pub(super) fn unlock(root: &Path, config: Option<&Path>, ask: &Unlock) -> Result<Exit, Failed> {
    let mut config = load(root, config).map_err(|error| Failed::new(Exit::Configuration, error))?;
    config.kubeconfig = Some(operators_kubeconfig(ask.kubeconfig.clone())?);
    config.node_name = Some(ask.node.clone());
    let cluster = KubeletCluster::discover(&config, Path::new("/")).map_err(failed)?;
    runtime()?.block_on(async {
        let node = cluster.read_node().await.map_err(failed)?;
        let held = read(&cluster, &config).await?.own_keys(&ask.node);
        if held.is_empty() {
            say(&format!("{} holds no slot", ask.node));
        } else if node.is_some() && !ask.force {
            say(&format!(
                "{} holds a slot and its Node exists, so it may be rebooting right now.\n\
                 Make sure that it is neither draining nor on its way down, then repeat with --force.",
                ask.node
            ));
            return Ok(Exit::No);
        } else {
            free(&cluster, &config, ask).await?;
            say(&format!("the slot of {} is free", ask.node));
        }
        match node {
            Some(node) => lift_cordon(&cluster, &node, ask).await,
            None => Ok(Exit::Ok),
        }
    })
}

/// The operator's kubeconfig: as named, else as kubectl finds it, else kubeadm's.
fn operators_kubeconfig(named: Option<PathBuf>) -> Result<PathBuf, Failed> {
    let places = [
        std::env::var_os("KUBECONFIG").map(PathBuf::from),
        std::env::var_os("HOME").map(|home| Path::new(&home).join(".kube/config")),
        Some("/etc/kubernetes/admin.conf".into()),
    ];
    let found = named.or_else(|| places.into_iter().flatten().find(|path| path.is_file()));
    let path = found.ok_or_else(|| {
        Failed::new(
            Exit::Unavailable,
            anyhow!("no kubeconfig of an operator: name one with --kubeconfig FILE"),
        )
    })?;
    std::path::absolute(&path).map_err(|error| Failed::new(Exit::Unavailable, error))
}

/// First the entry is revoked, so that a holder that is about to ask for its reboot sees it, then the slot is freed.
async fn free(cluster: &KubeletCluster, config: &Config, ask: &Unlock) -> Result<(), Failed> {
    let revoked = |view: &LockView| LockPatch {
        version: view.version.clone(),
        annotations: view
            .own_keys(&ask.node)
            .into_iter()
            .map(|key| (key, Some(r#"{"revoked":true}"#.to_owned())))
            .collect(),
    };
    write(cluster, config, revoked).await?;
    say(&format!(
        "revoked; waiting {} s for a holder that might be about to ask for its reboot",
        REVOKED.as_secs()
    ));
    tokio::time::sleep(REVOKED).await;
    write(cluster, config, |view| {
        view.patch(None, &view.own_keys(&ask.node))
    })
    .await
}

async fn read(cluster: &KubeletCluster, config: &Config) -> Result<LockView, Failed> {
    let view = cluster.read_lock().await.map_err(failed)?;
    let name = format!("{}/{}", config.lock.namespace, config.lock.name);
    view.ok_or_else(|| {
        Failed::new(
            Exit::Unavailable,
            anyhow!("there is no ConfigMap {name}: nothing is locked"),
        )
    })
}

/// Writes under a precondition; decides anew when somebody else wrote meanwhile. An empty patch is done already.
async fn write(
    cluster: &KubeletCluster,
    config: &Config,
    decide: impl Fn(&LockView) -> LockPatch,
) -> Result<(), Failed> {
    for _ in 0..TRIES {
        let patch = decide(&read(cluster, config).await?);
        if patch.annotations.is_empty() {
            return Ok(());
        }
        match cluster.patch_lock(&patch).await {
            WriteOutcome::Applied(_) => return Ok(()),
            WriteOutcome::Conflict => {}
            WriteOutcome::Refused(failure) => return Err(failed(failure)),
            WriteOutcome::Unknown(failure) => {
                return Err(failed(failure)).map_err(|failed| Failed {
                    error: failed
                        .error
                        .context("no reply, so it may have been done: look, and repeat"),
                    ..failed
                });
            }
        }
    }
    Err(Failed::new(
        Exit::Unavailable,
        anyhow!("the lock changes all the time: try again"),
    ))
}

/// Offers to take away what a turn has left on the Node: its cordon, and what it told autoscalers.
async fn lift_cordon(
    cluster: &KubeletCluster,
    node: &NodeView,
    ask: &Unlock,
) -> Result<Exit, Failed> {
    // The version that was read: a daemon that has begun to clean up by itself is not disturbed.
    let turn = node.parsed_marker().map(|marker| marker.turn);
    let Some(patch) = NodePatch::clean(node, turn).filter(|_| turn.is_some()) else {
        return Ok(Exit::Ok);
    };
    let name = &ask.node;
    let (question, done) = if patch.unschedulable.is_some() {
        (
            format!("lift the cordon that rollboot set on {name}?"),
            format!("{name} is schedulable again"),
        )
    } else if patch.hands_off.is_empty() {
        return Ok(Exit::Ok);
    } else {
        (
            format!("let autoscalers have {name} again, from which rollboot keeps them off?"),
            format!("autoscalers may have {name} again"),
        )
    };
    if !(ask.uncordon || confirmed(&question)?) {
        return Ok(Exit::Ok);
    }
    match cluster.patch_node(&patch).await {
        WriteOutcome::Applied(_) => {
            say(&done);
            Ok(Exit::Ok)
        }
        WriteOutcome::Conflict => {
            say("the Node has changed meanwhile: look, and repeat if it is still cordoned");
            Ok(Exit::No)
        }
        WriteOutcome::Refused(failure) | WriteOutcome::Unknown(failure) => Err(failed(failure)),
    }
}

/// Asks the person at the terminal. Nobody there: no.
fn confirmed(question: &str) -> Result<bool, Failed> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        say("its Node stays as it is; --uncordon says yes to that");
        return Ok(false);
    }
    let mut answer = String::new();
    write!(std::io::stdout(), "{question} [y/N] ")
        .and_then(|()| std::io::stdout().flush())
        .and_then(|()| stdin.lock().read_line(&mut answer))
        .context("cannot ask")
        .map_err(|error| Failed::new(Exit::Unavailable, error))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn failed(failure: Failure) -> Failed {
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
