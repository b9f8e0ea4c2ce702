//! What closes a gate: each is judged from what was just read, the same way wherever it is looked at.

use super::gate::{Blocked, Gate};
use crate::config::{Config, ForeignCordon, PodGate};
use crate::drain::PodView;
use crate::failure::{Failure, FailureKind};
use crate::lock::{CONTROL_PLANE, LockView, Noted};
use crate::node::{NodeView, NodesView};
use crate::reboot::{HostGates, Start};

/// Of a text that makes no sense so much is shown.
const SHOWN: usize = 40;
/// Of many pods or nodes so many are named.
const NAMED: usize = 3;
/// Seconds for which a host may be starting. Some never finish, by a job that waits for ever, and want their reboots all the same.
const STARTING: u64 = 3600;
/// The detail of [`Gate::Hold`] where a file holds the node, and no annotation.
pub const HOLD_FILE: &str = "it waits while that file exists";

/// Why no turn may begin on this Node: all that it shows. `boot_id` is the one of the running kernel.
pub fn node_gates(config: &Config, boot_id: &str, node: &NodeView) -> Vec<Blocked> {
    if node.boot_id != boot_id {
        // Nothing else that it says is about this host.
        return vec![Blocked::new(
            Gate::Node,
            "the Node reports another boot ID than this host's",
            "the kubelet has not reported since the boot, or this kubeconfig is another machine's",
        )];
    }
    let mut closed = Vec::new();
    if node.deleting {
        closed.push(Blocked::new(
            Gate::Node,
            "the Node is being deleted",
            "no turn for it",
        ));
    }
    if let Some(reason) = &node.hold {
        closed.push(Blocked::new(
            Gate::Hold,
            format!("held by an operator: {reason}"),
            "annotation rollboot.io/hold",
        ));
    }
    if !node.ready.ready {
        // It could not prove afterwards that it is healthy, and would stop the roll.
        closed.push(Blocked::new(
            Gate::Node,
            format!("the Node is not Ready: {}", node.ready.message),
            "no turn begins until it is: see journalctl -u kubelet; if a reboot is the cure, reboot it by hand",
        ));
    }
    if node.unschedulable && config.drain.foreign_cordon == ForeignCordon::Wait {
        closed.push(Blocked::new(
            Gate::ForeignCordon,
            "somebody else has cordoned this node",
            "kubectl uncordon it, or set drain.foreign-cordon = \"proceed\"",
        ));
    }
    closed
}

/// Why no turn may begin while these pods are here: all the gates that they keep closed.
pub fn blocking_pods_gates(config: &Config, pods: &[PodView]) -> Vec<Blocked> {
    let closed = config.gates.pods.iter().filter_map(|gate| {
        let here: Vec<_> = pods
            .iter()
            .filter(|pod| is_waited_for(gate, pod))
            .map(|pod| pod.pod.to_string())
            .collect();
        (!here.is_empty()).then(|| {
            Blocked::new(
                Gate::BlockingPods,
                format!("{} is here and matches {}", named(&here), gate.selector),
                "[[gate.pods]]: no turn until it is finished or gone",
            )
        })
    });
    closed.collect()
}

/// Whether a gate waits for this pod.
pub fn is_waited_for(gate: &PodGate, pod: &PodView) -> bool {
    let namespace = gate.namespace.as_ref();
    !pod.finished
        && namespace.is_none_or(|namespace| *namespace == pod.pod.namespace)
        && gate.selector.matches(|key| pod.labels.get(key))
}

/// Why no turn may begin with the other nodes as they are, if so. This node is `own`. Nodes that hold a slot of the lock are
/// not Ready by plan while they reboot, and how many may be is the lock's to say.
pub fn nodes_gate(
    config: &Config,
    own: &str,
    lock: Option<&LockView>,
    result: &Result<NodesView, Failure>,
) -> Option<Blocked> {
    let max = config.gates.max_not_ready?;
    let view = match result {
        Ok(view) => view,
        Err(failure) => {
            let forbidden = matches!(
                failure.kind,
                FailureKind::Forbidden | FailureKind::Restricted
            );
            return Some(if forbidden {
                Blocked::new(
                    Gate::Nodes,
                    format!("nobody knows how the other nodes are: {failure}"),
                    "apply health.yaml, or remove max-not-ready from [gate.nodes]",
                )
            } else {
                Blocked::failed(failure)
            });
        }
    };
    let slots = lock.map(LockView::slots).unwrap_or_default();
    let planned = |name: &String| slots.iter().any(|slot| slot.node == *name);
    let others: Vec<_> = view
        .not_ready
        .iter()
        .filter(|name| *name != own && !planned(name))
        .cloned()
        .collect();
    (others.len() > usize::from(max)).then(|| {
        Blocked::new(
            Gate::Nodes,
            format!("not Ready: {}", named(&others)),
            format!("[gate.nodes]: at most {max} other nodes may be, not counting those in a turn"),
        )
    })
}

/// Why no turn of a control-plane node may begin with the others of it as they are, if so. Where Nodes may not be listed nobody looks.
pub fn control_plane_gate(own: &str, result: &Result<NodesView, Failure>) -> Option<Blocked> {
    match result {
        Ok(view) => {
            let names = view.control_plane.iter();
            let others: Vec<_> = names.filter(|name| *name != own).cloned().collect();
            (!others.is_empty()).then(|| {
                Blocked::new(
                    Gate::Nodes,
                    format!("of the control plane not Ready: {}", named(&others)),
                    "it is a node short already: no turn begins on another one until it is Ready",
                )
            })
        }
        Err(failure) => match failure.kind {
            FailureKind::Forbidden | FailureKind::Restricted => None,
            _ => Some(Blocked::failed(failure)),
        },
    }
}

/// The first of these names, and how many more there are.
fn named(names: &[String]) -> String {
    let first: Vec<_> = names.iter().take(NAMED).map(String::as_str).collect();
    let first = first.join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// Why this node could not prove after a reboot that it is healthy, if so: its own static pods are not Ready now already.
pub fn static_pods_gate(pods: &[PodView]) -> Option<Blocked> {
    let unready: Vec<_> = pods
        .iter()
        .filter(|pod| pod.mirror && !pod.finished && !pod.ready)
        .map(|pod| pod.pod.to_string())
        .collect();
    (!unready.is_empty()).then(|| {
        Blocked::new(
            Gate::Pods,
            format!("static pods are not Ready: {}", unready.join(", ")),
            "after the reboot the slot would be kept until they are",
        )
    })
}

/// The group whose slots this node takes: the configured one, unless it is part of the control plane.
pub fn group_of(config: &Config, node: &NodeView, pods: &[PodView]) -> String {
    if node.control_plane || pods.iter().any(is_control_plane) {
        CONTROL_PLANE.to_owned()
    } else {
        config.lock.group.clone()
    }
}

/// Why a lock is not the one that this node has seen, if so. `known` is what it has noted of that one.
pub fn recreated_gate(known: Option<&Noted>, view: &LockView) -> Option<Blocked> {
    let known = known.filter(|known| !known.admits(view))?;
    let what = if known.uid == view.uid {
        "the lock was wiped, or comes from a backup"
    } else {
        "the lock object was deleted and created again"
    };
    Some(Blocked::new(
        Gate::LockRecreated,
        what,
        format!(
            "noted is UID {} with {} turns, found is UID {} with {}; make sure that no node is in a turn, then: rollboot resume; or, if \
             this machine comes from another cluster: stop rollboot, remove /var/lib/rollboot/journal.json, start it",
            known.uid,
            known.turns,
            view.uid,
            view.turns()
        ),
    ))
}

/// Limits that count as 0 because nobody can read them, and what to write instead. Usually nothing.
pub(super) fn limits_in_words(view: &LockView, group: &str) -> String {
    let wrong: Vec<_> = crate::lock::unreadable(&view.data, group)
        .into_iter()
        .map(|(key, text)| {
            let shown: String = text.chars().take(SHOWN).collect();
            format!("{key} of the lock is {shown:?}, which counts as 0")
        })
        .collect();
    if wrong.is_empty() {
        String::new()
    } else {
        format!("; {}: write a number from 0 to 9999", wrong.join(", "))
    }
}

/// Why this host must not, or would not, reboot now: all that it shows.
pub fn host_gates(result: &Result<HostGates, Failure>) -> Vec<Blocked> {
    let gates = match result {
        Ok(gates) => gates,
        Err(failure) => {
            return vec![Blocked::new(
                Gate::Logind,
                failure.message.clone(),
                "see: systemctl status systemd-logind",
            )];
        }
    };
    let who: Vec<_> = gates
        .inhibitors
        .iter()
        .map(|lock| format!("{} (pid {}): {}", lock.who, lock.pid, lock.why))
        .collect();
    let inhibited = (!who.is_empty()).then(|| {
        Blocked::new(
            Gate::Inhibitor,
            who.join("; "),
            "a block inhibitor forbids the shutdown; see systemd-inhibit --list",
        )
    });
    let held = gates.hold.as_ref().map(|hold| {
        let what = format!("held by an operator: {hold}");
        Blocked::new(Gate::Hold, what, HOLD_FILE)
    });
    let installs = gates.package_manager.as_ref().map(|at_work| {
        let detail = "looked at again until it is done";
        Blocked::new(Gate::PackageManager, at_work.clone(), detail)
    });
    let unwilling = (gates.can_reboot != "yes").then(|| {
        let what = format!("logind's CanReboot says {:?}", gates.can_reboot);
        let advice = match gates.can_reboot.as_str() {
            "na" => "this host cannot be rebooted by logind: is it a container?",
            "no" => "a rule of polkit forbids it, or reboot.target is masked",
            "challenge" => "polkit would ask for a password: rollboot must run as root",
            _ => "see: journalctl -u systemd-logind",
        };
        Blocked::new(Gate::Logind, what, advice)
    });
    let closed = [inhibited, held, installs, unwilling];
    closed.into_iter().flatten().collect()
}

/// Why no turn may begin with the configuration as it is on disk, if so. A turn that runs ends with the one that it has noted.
pub(super) fn configuration_gate(gates: &HostGates) -> Option<Blocked> {
    let why = gates.configuration.as_ref()?;
    Some(Blocked::new(
        Gate::Configuration,
        format!("the configuration on disk cannot be loaded: {why}"),
        "mend it, then: systemctl reload rollboot; a daemon without a turn would not start with it",
    ))
}

/// Why no turn may begin on a host that has booted just now, if so: what provisions it may still be at work. A holder is not asked, for
/// it may be what the rest of the start waits for, and it has to be sure of its reboot.
pub fn start_gate(result: &Result<HostGates, Failure>) -> Option<Blocked> {
    match &result.as_ref().ok()?.start {
        Start::UnderWay { seconds, jobs } if *seconds < STARTING => {
            let jobs = if jobs.is_empty() {
                String::new()
            } else {
                format!(": {} at work", named(jobs))
            };
            Some(Blocked::new(
                Gate::Starting,
                format!("this host has not finished starting{jobs}"),
                "looked at again until it has, for an hour at most; see systemctl list-jobs",
            ))
        }
        Start::Finished | Start::UnderWay { .. } => None,
        Start::Unknown(why) => Some(Blocked::new(
            Gate::Starting,
            why.clone(),
            "it may be starting; see systemctl is-system-running",
        )),
    }
}

/// A static pod of the API server or of etcd: this node is part of the control plane, whatever its labels say.
pub(super) fn is_control_plane(pod: &PodView) -> bool {
    pod.mirror
        && ["kube-apiserver-", "etcd-"]
            .iter()
            .any(|prefix| pod.pod.name.starts_with(prefix))
}

#[cfg(test)]
mod tests;
