use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::api::{Kind, What};
use crate::cluster::App;

/// A history that is made by hand, one thing every tenth of a second.
struct Tape {
    at: Instant,
    record: Record,
}

impl Tape {
    fn new() -> Self {
        let at = Instant::now();
        let record = Record {
            began: at,
            ended: at,
            nodes: vec!["n1".to_owned(), "n2".to_owned()],
            max: 1,
            apps: vec![App::replicas("web", 2).with_budget(1)],
            changes: Vec::new(),
            occurrences: Vec::new(),
        };
        Self { at, record }
    }

    fn tick(&mut self) -> Instant {
        self.at += Duration::from_millis(100);
        self.record.ended = self.at;
        self.at
    }

    fn put(&mut self, by: &str, kind: Kind, what: What, object: Value) {
        let at = self.tick();
        self.record.changes.push(Change {
            revision: self.record.changes.len() as u64 + 1,
            at,
            by: by.to_owned(),
            kind,
            what,
            object,
        });
    }

    fn host(&mut self, node: &str, what: Happened) {
        let at = self.tick();
        let node = node.to_owned();
        self.record.occurrences.push(Occurrence { at, node, what });
    }

    fn lock(&mut self, holders: &[&str]) {
        let keys = holders
            .iter()
            .map(|node| format!("{node}.rollboot.io/default"));
        let mut annotations: serde_json::Map<_, _> = keys.map(|key| (key, json!("{}"))).collect();
        for key in ["rollboot.io/pause", "rollboot.io/turns"] {
            annotations.insert(key.to_owned(), json!("no slot"));
        }
        let lock = json!({"metadata": {"name": "rollboot", "annotations": annotations}});
        self.put("any", Kind::ConfigMap, What::Modified, lock);
    }

    fn node(&mut self, node: &str, cordoned: bool, boot: &str) {
        let object = json!({
            "metadata": {"name": node},
            "spec": {"unschedulable": cordoned},
            "status": {
                "nodeInfo": {"bootID": boot},
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        });
        self.put("kubelet", Kind::Node, What::Modified, object);
    }

    fn pod(&mut self, by: &str, what: What, name: &str, node: &str, going: bool) {
        let going = if going { json!("now") } else { Value::Null };
        let owner = App::replicas("web", 2).pod(name, None)["metadata"]["ownerReferences"].clone();
        let object = json!({
            "metadata": {
                "name": name, "uid": name, "labels": {"app": "web"},
                "ownerReferences": owner, "deletionTimestamp": going,
            },
            "spec": {"nodeName": node},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        });
        self.put(by, Kind::Pod, what, object);
    }

    fn move_pod(&mut self, from: &str, old: &str, to: &str, new: &str) {
        let by = format!("system:node:{from}");
        self.pod(&by, What::Modified, old, from, true);
        self.pod("kubelet", What::Modified, new, to, false);
        self.pod("kubelet", What::Deleted, old, from, true);
    }
}

/// A roll of two nodes as it should be; `disturb` is called at each named point and may put something in.
fn verdict(disturb: impl Fn(&mut Tape, &str)) -> Verdict {
    let mut tape = Tape::new();
    let at = |tape: &mut Tape, node: &str, point: &str| disturb(tape, &format!("{node} {point}"));
    let budget = json!({
        "metadata": {"name": "web"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    });
    tape.put("operator", Kind::PodDisruptionBudget, What::Added, budget);
    for node in ["n1", "n2"] {
        tape.host(node, Happened::Up(format!("{node}-first")));
        tape.node(node, false, &format!("{node}-first"));
        tape.pod("kubelet", What::Added, &format!("{node}-web"), node, false);
        tape.host(node, Happened::Sentinel);
    }
    for (node, other) in [("n1", "n2"), ("n2", "n1")] {
        let (first, second) = (format!("{node}-first"), format!("{node}-second"));
        tape.lock(&[node]);
        at(&mut tape, node, "locked");
        tape.node(node, true, &first);
        at(&mut tape, node, "cordoned");
        if node == "n2" {
            tape.move_pod(node, "n1-moved", other, "n1-back");
        }
        let moved = format!("{node}-moved");
        tape.move_pod(node, &format!("{node}-web"), other, &moved);
        at(&mut tape, node, "drained");
        tape.host(node, Happened::Asked);
        tape.host(node, Happened::Down);
        at(&mut tape, node, "down");
        tape.host(node, Happened::Up(second.clone()));
        at(&mut tape, node, "up");
        tape.node(node, true, &second);
        tape.node(node, false, &second);
        tape.lock(&[]);
        at(&mut tape, node, "over");
    }
    judge(&tape.record)
}

/// Just this is broken.
#[track_caller]
fn broken(what: &str, disturb: impl Fn(&mut Tape, &str)) -> Verdict {
    let verdict = verdict(disturb);
    let found = &verdict.broken;
    assert!(found.iter().any(|found| found.contains(what)), "{found:?}");
    verdict
}

#[test]
fn a_roll_as_it_should_be_breaks_nothing() {
    let verdict = verdict(|_, _| ());
    assert_eq!(verdict.broken, [""; 0]);
    assert_eq!(
        verdict.to_string(),
        "demo: nodes=2 rebooted=2 max_in_turn=1 evicted=3 budget_violations=0 lost_pods=0"
    );
}

#[test]
fn two_holders_are_noticed_at_the_very_revision() {
    let verdict = broken("2 slots were held (n1, n2), 1 may be", |tape, point| {
        if point == "n1 locked" {
            tape.lock(&["n1", "n2"]);
            tape.lock(&["n1"]);
        }
    });
    assert_eq!(verdict.max_in_turn, 2);
    assert_eq!(verdict.broken.len(), 1);
}

#[test]
fn a_budget_that_is_not_met_for_a_moment_is_noticed() {
    let verdict = broken(
        "the budget web needs 1 healthy pods and had 0",
        |tape, point| {
            if point == "n1 cordoned" {
                tape.pod("any", What::Deleted, "n2-web", "n2", false);
                tape.pod("system:node:n1", What::Modified, "n1-web", "n1", true);
                tape.pod("kubelet", What::Added, "n2-web", "n2", false);
            }
        },
    );
    assert_eq!(verdict.budget_violations, 1);
}

#[test]
fn pods_that_have_not_come_up_yet_violate_nothing() {
    let mut tape = Tape::new();
    let budget = json!({
        "metadata": {"name": "web"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    });
    tape.put("operator", Kind::PodDisruptionBudget, What::Added, budget);
    assert_eq!(judge(&tape.record).budget_violations, 0);
}

#[test]
fn a_reboot_with_a_pod_left_is_noticed() {
    let verdict = broken("n1 rebooted undrained, with late", |tape, point| {
        if point == "n1 drained" {
            tape.pod("kubelet", What::Added, "late", "n1", true);
        }
    });
    assert_eq!(verdict.broken.len(), 1, "{:?}", verdict.broken);
}

#[test]
fn a_reboot_without_cordon_or_lock_is_noticed() {
    broken("n2 rebooted without a cordon", |tape, point| {
        if point == "n2 drained" {
            tape.node("n2", false, "n2-first");
        }
    });
    broken("n2 rebooted without the lock", |tape, point| {
        if point == "n2 drained" {
            tape.lock(&[]);
        }
    });
}

#[test]
fn a_second_reboot_and_a_missing_one_are_noticed() {
    broken("n1 rebooted 2 times, not once", |tape, point| {
        if point == "n1 over" {
            tape.host("n1", Happened::Up("third".to_owned()));
        }
    });
    let mut tape = Tape::new();
    tape.host("n1", Happened::Up("first".to_owned()));
    let verdict = judge(&tape.record);
    assert_eq!(verdict.rebooted, 0);
    assert!(
        verdict
            .broken
            .contains(&"n1 rebooted 0 times, not once".to_owned())
    );
}

#[test]
fn a_turn_given_on_before_the_node_is_back_is_noticed() {
    for point in ["n1 down", "n1 up"] {
        broken(
            "n1 gave its turn on before it was back and Ready",
            |tape, now| {
                if now == point {
                    tape.lock(&[]);
                }
            },
        );
    }
}

#[test]
fn lost_pods_are_counted() {
    let verdict = broken("at the end web has 1 of 2 pods Ready", |tape, point| {
        if point == "n2 over" {
            tape.pod("any", What::Deleted, "n2-moved", "n1", false);
        }
    });
    assert_eq!(verdict.lost_pods, 1);
}

#[test]
fn what_is_left_behind_is_noticed() {
    broken("at the end n1 still holds the lock", |tape, point| {
        if point == "n2 over" {
            tape.lock(&["n1"]);
        }
    });
    broken("at the end n1 is still cordoned", |tape, point| {
        if point == "n1 over" {
            tape.node("n1", true, "n1-second");
        }
    });
    broken("the daemon of n2 ended: panicked", |tape, point| {
        if point == "n2 over" {
            tape.host("n2", Happened::DaemonEnded("panicked".to_owned()));
        }
    });
}
