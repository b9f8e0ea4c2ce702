//! What can happen, each with a sentence, so that a counter-example reads like a story.

use std::fmt;

use rollboot::journal::Stage;
use rollboot::machine::{Label, Op, Timer};

use crate::names::NODES;
use crate::world::{LATE, Shutdown, Stray, TIMERS, World, Write};

/// Kinds of faults and of deeds of operators that a model may allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Lose,
    Refuse,
    Crash,
    Power,
    Sick,
    CallOff,
    Silence,
    DiskFull,
    DrainTimeout,
    WatchEnds,
    SlowRead,
    Heartbeat,
    LatePod,
    Unlock,
    Pause,
    Cordon,
    Uncordon,
    Shutdown,
    DeleteNode,
    Sentinel,
    Limits,
    Stop,
    Restart,
    Abort,
    DeleteLock,
    Hold,
    Observe,
    Window,
    Reclaim,
    BarePod,
}

impl Kind {
    /// Everything.
    pub(crate) const ALL: [Self; 30] = [
        Self::Lose,
        Self::Refuse,
        Self::Crash,
        Self::Power,
        Self::Sick,
        Self::CallOff,
        Self::Silence,
        Self::DiskFull,
        Self::DrainTimeout,
        Self::WatchEnds,
        Self::SlowRead,
        Self::Heartbeat,
        Self::LatePod,
        Self::Unlock,
        Self::Pause,
        Self::Cordon,
        Self::Uncordon,
        Self::Shutdown,
        Self::DeleteNode,
        Self::Sentinel,
        Self::Limits,
        Self::Stop,
        Self::Restart,
        Self::Abort,
        Self::DeleteLock,
        Self::Hold,
        Self::Observe,
        Self::Window,
        Self::Reclaim,
        Self::BarePod,
    ];

    /// An operator does it, with his own budget.
    pub(crate) fn is_operator(self) -> bool {
        self as u8 >= Self::Unlock as u8
    }
}

/// One step of the world. The number is the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Act {
    Serve(usize),
    ServeSlowly(usize),
    Lose(usize),
    Refuse(usize),
    Land(usize),
    Fire(usize, Timer),
    Streak(usize),
    Looks(usize),
    WatchSees(usize),
    WatchEnds(usize),
    PodsSee(usize),
    EvictAnswer(usize),
    EvictBlocked(usize),
    PodGone(usize),
    /// The controller of the pods.
    AppLooks,
    AppReplaces,
    LatePod(usize),
    BarePod(usize),
    BarePodGone(usize),
    CallHandled(usize),
    CallDropped(usize),
    Boot(usize),
    BootSick(usize),
    Kubelet(usize),
    Register(usize),
    Heal(usize),
    CallOff(usize),
    ForeignCallOff(usize),
    Crash(usize),
    Power(usize),
    Silence(usize),
    Speak(usize),
    DiskFull(usize),
    DiskFree(usize),
    Heartbeat(usize),
    Stop(usize),
    Kill(usize),
    StartUnit(usize),
    Restart(usize),
    Abort(usize),
    Unlock(usize),
    Pause,
    Unpause,
    Cordon(usize),
    Uncordon(usize),
    LiftForeign(usize),
    Shutdown(usize),
    DeleteNode(usize),
    MarkDeleting(usize),
    Deleted(usize),
    RecreateNode(usize),
    Hold(usize),
    Unhold(usize),
    Observe(usize),
    /// The maintenance window closes.
    Shut(usize),
    /// It opens.
    Open(usize),
    Act(usize),
    WriteSentinel(usize),
    RemoveSentinel(usize),
    Limit(u8),
    DeleteLock,
    CreateLock,
    Resume,
}

/// What a step may be relied on for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reliance {
    /// The answer to a call that is on its way.
    Answer,
    /// It happens if it is waited for.
    Sure,
    /// It happens if the operators put things right.
    Mended,
    /// It may happen or not.
    Chance,
}

impl Act {
    /// The host that it happens to.
    pub(crate) fn host(self) -> Option<usize> {
        match self {
            Self::Land(_)
            | Self::AppLooks
            | Self::AppReplaces
            | Self::Pause
            | Self::Unpause
            | Self::Limit(_)
            | Self::DeleteLock
            | Self::CreateLock
            | Self::Resume => None,
            Self::Fire(at, _) => Some(at),
            Self::Serve(at)
            | Self::ServeSlowly(at)
            | Self::Lose(at)
            | Self::Refuse(at)
            | Self::Streak(at)
            | Self::WatchSees(at)
            | Self::WatchEnds(at)
            | Self::PodsSee(at)
            | Self::EvictAnswer(at)
            | Self::EvictBlocked(at)
            | Self::PodGone(at)
            | Self::LatePod(at)
            | Self::BarePod(at)
            | Self::BarePodGone(at)
            | Self::CallHandled(at)
            | Self::CallDropped(at)
            | Self::Boot(at)
            | Self::BootSick(at)
            | Self::Kubelet(at)
            | Self::Register(at)
            | Self::Heal(at)
            | Self::CallOff(at)
            | Self::ForeignCallOff(at)
            | Self::Crash(at)
            | Self::Power(at)
            | Self::Silence(at)
            | Self::Speak(at)
            | Self::DiskFull(at)
            | Self::DiskFree(at)
            | Self::Heartbeat(at)
            | Self::Stop(at)
            | Self::Kill(at)
            | Self::StartUnit(at)
            | Self::Restart(at)
            | Self::Abort(at)
            | Self::Unlock(at)
            | Self::Cordon(at)
            | Self::Uncordon(at)
            | Self::LiftForeign(at)
            | Self::Shutdown(at)
            | Self::DeleteNode(at)
            | Self::RecreateNode(at)
            | Self::Hold(at)
            | Self::Unhold(at)
            | Self::Looks(at)
            | Self::Observe(at)
            | Self::Shut(at)
            | Self::Open(at)
            | Self::Act(at)
            | Self::MarkDeleting(at)
            | Self::Deleted(at)
            | Self::WriteSentinel(at)
            | Self::RemoveSentinel(at) => Some(at),
        }
    }

    pub(crate) fn reliance(self) -> Reliance {
        match self {
            Self::Serve(_) => Reliance::Answer,
            Self::Fire(..)
            | Self::Streak(_)
            | Self::WatchSees(_)
            | Self::PodsSee(_)
            | Self::EvictAnswer(_)
            | Self::PodGone(_)
            | Self::AppLooks
            | Self::AppReplaces
            | Self::CallDropped(_)
            | Self::Boot(_)
            | Self::Kubelet(_)
            | Self::Speak(_)
            | Self::DiskFree(_) => Reliance::Sure,
            Self::Heal(_)
            | Self::Register(_)
            | Self::BarePodGone(_)
            | Self::StartUnit(_)
            | Self::Unpause
            | Self::LiftForeign(_)
            | Self::Unhold(_)
            | Self::Act(_)
            | Self::Open(_)
            | Self::Deleted(_)
            | Self::CreateLock
            | Self::Resume => Reliance::Mended,
            Self::Limit(max) if max > 0 => Reliance::Mended,
            _ => Reliance::Chance,
        }
    }

    /// The budget that it takes from.
    pub(crate) fn kind(self) -> Option<Kind> {
        Some(match self {
            Self::ServeSlowly(_) => Kind::SlowRead,
            Self::Lose(_) => Kind::Lose,
            Self::Refuse(_) => Kind::Refuse,
            Self::Fire(_, Timer::Drain) => Kind::DrainTimeout,
            Self::WatchEnds(_) => Kind::WatchEnds,
            Self::EvictBlocked(_) => Kind::Refuse,
            Self::BootSick(_) => Kind::Sick,
            Self::CallOff(_) => Kind::CallOff,
            Self::Crash(_) | Self::Kill(_) => Kind::Crash,
            Self::Power(_) => Kind::Power,
            Self::Silence(_) => Kind::Silence,
            Self::DiskFull(_) => Kind::DiskFull,
            Self::Heartbeat(_) => Kind::Heartbeat,
            Self::Stop(_) => Kind::Stop,
            Self::Restart(_) => Kind::Restart,
            Self::Abort(_) => Kind::Abort,
            Self::Unlock(_) => Kind::Unlock,
            Self::Pause => Kind::Pause,
            Self::Cordon(_) => Kind::Cordon,
            Self::Uncordon(_) => Kind::Uncordon,
            Self::Shutdown(_) => Kind::Shutdown,
            Self::DeleteNode(_) | Self::MarkDeleting(_) | Self::RecreateNode(_) => Kind::DeleteNode,
            Self::Observe(_) => Kind::Observe,
            Self::Shut(_) => Kind::Window,
            Self::Hold(_) => Kind::Hold,
            Self::WriteSentinel(_) | Self::RemoveSentinel(_) => Kind::Sentinel,
            Self::Limit(_) => Kind::Limits,
            Self::DeleteLock => Kind::DeleteLock,
            Self::BarePod(_) => Kind::BarePod,
            Self::LatePod(_) => Kind::LatePod,
            _ => return None,
        })
    }
}

impl World {
    /// What can happen next.
    pub(crate) fn actions(&self, acts: &mut Vec<Act>) {
        if self.bad.is_some() {
            return;
        }
        let mut add = |act: Act| {
            let affordable = act.kind().is_none_or(|kind| {
                let left = if kind.is_operator() {
                    self.operators
                } else {
                    self.faults
                };
                // A limit is restored for free.
                let free = act == Act::Limit(self.scenario.max);
                free || (left > 0 && self.scenario.allows(kind))
            });
            if affordable {
                acts.push(act);
            }
        };
        for at in 0..self.hosts.len() {
            self.of_daemon(at, &mut add);
            self.of_host(at, &mut add);
            self.of_operators(at, &mut add);
        }
        for stray in 0..self.strays.len() {
            add(Act::Land(stray));
        }
        if self.app_lags() {
            add(Act::AppLooks);
        }
        if self.app.pending > 0 {
            add(Act::AppReplaces);
        }
        self.of_lock(&mut add);
    }

    fn of_daemon(&self, at: usize, add: &mut impl FnMut(Act)) {
        let Some(daemon) = &self.hosts[at].daemon else {
            return;
        };
        if let Some(op) = &daemon.op {
            add(Act::Serve(at));
            add(Act::Refuse(at));
            if matches!(op, Op::PatchLock(_) | Op::PatchNode(_) | Op::Reboot) {
                add(Act::Lose(at));
            }
            if matches!(op, Op::ReadLock) {
                add(Act::ServeSlowly(at));
            }
        }
        for timer in TIMERS {
            let wanted = daemon.timers.has(timer)
                && match timer {
                    Timer::Poll => false,
                    // Minutes pass: longer than the bus keeps a call.
                    Timer::Reclaim => {
                        let asking = (0..self.hosts.len()).any(|host| self.is_about_to_ask(host));
                        self.scenario.allows(Kind::Reclaim) && !asking
                    }
                    _ => true,
                };
            if wanted {
                add(Act::Fire(at, timer));
            }
        }
        if daemon.timers.has(Timer::Poll) && daemon.op.is_none() {
            if self.streak_completes(at) {
                add(Act::Streak(at));
            } else if !self.facts_are_clear(at) {
                add(Act::Looks(at));
            }
        }
        if let Some(seen) = &daemon.lock_watch {
            let version = self.lock.as_ref().map(|lock| lock.version.as_str());
            if version.unwrap_or_default() != seen {
                add(Act::WatchSees(at));
            }
            add(Act::WatchEnds(at));
        }
        let pods = self.nodes[at].as_ref().map(|node| &node.pods);
        if daemon.pods_watch && daemon.pods_seen.as_ref() != pods {
            add(Act::PodsSee(at));
        }
        if !daemon.evicting.is_empty() {
            add(Act::EvictAnswer(at));
            add(Act::EvictBlocked(at));
        }
        add(Act::Crash(at));
        if !daemon.stopping {
            add(Act::Stop(at));
            add(Act::Restart(at));
        }
        add(Act::Abort(at));
    }

    /// The facts stay clear for long enough. A daemon that has asked waits for longer than the bus keeps a call.
    fn streak_completes(&self, at: usize) -> bool {
        let host = &self.hosts[at];
        let machine = host.daemon.as_ref().and_then(|d| d.machine.as_ref());
        let asked = machine.is_some_and(|machine| machine.reason() == "logind was asked to reboot");
        let hasty = self.scenario.mutation == crate::scenario::Mutation::Hasty;
        self.facts_are_clear(at) && (!asked || host.bus_call.is_none() || hasty)
    }

    fn facts_are_clear(&self, at: usize) -> bool {
        let host = &self.hosts[at];
        host.shutdown == Shutdown::No && !host.silent
    }

    /// The final checks have seen Node and pods, or the call is on the bus: that takes seconds.
    fn is_about_to_ask(&self, at: usize) -> bool {
        let host = &self.hosts[at];
        let machine = host.daemon.as_ref().and_then(|d| d.machine.as_ref());
        let verified = self.stage(at) == Some(&Stage::Rebooting)
            && machine.is_some_and(|machine| machine.label() == Label::Drained);
        verified || host.bus_call.is_some()
    }

    fn of_host(&self, at: usize, add: &mut impl FnMut(Act)) {
        let host = &self.hosts[at];
        if host.bus_call.is_some() {
            let waited_for = host
                .daemon
                .as_ref()
                .is_some_and(|daemon| daemon.op == Some(Op::Reboot));
            if !waited_for {
                add(Act::CallHandled(at));
                add(Act::CallDropped(at));
            }
        }
        match host.shutdown {
            Shutdown::No => add(Act::Shutdown(at)),
            Shutdown::Ours => add(Act::CallOff(at)),
            Shutdown::Foreign => add(Act::ForeignCallOff(at)),
        }
        if host.shutdown != Shutdown::No {
            add(Act::Boot(at));
            add(Act::BootSick(at));
        }
        add(Act::Power(at));
        if self.kubelet_lags(at) && self.nodes[at].is_some() {
            add(Act::Kubelet(at));
        }
        if self.nodes[at].is_none() {
            add(Act::Register(at));
        }
        if host.sick {
            add(Act::Heal(at));
        }
        add(if host.silent {
            Act::Speak(at)
        } else {
            Act::Silence(at)
        });
        add(if host.disk_full {
            Act::DiskFree(at)
        } else {
            Act::DiskFull(at)
        });
        match &host.daemon {
            Some(daemon) if daemon.stopping => add(Act::Kill(at)),
            Some(_) => {}
            None if host.shutdown == Shutdown::No => add(Act::StartUnit(at)),
            None => {}
        }
    }

    fn of_operators(&self, at: usize, add: &mut impl FnMut(Act)) {
        if let Some(node) = &self.nodes[at] {
            use crate::world::Owner;
            match node.cordon {
                None => add(Act::Cordon(at)),
                Some(Owner::Us) => add(Act::Uncordon(at)),
                Some(Owner::Foreign) => add(Act::LiftForeign(at)),
            }
            add(Act::Heartbeat(at));
            add(if node.deleting {
                Act::Deleted(at)
            } else {
                Act::DeleteNode(at)
            });
            if !node.deleting {
                add(Act::MarkDeleting(at));
            }
            add(Act::RecreateNode(at));
            add(if node.hold {
                Act::Unhold(at)
            } else {
                Act::Hold(at)
            });
            let evicts = !self.scenario.pods.is_empty();
            if node.pods.iter().any(|pod| pod.bare) {
                add(Act::BarePodGone(at));
            } else if evicts {
                add(Act::BarePod(at));
            }
            if evicts && !node.pods.iter().any(|pod| pod.uid >= LATE) {
                add(Act::LatePod(at));
            }
            if node.pods.iter().any(|pod| pod.terminating) {
                add(Act::PodGone(at));
            }
        }
        add(if self.hosts[at].observe {
            Act::Act(at)
        } else {
            Act::Observe(at)
        });
        add(if self.hosts[at].shut {
            Act::Open(at)
        } else {
            Act::Shut(at)
        });
        add(Act::WriteSentinel(at));
        if self.hosts[at].sentinel.is_some() {
            add(Act::RemoveSentinel(at));
        }
        if self.holders().contains(&at) {
            add(Act::Unlock(at));
        }
    }

    fn of_lock(&self, add: &mut impl FnMut(Act)) {
        let Some(lock) = &self.lock else {
            add(Act::CreateLock);
            return;
        };
        add(if self.paused() {
            Act::Unpause
        } else {
            Act::Pause
        });
        let max = self.max();
        for limit in 0..=2 {
            if usize::from(limit) != max {
                add(Act::Limit(limit));
            }
        }
        add(Act::DeleteLock);
        let resumed = lock.annotations.get(rollboot::lock::RESUMED) == Some(&lock.uid);
        let strange = |at: &std::sync::Arc<crate::world::Host>| {
            at.journal
                .lock_uid
                .as_ref()
                .is_some_and(|uid| *uid != lock.uid)
        };
        if !resumed && self.hosts.iter().any(strange) {
            add(Act::Resume);
        }
    }

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
