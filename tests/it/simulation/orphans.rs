//! Pods that stay or go for other reasons than most: those of DaemonSets that do not exist, and those that come back.

use std::sync::Arc;

use rollboot::config::Unmanaged;
use rollboot::drain::{PodRef, PodView};
use rollboot::machine::{Gate, Machine, Op};

use super::world::{World, pod};

const HOUR: f64 = 3600.0;

/// A pod of the DaemonSet `agent`.
fn agent(name: &str) -> PodView {
    let mut pod = pod(name);
    pod.tolerates_cordon = true;
    if let Some(owner) = &mut pod.controller {
        owner.kind = "DaemonSet".into();
        owner.name = "agent".into();
        owner.uid = "agent".into();
    }
    pod
}

fn site(unmanaged: Unmanaged, gone: bool) -> (World, Machine) {
    let mut world = World::asking();
    Arc::make_mut(&mut world.config).drain.unmanaged = unmanaged;
    world.pods = vec![pod("web"), agent("agent-1"), agent("agent-2")];
    if gone {
        world.missing.insert("agent".into());
    }
    let machine = world.start();
    (world, machine)
}

impl World {
    /// The pod ends, and its controller makes another at once. The cordon keeps that off, unless it tolerates a cordon.
    pub(super) fn replace(&mut self, pod: &PodRef) {
        let gone = self.pods.iter().find(|other| other.pod == *pod);
        let replacement = gone.filter(|gone| gone.tolerates_cordon).cloned();
        self.pods.retain(|other| other.pod != *pod);
        self.pods.extend(replacement.map(|mut again| {
            again.pod.uid += "-again";
            again
        }));
    }
}

fn looked(world: &World) -> usize {
    let looks = |op: &&Op| matches!(op, Op::ReadController(of) if of.uid == "agent");
    world.ops.iter().filter(looks).count()
}

#[test]
fn the_pods_of_a_daemon_set_stay_and_it_is_looked_for_once() {
    let (mut world, mut machine) = site(Unmanaged::Evict, false);
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert_eq!((world.evicted.len(), looked(&world)), (1, 1));
}

#[test]
fn without_it_they_are_unmanaged_and_nothing_is_evicted() {
    let (mut world, mut machine) = site(Unmanaged::Refuse, true);
    let closed = |machine: &Machine, _: &World| {
        let status = machine.status();
        let gate = status.blocked_by.first().map(|blocked| blocked.gate);
        gate == Some(Gate::Pods)
    };
    assert!(world.until(&mut machine, HOUR, closed));
    let blocked = &machine.status().blocked_by[0];
    assert!(
        blocked
            .what
            .contains("default/agent-1: its DaemonSet does not exist"),
        "{blocked:?}"
    );
    assert!(!world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    assert!(world.evicted.is_empty());
    // It is made again, and the node looks again.
    world.missing.clear();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
}

#[test]
fn without_it_they_go_where_the_policy_says_so_also_after_a_look_back() {
    let (mut world, mut machine) = site(Unmanaged::Evict, true);
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert_eq!((world.evicted.len(), looked(&world)), (3, 1));
}

#[test]
fn a_restart_does_not_forget_that_their_daemon_set_is_gone() {
    let (mut world, mut machine) = site(Unmanaged::Evict, true);
    world.blocked = true;
    assert!(world.until(&mut machine, HOUR, |_, world| world.refused > 0));
    let mut machine = world.start();
    world.blocked = false;
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert_eq!(world.evicted.len(), 3, "{:?}", world.evicted);
}

#[test]
fn a_replacement_that_tolerates_the_cordon_stays_and_is_named() {
    let mut world = World::asking();
    let mut operator = pod("operator");
    operator.tolerates_cordon = true;
    world.pods = vec![operator, pod("web")];
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert_eq!(world.evicted, ["operator", "web"]);
    let named = |report: &&String| {
        report.starts_with("Drained") && report.contains("default/operator came back")
    };
    let reports = world.reports.iter().filter(named).count();
    assert_eq!(reports, 1, "{:#?}", world.reports);
}

#[test]
fn what_may_not_be_looked_for_stays() {
    let mut world = World::asking();
    world.pods = vec![agent("agent-1")];
    world.missing.insert("agent".into());
    world.unguarded = true;
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert!(world.evicted.is_empty());
}
