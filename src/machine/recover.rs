//! Back after a boot in our turn: the slot is given up only on proof that the node is healthy. No error path leaves this phase.

use std::time::Duration;

use super::returned::is_back;
use super::{Machine, Op, Out, Patience, Phase, Reply, Report, Stop, Timer};
use crate::backoff::Delay;
use crate::drain::PodView;
use crate::failure::Failure;
use crate::journal::Outcome;
use crate::node::NodeView;

/// After so many looks without success an operator is told loudly, and again each time that the number doubles.
const PATIENT: u16 = 16;
/// Looks that are made quickly; a node is usually back within seconds.
const QUICK: u16 = 30;

/// Collecting the proof.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Recovering {
    step: Step,
    looks: u16,
    /// When this boot began, by the clock as it was set when this look began.
    boot_time: i64,
    /// What is missing.
    pub(super) missing: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Rest,
    BootTime,
    Node,
    Pods,
    Units,
}

impl Machine {
    pub(super) fn recover(&mut self, out: &mut Out) {
        self.refuse_abort(out);
        if self.stop == Stop::Undo {
            self.end(out);
            return;
        }
        out.report(
            Report::Recovering,
            "this host has rebooted in its turn; looking for proof that it is healthy",
        );
        self.phase = Phase::Recovering(Recovering {
            step: Step::Rest,
            looks: 0,
            boot_time: 0,
            missing: "nothing was looked at yet".into(),
        });
        self.prove(out);
    }

    /// Looks at everything from the beginning.
    pub(super) fn prove(&mut self, out: &mut Out) {
        let Phase::Recovering(recovering) = &self.phase else {
            return;
        };
        if recovering.step == Step::Rest {
            self.proving(out, Step::BootTime, Op::BootTime);
        }
    }

    fn proving(&mut self, out: &mut Out, step: Step, op: Op) {
        if let Phase::Recovering(recovering) = &mut self.phase {
            recovering.step = step;
        }
        self.call(out, op, Patience::Turn);
    }

    pub(super) fn on_recovering(&mut self, out: &mut Out, reply: Reply) {
        let Phase::Recovering(recovering) = &mut self.phase else {
            return;
        };
        let missing = match (recovering.step, reply) {
            (Step::BootTime, Reply::BootTime(Ok(boot_time))) => {
                recovering.boot_time = boot_time;
                self.proving(out, Step::Node, Op::ReadNode);
                return;
            }
            (Step::Node, Reply::Node(Ok(node))) => {
                let boot_time = recovering.boot_time;
                match self.node_proof(node.as_ref(), boot_time) {
                    Ok(()) => {
                        self.proving(out, Step::Pods, Op::ListPods);
                        return;
                    }
                    Err(missing) => missing,
                }
            }
            (Step::Pods, Reply::Pods(Ok(pods))) => match self.pods_proof(&pods) {
                Ok(()) if self.config.recovery.units.is_empty() => {
                    self.undo(out, Outcome::Done);
                    return;
                }
                Ok(()) => {
                    let units = self.config.recovery.units.clone();
                    self.proving(out, Step::Units, Op::Units(units));
                    return;
                }
                Err(missing) => missing,
            },
            (Step::Units, Reply::Units(result)) => match units_proof(result) {
                Ok(()) => {
                    self.undo(out, Outcome::Done);
                    return;
                }
                Err(missing) => missing,
            },
            // Whoever does not answer proves nothing.
            (
                _,
                Reply::BootTime(Err(failure))
                | Reply::Node(Err(failure))
                | Reply::Pods(Err(failure)),
            ) => failure.message,
            (step, reply) => {
                out.report(
                    Report::Defect,
                    format!("{step:?} does not expect {reply:?}"),
                );
                return;
            }
        };
        self.unproven(out, missing);
    }

    fn node_proof(&self, node: Option<&NodeView>, boot_time: i64) -> Result<(), String> {
        let Some(node) = node else {
            return Err(format!("there is no Node {}", self.host.node));
        };
        if node.boot_id != self.host.boot_id {
            return Err("the kubelet has not reported since this boot".into());
        }
        if !node.ready.ready {
            return Err(format!("the Node is not Ready: {}", node.ready.message));
        }
        // Ready may have stayed True throughout a fast reset. The kubelet's time is this host's.
        if node.ready.heartbeat.is_none_or(|beat| beat < boot_time) {
            return Err("the Node's last heartbeat is older than this boot".into());
        }
        Ok(())
    }

    /// Own static pods must be Ready, with other containers than before: on a control-plane node they are the API server and etcd.
    /// Those that were here at the acquisition must be here again; the kubelet may take a while to tell the server of them.
    pub(super) fn pods_proof(&self, pods: &[PodView]) -> Result<(), String> {
        let fixed = || pods.iter().filter(|pod| pod.mirror && !pod.finished);
        let expected = self.turn().map_or(&[][..], |turn| &turn.control_plane);
        let missing: Vec<_> = expected
            .iter()
            .filter(|name| !fixed().any(|pod| pod.pod.to_string() == **name))
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            return Err(format!(
                "not back yet: static pods {} (is the kubelet at work? if one was removed for good: rollboot unlock {} --force, \
                 then systemctl restart rollboot)",
                missing.join(", "),
                self.host.node
            ));
        }
        // A fast reset leaves them Ready in the eyes of the server until the kubelet has looked.
        let before = self.turn().map(|turn| &turn.containers);
        let waiting: Vec<_> = fixed()
            .filter(|pod| !is_back(pod, before))
            .map(|pod| pod.pod.to_string())
            .collect();
        if waiting.is_empty() {
            Ok(())
        } else {
            Err(format!(
                "static pods are not Ready since this boot: {}",
                waiting.join(", ")
            ))
        }
    }

    fn unproven(&mut self, out: &mut Out, missing: String) {
        let Phase::Recovering(recovering) = &mut self.phase else {
            return;
        };
        recovering.step = Step::Rest;
        recovering.looks = recovering.looks.saturating_add(1);
        let looks = recovering.looks;
        if looks >= PATIENT && looks.is_power_of_two() {
            out.report(
                Report::NotHealthy,
                format!("this node has rebooted and is not healthy, the slot is kept and nobody else reboots: {missing}"),
            );
        }
        recovering.missing = missing;
        let wait = if looks < QUICK { 2 } else { 15 };
        out.set(Timer::Check, Delay::about(Duration::from_secs(wait)));
    }
}

/// What the operator's configuration wants to be at work must be.
pub(super) fn units_proof(inactive: Result<Vec<String>, Failure>) -> Result<(), String> {
    match inactive {
        Ok(inactive) if inactive.is_empty() => Ok(()),
        Ok(inactive) => Err(format!("not active: {}", inactive.join(", "))),
        Err(failure) => Err(failure.message),
    }
}
