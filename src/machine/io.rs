//! What goes into the machine and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use crate::backoff::Delay;
use crate::config::Config;
use crate::drain::{ControllerRef, ControllerView, EvictAnswer, PodRef, PodView};
use crate::failure::{Failure, WriteOutcome};
use crate::journal::Journal;
use crate::lock::{LockPatch, LockView, TurnId};
use crate::node::{NodeEvent, NodePatch, NodeView, NodesView};
use crate::reboot::{HostGates, RebootAnswer};
use crate::request::Requests;
use crate::shutdown::{ShutdownFacts, StopReason};

/// Something to be asked or done outside. Each [`Op`] brings exactly one [`Reply`] of its kind, and the machine never has two
/// on their way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Op {
    /// Draw a random id.
    DrawId,
    /// The four facts about a shutdown.
    Facts,
    /// When this boot began, by the clock as it is set now.
    BootTime,
    /// `CanReboot` and block inhibitors.
    Gates,
    /// Look at the sentinels afresh.
    Sentinels,
    /// Which of these systemd units are not active.
    Units(Vec<String>),
    /// Replace the journal, fsync.
    WriteJournal(Box<Journal>),
    /// Ask logind to reboot.
    Reboot,
    /// Read the lock.
    ReadLock,
    /// Write the lock under a precondition.
    PatchLock(LockPatch),
    /// Read the own Node.
    ReadNode,
    /// Write the own Node under a precondition.
    PatchNode(NodePatch),
    /// Whether another node's Node object exists.
    PeerExists(String),
    /// List the pods of this node.
    ListPods,
    /// List all Nodes, for their health.
    ListNodes,
    /// Read a controller of pods.
    ReadController(ControllerRef),
}

/// The answer to an [`Op`] of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A random id.
    Id(TurnId),
    /// The facts, as far as they were answered.
    Facts(ShutdownFacts),
    /// Seconds since the epoch.
    BootTime(Result<i64, Failure>),
    /// What logind says.
    Gates(Result<HostGates, Failure>),
    /// The sentinels that are there.
    Sentinels(Requests),
    /// The units that are not active.
    Units(Result<Vec<String>, Failure>),
    /// Whether the journal is on disk.
    JournalWritten(Result<(), Failure>),
    /// What logind answered.
    Reboot(RebootAnswer),
    /// The lock, and how long the read took.
    Lock {
        /// `None`: there is no such object.
        result: Result<Option<LockView>, Failure>,
        /// Time from before the request was sent to the reply's arrival in the loop.
        took: Duration,
    },
    /// What became of the write.
    LockWritten(WriteOutcome<LockView>),
    /// The own Node. `None`: there is no such object.
    Node(Result<Option<NodeView>, Failure>),
    /// What became of the write.
    NodeWritten(WriteOutcome<NodeView>),
    /// Whether it exists.
    Peer(Result<bool, Failure>),
    /// The complete list.
    Pods(Result<Vec<PodView>, Failure>),
    /// Which Nodes are not Ready.
    Nodes(Result<NodesView, Failure>),
    /// The controller. `None`: there is no such object.
    Controller(Result<Option<ControllerView>, Failure>),
}

/// What the loop does for the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Carry out, then feed back the reply.
    Call(Op),
    /// Call [`Event::Timer`] once after the delay; an earlier timer of the same name is replaced.
    SetTimer(Timer, Delay),
    /// Forget a timer.
    CancelTimer(Timer),
    /// Watch the lock from a version and feed back what is seen, and the end.
    WatchLock(String),
    /// End that watch; nothing of it is fed back any more.
    UnwatchLock,
    /// List and watch the pods of this node and feed back what is seen, and the end.
    WatchPods,
    /// End that watch; nothing of it is fed back any more.
    UnwatchPods,
    /// Evict a pod, feed back the answer.
    Evict(PodRef),
    /// Ask PID 1 why the unit is being stopped, feed back [`Event::StopReason`].
    AskStopReason,
    /// Answer an operator's `abort`: done, or why not.
    AnswerAbort(Result<String, String>),
    /// Make an Event about the own Node. Nothing is fed back, and nothing depends on it.
    Announce(NodeEvent),
    /// Tell the operator.
    Report(Report, String),
    /// End the process.
    Exit,
}

/// What the machine reacts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The process has started. Comes first and once.
    Start,
    /// The answer to the call on its way.
    Reply(Reply),
    /// A timer fired.
    Timer(Timer),
    /// The sentinels were looked at.
    Sentinels(Requests),
    /// The watch of the lock has seen it. `None`: deleted.
    LockSeen(Option<LockView>),
    /// The watch of the lock ended.
    LockWatchEnded(Option<Failure>),
    /// The watch of the pods has seen them.
    PodsSeen(Vec<PodView>),
    /// The watch of the pods ended.
    PodsWatchEnded(Option<Failure>),
    /// The server answered an eviction.
    Evicted(PodRef, EvictAnswer),
    /// logind signalled a change about a shutdown, or the bus connection broke: ask again.
    ShutdownHint,
    /// SIGTERM.
    StopRequested,
    /// Why the unit is being stopped.
    StopReason(StopReason),
    /// An operator wants the turn undone.
    Abort,
    /// The configuration was read anew.
    Reload(Arc<Config>),
}

/// Timers by name; each exists at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// The sentinel has been unchanged for long enough.
    Settle,
    /// Repeat the call that failed or whose reply was lost.
    Retry,
    /// Look at the gates again.
    Attempt,
    /// Look for holders whose Node is gone.
    Reclaim,
    /// Look at lock and Node while nothing goes on.
    Look,
    /// The drain has taken too long.
    Drain,
    /// Retry blocked evictions.
    Evict,
    /// Read controllers again that are waited for.
    Guard,
    /// Look again, in a turn.
    Check,
    /// A round of the last checks has taken too long to be believed.
    Round,
    /// Ask for the shutdown facts again.
    Poll,
    /// The soak time is over.
    Soak,
}

/// Events that an operator finds in the journal by MESSAGE_ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Report {
    /// A turn begins: the slot is ours.
    Acquired,
    /// The node is cordoned.
    Cordoned,
    /// Evictions begin.
    DrainStarted,
    /// A controller loses its only pod for a while, as the configuration allows; or is gone.
    Interrupted,
    /// Controllers may not be read: budgets are all that is heeded.
    NotGuarded,
    /// Nothing evictable is left.
    Drained,
    /// A drain does not go on for now: who holds it up.
    DrainWaits,
    /// A pod should have ended and has not.
    PodStuck,
    /// The node reboots with volumes attached that were waited for.
    StillAttached,
    /// A turn failed and is being undone, and there is a pause before the next.
    TurnFailed,
    /// A turn is being undone for another reason.
    Undoing,
    /// The node is uncordoned and the slot is free, without a reboot.
    Undone,
    /// logind was asked to reboot.
    RebootAsked,
    /// logind was asked, and no reboot came of it.
    RebootDidNotHappen,
    /// Back after a boot; the proof is being collected.
    Recovering,
    /// Back, and not healthy: the slot is kept.
    NotHealthy,
    /// Healthy, uncordoned, slot free.
    Recovered,
    /// The slot was given up.
    Released,
    /// The lock object is another one than before.
    LockRecreated,
    /// The lock may not be used: its manifest is not applied.
    NotArmed,
    /// Waiting, and for what.
    Waiting,
    /// Only an operator or a new sentinel goes on.
    Latched,
    /// The host is going down.
    GoingDown,
    /// Another node's slot was reclaimed, or could only be by an operator.
    Reclaim,
    /// A call failed and is repeated.
    Retrying,
    /// The machine was fed what it does not expect: a defect.
    Defect,
}
