//! Maintenance windows in the life of one node. It begins on Friday the 15th of January 2027 at 08:00 UTC; the window is open
//! from 10 to 11 on every day.

use std::time::Duration;

use jiff::civil::time;
use jiff::tz::TimeZone;
use rollboot::machine::{Event, Gate, Label, Machine, Op};
use rollboot::window::{Window, Windows, Zone};

use super::world::{World, pod};

const HOUR: f64 = 3600.0;
const OPENS: f64 = 2.0 * HOUR;
const CLOSES: f64 = 3.0 * HOUR;

fn windowed() -> World {
    let mut world = World::asking();
    std::sync::Arc::make_mut(&mut world.config).windows = Windows::new(vec![Window {
        days: [true; 7],
        start: time(10, 0, 0, 0),
        end: Some(time(11, 0, 0, 0)),
        zone: Zone(TimeZone::UTC),
        must_fit: Duration::from_secs(20 * 60),
    }]);
    world
}

/// The gate that the status shows.
fn gate(machine: &Machine) -> Option<Gate> {
    machine
        .status()
        .blocked_by
        .first()
        .map(|blocked| blocked.gate)
}

#[test]
fn a_turn_begins_when_the_window_opens() {
    let mut world = windowed();
    let mut machine = world.start();
    let acquired = |_: &Machine, world: &World| world.holds_slot();
    assert!(!world.until(&mut machine, 3000.0, acquired));
    assert_eq!(gate(&machine), Some(Gate::Window));
    let reason = machine.reason();
    assert!(reason.contains("2027-01-15T10:00:00Z"), "{reason}");
    assert!(world.until(&mut machine, OPENS, acquired));
    assert!(
        (OPENS..OPENS + 10.0).contains(&world.time),
        "{}",
        world.time
    );
    assert!(world.until(&mut machine, 600.0, |_, world| world.asked() > 0));
}

#[test]
fn a_turn_that_would_not_fit_waits_for_the_next_day() {
    let mut world = windowed();
    world.time = OPENS + 41.0 * 60.0;
    let mut machine = world.start();
    let acquired = |_: &Machine, world: &World| world.holds_slot();
    assert!(!world.until(&mut machine, 23.0 * HOUR, acquired));
    assert!(machine.reason().contains("2027-01-16T10:00:00Z"));
    assert!(world.until(&mut machine, HOUR, acquired));
}

#[test]
fn a_drain_that_outlasts_the_window_is_undone_and_begins_again_in_the_next() {
    let mut world = windowed();
    // Longer than the window, or the time limit would end it first.
    std::sync::Arc::make_mut(&mut world.config).drain.timeout = Duration::from_secs(5 * 3600);
    world.pods = vec![pod("p")];
    world.blocked = true;
    let mut machine = world.start();
    assert!(world.until(&mut machine, CLOSES, |_, world| world.holds_slot()));
    let undone = |_: &Machine, world: &World| !world.holds_slot();
    assert!(world.until(&mut machine, 2.0 * HOUR, undone));
    assert!(
        (CLOSES..CLOSES + 60.0).contains(&world.time),
        "{}",
        world.time
    );
    world.wait(&mut machine, 120.0);
    assert!(!world.node.unschedulable);
    assert_eq!(machine.journal().failed, None, "it is no failure");
    assert_eq!(gate(&machine), Some(Gate::Window));
    world.blocked = false;
    assert!(world.until(&mut machine, 24.0 * HOUR, |_, world| world.asked() > 0));
}

#[test]
fn nothing_is_asked_for_when_the_window_closes_at_the_last_look() {
    let mut world = windowed();
    let mut machine = world.start();
    assert!(world.until(&mut machine, CLOSES, |machine, _| {
        machine.label() == Label::Drained
    }));
    world.hold = |op| matches!(op, Op::ReadLock);
    assert!(world.until(&mut machine, CLOSES, |_, world| world.held.is_some()));
    assert!(world.journaled_the_ask());
    // The host sleeps for an hour, say: what comes back within the deadline by its own clock is late by the one on the wall.
    world.wall += 3600;
    world.hold = |_| false;
    let op = world.held.take().unwrap();
    world.reply(op);
    assert!(world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
    assert_eq!(world.asked(), 0);
    assert!(machine.journal().history.is_empty(), "it was not asked for");
}

#[test]
fn recovery_heeds_no_window() {
    let mut world = windowed();
    let mut machine = world.start();
    assert!(world.until(&mut machine, CLOSES, |_, world| world.asked() > 0));
    world.wall += 7200;
    let mut machine = world.boot();
    assert!(world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
    assert!(!world.node.unschedulable);
}

#[test]
fn a_clock_that_is_set_into_the_window_is_noticed_within_an_hour() {
    let mut world = windowed();
    world.wall += 4 * 3600;
    let mut machine = world.start();
    world.wait(&mut machine, 10.0);
    assert_eq!(gate(&machine), Some(Gate::Window));
    world.wall -= 9000;
    assert!(world.until(&mut machine, 1.1 * HOUR, |_, world| world.holds_slot()));
}

#[test]
fn windows_that_are_taken_away_by_a_reload_count_at_once() {
    let mut world = windowed();
    let mut machine = world.start();
    world.wait(&mut machine, 60.0);
    std::sync::Arc::make_mut(&mut world.config).windows = Windows::default();
    let config = std::sync::Arc::clone(&world.config);
    let mut machine = world.feed(machine, Event::Reload(config));
    assert!(world.until(&mut machine, 60.0, |_, world| world.holds_slot()));
}
