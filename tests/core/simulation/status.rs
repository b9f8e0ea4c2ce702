//! What the status tells besides phase and reason: failures that are waited out, and the last reboots.

use rollboot::machine::{Gate, Label, Timer};

use super::HOUR;
use super::world::World;

#[test]
fn a_call_that_fails_is_told_with_the_timer_that_repeats_it() {
    let mut world = World::asking();
    world.failing_lock_reads = 3;
    let mut machine = world.start();
    let fails = |machine: &rollboot::machine::Machine| machine.status().failing.is_some();
    assert!(world.until(&mut machine, HOUR, |machine, _| fails(machine)));
    let status = machine.status();
    assert_eq!(status.failing.unwrap().error, "no connection");
    assert!(status.reason.contains("no connection"), "{}", status.reason);
    assert_eq!(machine.waits_for(), Some(Timer::Retry));
    assert!(world.timers.contains_key(&Timer::Retry));
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() == 1));
    assert_eq!(
        (machine.status().failing, machine.waits_for()),
        (None, None)
    );
}

#[test]
fn a_gate_that_is_closed_by_a_failure_is_told_with_the_next_look() {
    let mut world = World::asking();
    let mut machine = world.start();
    // After the start, while the gates are looked at.
    assert!(world.until(&mut machine, HOUR, |machine, _| {
        machine
            .status()
            .blocked_by
            .first()
            .is_some_and(|it| it.gate == Gate::Settle)
    }));
    world.failing_lock_reads = 1;
    assert!(world.until(&mut machine, HOUR, |machine, _| {
        machine
            .status()
            .blocked_by
            .first()
            .is_some_and(|it| it.gate == Gate::Api)
    }));
    assert_eq!(machine.status().failing.unwrap().error, "no connection");
    assert_eq!(machine.waits_for(), Some(Timer::Attempt));
    assert!(world.timers.contains_key(&Timer::Attempt));
}

#[test]
fn of_several_reasons_all_are_told_and_each_goes_when_it_is_no_more() {
    let mut world = World::asking();
    world.gates.hold = Some("/etc/rollboot/hold".into());
    world.gates.package_manager = Some("dpkg is at work".into());
    let mut machine = world.start();
    let gates = |machine: &rollboot::machine::Machine| {
        let closed = machine.status().blocked_by;
        closed.iter().map(|it| it.gate).collect::<Vec<_>>()
    };
    let both = [Gate::Hold, Gate::PackageManager];
    assert!(world.until(&mut machine, HOUR, |machine, _| gates(machine) == both));
    let reason = machine.status().reason;
    assert!(reason.ends_with("; also: dpkg is at work"), "{reason}");
    world.gates.hold = None;
    let one = [Gate::PackageManager];
    assert!(world.until(&mut machine, HOUR, |machine, _| gates(machine) == one));
    assert!(!machine.status().reason.contains("also"));
}

#[test]
fn reboots_are_listed_newest_first_and_those_that_did_not_happen_are_told_apart() {
    let mut world = World::asking();
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Rebooting);
    let asked = machine.status().reboots;
    assert_eq!((asked.len(), asked[0].booted), (1, false));
    assert_eq!(asked[0].sentinels, ["/run/reboot-required"]);

    let mut machine = world.boot();
    world.until_label(&mut machine, Label::Idle);
    assert!(machine.status().reboots[0].booted);

    for number in 0..6 {
        let mut again = machine.journal().history[0].clone();
        again.at = again
            .at
            .checked_add(jiff::SignedDuration::from_hours(number))
            .unwrap();
        world.journal.history.push(again);
    }
    let reboots = world.start().status().reboots;
    assert_eq!(reboots.len(), 5);
    assert!(reboots.is_sorted_by(|a, b| a.at >= b.at), "{reboots:?}");
}
