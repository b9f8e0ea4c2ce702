//! The promises of the design, made precise, and what counts as a good end.
//!
//! They are judged by an observer who knows everything, at the moment when a write lands or a call is made. He excuses what
//! nobody could prevent: an operator who frees a slot or a cordon between the last read and the call, a shutdown that
//! begins after the facts were asked.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rollboot::journal::{Journal, Stage};
use rollboot::lock::{Entry, LockPatch, RESUMED};
use rollboot::node::{Cordon, HANDS_OFF, Marker, NodePatch};

use crate::names::NODES;
use crate::server::{THEIRS, names_ours};
use crate::world::{Host, Owner, Shutdown, World};

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Violation {
    /// An acquisition took effect while all slots were held.
    TooMany,
    /// A slot was taken on a lock that had lost its slots, by a node that was shown it before.
    AnotherLock,
    /// An acquisition took effect during a pause.
    AcquiredInPause,
    /// More nodes are down at our word than may be.
    TwoDown,
    /// A reboot was asked for without a slot.
    NoSlot,
    /// A reboot was asked for during a pause.
    AskedInPause,
    /// A reboot was asked for outside of the maintenance windows.
    AskedOutsideWindow,
    /// A reboot was asked for, or a cordon was set, although the gate on the cluster was closed at the last look, or nobody looked.
    PassedClosedGate,
    /// A reboot was asked for, or a pod evicted, by a node that only observes.
    ActedObserving,
    /// A reboot was asked for on a node without cordon.
    NotCordoned,
    /// A reboot was asked for although the last look at the Node was long ago.
    LookedLongAgo,
    /// A reboot was asked for before the pods were gone.
    NotDrained,
    /// A reboot was asked for before the journal said so.
    NotJournaled,
    /// The same request rebooted the node twice.
    Twice,
    /// A request counts as served, and no reboot came after it, nor was asked for.
    ServedUnrebooted,
    /// A cordon was lifted that somebody else had set.
    ForeignCordonLifted,
    /// What somebody else told an autoscaler was changed.
    ForeignNoticeChanged,
    /// What we told an autoscaler stays with no marker that says so.
    NoticeLeft,
    /// A cordon was lifted, or a slot released, while the host was going down.
    GaveUpGoingDown,
    /// A pod was evicted from a node without a cordon.
    EvictedUncordoned,
    /// A controller that wants several pods lost its last Ready one to an eviction.
    WentToZero,
    /// A pod was evicted while another node may drain too.
    TwoDraining,
    /// A cordon was lifted, or a slot released, while an eviction was on its way.
    EvictionInFlight,
    /// A slot was asked for, after a drain that failed, while a pod was still ending.
    EndingYet,
    /// A slot was released after a boot without proof of health.
    NoProof,
    /// A slot was taken by a node that was not Ready when it last looked.
    TakenNotReady,
    /// A cordon was lifted, or a slot released, by a node that a shutdown which was called off has left not Ready.
    LeftNotReady,
    /// "The reboot did not happen" was concluded while it was pending.
    Concluded,
    /// The machine was fed what it does not expect.
    Defect(String),
    /// The machine made a call while one was on its way.
    TwoCalls,
    /// The machine went on for ever by itself.
    Loop,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl World {
    /// There is a gate on the health of the cluster.
    fn gated(&self) -> bool {
        self.scenario.config.gates.max_not_ready.is_some()
    }

    /// The machine cordons its Node. A look before the slot was taken says nothing any more; nobody looks for a cordon that is
    /// only set again.
    pub(crate) fn judge_cordon(&mut self, at: usize) {
        let host = &self.hosts[at];
        let seen = host.ghost.health_seen;
        let marker = self.nodes[at]
            .as_ref()
            .and_then(|node| serde_json::from_str::<Marker>(node.marker.as_deref()?).ok());
        let again = marker.is_some_and(|marker| {
            let turn = host.journal.turn.as_ref().map(|turn| turn.id);
            Some(marker.turn) == turn && marker.cordon != Cordon::None
        });
        if self.gated() && !again && seen.is_none_or(|(open, _)| !open) {
            self.break_promise(Violation::PassedClosedGate);
        }
    }

    /// The machine sends a call to logind.
    pub(crate) fn judge_ask(&mut self, at: usize) {
        let host = &self.hosts[at];
        let turn = host.journal.turn.as_ref();
        let slot = self.slot_turn(at);
        let ghost = &host.ghost;
        let journaled = matches!(self.stage(at), Some(Stage::Rebooting))
            && host
                .journal
                .history
                .last()
                .is_some_and(|asked| Some(asked.turn) == turn.map(|turn| turn.id));
        let violation = if !ghost.slot_taken && (slot.is_none() || slot != turn.map(|t| t.id)) {
            Violation::NoSlot
        } else if self.paused() {
            Violation::AskedInPause
        } else if host.shut {
            Violation::AskedOutsideWindow
        } else if self.gated() && ghost.health_seen != Some((true, true)) {
            Violation::PassedClosedGate
        } else if host.observe {
            Violation::ActedObserving
        } else if !ghost.cordon_seen {
            Violation::NotCordoned
        } else if !ghost.node_seen_lately {
            Violation::LookedLongAgo
        } else if ghost.pods_seen {
            Violation::NotDrained
        } else if !journaled {
            Violation::NotJournaled
        } else {
            return;
        };
        self.break_promise(violation);
    }

    /// logind handles a call of ours: the host will go down.
    pub(crate) fn judge_reboot(&mut self, at: usize) {
        let host = &self.hosts[at];
        let call = host.bus_call.as_ref();
        let slot_taken = call.is_some_and(|call| call.slot_taken);
        let node_touched = call.is_some_and(|call| call.node_touched);
        let cordoned = self.nodes[at]
            .as_ref()
            .is_some_and(|node| node.cordon.is_some());
        let slot = self.slot_turn(at).is_some();
        let others = self.hosts.iter().enumerate();
        let down = others
            .filter(|(other, host)| *other != at && host.ghost.down)
            .count();
        let identity = host.ghost.asked_for.clone();
        let twice = identity
            .as_ref()
            .is_some_and(|identity| host.ghost.served.contains(identity));
        if !slot && !slot_taken {
            self.break_promise(Violation::NoSlot);
        }
        if !cordoned && !node_touched {
            self.break_promise(Violation::NotCordoned);
        }
        if down >= self.most && !self.forced {
            self.break_promise(Violation::TwoDown);
        }
        if twice {
            self.break_promise(Violation::Twice);
        }
        let ghost = self.ghost(at);
        ghost.down = true;
        ghost.served.extend(identity);
    }

    /// The machine writes its journal. What is in `/run` is younger than the boot, so it is served by nothing but an ask; an
    /// operator or a failure may latch it.
    pub(crate) fn judge_journal(&mut self, at: usize, journal: &Journal) {
        let host = &self.hosts[at];
        let Some(request) = &host.sentinel else {
            return;
        };
        let asks =
            (journal.turn.as_ref()).is_some_and(|turn| matches!(turn.stage, Stage::Rebooting));
        let served = |journal: &Journal| {
            let latch = journal
                .latch
                .iter()
                .filter(|latch| latch.why.starts_with("served"));
            let asked = journal.history.iter().map(|asked| &asked.requests);
            asked
                .chain(latch.map(|latch| &latch.requests))
                .any(|it| it.contains(request))
        };
        if !self.scenario.persistent && !asks && served(journal) && !served(&host.journal) {
            self.break_promise(Violation::ServedUnrebooted);
        }
    }

    /// The machine evicts a pod.
    pub(crate) fn judge_eviction(&mut self, at: usize) {
        let ghost = &self.hosts[at].ghost;
        let node = self.nodes[at].as_ref();
        let cordoned = node.is_some_and(|node| node.cordon.is_some()) || ghost.node_touched;
        let held = self.slot_turn(at).is_some() || ghost.slot_taken;
        let lock = self.lock.as_ref().map(|lock| lock.view());
        let shared = lock.is_some_and(|view| {
            let own = view.own_entry(NODES[at]).flatten();
            let silent = own.is_some_and(|entry| entry.draining == Some(false));
            silent || !view.others_draining(NODES[at]).is_empty()
        });
        if self.hosts[at].observe {
            self.break_promise(Violation::ActedObserving);
        } else if !cordoned {
            self.break_promise(Violation::EvictedUncordoned);
        } else if !held {
            self.break_promise(Violation::NoSlot);
        } else if shared && !self.forced && !ghost.slot_taken {
            self.break_promise(Violation::TwoDraining);
        }
    }

    /// The machine sends a write that takes a slot. One of an older version than the lock's, a stamp that is repeated above all,
    /// takes nothing.
    pub(crate) fn judge_acquisition(&mut self, at: usize, version: &str) {
        if self
            .lock
            .as_ref()
            .is_none_or(|lock| lock.version != version)
        {
            return;
        }
        // Whatever takes a slot again later was not looked at then.
        let ending = std::mem::take(&mut self.ghost(at).ending_seen);
        if ending && self.hosts[at].journal.failed.is_some() && self.slot_turn(at).is_none() {
            self.break_promise(Violation::EndingYet);
        }
    }

    /// The machine sends a write that gives up slots. Those of others are judged when they land.
    pub(crate) fn judge_release(&mut self, at: usize, patch: &LockPatch) {
        let own = format!("{}.rollboot.io/", crate::names::NODES[at]);
        let keeps =
            |(key, value): (&String, &Option<String>)| value.is_some() && key.starts_with(&own);
        if patch.annotations.iter().any(keeps) {
            return;
        }
        let held = self.lock.as_ref().is_some_and(|lock| {
            let mut keys = patch.annotations.iter();
            keys.any(|(key, value)| {
                value.is_none() && key.starts_with(&own) && lock.annotations.contains_key(key)
            })
        });
        if !held {
            return;
        }
        self.judge_uncordon(at);
        let host = &self.hosts[at];
        let other_boot = host.ghost.slot_boot.as_ref() != Some(&host.boot);
        if other_boot && host.ghost.unproven {
            self.break_promise(Violation::NoProof);
        }
    }

    /// The machine sends a write that lifts a cordon, or gives up a slot.
    pub(crate) fn judge_uncordon(&mut self, at: usize) {
        let host = &self.hosts[at];
        let ours = host.shutdown == Shutdown::Ours || host.bus_call.is_some();
        let foreign = host.shutdown == Shutdown::Foreign && !host.ghost.down_since_facts;
        let evicts = host.daemon.as_ref();
        if evicts.is_some_and(|daemon| !daemon.evicting.is_empty()) {
            self.break_promise(Violation::EvictionInFlight);
        } else if ours || foreign {
            self.break_promise(Violation::GaveUpGoingDown);
        } else if host.ghost.left && !host.ghost.ready_seen {
            self.break_promise(Violation::LeftNotReady);
        }
    }

    /// A write of the lock by a daemon takes effect.
    pub(crate) fn judge_lock_change(&mut self, from: usize, after: &BTreeMap<String, String>) {
        let Some(lock) = self.lock.clone() else {
            return;
        };
        let is_slot = |key: &&String| key.contains(".rollboot.io/");
        let held = lock.annotations.keys().filter(is_slot).count();
        let own = format!("{}.rollboot.io/", crate::names::NODES[from]);
        let mut gone = lock.annotations.keys().filter(is_slot);
        let gone = gone.find(|key| !key.starts_with(&own) && !after.contains_key(*key));
        let victim = gone.and_then(|key| crate::names::index(key.split_once('.')?.0));
        // A node that was removed from the cluster in its turn counts as down no more, even if it is back by now.
        self.forced |= victim.is_some_and(|victim| self.hosts[victim].ghost.removed);
        let mut keys = after.keys().filter(is_slot);
        if let Some(added) = keys.find(|key| !lock.annotations.contains_key(*key)) {
            if held >= self.max() {
                self.break_promise(Violation::TooMany);
            }
            if self.paused() {
                self.break_promise(Violation::AcquiredInPause);
            }
            let resumed = lock.annotations.get(RESUMED) == Some(&lock.uid);
            let (uid, turns) = (&lock.uid, lock.view().turns());
            let shown = self.hosts[from].ghost.shown.as_ref();
            if shown.is_none_or(|(known, most)| (known != uid && !resumed) || *most > turns) {
                self.break_promise(Violation::AnotherLock);
            }
            let entry = after.get(added).and_then(|value| Entry::parse(value));
            if !self.hosts[from].ghost.ready_before {
                self.break_promise(Violation::TakenNotReady);
            }
            let ghost = self.ghost(from);
            ghost.slot_boot = entry.map(|entry| entry.boot_id);
            ghost.removed = false;
        }
    }

    /// A read, a watch or a 200 shows a daemon the lock.
    pub(crate) fn show_lock(&mut self, at: usize) {
        let Some(view) = self.lock.as_ref().map(|lock| lock.view()) else {
            return;
        };
        let (uid, turns, resumed) = (view.uid.clone(), view.turns(), view.resumed());
        let shown = &mut self.ghost(at).shown;
        match shown {
            Some((known, most)) if *known == uid => *most = turns.max(*most),
            Some((_, most)) if !resumed || turns < *most => {}
            _ => *shown = Some((uid, turns)),
        }
    }

    /// Nodes that saw the lock first after it had lost slots, or no later than the state that it is in, cannot know.
    pub(crate) fn excuse_unknowing(&mut self) {
        let now = self.lock.as_ref().map(|lock| lock.view());
        let unknowing = |host: &Arc<Host>| match (&host.ghost.shown, &now) {
            (None, _) => true,
            (Some((uid, most)), Some(now)) => *uid == now.uid && *most <= now.turns(),
            (Some(_), None) => false,
        };
        self.forced |= self.lost && self.hosts.iter().any(unknowing);
    }

    /// A write of a Node by its daemon takes effect.
    pub(crate) fn judge_node_change(&mut self, at: usize, cordon: Option<Owner>) {
        let before = self.nodes[at].as_ref().and_then(|node| node.cordon);
        if before == Some(Owner::Foreign) && cordon.is_none() {
            self.break_promise(Violation::ForeignCordonLifted);
        }
    }

    /// A write of a Node by its daemon takes effect: what autoscalers are told, and by whom, is never in doubt.
    pub(crate) fn judge_hands_off(&mut self, at: usize, patch: &NodePatch) {
        let node = self.nodes[at].as_ref();
        let was = names_ours(node.and_then(|node| node.marker.as_deref()));
        let after = patch.marker.as_ref();
        let named = |name: &str| after.is_some_and(|marker| marker.hands_off.contains(name));
        if patch.hands_off.contains_key(THEIRS) || named(THEIRS) {
            self.break_promise(Violation::ForeignNoticeChanged);
        }
        let is = match patch.hands_off.get(HANDS_OFF[0]) {
            Some(set) => *set,
            None => was,
        };
        if is != named(HANDS_OFF[0]) {
            self.break_promise(Violation::NoticeLeft);
        }
    }

    /// No slot, no cordon or marker of ours, no turn in a journal: nothing is held that nobody needs.
    pub(crate) fn at_rest(&self) -> bool {
        self.holders().is_empty()
            && self.nodes.iter().flatten().all(|node| {
                node.deleting || (node.cordon != Some(Owner::Us) && node.marker.is_none())
            })
            && self.hosts.iter().all(|host| host.journal.turn.is_none())
    }

    /// At rest, everything up, and every request served or latched.
    pub(crate) fn is_good(&self) -> bool {
        self.at_rest()
            && self.nodes.iter().all(|node| {
                node.as_ref()
                    .is_some_and(|node| node.cordon.is_none() && node.ready && node.fresh)
            })
            && self.hosts.iter().all(|host| {
                let spent = host.journal.spent();
                let wanted = host.sentinel.as_ref().is_some_and(|s| !spent.contains(s));
                let running = host
                    .daemon
                    .as_ref()
                    .is_some_and(|d| d.op.is_none() && !d.stopping && !d.aborting);
                !wanted
                    && running
                    && !host.observe
                    && host.shutdown == Shutdown::No
                    && host.bus_call.is_none()
            })
    }

    /// Good, and every request that there was at the beginning got its reboot.
    pub(crate) fn is_served(&self) -> bool {
        let asking = self.scenario.asking;
        let mut hosts = self.hosts.iter().take(asking);
        self.is_good() && hosts.all(|host| !host.ghost.served.is_empty())
    }
}
