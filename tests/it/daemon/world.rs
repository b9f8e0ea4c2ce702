//! One node's world in memory: the lock, the Node, its pods, logind and the disk.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use rollboot::drain::{ControllerRef, ControllerView, EvictAnswer, PodRef, PodView};
use rollboot::failure::{Failure, FailureKind, WriteOutcome};
use rollboot::journal::Journal;
use rollboot::lock::{LockPatch, LockView};
use rollboot::node::{NodeEvent, NodePatch, NodeView, NodesView, Readiness};
use rollboot::ports::{Cluster, Host, HostGates, RebootAnswer, RebootReply};
use rollboot::request::{Request, Requests};
use rollboot::shutdown::{Scheduled, ShutdownFacts, StopReason};
use tokio::sync::Notify;

use crate::pieces::{plenty, pod, write_node};

pub(crate) struct World {
    lock: RefCell<LockView>,
    node: RefCell<NodeView>,
    pods: RefCell<Vec<PodView>>,
    pods_changed: Notify,
    journal: RefCell<Journal>,
    requests: RefCell<Requests>,
    evicted: RefCell<Vec<String>>,
    announced: RefCell<Vec<String>>,
    boots: Cell<u32>,
    asked: Cell<u32>,
    lose: Cell<u32>,
    blocked: Cell<bool>,
}

/// What the server says of a budget that allows nothing.
const REFUSED: &str = "The disruption budget web needs 2 healthy pods and has 2 currently";

impl World {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            lock: RefCell::new(LockView {
                uid: "lock".into(),
                version: "1".into(),
                annotations: BTreeMap::new(),
                data: BTreeMap::new(),
            }),
            node: RefCell::new(NodeView {
                uid: "node".into(),
                version: "1".into(),
                boot_id: "boot-0".into(),
                ready: Readiness {
                    ready: true,
                    heartbeat: Some(1),
                    message: String::new(),
                },
                ..NodeView::default()
            }),
            pods: RefCell::default(),
            pods_changed: Notify::new(),
            journal: RefCell::default(),
            requests: RefCell::default(),
            evicted: RefCell::default(),
            announced: RefCell::default(),
            boots: Cell::new(0),
            asked: Cell::new(0),
            lose: Cell::new(0),
            blocked: Cell::new(false),
        })
    }

    pub(crate) fn boot_id(&self) -> String {
        format!("boot-{}", self.boots.get())
    }

    /// The host goes down and comes back, its kubelet reports, and what was in /run is gone.
    pub(crate) fn boot(&self) {
        self.boots.set(self.boots.get() + 1);
        self.requests.borrow_mut().clear();
        self.node.borrow_mut().boot_id = self.boot_id();
    }

    pub(crate) fn touch_sentinel(&self) {
        self.requests.borrow_mut().insert(Request {
            path: "/run/reboot-required".into(),
            identity: format!("written in {}", self.boot_id()),
        });
    }

    pub(crate) fn add_pod(&self, name: &str) {
        self.pods.borrow_mut().push(pod(name));
    }

    pub(crate) fn block_evictions(&self) {
        self.blocked.set(true);
    }

    pub(crate) fn lose_replies_to_lock_writes(&self, count: u32) {
        self.lose.set(count);
    }

    pub(crate) fn requests(&self) -> Requests {
        self.requests.borrow().clone()
    }

    pub(crate) fn journal(&self) -> Journal {
        self.journal.borrow().clone()
    }

    pub(crate) fn evicted(&self) -> Vec<String> {
        self.evicted.borrow().clone()
    }

    pub(crate) fn announced(&self) -> Vec<String> {
        self.announced.borrow().clone()
    }

    pub(crate) fn asked(&self) -> u32 {
        self.asked.get()
    }

    pub(crate) fn cordoned(&self) -> bool {
        self.node.borrow().unschedulable
    }

    pub(crate) fn holds_slot(&self) -> bool {
        !self.lock.borrow().own_keys("n1").is_empty()
    }

    pub(crate) fn lock_versions(&self) -> u32 {
        self.lock.borrow().version.parse().unwrap()
    }
}

fn next(version: &str) -> String {
    (version.parse::<u32>().unwrap() + 1).to_string()
}

impl Cluster for World {
    async fn read_lock(&self) -> Result<Option<LockView>, Failure> {
        Ok(Some(self.lock.borrow().clone()))
    }

    async fn patch_lock(&self, patch: &LockPatch) -> WriteOutcome<LockView> {
        let mut lock = self.lock.borrow_mut();
        if patch.version != lock.version {
            return WriteOutcome::Conflict;
        }
        for (key, value) in &patch.annotations {
            match value {
                Some(value) => lock.annotations.insert(key.clone(), value.clone()),
                None => lock.annotations.remove(key),
            };
        }
        lock.version = next(&lock.version);
        if self.lose.get() > 0 {
            self.lose.set(self.lose.get() - 1);
            return WriteOutcome::Unknown(Failure::new(FailureKind::Timeout, "no reply"));
        }
        WriteOutcome::Applied(lock.clone())
    }

    async fn watch_lock(&self, _: &str, _: impl FnMut(Option<LockView>)) -> Result<(), Failure> {
        std::future::pending().await
    }

    async fn read_node(&self) -> Result<Option<NodeView>, Failure> {
        Ok(Some(self.node.borrow().clone()))
    }

    async fn patch_node(&self, patch: &NodePatch) -> WriteOutcome<NodeView> {
        let mut node = self.node.borrow_mut();
        if patch.version != node.version {
            return WriteOutcome::Conflict;
        }
        write_node(&mut node, patch);
        WriteOutcome::Applied(node.clone())
    }

    async fn peer_exists(&self, _: &str) -> Result<bool, Failure> {
        Ok(true)
    }

    async fn list_pods(&self) -> Result<Vec<PodView>, Failure> {
        Ok(self.pods.borrow().clone())
    }

    async fn watch_pods(&self, mut seen: impl FnMut(Vec<PodView>)) -> Result<(), Failure> {
        loop {
            let changed = self.pods_changed.notified();
            seen(self.pods.borrow().clone());
            changed.await;
        }
    }

    async fn list_nodes(&self) -> Result<NodesView, Failure> {
        Ok(NodesView::default())
    }

    async fn read_controller(&self, of: &ControllerRef) -> Result<Option<ControllerView>, Failure> {
        Ok(Some(ControllerView {
            written: self.evicted.borrow().len().to_string().as_str().into(),
            ..plenty(of)
        }))
    }

    /// Never comes to an end: nothing may wait for it.
    async fn announce(&self, event: &NodeEvent) -> Result<(), Failure> {
        self.announced.borrow_mut().push(event.message.clone());
        std::future::pending().await
    }

    async fn evict(&self, pod: &PodRef) -> EvictAnswer {
        if self.blocked.get() {
            return EvictAnswer::Budget(REFUSED.into());
        }
        self.evicted.borrow_mut().push(pod.name.clone());
        self.pods.borrow_mut().retain(|other| other.pod != *pod);
        self.pods_changed.notify_waiters();
        EvictAnswer::Accepted
    }
}

impl Host for World {
    async fn shutdown_facts(&self) -> ShutdownFacts {
        ShutdownFacts {
            preparing: Some(false),
            job: Some(false),
            stopping: Some(false),
            scheduled: Some(Scheduled::default()),
            connection: 1,
        }
    }

    async fn stop_reason(&self) -> StopReason {
        StopReason::Stop
    }

    async fn boot_time(&self) -> Result<i64, Failure> {
        Ok(0)
    }

    async fn gates(&self) -> Result<HostGates, Failure> {
        Ok(HostGates {
            can_reboot: "yes".into(),
            ..HostGates::default()
        })
    }

    async fn reboot(&self) -> RebootAnswer {
        self.asked.set(self.asked.get() + 1);
        RebootAnswer {
            reply: RebootReply::Accepted,
            connection: 1,
        }
    }

    async fn sentinels(&self) -> Requests {
        self.requests()
    }

    async fn inactive_units(&self, _: &[String]) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }

    async fn write_journal(&self, journal: &Journal) -> Result<(), Failure> {
        self.journal.replace(journal.clone());
        Ok(())
    }
}
