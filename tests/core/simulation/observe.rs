//! `mode = "observe"`: it looks and reports, and begins nothing, whenever it is switched on.
//!
//! Each story is told once for every event at which the switch can happen.

use std::cell::Cell;
use std::sync::Arc;

use rollboot::config::{Config, Mode};
use rollboot::lock::TURNS;
use rollboot::machine::{Event, Gate, Label, Machine, Op};

use super::HOUR;
use super::world::{World, pod};

/// More events than any of these stories has.
const EVENTS: usize = 400;

fn observing() -> Arc<Config> {
    Arc::new(Config {
        mode: Mode::Observe,
        ..Config::default()
    })
}

/// Lets `events` events pass, or fewer: false if the story is over before.
fn pass(world: &mut World, machine: &mut Machine, events: usize) -> bool {
    let left = Cell::new(events + 1);
    world.until(machine, 10.0 * HOUR, |_, _| {
        left.set(left.get() - 1);
        left.get() == 0
    })
}

/// What begins something: a slot taken, a cordon set, a reboot asked for.
fn begins(op: &Op) -> bool {
    match op {
        Op::PatchLock(patch) => patch.annotations.values().any(Option::is_some),
        Op::PatchNode(patch) => patch.unschedulable == Some(true),
        Op::Reboot => true,
        _ => false,
    }
}

/// Nothing was begun since `before`, except that a write without an outcome was repeated word for word.
fn assert_nothing_begun(world: &World, before: usize, evicted: usize, what: &str) {
    let (old, new) = world.ops.split_at(before);
    for op in new.iter().filter(|op| begins(op)) {
        assert!(old.contains(op) && *op != Op::Reboot, "{what}: {op:?}");
    }
    assert_eq!(world.evicted.len(), evicted, "{what}");
}

fn asking_with_pods() -> World {
    let mut world = World::asking();
    world.pods = vec![pod("p1"), pod("p2")];
    world
}

#[test]
fn a_node_that_observes_from_the_start_reports_and_begins_nothing() {
    let mut world = asking_with_pods();
    world.config = observing();
    let mut machine = world.start();
    world.wait(&mut machine, 10.0 * HOUR);
    assert_nothing_begun(&world, 0, 0, "from the start");
    let status = machine.status();
    assert_eq!((status.phase, status.mode), (Label::Waiting, Mode::Observe));
    assert_eq!(status.blocked_by[0].gate, Gate::Mode);
    assert!(status.reason.contains("observe"), "{}", status.reason);

    let mut idle = World::new();
    idle.config = observing();
    let mut idling = idle.start();
    assert!(idle.until(&mut idling, HOUR, |machine, _| {
        machine.label() == Label::Idle && machine.reason().contains("observe")
    }));

    // And back.
    machine = world.feed(machine, Event::Reload(Arc::new(Config::default())));
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() == 1));
}

#[test]
fn a_turn_under_way_is_undone_when_the_mode_becomes_observe_whatever_it_was_at() {
    let mut told = 0;
    for events in 0..EVENTS {
        let mut world = asking_with_pods();
        let mut machine = world.start();
        if !pass(&mut world, &mut machine, events) {
            break;
        }
        told += 1;
        let what = format!("after {events} events, {}", machine.reason());
        let (ops, evicted, asked) = (world.ops.len(), world.evicted.len(), world.asked());
        machine = world.feed(machine, Event::Reload(observing()));
        world.wait(&mut machine, 10.0 * HOUR);
        assert_nothing_begun(&world, ops, evicted, &what);
        assert!(!world.holds_slot() && !world.node.unschedulable, "{what}");
        assert_eq!(world.journal.turn, None, "{what}");
        let gate = machine.status().blocked_by[0].gate;
        // What was asked of logind before, and did not happen here, stays latched.
        let expected = if asked > 0 { Gate::Latch } else { Gate::Mode };
        assert_eq!(gate, expected, "{what}");
    }
    assert!((30..EVENTS).contains(&told), "{told} events");
}

#[test]
fn a_restart_with_observe_undoes_the_turn_that_it_finds() {
    let mut told = 0;
    for events in 0..EVENTS {
        let mut world = asking_with_pods();
        let mut machine = world.start();
        if !pass(&mut world, &mut machine, events) {
            break;
        }
        told += 1;
        let what = format!("after {events} events, {}", machine.reason());
        let known = world.journal.turn.as_ref().map(|turn| turn.id.to_string());
        let (ops, evicted) = (world.ops.len(), world.evicted.len());
        world.config = observing();
        machine = world.start();
        world.wait(&mut machine, 10.0 * HOUR);
        for op in world.ops[ops..].iter().filter(|op| begins(op)) {
            // The slot of the turn that is found is stamped anew, or taken to be given up at once: that voids what is in flight.
            let voids = match (op, &known) {
                (Op::PatchLock(patch), Some(turn)) => {
                    let slots = patch.annotations.iter().filter(|(key, _)| *key != TURNS);
                    let values = slots.filter_map(|(_, value)| value.as_ref());
                    values.clone().count() == 1 && values.clone().all(|value| value.contains(turn))
                }
                _ => false,
            };
            assert!(voids, "{what}: {op:?}");
        }
        assert_eq!(world.evicted.len(), evicted, "{what}");
        assert!(!world.holds_slot() && !world.node.unschedulable, "{what}");
        assert_eq!(world.journal.turn, None, "{what}");
    }
    assert!((30..EVENTS).contains(&told), "{told} events");
}

#[test]
fn a_node_that_has_rebooted_gives_its_turn_on_although_it_observes_now() {
    let mut told = 0;
    for events in 0..EVENTS {
        let mut world = asking_with_pods();
        let mut machine = world.start();
        assert!(world.until(&mut machine, HOUR, |_, world| world.asked() == 1));
        let mut machine = world.boot();
        if !pass(&mut world, &mut machine, events) {
            break;
        }
        told += 1;
        let what = format!("{events} events after the boot, {}", machine.reason());
        machine = world.feed(machine, Event::Reload(observing()));
        world.wait(&mut machine, HOUR);
        assert!(!world.holds_slot() && !world.node.unschedulable, "{what}");
        assert_eq!(
            (world.journal.turn.is_none(), world.asked()),
            (true, 1),
            "{what}"
        );
    }
    assert!((10..EVENTS).contains(&told), "{told} events");
}
