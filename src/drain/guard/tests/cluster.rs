//! A controller that is late, in any way that it can be: what it has seen, what it has written, what this node has seen. Whatever
//! the order, as long as no pod elsewhere fails, one is Ready at every moment.

use super::*;
use crate::drain::EvictAnswer;

/// Chance, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

#[derive(Debug, Clone, PartialEq)]
struct SimPod {
    uid: usize,
    /// 0 and 1 drain, one after the other; 2 stays.
    node: u8,
    ready: bool,
    terminating: bool,
}

struct Sim {
    dice: Dice,
    kind: &'static str,
    wanted: u32,
    /// Every state that the pods were in, oldest first.
    log: Vec<Vec<SimPod>>,
    /// The state that the controller has seen last, and that the node has.
    controller: usize,
    node: usize,
    status: ControllerView,
    /// The controller does nothing any more.
    dead: bool,
    time: usize,
    version: usize,
    drain: Drain,
    disk: BTreeMap<String, EvictionRecord>,
    /// On their way, and whether each pod was Ready by what the node knew.
    evicting: Vec<(PodRef, bool)>,
    /// The answer that is on its way.
    reading: Option<ControllerView>,
    /// What the server answered last.
    read: StatusRevision,
    done: bool,
    /// The node that drains, and whether another does after it.
    drains: u8,
    two: bool,
    /// What the controller has seen for certain by the next round of looking at it.
    mark: usize,
    /// A pod became Ready in the very moment in which it was evicted because it was not: nobody will remember that it was.
    missed: bool,
    next_uid: usize,
}

impl Sim {
    fn new(seed: u64, two: bool) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let kind = if dice.one_in(3) { "A" } else { "a" };
        let wanted = 2 + dice.below(3);
        let here = 1 + dice.below(wanted);
        let mut pods: Vec<_> = (0..wanted)
            .map(|uid| SimPod {
                uid,
                node: match uid {
                    uid if uid < here => 0,
                    _ if two => 1,
                    _ => 2,
                },
                ready: !dice.one_in(4),
                terminating: false,
            })
            .collect();
        let lucky = dice.below(wanted);
        pods[lucky].ready = true;
        let wanted = u32::try_from(wanted).unwrap();
        let mut sim = Self {
            kind,
            wanted,
            log: vec![pods],
            controller: 0,
            node: 0,
            status: view(kind, wanted, 0),
            dead: false,
            time: 0,
            version: 0,
            drain: Drain::new(&Config::default().drain),
            disk: BTreeMap::new(),
            evicting: Vec::new(),
            reading: None,
            read: StatusRevision::default(),
            done: false,
            drains: 0,
            two,
            mark: 0,
            missed: false,
            next_uid: 10,
            dice,
        };
        sim.write_status();
        sim.dead = !two && sim.dice.one_in(5);
        // The drain begins when some have become Ready that the controller has not seen yet.
        for _ in 0..sim.dice.below(3) {
            sim.becomes_ready();
        }
        sim.node = sim.log.len() - 1;
        sim.list();
        sim
    }

    fn change(&mut self, change: impl FnOnce(&mut Vec<SimPod>)) {
        let mut pods = self.log.last().unwrap().clone();
        change(&mut pods);
        if Some(&pods) != self.log.last() {
            self.log.push(pods);
        }
    }

    /// As the ReplicaSet and the StatefulSet controllers do.
    fn write_status(&mut self) {
        let stateful = self.kind == "A";
        let pods = &self.log[self.controller];
        let active = pods.iter().filter(|pod| stateful || !pod.terminating);
        let current = pods.iter().filter(|pod| !pod.terminating).count() as u32;
        let ready = pods
            .iter()
            .filter(|pod| pod.ready && (stateful || !pod.terminating));
        let (replicas, ready) = (active.count() as u32, ready.count() as u32);
        // Available some time after Ready; of a StatefulSet, the pods of its revision that do not end.
        let available = if self.dice.one_in(3) {
            ready.min(self.status.available)
        } else {
            ready
        };
        let mut status = self.status.clone();
        (status.replicas, status.ready) = (replicas, ready);
        status.available = available.min(current);
        // As its numbers of pods by revision tell.
        status.terminating = replicas - current;
        if status != self.status {
            self.status = status;
            // Seconds are all that the time tells.
            self.status.written.times = (self.time / 10).to_string();
            self.another_version();
        }
    }

    fn reads(&mut self) {
        if self.drain.guard_mut().next_read().is_some() {
            let mut view = self.status.clone();
            self.read.clone_from(&view.written);
            view.written.fresh = view.written.times == (self.time / 10).to_string();
            self.reading = Some(view);
        }
    }

    /// The controller never does anything again. It had written all that there was, and the node had read that: nobody could tell a
    /// write of before from one that has seen what is evicted now.
    fn dies(&mut self) {
        let all = self.controller + 1 == self.log.len() && self.evicting.is_empty();
        self.dead |= all && self.read == self.status.written;
    }

    fn another_version(&mut self) {
        self.version += 1;
        self.status.written.version = self.version.to_string();
    }

    /// Somebody writes an annotation.
    fn annotate(&mut self) {
        self.status.written.others += 1;
        self.another_version();
    }

    fn sync(&mut self) {
        if self.dead {
            return;
        }
        let behind = self.log.len() - 1 - self.controller;
        self.controller += self.dice.below(behind + 1);
        let seen = &self.log[self.controller];
        let known = |uid| seen.iter().any(|pod| pod.uid == uid);
        // It waits until it has seen what it made itself.
        let made = self.log.last().unwrap().iter().all(|pod| known(pod.uid));
        let active = seen
            .iter()
            .filter(|pod| !pod.terminating || self.kind == "A");
        let missing = usize::try_from(self.wanted)
            .unwrap()
            .saturating_sub(active.count());
        if made {
            for _ in 0..missing {
                self.next_uid += 1;
                let uid = self.next_uid;
                self.change(|pods| {
                    pods.push(SimPod {
                        uid,
                        node: 2,
                        ready: false,
                        terminating: false,
                    });
                });
            }
        }
        self.write_status();
    }

    fn feed(&mut self, event: DrainEvent) {
        let (send, progress) = self.drain.on(event);
        for pod in send {
            let ready = Self::is_ready(&self.log[self.node], &pod);
            self.evicting.push((pod, ready));
        }
        self.done |= progress == Progress::Done;
        assert!(!matches!(progress, Progress::Failed(_)), "{progress:?}");
        if let Some(records) = self.drain.guard().unnoted()
            && self.dice.one_in(2)
        {
            self.disk.clone_from(&records);
            self.feed(DrainEvent::Noted(records));
        }
    }

    fn list(&mut self) {
        let pods = self.log[self.node]
            .iter()
            .filter(|pod| pod.node == self.drains);
        let views = pods.map(|it| PodView {
            ready: it.ready,
            terminating: it.terminating,
            ..pod(&it.uid.to_string(), self.kind)
        });
        let views = views.collect();
        self.feed(DrainEvent::Pods(views));
    }

    fn is_ready(pods: &[SimPod], pod: &PodRef) -> bool {
        let mut pods = pods.iter();
        pods.any(|it| it.uid.to_string() == pod.uid && it.ready)
    }

    fn evict(&mut self, pod: &PodRef, ready: bool) {
        self.missed |= Self::is_ready(self.log.last().unwrap(), pod) != ready;
        self.change(|pods| {
            let it = pods.iter_mut().find(|it| it.uid.to_string() == pod.uid);
            if let Some(it) = it {
                it.terminating = true;
            }
        });
    }

    fn becomes_ready(&mut self) {
        let many = self.log.last().unwrap().len();
        let at = self.dice.below(many.max(1));
        self.change(|pods| {
            if let Some(pod) = pods.get_mut(at)
                && !pod.terminating
            {
                pod.ready = true;
            }
        });
    }

    /// The server may have carried it out, but its reply is lost.
    fn lose(&mut self, pod: PodRef, ready: bool) {
        if self.dice.one_in(2) {
            self.evict(&pod, ready);
        }
        let lost = Failure::new(FailureKind::Timeout, "no reply");
        self.feed(DrainEvent::Answer(pod, EvictAnswer::Failed(lost)));
    }

    fn step(&mut self) {
        self.time += 1;
        match self.dice.below(8) {
            0 => self.becomes_ready(),
            1 => self.change(|pods| {
                if let Some(pod) = pods.iter_mut().find(|pod| pod.terminating && pod.ready) {
                    pod.ready = false;
                } else {
                    pods.retain(|pod| !pod.terminating);
                }
            }),
            2 if self.dice.one_in(8) => self.annotate(),
            2 if self.two && self.dice.one_in(20) => self.dies(),
            2 => self.sync(),
            3 if self.dice.one_in(30) => {
                self.feed(DrainEvent::WatchEnded);
                self.node = self.log.len() - 1;
                self.list();
            }
            3 if self.node + 1 < self.log.len() => {
                self.node += 1;
                self.list();
            }
            3 if self.drain.needs_tick() && self.dice.one_in(2) => self.feed(DrainEvent::Tick),
            4 if !self.evicting.is_empty() => {
                let (pod, ready) = self.evicting.remove(0);
                if self.dice.one_in(6) {
                    self.lose(pod, ready);
                    return;
                }
                if self.dice.one_in(4) {
                    let why = "The disruption budget b needs 1 healthy pods";
                    self.feed(DrainEvent::Answer(pod, EvictAnswer::Budget(why.into())));
                    return;
                }
                self.evict(&pod, ready);
                self.feed(DrainEvent::Answer(pod, EvictAnswer::Accepted));
            }
            5 => match self.reading.take() {
                Some(view) => self.feed(DrainEvent::Controller(Ok(Some(view)))),
                None => self.reads(),
            },
            6 if self.drain.guard().waits().is_some() => {
                if !self.dead {
                    self.controller = self.controller.max(self.mark);
                    self.write_status();
                }
                self.mark = if self.two { self.log.len() - 1 } else { 0 };
                self.feed(DrainEvent::LookAgain);
            }
            6 if self.done && self.two && self.drains == 0 => {
                if !self.drain.guard().is_closing() {
                    self.mark = self.log.len() - 1;
                    self.drain.guard_mut().close();
                }
                if self.drain.guard().unobserved().is_empty() {
                    (self.drains, self.done) = (1, false);
                    self.drain = Drain::new(&Config::default().drain);
                    self.disk.clear();
                    (self.reading, self.node) = (None, self.log.len() - 1);
                    self.list();
                }
            }
            7 if !self.missed && !self.two && self.dice.one_in(40) => {
                // The daemon is killed. What it has sent is handled before the next one has read lock, Node and pods.
                while let Some((pod, ready)) = self.evicting.pop() {
                    self.evict(&pod, ready);
                }
                if self.missed {
                    return;
                }
                let policy = Config::default().drain;
                self.drain = Drain::resumed(&policy, self.disk.clone(), true);
                self.reading = None;
                self.node = self.log.len() - 1;
                self.list();
            }
            _ => {}
        }
        let pods = self.log.last().unwrap();
        let serving = pods.iter().filter(|pod| pod.ready && !pod.terminating);
        assert!(
            serving.count() > 0,
            "nothing is ready any more: {:#?}",
            (
                &self.log,
                self.controller,
                self.node,
                &self.status,
                &self.drain
            )
        );
    }
}

#[test]
fn one_is_ready_at_every_moment_however_late_the_controller_is() {
    let (mut done, mut dead, mut waited) = (0, 0, 0);
    for seed in 1..=3000 {
        let mut sim = Sim::new(seed, false);
        let all_here = sim.log[0].iter().all(|pod| pod.node == 0 || !pod.ready);
        for _ in 0..4000 {
            sim.step();
            if sim.done {
                break;
            }
        }
        if sim.dead {
            dead += 1;
            waited += usize::from(all_here && !sim.done);
        } else {
            done += usize::from(sim.done);
        }
    }
    assert!(waited > 100);
    assert!(
        done * 100 >= (3000 - dead) * 95,
        "{done} of {}",
        3000 - dead
    );
}

/// Here the controller may be late, but not for ever unless it dies: the second node believes what the first has seen it write.
#[test]
fn one_is_ready_at_every_moment_while_two_nodes_drain_one_after_the_other() {
    let (mut done, mut all, mut dead) = (0, 0, 0);
    for seed in 1..=3000 {
        let mut sim = Sim::new(seed, true);
        for _ in 0..6000 {
            sim.step();
            if sim.missed || sim.done && sim.drains == 1 {
                break;
            }
        }
        let alive = !sim.missed && !sim.dead;
        all += usize::from(alive);
        done += usize::from(alive && sim.done);
        dead += usize::from(sim.dead);
    }
    assert!(all > 1000 && done * 100 >= all * 95, "{done} of {all}");
    assert!(dead > 100);
}
