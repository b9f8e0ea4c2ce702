//! The conditions of a turn, and what an operator is told of one that is not met.

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, FailureKind};

/// A condition that must be open before a turn starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// The sentinel must be unchanged for a while.
    Settle,
    /// The configuration on disk must be one that can be loaded.
    Configuration,
    /// `mode = "observe"`.
    Mode,
    /// A maintenance window must be open for long enough.
    Window,
    /// `max-reboots-per-day`.
    DailyLimit,
    /// A turn failed a while ago.
    BackOff,
    /// A turn was undone a moment ago.
    Undone,
    /// The same request was served, aborted, or came to nothing.
    Latch,
    /// logind must be willing.
    Logind,
    /// Nobody may hold a block inhibitor.
    Inhibitor,
    /// The own Node must exist and be this machine.
    Node,
    /// Nobody else may have cordoned the node.
    ForeignCordon,
    /// `rollboot.io/hold` on the own Node, or a hold file on the host.
    Hold,
    /// No package manager may be at work.
    PackageManager,
    /// The host must have finished starting.
    Starting,
    /// Every pod must be allowed to go.
    Pods,
    /// Volumes of pods that went should be detached.
    Volumes,
    /// No pod may be here that `[[gate.pods]]` selects.
    BlockingPods,
    /// No more than so many other nodes may be not Ready: `[gate.nodes]`.
    Nodes,
    /// A slot must be free.
    Lock,
    /// Turns are paused.
    Pause,
    /// The lock object was deleted and created again.
    LockRecreated,
    /// `lock.yaml` is not applied.
    NotArmed,
    /// The state folder must be writable.
    Journal,
    /// The API server must answer.
    Api,
}

impl Gate {
    /// Whether one that closes right before the reboot is waited for, for as long as a drain may take: these open by themselves
    /// in a while. With any other the turn is over, and the pods may come back.
    pub(super) fn is_brief(self) -> bool {
        match self {
            Self::Settle
            | Self::Logind
            | Self::Inhibitor
            | Self::PackageManager
            | Self::Volumes
            | Self::Journal
            | Self::Api => true,
            Self::Configuration
            | Self::Mode
            | Self::Window
            | Self::DailyLimit
            | Self::BackOff
            | Self::Undone
            | Self::Latch
            | Self::Node
            | Self::ForeignCordon
            | Self::Hold
            | Self::Starting
            | Self::Pods
            | Self::BlockingPods
            | Self::Nodes
            | Self::Lock
            | Self::Pause
            | Self::LockRecreated
            | Self::NotArmed => false,
        }
    }
}

/// A closed gate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Blocked {
    /// Which.
    pub gate: Gate,
    /// What blocks, in a few words.
    pub what: String,
    /// What an operator can do about it, or the details.
    pub detail: String,
}

impl Blocked {
    pub(super) fn new(gate: Gate, what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            gate,
            what: what.into(),
            detail: detail.into(),
        }
    }

    /// A failed read of the lock: without `lock.yaml` this node may not even look.
    pub(super) fn unarmed(failure: &Failure) -> Self {
        match failure.kind {
            FailureKind::Forbidden | FailureKind::NotFound => Self::new(
                Gate::NotArmed,
                failure.message.clone(),
                "apply lock.yaml to arm this installation; until then this node only observes",
            ),
            FailureKind::Unauthorized
            | FailureKind::Restricted
            | FailureKind::Policy
            | FailureKind::Throttled
            | FailureKind::Invalid
            | FailureKind::Unavailable
            | FailureKind::Timeout
            | FailureKind::Local => Self::failed(failure),
        }
    }

    /// A failed call, and what it means here.
    pub(super) fn failed(failure: &Failure) -> Self {
        Self::new(Gate::Api, failure.message.clone(), advice(failure.kind))
    }
}

/// What an operator can do about a failed call. All are tried again, more and more slowly.
pub(super) fn advice(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Forbidden => {
            "RBAC grants the kubelet's credential no such thing: is lock.yaml applied?"
        }
        FailureKind::Restricted => {
            "that is another node's: are `kubeconfig` and `node-name` this node's?"
        }
        FailureKind::Unauthorized => {
            "the API server does not accept the kubelet's credential: is it expired, or another cluster's? \
             see journalctl -u kubelet"
        }
        FailureKind::Policy => "an admission policy refuses; its message says why",
        FailureKind::Local => "on this host; it is looked at again by itself",
        FailureKind::Throttled => {
            "the API server has too much to do; tried again, more and more slowly"
        }
        FailureKind::Invalid => "the API server will not have it as it is; its message says why",
        FailureKind::NotFound => "tried again, more and more slowly",
        FailureKind::Unavailable | FailureKind::Timeout => {
            "can this host reach the API server? tried again, more and more slowly"
        }
    }
}
