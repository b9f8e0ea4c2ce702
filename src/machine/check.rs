//! The gates that are looked at before the lock, one after the other.
//!
//! Gates and plan come first: a node that could not finish its turn never holds a slot while others could go.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::gate::{Blocked, Gate};
use super::judge::{
    configuration_gate, control_plane_gate, group_of, host_gates, is_control_plane,
    limits_in_words, node_gates, nodes_gate, recreated_gate, start_gate,
};
use super::returned::{containers, daemon_sets};
use super::wait::OUTRUN_MOST;
use super::{Machine, Op, Out, Patience, Phase, Reply, Report};
use crate::backoff::{Delay, doubling};
use crate::config::{DrainMode, SingleReplica};
use crate::drain::{Arrivals, ControllerRef, Guard, PodRef, PodView, few, plan};
use crate::failure::{Failure, FailureKind};
use crate::lock::{CONTROL_PLANE, Limits, LockView, Verdict};
use crate::node::NodeView;
use crate::reboot::HostGates;
use crate::shutdown::GoingDown;

/// How often a gate is looked at that nothing announces.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(20);

/// Looking at the gates.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Checking {
    Gates,
    Facts,
    Node,
    Pods(Box<NodeView>),
    Controllers(Box<Survey>),
    Lock(Aim),
    /// With a view of the lock that has a free slot: of many nodes that wait only those look that could go now.
    Nodes(Box<LockView>, Aim),
}

/// What a turn would be about, as far as the gates have seen it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Aim {
    /// UID of the own Node.
    pub(super) node_uid: String,
    /// Group of the slot.
    pub(super) group: String,
    /// This node's part of the control plane: after the boot these pods must be back.
    pub(super) control_plane: Vec<String>,
    /// Containers of pods that stay: after the boot these pods must have others.
    pub(super) containers: BTreeSet<Box<str>>,
    /// DaemonSets whose pods must be Ready again.
    pub(super) daemon_sets: BTreeSet<ControllerRef>,
}

/// Whether a single replica is among the pods, where the configuration blocks on one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Survey {
    guard: Guard,
    going: Vec<PodRef>,
    aim: Aim,
}

/// Gates of the host, with those that only a turn that has not begun is asked about.
fn closed_before_the_lock(result: &Result<HostGates, Failure>) -> Vec<Blocked> {
    let configuration = result.as_ref().ok().and_then(configuration_gate);
    let only_before = [configuration, start_gate(result)];
    let mut closed: Vec<_> = only_before.into_iter().flatten().collect();
    closed.extend(host_gates(result));
    closed
}

impl Machine {
    pub(super) fn check(&mut self, out: &mut Out, next: Checking, op: Op) {
        self.phase = Phase::Checking(next);
        self.call(out, op, Patience::Once);
    }

    /// A call before the lock failed: slower and slower, but never for good.
    pub(super) fn rest_on_failure(&mut self, out: &mut Out, blocked: Blocked) {
        let wait = doubling(Duration::from_secs(2), Duration::from_secs(60), self.tries);
        self.tries = self.tries.saturating_add(1).min(6);
        self.rest(out, blocked, Some(Delay::about(wait)));
    }

    pub(super) fn on_checking(&mut self, out: &mut Out, reply: Reply) {
        let Phase::Checking(step) = &mut self.phase else {
            return;
        };
        // Taken, for it may be about thousands of pods; each path says where it goes on.
        let step = std::mem::replace(step, Checking::Gates);
        if self.called_off().is_some() {
            self.consider(out);
            return;
        }
        match (step, reply) {
            (Checking::Gates, Reply::Gates(result)) => {
                let closed = closed_before_the_lock(&result);
                if closed.is_empty() {
                    self.check(out, Checking::Facts, Op::Facts);
                } else {
                    self.rest_on_all(out, closed, Some(Delay::about(LOOK_AGAIN)));
                }
            }
            // A slot that is taken now would be held through somebody else's shutdown.
            (Checking::Facts, Reply::Facts(facts)) => match facts.judge(out.now) {
                GoingDown::No => self.check(out, Checking::Node, Op::ReadNode),
                GoingDown::Yes | GoingDown::Unanswered => self.go_down(out, &facts),
            },
            (Checking::Node, Reply::Node(Ok(node))) => self.check_node(out, node),
            (Checking::Pods(node), Reply::Pods(Ok(pods))) => self.check_plan(out, &node, &pods),
            (
                Checking::Lock(aim),
                Reply::Lock {
                    result: Ok(view), ..
                },
            ) => {
                self.check_lock(out, view, aim);
            }
            (Checking::Controllers(_), Reply::Controller(Err(failure)))
                if matches!(
                    failure.kind,
                    FailureKind::Forbidden | FailureKind::Restricted
                ) =>
            {
                let blocked = Blocked::new(
                    Gate::Pods,
                    format!("nobody knows which pods are single replicas: {failure}"),
                    "apply guard.yaml, or set drain.single-replica = \"evict\"",
                );
                self.rest(out, blocked, Some(Delay::about(LOOK_AGAIN)));
            }
            (Checking::Nodes(view, aim), Reply::Nodes(result)) => {
                let alike = aim.group == CONTROL_PLANE;
                let short = || control_plane_gate(&self.host.node, &result).filter(|_| alike);
                let closed = nodes_gate(&self.config, &self.host.node, self.lock.as_ref(), &result);
                match closed.or_else(short) {
                    Some(blocked) if blocked.gate == Gate::Api => {
                        self.rest_on_failure(out, blocked);
                    }
                    Some(blocked) => self.rest(out, blocked, Some(Delay::about(LOOK_AGAIN))),
                    None => self.begin(out, *view, aim),
                }
            }
            (Checking::Controllers(mut survey), Reply::Controller(Ok(view))) => {
                survey.guard.read(Ok(view));
                self.survey(out, survey);
            }
            (
                _,
                Reply::Node(Err(failure))
                | Reply::Pods(Err(failure))
                | Reply::Controller(Err(failure)),
            ) => {
                self.rest_on_failure(out, Blocked::failed(&failure));
            }
            (
                _,
                Reply::Lock {
                    result: Err(failure),
                    ..
                },
            ) => self.rest_on_failure(out, Blocked::unarmed(&failure)),
            (step, reply) => {
                out.report(
                    Report::Defect,
                    format!("{step:?} does not expect {reply:?}"),
                );
                self.phase = Phase::Checking(step);
            }
        }
    }

    fn check_node(&mut self, out: &mut Out, node: Option<NodeView>) {
        let Some(node) = node else {
            let what = format!("there is no Node {}", self.host.node);
            let blocked = Blocked::new(
                Gate::Node,
                what,
                "has this host joined the cluster under this name?",
            );
            self.rest(out, blocked, Some(Delay::about(LOOK_AGAIN)));
            return;
        };
        if node.marker.is_some() && !node.deleting {
            // Ours from an earlier turn: it is cleaned up before there is another. On a Node that is being deleted it stays.
            self.restart(out);
            return;
        }
        let closed = node_gates(&self.config, &self.host.boot_id, &node);
        if closed.is_empty() {
            self.check(out, Checking::Pods(Box::new(node)), Op::ListPods);
        } else {
            self.rest_on_all(out, closed, Some(Delay::about(LOOK_AGAIN)));
        }
    }

    fn check_plan(&mut self, out: &mut Out, node: &NodeView, pods: &[PodView]) {
        let closed = self.pods_gates(pods);
        if !closed.is_empty() {
            self.rest_on_pods(out, closed);
            return;
        }
        let control_plane: Vec<_> = pods
            .iter()
            .filter(|pod| is_control_plane(pod))
            .map(|pod| pod.pod.to_string())
            .collect();
        let aim = Aim {
            node_uid: node.uid.clone(),
            group: group_of(&self.config, node, pods),
            control_plane,
            containers: containers(pods),
            daemon_sets: daemon_sets(&self.config, pods),
        };
        if self.config.drain.mode == DrainMode::None {
            self.check(out, Checking::Lock(aim), Op::ReadLock);
            return;
        }
        let plan = plan(pods, &self.config.drain, &Arrivals::default());
        if self.config.drain.single_replica == SingleReplica::Evict {
            self.check(out, Checking::Lock(aim), Op::ReadLock);
            return;
        }
        let mut guard = Guard::new(SingleReplica::Block, BTreeMap::new(), false);
        let going = plan.evict;
        guard.pods(pods, &going.iter().cloned().collect());
        let survey = Survey { guard, going, aim };
        self.survey(out, Box::new(survey));
    }

    /// Reads what decides whether a pod is a single replica, then goes on to the lock if none is.
    fn survey(&mut self, out: &mut Out, mut survey: Box<Survey>) {
        let singles = match survey.guard.survey(&survey.going) {
            Ok(singles) => singles,
            Err(controller) => {
                let op = Op::ReadController(controller);
                self.check(out, Checking::Controllers(survey), op);
                return;
            }
        };
        if singles.is_empty() {
            self.check(out, Checking::Lock(survey.aim), Op::ReadLock);
        } else {
            let detail = "no slot is taken until it is moved, or wants more than one";
            let blocked = Blocked::new(Gate::Pods, few(singles), detail);
            self.rest(out, blocked, Some(Delay::about(3 * LOOK_AGAIN)));
        }
    }

    fn check_lock(&mut self, out: &mut Out, view: Option<LockView>, aim: Aim) {
        let Some(view) = view else {
            let what = format!(
                "there is no ConfigMap {}/{}",
                self.config.lock.namespace, self.config.lock.name
            );
            let blocked = Blocked::new(
                Gate::NotArmed,
                what,
                "apply lock.yaml to arm this installation",
            );
            self.rest(out, blocked, Some(Delay::about(LOOK_AGAIN)));
            return;
        };
        let was_free = self.lock.as_ref().is_some_and(|seen| {
            matches!(seen.verdict(&aim.group), Verdict::Free)
                && self.drains_gate(seen, &aim.group).is_none()
        });
        self.lock = Some(view.clone());
        let first_sight = self.journal.lock.is_none();
        self.note(&view);
        // A slot of ours is voided first. A start writes down a lock that is seen for the first time: then it can be no other.
        if first_sight || view.own_entry(&self.host.node).is_some() {
            self.restart(out);
            return;
        }
        match self.lock_gate(&view, &aim.group) {
            Some(blocked) => {
                if was_free && blocked.gate == Gate::Lock {
                    self.outrun = self.outrun.saturating_add(1).min(OUTRUN_MOST);
                }
                self.rest_on_lock(out, blocked, &view, aim.group);
            }
            None if aim.group == CONTROL_PLANE || self.config.gates.max_not_ready.is_some() => {
                self.check(out, Checking::Nodes(Box::new(view), aim), Op::ListNodes);
            }
            None => self.begin(out, view, aim),
        }
    }

    /// All gates are open. The sentinel may have changed while they were looked at, and the window may have closed.
    fn begin(&mut self, out: &mut Out, view: LockView, aim: Aim) {
        self.tries = 0;
        let unsettled = !self.settled || self.wanted().is_empty();
        if unsettled || self.window_gate(out.now).is_some() {
            self.consider(out);
        } else {
            self.acquire(out, view, aim);
        }
    }

    /// Where several turns may run their drains go one after the other: a slot that is taken now would only wait, cordoned. A
    /// holder that died in its drain stops all of them.
    fn drains_gate(&self, view: &LockView, group: &str) -> Option<Blocked> {
        let several = Limits::read(&view.data, group).total > 1;
        let evicts = self.config.drain.mode == DrainMode::Evict;
        let others = view.others_draining(&self.host.node);
        (several && evicts && !others.is_empty()).then(|| {
            Blocked::new(
                Gate::Lock,
                format!("the drain of {}", others.join(", ")),
                "drains go one after the other; a holder that will not come back: rollboot unlock NODE",
            )
        })
    }

    /// Why no slot may be taken on this view, if so.
    pub(super) fn lock_gate(&self, view: &LockView, group: &str) -> Option<Blocked> {
        let another = recreated_gate(self.journal.lock.as_ref(), view);
        if another.is_some() {
            return another;
        }
        match view.verdict(group) {
            Verdict::Free => self.drains_gate(view, group),
            Verdict::Paused(reason) => Some(Blocked::new(
                Gate::Pause,
                if reason.is_empty() {
                    "paused, without a reason".to_owned()
                } else {
                    format!("paused: {reason}")
                },
                "annotation rollboot.io/pause of the lock",
            )),
            Verdict::Full { limits, holders } => {
                let names: Vec<_> = holders.iter().map(|slot| slot.node.as_str()).collect();
                let what = if names.is_empty() {
                    format!("group {group} has no slots")
                } else {
                    format!("the turn of {}", names.join(", "))
                };
                let wrong = limits_in_words(view, group);
                let detail = format!(
                    "{} of group {group}, {} in all may go at once{wrong}",
                    limits.group, limits.total
                );
                Some(Blocked::new(Gate::Lock, what, detail))
            }
        }
    }
}
