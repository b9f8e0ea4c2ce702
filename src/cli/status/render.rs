//! The status for a person: one fact a line, what blocks with what to do about it.

use jiff::Timestamp;

use crate::cli::text::{list, moment, page, wrap};
use crate::config::Mode;
use crate::daemon::{SentinelStatus, StatusReport};
use crate::machine::{BlockedBy, Gate, HOLD_FILE, Label, LockStatus, Reboot, Status};

/// Packages that are named.
const PACKAGES: usize = 20;

/// The whole answer.
pub(super) fn render(report: &StatusReport, now: Timestamp) -> String {
    let machine = &report.machine;
    let mut lines = vec![format!(
        "{}: {} since {}",
        machine.node,
        label(machine.phase),
        moment(machine.since, now)
    )];
    lines.extend(what(machine, &report.sentinels, now));
    if machine.mode == Mode::Observe {
        lines.extend(wrap(
            "mode: ",
            "observe: it looks and reports, and never begins a turn",
        ));
    }
    for sentinel in &report.sentinels {
        lines.extend(of_sentinel(sentinel, now));
    }
    match &machine.lock {
        Some(lock) => lines.extend(of_lock(lock, now)),
        None => lines.push("lock: not read yet".to_owned()),
    }
    if let Some(kinds) = &machine.not_guarded {
        let text = format!("{kinds}, whose last ready pods only budgets keep; apply guard.yaml");
        lines.extend(wrap("not guarded: ", &text));
    }
    lines.extend(machine.reboots.iter().map(|reboot| of_reboot(reboot, now)));
    for problem in &report.problems {
        lines.extend(wrap("problem: ", problem));
    }
    page(lines)
}

/// What it does or waits for, what to do about that, and when it goes on by itself.
fn what(machine: &Status, sentinels: &[SentinelStatus], now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    let said_below = machine.blocked_by.first().is_some_and(|it| {
        machine
            .reason
            .starts_with(&format!("{}: {}", it.what, it.detail))
    });
    if !said_below {
        lines.extend(wrap("  ", &machine.reason));
    }
    for blocked in &machine.blocked_by {
        let text = format!("{} ({})", blocked.what, blocked.detail);
        lines.extend(wrap(
            &format!("  blocked by {}: ", name(&blocked.gate)),
            &text,
        ));
        let next = next(blocked, machine, sentinels);
        lines.extend(wrap("    > ", &next));
    }
    let blocked = |error: &str| machine.blocked_by.iter().any(|it| it.what == error);
    if let Some(failing) = &machine.failing
        && !blocked(&failing.error)
        && !machine.reason.contains(&failing.error)
    {
        lines.extend(wrap("  last error: ", &failing.error));
    }
    if let Some(retry_at) = machine.retry_at {
        lines.push(format!("  tried again at {}", moment(retry_at, now)));
    }
    lines
}

/// What a person can do about a closed gate, which may be nothing.
fn next(blocked: &BlockedBy, machine: &Status, sentinels: &[SentinelStatus]) -> String {
    let node = &machine.node;
    match blocked.gate {
        Gate::Settle | Gate::Undone => "nothing to do: it goes on by itself".into(),
        Gate::Mode => "set mode = \"reboot\", then: systemctl reload rollboot".into(),
        Gate::DailyLimit => "it goes on by itself; max-reboots-per-day sets the limit".into(),
        Gate::BackOff => {
            "it goes on by itself; what the turn failed of should be mended until then: rollboot check".into()
        }
        Gate::Latch => unlatch(sentinels),
        Gate::Logind => "systemctl status systemd-logind dbus".into(),
        Gate::Inhibitor => "wait for its holder, or end it: systemd-inhibit --list".into(),
        Gate::Node => "rollboot check; journalctl -u kubelet".into(),
        Gate::ForeignCordon => format!("if nobody works on it any more: kubectl uncordon {node}"),
        Gate::Configuration => "rollboot check; mend the file, then: systemctl reload rollboot".into(),
        Gate::Hold if blocked.detail == HOLD_FILE => "remove that file".into(),
        Gate::Hold => format!("kubectl annotate node {node} rollboot.io/hold-"),
        Gate::Window => "nothing to do: it goes on by itself; the tables [[window]] set the hours".into(),
        Gate::PackageManager => "nothing to do: it goes on when that is done".into(),
        Gate::Starting => "nothing to do: it goes on when the start is done; what hangs: systemctl list-jobs".into(),
        Gate::Pods => "delete or move these pods, or change the table [drain]; it is looked at every minute".into(),
        Gate::Volumes => {
            "nothing to do: it goes on after drain.volumes-timeout at the latest; kubectl get volumeattachments".into()
        }
        Gate::BlockingPods => "nothing to do: it goes on when they are done; the tables [[gate.pods]] select them".into(),
        Gate::Nodes => "mend or delete these nodes: kubectl get nodes; the table [gate.nodes] sets the limit".into(),
        Gate::Lock => {
            "nothing to do: it waits for its turn; a holder that will not come back: rollboot unlock NODE".into()
        }
        Gate::Pause => "to go on: rollboot resume, with an operator's kubeconfig".into(),
        Gate::LockRecreated => "only an operator goes on, with the command above".into(),
        Gate::NotArmed => "kubectl apply -f /usr/share/rollboot/kubernetes/lock.yaml".into(),
        Gate::Journal => "df -h /var/lib/rollboot; no turn begins that cannot be recorded".into(),
        Gate::Api => "it is tried again by itself; rollboot check says more".into(),
    }
}

/// A sentinel that is written anew is a new request.
fn unlatch(sentinels: &[SentinelStatus]) -> String {
    let present: Vec<_> = sentinels
        .iter()
        .filter(|sentinel| sentinel.present)
        .map(|sentinel| sentinel.path.as_str())
        .collect();
    if present.is_empty() {
        return "a new sentinel goes on".to_owned();
    }
    let paths = present.join(" ");
    format!("to reboot all the same: touch {paths}; to be done with it: rm {paths}")
}

fn of_sentinel(sentinel: &SentinelStatus, now: Timestamp) -> Vec<String> {
    let state = match (sentinel.present, sentinel.since) {
        (true, Some(since)) => format!("asks for a reboot since {}", moment(since, now)),
        (true, None) => "asks for a reboot".to_owned(),
        (false, _) => "not there".to_owned(),
    };
    let mut lines = vec![format!("sentinel {}: {state}", sentinel.path)];
    if !sentinel.packages.is_empty() {
        let packages = list(sentinel.packages.iter().map(String::as_str), PACKAGES);
        lines.extend(wrap("  because of ", &packages));
    }
    lines
}

fn of_lock(lock: &LockStatus, now: Timestamp) -> Vec<String> {
    let held = match lock.holders.len() {
        0 => ", nobody is in a turn".to_owned(),
        count => format!(", {count} in a turn"),
    };
    let mut lines = vec![format!(
        "lock: group {} may have {} at once, {} in all{held}",
        lock.group, lock.max, lock.max_total
    )];
    for holder in &lock.holders {
        let since = holder.since.as_deref().map(|since| {
            // Whatever stands there, it is shown; a time also with its age.
            let age = since.parse().map(|at| moment(at, now));
            format!(" since {}", age.unwrap_or_else(|_| since.to_owned()))
        });
        lines.push(format!(
            "  {} ({}){}",
            holder.node,
            holder.group,
            since.unwrap_or_default()
        ));
    }
    if let Some(pause) = &lock.pause {
        lines.extend(wrap("  paused: ", pause));
    }
    lines
}

fn of_reboot(reboot: &Reboot, now: Timestamp) -> String {
    let what = if reboot.booted {
        "rebooted"
    } else {
        "a reboot was asked for, and has not happened in this boot"
    };
    let sentinels = list(reboot.sentinels.iter().map(String::as_str), 3);
    let sentinels = if sentinels.is_empty() {
        String::new()
    } else {
        format!(" for {sentinels}")
    };
    format!("{what}{sentinels}: {}", moment(reboot.at, now))
}

fn label(label: Label) -> String {
    name(&label)
}

/// The name that something has in JSON.
fn name(of: &impl serde::Serialize) -> String {
    serde_json::to_value(of)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::text::WIDTH;

    fn report(json: &str) -> StatusReport {
        serde_json::from_str(json).unwrap()
    }

    fn now() -> Timestamp {
        "2026-01-01T01:00:00Z".parse().unwrap()
    }

    const OLD: &str = r#"{"pid":1,"node":"a","phase":"idle","since":"2026-01-01T00:00:00Z","reason":"no reboot is asked for",
        "blocked_by":[],"retry_at":null,"sentinels":[],"lock":null}"#;

    #[test]
    fn a_file_of_the_first_version_is_read() {
        let text = render(&report(OLD), now());
        assert_eq!(
            text,
            "a: idle since 2026-01-01T00:00:00Z (1 h ago)\n  no reboot is asked for\nlock: not read yet"
        );
    }

    #[test]
    fn everything_that_is_known_is_shown() {
        let full = r#"{"pid":1,"node":"a","phase":"latched","since":"2026-01-01T00:00:00Z","reason":"why: how",
            "blocked_by":[{"gate":"latch","what":"why","detail":"how"}],"retry_at":"2026-01-01T01:01:00Z","mode":"observe",
            "failing":{"error":"no route"},
            "sentinels":[{"path":"/run/x","present":true,"since":"2026-01-01T00:59:00Z","packages":["linux","dbus"]},
                         {"path":"/run/y","present":false,"since":null,"packages":[]}],
            "lock":{"group":"default","max":2,"max_total":3,"pause":"storage",
                "holders":[{"node":"a","group":"default","since":"2026-01-01T00:00:00Z"},{"node":"b","group":"gpu","since":null}]},
            "reboots":[{"at":"2025-12-31T01:00:00Z","sentinels":["/run/x"],"booted":true},
                       {"at":"2025-12-30T01:00:00Z","sentinels":[],"booted":false}],
            "problems":["/run/z is a folder"]}"#;
        let text = render(&report(full), now());
        let expected = [
            "a: latched since 2026-01-01T00:00:00Z (1 h ago)",
            "  blocked by latch: why (how)",
            "    > to reboot all the same: touch /run/x; to be done with it: rm /run/x",
            "  last error: no route",
            "  tried again at 2026-01-01T01:01:00Z (in 1 min)",
            "mode: observe: it looks and reports, and never begins a turn",
            "sentinel /run/x: asks for a reboot since 2026-01-01T00:59:00Z (1 min ago)",
            "  because of linux, dbus",
            "sentinel /run/y: not there",
            "lock: group default may have 2 at once, 3 in all, 2 in a turn",
            "  a (default) since 2026-01-01T00:00:00Z (1 h ago)",
            "  b (gpu)",
            "  paused: storage",
            "rebooted for /run/x: 2025-12-31T01:00:00Z (1 day ago)",
            "a reboot was asked for, and has not happened in this boot: 2025-12-30T01:00:00Z (2 days ago)",
            "problem: /run/z is a folder",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_gate_has_a_next_step_and_no_line_is_too_long() {
        let gates = [
            Gate::Settle,
            Gate::Configuration,
            Gate::Mode,
            Gate::DailyLimit,
            Gate::BackOff,
            Gate::Undone,
            Gate::Latch,
            Gate::Logind,
            Gate::Inhibitor,
            Gate::Node,
            Gate::ForeignCordon,
            Gate::Hold,
            Gate::Starting,
            Gate::Pods,
            Gate::Lock,
            Gate::Pause,
            Gate::LockRecreated,
            Gate::NotArmed,
            Gate::Journal,
            Gate::Api,
        ];
        for gate in gates {
            let mut report = report(OLD);
            report.machine.blocked_by.push(BlockedBy {
                gate,
                what: "something ".repeat(30),
                detail: "and ".repeat(20),
            });
            let text = render(&report, now());
            assert!(text.contains("    > "), "{gate:?}");
            assert!(
                text.lines().all(|line| line.chars().count() <= WIDTH),
                "{text}"
            );
        }
    }
}
