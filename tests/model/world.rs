//! What there is: the API server's objects, the hosts with their disks and daemons, the requests on their way.
//!
//! A step of a daemon is the production [`Machine::step`]; this file holds only what surrounds it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use rollboot::config::Config;
use rollboot::drain::PodRef;
use rollboot::journal::Journal;
use rollboot::lock::{Entry, LockPatch, TurnId};
use rollboot::machine::{Label, Machine, Op};
use rollboot::node::NodePatch;
use rollboot::request::Request;

use crate::app::App;
use crate::canon::Summary;
use crate::names;
use crate::properties::Violation;
use crate::scenario::Scenario;
use crate::timers::Timers;

/// The whole world. Parts that a step does not touch are shared with the state before.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) scenario: Arc<Scenario>,
    /// `None`: deleted, or not applied.
    pub(crate) lock: Option<Arc<Lock>>,
    pub(crate) nodes: Vec<Option<Arc<Node>>>,
    pub(crate) hosts: Vec<Arc<Host>>,
    /// The controller of all pods that have one.
    pub(crate) app: App,
    /// Writes whose sender no longer waits for them, and that may still land.
    pub(crate) strays: Vec<Stray>,
    /// Faults that may still happen.
    pub(crate) faults: u8,
    /// Things that operators may still do.
    pub(crate) operators: u8,
    /// An operator freed the slot of a live holder: more nodes than allowed may be down, by nature.
    pub(crate) forced: bool,
    /// Slots of the lock were lost, and no operator has accepted that.
    pub(crate) lost: bool,
    /// Lock and Nodes as they were when a backup was made.
    pub(crate) backup: Option<Backup>,
    /// The most slots that any limits so far allowed.
    pub(crate) most: usize,
    /// The first promise that was broken.
    pub(crate) bad: Option<Violation>,
    /// Counts what must be unique; no part of the state.
    pub(crate) next: u64,
}

/// What a backup of the API server's data holds.
#[derive(Debug, Clone, Hash)]
pub(crate) struct Backup {
    pub(crate) lock: Option<Arc<Lock>>,
    pub(crate) nodes: Vec<Option<Arc<Node>>>,
}

/// The ConfigMap.
#[derive(Debug, Clone, Hash)]
pub(crate) struct Lock {
    pub(crate) uid: String,
    pub(crate) version: String,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) data: BTreeMap<String, String>,
}

/// A Node object.
#[derive(Debug, Clone, Hash)]
pub(crate) struct Node {
    pub(crate) uid: String,
    pub(crate) version: String,
    /// Who set `spec.unschedulable`; `None`: it is false.
    pub(crate) cordon: Option<Owner>,
    pub(crate) marker: Option<String>,
    pub(crate) hold: bool,
    pub(crate) deleting: bool,
    pub(crate) boot: String,
    pub(crate) ready: bool,
    /// The heartbeat is of the boot that runs. Seconds are told from the start of that boot, so an older one is negative.
    pub(crate) fresh: bool,
    pub(crate) pods: Vec<Pod>,
}

/// Who owns `spec.unschedulable` by `managedFields`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    Us,
    Foreign,
}

/// Pods that come late have UIDs from here on; and the one that must not be evicted.
pub(crate) const LATE: u8 = 20;
pub(crate) const BARE: u8 = 9;

/// A pod on a node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Pod {
    pub(crate) uid: u8,
    pub(crate) terminating: bool,
    /// It has no controller and must not be evicted.
    pub(crate) bare: bool,
}

/// One machine.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    pub(crate) boot: String,
    /// What is on disk.
    pub(crate) journal: Journal,
    /// Writing it fails.
    pub(crate) disk_full: bool,
    pub(crate) sentinel: Option<Request>,
    /// How often it was written.
    pub(crate) written: u8,
    pub(crate) shutdown: Shutdown,
    /// A `Reboot` call that logind has not handled yet.
    pub(crate) bus_call: Option<BusCall>,
    /// PID 1 and logind do not answer.
    pub(crate) silent: bool,
    /// The kubelet does not become Ready in this boot until somebody mends it.
    pub(crate) sick: bool,
    /// The configuration says `mode = "observe"`.
    pub(crate) observe: bool,
    /// It is an hour at which no maintenance window is open.
    pub(crate) shut: bool,
    /// More of the nodes that it has nothing to do with are not Ready than its gate allows.
    pub(crate) trouble: bool,
    /// The daemon. `None`: it ended and systemd does not start it by itself, or the host is going down.
    pub(crate) daemon: Option<Daemon>,
    pub(crate) ghost: Ghost,
    /// Kept from one comparison to the next.
    pub(crate) summary: OnceLock<Summary>,
}

/// A shutdown that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Shutdown {
    No,
    /// A reboot that the daemon asked for.
    Ours,
    /// Somebody else's.
    Foreign,
}

/// A `Reboot` call on its way to logind.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct BusCall {
    /// Since it was sent, an operator took the slot away.
    pub(crate) slot_taken: bool,
    /// Since it was sent, somebody uncordoned or removed the Node.
    pub(crate) node_touched: bool,
}

/// A running process.
#[derive(Debug, Clone)]
pub(crate) struct Daemon {
    pub(crate) machine: Option<Machine>,
    /// The call that it waits for.
    pub(crate) op: Option<Op>,
    pub(crate) timers: Timers,
    /// The version of the lock that its watch has shown, if one runs.
    pub(crate) lock_watch: Option<String>,
    pub(crate) pods_watch: bool,
    /// The pods that its watch has shown last.
    pub(crate) pods_seen: Option<Vec<Pod>>,
    pub(crate) evicting: Vec<PodRef>,
    /// systemd has sent SIGTERM and starts it no more.
    pub(crate) stopping: bool,
    /// Its SIGTERM is part of a restart.
    pub(crate) restarting: bool,
    /// An operator waits for the answer to his `abort`.
    pub(crate) aborting: bool,
}

/// What an all-knowing observer remembers to judge the promises; no daemon sees it.
#[derive(Debug, Clone, Hash, Default)]
pub(crate) struct Ghost {
    /// Identities of requests that logind handled a reboot for.
    pub(crate) served: Vec<String>,
    /// The request that the daemon saw when it last looked.
    pub(crate) asked_for: Option<String>,
    /// logind was asked by us and the node was not seen healthy since.
    pub(crate) down: bool,
    /// The daemon has seen a shutdown in its turn, or has asked for it, since the node was last healthy; and it could say so on
    /// its disk.
    pub(crate) saw_down: bool,
    /// That shutdown was called off, and has left the node not Ready.
    pub(crate) left: bool,
    /// Whether the Node was Ready when the daemon last read it, if there was one; and when it last did so without a turn.
    pub(crate) ready_seen: bool,
    pub(crate) ready_before: bool,
    /// The node was not seen healthy since this boot.
    pub(crate) unproven: bool,
    /// Its Node did not exist at a moment of its turn.
    pub(crate) removed: bool,
    /// Since the daemon last read its Node, somebody uncordoned, re-created or removed it.
    pub(crate) node_touched: bool,
    /// Nothing took long since the daemon last read its Node.
    pub(crate) node_seen_lately: bool,
    /// The Node was cordoned, and the one of the turn, when the daemon last read it.
    pub(crate) cordon_seen: bool,
    /// Pods that had to go were on the Node when the daemon last listed them.
    pub(crate) pods_seen: bool,
    /// When the daemon last listed the Nodes, since it last wrote the lock: whether its gate was open, and whether it had seen
    /// its cordon by then.
    pub(crate) health_seen: Option<(bool, bool)>,
    /// Since the daemon last read the lock, an operator took its slot.
    pub(crate) slot_taken: bool,
    /// Since the daemon last asked for the facts, somebody's shutdown began.
    pub(crate) down_since_facts: bool,
    /// Boot in which the slot was acquired.
    pub(crate) slot_boot: Option<String>,
    /// The list of pods before the lock had one that was ending.
    pub(crate) ending_seen: bool,
    /// The lock that the daemon was shown, UID and highest number of turns; and so much of it as is on disk.
    pub(crate) shown: Option<(String, u64)>,
    pub(crate) noted: Option<(String, u64)>,
}

/// A write without a waiting sender.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Stray {
    pub(crate) from: usize,
    pub(crate) write: Write,
}

/// A conditional write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Write {
    Lock(LockPatch),
    Node(NodePatch),
}

impl World {
    /// Everything is up and healthy, every host has a sentinel, and the daemons have just started.
    pub(crate) fn new(scenario: Arc<Scenario>) -> Self {
        let count = scenario.nodes;
        let mut world = Self {
            lock: None,
            nodes: Vec::new(),
            hosts: Vec::new(),
            app: App {
                ready: 0,
                version: String::new(),
                pending: 0,
                elsewhere: 0,
                stirred: false,
            },
            strays: Vec::new(),
            faults: scenario.faults,
            operators: scenario.operators,
            forced: false,
            lost: false,
            backup: None,
            most: usize::from(scenario.max),
            bad: None,
            next: 1,
            scenario,
        };
        world.lock =
            (!world.scenario.unarmed).then(|| Arc::new(world.new_lock(world.scenario.max)));
        for name in 0..count {
            let boot = world.fresh(names::BOOT);
            let node = world.new_node(boot.clone(), true);
            world.nodes.push(Some(Arc::new(node)));
            world.hosts.push(Arc::new(Host {
                boot,
                journal: Journal::default(),
                disk_full: false,
                sentinel: (name < world.scenario.asking).then(|| world.request(0)),
                written: 0,
                shutdown: Shutdown::No,
                bus_call: None,
                silent: false,
                sick: false,
                observe: false,
                shut: false,
                trouble: false,
                daemon: None,
                ghost: Ghost::default(),
                summary: OnceLock::new(),
            }));
        }
        world.app.ready = world.pods_ready();
        world.app.version = world.fresh(names::VERSION);
        if world.scenario.garbage {
            world.scatter_garbage();
        }
        for host in 0..count {
            world.start(host);
        }
        world
    }

    /// Values that nobody can read stand where the first node's own should, and its journal is lost.
    fn scatter_garbage(&mut self) {
        self.change_node(0, |node| node.marker = Some("garbage".into()));
        self.change_lock(|lock| {
            for group in ["default", "old"] {
                let key = rollboot::lock::key(names::NODES[0], group);
                lock.annotations.insert(key, "garbage".into());
            }
        });
    }

    /// A name that nothing had before.
    pub(crate) fn fresh(&mut self, kind: u64) -> String {
        format!("{:016x}", self.fresh_number(kind))
    }

    pub(crate) fn fresh_number(&mut self, kind: u64) -> u64 {
        self.next += 1;
        names::TOKEN | kind << 40 | self.next
    }

    pub(crate) fn new_lock(&mut self, max: u8) -> Lock {
        Lock {
            uid: self.fresh(names::UID),
            version: self.fresh(names::VERSION),
            annotations: BTreeMap::new(),
            data: limits(max),
        }
    }

    pub(crate) fn new_node(&mut self, boot: String, healthy: bool) -> Node {
        Node {
            uid: self.fresh(names::UID),
            version: self.fresh(names::VERSION),
            cordon: None,
            marker: None,
            hold: false,
            deleting: false,
            boot,
            ready: healthy,
            fresh: healthy,
            pods: self.scenario.pods.clone(),
        }
    }

    pub(crate) fn host(&mut self, host: usize) -> &mut Host {
        let host = Arc::make_mut(&mut self.hosts[host]);
        host.summary = OnceLock::new();
        host
    }

    pub(crate) fn ghost(&mut self, host: usize) -> &mut Ghost {
        &mut self.host(host).ghost
    }

    /// Changes the lock object, which gets a new version. There must be one.
    pub(crate) fn change_lock(&mut self, change: impl FnOnce(&mut Lock)) {
        let version = self.fresh(names::VERSION);
        if let Some(lock) = &mut self.lock {
            let lock = Arc::make_mut(lock);
            change(lock);
            lock.version = version;
        }
    }

    /// Changes a Node object, which gets a new version. There must be one.
    pub(crate) fn change_node(&mut self, host: usize, change: impl FnOnce(&mut Node)) {
        let version = self.fresh(names::VERSION);
        if let Some(node) = &mut self.nodes[host] {
            let node = Arc::make_mut(node);
            change(node);
            node.version = version;
        }
    }

    /// The nodes that hold slots, by the keys alone.
    pub(crate) fn holders(&self) -> Vec<usize> {
        let Some(lock) = &self.lock else {
            return Vec::new();
        };
        let node = |key: &String| {
            let (node, _) = key.split_once(".rollboot.io/")?;
            names::index(node)
        };
        lock.annotations.keys().filter_map(node).collect()
    }

    /// The turn that a node's slot belongs to.
    pub(crate) fn slot_turn(&self, host: usize) -> Option<TurnId> {
        let lock = self.lock.as_ref()?;
        let prefix = format!("{}.rollboot.io/", names::NODES[host]);
        let (_, value) = lock
            .annotations
            .iter()
            .find(|(key, _)| key.starts_with(&prefix))?;
        Entry::parse(value).map(|entry| entry.turn)
    }

    /// How many slots the limits allow now.
    pub(crate) fn max(&self) -> usize {
        let read = |key| {
            let text = self.lock.as_ref()?.data.get(key)?;
            text.parse().ok()
        };
        let group = read("max.default").unwrap_or(1);
        group.min(read("max.total").unwrap_or(1))
    }

    /// Where a node stands, by its own word.
    pub(crate) fn label(&self, at: usize) -> Option<Label> {
        let daemon = self.hosts[at].daemon.as_ref()?;
        daemon.machine.as_ref().map(Machine::label)
    }

    pub(crate) fn paused(&self) -> bool {
        let lock = self.lock.as_ref();
        lock.is_some_and(|lock| lock.annotations.contains_key(rollboot::lock::PAUSE))
    }

    /// The one kind of sentinel, as it was written for the n-th time.
    pub(crate) fn request(&self, n: u8) -> Request {
        let folder = if self.scenario.persistent {
            "/"
        } else {
            "/run/"
        };
        Request {
            path: format!("{folder}s"),
            identity: format!("{n}"),
        }
    }

    pub(crate) fn break_promise(&mut self, violation: Violation) {
        self.bad.get_or_insert(violation);
    }

    /// The configuration of a host as it stands.
    pub(crate) fn config(&self, at: usize) -> Arc<Config> {
        if self.hosts[at].observe {
            Arc::clone(&self.scenario.observing)
        } else {
            Arc::clone(&self.scenario.config)
        }
    }
}

pub(crate) fn limits(max: u8) -> BTreeMap<String, String> {
    let max = max.to_string();
    BTreeMap::from([
        ("max.default".to_owned(), max.clone()),
        ("max.total".to_owned(), max),
    ])
}
