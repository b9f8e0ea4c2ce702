//! One node's world under a clock of its own, driven event by event: outages of hours take no time.

mod answers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use rollboot::config::Config;
use rollboot::drain::{ControllerView, EvictAnswer, PodView};
use rollboot::failure::Failure;
use rollboot::journal::{Journal, Stage};
use rollboot::lock::{LockView, TURNS};
use rollboot::machine::{Action, Event, HostId, Label, Machine, Op, Timer};
use rollboot::node::{NodeEvent, NodeView, NodesView, Readiness};
use rollboot::ports::HostGates;
use rollboot::request::{Request, Requests};
use rollboot::shutdown::{Scheduled, ShutdownFacts, StopReason};

pub(crate) use crate::pieces::{next, plenty, plenty_of, pod, write_node};

/// More steps than any story takes: whoever takes more goes round in circles.
const MANY: usize = 200_000;

pub(crate) struct World {
    /// What the next start reads.
    pub(crate) config: Arc<Config>,
    pub(crate) lock: Option<LockView>,
    pub(crate) node: NodeView,
    pub(crate) pods: Vec<PodView>,
    pub(crate) journal: Journal,
    pub(crate) present: Requests,
    pub(crate) facts: ShutdownFacts,
    pub(crate) logind_answers: bool,
    /// logind says that it is in the middle of something.
    pub(crate) busy: bool,
    pub(crate) boot_id: String,
    /// Node objects of others that exist.
    pub(crate) peers: BTreeMap<String, bool>,
    /// The next so many reads of the lock fail.
    pub(crate) failing_lock_reads: u32,
    /// What logind and the host say.
    pub(crate) gates: HostGates,
    /// What a list of all Nodes says of their health.
    pub(crate) nodes: Result<NodesView, Failure>,
    /// Controllers by UID; any other has far more pods elsewhere than here.
    pub(crate) controllers: BTreeMap<String, ControllerView>,
    /// `guard.yaml` is not applied.
    pub(crate) unguarded: bool,
    /// UIDs of controllers that do not exist.
    pub(crate) missing: BTreeSet<String>,
    /// A budget allows no eviction.
    pub(crate) blocked: bool,
    /// The server's words for that.
    pub(crate) refusal: &'static str,
    /// Names of pods whose eviction a budget of their own does not allow.
    pub(crate) kept: BTreeSet<String>,
    /// What the next evictions are answered; nothing comes of them then.
    pub(crate) evictions: VecDeque<EvictAnswer>,
    /// The pod that takes the place of one that went, made at this time.
    #[expect(clippy::type_complexity, reason = "used once")]
    pub(crate) replacement: Option<Box<dyn FnMut(&str, i64) -> Option<PodView>>>,
    /// Answers about the Node tell the server's time.
    pub(crate) dated: bool,
    /// Lists of pods that watches began with.
    pub(crate) lists: usize,
    /// Evictions that a budget refused.
    pub(crate) refused: usize,
    /// Writes to the own Node are refused.
    pub(crate) node_refuses: bool,
    /// A watch that sees nothing ends after so many seconds.
    pub(crate) silence: f64,
    /// Replies to such a call are held back.
    pub(crate) hold: fn(&Op) -> bool,
    pub(crate) held: Option<Op>,
    pub(crate) queue: VecDeque<Event>,
    pub(crate) timers: BTreeMap<Timer, f64>,
    /// Seconds since the world began; the wall clock is that and `wall`.
    pub(crate) time: f64,
    pub(crate) wall: i64,
    pub(crate) ops: Vec<Op>,
    pub(crate) evicted: Vec<String>,
    pub(crate) aborts: Vec<Result<String, String>>,
    /// Units of the configuration that are not active.
    pub(crate) inactive: Vec<String>,
    pub(crate) reports: Vec<String>,
    pub(crate) announced: Vec<NodeEvent>,
    pub(crate) exited: bool,
    watch: Option<f64>,
    ids: u64,
}

pub(crate) fn request(identity: &str) -> Request {
    Request {
        path: "/run/reboot-required".into(),
        identity: identity.into(),
    }
}

pub(crate) fn lock(uid: &str, version: u64) -> LockView {
    LockView {
        uid: uid.into(),
        version: version.to_string(),
        annotations: BTreeMap::new(),
        data: BTreeMap::new(),
    }
}

impl World {
    /// Armed, at peace, nobody asks for anything.
    pub(crate) fn new() -> Self {
        Self {
            config: Arc::new(Config::default()),
            lock: Some(lock("lock", 1)),
            node: NodeView {
                uid: "node".into(),
                version: "1".into(),
                boot_id: "b0".into(),
                ready: Readiness {
                    ready: true,
                    heartbeat: Some(10),
                    message: String::new(),
                },
                ..NodeView::default()
            },
            pods: Vec::new(),
            journal: Journal::default(),
            present: Requests::new(),
            facts: ShutdownFacts {
                preparing: Some(false),
                job: Some(false),
                stopping: Some(false),
                scheduled: Some(Scheduled::default()),
                connection: 1,
            },
            logind_answers: true,
            busy: false,
            boot_id: "b0".into(),
            peers: BTreeMap::new(),
            failing_lock_reads: 0,
            gates: HostGates {
                can_reboot: "yes".into(),
                ..HostGates::default()
            },
            nodes: Ok(NodesView::default()),
            controllers: BTreeMap::new(),
            unguarded: false,
            missing: BTreeSet::new(),
            blocked: false,
            refusal: "a budget",
            kept: BTreeSet::new(),
            evictions: VecDeque::new(),
            replacement: None,
            dated: false,
            lists: 0,
            refused: 0,
            node_refuses: false,
            silence: 90.0,
            hold: |_| false,
            held: None,
            queue: VecDeque::new(),
            timers: BTreeMap::new(),
            time: 0.0,
            wall: 1_800_000_000,
            ops: Vec::new(),
            evicted: Vec::new(),
            aborts: Vec::new(),
            inactive: Vec::new(),
            reports: Vec::new(),
            announced: Vec::new(),
            exited: false,
            watch: None,
            ids: 100,
        }
    }

    /// The same, with a sentinel.
    pub(crate) fn asking() -> Self {
        let mut world = Self::new();
        world.present.insert(request("first"));
        world
    }

    pub(crate) fn now(&self) -> Timestamp {
        #[expect(clippy::cast_possible_truncation, reason = "seconds of a story")]
        Timestamp::from_second(self.wall + self.time as i64).unwrap()
    }

    /// The daemon starts, with what is on the disk.
    pub(crate) fn start(&mut self) -> Machine {
        self.timers.clear();
        self.queue.clear();
        self.watch = None;
        self.exited = false;
        let host = HostId {
            node: "n1".into(),
            boot_id: self.boot_id.clone(),
        };
        let machine = Machine::new(
            host,
            Arc::clone(&self.config),
            self.journal.clone(),
            self.present.clone(),
            self.now(),
        );
        self.feed(machine, Event::Start)
    }

    /// The host has booted; what was in /run is gone, and the kubelet has reported.
    pub(crate) fn boot(&mut self) -> Machine {
        self.boot_id = format!("{}'", self.boot_id);
        self.node.boot_id.clone_from(&self.boot_id);
        self.present.clear();
        self.start()
    }

    pub(crate) fn holds_slot(&self) -> bool {
        self.lock
            .as_ref()
            .is_some_and(|lock| !lock.own_keys("n1").is_empty())
    }

    /// An operator frees all slots, by the way that leaves the counter alone.
    pub(crate) fn unlock(&mut self) {
        let lock = self.lock.as_mut().unwrap();
        lock.annotations.retain(|key, _| key == TURNS);
        lock.version = next(&lock.version);
    }

    /// The watch shows the pods as they are.
    pub(crate) fn see_pods(&mut self) {
        self.queue.push_back(Event::PodsSeen(self.pods.clone()));
    }

    pub(crate) fn asked(&self) -> usize {
        self.ops.iter().filter(|op| **op == Op::Reboot).count()
    }

    pub(crate) fn journaled_the_ask(&self) -> bool {
        self.journal
            .turn
            .as_ref()
            .is_some_and(|turn| turn.stage == Stage::Rebooting)
    }

    pub(crate) fn feed(&mut self, machine: Machine, event: Event) -> Machine {
        let (machine, actions) = machine.step(self.now(), event);
        for action in actions {
            self.carry_out(action);
        }
        machine
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Call(op) => {
                self.ops.push(op.clone());
                if (self.hold)(&op) {
                    self.held = Some(op);
                } else {
                    self.reply(op);
                }
            }
            Action::SetTimer(timer, delay) => {
                let wait = delay.after.as_secs_f64() + delay.spread.as_secs_f64() / 2.0;
                self.timers.insert(timer, self.time + wait);
            }
            Action::CancelTimer(timer) => {
                self.timers.remove(&timer);
            }
            Action::WatchLock(_) => self.watch = Some(self.time + self.silence),
            Action::UnwatchLock => self.watch = None,
            Action::WatchPods => {
                self.lists += 1;
                self.queue.push_back(Event::PodsSeen(self.pods.clone()));
            }
            Action::UnwatchPods => self
                .queue
                .retain(|event| !matches!(event, Event::PodsSeen(_))),
            Action::Evict(pod) if !self.evictions.is_empty() => {
                let answer = self.evictions.pop_front().unwrap();
                self.queue.push_back(Event::Evicted(pod, answer));
            }
            Action::Evict(pod) if self.blocked || self.kept.contains(&pod.name) => {
                self.refused += 1;
                let answer = EvictAnswer::Budget(self.refusal.into());
                self.queue.push_back(Event::Evicted(pod, answer));
            }
            Action::Evict(pod) => {
                self.evicted.push(pod.name.clone());
                self.replace(&pod);
                let now = self.now().as_second();
                let made = self.replacement.as_mut();
                self.pods.extend(made.and_then(|made| made(&pod.name, now)));
                self.queue
                    .push_back(Event::Evicted(pod, EvictAnswer::Accepted));
                self.queue.push_back(Event::PodsSeen(self.pods.clone()));
            }
            Action::AskStopReason => self.queue.push_back(Event::StopReason(StopReason::Stop)),
            Action::AnswerAbort(answer) => self.aborts.push(answer),
            Action::Announce(event) => self.announced.push(event),
            Action::Report(report, text) => self.reports.push(format!("{report:?}: {text}")),
            Action::Exit => self.exited = true,
        }
    }

    /// Carries a call out and queues its reply.
    pub(crate) fn reply(&mut self, op: Op) {
        let reply = self.answer(op);
        self.queue.push_back(Event::Reply(reply));
    }

    /// Feeds the next event; the time moves when nothing is queued. False: nothing will ever happen.
    fn turn(&mut self, machine: &mut Machine, end: f64) -> bool {
        let event = if let Some(event) = self.queue.pop_front() {
            event
        } else {
            let timer = self
                .timers
                .iter()
                .min_by(|a, b| a.1.total_cmp(b.1))
                .map(|(timer, due)| (*timer, *due));
            match (timer, self.watch) {
                (timer, Some(end)) if timer.is_none_or(|(_, due)| end < due) => {
                    self.time = self.time.max(end);
                    self.watch = None;
                    Event::LockWatchEnded(None)
                }
                // A day passes only if it is waited for.
                (Some((Timer::Look, due)), _) if due > end => {
                    self.time = self.time.max(end);
                    return false;
                }
                (Some((timer, due)), _) => {
                    self.time = self.time.max(due);
                    self.timers.remove(&timer);
                    Event::Timer(timer)
                }
                (None, _) => return false,
            }
        };
        *machine = self.feed(machine.clone(), event);
        true
    }

    /// Lets `seconds` pass, or less: until `done`. Whether it is.
    pub(crate) fn until(
        &mut self,
        machine: &mut Machine,
        seconds: f64,
        done: impl Fn(&Machine, &Self) -> bool,
    ) -> bool {
        let end = self.time + seconds;
        for _ in 0..MANY {
            if done(machine, self) {
                return true;
            }
            if self.time > end || !self.turn(machine, end) {
                return false;
            }
        }
        panic!(
            "goes round in circles at {} s: {}",
            self.time,
            machine.reason()
        );
    }

    pub(crate) fn until_label(&mut self, machine: &mut Machine, label: Label) {
        let there = self.until(machine, 100_000.0, |machine, _| machine.label() == label);
        assert!(there, "{:?}: {}", machine.label(), machine.reason());
    }

    /// The reason says this within a while: in the middle of a look it names nothing.
    pub(crate) fn until_told(&mut self, machine: &mut Machine, text: &str) {
        let told = self.until(machine, 60.0, |machine, _| machine.reason().contains(text));
        assert!(told, "{text:?} is not in {:?}", machine.reason());
    }

    pub(crate) fn wait(&mut self, machine: &mut Machine, seconds: f64) {
        self.until(machine, seconds, |_, _| false);
    }
}
