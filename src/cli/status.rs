//! `rollboot status`: what the daemon last said about this node. Reads a file, asks nobody.

use std::io::ErrorKind;
use std::path::Path;

use super::{Exit, Failed, say};
use crate::daemon::{STATUS_FILE, StatusReport};
use crate::host::Root;

pub(super) fn status(root: &Path, json: bool) -> Result<Exit, Failed> {
    let path = Root::new(root).join(STATUS_FILE);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let exit = if error.kind() == ErrorKind::PermissionDenied {
            Exit::Permission
        } else {
            Exit::Unavailable
        };
        let why = format!(
            "cannot read {}; does the service run? systemctl status rollboot",
            path.display()
        );
        Failed::new(exit, anyhow::Error::new(error).context(why))
    })?;
    let report: StatusReport = serde_json::from_str(&text).map_err(|error| {
        let why = format!(
            "{} is not what this version writes; was the service restarted after the upgrade?",
            path.display()
        );
        Failed::new(Exit::Unavailable, anyhow::Error::new(error).context(why))
    })?;
    if json {
        say(text.trim_end());
    } else {
        say(&render(&report));
    }
    if Root::new(root)
        .join(format!("/proc/{}", report.pid))
        .exists()
    {
        Ok(Exit::Ok)
    } else {
        let why = "the daemon is not running, this is its last word: systemctl status rollboot";
        Err(Failed::new(Exit::Unavailable, anyhow::anyhow!(why)))
    }
}

/// The status for a person: one fact a line, what blocks with what to do about it.
fn render(report: &StatusReport) -> String {
    let machine = &report.machine;
    let mut lines = vec![format!(
        "{}: {} since {}",
        machine.node,
        label(machine.phase),
        machine.since
    )];
    lines.push(format!("  {}", machine.reason));
    for blocked in &machine.blocked_by {
        let gate = serde_json::to_value(blocked.gate).unwrap_or_default();
        let gate = gate.as_str().unwrap_or_default();
        lines.push(format!(
            "  blocked by {gate}: {} ({})",
            blocked.what, blocked.detail
        ));
    }
    if let Some(retry_at) = machine.retry_at {
        lines.push(format!("  next attempt at {retry_at}"));
    }
    for sentinel in &report.sentinels {
        let since = sentinel.since.map(|since| format!(" since {since}"));
        let state = if sentinel.present {
            "asks for a reboot"
        } else {
            "not there"
        };
        lines.push(format!(
            "sentinel {}: {state}{}",
            sentinel.path,
            since.unwrap_or_default()
        ));
        if !sentinel.packages.is_empty() {
            lines.push(format!("  because of {}", sentinel.packages.join(", ")));
        }
    }
    match &machine.lock {
        Some(lock) => {
            lines.push(format!(
                "lock: group {} may have {} at once, {} in all",
                lock.group, lock.max, lock.max_total
            ));
            for holder in &lock.holders {
                let since = holder.since.as_ref().map(|since| format!(" since {since}"));
                lines.push(format!(
                    "  {} ({}){}",
                    holder.node,
                    holder.group,
                    since.unwrap_or_default()
                ));
            }
            if let Some(pause) = &lock.pause {
                lines.push(format!("  paused: {pause}"));
            }
        }
        None => lines.push("lock: not read yet".to_owned()),
    }
    if let Some(kinds) = &machine.not_guarded {
        lines.push(format!(
            "not guarded: {kinds}, whose last ready pods only budgets keep; apply guard.yaml"
        ));
    }
    for problem in &report.problems {
        lines.push(format!("problem: {problem}"));
    }
    lines.join("\n")
}

fn label(label: crate::machine::Label) -> String {
    serde_json::to_value(label)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}
