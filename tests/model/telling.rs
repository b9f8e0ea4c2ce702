//! Each step as a sentence, so that a counter-example reads like a story.

use std::fmt;

use rollboot::machine::Op;

use crate::actions::Act;
use crate::names::NODES;
use crate::world::{Stray, World, Write};

impl World {
    /// A sentence about a step, as seen from the state before it.
    pub(crate) fn tell(&self, act: Act) -> String {
        let what = |at: usize| {
            let op = self.hosts[at].daemon.as_ref().and_then(|d| d.op.as_ref());
            op.map_or_else(|| "nothing".to_owned(), text)
        };
        match act {
            Act::Serve(at) => format!("node {}: {} is answered", NODES[at], what(at)),
            Act::ServeSlowly(at) => format!("node {}: {} is answered slowly", NODES[at], what(at)),
            Act::Lose(at) => format!("node {}: the reply to {} is lost", NODES[at], what(at)),
            Act::Refuse(at) => format!("node {}: {} is refused", NODES[at], what(at)),
            Act::Land(stray) => {
                let Stray { from, write } = &self.strays[stray];
                let op = match write.clone() {
                    Write::Lock(patch) => Op::PatchLock(patch),
                    Write::Node(patch) => Op::PatchNode(patch),
                };
                format!("late, from node {}: {} lands", NODES[*from], text(&op))
            }
            other => format!("{other}"),
        }
    }
}

fn text(op: &Op) -> String {
    match op {
        Op::PatchLock(patch) => {
            let one = |(key, value): (&String, &Option<String>)| match value {
                Some(_) => format!("set {key}"),
                None => format!("remove {key}"),
            };
            let all: Vec<_> = patch.annotations.iter().map(one).collect();
            format!("the lock write ({})", all.join(", "))
        }
        Op::PatchNode(patch) => {
            let marker = patch.marker.as_ref().map(|marker| marker.cordon);
            let cordon = match patch.unschedulable {
                Some(true) => "cordon",
                Some(false) => "uncordon",
                None => "cordon untouched",
            };
            format!("the Node write ({cordon}, marker {marker:?})")
        }
        Op::Reboot => "the call of logind".to_owned(),
        other => format!("{other:?}"),
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, what) = match *self {
            Self::Fire(at, timer) => return write!(f, "node {}: timer {timer:?}", NODES[at]),
            Self::Streak(at) => (at, "the facts stay clear for long"),
            Self::Looks(at) => (at, "the facts are asked again and again"),
            Self::WatchSees(at) => (at, "the watch shows the lock"),
            Self::WatchEnds(at) => (at, "the watch of the lock ends"),
            Self::PodsSee(at) => (at, "the watch shows the pods"),
            Self::EvictAnswer(at) => (at, "an eviction is accepted"),
            Self::EvictBlocked(at) => (at, "a budget blocks an eviction"),
            Self::BarePod(at) => (at, "a pod without controller lands on it"),
            Self::LatePod(at) => (at, "the scheduler has bound one more pod to it"),
            Self::BarePodGone(at) => (at, "somebody deletes the pod without controller"),
            Self::PodGone(at) => (at, "a pod has ended"),
            Self::CallHandled(at) => (at, "logind handles a late call: the host will reboot"),
            Self::CallDropped(at) => (at, "the call never reaches logind"),
            Self::Boot(at) => (at, "the host goes down and boots"),
            Self::BootSick(at) => (at, "the host goes down, boots, and is not healthy"),
            Self::Kubelet(at) => (at, "the kubelet reports"),
            Self::Register(at) => (at, "the kubelet registers a new Node"),
            Self::LeftSick(at) => (
                at,
                "the shutdown is called off, and the kubelet does not take note",
            ),
            Self::Sicken(at) => (at, "something on the host breaks"),
            Self::Heal(at) => (at, "somebody mends the host"),
            Self::CallOff(at) => (at, "the reboot that logind accepted is cancelled"),
            Self::ForeignCallOff(at) => (at, "somebody calls his shutdown off"),
            Self::Crash(at) => (at, "the daemon is killed and started again"),
            Self::Power(at) => (at, "the power fails, the host boots"),
            Self::Silence(at) => (at, "the bus answers nothing"),
            Self::Speak(at) => (at, "the bus answers again"),
            Self::DiskFull(at) => (at, "the disk is full"),
            Self::DiskFree(at) => (at, "the disk has room again"),
            Self::Heartbeat(at) => (at, "somebody changes the Node a little"),
            Self::Stop(at) => (at, "systemctl stop"),
            Self::Kill(at) => (at, "systemd loses its patience and kills the daemon"),
            Self::StartUnit(at) => (at, "systemctl start"),
            Self::Restart(at) => (at, "systemctl restart"),
            Self::Abort(at) => (at, "rollboot abort"),
            Self::Unlock(at) => (at, "an operator frees its slot"),
            Self::Cordon(at) => (at, "somebody cordons it"),
            Self::Uncordon(at) => (at, "somebody lifts our cordon"),
            Self::LiftForeign(at) => (at, "somebody lifts his cordon"),
            Self::Shutdown(at) => (at, "somebody begins a shutdown"),
            Self::DeleteNode(at) => (at, "its Node is deleted"),
            Self::RecreateNode(at) => (at, "its Node is replaced by another"),
            Self::Hold(at) => (at, "an operator holds it"),
            Self::MarkDeleting(at) => (at, "its Node is being deleted, with finalizers"),
            Self::Deleted(at) => (
                at,
                "the last finalizer of its Node is gone, and so is the Node",
            ),
            Self::Observe(at) => (at, "the mode is now \"observe\""),
            Self::Shut(at) => (at, "the maintenance window closes"),
            Self::Open(at) => (at, "the maintenance window opens"),
            Self::Trouble(at) => (at, "too many other nodes are not Ready"),
            Self::Calm(at) => (at, "the other nodes are Ready again"),
            Self::Act(at) => (at, "the mode is \"reboot\" again"),
            Self::Unhold(at) => (at, "an operator lets it go"),
            Self::WriteSentinel(at) => (at, "its sentinel is written anew"),
            Self::RemoveSentinel(at) => (at, "its sentinel is removed"),
            Self::AppLooks => return f.write_str("the controller of the pods looks and writes"),
            Self::AppReplaces => return f.write_str("the replacements are ready elsewhere"),
            Self::Pause => return f.write_str("an operator pauses the roll"),
            Self::Unpause => return f.write_str("an operator resumes the roll"),
            Self::Limit(max) => return write!(f, "the limit is now {max}"),
            Self::DeleteLock => return f.write_str("the lock object is deleted"),
            Self::CreateLock => return f.write_str("the lock object is created"),
            Self::Wipe => return f.write_str("the lock is replaced by its manifest"),
            Self::Backup => return f.write_str("a backup is made"),
            Self::Restore => return f.write_str("the backup is taken into use"),
            Self::Resume => return f.write_str("an operator accepts the new lock object"),
            Self::Serve(_)
            | Self::ServeSlowly(_)
            | Self::Lose(_)
            | Self::Refuse(_)
            | Self::Land(_) => return write!(f, "{self:?}"),
        };
        write!(f, "node {}: {what}", NODES[at])
    }
}
