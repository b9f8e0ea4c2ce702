//! A shutdown that is called off after the kubelet has heard of it: the node is up, and stays not Ready until somebody restarts
//! the kubelet. The roll must stop here.

use rollboot::lock::PAUSE;
use rollboot::machine::{Event, Label, Machine};

use super::world::World;

const HOUR: f64 = 3600.0;

/// The kubelet has heard that the host goes down.
fn goes_down(world: &mut World) {
    world.facts.preparing = Some(true);
    world.node.ready.ready = false;
    world.node.ready.message = "stopped posting".into();
}

fn keeps(world: &mut World, machine: &mut Machine, says: &str) {
    world.wait(machine, HOUR);
    assert!(world.holds_slot(), "given on: {:?}", world.reports);
    assert!(world.node.unschedulable, "uncordoned: {:?}", world.reports);
    world.until_told(machine, says);
}

/// Somebody restarts the kubelet.
fn is_mended(world: &mut World, machine: &mut Machine) {
    world.node.ready.ready = true;
    assert!(world.until(machine, 60.0, |_, world| !world.holds_slot()));
    assert!(!world.node.unschedulable);
}

/// A reboot that logind accepted.
fn accepted() -> (World, Machine) {
    let mut world = World::asking();
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() == 1));
    (world, machine)
}

#[test]
fn a_node_that_a_called_off_reboot_left_not_ready_stops_the_roll() {
    let (mut world, mut machine) = accepted();
    goes_down(&mut world);
    world.wait(&mut machine, 60.0);
    world.facts.preparing = Some(false);
    keeps(&mut world, &mut machine, "systemctl restart kubelet");
    let told = world
        .reports
        .iter()
        .filter(|it| it.starts_with("NotHealthy"));
    assert!((2..9).contains(&told.count()), "{:?}", world.reports);
    // Nor does a restart of the daemon make it healthy.
    let mut machine = world.start();
    keeps(&mut world, &mut machine, "reboot by hand");
    is_mended(&mut world, &mut machine);
    world.until_label(&mut machine, Label::Latched);
}

/// Somebody else's shutdown while the turn is being undone. `then`: what happens before it is called off.
fn foreign(then: impl Fn(&mut World, Machine) -> Machine) -> (World, Machine) {
    let mut world = World::asking();
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.node.unschedulable));
    let lock = world.lock.as_mut().unwrap();
    lock.annotations.insert(PAUSE.into(), "no".into());
    goes_down(&mut world);
    let down = |machine: &Machine, _: &World| machine.reason().contains("going down");
    assert!(world.until(&mut machine, HOUR, down));
    let machine = then(&mut world, machine);
    world.facts.preparing = Some(false);
    (world, machine)
}

#[test]
fn so_does_one_that_somebody_else_s_shutdown_left_not_ready() {
    let (mut world, mut machine) = foreign(|_, machine| machine);
    keeps(&mut world, &mut machine, "called off: stopped posting");
    is_mended(&mut world, &mut machine);
}

#[test]
fn so_does_one_whose_daemon_was_restarted_meanwhile() {
    // It has seen the shutdown, and the next one starts when nothing is to be seen of it any more.
    let (mut world, _) = foreign(|_, machine| machine);
    let mut machine = world.start();
    keeps(&mut world, &mut machine, "called off: stopped posting");
    is_mended(&mut world, &mut machine);
}

/// Cordoned; then turns are paused, and the node is not Ready any more.
fn paused_not_ready() -> (World, Machine) {
    let mut world = World::asking();
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.node.unschedulable));
    let lock = world.lock.as_mut().unwrap();
    lock.annotations.insert(PAUSE.into(), "no".into());
    world.node.ready.ready = false;
    (world, machine)
}

#[test]
fn so_does_one_whose_kubelet_alone_has_seen_the_shutdown() {
    let (mut world, mut machine) = paused_not_ready();
    world.node.ready.message = "[a, node is shutting down]".into();
    keeps(&mut world, &mut machine, "node is shutting down");
    is_mended(&mut world, &mut machine);
}

#[test]
fn a_node_that_is_not_ready_for_another_reason_gives_the_turn_on() {
    let (mut world, mut machine) = paused_not_ready();
    assert!(world.until(&mut machine, 60.0, |_, world| !world.holds_slot()));
    assert!(!world.node.unschedulable);
}

#[test]
fn a_node_that_somebody_deletes_does_not_keep_the_slot() {
    let (mut world, mut machine) = accepted();
    goes_down(&mut world);
    world.wait(&mut machine, 60.0);
    world.facts.preparing = Some(false);
    keeps(&mut world, &mut machine, "restart kubelet");
    world.node.deleting = true;
    assert!(world.until(&mut machine, 60.0, |_, world| !world.holds_slot()));
}

#[test]
fn whoever_asks_for_an_end_gets_an_answer_and_the_slot_stays() {
    let (mut world, mut machine) = accepted();
    goes_down(&mut world);
    world.wait(&mut machine, 60.0);
    world.facts.preparing = Some(false);
    keeps(&mut world, &mut machine, "restart kubelet");
    let mut machine = world.feed(machine, Event::Abort);
    world.wait(&mut machine, 10.0);
    let answer = world.aborts.pop().unwrap().unwrap_err();
    assert!(answer.contains("restart kubelet"), "{answer}");
    let mut machine = world.feed(machine, Event::StopRequested);
    assert!(world.until(&mut machine, 10.0, |_, world| world.exited));
    assert!(world.holds_slot() && world.node.unschedulable);
    let mut machine = world.start();
    keeps(&mut world, &mut machine, "restart kubelet");
    is_mended(&mut world, &mut machine);
}
