//! A node that waits because of pods on it watches them.

use rollboot::machine::{Event, Gate, Machine, Op};

use super::HOUR;
use super::world::{World, pod};

fn gate(machine: &Machine) -> Option<Gate> {
    let status = machine.status();
    status.blocked_by.first().map(|blocked| blocked.gate)
}

fn bare() -> rollboot::drain::PodView {
    let mut bare = pod("bare");
    bare.controller = None;
    bare
}

/// The backup ends, and the node goes at once: it does not lose what is left of a minute.
#[test]
fn the_end_of_a_pod_that_was_in_the_way_is_noticed_at_once() {
    let mut world = World::asking();
    world.pods = vec![pod("web"), bare()];
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |machine, _| gate(machine)
        == Some(Gate::Pods)));
    let lists = |world: &World| world.ops.iter().filter(|op| **op == Op::ListPods).count();
    let before = lists(&world);
    world.pods.pop();
    machine = world.feed(machine, Event::PodsSeen(world.pods.clone()));
    assert!(world.until(&mut machine, 3.0, |_, world| world.holds_slot()));
    assert_eq!(lists(&world), before + 1);
}

/// What the watch shows changes the reason that is told, and asks nothing.
#[test]
fn another_pod_in_the_way_is_named_without_a_request() {
    let mut world = World::asking();
    world.pods = vec![bare()];
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |machine, _| gate(machine)
        == Some(Gate::Pods)));
    let before = world.ops.len();
    let mut other = bare();
    other.pod.name = "another".into();
    machine = world.feed(machine, Event::PodsSeen(vec![other]));
    assert!(machine.reason().contains("another"), "{}", machine.reason());
    assert_eq!(world.ops.len(), before);
}

/// A watch that has ended says nothing: the node looks by itself.
#[test]
fn without_a_watch_the_pods_are_looked_at_once_a_minute() {
    let mut world = World::asking();
    world.pods = vec![bare()];
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |machine, _| gate(machine)
        == Some(Gate::Pods)));
    machine = world.feed(machine, Event::PodsWatchEnded(None));
    world.pods.clear();
    assert!(world.until(&mut machine, 61.0, |_, world| world.holds_slot()));
}

/// The pod ends between the list and the watch, whose first view is without it.
#[test]
fn the_watch_is_begun_with_the_wait() {
    let mut world = World::asking();
    world.pods = vec![bare()];
    world.hold = |op| *op == Op::ListPods;
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.held.is_some()));
    world.hold = |_| false;
    let list = world.held.take().unwrap();
    world.reply(list);
    world.pods.clear();
    assert!(world.until(&mut machine, 3.0, |_, world| world.holds_slot()));
}
