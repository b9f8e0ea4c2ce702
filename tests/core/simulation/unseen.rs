//! A controller that does not see what a turn evicted: the next node would count those pods, so it gets no slot until then.

use rollboot::drain::{ControllerView, StatusRevision};
use rollboot::lock::PAUSE;
use rollboot::machine::{Event, Label, Machine};

use super::world::{World, plenty_of, pod};

const HOUR: f64 = 3600.0;

/// Two are wanted, and one of them is here.
fn app(ready: u32, written: impl Into<StatusRevision>) -> ControllerView {
    ControllerView {
        wanted: 2,
        replicas: 2,
        ready,
        available: ready,
        written: written.into(),
        ..plenty_of("app")
    }
}

/// A version of the object, in a second in which much happens.
fn within_the_second(version: &str, others: u64) -> StatusRevision {
    StatusRevision {
        fresh: true,
        version: version.into(),
        others,
        .."1".into()
    }
}

impl World {
    fn controller_writes(&mut self, ready: u32, written: impl Into<StatusRevision>) {
        let view = app(ready, written);
        self.controllers.insert(view.uid.clone(), view);
    }
}

/// One pod is evicted, and the other is elsewhere. `stays`: by a budget one of another controller cannot go.
fn evicted(stays: bool) -> (World, Machine) {
    let mut world = World::asking();
    world.pods = vec![pod("a")];
    world.controller_writes(2, within_the_second("10", 0));
    if stays {
        let mut other = pod("b");
        other.controller.as_mut().unwrap().uid = "other".into();
        world.kept.insert("b".into());
        world.pods.push(other);
    }
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.evicted == ["a"]));
    (world, machine)
}

#[test]
fn a_node_that_is_back_keeps_its_slot_until_controllers_have_seen_what_it_evicted() {
    let (mut world, mut machine) = evicted(false);
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    // The controller manager is dead: its status still says two, and the next node would take the other one.
    let mut machine = world.boot();
    assert!(!world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
    assert_eq!(machine.label(), Label::Recovering);
    let reason = machine.reason();
    let wanted = "ReplicaSet default/app: the controller has not seen yet what was evicted";
    assert!(reason.contains(wanted), "{reason}");
    assert!(reason.ends_with("rollboot unlock n1 --force"), "{reason}");
    assert!(!world.node.unschedulable, "pods may come back");
    let told = world.reports.iter().filter(|it| it.contains(wanted));
    assert_eq!(told.count(), 1, "{:#?}", world.reports);
    // So it is after a restart.
    let mut machine = world.start();
    assert!(!world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
    world.controller_writes(1, "2");
    assert!(world.until(&mut machine, 60.0, |_, world| !world.holds_slot()));
    let over = |machine: &Machine, _: &World| machine.journal().turn.is_none();
    assert!(world.until(&mut machine, 60.0, over));
    assert_eq!(machine.journal().evictions, None);
}

#[test]
fn a_pod_that_is_replaced_within_a_second_costs_no_slot() {
    let free = |_: &Machine, world: &World| !world.holds_slot();
    for how in ["boot", "undo", "restart"] {
        let (mut world, mut machine) = evicted(how != "boot");
        if how == "boot" {
            assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
            machine = world.boot();
        } else {
            assert!(world.until(&mut machine, HOUR, |_, world| !world.node.unschedulable));
        }
        // The controller manager is dead, and somebody else annotates the controller.
        world.controller_writes(2, within_the_second("11", 1));
        assert!(!world.until(&mut machine, HOUR, free), "{how}");
        if how == "restart" {
            machine = world.start();
            assert!(!world.until(&mut machine, HOUR, free));
        }
        world.controller_writes(2, within_the_second("12", 1));
        let found = world.until(&mut machine, 60.0, free);
        assert!(found, "{how}: {}", machine.reason());
    }
}

#[test]
fn a_controller_that_is_awake_costs_a_node_that_is_back_one_read() {
    let (mut world, mut machine) = evicted(false);
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    world.controller_writes(2, "2");
    world.ops.clear();
    let mut machine = world.boot();
    let began = world.time;
    assert!(world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
    assert!(world.time - began < 1.0, "{} s", world.time - began);
    let of = |op: &&rollboot::machine::Op| matches!(op, rollboot::machine::Op::ReadController(_));
    assert_eq!(world.ops.iter().filter(of).count(), 1);
}

#[test]
fn a_turn_that_is_undone_keeps_its_slot_until_controllers_have_seen_what_it_evicted() {
    for how in ["time", "pause", "hold", "window", "unlock"] {
        let (mut world, mut machine) = evicted(true);
        match how {
            "pause" => {
                let lock = world.lock.as_mut().unwrap();
                lock.annotations.insert(PAUSE.into(), "why".into());
                lock.version = "77".into();
            }
            "hold" => world.node.hold = Some("why".into()),
            "window" => world.present.clear(),
            _ => {}
        }
        if how == "window" {
            machine = world.feed(machine, Event::Sentinels(world.present.clone()));
        }
        let lifted = |_: &Machine, world: &World| !world.node.unschedulable;
        assert!(world.until(&mut machine, HOUR, lifted), "{how}");
        let free = |_: &Machine, world: &World| !world.holds_slot();
        assert!(!world.until(&mut machine, HOUR, free), "{how}");
        let reason = machine.reason();
        assert!(reason.contains("has not seen yet"), "{how}: {reason}");
        if how == "unlock" {
            // An operator knows better.
            world.unlock();
            let over = |machine: &Machine, _: &World| machine.journal().turn.is_none();
            assert!(world.until(&mut machine, 60.0, over));
            continue;
        }
        world.controller_writes(1, "2");
        assert!(world.until(&mut machine, 60.0, free), "{how}");
    }
}

#[test]
fn a_turn_that_evicted_nothing_does_not_wait_for_what_an_earlier_one_did() {
    let (mut world, mut machine) = evicted(true);
    let lifted = |_: &Machine, world: &World| !world.node.unschedulable;
    assert!(world.until(&mut machine, HOUR, lifted));
    // The controller is dead; an operator knows better.
    world.unlock();
    let over = |machine: &Machine, _: &World| machine.journal().turn.is_none();
    assert!(world.until(&mut machine, 60.0, over));
    assert!(machine.journal().evictions.is_some());
    world.kept.clear();
    let next = |_: &Machine, world: &World| world.holds_slot();
    assert!(world.until(&mut machine, 12.0 * HOUR, next));
    world.node.hold = Some("why".into());
    let free = |_: &Machine, world: &World| !world.holds_slot();
    assert!(world.until(&mut machine, 3.0, free));
    assert_eq!(world.evicted, ["a"]);
}

#[test]
fn a_reboot_that_does_not_happen_gives_no_slot_to_the_next_node_either() {
    let (mut world, mut machine) = evicted(false);
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert!(world.until(&mut machine, HOUR, |_, world| !world.node.unschedulable));
    let free = |_: &Machine, world: &World| !world.holds_slot();
    assert!(!world.until(&mut machine, HOUR, free));
    let mut machine = world.start();
    assert!(!world.until(&mut machine, HOUR, free));
    world.controller_writes(1, "2");
    assert!(world.until(&mut machine, 60.0, free));
}

#[test]
fn whoever_asks_for_an_end_does_not_wait_for_long() {
    for how in ["abort", "stop"] {
        for late in [false, true] {
            let (mut world, mut machine) = evicted(true);
            if late {
                assert!(world.until(&mut machine, HOUR, |_, world| !world.node.unschedulable));
            }
            let event = match how {
                "abort" => Event::Abort,
                _ => Event::StopRequested,
            };
            machine = world.feed(machine, event);
            let free = |_: &Machine, world: &World| !world.holds_slot();
            assert!(
                world.until(&mut machine, 60.0, free),
                "{how} {late}: {}",
                machine.reason()
            );
        }
    }
}

#[test]
fn a_pod_that_was_asked_for_and_did_not_go_is_not_waited_for() {
    let mut world = World::asking();
    world.pods = vec![pod("a")];
    world.controller_writes(2, "1");
    world.blocked = true;
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.refused > 0));
    // Nor after a restart.
    let mut machine = world.start();
    let refused = world.refused;
    assert!(world.until(&mut machine, HOUR, |_, world| world.refused > refused));
    world.until_label(&mut machine, Label::Failed);
    assert!(world.until(&mut machine, 5.0, |_, world| !world.holds_slot()));
}

/// Two pods of a controller are here and two elsewhere; one of those here goes, and a budget keeps the other.
fn one_of_two_stays() -> (World, Machine) {
    let mut world = World::asking();
    world.pods = ["a", "c"].map(pod).to_vec();
    world.kept.insert("c".into());
    world.four(4, "1");
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.evicted == ["a"]));
    // The controller has seen it, the replacement is ready, and everything is at rest.
    world.four(3, "2");
    world.wait(&mut machine, 2.0);
    world.four(4, "3");
    let before = world.refused;
    assert!(world.until(&mut machine, 60.0, |_, world| world.refused > before + 2));
    assert!(world.until(&mut machine, 1.0, |_, world| world.queue.is_empty()));
    (world, machine)
}

impl World {
    fn four(&mut self, ready: u32, written: impl Into<StatusRevision>) {
        let view = ControllerView {
            wanted: 4,
            replicas: 4,
            ..app(ready, written)
        };
        self.controllers.insert(view.uid.clone(), view);
    }
}

#[test]
fn a_refused_eviction_is_none_that_a_controller_has_to_see() {
    for how in ["time", "restart", "sentinel"] {
        let (mut world, mut machine) = one_of_two_stays();
        match how {
            "restart" => machine = world.start(),
            "sentinel" => {
                // It goes while an eviction is on its way.
                let before = world.refused;
                assert!(world.until(&mut machine, 60.0, |_, world| world.refused > before));
                world.present.clear();
                machine = world.feed(machine, Event::Sentinels(world.present.clone()));
                assert!(world.node.unschedulable);
            }
            _ => {}
        }
        let lifted = |_: &Machine, world: &World| !world.node.unschedulable;
        assert!(world.until(&mut machine, HOUR, lifted));
        let free = |_: &Machine, world: &World| !world.holds_slot();
        let found = world.until(&mut machine, 60.0, free);
        assert!(found, "{how}: {}", machine.reason());
    }
}

#[test]
fn the_last_eviction_that_went_is_what_a_controller_has_to_see() {
    let (mut world, mut machine) = one_of_two_stays();
    // The budget lets it go once; then the controller manager dies, and another pod of the controller is kept.
    world.kept.clear();
    world.pods.push(pod("d"));
    world.kept.insert("d".into());
    assert!(world.until(&mut machine, 60.0, |_, world| world.evicted == ["a", "c"]));
    let lifted = |_: &Machine, world: &World| !world.node.unschedulable;
    assert!(world.until(&mut machine, HOUR, lifted));
    let free = |_: &Machine, world: &World| !world.holds_slot();
    assert!(!world.until(&mut machine, HOUR, free));
    world.four(3, "4");
    assert!(world.until(&mut machine, 60.0, free));
}
