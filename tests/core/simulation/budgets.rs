//! A budget that blocks: each pod that it holds is asked for again every five to six seconds.

use rollboot::drain::ControllerView;
use rollboot::machine::{Event, Label, Machine};

use super::world::{World, plenty_of, pod};

const HOUR: f64 = 3600.0;
const REFUSED: &str = "Cannot evict pod as it would violate the pod's disruption budget. The disruption budget web needs 2 healthy pods and has 2 currently";

/// A drain whose pods a budget blocks, right after it has refused each of them once.
fn blocked(pods: &[&str]) -> (World, Machine) {
    let mut world = World::asking();
    world.pods = pods.iter().map(|name| pod(name)).collect();
    world.blocked = true;
    world.refusal = REFUSED;
    let mut machine = world.start();
    let all = pods.len();
    assert!(world.until(&mut machine, HOUR, |_, world| world.refused == all));
    let answered = |_: &Machine, world: &World| world.queue.is_empty();
    assert!(world.until(&mut machine, 1.0, answered));
    (world, machine)
}

#[test]
fn each_pod_is_asked_for_again_every_five_to_six_seconds() {
    let (mut world, mut machine) = blocked(&["a", "b", "c"]);
    let before = world.refused;
    world.wait(&mut machine, 60.0);
    let asked = world.refused - before;
    assert!((3 * 9..=3 * 12).contains(&asked), "{asked} in a minute");
    world.blocked = false;
    let opened = world.time;
    assert!(world.until(&mut machine, HOUR, |_, world| world.evicted.len() == 3));
    assert!(world.time - opened <= 6.0);
    world.until_label(&mut machine, Label::Rebooting);
}

#[test]
fn a_controller_is_read_again_before_what_a_budget_held_up_goes() {
    let (mut world, mut machine) = blocked(&["a"]);
    // Meanwhile all others of it have failed; the budget looks at other pods.
    let last = ControllerView {
        ready: 1,
        written: "now".into(),
        ..plenty_of("app")
    };
    world.controllers.insert("app".into(), last);
    world.blocked = false;
    world.wait(&mut machine, 60.0);
    assert_eq!(world.evicted.len(), 0, "{}", machine.reason());
    assert!(machine.reason().contains("last ready pod"));
}

#[test]
fn a_drain_that_is_given_up_evicts_nothing_more() {
    let (mut world, machine) = blocked(&["a"]);
    let mut machine = world.feed(machine, Event::Abort);
    world.blocked = false;
    world.until_label(&mut machine, Label::Latched);
    assert!(world.evicted.is_empty());
}

#[test]
fn a_budget_that_holds_up_a_drain_is_told_of_once() {
    let (mut world, mut machine) = blocked(&["a", "b"]);
    let told = |world: &World| {
        let told = world.reports.iter();
        let told = told.filter(|it| it.starts_with("DrainWaits"));
        told.cloned().collect::<Vec<_>>()
    };
    assert!(told(&world).is_empty(), "often one goes after the other");
    world.wait(&mut machine, 300.0);
    let told = told(&world);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("default/a: ") && told[0].contains("budget web needs 2"));
}
