//! The configuration, validated: every key with its default. [`load`] reads it from the host.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::selector::Selector;
use crate::window::Windows;

pub mod load;
mod raw;
mod value;
mod windows;

/// Everything an operator can set.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Config {
    /// Reboot, or only look and report.
    pub mode: Mode,
    /// Name of the own Node; `None`: from the kubeconfig's certificate, else the API server is asked.
    pub node_name: Option<String>,
    /// The kubelet's kubeconfig; `None`: the running kubelet's, else the first of the known places.
    pub kubeconfig: Option<PathBuf>,
    /// Files that ask for a reboot.
    pub sentinels: Vec<PathBuf>,
    /// A sentinel must be unchanged for so long.
    pub settle: Duration,
    /// Reboots in any 24 hours.
    pub max_reboots_per_day: u16,
    /// The lock object.
    pub lock: Lock,
    /// The drain.
    pub drain: Drain,
    /// What proves that the node is back.
    pub recovery: Recovery,
    /// When turns may begin, by what goes on in the cluster.
    pub gates: Gates,
    /// When turns may begin, by the clock.
    pub windows: Windows,
}

/// Whether the daemon acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Take turns and reboot.
    Reboot,
    /// Look and report; never acquire. A turn that already runs is undone or finished.
    Observe,
}

/// Where the lock is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lock {
    /// Namespace of the ConfigMap.
    pub namespace: String,
    /// Name of the ConfigMap.
    pub name: String,
    /// Group of this node, unless it is a control-plane node.
    pub group: String,
}

/// What is evicted, and how patiently.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Drain {
    /// Evict, or leave the pods to the kubelet's graceful shutdown.
    pub mode: DrainMode,
    /// A drain that is not done by then has failed.
    pub timeout: Duration,
    /// Nothing new on the node for so long before the reboot.
    pub quiet: Duration,
    /// Volumes that are still attached after the drain are waited for, for so long at most.
    pub volumes_timeout: Duration,
    /// Pods without a controller.
    pub unmanaged: Unmanaged,
    /// Pods with an emptyDir volume.
    pub empty_dir: EmptyDir,
    /// Pods with the autoscaler's annotation `safe-to-evict: "false"`.
    pub unsafe_to_evict: UnsafeToEvict,
    /// The only pod of a controller that wants one.
    pub single_replica: SingleReplica,
    /// A node that somebody else cordoned.
    pub foreign_cordon: ForeignCordon,
    /// Evictions in flight at once.
    pub concurrency: u16,
}

/// Whether pods are evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrainMode {
    /// Through the eviction API.
    Evict,
    /// Not at all.
    None,
}

/// What becomes of a pod that nobody would create again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unmanaged {
    /// Nothing is evicted and the node does not reboot.
    Refuse,
    /// It is evicted, and is gone.
    Evict,
    /// It stays until the kubelet shuts down.
    Skip,
}

/// What becomes of a pod that loses data when it is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmptyDir {
    /// It is evicted like any other.
    Evict,
    /// Nothing is evicted and the node does not reboot.
    Refuse,
}

/// What becomes of a pod that says of itself, to the cluster autoscaler, that it must not be evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnsafeToEvict {
    /// Nothing is evicted and the node does not reboot.
    Refuse,
    /// It is evicted like any other.
    Evict,
}

/// What becomes of the only pod of a controller that wants one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SingleReplica {
    /// It is evicted like any other, and its service is interrupted while it moves.
    Evict,
    /// The node does not reboot.
    Block,
}

/// What a node does that somebody else cordoned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForeignCordon {
    /// Wait until it is lifted.
    Wait,
    /// Reboot, and stay cordoned.
    Proceed,
}

/// Which DaemonSets' pods must be Ready again after the uncordon, if they were at the acquisition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecoveryPods {
    /// Those of the priority `system-cluster-critical` or higher.
    Critical,
    /// All.
    All,
    /// None.
    Ignore,
}

/// Proof, beyond boot ID and Ready, that a node is back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Recovery {
    /// systemd units that must be active.
    pub units: Vec<String>,
    /// Whose pods must be Ready again.
    pub pods: RecoveryPods,
    /// The slot is held for so long after the node is healthy.
    pub soak: Duration,
}

/// What in the cluster keeps a turn from beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Gates {
    /// Pods that must not be on this node.
    pub pods: Vec<PodGate>,
    /// So many other nodes at most may be not Ready; `None`: nobody looks.
    pub max_not_ready: Option<u16>,
}

/// Pods that are waited for until they are gone or finished.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PodGate {
    /// Where they are; `None`: anywhere.
    pub namespace: Option<String>,
    /// Their labels.
    pub selector: Selector,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Reboot,
            node_name: None,
            kubeconfig: None,
            sentinels: vec!["/run/reboot-required".into(), "/run/reboot-needed".into()],
            settle: Duration::from_secs(30),
            max_reboots_per_day: 3,
            lock: Lock {
                namespace: "kube-system".into(),
                name: "rollboot".into(),
                group: "default".into(),
            },
            drain: Drain {
                mode: DrainMode::Evict,
                timeout: Duration::from_secs(30 * 60),
                quiet: Duration::from_secs(5),
                volumes_timeout: Duration::from_secs(120),
                unmanaged: Unmanaged::Refuse,
                empty_dir: EmptyDir::Evict,
                unsafe_to_evict: UnsafeToEvict::Refuse,
                single_replica: SingleReplica::Evict,
                foreign_cordon: ForeignCordon::Wait,
                concurrency: 16,
            },
            recovery: Recovery {
                units: Vec::new(),
                pods: RecoveryPods::Critical,
                soak: Duration::ZERO,
            },
            gates: Gates::default(),
            windows: Windows::default(),
        }
    }
}
