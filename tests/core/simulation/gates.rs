//! Gates of the host, before the lock and right before the reboot: an operator's hold file, a package manager at work.

use rollboot::machine::{Gate, Label, Machine};
use rollboot::ports::{HostGates, Inhibitor, Start};

use super::world::World;

const HOUR: f64 = 3600.0;

/// Closes a gate of the host.
type Close = fn(&mut HostGates);

const CLOSE: [(Close, Gate, &str); 4] = [
    (
        |gates| gates.hold = Some("/etc/rollboot/hold: disk".into()),
        Gate::Hold,
        "/etc/rollboot/hold: disk",
    ),
    (
        |gates| gates.package_manager = Some("a package manager is at work: dpkg".into()),
        Gate::PackageManager,
        "a package manager is at work: dpkg",
    ),
    (
        |gates| gates.can_reboot = "na".into(),
        Gate::Logind,
        "\"na\"",
    ),
    (
        |gates| {
            gates.inhibitors = vec![Inhibitor {
                who: "backup".into(),
                why: "at work".into(),
                pid: 7,
            }];
        },
        Gate::Inhibitor,
        "backup (pid 7): at work",
    ),
];

fn blocked(machine: &Machine) -> (Option<Gate>, String) {
    let status = machine.status();
    let gate = status.blocked_by.first().map(|blocked| blocked.gate);
    (gate, status.reason)
}

#[test]
fn no_slot_is_taken_while_the_host_must_not_reboot() {
    for (close, gate, says) in CLOSE {
        let mut world = World::asking();
        let open = world.gates.clone();
        close(&mut world.gates);
        let mut machine = world.start();
        assert!(!world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
        let told = |machine: &Machine, _: &World| blocked(machine).0 == Some(gate);
        assert!(world.until(&mut machine, 60.0, told), "{gate:?}");
        let (_, reason) = blocked(&machine);
        assert!(reason.contains(says), "{reason}");
        world.gates = open;
        assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    }
}

#[test]
fn a_broken_configuration_begins_no_turn_and_ends_none() {
    let broken = Some("/etc/rollboot/config.toml:1:1: unknown key".to_owned());
    let mut world = World::asking();
    world.gates.configuration.clone_from(&broken);
    let mut machine = world.start();
    assert!(!world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    world.until_told(&mut machine, "config.toml:1:1");
    assert_eq!(blocked(&machine).0, Some(Gate::Configuration));
    world.gates.configuration = None;
    world.until_label(&mut machine, Label::Drained);
    world.gates.configuration = broken;
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
}

#[test]
fn a_hold_after_the_drain_gives_the_turn_on_without_a_back_off() {
    let (close, gate, _) = CLOSE[0];
    let mut world = World::asking();
    let open = world.gates.clone();
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Drained);
    close(&mut world.gates);
    assert!(world.until(&mut machine, 60.0, |_, world| !world.holds_slot()));
    assert!(!world.node.unschedulable);
    world.wait(&mut machine, 60.0);
    let told = |machine: &Machine, _: &World| blocked(machine).0 == Some(gate);
    assert!(world.until(&mut machine, 60.0, told));
    assert_eq!((world.asked(), &machine.journal().failed), (0, &None));
    world.gates = open;
    assert!(world.until(&mut machine, 60.0, |_, world| world.asked() > 0));
}

#[test]
fn a_gate_that_closes_after_the_drain_holds_up_the_reboot_and_then_gives_the_turn_on() {
    // What an operator holds is another story.
    for (close, gate, _) in CLOSE.into_iter().filter(|case| case.1 != Gate::Hold) {
        let mut world = World::asking();
        let mut machine = world.start();
        world.until_label(&mut machine, Label::Drained);
        close(&mut world.gates);
        let undone = |_: &Machine, world: &World| !world.holds_slot();
        assert!(!world.until(&mut machine, 600.0, undone));
        assert_eq!(blocked(&machine).0, Some(gate));
        assert_eq!(world.asked(), 0);
        assert!(
            world.until(&mut machine, HOUR, undone),
            "its time is limited"
        );
        world.wait(&mut machine, 60.0);
        assert_eq!(world.asked(), 0);
        assert!(!world.node.unschedulable);
    }
}

fn starting(seconds: u64) -> Start {
    Start::UnderWay {
        seconds,
        jobs: vec!["cloud-final.service".into()],
    }
}

#[test]
fn no_slot_is_taken_while_the_host_starts_for_an_hour_at_most() {
    let mut world = World::asking();
    world.gates.start = starting(10);
    let mut machine = world.start();
    assert!(!world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    let told = |machine: &Machine, _: &World| blocked(machine).0 == Some(Gate::Starting);
    assert!(world.until(&mut machine, 60.0, told));
    let (_, reason) = blocked(&machine);
    assert!(reason.contains("cloud-final.service"), "{reason}");
    world.gates.start = starting(3600);
    assert!(world.until(&mut machine, 120.0, |_, world| world.asked() > 0));
}

#[test]
fn a_holder_is_not_asked_whether_its_host_has_started() {
    for label in [Label::Acquired, Label::Drained] {
        let mut world = World::asking();
        let mut machine = world.start();
        world.until_label(&mut machine, label);
        world.gates.start = starting(10);
        assert!(world.until(&mut machine, 120.0, |_, world| world.asked() > 0));
    }
}
