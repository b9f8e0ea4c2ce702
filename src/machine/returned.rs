//! What stays through a drain and goes down with the node: static pods, and those of DaemonSets. A node whose network or storage
//! driver does not come back is Ready, and useless. Its DaemonSets' pods are waited for after the uncordon, with the slot still
//! held: before it they could wait for what was evicted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::undo::Step;
use super::{Machine, Op, Out, Phase, Report, Stop, Timer};
use crate::backoff::Delay;
use crate::config::{Config, RecoveryPods};
use crate::drain::{ControllerRef, PodView, few};
use crate::journal::Outcome;

/// So many seconds without a pod here, and a DaemonSet has none for this node any more.
const GONE: u16 = 60;
/// Looks that are made quickly.
const QUICK: u16 = 30;

/// Waiting for the pods of DaemonSets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Returning {
    /// How often they were looked at in vain.
    looks: u16,
    /// Seconds for which there was no pod.
    absent: BTreeMap<ControllerRef, u16>,
    /// Who is waited for.
    pub(super) missing: String,
}

/// The containers of the pods that stay.
pub(super) fn containers(pods: &[PodView]) -> BTreeSet<Box<str>> {
    pods.iter()
        .flat_map(|pod| pod.containers.iter().cloned())
        .collect()
}

/// The DaemonSets whose pods are Ready here now, as far as they are to be waited for.
pub(super) fn daemon_sets(config: &Config, pods: &[PodView]) -> BTreeSet<ControllerRef> {
    let ready = pods.iter().filter(|pod| pod.ready && matters(config, pod));
    ready.filter_map(daemon_set).collect()
}

/// Whether a pod runs again: Ready, and with none of the containers from before.
pub(super) fn is_back(pod: &PodView, before: Option<&BTreeSet<Box<str>>>) -> bool {
    pod.ready && before.is_none_or(|before| pod.containers.is_disjoint(before))
}

fn daemon_set(pod: &PodView) -> Option<ControllerRef> {
    ControllerRef::daemon_set(&pod.pod.namespace, pod.controller.as_ref()?)
}

fn matters(config: &Config, pod: &PodView) -> bool {
    let lives = !pod.terminating && !pod.finished;
    lives
        && match config.recovery.pods {
            RecoveryPods::Critical => pod.critical,
            RecoveryPods::All => true,
            RecoveryPods::Ignore => false,
        }
}

impl Returning {
    /// Looks at the pods that are here. Nobody is waited for if none is missing.
    fn look(
        &mut self,
        config: &Config,
        expected: Option<&BTreeSet<ControllerRef>>,
        before: Option<&BTreeSet<Box<str>>>,
        pods: &[PodView],
    ) {
        let mut here: BTreeMap<ControllerRef, bool> = BTreeMap::new();
        for pod in pods.iter().filter(|pod| matters(config, pod)) {
            if let Some(of) = daemon_set(pod) {
                *here.entry(of).or_default() |= is_back(pod, before);
            }
        }
        let wait = self.wait();
        let all: BTreeSet<_> = here.keys().cloned().collect();
        let mut missing = Vec::new();
        for of in expected.unwrap_or(&all) {
            let absent = match here.get(of) {
                Some(true) => continue,
                Some(false) => 0,
                None => self.absent.get(of).copied().unwrap_or_default(),
            };
            if absent < GONE {
                missing.push(of.to_string());
            }
            let absent = match here.get(of) {
                Some(_) => 0,
                None => absent.saturating_add(wait),
            };
            self.absent.insert(of.clone(), absent);
        }
        self.looks = self.looks.saturating_add(1);
        self.missing = few(missing);
    }

    /// Seconds to the next look.
    fn wait(&self) -> u16 {
        if self.looks < QUICK { 2 } else { 15 }
    }
}

impl Machine {
    /// After the uncordon, where the turn has rebooted: the pods of DaemonSets, and once more what proved health, for that may be
    /// long ago; then the controllers.
    pub(super) fn look_at_pods(&mut self, out: &mut Out) {
        let Phase::Undoing(undoing) = &mut self.phase else {
            return;
        };
        if undoing.outcome == Outcome::Done {
            self.undo_step(out, Step::Pods, Op::ListPods);
        } else {
            self.look_at_controllers(out);
        }
    }

    /// After a while nobody expects them soon any more: then it is asked as well whether an operator still does.
    pub(super) fn look_again_at_pods(&mut self, out: &mut Out) {
        match &self.phase {
            Phase::Undoing(undoing) if undoing.returning.looks >= QUICK => {
                self.undo_step(out, Step::StillOurs, Op::ReadLock);
            }
            _ => self.look_at_pods(out),
        }
    }

    /// Which pods are here.
    pub(super) fn pods_returned(&mut self, out: &mut Out, pods: &[PodView]) {
        if let Err(missing) = self.pods_proof(pods) {
            self.keep(out, missing);
            return;
        }
        let ignored = self.config.recovery.pods == RecoveryPods::Ignore;
        let units = self.config.recovery.units.clone();
        let turn = self.journal.turn.as_ref();
        let Phase::Undoing(undoing) = &mut self.phase else {
            return;
        };
        let expected = turn.and_then(|turn| turn.daemon_sets.as_ref());
        let before = turn.map(|turn| &turn.containers);
        let returning = &mut undoing.returning;
        returning.look(&self.config, expected, before, pods);
        if ignored || returning.missing.is_empty() {
            if units.is_empty() {
                self.look_at_controllers(out);
            } else {
                self.undo_step(out, Step::Units, Op::Units(units));
            }
            return;
        }
        let (looks, wait) = (returning.looks, returning.wait());
        // Whoever asks for an end gets one: the next start goes on.
        if self.stop == Stop::Undo {
            self.end(out);
            return;
        }
        if looks >= QUICK && (looks == QUICK || looks.is_power_of_two()) {
            let text = format!(
                "this node has rebooted, the slot is kept and nobody else reboots: not Ready since the boot: {}",
                returning.missing
            );
            out.report(Report::NotHealthy, text);
        }
        undoing.step = Step::PodsWait;
        // What it has been whole for so far does not count.
        undoing.soaked = self.config.recovery.soak.is_zero();
        out.set(
            Timer::Check,
            Delay::about(Duration::from_secs(u64::from(wait))),
        );
    }
}
