//! What the daemon needs of the world: traits that adapters implement, and the words they answer in.
//!
//! One method asks one question or makes one request, under a deadline of its own, and reports what happened. It retries
//! nothing and decides nothing.

use std::future::Future;

use crate::drain::{ControllerRef, ControllerView, EvictAnswer, PodRef, PodView};
use crate::failure::{Failure, WriteOutcome};
use crate::journal::Journal;
use crate::lock::{LockPatch, LockView};
use crate::node::{NodeEvent, NodePatch, NodeView, NodesView};
pub use crate::reboot::{HostGates, Inhibitor, RebootAnswer, RebootReply, Start};
use crate::request::Requests;
use crate::shutdown::{ShutdownFacts, StopReason};

/// One question to the API server with the kubelet's credential. Every method may rebuild the client when a credential changed on disk.
pub trait Cluster {
    /// Reads the lock object. `None`: 404, its manifest is not applied.
    fn read_lock(&self) -> impl Future<Output = Result<Option<LockView>, Failure>>;
    /// Merge-patches annotations of the lock object under the patch's version. A patch with an empty version or "0" is not sent.
    fn patch_lock(&self, patch: &LockPatch) -> impl Future<Output = WriteOutcome<LockView>>;
    /// Watches the lock object from a version and calls `seen` with each state. Returns when the watch ends, for whatever reason:
    /// the caller reads again, never resumes. `Ok`: ended by its own time limit.
    fn watch_lock(
        &self,
        version: &str,
        seen: impl FnMut(Option<LockView>),
    ) -> impl Future<Output = Result<(), Failure>>;
    /// Reads the own Node. `None`: 404.
    fn read_node(&self) -> impl Future<Output = Result<Option<NodeView>, Failure>>;
    /// Merge-patches the own Node under the patch's version.
    fn patch_node(&self, patch: &NodePatch) -> impl Future<Output = WriteOutcome<NodeView>>;
    /// Whether another node's Node object exists. Needs `nodes get`, which a kubelet has not by itself: `Forbidden` otherwise.
    fn peer_exists(&self, node: &str) -> impl Future<Output = Result<bool, Failure>>;
    /// Lists the pods bound to this node, complete and fresh.
    fn list_pods(&self) -> impl Future<Output = Result<Vec<PodView>, Failure>>;
    /// Lists, then watches the pods bound to this node and calls `seen` with the complete list at first and after each change.
    /// Returns when the watch ends.
    fn watch_pods(
        &self,
        seen: impl FnMut(Vec<PodView>),
    ) -> impl Future<Output = Result<(), Failure>>;
    /// Looks at all Nodes, as far as their health goes. Needs `health.yaml`, for a kubelet may not list Nodes by itself: `Forbidden` or
    /// `Restricted` otherwise.
    fn list_nodes(&self) -> impl Future<Output = Result<NodesView, Failure>>;
    /// Reads a controller of pods. `None`: 404. Needs `guard.yaml`: `Forbidden` otherwise.
    fn read_controller(
        &self,
        controller: &ControllerRef,
    ) -> impl Future<Output = Result<Option<ControllerView>, Failure>>;
    /// Makes an Event about the own Node. One that is there already is left as it is.
    fn announce(&self, event: &NodeEvent) -> impl Future<Output = Result<(), Failure>>;
    /// Evicts one pod, with its UID as precondition and strict field validation.
    fn evict(&self, pod: &PodRef) -> impl Future<Output = EvictAnswer>;
}

/// logind, PID 1, and the files of this host.
pub trait Host {
    /// The four facts about a shutdown, asked on one connection.
    fn shutdown_facts(&self) -> impl Future<Output = ShutdownFacts>;
    /// Why our unit is being stopped.
    fn stop_reason(&self) -> impl Future<Output = StopReason>;
    /// When this boot began, seconds since the epoch by the clock as it is set now: a clock that is set later moves this too.
    fn boot_time(&self) -> impl Future<Output = Result<i64, Failure>>;
    /// Whether logind would reboot now, and who holds block inhibitors.
    fn gates(&self) -> impl Future<Output = Result<HostGates, Failure>>;
    /// Asks logind to reboot, checking inhibitors for root too where systemd can.
    fn reboot(&self) -> impl Future<Output = RebootAnswer>;
    /// Reads all sentinels afresh.
    fn sentinels(&self) -> impl Future<Output = Requests>;
    /// Which of these units are not active, each with its state.
    fn inactive_units(
        &self,
        units: &[String],
    ) -> impl Future<Output = Result<Vec<String>, Failure>>;
    /// Replaces the journal file atomically; returns after fsync of the file and its folder.
    fn write_journal(&self, journal: &Journal) -> impl Future<Output = Result<(), Failure>>;
}
