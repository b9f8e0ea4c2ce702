//! What can happen: its kinds, and whom and what each depends on.

use rollboot::machine::Timer;

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
    Gate,
    Reclaim,
    BarePod,
    Wipe,
    Restore,
    Look,
}

impl Kind {
    /// Everything.
    pub(crate) const ALL: [Self; 34] = [
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
        Self::Gate,
        Self::Reclaim,
        Self::BarePod,
        Self::Wipe,
        Self::Restore,
        Self::Look,
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
    LeftSick(usize),
    Sicken(usize),
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
    /// The gate on the health of the cluster closes, and opens again.
    Trouble(usize),
    Calm(usize),
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
    /// The lock is replaced in place by its manifest.
    Wipe,
    /// A backup of lock and Nodes is made, and taken into use.
    Backup,
    Restore,
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
            | Self::Resume
            | Self::Wipe
            | Self::Backup
            | Self::Restore => None,
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
            | Self::LeftSick(at)
            | Self::Sicken(at)
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
            | Self::Trouble(at)
            | Self::Calm(at)
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
            | Self::Calm(_)
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
            Self::BootSick(_) | Self::LeftSick(_) | Self::Sicken(_) => Kind::Sick,
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
            Self::Trouble(_) => Kind::Gate,
            Self::Hold(_) => Kind::Hold,
            Self::WriteSentinel(_) | Self::RemoveSentinel(_) => Kind::Sentinel,
            Self::Limit(_) => Kind::Limits,
            Self::DeleteLock => Kind::DeleteLock,
            Self::Wipe => Kind::Wipe,
            Self::Restore => Kind::Restore,
            Self::BarePod(_) => Kind::BarePod,
            Self::LatePod(_) => Kind::LatePod,
            _ => return None,
        })
    }
}
