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
    here: bool,
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
    drain: Drain,
    disk: BTreeMap<String, Wave>,
    evicting: Vec<PodRef>,
    reading: bool,
    done: bool,
    /// A pod became Ready in the very moment in which it was evicted because it was not: nobody will remember that it was.
    missed: bool,
    next_uid: usize,
}

impl Sim {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let kind = if dice.one_in(3) { "A" } else { "a" };
        let wanted = 2 + dice.below(3);
        let here = 1 + dice.below(wanted);
        let mut pods: Vec<_> = (0..wanted)
            .map(|uid| SimPod {
                uid,
                here: uid < here,
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
            drain: Drain::new(&Config::default().drain),
            disk: BTreeMap::new(),
            evicting: Vec::new(),
            reading: false,
            done: false,
            missed: false,
            next_uid: 10,
            dice,
        };
        sim.write_status();
        sim.dead = sim.dice.one_in(5);
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
        let counts = (replicas, ready, available.min(current));
        if (
            self.status.replicas,
            self.status.ready,
            self.status.available,
        ) != counts
        {
            (
                self.status.replicas,
                self.status.ready,
                self.status.available,
            ) = counts;
            // Seconds are all that it tells.
            self.status.written = (self.time / 10).to_string();
        }
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
                        here: false,
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
        self.evicting.extend(send);
        self.done |= progress == Progress::Done;
        assert!(!matches!(progress, Progress::Failed(_)), "{progress:?}");
        if let Some(waves) = self.drain.guard().unnoted()
            && self.dice.one_in(2)
        {
            self.disk.clone_from(&waves);
            self.feed(DrainEvent::Noted(waves));
        }
    }

    fn list(&mut self) {
        let pods = self.log[self.node].iter().filter(|pod| pod.here);
        let views = pods.map(|it| PodView {
            ready: it.ready,
            terminating: it.terminating,
            ..pod(&it.uid.to_string(), self.kind)
        });
        let views = views.collect();
        self.feed(DrainEvent::Pods(views));
    }

    fn evict(&mut self, pod: &PodRef) {
        let find = |pods: &[SimPod]| pods.iter().position(|it| it.uid.to_string() == pod.uid);
        let ready = |pods: &[SimPod]| find(pods).map(|at| pods[at].ready);
        self.missed |= ready(&self.log[self.node]) != ready(self.log.last().unwrap());
        self.change(|pods| {
            if let Some(it) = find(pods).map(|at| &mut pods[at]) {
                it.terminating = true;
            }
        });
    }

    fn step(&mut self) {
        self.time += 1;
        match self.dice.below(8) {
            0 => {
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
            1 => self.change(|pods| {
                if let Some(pod) = pods.iter_mut().find(|pod| pod.terminating && pod.ready) {
                    pod.ready = false;
                } else {
                    pods.retain(|pod| !pod.terminating);
                }
            }),
            2 => self.sync(),
            3 if self.node + 1 < self.log.len() => {
                self.node += 1;
                self.list();
            }
            4 if !self.evicting.is_empty() => {
                let pod = self.evicting.remove(0);
                self.evict(&pod);
                self.feed(DrainEvent::Answer(pod, EvictAnswer::Accepted));
            }
            5 if self.reading => {
                self.reading = false;
                self.feed(DrainEvent::Controller(Ok(Some(self.status.clone()))));
            }
            5 => self.reading = self.drain.guard_mut().next_read().is_some(),
            6 if self.drain.guard().waits().is_some() => self.feed(DrainEvent::LookAgain),
            7 if !self.missed && self.dice.one_in(40) => {
                // The daemon is killed. What it has sent is handled before the next one has read lock, Node and pods.
                while let Some(pod) = self.evicting.pop() {
                    self.evict(&pod);
                }
                if self.missed {
                    return;
                }
                let policy = Config::default().drain;
                self.drain = Drain::resumed(&policy, self.disk.clone(), true);
                self.reading = false;
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
        let mut sim = Sim::new(seed);
        let all_here = sim.log[0].iter().all(|pod| pod.here || !pod.ready);
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
