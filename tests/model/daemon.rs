//! The loop around the production machine: feeds it events and carries out its actions.
//!
//! What touches only the own host and cannot fail at the moment (ids, the journal, the facts, logind's gates, the
//! sentinels) is answered at once. That loses no behaviour: a crash between two such steps leaves the same world as a crash
//! before the first of them, and nobody else can see or disturb them. Whatever touches the API server, or asks logind
//! for the reboot, waits for an action of the model.

use jiff::Timestamp;
use rollboot::drain::{Controller, ControllerRef, ControllerView, PodRef, PodView, StatusRevision};
use rollboot::failure::{Failure, FailureKind};
use rollboot::journal::Stage;
use rollboot::lock::TurnId;
use rollboot::machine::{Action, Event, HostId, Machine, Op, Reply, Report, Timer};
use rollboot::reboot::HostGates;
use rollboot::shutdown::{Scheduled, ShutdownFacts, StopReason};

use crate::app::App;
use crate::names;
use crate::properties::Violation;
use crate::scenario::Mutation;
use crate::timers::Timers;
use crate::world::{BusCall, Daemon, Pod, Shutdown, World};

/// More steps than this without a request to the outside are a loop.
const MANY: usize = 200;
/// Seconds since the epoch at which a host boots; it is always about the boot that runs.
pub(crate) const BOOT_TIME: i64 = 1_000;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(2_000_000).unwrap()
}

/// When a wait for another attempt is over: later than any back-off, and at the same time of the day.
fn later() -> Timestamp {
    now() + jiff::SignedDuration::from_hours(81 * 24)
}

/// When windows close: right after both times. Less than any wait, so it stays the same whether one is over.
pub(crate) fn closing() -> jiff::civil::Time {
    (now() + MOMENT).to_zoned(jiff::tz::TimeZone::UTC).time()
}

const MOMENT: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);

pub(crate) fn failure(kind: FailureKind) -> Failure {
    Failure::new(kind, format!("{kind:?}"))
}

impl World {
    /// systemd starts the daemon, which reads its journal and looks at the sentinels.
    pub(crate) fn start(&mut self, at: usize) {
        let config = self.config(at);
        let host = self.host(at);
        host.ghost.shown = host.ghost.noted.clone();
        let id = HostId {
            node: names::NODES[at].to_owned(),
            boot_id: host.boot.clone(),
        };
        let present = host.sentinel.iter().cloned().collect();
        let machine = Machine::new(id, config, host.journal.clone(), present, now());
        host.daemon = Some(Daemon {
            machine: Some(machine),
            op: None,
            timers: Timers::default(),
            lock_watch: None,
            pods_watch: false,
            pods_seen: None,
            evicting: Vec::new(),
            stopping: false,
            restarting: false,
            aborting: false,
        });
        self.excuse_unknowing();
        self.feed(at, Event::Start);
    }

    /// Feeds an event, and whatever the host itself answers to what comes of it.
    pub(crate) fn feed(&mut self, at: usize, event: Event) {
        let mut events = vec![event];
        for _ in 0..MANY {
            let Some(event) = events.pop() else {
                return;
            };
            let shut = self.host(at).shut;
            let Some(daemon) = &mut self.host(at).daemon else {
                return;
            };
            let Some(machine) = daemon.machine.take() else {
                return;
            };
            let time = match &event {
                Event::Timer(Timer::Attempt) => later(),
                _ => now(),
            };
            let time = if shut { time + MOMENT } else { time };
            let (machine, actions) = machine.step(time, event);
            daemon.machine = Some(machine);
            for action in actions {
                self.carry_out(at, action, &mut events);
            }
            if events.is_empty() {
                events.extend(self.answer_at_once(at));
            }
        }
        self.break_promise(Violation::Loop);
    }

    fn carry_out(&mut self, at: usize, action: Action, events: &mut Vec<Event>) {
        match &action {
            Action::Call(op) => self.judge_call(at, op),
            Action::Evict(_) => self.judge_eviction(at),
            _ => {}
        }
        let slow_settle = self.scenario.slow_settle;
        let host = self.host(at);
        let Some(daemon) = &mut host.daemon else {
            return;
        };
        match action {
            Action::Call(op) => {
                if daemon.op.replace(op).is_some() {
                    self.break_promise(Violation::TwoCalls);
                }
            }
            Action::SetTimer(Timer::Settle, _) if !slow_settle => {
                events.push(Event::Timer(Timer::Settle));
            }
            Action::SetTimer(timer, _) => daemon.timers.set(timer),
            Action::CancelTimer(timer) => daemon.timers.clear(timer),
            Action::WatchLock(version) => daemon.lock_watch = Some(version),
            Action::UnwatchLock => daemon.lock_watch = None,
            Action::WatchPods => {
                daemon.pods_watch = true;
                daemon.pods_seen = None;
            }
            Action::UnwatchPods => {
                daemon.pods_watch = false;
                daemon.pods_seen = None;
            }
            Action::Evict(pod) => daemon.evicting.push(pod),
            Action::AskStopReason => {
                let reason = match (host.silent, host.shutdown) {
                    (true, _) => StopReason::Unknown,
                    (false, Shutdown::Ours | Shutdown::Foreign) => StopReason::Shutdown,
                    (false, Shutdown::No) if daemon.restarting => StopReason::Restart,
                    (false, Shutdown::No) => StopReason::Stop,
                };
                events.push(Event::StopReason(reason));
            }
            Action::Report(Report::Defect, text) => self.break_promise(Violation::Defect(text)),
            Action::Report(Report::RebootDidNotHappen, _)
                if host.shutdown == Shutdown::Ours || host.bus_call.is_some() =>
            {
                self.break_promise(Violation::Concluded);
            }
            Action::Report(..) | Action::Announce(_) => {}
            Action::AnswerAbort(_) => daemon.aborting = false,
            Action::Exit => self.end(at),
        }
    }

    /// The process is gone; what it had sent may still land.
    pub(crate) fn end(&mut self, at: usize) {
        self.orphan(at);
        self.host(at).daemon = None;
    }

    /// Answers what only the own host is asked.
    fn answer_at_once(&mut self, at: usize) -> Option<Event> {
        let next = matches!(self.hosts[at].daemon.as_ref()?.op, Some(Op::DrawId))
            .then(|| self.fresh_number(names::ID));
        let pods = self.pod_views(at);
        let mutation = self.scenario.mutation;
        let (app, wanted) = (self.app.clone(), self.scenario.wanted);
        let host = self.host(at);
        let daemon = host.daemon.as_mut()?;
        let reply = match daemon.op.as_ref()? {
            Op::DrawId => Reply::Id(TurnId(next?)),
            Op::Facts => {
                host.ghost.down_since_facts = false;
                let turn = host.journal.turn.is_some() && !host.disk_full;
                host.ghost.saw_down |= turn && host.shutdown != Shutdown::No;
                Reply::Facts(facts(host.shutdown, host.silent))
            }
            Op::BootTime => Reply::BootTime(Ok(BOOT_TIME)),
            Op::Gates => Reply::Gates(Ok(HostGates {
                can_reboot: "yes".into(),
                ..HostGates::default()
            })),
            Op::Sentinels => {
                host.ghost.asked_for = host.sentinel.as_ref().map(|s| s.identity.clone());
                Reply::Sentinels(host.sentinel.iter().cloned().collect())
            }
            Op::Units(_) => Reply::Units(Ok(Vec::new())),
            Op::WriteJournal(_) if host.disk_full => {
                Reply::JournalWritten(Err(failure(FailureKind::Local)))
            }
            Op::WriteJournal(journal) => {
                if let Some(journal) = mutation.on_disk(journal) {
                    host.ghost.noted.clone_from(&host.ghost.shown);
                    host.journal = journal;
                }
                Reply::JournalWritten(Ok(()))
            }
            Op::ListPods => {
                if host.journal.turn.is_none() {
                    host.ghost.ending_seen = pods.iter().any(|pod| pod.terminating);
                }
                host.ghost.pods_seen = pods.iter().any(|pod| !pod.mirror);
                Reply::Pods(Ok(pods))
            }
            Op::ReadController(of) => {
                let known = wanted > 0 && mutation != Mutation::Unguarded;
                let view = if known {
                    app_view(of, &app, wanted)
                } else {
                    plenty(of)
                };
                Reply::Controller(Ok(Some(view)))
            }
            Op::Reboot
            | Op::ReadLock
            | Op::PatchLock(_)
            | Op::ReadNode
            | Op::PatchNode(_)
            | Op::ListNodes
            | Op::PeerExists(_) => return None,
        };
        daemon.op = None;
        Some(Event::Reply(reply))
    }

    /// Judges what the machine asks for at the moment it asks.
    fn judge_call(&mut self, at: usize, op: &Op) {
        match op {
            Op::Reboot => {
                self.judge_ask(at);
                let host = self.host(at);
                host.bus_call = Some(BusCall {
                    slot_taken: host.ghost.slot_taken,
                    node_touched: host.ghost.node_touched,
                });
            }
            Op::PatchLock(patch) if patch.annotations.values().any(Option::is_none) => {
                self.judge_release(at, patch);
            }
            Op::PatchLock(patch) => {
                self.host(at).ghost.health_seen = None;
                self.judge_acquisition(at, &patch.version);
            }
            Op::PatchNode(patch) if patch.unschedulable == Some(false) => self.judge_uncordon(at),
            Op::PatchNode(patch) if patch.unschedulable == Some(true) => self.judge_cordon(at),
            Op::WriteJournal(journal) => self.judge_journal(at, journal),
            _ => {}
        }
    }

    /// What the API server says of the pods of a node.
    pub(crate) fn pod_views(&self, at: usize) -> Vec<PodView> {
        let pods = self.nodes[at].iter().flat_map(|node| &node.pods);
        pods.map(pod_view).collect()
    }

    /// The stage that the journal on disk tells of.
    pub(crate) fn stage(&self, at: usize) -> Option<&Stage> {
        self.hosts[at].journal.turn.as_ref().map(|turn| &turn.stage)
    }
}

pub(crate) fn facts(shutdown: Shutdown, silent: bool) -> ShutdownFacts {
    let fact = (!silent).then_some(shutdown != Shutdown::No);
    ShutdownFacts {
        preparing: fact,
        job: fact,
        stopping: (!silent).then_some(false),
        scheduled: (!silent).then(Scheduled::default),
        connection: 0,
    }
}

/// A controller with far more pods elsewhere than here.
fn plenty(of: &ControllerRef) -> ControllerView {
    ControllerView {
        uid: of.uid.clone(),
        wanted: 9,
        replicas: 9,
        ready: 9,
        available: 9,
        written: StatusRevision::default(),
        ..ControllerView::default()
    }
}

/// The controller as its status has it.
fn app_view(of: &ControllerRef, app: &App, wanted: usize) -> ControllerView {
    let number = |number| u32::try_from(number).unwrap();
    ControllerView {
        wanted: number(wanted),
        replicas: number(app.ready.max(wanted)),
        ready: number(app.ready),
        available: number(app.ready),
        // Whatever happens, happens within the second that is all a server tells.
        written: StatusRevision {
            fresh: true,
            version: app.version.clone(),
            .."now".into()
        },
        ..plenty(of)
    }
}

pub(crate) fn pod_ref(pod: &Pod) -> PodRef {
    PodRef {
        namespace: "ns".into(),
        name: "p".into(),
        uid: pod.uid.to_string(),
    }
}

pub(crate) fn pod_view(pod: &Pod) -> PodView {
    let owner = || Controller {
        api_version: "apps/v1".into(),
        kind: "ReplicaSet".into(),
        name: "r".into(),
        uid: "r".into(),
    };
    PodView {
        pod: pod_ref(pod),
        controller: (!pod.bare).then(owner),
        mirror: false,
        finished: false,
        terminating: pod.terminating,
        ready: true,
        ..PodView::default()
    }
}
