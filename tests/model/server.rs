//! The API server: merge patches under a version, nothing else. A request without a waiting sender may land at any later time.

use rollboot::drain::PodRef;
use rollboot::failure::{Failure, FailureKind, WriteOutcome};
use rollboot::lock::{LockPatch, LockView};
use rollboot::machine::{Event, Op, Reply};
use rollboot::node::{
    HANDS_OFF, HANDS_OFF_VALUE, Marker, NodePatch, NodeView, NodesView, Notice, Readiness,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::daemon::{BOOT_TIME, failure};
use crate::names;
use crate::properties::Violation;
use crate::scenario::Mutation;
use crate::world::{Lock, Node, Owner, Stray, World, Write};

impl Lock {
    pub(crate) fn view(&self) -> LockView {
        LockView {
            uid: self.uid.clone(),
            version: self.version.clone(),
            annotations: self.annotations.clone(),
            data: self.data.clone(),
        }
    }
}

impl Node {
    pub(crate) fn view(&self) -> NodeView {
        NodeView {
            answered: None,
            uid: self.uid.clone(),
            version: self.version.clone(),
            unschedulable: self.cordon.is_some(),
            cordon_owned: self.cordon == Some(Owner::Us),
            marker: self.marker.clone(),
            hands_off: self.hands_off(),
            attached: BTreeSet::new(),
            in_use: BTreeSet::new(),
            hold: self.hold.then(|| "h".to_owned()),
            deleting: self.deleting,
            control_plane: false,
            boot_id: self.boot.clone(),
            ready: Readiness {
                ready: self.ready,
                heartbeat: Some(if self.fresh {
                    BOOT_TIME + 1
                } else {
                    BOOT_TIME - 1
                }),
                message: String::new(),
            },
        }
    }
}

/// The annotation for the one autoscaler is somebody else's on every Node.
pub(crate) const THEIRS: &str = HANDS_OFF[1];

impl Node {
    /// That for the other is there while the marker names it, which every write is judged by.
    fn hands_off(&self) -> BTreeMap<&'static str, Notice> {
        let theirs = Notice {
            value: HANDS_OFF_VALUE.to_owned(),
            owned: false,
        };
        let ours = Notice {
            owned: true,
            ..theirs.clone()
        };
        let set = names_ours(self.marker.as_deref()).then_some((HANDS_OFF[0], ours));
        set.into_iter().chain([(THEIRS, theirs)]).collect()
    }
}

/// Whether a marker says that it is this turn that keeps an autoscaler off.
pub(crate) fn names_ours(marker: Option<&str>) -> bool {
    let marker = marker.and_then(|text| serde_json::from_str::<Marker>(text).ok());
    marker.is_some_and(|marker| marker.hands_off.contains(HANDS_OFF[0]))
}

impl World {
    /// The server handles the request that a daemon waits for, and its reply arrives.
    pub(crate) fn serve(&mut self, at: usize, took: Duration) {
        let Some(op) = self.take_op(at) else {
            return;
        };
        let reply = match op {
            Op::ReadLock => {
                self.ghost(at).slot_taken = false;
                self.show_lock(at);
                Reply::Lock {
                    result: Ok(self.lock.as_ref().map(|lock| lock.view())),
                    took,
                }
            }
            Op::ReadNode => {
                let turn = self.hosts[at].journal.turn.as_ref();
                let uid = turn.map(|turn| turn.node_uid.clone());
                let node = self.nodes[at].clone();
                let ghost = self.ghost(at);
                ghost.ready_seen = node.as_ref().is_none_or(|node| node.ready || node.deleting);
                if uid.is_none() {
                    ghost.ready_before = ghost.ready_seen && node.is_some();
                }
                ghost.node_touched = false;
                ghost.node_seen_lately = true;
                ghost.cordon_seen = node
                    .as_ref()
                    .is_some_and(|node| node.cordon.is_some() && uid == Some(node.uid.clone()));
                Reply::Node(Ok(node.map(|node| node.view())))
            }
            Op::PatchLock(patch) => {
                let outcome = self.land_lock(at, &patch);
                if matches!(outcome, WriteOutcome::Applied(_)) {
                    self.show_lock(at);
                }
                Reply::LockWritten(outcome)
            }
            Op::PatchNode(patch) => Reply::NodeWritten(self.land_node(at, &patch)),
            Op::PeerExists(node) => {
                let exists = names::index(&node).is_some_and(|node| self.peer_exists(node));
                Reply::Peer(Ok(exists))
            }
            Op::ListNodes => Reply::Nodes(Ok(self.list_nodes(at))),
            Op::Reboot => return self.logind_answers(at),
            other => unreachable!("{other:?} is answered by the host"),
        };
        self.feed(at, Event::Reply(reply));
    }

    /// How the other nodes are, as one of them sees it.
    fn list_nodes(&mut self, at: usize) -> NodesView {
        let host = self.host(at);
        host.ghost.health_seen = Some((!host.trouble, host.ghost.cordon_seen));
        let trouble = host.trouble.then(|| "another".to_owned());
        NodesView {
            all: 9,
            not_ready: trouble.into_iter().collect(),
            control_plane: Vec::new(),
        }
    }

    fn peer_exists(&self, at: usize) -> bool {
        let Some(node) = &self.nodes[at] else {
            return false;
        };
        let turn = self.hosts[at].journal.turn.as_ref();
        self.scenario.mutation != Mutation::ReclaimOtherUid
            || turn.is_none_or(|turn| turn.node_uid == node.uid)
    }

    /// The call that a daemon waits for, which it waits for no more.
    pub(crate) fn take_op(&mut self, at: usize) -> Option<Op> {
        self.host(at).daemon.as_mut()?.op.take()
    }

    /// No reply arrives: a write, or the call of logind, may still land.
    pub(crate) fn lose(&mut self, at: usize) {
        self.orphan(at);
        let Some(op) = self.take_op(at) else {
            return;
        };
        let lost = failure(FailureKind::Timeout);
        let reply = match op {
            Op::PatchLock(_) => Reply::LockWritten(WriteOutcome::Unknown(lost)),
            Op::PatchNode(_) => Reply::NodeWritten(WriteOutcome::Unknown(lost)),
            Op::Reboot => return self.logind_is_silent(at),
            other => return self.refuse_op(at, &other),
        };
        self.feed(at, Event::Reply(reply));
    }

    /// The server answers with an error and does nothing; or a read fails.
    pub(crate) fn refuse(&mut self, at: usize) {
        if let Some(op) = self.take_op(at) {
            self.refuse_op(at, &op);
        }
    }

    fn refuse_op(&mut self, at: usize, op: &Op) {
        let unavailable = || failure(FailureKind::Unavailable);
        let reply = match op {
            Op::ReadLock => Reply::Lock {
                result: Err(unavailable()),
                took: Duration::ZERO,
            },
            Op::ReadNode => Reply::Node(Err(unavailable())),
            Op::PeerExists(_) => Reply::Peer(Err(unavailable())),
            Op::ListNodes => Reply::Nodes(Err(unavailable())),
            Op::PatchLock(_) => Reply::LockWritten(WriteOutcome::Refused(unavailable())),
            Op::PatchNode(_) => Reply::NodeWritten(WriteOutcome::Refused(unavailable())),
            Op::Reboot => return self.logind_refuses(at),
            other => unreachable!("{other:?} is answered by the host"),
        };
        self.feed(at, Event::Reply(reply));
    }

    /// A write that is on its way loses its sender.
    pub(crate) fn orphan(&mut self, at: usize) {
        let daemon = self.hosts[at].daemon.as_ref();
        let write = match daemon.and_then(|daemon| daemon.op.as_ref()) {
            Some(Op::PatchLock(patch)) => Write::Lock(patch.clone()),
            Some(Op::PatchNode(patch)) => Write::Node(patch.clone()),
            _ => return,
        };
        let stray = Stray { from: at, write };
        if !self.strays.contains(&stray) {
            self.strays.push(stray);
        }
    }

    /// A stray lands.
    pub(crate) fn land(&mut self, stray: usize) {
        let Stray { from, write } = self.strays.remove(stray);
        match write {
            Write::Lock(patch) => drop(self.land_lock(from, &patch)),
            Write::Node(patch) => drop(self.land_node(from, &patch)),
        }
    }

    /// Versions never come back: what was decided on an older one can do nothing any more.
    pub(crate) fn forget_void_strays(&mut self) {
        let mutation = self.scenario.mutation;
        let lock = self.lock.as_ref().map(|lock| lock.version.clone());
        let nodes = self.nodes.clone();
        self.strays.retain(|stray| match &stray.write {
            Write::Lock(patch) => {
                mutation == Mutation::LockUnconditional || lock.as_ref() == Some(&patch.version)
            }
            Write::Node(patch) => nodes[stray.from].as_ref().is_some_and(|node| {
                mutation == Mutation::NodeUnconditional || node.version == patch.version
            }),
        });
    }

    fn land_lock(&mut self, from: usize, patch: &LockPatch) -> WriteOutcome<LockView> {
        let Some(lock) = &self.lock else {
            return WriteOutcome::Refused(not_found());
        };
        let conditional = self.scenario.mutation != Mutation::LockUnconditional;
        if conditional && lock.version != patch.version {
            return WriteOutcome::Conflict;
        }
        let mut annotations = lock.annotations.clone();
        for (key, value) in &patch.annotations {
            match value {
                Some(value) => annotations.insert(key.clone(), value.clone()),
                None => annotations.remove(key),
            };
        }
        if annotations != lock.annotations {
            self.judge_lock_change(from, &annotations);
            self.change_lock(|lock| lock.annotations = annotations);
        }
        WriteOutcome::Applied(self.lock.as_ref().map(|lock| lock.view()).unwrap())
    }

    fn land_node(&mut self, from: usize, patch: &NodePatch) -> WriteOutcome<NodeView> {
        let Some(node) = &self.nodes[from] else {
            return WriteOutcome::Refused(not_found());
        };
        let conditional = self.scenario.mutation != Mutation::NodeUnconditional;
        if conditional && node.version != patch.version {
            return WriteOutcome::Conflict;
        }
        let marker = patch.marker.as_ref().map(Marker::encode);
        let cordon = match patch.unschedulable {
            Some(false) => None,
            // A value that is there already changes hands with nobody.
            Some(true) => node.cordon.or(Some(Owner::Us)),
            None => node.cordon,
        };
        if (&node.marker, node.cordon) != (&marker, cordon) {
            self.judge_node_change(from, cordon);
            self.judge_hands_off(from, patch);
            self.change_node(from, |node| {
                node.marker = marker;
                node.cordon = cordon;
            });
        }
        let node: Option<&Arc<Node>> = self.nodes[from].as_ref();
        WriteOutcome::Applied(node.map(|node| node.view()).unwrap())
    }

    /// The server accepts an eviction: the pod ends some time later.
    pub(crate) fn evict(&mut self, at: usize, pod: &PodRef) {
        let before = self.pods_ready();
        if let Some(node) = &mut self.nodes[at] {
            let pods = &mut Arc::make_mut(node).pods;
            for pod in pods.iter_mut().filter(|p| p.uid.to_string() == pod.uid) {
                pod.terminating = true;
            }
        }
        if self.scenario.wanted > 1 && before > 0 && self.pods_ready() == 0 {
            self.break_promise(Violation::WentToZero);
        }
    }
}

fn not_found() -> Failure {
    failure(FailureKind::NotFound)
}
