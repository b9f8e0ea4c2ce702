//! A holder whose Node object is gone will never release. Its slot is reclaimed after ten minutes of continuous absence, if this
//! node may see that: it needs `nodes get`. Another UID is never a reason: the holder may be alive under a re-created Node.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Gate, Machine, Op, Out, Patience, Phase, Reply, Report, Timer};
use crate::backoff::Delay;
use crate::failure::{FailureKind, WriteOutcome};
use crate::lock::LockView;

/// Time between two looks; [`LOOKS`] in a row make ten minutes.
const INTERVAL: Duration = Duration::from_secs(200);
/// When a round is due and cannot be made.
const SOON: Duration = Duration::from_secs(10);
/// Looks in a row that must find no Node.
const LOOKS: u8 = 4;
/// Without the permission to look, somebody may grant it one day.
const NOT_ALLOWED: Duration = Duration::from_secs(3600);

/// For how long a holder's Node has not been there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Absence {
    /// Its slots, keys and values, as they have stood ever since: a holder that writes anew is alive.
    slots: Vec<(String, String)>,
    /// Looks in a row that found no Node.
    looks: u8,
}

/// Holders that are still to be looked at in this round.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Reclaim {
    queue: Vec<String>,
}

/// Reclaiming the slot of a node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Reclaiming {
    node: String,
}

impl Machine {
    /// Runs on whatever happens meanwhile: a watch may end more often than a round is due.
    pub(super) fn set_reclaim_timer(&mut self, out: &mut Out) {
        if !self.reclaim_set {
            self.next_round(out, INTERVAL);
        }
    }

    fn next_round(&mut self, out: &mut Out, wait: Duration) {
        self.reclaim_set = true;
        out.set(Timer::Reclaim, Delay::exactly(wait));
    }

    /// Begins a round: first the own Node, so that a server that finds nothing at all proves nothing.
    pub(super) fn on_reclaim_timer(&mut self, out: &mut Out) {
        self.reclaim_set = false;
        let waits = matches!(
            self.phase,
            Phase::Resting(_) | Phase::Checking(_) | Phase::Acquiring(_) | Phase::Starting(_)
        );
        let Phase::Resting(rest) = &mut self.phase else {
            if waits {
                self.next_round(out, SOON);
            }
            return;
        };
        if !rest.watching || !rest.is_for(&[Gate::Lock]) || self.call.is_some() {
            self.next_round(out, SOON);
            return;
        }
        let slots = self.lock.as_ref().map(LockView::slots).unwrap_or_default();
        // Each once, however many slots it has: a look counts as time that has passed.
        let holders: BTreeSet<_> = slots.into_iter().map(|slot| slot.node).collect();
        let lock = self.lock.as_ref();
        self.absent
            .retain(|node, absence| lock.is_some_and(|view| absence.slots == slots_of(view, node)));
        rest.reclaim.queue = holders.into_iter().collect();
        self.call(out, Op::ReadNode, Patience::Once);
    }

    pub(super) fn on_resting(&mut self, out: &mut Out, reply: &Reply) {
        let Phase::Resting(rest) = &mut self.phase else {
            return;
        };
        if rest.again {
            self.consider(out);
            return;
        }
        let mut wait = INTERVAL;
        match reply {
            Reply::Node(Ok(Some(_))) => {}
            Reply::Peer(result) => {
                let looked_at = rest.reclaim.queue.pop().unwrap_or_default();
                match result {
                    Ok(false) => {
                        let view = self.lock.as_ref();
                        let slots = view.map(|view| slots_of(view, &looked_at));
                        let slots = slots.unwrap_or_default();
                        let earlier = self.absent.get(&looked_at);
                        let looks = earlier
                            .filter(|absence| absence.slots == slots)
                            .map_or(1, |absence| absence.looks.saturating_add(1));
                        let absence = Absence { slots, looks };
                        self.absent.insert(looked_at.clone(), absence);
                        if looks >= LOOKS {
                            self.leave_rest_for_reclaim(out, looked_at);
                            return;
                        }
                    }
                    Ok(true) => {
                        self.absent.remove(&looked_at);
                    }
                    Err(failure) => {
                        self.absent.clear();
                        rest.reclaim.queue.clear();
                        // The node authorizer's words, where nothing grants `nodes get`.
                        if matches!(
                            failure.kind,
                            FailureKind::Forbidden | FailureKind::Restricted
                        ) {
                            wait = NOT_ALLOWED;
                        }
                    }
                }
            }
            _ => {
                self.absent.clear();
                rest.reclaim.queue.clear();
            }
        }
        let Phase::Resting(rest) = &self.phase else {
            return;
        };
        match rest.reclaim.queue.last().cloned() {
            Some(holder) => self.call(out, Op::PeerExists(holder), Patience::Once),
            None => self.next_round(out, wait),
        }
    }

    fn leave_rest_for_reclaim(&mut self, out: &mut Out, node: String) {
        self.leave_rest(out);
        self.phase = Phase::Reclaiming(Reclaiming { node });
        self.call(out, Op::ReadLock, Patience::Once);
    }

    pub(super) fn on_reclaiming(&mut self, out: &mut Out, reply: Reply) {
        let Phase::Reclaiming(reclaiming) = &self.phase else {
            return;
        };
        let node = reclaiming.node.clone();
        match reply {
            Reply::Lock {
                result: Ok(Some(view)),
                ..
            } => {
                // The very slots that were looked at: another turn of a node that is back is none of our business.
                let absence = self.absent.get(&node);
                let same = absence.is_some_and(|absence| absence.slots == slots_of(&view, &node));
                let keys = view.own_keys(&node);
                if keys.is_empty() || !same {
                    self.absent.remove(&node);
                    self.consider(out);
                    return;
                }
                let patch = view.patch(None, &keys);
                self.call(out, Op::PatchLock(patch), Patience::Once);
            }
            Reply::LockWritten(WriteOutcome::Applied(view)) => {
                out.report(
                    Report::Reclaim,
                    format!(
                        "the slot of {node} is free again: its Node has not existed for ten minutes"
                    ),
                );
                self.lock = Some(view);
                self.absent.remove(&node);
                self.consider(out);
            }
            Reply::LockWritten(WriteOutcome::Refused(failure)) => {
                let what = format!("the slot of {node} is stale: its Node is gone ({failure})");
                out.report(
                    Report::Reclaim,
                    format!("{what}; an operator can free it: rollboot unlock {node}"),
                );
                self.absent.remove(&node);
                self.next_round(out, NOT_ALLOWED);
                self.consider(out);
            }
            _ => self.consider(out),
        }
    }
}

/// The slots of a node, keys and values. The values are compared and never read.
fn slots_of(view: &LockView, node: &str) -> Vec<(String, String)> {
    view.own_keys(node)
        .into_iter()
        .filter_map(|key| view.annotations.get_key_value(&key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
