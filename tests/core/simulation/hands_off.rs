//! Autoscalers keep their hands off the node from the cordon to the end of the turn, and what others told them stays.

use rollboot::config::ForeignCordon;
use rollboot::journal::Journal;
use rollboot::machine::{Event, Label, Machine};
use rollboot::node::{HANDS_OFF, Notice};

use super::world::{World, pod};

const HOUR: f64 = 3600.0;
const CLUSTER: &str = HANDS_OFF[0];
const KARPENTER: &str = HANDS_OFF[1];

fn theirs(value: &str) -> Notice {
    Notice {
        value: value.into(),
        owned: false,
    }
}

/// The annotations that are there, with whether they are ours.
fn notices(world: &World) -> Vec<(&'static str, bool)> {
    let all = world.node.hands_off.iter();
    all.map(|(name, notice)| (*name, notice.owned)).collect()
}

fn both() -> Vec<(&'static str, bool)> {
    vec![(CLUSTER, true), (KARPENTER, true)]
}

/// A node that is cordoned and cannot get rid of its pod.
fn draining(world: &mut World) -> Machine {
    world.pods = vec![pod("web")];
    world.blocked = true;
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Cordoned);
    machine
}

/// The daemon undoes its turn and is at rest.
fn abort(world: &mut World, mut machine: Machine) {
    machine = world.feed(machine, Event::Abort);
    assert!(world.until(&mut machine, HOUR, |_, world| world.node.marker.is_none()));
    assert!(!world.node.unschedulable || !world.node.cordon_owned);
}

#[test]
fn from_the_cordon_through_the_reboot_to_the_proof() {
    let mut world = World::asking();
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.node.unschedulable));
    assert_eq!(notices(&world), both());
    world.until_label(&mut machine, Label::Rebooting);
    assert_eq!(notices(&world), both());
    world.node.ready.ready = false;
    let mut machine = world.boot();
    let lifted = |_: &Machine, world: &World| !world.node.unschedulable;
    world.wait(&mut machine, HOUR);
    world.node.ready.ready = true;
    assert_eq!(notices(&world), both(), "until there is proof of health");
    assert!(world.until(&mut machine, HOUR, lifted));
    assert_eq!(notices(&world), [], "with the very write that uncordons");
}

#[test]
fn what_was_there_before_stays_whatever_it_says() {
    for value in ["true", "false"] {
        let mut world = World::asking();
        world.node.hands_off.insert(CLUSTER, theirs(value));
        let machine = draining(&mut world);
        assert_eq!(world.node.hands_off[CLUSTER], theirs(value));
        abort(&mut world, machine);
        assert_eq!(notices(&world), [(CLUSTER, false)]);
        assert_eq!(world.node.hands_off[CLUSTER], theirs(value));
    }
}

#[test]
fn what_somebody_changed_in_the_turn_stays() {
    for value in ["true", "false"] {
        let mut world = World::asking();
        let machine = draining(&mut world);
        world.node.hands_off.insert(KARPENTER, theirs(value));
        abort(&mut world, machine);
        assert_eq!(notices(&world), [(KARPENTER, false)]);
    }
}

#[test]
fn they_are_kept_while_the_cordon_is_set_again() {
    let mut world = World::asking();
    let mut machine = draining(&mut world);
    world.node.unschedulable = false;
    world.node.cordon_owned = false;
    world.node.hands_off.remove(CLUSTER);
    world.node.version = "99".into();
    assert!(world.until(&mut machine, HOUR, |_, world| world.node.unschedulable));
    assert_eq!(notices(&world), both());
    abort(&mut world, machine);
    assert_eq!(notices(&world), []);
}

#[test]
fn under_somebody_elses_cordon_they_come_and_go_and_the_cordon_stays() {
    let mut world = World::asking();
    std::sync::Arc::make_mut(&mut world.config)
        .drain
        .foreign_cordon = ForeignCordon::Proceed;
    world.node.unschedulable = true;
    let machine = draining(&mut world);
    assert_eq!(notices(&world), both());
    abort(&mut world, machine);
    assert_eq!(notices(&world), []);
    assert!(world.node.unschedulable);
}

#[test]
fn a_start_that_finds_them_takes_them_away_in_the_end() {
    // With its journal it goes on and keeps them; without one it undoes; without slot and journal only the marker tells.
    for (journal, slot) in [(true, true), (false, true), (false, false)] {
        let mut world = World::asking();
        world.node.hands_off.insert(KARPENTER, theirs("true"));
        draining(&mut world);
        if !journal {
            world.journal = Journal::default();
        }
        if !slot {
            world.lock.as_mut().unwrap().annotations.clear();
        }
        world.present.clear();
        let mut machine = world.start();
        assert!(
            world.until(&mut machine, HOUR, |_, world| world.node.marker.is_none()),
            "{}",
            machine.reason()
        );
        assert_eq!(notices(&world), [(KARPENTER, false)]);
        assert!(!world.node.unschedulable);
    }
}
