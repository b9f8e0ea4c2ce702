//! Keeps each app at its number of pods, and binds them to nodes that take pods, evenly.

use std::cmp::Reverse;

use fastrand::Rng;
use serde_json::{Value, json};

use super::object::{is_cordoned, is_ready, is_terminating, name, node_of};
use super::{App, NAMESPACE};
use crate::api::{Kind, Store};

/// The controllers of the apps, and the scheduler.
#[derive(Debug)]
pub(super) struct Keeper {
    rng: Rng,
}

impl Keeper {
    pub(super) fn new(rng: Rng) -> Self {
        Self { rng }
    }

    pub(super) fn step(&mut self, store: &Store, apps: &[App]) {
        let nodes = store.list(Kind::Node);
        for app in apps {
            self.keep(store, app, &nodes);
        }
        let mut takes = |node: &&Value| is_ready(node) && !is_cordoned(node);
        let open: Vec<&str> = nodes.iter().filter(&mut takes).map(name).collect();
        let unbound = |pod: &Value| node_of(pod).is_empty() && !is_terminating(pod);
        for pod in store.list(Kind::Pod).into_iter().filter(unbound) {
            if let Some(node) = self.place(store, apps, &pod, &open) {
                store.update("scheduler", Kind::Pod, NAMESPACE, name(&pod), |pod| {
                    pod["spec"]["nodeName"] = json!(node);
                });
            }
        }
    }

    /// The node with the fewest pods of this app, then with the fewest of all, then any.
    fn place(&mut self, store: &Store, apps: &[App], pod: &Value, open: &[&str]) -> Option<String> {
        let app = apps.iter().find(|app| app.owns(pod))?;
        let pods = store.list(Kind::Pod);
        let crowd = |node: &str| {
            let here = pods.iter().filter(|pod| node_of(pod) == node);
            let same = here.clone().filter(|pod| app.owns(pod)).count();
            (same, here.count())
        };
        let best = open
            .iter()
            .max_by_key(|node| (Reverse(crowd(node)), self.rng.u32(..)))?;
        Some((*best).to_owned())
    }

    /// Creates what is missing. Pods that are on their way out are replaced at once, as a ReplicaSet does.
    fn keep(&mut self, store: &Store, app: &App, nodes: &[Value]) {
        let pods = store.list(Kind::Pod);
        let own: Vec<&Value> = pods
            .iter()
            .filter(|pod| app.owns(pod) && !is_terminating(pod))
            .collect();
        let mut create = |node| {
            // Named here, so that a seed repeats the names too; one in 36^5 times the name is taken, and the next look tries again.
            let digits = std::iter::repeat_with(|| self.rng.digit(36));
            let name = format!("{}-{}", app.name(), digits.take(5).collect::<String>());
            let _taken = store.create("keeper", Kind::Pod, app.pod(&name, node));
        };
        if app.is_on_each_node() {
            for node in nodes.iter().map(name) {
                if !own.iter().any(|pod| node_of(pod) == node) {
                    create(Some(node));
                }
            }
        } else {
            for _ in own.len()..app.wanted(nodes.len()) {
                create(None);
            }
        }
    }
}
