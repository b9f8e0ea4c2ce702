//! How the evictions of one turn go: what is sent, what was answered, what is still here.

use std::collections::{BTreeMap, BTreeSet};

use super::ending::Endings;
use super::few::few;
use super::guard::{Guard, Verdict, Wave};
use super::plan::CAME_BACK;
use super::track::{By, Track};
use super::{ControllerView, EvictAnswer, Order, Orphans, Plan, PodRef, PodView, Volumes, plan};
use crate::config::Drain as Policy;
use crate::failure::Failure;

/// One tick of the retry timer, in seconds: a blocked pod costs the server one request in so many.
pub const TICK_SECONDS: u16 = 5;

/// A drain in progress.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Drain {
    policy: Policy,
    guard: Guard,
    volumes: Volumes,
    endings: Endings,
    orphans: Orphans,
    /// UIDs of the first list after the cordon.
    first: Option<BTreeSet<String>>,
    pods: BTreeMap<PodRef, Track>,
    /// When each pod goes that was ever to be evicted: it is of its order until it is gone.
    order: BTreeMap<PodRef, Order>,
    /// Pods of the last list that have to go.
    listed: BTreeSet<PodRef>,
    /// Pods that stay, with the reason, for the report.
    kept: Vec<(PodRef, &'static str)>,
    /// The watch is alive and has delivered a list. Evictions come from a fresh view only: one for a pod that is gone would spend
    /// a budget (`WatchEnded` clears it).
    fresh: bool,
    /// Nothing new is sent any more.
    stopped: bool,
    /// At least one eviction was sent.
    begun: bool,
    /// Pods of this order were judged last.
    now: Option<Order>,
    /// It cannot be finished.
    failed: bool,
}

/// What a drain reacts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrainEvent {
    /// The complete list of the node's pods.
    Pods(Vec<PodView>),
    /// The watch ended; a new one will begin with a list.
    WatchEnded,
    /// The server answered an eviction.
    Answer(PodRef, EvictAnswer),
    /// [`TICK_SECONDS`] have passed.
    Tick,
    /// A controller was read: the one that [`Guard::next_read`] named last. `None`: there is none of this name.
    Controller(Result<Option<ControllerView>, Failure>),
    /// The journal has this on disk.
    Noted(BTreeMap<String, Wave>),
    /// Time to look again at what the guard waits for.
    LookAgain,
}

/// Where a drain stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Something is left to do or to wait for.
    Going,
    /// The last list has nothing on it that would have to go.
    Done,
    /// It cannot be finished; nothing more is sent.
    Failed(String),
}

impl Drain {
    /// A drain that has seen nothing yet.
    pub fn new(policy: &Policy) -> Self {
        Self::resumed(policy, BTreeMap::new(), false)
    }

    /// The same with what the journal has of pods that were evicted by turns, in this turn or an earlier one.
    pub fn resumed(policy: &Policy, waves: BTreeMap<String, Wave>, same_turn: bool) -> Self {
        Self {
            policy: policy.clone(),
            guard: Guard::new(policy.single_replica, waves, same_turn),
            volumes: Volumes::default(),
            endings: Endings::default(),
            orphans: Orphans::default(),
            first: None,
            pods: BTreeMap::new(),
            order: BTreeMap::new(),
            listed: BTreeSet::new(),
            kept: Vec::new(),
            fresh: false,
            stopped: false,
            begun: false,
            now: None,
            failed: false,
        }
    }

    /// Takes note of the DaemonSets that were looked for and are not there.
    pub fn with_orphans(self, orphans: Orphans) -> Self {
        Self { orphans, ..self }
    }

    /// Takes note of an event; returns the evictions to send now, and where the drain stands.
    pub fn on(&mut self, event: DrainEvent) -> (Vec<PodRef>, Progress) {
        let failed = match event {
            DrainEvent::Pods(pods) => self.seen(&pods),
            DrainEvent::WatchEnded => {
                self.fresh = false;
                self.guard.unwatched();
                None
            }
            DrainEvent::Answer(pod, answer) => self.answered(&pod, answer),
            DrainEvent::Tick => {
                self.tick();
                None
            }
            DrainEvent::Controller(result) => {
                self.guard.read(result);
                None
            }
            DrainEvent::Noted(waves) => {
                self.guard.noted(waves);
                None
            }
            DrainEvent::LookAgain => {
                self.guard.look_again();
                None
            }
        };
        let sent = match failed {
            Some(why) => Err(why),
            None => self.next(),
        };
        let send = match sent {
            Ok(send) => send,
            Err(why) => {
                self.stopped = true;
                self.failed = true;
                return (Vec::new(), Progress::Failed(why));
            }
        };
        let done = self.fresh && !self.stopped && self.pods.is_empty();
        (
            send,
            if done {
                Progress::Done
            } else {
                Progress::Going
            },
        )
    }

    /// Sends nothing from now on; what is in flight is still answered.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// What a list taken after the drain still holds that would have to go, by the plan of this drain; and why not all of it may.
    pub fn left_over(&self, pods: &[PodView]) -> Plan {
        self.plan(pods)
    }

    fn plan(&self, pods: &[PodView]) -> Plan {
        if self.orphans.is_empty() {
            return plan(pods, &self.policy, self.first.as_ref());
        }
        let mut pods = pods.to_vec();
        self.orphans.mark(&mut pods);
        plan(&pods, &self.policy, self.first.as_ref())
    }

    /// The guard for the last Ready pods.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The same, to ask it what is to be read and told.
    pub fn guard_mut(&mut self) -> &mut Guard {
        &mut self.guard
    }

    /// The wait for volumes after the drain.
    pub fn volumes_mut(&mut self) -> &mut Volumes {
        &mut self.volumes
    }

    /// Whether at least one eviction was sent.
    pub fn begun(&self) -> bool {
        self.begun
    }

    /// Evictions sent and not answered.
    pub fn in_flight(&self) -> usize {
        self.pods
            .values()
            .filter(|track| matches!(track, Track::Sent { .. }))
            .count()
    }

    /// Pods not gone yet.
    pub fn left(&self) -> usize {
        self.pods.len()
    }

    /// Whether a retry waits for the next tick.
    pub fn needs_tick(&self) -> bool {
        !self.stopped && self.blocked().next().is_some()
    }

    /// Pods whose eviction is refused for now, each with the server's reason.
    pub fn blocked(&self) -> impl Iterator<Item = (&PodRef, &str)> {
        self.pods.iter().filter_map(|(pod, track)| match track {
            Track::Blocked { why, .. } => Some((pod, why.as_str())),
            Track::Todo | Track::Sent { .. } | Track::Ending => None,
        })
    }

    /// Looks at the clock: pods that should have ended since, each with what keeps it.
    pub fn look_at_clock(&mut self, now: i64) -> Vec<String> {
        self.endings.look(now)
    }

    /// Pods that should have ended and have not, each with what keeps it.
    pub fn late(&self) -> impl Iterator<Item = String> {
        self.endings.late()
    }

    /// Pods whose eviction a budget forbids, as far as is known, each with the server's reason.
    pub fn blocked_by_budgets(&self) -> impl Iterator<Item = (&PodRef, &str)> {
        self.pods.iter().filter_map(|(pod, track)| match track {
            Track::Blocked {
                by: By::Budget,
                why,
                ..
            } => Some((pod, why.as_str())),
            Track::Blocked { .. } | Track::Todo | Track::Sent { .. } | Track::Ending => None,
        })
    }

    /// Whether it has failed: nothing more is sent, and the time limit has nothing to do with it.
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Pods that stay although they came only after the cordon, in words for a person; empty where there are none.
    pub fn came_back(&self) -> String {
        let late =
            |(pod, why): &(PodRef, &str)| (*why == CAME_BACK).then(|| format!("{pod} {why}"));
        few(self.kept.iter().filter_map(late))
    }

    /// What is still here, for a person: the blocked ones with their reason, the others by name.
    pub fn describe(&self) -> String {
        let one = |(pod, track): (&PodRef, &Track)| match track {
            Track::Blocked { why, .. } => format!("{pod}: {why}"),
            Track::Ending => format!("{pod}: {}", self.endings.words(pod)),
            Track::Todo | Track::Sent { .. } => format!("{pod}: not evicted yet"),
        };
        if !self.fresh && !self.guard.is_closing() {
            return "the pods of this node cannot be watched".to_owned();
        }
        let reasons = self.guard.reasons().into_iter();
        let free = self.pods.iter().filter(|(pod, _)| !self.guard.holds(pod));
        few(reasons.chain(free.map(one)))
    }

    fn seen(&mut self, pods: &[PodView]) -> Option<String> {
        let plan = self.plan(pods);
        // The plan is complete before the first eviction: one refusal, and nothing is evicted. A refused pod that appears later
        // stops the drain as well.
        if let Some(why) = plan.refusal() {
            return Some(why);
        }
        let Plan {
            evict,
            wait,
            skip,
            order,
            refuse: _,
        } = plan;
        self.fresh = true;
        self.first
            .get_or_insert_with(|| pods.iter().map(|pod| pod.pod.uid.clone()).collect());
        let stays = |pod: &&PodView| skip.iter().any(|(kept, _)| *kept == pod.pod);
        let mut bound = pods.iter().filter(|pod| pod.volumes);
        self.volumes.keep(bound.any(|pod| stays(&pod)));
        self.kept = skip;
        self.listed = evict.iter().chain(&wait).cloned().collect();
        // An eviction in flight is remembered until it is answered: a rollback waits for it.
        self.pods
            .retain(|pod, track| self.listed.contains(pod) || matches!(track, Track::Sent { .. }));
        self.order.extend(order);
        self.order
            .retain(|pod, _| self.pods.contains_key(pod) || evict.contains(pod));
        for pod in &evict {
            self.pods.entry(pod.clone()).or_insert(Track::Todo);
        }
        // Those of a later order are looked at when it has come.
        let now = self.order_now();
        let going = |pod: &&PodRef| self.order.get(*pod).copied() == now;
        self.guard
            .pods(pods, &evict.iter().filter(going).cloned().collect());
        self.endings.seen(pods, &self.listed);
        for pod in wait {
            let track = self.pods.entry(pod).or_insert(Track::Ending);
            if !matches!(track, Track::Sent { .. }) {
                *track = Track::Ending;
            }
        }
        None
    }

    fn answered(&mut self, pod: &PodRef, answer: EvictAnswer) -> Option<String> {
        let track = self.pods.get_mut(pod)?;
        if !self.listed.contains(pod) {
            // The list that lacks it came before the answer, and no other needs to follow.
            self.pods.remove(pod);
            return None;
        }
        let tries = match track {
            Track::Sent { tries } => tries.saturating_add(1),
            Track::Todo | Track::Ending | Track::Blocked { .. } => 0,
        };
        let by = match &answer {
            EvictAnswer::Budget(_) | EvictAnswer::SeveralBudgets(_) => By::Budget,
            EvictAnswer::Failed(_) => By::Nobody,
            _ => By::Server,
        };
        let again = |why: String, ticks: u16| Track::Blocked {
            why,
            ticks,
            tries,
            by,
        };
        *track = match answer {
            // Gone and Elsewhere: this very pod is no more; the next list will say so.
            EvictAnswer::Accepted | EvictAnswer::Gone | EvictAnswer::Elsewhere => Track::Ending,
            EvictAnswer::Budget(why) => again(why, 1),
            EvictAnswer::Throttled(seconds) => again(
                "the API server is overloaded and asks to come back later".into(),
                seconds.div_ceil(TICK_SECONDS).clamp(1, 60),
            ),
            EvictAnswer::NamespaceTerminating => again("its namespace is being deleted".into(), 1),
            EvictAnswer::Failed(failure) => again(
                failure.message,
                1_u16.checked_shl(u32::from(tries)).unwrap_or(6).clamp(1, 6),
            ),
            EvictAnswer::SeveralBudgets(why) => {
                *track = again(why.clone(), u16::MAX);
                return Some(format!(
                    "{pod}: {why}; an administrator must leave it only one PodDisruptionBudget"
                ));
            }
            EvictAnswer::Invalid(failure) => {
                *track = again(failure.message.clone(), u16::MAX);
                return Some(format!("{pod}: {failure}"));
            }
        };
        None
    }

    fn tick(&mut self) {
        for (pod, track) in &mut self.pods {
            if let Track::Blocked { ticks, by, .. } = track {
                // What was known of its controller may not be so any more.
                if *ticks == 1 && *by != By::Budget {
                    self.guard.refresh(pod);
                }
                *ticks = ticks.saturating_sub(1);
            }
        }
    }

    /// Those of an order that are gone make way for the next. A pod that ends by itself holds up nobody.
    fn order_now(&self) -> Option<Order> {
        let orders = self.pods.keys().filter_map(|pod| self.order.get(pod));
        orders.min().copied()
    }

    /// The evictions to send now; or why the drain cannot be finished.
    fn next(&mut self) -> Result<Vec<PodRef>, String> {
        if !self.fresh || self.stopped {
            return Ok(Vec::new());
        }
        let now = self.order_now();
        if std::mem::replace(&mut self.now, now) != now {
            for (pod, _) in self.order.iter().filter(|(_, order)| Some(**order) == now) {
                self.guard.refresh(pod);
            }
        }
        let room = usize::from(self.policy.concurrency).saturating_sub(self.in_flight());
        let staying = self.pods.iter().filter(|(_, track)| track.stays());
        let mut left = self.guard.left(staying.map(|(pod, _)| pod));
        let mut send = Vec::new();
        for (pod, track) in &mut self.pods {
            if self.order.get(pod).copied() != now {
                continue;
            }
            let tries = match track {
                Track::Todo => 0,
                Track::Blocked {
                    ticks: 0, tries, ..
                } => *tries,
                Track::Blocked { .. } | Track::Sent { .. } | Track::Ending => continue,
            };
            if send.len() == room {
                break;
            }
            match self.guard.judge(pod, track.stays(), &mut left) {
                Verdict::Go => {}
                Verdict::Wait => continue,
                Verdict::Never(why) => return Err(why),
            }
            *track = Track::Sent { tries };
            send.push(pod.clone());
        }
        self.begun |= !send.is_empty();
        Ok(send)
    }
}

#[cfg(test)]
mod tests;
