//! A node that is not Ready before its turn: it could not prove afterwards that it is healthy, and would stop the roll.

use super::world::World;

const HOUR: f64 = 3600.0;

#[test]
fn a_node_that_is_not_ready_before_its_turn_takes_no_slot() {
    let mut world = World::asking();
    world.node.ready.ready = false;
    world.node.ready.message = "container runtime network not ready".into();
    let mut machine = world.start();
    assert!(!world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    for part in [
        "the Node is not Ready: container runtime network not ready",
        "reboot it by hand",
    ] {
        world.until_told(&mut machine, part);
    }
    world.node.ready.ready = true;
    assert!(world.until(&mut machine, 60.0, |_, world| world.asked() == 1));
}

#[test]
fn a_node_that_becomes_not_ready_in_its_turn_goes_on() {
    let mut world = World::asking();
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.node.unschedulable));
    world.node.ready.ready = false;
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() == 1));
    assert!(world.reports.iter().all(|it| !it.starts_with("Undoing")));
}
