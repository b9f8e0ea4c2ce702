//! Whether a roll was as promised.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::record::{Moment, Record};
use super::replay::{Replay, is_eviction};
use crate::api::Change;
use crate::cluster::object::{is_cordoned, is_ready, uid};
use crate::host::{Happened, Occurrence};

/// What was counted, and what was not as promised.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Nodes in all.
    pub nodes: usize,
    /// Nodes whose host was down and came up again.
    pub rebooted: usize,
    /// The most slots that were in the lock at any revision.
    pub max_in_turn: usize,
    /// Pods that were evicted.
    pub evicted: usize,
    /// How often the available pods of a budget fell below what it needs. From the moment on at which it was first met, every
    /// fall counts: nothing fails in this cluster, so whatever brings pods down is the roll's doing.
    pub budget_violations: usize,
    /// Pods that their controllers want and that are not Ready at the end.
    pub lost_pods: usize,
    /// What is not as promised, in sentences. Empty: all is.
    pub broken: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "demo: nodes={} rebooted={} max_in_turn={} evicted={} budget_violations={} lost_pods={}",
            self.nodes,
            self.rebooted,
            self.max_in_turn,
            self.evicted,
            self.budget_violations,
            self.lost_pods
        )
    }
}

/// Judges a roll.
pub fn judge(record: &Record) -> Verdict {
    let mut judge = Judge::new(record);
    for moment in record.moments() {
        match moment {
            Moment::Change(change) => judge.change(change),
            Moment::Occurrence(occurrence) => judge.occurrence(occurrence),
        }
    }
    judge.end()
}

struct Judge<'a> {
    record: &'a Record,
    replay: Replay,
    verdict: Verdict,
    /// How often each node was asked to reboot, and came up.
    asked: BTreeMap<&'a str, usize>,
    booted: BTreeMap<&'a str, usize>,
    boot_id: BTreeMap<&'a str, &'a str>,
    evicted: BTreeSet<String>,
    /// Budgets that were met once, and whether they are now.
    met: BTreeMap<String, bool>,
}

impl<'a> Judge<'a> {
    fn new(record: &'a Record) -> Self {
        Self {
            record,
            replay: Replay::default(),
            verdict: Verdict {
                nodes: record.nodes.len(),
                ..Verdict::default()
            },
            asked: BTreeMap::new(),
            booted: BTreeMap::new(),
            boot_id: BTreeMap::new(),
            evicted: BTreeSet::new(),
            met: BTreeMap::new(),
        }
    }

    fn broken(&mut self, what: String) {
        self.verdict.broken.push(what);
    }

    fn change(&mut self, change: &Change) {
        let holders = self.replay.holders.clone();
        let before = self.replay.apply(change);
        if is_eviction(change, before.as_ref()) {
            self.evicted.insert(uid(&change.object).to_owned());
        }
        let time = self.record.seconds(change.at);
        let held = self.replay.holders.len();
        if held > self.record.max && held > holders.len() {
            let names: Vec<_> = self.replay.holders.iter().cloned().collect();
            let (names, max) = (names.join(", "), self.record.max);
            self.broken(format!(
                "{time:.1} s: {held} slots were held ({names}), {max} may be"
            ));
        }
        self.verdict.max_in_turn = self.verdict.max_in_turn.max(held);
        let released: Vec<_> = holders.difference(&self.replay.holders).cloned().collect();
        for node in released {
            self.released(&node, time);
        }
        self.look_at_budgets(time);
    }

    /// After its reboot a node gives the turn on only when it is back and healthy.
    fn released(&mut self, node: &str, time: f64) {
        if !self.asked.contains_key(node) {
            return;
        }
        let object = self.replay.nodes.get(node);
        let ready = object.is_some_and(|object| {
            let boot_id = self.boot_id.get(node).copied();
            is_ready(object) && object["status"]["nodeInfo"]["bootID"].as_str() == boot_id
        });
        let back = self.booted.get(node).copied() > self.asked.get(node).copied();
        if !(ready && back) {
            self.broken(format!(
                "{time:.1} s: {node} gave its turn on before it was back and Ready"
            ));
        }
    }

    fn look_at_budgets(&mut self, time: f64) {
        let mut fell = Vec::new();
        for (name, budget) in &self.replay.budgets {
            let (healthy, needed) = self.replay.budget(budget);
            let now = healthy >= needed;
            match self.met.get_mut(name) {
                Some(met) => {
                    if *met && !now {
                        fell.push(format!(
                            "{time:.1} s: the budget {name} needs {needed} healthy pods and had {healthy}"
                        ));
                    }
                    *met = now;
                }
                None if now => _ = self.met.insert(name.clone(), true),
                None => {}
            }
        }
        self.verdict.budget_violations += fell.len();
        self.verdict.broken.extend(fell);
    }

    fn occurrence(&mut self, occurrence: &'a Occurrence) {
        let node = occurrence.node.as_str();
        let time = self.record.seconds(occurrence.at);
        match &occurrence.what {
            Happened::Up(id) => {
                *self.booted.entry(node).or_default() += 1;
                self.boot_id.insert(node, id);
            }
            Happened::Asked => {
                *self.asked.entry(node).or_default() += 1;
                let left = self.replay.undrained(node).join(", ");
                if !left.is_empty() {
                    self.broken(format!(
                        "{time:.1} s: {node} rebooted undrained, with {left}"
                    ));
                }
                if !self.replay.nodes.get(node).is_some_and(is_cordoned) {
                    self.broken(format!("{time:.1} s: {node} rebooted without a cordon"));
                }
                if !self.replay.holders.contains(node) {
                    self.broken(format!("{time:.1} s: {node} rebooted without the lock"));
                }
            }
            Happened::DaemonEnded(how) => {
                self.broken(format!("{time:.1} s: the daemon of {node} ended: {how}"));
            }
            Happened::Sentinel | Happened::Down => {}
        }
    }

    fn end(mut self) -> Verdict {
        for node in &self.record.nodes {
            let booted = self.booted.get(node.as_str()).copied().unwrap_or_default();
            let reboots = booted.saturating_sub(1);
            if reboots > 0 {
                self.verdict.rebooted += 1;
            }
            if reboots != 1 {
                self.broken(format!("{node} rebooted {reboots} times, not once"));
            }
        }
        let pods: Vec<_> = self.replay.pods.values().cloned().collect();
        for app in &self.record.apps {
            let wanted = app.wanted(self.record.nodes.len());
            let ready = |pod: &&serde_json::Value| app.owns(pod) && is_ready(pod);
            let ready = pods.iter().filter(ready).count();
            self.verdict.lost_pods += wanted.saturating_sub(ready);
            if ready < wanted {
                let name = app.name();
                self.broken(format!(
                    "at the end {name} has {ready} of {wanted} pods Ready"
                ));
            }
        }
        for node in self.replay.holders.clone() {
            self.broken(format!("at the end {node} still holds the lock"));
        }
        let left: Vec<_> = self
            .replay
            .nodes
            .iter()
            .filter(|(_, node)| is_cordoned(node))
            .collect();
        let left: Vec<_> = left.into_iter().map(|(name, _)| name.clone()).collect();
        for node in left {
            self.broken(format!("at the end {node} is still cordoned"));
        }
        self.verdict.evicted = self.evicted.len();
        self.verdict
    }
}

#[cfg(test)]
mod tests;
