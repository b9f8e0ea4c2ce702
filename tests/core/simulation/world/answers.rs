//! What the world answers to the calls of the machine.

use std::time::Duration;

use rollboot::drain::ControllerView;
use rollboot::failure::{Failure, FailureKind, WriteOutcome};
use rollboot::lock::TurnId;
use rollboot::machine::{Op, Reply};
use rollboot::ports::{RebootAnswer, RebootReply};
use rollboot::shutdown::Scheduled;

use super::{World, next, plenty, write_node};

impl World {
    pub(super) fn answer(&mut self, op: Op) -> Reply {
        match op {
            Op::DrawId => {
                self.ids += 1;
                Reply::Id(TurnId(self.ids))
            }
            Op::Facts => Reply::Facts(self.facts.clone()),
            Op::BootTime => Reply::BootTime(Ok(5)),
            Op::Gates => Reply::Gates(if self.logind_answers {
                Ok(self.gates.clone())
            } else {
                Err(Failure::new(FailureKind::Timeout, "no answer"))
            }),
            Op::Sentinels => Reply::Sentinels(self.present.clone()),
            Op::Units(_) => Reply::Units(Ok(self.inactive.clone())),
            Op::WriteJournal(journal) => {
                self.journal = *journal;
                Reply::JournalWritten(Ok(()))
            }
            Op::Reboot => {
                let reply = if self.busy {
                    RebootReply::Busy
                } else {
                    // logind keeps this for good, also of a reboot that comes to nothing.
                    self.facts.scheduled = Some(Scheduled {
                        kind: "reboot".into(),
                        at: 0,
                    });
                    RebootReply::Accepted
                };
                Reply::Reboot(RebootAnswer {
                    reply,
                    connection: 1,
                })
            }
            Op::ReadLock => {
                let result = if self.failing_lock_reads > 0 {
                    self.failing_lock_reads -= 1;
                    Err(Failure::new(FailureKind::Unavailable, "no connection"))
                } else {
                    Ok(self.lock.clone())
                };
                let took = Duration::from_millis(5);
                Reply::Lock { result, took }
            }
            Op::PatchLock(patch) => Reply::LockWritten(match &mut self.lock {
                None => WriteOutcome::Refused(Failure::new(FailureKind::NotFound, "no lock")),
                Some(lock) if lock.version != patch.version => WriteOutcome::Conflict,
                Some(lock) => {
                    for (key, value) in patch.annotations {
                        match value {
                            Some(value) => lock.annotations.insert(key, value),
                            None => lock.annotations.remove(&key),
                        };
                    }
                    lock.version = next(&lock.version);
                    WriteOutcome::Applied(lock.clone())
                }
            }),
            Op::ReadNode => {
                self.node.answered = self.dated.then(|| self.now().as_second());
                Reply::Node(Ok(Some(self.node.clone())))
            }
            Op::PatchNode(_) if self.node_refuses => Reply::NodeWritten(WriteOutcome::Refused(
                Failure::new(FailureKind::Forbidden, "no"),
            )),
            Op::PatchNode(patch) if patch.version != self.node.version => {
                Reply::NodeWritten(WriteOutcome::Conflict)
            }
            Op::PatchNode(patch) => {
                write_node(&mut self.node, &patch);
                self.node.answered = self.dated.then(|| self.now().as_second());
                Reply::NodeWritten(WriteOutcome::Applied(self.node.clone()))
            }
            Op::PeerExists(node) => Reply::Peer(Ok(*self.peers.get(&node).unwrap_or(&true))),
            Op::ListPods => Reply::Pods(Ok(self.pods.clone())),
            Op::ListNodes => Reply::Nodes(self.nodes.clone()),
            Op::ReadController(_) if self.unguarded => {
                Reply::Controller(Err(Failure::new(FailureKind::Forbidden, "no")))
            }
            Op::ReadController(of) if self.missing.contains(&of.uid) => Reply::Controller(Ok(None)),
            Op::ReadController(of) => {
                let known = self.controllers.get(&of.uid).cloned();
                let view = known.unwrap_or_else(|| ControllerView {
                    written: self.evicted.len().to_string().as_str().into(),
                    ..plenty(&of)
                });
                Reply::Controller(Ok(Some(view)))
            }
        }
    }
}
