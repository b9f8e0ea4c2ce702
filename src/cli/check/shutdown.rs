//! logind: whether it would reboot, who holds it up, and whether the kubelet gets the time that it wants.

use std::time::Duration;

use jiff::SignedDuration;

use super::finding::{Finding, fail, failed_here, not_permitted, ok, warn};
use crate::cli::text::span;
use crate::config::DrainMode;
use crate::failure::{Failure, FailureKind};
use crate::host::{GracePeriod, ShutdownDelay, is_root};
use crate::machine::{Gate, host_gates, start_gate};
use crate::ports::HostGates;

const LOGIND: &str = "logind";
const INHIBITORS: &str = "inhibitors";
const GRACEFUL: &str = "graceful shutdown";
/// Who the kubelet says that it is when it delays a shutdown (`pkg/kubelet/nodeshutdown/systemd/inhibit_linux.go`).
const KUBELET: &str = "kubelet";
const LIMITS: &str = "systemd-analyze cat-config systemd/logind.conf | grep InhibitDelayMaxSec";

/// Whether logind would do it now.
pub(super) fn logind(gates: &Result<HostGates, Failure>) -> Vec<Finding> {
    let gates_of_host = match gates {
        Err(failure) => {
            let advice = "systemctl status systemd-logind dbus";
            return vec![if failure.kind == FailureKind::Forbidden {
                failed_here(LOGIND, failure, advice)
            } else {
                fail(LOGIND, failure, advice)
            }];
        }
        Ok(gates) => gates,
    };
    let closed = host_gates(gates);
    let of = |gate: Gate| closed.iter().find(|blocked| blocked.gate == gate).cloned();
    let inhibitors = match of(Gate::Inhibitor) {
        Some(gate) => fail(INHIBITORS, gate.what, gate.detail),
        None => ok(INHIBITORS, "nobody blocks a shutdown"),
    };
    let logind = match of(Gate::Logind) {
        None => ok(LOGIND, "would reboot this host"),
        // What it says is about the caller.
        Some(gate) if !is_root() => not_permitted(LOGIND, gate.what),
        Some(gate) => fail(
            LOGIND,
            gate.what,
            "is reboot.target masked? systemctl status reboot.target",
        ),
    };
    let mut findings = vec![logind, inhibitors];
    if let Some(gate) = of(Gate::Hold) {
        findings.push(fail("hold", gate.what, "remove that file"));
    }
    // It passes by itself.
    if let Some(at_work) = &gates_of_host.package_manager {
        findings.push(warn("packages", at_work, "no turn begins until it is done"));
    }
    if let Some(gate) = start_gate(gates) {
        findings.push(warn("boot", gate.what, gate.detail));
    }
    findings
}

/// Whether a shutdown waits for the kubelet as long as it wants. What neither logind nor the file says is not guessed.
pub(super) fn graceful(delay: &ShutdownDelay, wanted: &GracePeriod, drain: DrainMode) -> Finding {
    let held = delay.inhibitors.iter().any(|lock| lock.who == KUBELET);
    let max = text(delay.max);
    match (held, wanted) {
        (true, GracePeriod::Wants(wanted)) if *wanted > delay.max => warn(
            GRACEFUL,
            format!(
                "the kubelet wants {} to end what is left on the node, logind waits {max}",
                text(*wanted)
            ),
            format!("who sets the lower limit? {LIMITS}"),
        ),
        (true, GracePeriod::Wants(wanted)) => ok(
            GRACEFUL,
            format!(
                "the kubelet delays a shutdown and wants {}, logind waits up to {max}",
                text(*wanted)
            ),
        ),
        (true, GracePeriod::Unset) => warn(
            GRACEFUL,
            format!(
                "the kubelet delays a shutdown by up to {max}, although its configuration file sets no time"
            ),
            "was the kubelet restarted since that file was changed?",
        ),
        (true, GracePeriod::Unknown(why)) => ok(
            GRACEFUL,
            format!(
                "the kubelet delays a shutdown, logind waits up to {max}; how long it needs cannot be told ({why})"
            ),
        ),
        (false, GracePeriod::Wants(wanted)) => warn(
            GRACEFUL,
            format!(
                "the kubelet is configured to delay a shutdown by {}, and does not: logind waits {max} at most",
                text(*wanted)
            ),
            format!("does the kubelet run? it gives up where logind's limit stays lower: {LIMITS}"),
        ),
        (false, GracePeriod::Unset | GracePeriod::Unknown(_)) => no_delay(drain),
    }
}

fn no_delay(drain: DrainMode) -> Finding {
    match drain {
        DrainMode::Evict => ok(
            GRACEFUL,
            "the kubelet does not delay a shutdown; pods are evicted before, only static and DaemonSet pods are left",
        ),
        DrainMode::None => warn(
            GRACEFUL,
            "the kubelet does not delay a shutdown, and drain.mode = \"none\" leaves the pods to it: they are cut off",
            "set shutdownGracePeriod for the kubelet, or drain.mode = \"evict\"",
        ),
    }
}

fn text(length: Duration) -> String {
    SignedDuration::try_from(length).map_or_else(|_| "for ever".to_owned(), span)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;
    use crate::ports::Inhibitor;

    fn delay(max: u64, who: &[&str]) -> ShutdownDelay {
        ShutdownDelay {
            max: Duration::from_secs(max),
            inhibitors: who
                .iter()
                .map(|who| Inhibitor {
                    who: (*who).to_owned(),
                    why: "why".into(),
                    pid: 7,
                })
                .collect(),
        }
    }

    #[test]
    fn the_kubelet_gets_its_time_or_it_is_said_that_it_does_not() {
        let wants = |seconds| GracePeriod::Wants(Duration::from_secs(seconds));
        let unknown = || GracePeriod::Unknown("no file".into());
        for (delay, wanted, drain, verdict, said) in [
            (
                delay(30, &["kubelet"]),
                wants(30),
                DrainMode::Evict,
                Verdict::Ok,
                "up to 30 s",
            ),
            (
                delay(30, &["kubelet"]),
                wants(31),
                DrainMode::Evict,
                Verdict::Warn,
                "wants 31 s",
            ),
            (
                delay(5, &["kubelet"]),
                unknown(),
                DrainMode::Evict,
                Verdict::Ok,
                "cannot be told (no file)",
            ),
            (
                delay(5, &["kubelet"]),
                GracePeriod::Unset,
                DrainMode::Evict,
                Verdict::Warn,
                "sets no time",
            ),
            (
                delay(5, &["other"]),
                wants(30),
                DrainMode::Evict,
                Verdict::Warn,
                "and does not",
            ),
            (
                delay(5, &[]),
                GracePeriod::Unset,
                DrainMode::Evict,
                Verdict::Ok,
                "does not delay",
            ),
            (
                delay(5, &[]),
                unknown(),
                DrainMode::Evict,
                Verdict::Ok,
                "does not delay",
            ),
            (
                delay(5, &[]),
                GracePeriod::Unset,
                DrainMode::None,
                Verdict::Warn,
                "cut off",
            ),
        ] {
            let found = graceful(&delay, &wanted, drain);
            assert_eq!(found.result, verdict, "{found:?}");
            assert!(found.found.contains(said), "{found:?}");
        }
    }

    #[test]
    fn a_block_inhibitor_and_an_unwilling_logind_are_two_things() {
        let gates = |can: &str, inhibitors| HostGates {
            can_reboot: can.into(),
            inhibitors,
            ..HostGates::default()
        };
        let found = logind(&Ok(gates("yes", Vec::new())));
        assert!(found.iter().all(|it| it.result == Verdict::Ok), "{found:?}");
        let found = logind(&Ok(gates("yes", delay(0, &["apt"]).inhibitors)));
        assert_eq!(found[0].result, Verdict::Ok);
        assert!(found[1].result == Verdict::Fail && found[1].found.contains("apt (pid 7)"));
        let found = logind(&Ok(gates("na", Vec::new())));
        assert_eq!(
            (found[0].result, found[1].result),
            (Verdict::Fail, Verdict::Ok)
        );
        assert!(found[0].found.contains("\"na\""));
        let failure = Failure::new(FailureKind::Unavailable, "no bus");
        assert_eq!(logind(&Err(failure)).len(), 1);
    }
}
