//! Making the node safe to lose begins with a cordon. Also judges the own Node in a turn.

use std::collections::BTreeSet;

use super::gate::Blocked;
use super::look::Question;
use super::turn::Leave;
use super::{Machine, Op, Out, Patience, Phase, Reply, Report, Timer};
use crate::backoff::Delay;
use crate::config::{DrainMode, ForeignCordon};
use crate::drain::Drain;
use crate::failure::WriteOutcome;
use crate::journal::{Outcome, Turn};
use crate::node::{Cordon, Marker, NodePatch, NodeView};

/// Setting the cordon.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Cordoning {
    step: CordonStep,
    /// The drain that goes on afterwards, if one has begun.
    pub(super) drain: Option<Drain>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum CordonStep {
    Read,
    /// A gate may have closed since it was looked at before the lock. What is written if none has.
    Look(Question, NodePatch),
    Write,
}

/// What a look at the own Node means for a turn.
pub(super) enum Look {
    /// Cordoned, by us or by leave of the configuration.
    Cordoned,
    /// Write this, then look again.
    Write(NodePatch),
    /// Gone, another Node of the same name, or one with the marker of another turn, as a backup brings it back.
    Lost,
    Undo(Outcome),
}

impl Machine {
    /// The slot is ours: cordon.
    pub(super) fn cordon(&mut self, out: &mut Out) {
        out.set(Timer::Drain, Delay::exactly(self.config.drain.timeout));
        self.cordon_then(out, None);
    }

    pub(super) fn cordon_then(&mut self, out: &mut Out, drain: Option<Drain>) {
        self.phase = Phase::Cordoning(Cordoning {
            step: CordonStep::Read,
            drain,
        });
        self.call(out, Op::ReadNode, Patience::Turn);
    }

    pub(super) fn on_cordoning(&mut self, out: &mut Out, reply: Reply) {
        let Phase::Cordoning(cordoning) = &mut self.phase else {
            return;
        };
        match (cordoning.step.clone(), reply) {
            (CordonStep::Read, Reply::Node(result)) => {
                let drain = cordoning.drain.clone();
                let node = result.unwrap_or_default();
                let answered = node.as_ref().and_then(|node| node.answered);
                if let Some(outcome) = self.why_undo_now() {
                    self.undo_drain(out, drain.as_ref(), outcome);
                    return;
                }
                let begun = self.evictions_begun();
                match self.look_at_node(node.as_ref(), begun) {
                    Look::Cordoned => self.cordoned(out, answered, false),
                    Look::Lost => self.restart(out),
                    Look::Undo(outcome) => self.undo_drain(out, drain.as_ref(), outcome),
                    Look::Write(patch) => self.before_cordon(out, None, patch),
                }
            }
            (CordonStep::Look(question, patch), reply) => {
                let again = |blocked: Blocked| Outcome::Again(blocked.what);
                let closed = || self.closed_by(&reply).map(again);
                match self.why_undo_now().or_else(closed) {
                    Some(outcome) => self.undo_drain(out, None, outcome),
                    None => self.before_cordon(out, Some(question), patch),
                }
            }
            (CordonStep::Write, Reply::NodeWritten(outcome)) => match outcome {
                WriteOutcome::Applied(node) => {
                    out.report(Report::Cordoned, "the node is cordoned");
                    self.cordoned(out, node.answered, true);
                }
                WriteOutcome::Conflict | WriteOutcome::Refused(_) | WriteOutcome::Unknown(_) => {
                    cordoning.step = CordonStep::Read;
                    self.call(out, Op::ReadNode, Patience::Turn);
                }
            },
            (step, reply) => {
                out.report(
                    Report::Defect,
                    format!("{step:?} does not expect {reply:?}"),
                );
            }
        }
    }

    /// Asks the next question about a gate, or writes: the version in the patch makes sure that the Node is still what it was.
    /// A node that was cordoned before has looked, and goes on with its drain: it looks again right before the reboot.
    fn before_cordon(&mut self, out: &mut Out, after: Option<Question>, patch: NodePatch) {
        let Phase::Cordoning(cordoning) = &mut self.phase else {
            return;
        };
        let begins = cordoning.drain.is_none();
        let question = self.next_question(after, false).filter(|_| begins);
        let (step, op, patience) = match question {
            Some(question) => {
                let step = CordonStep::Look(question, patch);
                (step, question.op(), Patience::Once)
            }
            None => (CordonStep::Write, Op::PatchNode(patch), Patience::Turn),
        };
        if let Phase::Cordoning(cordoning) = &mut self.phase {
            cordoning.step = step;
        }
        self.call(out, op, patience);
    }

    /// A flag changed. A write that is only being repeated because it was refused is not waited for.
    pub(super) fn cordon_look(&mut self, out: &mut Out) {
        if self.can_drop_call()
            && let Some(outcome) = self.why_undo_now()
        {
            self.call = None;
            let drain = match &mut self.phase {
                Phase::Cordoning(cordoning) => cordoning.drain.take(),
                _ => None,
            };
            self.undo_drain(out, drain.as_ref(), outcome);
        }
    }

    /// A backup brought back a Node in an earlier turn: a start finds out whose cordon it is.
    pub(super) fn is_of_another_turn(&self, node: Option<&NodeView>) -> bool {
        let marker = node.and_then(NodeView::parsed_marker);
        marker
            .zip(self.turn())
            .is_some_and(|(marker, turn)| marker.turn != turn.id)
    }

    /// Judges the own Node in a turn.
    pub(super) fn look_at_node(&self, node: Option<&NodeView>, evictions_begun: bool) -> Look {
        let (Some(node), Some(turn)) = (node, self.turn()) else {
            return Look::Lost;
        };
        if node.uid != turn.node_uid || self.is_of_another_turn(Some(node)) {
            return Look::Lost;
        }
        if node.deleting {
            return Look::Undo(Outcome::Again("the Node is being deleted".into()));
        }
        if let Some(reason) = &node.hold {
            return Look::Undo(Outcome::Again(format!("held by an operator: {reason}")));
        }
        if !node.unschedulable {
            return Look::Write(self.cordon_patch(node, turn, Cordon::Ours, Some(true)));
        }
        if node.cordon_is_ours(turn.id) {
            return Look::Cordoned;
        }
        // Somebody else's. After the first eviction it no longer matters for this turn: it is left as it is.
        let proceed = self.config.drain.foreign_cordon == ForeignCordon::Proceed;
        if !evictions_begun && !proceed {
            return Look::Undo(Outcome::Again(
                "somebody else has cordoned this node".into(),
            ));
        }
        let marked = node.parsed_marker();
        if marked.is_some_and(|marker| marker.cordon == Cordon::Foreign) {
            return Look::Cordoned;
        }
        Look::Write(self.cordon_patch(node, turn, Cordon::Foreign, None))
    }

    fn cordon_patch(
        &self,
        node: &NodeView,
        turn: &Turn,
        cordon: Cordon,
        unschedulable: Option<bool>,
    ) -> NodePatch {
        let marker = Marker {
            turn: turn.id,
            stamp: self.stamp,
            boot_id: turn.boot_id.clone(),
            cordon,
            hands_off: BTreeSet::new(),
        };
        NodePatch::mark(node, marker, unschedulable)
    }

    /// The node is cordoned, by an answer of this time. `anew`: by our own write.
    fn cordoned(&mut self, out: &mut Out, answered: Option<i64>, anew: bool) {
        let Phase::Cordoning(cordoning) = &mut self.phase else {
            return;
        };
        let begun = cordoning.drain.take();
        if let Some(outcome) = self.why_undo_now() {
            self.undo_drain(out, begun.as_ref(), outcome);
            return;
        }
        let mut drain = begun.unwrap_or_else(|| self.new_drain());
        drain.cordoned(answered, anew);
        if self.config.drain.mode == DrainMode::None && self.owes_a_look(&drain) {
            self.close_drain(out, drain, Leave::Verify);
        } else if self.config.drain.mode == DrainMode::None {
            self.drained(out, drain);
        } else if self.may_not_drain() {
            // With a pause: what comes after each drain would have the pods of this node moved again and again.
            let why = "this node has said that its drain is over, and another may drain by now";
            self.undo_drain(out, Some(&drain), Outcome::BackOff(why.into()));
        } else {
            self.drain(out, drain);
        }
    }
}
