//! How the evictions of one turn go: what is sent, what was answered, what is still here.

mod answers;
mod news;
mod next;
mod words;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::StatusSnapshot;
use super::blocker::Blockers;
use super::ending::Endings;
use super::guard::{EvictionRecord, Guard};
use super::pace::Pace;
use super::track::Track;
use super::{
    Arrival, Arrivals, ControllerRef, ControllerView, EvictAnswer, Order, Plan, PodRef, PodView,
    Volumes, plan,
};
use crate::config::Drain as Policy;
use crate::failure::Failure;
use news::News;

/// A drain in progress.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Drain {
    policy: Policy,
    pub(super) guard: Guard,
    volumes: Volumes,
    pub(super) endings: Endings,
    arrivals: Arrivals,
    pace: Pace,
    pub(super) blockers: Blockers,
    pub(super) pods: BTreeMap<PodRef, Track>,
    /// When each pod goes that was ever to be evicted: it is of its order until it is gone.
    pub(super) order: BTreeMap<PodRef, Order>,
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
    /// What holds it up, told once.
    news: News,
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
    /// One [`super::TICK`] has passed.
    Tick,
    /// A controller was read: the one that [`Guard::next_read`] named last. `None`: there is none of this name.
    Controller(Result<Option<ControllerView>, Failure>),
    /// The journal has this on disk.
    Noted(BTreeMap<String, EvictionRecord>),
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
    pub fn resumed(
        policy: &Policy,
        records: BTreeMap<String, EvictionRecord>,
        same_turn: bool,
    ) -> Self {
        Self {
            policy: policy.clone(),
            guard: Guard::new(policy.single_replica, records, same_turn),
            volumes: Volumes::default(),
            endings: Endings::default(),
            arrivals: Arrivals::default(),
            pace: Pace::default(),
            blockers: Blockers::default(),
            pods: BTreeMap::new(),
            order: BTreeMap::new(),
            listed: BTreeSet::new(),
            kept: Vec::new(),
            fresh: false,
            stopped: false,
            begun: false,
            now: None,
            failed: false,
            news: News::default(),
        }
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
            DrainEvent::Noted(records) => {
                self.guard.noted(records);
                None
            }
            DrainEvent::LookAgain => {
                self.guard.look_again();
                self.tell_of_long_waits();
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

    /// What of a list has to go, by what this drain knows of when each pod came; and why not all of it may.
    pub fn plan(&self, pods: &[PodView]) -> Plan {
        plan(pods, &self.policy, &self.arrivals)
    }

    /// The guard for the last Ready pods.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The same, to ask it what is to be read and told.
    pub fn guard_mut(&mut self) -> &mut Guard {
        &mut self.guard
    }

    /// [`Guard::confirmed_evictions`].
    pub fn confirmed_evictions(&self) -> Option<BTreeMap<ControllerRef, StatusSnapshot>> {
        self.guard.confirmed_evictions()
    }

    /// The wait for volumes after the drain.
    pub fn volumes_mut(&mut self) -> &mut Volumes {
        &mut self.volumes
    }

    /// Evictions sent and not answered.
    pub fn in_flight(&self) -> usize {
        self.pods
            .values()
            .filter(|track| matches!(track, Track::Sent(_)))
            .count()
    }

    /// Whether a retry, or a pod that came late, waits for the next tick.
    pub fn needs_tick(&self) -> bool {
        !self.stopped && (self.blocked().next().is_some() || self.pace.waits())
    }

    /// The node is cordoned, by an answer of this time, seconds since the epoch by the API server's clock. `anew`: it was not before.
    pub fn cordoned(&mut self, at: Option<i64>, anew: bool) {
        self.arrivals.cordoned(at, anew);
    }

    /// Answers say of pods that they go, and nothing has shown it yet: only a list that begins after them tells.
    pub fn needs_list(&self) -> bool {
        let told = |track| matches!(track, &Track::Told(_));
        self.fresh && !self.stopped && self.pods.values().any(told)
    }

    /// A list begins now, as the first of a new watch.
    pub fn begins_list(&mut self) {
        for track in self.pods.values_mut() {
            if let Track::Told(told) = track {
                told.listing = true;
            }
        }
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
            mut order,
            refuse: _,
        } = plan;
        self.blockers.seen(pods);
        for pod in pods.iter().filter(|pod| self.blockers.goes_ahead(pod)) {
            if let Some(order) = order.get_mut(&pod.pod) {
                *order = Order::AHEAD;
            }
        }
        // Later ones of the same watch may be older than an answer.
        let first_of_watch = !std::mem::replace(&mut self.fresh, true);
        let begins = self.arrivals.listed(pods);
        let stays = |pod: &&PodView| skip.iter().any(|(kept, _)| *kept == pod.pod);
        let mut bound = pods.iter().filter(|pod| pod.volumes && !pod.finished);
        self.volumes.keep(bound.any(|pod| stays(&pod)));
        self.kept = skip;
        self.listed = evict.iter().chain(&wait).cloned().collect();
        // An eviction in flight is remembered until it is answered: a rollback waits for it.
        self.pods
            .retain(|pod, track| self.listed.contains(pod) || matches!(track, Track::Sent(_)));
        self.order.extend(order);
        self.order
            .retain(|pod, _| self.pods.contains_key(pod) || evict.contains(pod));
        let mut late = Vec::new();
        for pod in &evict {
            match self.pods.entry(pod.clone()) {
                Entry::Vacant(new) => {
                    new.insert(Track::Todo);
                    late.push(pod);
                }
                Entry::Occupied(mut known) => match known.get() {
                    // It was waited for, and does not go by itself any more.
                    Track::Ending => {
                        known.insert(Track::Todo);
                        late.push(pod);
                    }
                    Track::Told(told) if told.listing && first_of_watch => {
                        let track = told.still_here();
                        self.guard.refused(pod);
                        self.news.tell_of_refusal(pod, &track);
                        known.insert(track);
                    }
                    Track::Told(_) | Track::Todo | Track::Sent(_) | Track::Blocked(_) => {}
                },
            }
        }
        self.pace.seen(self.came_late(pods, &evict));
        // Those of a later order are looked at when it has come.
        let now = self.order_now();
        let going = |pod: &&PodRef| self.order.get(*pod).copied() == now;
        self.guard
            .pods(pods, &evict.iter().filter(going).cloned().collect());
        // The look at the controller that let the first of them go may be long past.
        let late = late.into_iter().filter(|_| !begins);
        late.for_each(|pod| self.guard.refresh(pod));
        self.endings.seen(pods, &self.listed);
        for pod in wait {
            let track = self.pods.entry(pod).or_insert(Track::Ending);
            if !matches!(track, Track::Sent(_)) {
                *track = Track::Ending;
            }
        }
        None
    }
}

impl Drain {
    /// Pods that came after the first list, each with its controller. One that nobody would create again is not among them.
    fn came_late(&self, pods: &[PodView], evict: &[PodRef]) -> BTreeMap<PodRef, String> {
        let came =
            |pod: &&PodView| self.arrivals.of(pod) == Arrival::Late && evict.contains(&pod.pod);
        let late = pods.iter().filter(came);
        let of = |pod: &PodView| Some((pod.pod.clone(), pod.controller.as_ref()?.uid.clone()));
        late.filter_map(of).collect()
    }
}

#[cfg(test)]
mod tests;
