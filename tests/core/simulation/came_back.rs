//! Pods that come back although the node is cordoned, and those that stay.

use rollboot::drain::PodRef;
use rollboot::machine::Machine;

use super::world::{World, pod};

const HOUR: f64 = 3600.0;

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

#[test]
fn the_pods_of_a_daemon_set_stay() {
    let mut world = World::asking();
    let mut agent = pod("agent-1");
    agent.tolerates_cordon = true;
    if let Some(owner) = &mut agent.controller {
        owner.kind = "DaemonSet".into();
    }
    world.pods = vec![pod("web"), agent];
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert_eq!(world.evicted, ["web"]);
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
fn a_node_that_was_registered_anew_in_a_drain_is_not_cordoned_for_the_old_turn() {
    let mut world = World::asking();
    world.pods = vec![pod("web")];
    world.blocked = true;
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.refused > 0));
    let turn = machine.journal().turn.clone().unwrap();
    world.node.uid = "another".into();
    world.node.unschedulable = false;
    world.node.cordon_owned = false;
    world.node.marker = None;
    let over = |machine: &Machine, _: &World| {
        let now = machine.journal().turn.as_ref();
        now.is_none_or(|now| now.id != turn.id)
    };
    let cordoned =
        |machine: &Machine, world: &World| world.node.unschedulable || over(machine, world);
    assert!(world.until(&mut machine, 120.0, cordoned));
    assert!(over(&machine, &world), "{}", machine.reason());
}
