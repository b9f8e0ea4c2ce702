//! A shutdown that somebody has set for a certain time, and a logind that is in the middle of something.

use rollboot::lock::PAUSE;
use rollboot::machine::{Label, Machine};
use rollboot::shutdown::Scheduled;

use super::world::World;

const HOUR: f64 = 3600.0;

/// `shutdown -r`, so many seconds from now.
fn set_for(world: &mut World, kind: &str, after: i64) {
    world.facts.scheduled = Some(Scheduled {
        kind: kind.into(),
        at: world.now().as_second() + after,
    });
}

fn call_off(world: &mut World) {
    world.facts.scheduled = Some(Scheduled::default());
}

fn cordoned() -> (World, Machine) {
    let mut world = World::asking();
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.node.unschedulable));
    (world, machine)
}

#[test]
fn no_turn_begins_before_a_shutdown_that_is_due() {
    let mut world = World::asking();
    let mut machine = world.start();
    set_for(&mut world, "reboot", 500);
    assert!(!world.until(&mut machine, 400.0, |_, world| world.holds_slot()));
    let reason = machine.reason();
    assert!(reason.contains("shutdown -c"), "{reason}");
    call_off(&mut world);
    assert!(world.until(&mut machine, 90.0, |_, world| world.asked() == 1));
}

#[test]
fn one_that_is_due_later_or_only_warns_does_not_matter() {
    for (kind, after) in [("reboot", 3600), ("dry-reboot", 60)] {
        let mut world = World::asking();
        let mut machine = world.start();
        set_for(&mut world, kind, after);
        assert!(world.until(&mut machine, 90.0, |_, world| world.asked() == 1));
    }
}

#[test]
fn a_turn_goes_on_before_a_shutdown_that_is_due() {
    let (mut world, mut machine) = cordoned();
    set_for(&mut world, "reboot", 300);
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() == 1));
}

#[test]
fn neither_cordon_nor_slot_is_given_up_before_a_shutdown_that_is_due() {
    let (mut world, mut machine) = cordoned();
    set_for(&mut world, "poweroff", 300);
    let lock = world.lock.as_mut().unwrap();
    lock.annotations.insert(PAUSE.into(), "no".into());
    world.wait(&mut machine, 280.0);
    assert!(world.holds_slot() && world.node.unschedulable);
    let told = |it: &String| it.starts_with("GoingDown: a poweroff of this host is set");
    assert!(world.reports.iter().any(told), "{:?}", world.reports);
    call_off(&mut world);
    assert!(world.until(&mut machine, 60.0, |_, world| !world.holds_slot()));
    assert!(!world.node.unschedulable);
}

/// logind was asked and is in the middle of something.
fn busy() -> (World, Machine) {
    let mut world = World::asking();
    world.busy = true;
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() == 1));
    (world, machine)
}

#[test]
fn a_sleep_that_logind_is_busy_with_does_not_use_up_the_request() {
    let (mut world, mut machine) = busy();
    assert!(world.until(&mut machine, 120.0, |_, world| !world.holds_slot()));
    assert!(machine.journal().history.is_empty());
    world.busy = false;
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() == 2));
}

#[test]
fn a_shutdown_that_logind_is_busy_with_is_what_was_asked_for() {
    let (mut world, mut machine) = busy();
    world.facts.preparing = Some(true);
    world.wait(&mut machine, HOUR);
    assert!(world.holds_slot());
    world.facts.preparing = Some(false);
    world.until_label(&mut machine, Label::Latched);
    assert_eq!(world.asked(), 1);
}
