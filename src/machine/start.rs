//! The first thing after every start, and after anything that puts the state in doubt: void what may still be in flight, then
//! compute the state from facts.
//!
//! An earlier process may have sent writes that have not landed. Both objects are therefore really changed, under their
//! version, before anything is decided: first the lock, then the own Node. A late write then meets a newer version.

use std::collections::BTreeSet;

use super::{Machine, Op, Out, Patience, Phase, Reply, Report};
use crate::failure::WriteOutcome;
use crate::journal::{Outcome, Stage, Turn};
use crate::lock::{Entry, LockView, key};
use crate::node::{Cordon, Marker, NodePatch, NodeView};
use crate::request::Requests;
use crate::shutdown::GoingDown;

/// What the start has found so far.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Starting {
    pub(super) step: Step,
    /// The own slot, with our stamp, if we hold one.
    slot: Option<Entry>,
    /// The slot was only taken to void an acquisition that might still have landed.
    closing: bool,
    /// The own Node's UID, if it exists.
    node_uid: Option<String>,
    /// The own Node is this machine's: it has this boot's ID.
    proven: bool,
    /// Boot ID in a marker that we found although no turn is known.
    marker: Option<Marker>,
    /// Nothing went on, and nothing can be in flight: it is a look, and what it finds is written to only where the Node is proven.
    pub(super) look: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Facts,
    Stamp,
    Lock,
    /// The Node, before anything is written to a cluster that may not be this node's.
    Prove,
    /// It is not; looked at again later.
    Elsewhere(String),
    /// The entry that is being written.
    VoidLock(Entry),
    NoteLock,
    Node,
    VoidNode,
}

impl Machine {
    /// Begins anew from facts. No call is on its way, or its outcome does not matter because it will be void.
    pub(super) fn restart(&mut self, out: &mut Out) {
        self.phase = Phase::Starting(Starting {
            step: Step::Facts,
            slot: None,
            closing: false,
            node_uid: None,
            proven: false,
            marker: None,
            look: false,
        });
        self.set_look(out);
        self.expired = false;
        self.end_round(out);
        self.call(out, Op::Facts, Patience::Slow);
    }

    pub(super) fn on_starting(&mut self, out: &mut Out, reply: Reply) {
        let Phase::Starting(start) = &mut self.phase else {
            return;
        };
        match (&start.step, reply) {
            (Step::Facts, Reply::Facts(facts)) => match facts.judge(out.now) {
                GoingDown::No => self.starting(out, Step::Stamp, Op::DrawId),
                GoingDown::Yes | GoingDown::Unanswered => self.go_down(out, &facts),
            },
            // A new stamp each time: voiding must really change the object, also when this very process wrote it last.
            (Step::Stamp, Reply::Id(id)) => {
                self.stamp = id;
                self.starting(out, Step::Lock, Op::ReadLock);
            }
            (Step::Lock, Reply::Lock { result, .. }) => {
                self.void_lock(out, result.unwrap_or_default());
            }
            (Step::VoidLock(entry), Reply::LockWritten(outcome)) => match outcome {
                WriteOutcome::Applied(view) => {
                    start.slot = Some(entry.clone());
                    self.lock = Some(view);
                    self.starting(out, Step::Node, Op::ReadNode);
                }
                WriteOutcome::Conflict | WriteOutcome::Refused(_) | WriteOutcome::Unknown(_) => {
                    self.starting(out, Step::Lock, Op::ReadLock);
                }
            },
            (Step::Prove, Reply::Node(result)) => {
                self.prove_cluster(out, result.unwrap_or_default());
            }
            (Step::NoteLock, Reply::JournalWritten(_)) => self.decide_from_facts(out),
            (Step::Node, Reply::Node(result)) => self.void_node(out, result.unwrap_or_default()),
            (Step::VoidNode, Reply::NodeWritten(outcome)) => match outcome {
                WriteOutcome::Applied(_) => self.note_lock(out),
                WriteOutcome::Conflict | WriteOutcome::Refused(_) | WriteOutcome::Unknown(_) => {
                    self.starting(out, Step::Node, Op::ReadNode);
                }
            },
            (step, reply) => {
                let text = format!("{step:?} does not expect {reply:?}");
                out.report(Report::Defect, text);
            }
        }
    }

    fn starting(&mut self, out: &mut Out, step: Step, op: Op) {
        let patience = if self.turn().is_some() {
            Patience::Turn
        } else {
            Patience::Slow
        };
        if let Phase::Starting(start) = &mut self.phase {
            start.step = step;
        }
        self.call(out, op, patience);
    }

    /// Re-stamps an own entry; takes a slot, to give it up at once, if an acquisition of ours could still land.
    fn void_lock(&mut self, out: &mut Out, view: Option<LockView>) {
        let Phase::Starting(start) = &self.phase else {
            return;
        };
        let Some(view) = view else {
            // No lock object: nothing is held, and an acquisition that lands later finds a version that never comes back.
            self.lock = None;
            if !start.look {
                let text = format!(
                    "there is no ConfigMap {}/{}: this node only observes until lock.yaml is applied",
                    self.config.lock.namespace, self.config.lock.name
                );
                out.report(Report::NotArmed, text);
            }
            self.starting(out, Step::Node, Op::ReadNode);
            return;
        };
        let own_keys = view.own_keys(&self.host.node);
        let unsure = start.look || !self.is_the_lock_of_the_turn(Some(&view));
        let turn = self.journal.turn.as_ref();
        let writes = !own_keys.is_empty() || turn.is_some_and(|it| it.lock_version == view.version);
        if unsure && !start.proven && writes {
            self.lock = Some(view);
            self.starting(out, Step::Prove, Op::ReadNode);
            return;
        }
        // An operator has taken the slot, and waits until this node has seen it: our stamp would take it back.
        let revoked = turn.is_some() && own_keys.iter().any(|key| view.is_revoked(key));
        let (entry, patch) =
            if let Some(found) = view.own_entry(&self.host.node).filter(|_| !revoked) {
                let group = turn.map_or(self.config.lock.group.as_str(), |turn| &turn.group);
                let kept = own_keys
                    .iter()
                    .find(|key| {
                        view.annotations
                            .get(*key)
                            .is_some_and(|v| Entry::parse(v) == found)
                    })
                    .cloned()
                    .unwrap_or_else(|| key(&self.host.node, group));
                let others: Vec<_> = own_keys.into_iter().filter(|key| *key != kept).collect();
                let entry = self.restamped(found);
                let patch = view.patch(Some((kept, entry.encode())), &others);
                (entry, patch)
            } else if let Some(turn) = turn.filter(|turn| turn.lock_version == view.version) {
                let entry = self.entry(turn);
                let patch = view.take(key(&self.host.node, &turn.group), &entry);
                if let Phase::Starting(start) = &mut self.phase {
                    start.closing = true;
                }
                (entry, patch)
            } else {
                self.lock = Some(view);
                self.starting(out, Step::Node, Op::ReadNode);
                return;
            };
        self.lock = Some(view);
        self.starting(out, Step::VoidLock(entry), Op::PatchLock(patch));
    }

    /// A slot was found. Whether it is this node's says its Node.
    fn prove_cluster(&mut self, out: &mut Out, node: Option<NodeView>) {
        if self.is_elsewhere(out, node.as_ref()) {
            return;
        }
        // The Node of the turn is proof enough: after a boot the kubelet may not have reported yet.
        let of_the_turn =
            |node: &NodeView| self.turn().is_some_and(|turn| turn.node_uid == node.uid);
        let proven =
            node.is_some_and(|node| node.boot_id == self.host.boot_id || of_the_turn(&node));
        if let Phase::Starting(start) = &mut self.phase {
            start.proven = proven;
        }
        if proven {
            self.void_lock(out, self.lock.clone());
        } else if self.turn().is_some() {
            self.starting(out, Step::Node, Op::ReadNode);
        } else {
            self.consider(out);
        }
    }

    /// The own entry with our stamp. Turn, boot ID, Node UID and time stay those of the acquisition; what cannot be read is taken
    /// from the journal, and without one the boot counts as another, so that only a proof of health gives the slot up.
    fn restamped(&self, found: Option<Entry>) -> Entry {
        let known = found.or_else(|| self.turn().map(|turn| self.entry(turn)));
        known.map_or_else(
            || Entry {
                v: Entry::VERSION,
                turn: self.stamp,
                stamp: self.stamp,
                node_uid: String::new(),
                boot_id: String::new(),
                since: String::new(),
                draining: Some(false),
            },
            // A boot in the middle of a drain ends it for nobody else: what was not evicted is down, and controllers may count it.
            |entry| Entry {
                stamp: self.stamp,
                ..entry
            },
        )
    }

    /// The entry of a turn, with our stamp. Whether it drains it must find out first.
    pub(super) fn entry(&self, turn: &Turn) -> Entry {
        Entry {
            v: Entry::VERSION,
            turn: turn.id,
            stamp: self.stamp,
            node_uid: turn.node_uid.clone(),
            boot_id: turn.boot_id.clone(),
            since: turn.since.to_string(),
            draining: Some(false),
        }
    }

    /// Remembers which lock this is at first sight, so that a re-created one is never taken for a free one. Only where the Node
    /// proves that this is this machine's cluster: the lock of another would make the right one look re-created.
    fn note_lock(&mut self, out: &mut Out) {
        let Phase::Starting(start) = &mut self.phase else {
            return;
        };
        match &self.lock {
            Some(view) if start.proven => {
                let view = view.clone();
                start.step = Step::NoteLock;
                self.note(&view);
                self.set_look(out);
                // A folder that cannot be written stops the next turn, where it is told; it does not stop a recovery.
                self.write_journal(out, Patience::Once);
            }
            Some(_) | None => self.decide_from_facts(out),
        }
    }

    /// Writes our stamp into the marker, also on a Node that looks clean, unless there is nothing that could be in flight.
    fn void_node(&mut self, out: &mut Out, node: Option<NodeView>) {
        let turn = self.journal.turn.clone();
        let Phase::Starting(start) = &mut self.phase else {
            return;
        };
        start.node_uid = node.as_ref().map(|node| node.uid.clone());
        if self.is_elsewhere(out, node.as_ref()) {
            return;
        }
        let Phase::Starting(start) = &mut self.phase else {
            return;
        };
        let Some(node) = node else {
            self.note_lock(out);
            return;
        };
        start.proven = node.boot_id == self.host.boot_id;
        if start.look && !start.proven {
            self.note_lock(out);
            return;
        }
        let found = node.parsed_marker();
        // In the order in which the turn is taken from them, or the marker would be of another turn than the one that is undone.
        let known = start
            .slot
            .as_ref()
            .map(|slot| (slot.turn, slot.boot_id.clone()))
            .or_else(|| turn.map(|turn| (turn.id, turn.boot_id)))
            .or_else(|| {
                found
                    .as_ref()
                    .map(|marker| (marker.turn, marker.boot_id.clone()))
            })
            // A marker that nobody can read: replaced by one of ours, of a boot that is not this one, so that it goes with a proof.
            .or_else(|| node.marker.as_ref().map(|_| (self.stamp, String::new())));
        let Some((turn, boot_id)) = known else {
            self.note_lock(out);
            return;
        };
        let lifted_by_us = found
            .as_ref()
            .is_some_and(|marker| node.cordon_is_ours(marker.turn));
        let cordon = match (node.unschedulable, lifted_by_us) {
            (false, _) => Cordon::None,
            (true, true) => Cordon::Ours,
            (true, false) => Cordon::Foreign,
        };
        let marker = Marker {
            turn,
            stamp: self.stamp,
            boot_id,
            cordon,
            hands_off: BTreeSet::new(),
        };
        let patch = NodePatch::restamp(&node, marker);
        start.marker.clone_from(&patch.marker);
        self.starting(out, Step::VoidNode, Op::PatchNode(patch));
    }

    /// Everything earlier is void: the state follows from the slot, the journal, the marker and the boot ID.
    fn decide_from_facts(&mut self, out: &mut Out) {
        let Phase::Starting(Starting {
            slot,
            closing,
            node_uid,
            marker,
            ..
        }) = &self.phase
        else {
            return;
        };
        let (slot, closing, node_uid, marker) =
            (slot.clone(), *closing, node_uid.clone(), marker.clone());
        let journal_is_lost = self.restore_turn(out, slot.as_ref(), marker.as_ref());
        let Some(turn) = self.journal.turn.clone() else {
            self.consider(out);
            return;
        };
        if turn.boot_id != self.host.boot_id {
            if slot.is_none()
                && let Some(turn) = &mut self.journal.turn
            {
                // Somebody has taken the slot, so what others wait for is not at stake any more, only our cordon.
                turn.control_plane.clear();
            }
            self.recover(out);
            return;
        }
        let undo = |why: &str| Outcome::Again(why.to_owned());
        match turn.stage {
            Stage::Rebooting => self.asked_before(out),
            Stage::Undoing(outcome) => self.undo_again(out, outcome),
            Stage::Active if closing => {
                self.undo(out, undo("an acquisition without a reply was closed"));
            }
            Stage::Active if journal_is_lost => {
                self.undo(out, undo("the journal of this turn is lost"));
            }
            Stage::Active if slot.is_none() => {
                self.undo(
                    out,
                    Outcome::BackOff("the slot was taken from this node".into()),
                );
            }
            Stage::Active if node_uid.as_ref() != Some(&turn.node_uid) => {
                self.undo_drain(
                    out,
                    None,
                    undo("the Node object is gone, or is another one of the same name"),
                );
            }
            Stage::Active => self.cordon(out),
        }
    }

    /// A slot or a marker without a journal, or of another turn than the journal's: what they say is all there is to go by.
    fn restore_turn(&mut self, out: &Out, slot: Option<&Entry>, marker: Option<&Marker>) -> bool {
        let known = self.turn().map(|turn| turn.id);
        let found = match (slot, known, marker) {
            (Some(slot), known, _) if known != Some(slot.turn) => {
                (slot.turn, slot.boot_id.clone(), slot.node_uid.clone())
            }
            (None, None, Some(marker)) => (marker.turn, marker.boot_id.clone(), String::new()),
            (Some(_), _, _) | (None, Some(_), _) | (None, None, None) => return false,
        };
        let (id, boot_id, node_uid) = found;
        let had = self.journal.turn.take();
        self.journal.turn = Some(Turn {
            id,
            boot_id,
            node_uid,
            since: out.now,
            group: self.config.lock.group.clone(),
            lock_version: String::new(),
            requests: self.older_than_this_boot(had.as_ref()),
            // What was here before is not known; what is here now is looked at all the same.
            control_plane: Vec::new(),
            containers: BTreeSet::new(),
            daemon_sets: None,
            // Nor is that.
            shutdown: true,
            stage: Stage::Active,
        });
        true
    }

    /// Requests that the boot may have served which a turn without a journal has had. What is in /run did not exist before it, and
    /// what a turn of this boot (`had`) goes for has had none yet.
    fn older_than_this_boot(&self, had: Option<&Turn>) -> Requests {
        let in_run = |path: &str| path.starts_with("/run/") || path.starts_with("/var/run/");
        let waits = had.filter(|turn| turn.boot_id == self.host.boot_id);
        let mut older = self.wanted();
        older.retain(|request| {
            !in_run(&request.path) && waits.is_none_or(|turn| !turn.requests.contains(request))
        });
        older
    }
}
