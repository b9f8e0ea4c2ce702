//! A kubelet: reports its Node, starts the pods that are bound to it, ends those that are told to go.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::NAMESPACE;
use super::object::{is_ready, is_terminating, name, node_of, now, set_ready, uid};
use crate::api::{Kind, Store};
use crate::host::{Host, Power};

/// Real ones report every ten seconds.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// How long pods take, in milliseconds, drawn anew for each.
#[derive(Debug, Clone)]
pub struct PodPace {
    /// From being bound to being Ready.
    pub start: Range<u64>,
    /// From being told to go to being gone.
    pub end: Range<u64>,
}

impl PodPace {
    /// For an audience.
    pub const DEMO: Self = Self {
        start: 300..800,
        end: 300..900,
    };
    /// For a test.
    pub const TEST: Self = Self {
        start: 30..80,
        end: 30..90,
    };
}

/// The kubelet of one host.
#[derive(Debug)]
pub(super) struct Kubelet {
    host: Host,
    pace: PodPace,
    rng: Rng,
    /// The boot that it has reported.
    reported: Option<String>,
    heartbeat: Instant,
    pods: HashMap<String, Doing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Starting(Instant),
    Running,
    Ending(Instant),
}

impl Kubelet {
    pub(super) fn new(host: Host, pace: PodPace, rng: Rng) -> Self {
        Self {
            host,
            pace,
            rng,
            reported: None,
            heartbeat: Instant::now(),
            pods: HashMap::new(),
        }
    }

    pub(super) fn step(&mut self, store: &Store) {
        let pods: Vec<Value> = store
            .list(Kind::Pod)
            .into_iter()
            .filter(|pod| node_of(pod) == self.host.name())
            .collect();
        match self.host.power() {
            Power::On if self.host.kubelet_runs() => {
                self.report(store);
                self.tend(store, &pods);
            }
            Power::On => {}
            Power::ShuttingDown => {
                self.leave(store, &pods);
                self.report_shutdown(store);
            }
            // A host that went down without a word is the node controller's to notice.
            Power::Off => self.leave(store, &pods),
        }
    }

    fn by(&self) -> String {
        format!("kubelet/{}", self.host.name())
    }

    fn draw(&mut self, range: &Range<u64>) -> Instant {
        Instant::now() + Duration::from_millis(self.rng.u64(range.clone()))
    }

    /// Brings the Node up to date: at once after a boot, then now and then.
    fn report(&mut self, store: &Store) {
        let boot = self.host.boot_id();
        if self.reported.as_ref() == Some(&boot) && self.heartbeat.elapsed() < HEARTBEAT {
            return;
        }
        let by = self.by();
        if store.get(Kind::Node, "", self.host.name()).is_none() {
            let name = self.host.name();
            let node = json!({
                "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
                "spec": {}, "status": {},
            });
            store
                .create(&by, Kind::Node, node)
                .expect("a Node can be registered");
        }
        store.update(&by, Kind::Node, "", self.host.name(), |node| {
            node["status"]["nodeInfo"]["bootID"] = json!(boot);
            let more = json!({"reason": "KubeletReady", "message": "kubelet is posting ready status", "lastHeartbeatTime": now()});
            set_ready(node, true, more);
        });
        self.reported = Some(boot);
        self.heartbeat = Instant::now();
    }

    fn report_shutdown(&self, store: &Store) {
        store.update(&self.by(), Kind::Node, "", self.host.name(), |node| {
            if is_ready(node) {
                let more = json!({"reason": "KubeletNotReady", "message": "node is shutting down", "lastHeartbeatTime": now()});
                set_ready(node, false, more);
            }
        });
    }

    /// Whatever still runs here stops with the host, and starts anew after the boot.
    fn leave(&mut self, store: &Store, pods: &[Value]) {
        self.pods.clear();
        for pod in pods.iter().filter(|pod| is_ready(pod)) {
            mark(store, "node-controller", pod, false);
        }
    }

    fn tend(&mut self, store: &Store, pods: &[Value]) {
        let by = self.by();
        self.pods
            .retain(|known, _| pods.iter().any(|pod| uid(pod) == known));
        for pod in pods {
            let (start, end) = (self.pace.start.clone(), self.pace.end.clone());
            let doing = self.pods.get(uid(pod)).copied();
            let next = match doing {
                Some(Doing::Ending(until)) => {
                    if until <= Instant::now() {
                        store.remove(&by, Kind::Pod, NAMESPACE, name(pod));
                    }
                    continue;
                }
                _ if is_terminating(pod) => Doing::Ending(self.draw(&end)),
                None => Doing::Starting(self.draw(&start)),
                Some(Doing::Starting(until)) if until <= Instant::now() => {
                    mark(store, &by, pod, true);
                    Doing::Running
                }
                Some(doing) => doing,
            };
            self.pods.insert(uid(pod).to_owned(), next);
        }
    }
}

fn mark(store: &Store, by: &str, pod: &Value, ready: bool) {
    store.update(by, Kind::Pod, NAMESPACE, name(pod), |pod| {
        pod["status"]["phase"] = json!("Running");
        set_ready(pod, ready, json!({"lastTransitionTime": now()}));
    });
}
