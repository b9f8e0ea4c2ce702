//! `rollboot check`: could this node reboot, and if not, why. Asks what the daemon asks, the way it asks.

use std::path::Path;

use serde::Serialize;

use super::{Exit, Failed, runtime, say};
use crate::cluster::KubeletCluster;
use crate::config::Config;
use crate::config::load::load;
use crate::failure::FailureKind;
use crate::host::{LocalHost, Root, boot};
use crate::lock::Limits;
use crate::ports::{Cluster, Host};

/// What one look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    /// It works, and is worth knowing.
    Warn,
    /// No reboot is possible.
    Fail,
}

#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    result: Verdict,
    found: String,
    advice: String,
}

#[derive(Debug, Serialize)]
struct Report {
    ready: bool,
    findings: Vec<Finding>,
}

pub(super) fn check(root: &Path, config: Option<&Path>, json: bool) -> Result<Exit, Failed> {
    let config = load(root, config).map_err(|error| Failed::new(Exit::Configuration, error))?;
    let findings = runtime()?.block_on(look(root, &config));
    let ready = findings
        .iter()
        .all(|finding| finding.result != Verdict::Fail);
    let report = Report { ready, findings };
    if json {
        say(&serde_json::to_string(&report).unwrap_or_default());
    } else {
        for finding in &report.findings {
            let mark = match finding.result {
                Verdict::Ok => "ok  ",
                Verdict::Warn => "warn",
                Verdict::Fail => "FAIL",
            };
            say(&format!("{mark}  {}: {}", finding.check, finding.found));
            if !finding.advice.is_empty() {
                say(&format!("      {}", finding.advice));
            }
        }
    }
    Ok(if ready { Exit::Ok } else { Exit::No })
}

async fn look(root: &Path, config: &Config) -> Vec<Finding> {
    let mut findings = vec![ok("configuration", "can be used")];
    let host = LocalHost::new(Root::new(root), config.sentinels.clone());
    findings.extend(sentinels(&host));
    findings.push(journal(&host));
    findings.push(logind(&host).await);
    match KubeletCluster::discover(config, root) {
        Err(failure) => findings.push(fail(
            "kubeconfig",
            &failure,
            "has this host joined a cluster? set `kubeconfig` if it is elsewhere",
        )),
        Ok(cluster) => {
            findings.push(ok(
                "kubeconfig",
                format!(
                    "{}, node {}",
                    cluster.kubeconfig().display(),
                    cluster.node()
                ),
            ));
            findings.push(node(&cluster, &host).await);
            findings.push(pods(&cluster).await);
            findings.push(lock(&cluster, config).await);
        }
    }
    findings
}

fn ok(check: &'static str, found: impl Into<String>) -> Finding {
    Finding {
        check,
        result: Verdict::Ok,
        found: found.into(),
        advice: String::new(),
    }
}

fn warn(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding {
        check,
        result: Verdict::Warn,
        found: found.into(),
        advice: advice.into(),
    }
}

fn fail(check: &'static str, found: impl std::fmt::Display, advice: impl Into<String>) -> Finding {
    Finding {
        check,
        result: Verdict::Fail,
        found: found.to_string(),
        advice: advice.into(),
    }
}

fn sentinels(host: &LocalHost) -> Vec<Finding> {
    let reading = host.read_sentinels();
    let problem = |problem: &String| {
        warn(
            "sentinels",
            problem,
            "nothing reboots because of it; remove it",
        )
    };
    let mut findings: Vec<_> = reading.problems.iter().map(problem).collect();
    let paths: Vec<_> = reading
        .requests
        .iter()
        .map(|request| request.path.as_str())
        .collect();
    findings.push(if paths.is_empty() {
        ok("sentinels", "no reboot is asked for")
    } else {
        ok(
            "sentinels",
            format!("a reboot is asked for by {}", paths.join(", ")),
        )
    });
    findings
}

fn journal(host: &LocalHost) -> Finding {
    match host.journal().read() {
        Err(error) => fail("state folder", error, "is this run as root?"),
        Ok(journal) if journal.turn.is_some() => warn(
            "state folder",
            "a turn of this node is recorded",
            "rollboot status tells how far it is",
        ),
        Ok(_) => ok("state folder", "can be read"),
    }
}

async fn logind(host: &LocalHost) -> Finding {
    match host.gates().await {
        Err(failure) => fail("logind", failure, "systemctl status systemd-logind dbus"),
        Ok(gates) if !gates.inhibitors.is_empty() => {
            let who: Vec<_> = gates
                .inhibitors
                .iter()
                .map(|lock| lock.who.as_str())
                .collect();
            fail(
                "logind",
                format!("a block inhibitor is held by {}", who.join(", ")),
                "systemd-inhibit --list",
            )
        }
        Ok(gates) if gates.can_reboot != "yes" => fail(
            "logind",
            format!("CanReboot says {:?}", gates.can_reboot),
            "run this as root",
        ),
        Ok(_) => ok("logind", "would reboot this host"),
    }
}

async fn node(cluster: &KubeletCluster, host: &LocalHost) -> Finding {
    let boot_id = boot::boot_id(host.root()).unwrap_or_default();
    match cluster.read_node().await {
        Err(failure) => fail(
            "own Node",
            failure,
            "is this the kubelet's kubeconfig of this very host?",
        ),
        Ok(None) => fail(
            "own Node",
            format!("there is no Node {}", cluster.node()),
            "set `node-name` if the kubelet uses another one",
        ),
        Ok(Some(node)) if node.boot_id != boot_id => fail(
            "own Node",
            format!(
                "it reports boot ID {}, this host's is {boot_id}",
                node.boot_id
            ),
            "the kubelet has not reported since the boot, or the kubeconfig is another machine's",
        ),
        Ok(Some(node)) if node.hold.is_some() => fail(
            "own Node",
            "an operator holds it",
            "kubectl annotate node NAME rollboot.io/hold-",
        ),
        Ok(Some(node)) if node.unschedulable && node.marker.is_none() => warn(
            "own Node",
            "somebody else has cordoned it",
            "it waits, unless drain.foreign-cordon = \"proceed\"",
        ),
        Ok(Some(_)) => ok("own Node", "exists, and is this host"),
    }
}

async fn pods(cluster: &KubeletCluster) -> Finding {
    match cluster.list_pods().await {
        Err(failure) => fail(
            "own pods",
            failure,
            "the kubelet's credential may list the pods of its node",
        ),
        Ok(pods) => ok("own pods", format!("{} can be listed", pods.len())),
    }
}

async fn lock(cluster: &KubeletCluster, config: &Config) -> Finding {
    let arm = "kubectl apply -f /usr/share/rollboot/kubernetes/lock.yaml";
    match cluster.read_lock().await {
        Err(failure) if failure.kind == FailureKind::Forbidden => fail("lock", failure, arm),
        Err(failure) => fail("lock", failure, "the API server must answer"),
        Ok(None) => fail(
            "lock",
            format!(
                "there is no ConfigMap {}/{}",
                config.lock.namespace, config.lock.name
            ),
            arm,
        ),
        Ok(Some(view)) => {
            let limits = Limits::read(&view.data, &config.lock.group);
            let slots = view.slots();
            let holders: Vec<_> = slots.iter().map(|slot| slot.node.as_str()).collect();
            if let Some(reason) = view.pause() {
                warn(
                    "lock",
                    format!("turns are paused: {reason}"),
                    "nobody begins a turn until the annotation rollboot.io/pause is gone",
                )
            } else if limits.group == 0 || limits.total == 0 {
                fail(
                    "lock",
                    format!("group {} has no slots", config.lock.group),
                    "set max.GROUP and max.total in its data",
                )
            } else if holders.is_empty() {
                ok(
                    "lock",
                    format!(
                        "{} of group {}, {} in all may go at once; nobody does",
                        limits.group, config.lock.group, limits.total
                    ),
                )
            } else {
                ok("lock", format!("the turn of {}", holders.join(", ")))
            }
        }
    }
}
