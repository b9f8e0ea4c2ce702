//! A fresh look, in a turn, at every gate that only a question tells: right before the cordon, and right before the reboot.
//!
//! The clock, the configuration, the own Node and the lock are looked at on the way of a turn in any case. What is asked here is
//! asked of others, one question after the other, and each brings one answer that is judged the same way as before the lock.

use super::gate::Blocked;
use super::judge::{blocking_pods_gates, host_gates, nodes_gate};
use super::{Machine, Op, Reply};

/// What is asked, in this order: what changes most quickly last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Question {
    /// Which pods are here.
    Pods,
    /// How the other nodes are.
    Nodes,
    /// Whether this host may reboot.
    Host,
}

impl Question {
    pub(super) fn op(self) -> Op {
        match self {
            Self::Pods => Op::ListPods,
            Self::Nodes => Op::ListNodes,
            Self::Host => Op::Gates,
        }
    }
}

impl Machine {
    /// The question after this one. About a gate that is not configured nobody is asked; `pods`: they are listed all the same.
    pub(super) fn next_question(&self, after: Option<Question>, pods: bool) -> Option<Question> {
        let gates = &self.config.gates;
        let next = match after {
            None if pods || !gates.pods.is_empty() => Question::Pods,
            None | Some(Question::Pods) if gates.max_not_ready.is_some() => Question::Nodes,
            None | Some(Question::Pods | Question::Nodes) => Question::Host,
            Some(Question::Host) => return None,
        };
        Some(next)
    }

    /// The gate that an answer shows closed, if it does.
    pub(super) fn closed_by(&self, reply: &Reply) -> Option<Blocked> {
        match reply {
            Reply::Pods(Ok(pods)) => first(blocking_pods_gates(&self.config, pods)),
            Reply::Pods(Err(failure)) => Some(Blocked::failed(failure)),
            Reply::Nodes(result) => {
                nodes_gate(&self.config, &self.host.node, self.lock.as_ref(), result)
            }
            Reply::Gates(result) => first(host_gates(result)),
            _ => None,
        }
    }
}

/// In a turn one closed gate decides.
fn first(closed: Vec<Blocked>) -> Option<Blocked> {
    closed.into_iter().next()
}
