//! After a drain that failed: the next one begins with what held it up, and disturbs nothing else until that goes.

use std::sync::Arc;

use rollboot::config::Unmanaged;
use rollboot::drain::{EvictAnswer, PodView};
use rollboot::machine::{Gate, Label, Machine};

use super::world::{World, pod};

const HOUR: f64 = 3600.0;

/// A pod of a controller of its own.
fn of(name: &str, controller: &str) -> PodView {
    let mut view = pod(name);
    let owner = view.controller.as_mut().unwrap();
    (owner.name, owner.uid) = (controller.into(), controller.into());
    view
}

/// A turn begins, and fails.
fn turn_fails(world: &mut World, machine: &mut Machine) {
    assert!(world.until(machine, 24.0 * HOUR, |_, world| world.holds_slot()));
    assert!(world.until(machine, 2.0 * HOUR, |_, world| !world.holds_slot()));
    world.until_label(machine, Label::Failed);
}

/// The node has been uncordoned since: pods of another app are back on it.
fn others(world: &mut World, turn: usize) {
    world.pods.retain(|pod| !pod.pod.name.starts_with("web"));
    world
        .pods
        .extend((0..3).map(|number| of(&format!("web-{turn}-{number}"), "web")));
}

/// A drain has run into its time limit because a budget kept `db-0`; other pods have been evicted meanwhile.
fn stopped() -> (World, Machine) {
    let mut world = World::asking();
    world.pods = vec![of("db-0", "db")];
    world.kept.insert("db-0".into());
    others(&mut world, 0);
    let mut machine = world.start();
    turn_fails(&mut world, &mut machine);
    assert_eq!(world.evicted.len(), 3);
    others(&mut world, 1);
    (world, machine)
}

#[test]
fn what_held_up_a_drain_goes_first_and_nothing_else_is_disturbed_for_five_minutes() {
    let (mut world, mut machine) = stopped();
    // Another pod of the same controller stands for it as well.
    world.pods[0] = of("db-1", "db");
    world.kept.insert("db-1".into());
    assert!(world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    let began = world.time;
    assert!(world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
    let took = world.time - began;
    assert!((295.0..330.0).contains(&took), "{took} s");
    assert_eq!(world.evicted.len(), 3, "{:?}", world.evicted);
    assert!(!world.node.unschedulable && world.asked() == 0);
}

#[test]
fn a_budget_that_opens_because_of_the_cordon_lets_the_turn_go_on() {
    let (mut world, mut machine) = stopped();
    assert!(world.until(&mut machine, HOUR, |_, world| world.node.unschedulable));
    world.wait(&mut machine, 120.0);
    assert_eq!(world.evicted.len(), 3);
    world.kept.clear();
    assert!(world.until(&mut machine, 60.0, |_, world| world.asked() > 0));
    assert_eq!(world.evicted.len(), 7);
    assert_eq!(world.evicted[3], "db-0");
    let mut machine = world.boot();
    assert!(world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
    assert_eq!(world.journal.failed, None);
}

#[test]
fn one_turn_in_four_drains_everything() {
    let (mut world, mut machine) = stopped();
    let mut disturbed = Vec::new();
    for turn in 1..12 {
        others(&mut world, turn);
        let before = world.evicted.len();
        turn_fails(&mut world, &mut machine);
        disturbed.push(world.evicted.len() - before);
    }
    assert_eq!(disturbed, [0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0]);
}

#[test]
fn what_goes_one_after_the_other_has_five_minutes_each() {
    let mut world = World::asking();
    world.pods = (0..3).map(|it| of(&format!("db-{it}"), "db")).collect();
    world.kept = world.pods.iter().map(|it| it.pod.name.clone()).collect();
    let mut machine = world.start();
    turn_fails(&mut world, &mut machine);
    others(&mut world, 1);
    assert!(world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    for it in 0..3 {
        world.wait(&mut machine, 240.0);
        assert!(world.holds_slot(), "{}", machine.reason());
        assert_eq!(world.evicted.len(), it);
        world.kept.remove(&format!("db-{it}"));
        let goes = world.until(&mut machine, 30.0, |_, world| world.evicted.len() > it);
        assert!(goes, "{}", machine.reason());
    }
    assert!(world.until(&mut machine, 60.0, |_, world| world.asked() > 0));
    assert_eq!(world.evicted.len(), 6);
}

#[test]
fn a_restart_does_not_forget_what_goes_first() {
    let (mut world, machine) = stopped();
    drop(machine);
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    world.wait(&mut machine, 60.0);
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
    assert_eq!(world.evicted.len(), 3, "{:?}", world.evicted);
}

#[test]
fn what_is_gone_holds_up_nothing() {
    let (mut world, mut machine) = stopped();
    world.pods.remove(0);
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert_eq!(world.evicted.len(), 6);
}

#[test]
fn a_pod_without_a_controller_is_known_by_its_name() {
    let (mut world, mut machine) = {
        let mut world = World::asking();
        Arc::make_mut(&mut world.config).drain.unmanaged = Unmanaged::Evict;
        let mut bare = pod("tool");
        bare.controller = None;
        world.pods = vec![bare];
        world.kept.insert("tool".into());
        let mut machine = world.start();
        turn_fails(&mut world, &mut machine);
        (world, machine)
    };
    others(&mut world, 1);
    let mut bare = pod("another-tool");
    bare.controller = None;
    world.pods.push(bare);
    turn_fails(&mut world, &mut machine);
    assert!(world.evicted.is_empty(), "{:?}", world.evicted);
}

#[test]
fn a_pod_that_is_still_ending_holds_the_next_turn_back() {
    let (mut world, mut machine) = stopped();
    world.kept.clear();
    let mut ending = of("db-0", "db");
    ending.terminating = true;
    ending.finalizers = vec!["example.com/backup".into()];
    world.pods[0] = ending;
    let acts = |_: &Machine, world: &World| world.holds_slot();
    assert!(!world.until(&mut machine, 24.0 * HOUR, acts));
    let says = |machine: &Machine, _: &World| !machine.status().blocked_by.is_empty();
    assert!(world.until(&mut machine, 60.0, says));
    let status = machine.status();
    let blocked = &status.blocked_by[0];
    assert_eq!(blocked.gate, Gate::Pods);
    for words in ["still ending", "default/db-0"] {
        assert!(blocked.what.contains(words), "{}", blocked.what);
    }
    world.pods.remove(0);
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
}

#[test]
fn a_pod_that_does_not_end_is_remembered_and_others_stay_until_it_is_gone() {
    let (mut world, mut machine) = stopped();
    world.refused = 0;
    assert!(world.until(&mut machine, HOUR, |_, world| world.refused > 0));
    // Its eviction is accepted, and a finalizer keeps it.
    let mut ending = of("db-0", "db");
    ending.terminating = true;
    ending.finalizers = vec!["example.com/backup".into()];
    ending.ends_by = Some(world.now().as_second() + 600);
    world.pods[0] = ending;
    world.see_pods();
    world.wait(&mut machine, 650.0);
    assert!(
        world.holds_slot(),
        "it may take its time: {}",
        machine.reason()
    );
    assert!(world.until(&mut machine, 420.0, |_, world| !world.holds_slot()));
    assert_eq!(world.evicted.len(), 3, "{:?}", world.evicted);
    let failed = world.journal.failed.unwrap();
    assert!(
        failed.blocked.iter().any(|it| it.name == "db"),
        "{failed:?}"
    );
}

#[test]
fn one_event_for_each_turn_names_what_held_it_up() {
    let (mut world, mut machine) = stopped();
    assert_eq!(world.announced.len(), 1);
    let event = world.announced[0].clone();
    assert_eq!(
        (event.reason, event.node_uid.as_str()),
        ("DrainBlocked", "node")
    );
    let retry = world.journal.failed.as_ref().unwrap().retry_at.to_string();
    for words in [
        "1 of its pods",
        "default/db-0: a budget",
        "kubectl get",
        &retry,
    ] {
        assert!(event.message.contains(words), "{}", event.message);
    }
    turn_fails(&mut world, &mut machine);
    assert_eq!(world.announced.len(), 2);
    assert_ne!(world.announced[1].turn, event.turn);
}

#[test]
fn an_event_names_a_few_pods_and_is_no_longer_than_it_may_be() {
    let stopped = |names: &[String]| {
        let mut world = World::asking();
        world.pods = names.iter().map(|name| pod(name)).collect();
        world.blocked = true;
        let mut machine = world.start();
        assert!(world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
        let turn = world.journal.turn.as_ref().map(|turn| turn.id);
        assert!(world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
        let [event] = &world.announced[..] else {
            panic!("{:?}", world.announced);
        };
        assert_eq!(Some(event.turn), turn);
        event.message.clone()
    };
    let names =
        |count: usize| -> Vec<String> { (10..10 + count).map(|it| it.to_string()).collect() };
    let twelve = stopped(&names(12));
    for words in ["12 of its pods", "default/14: a budget; and 7 more"] {
        assert!(twelve.contains(words), "{twelve}");
    }
    assert!(!twelve.contains("default/15"), "{twelve}");
    let five = stopped(&names(5));
    assert!(five.ends_with("default/14: a budget"), "{five}");
    let long = |it: usize| format!("{it}-{}", "ü".repeat(300));
    let long = stopped(&(0..40).map(long).collect::<Vec<_>>());
    assert!((1000..=1024).contains(&long.len()), "{}", long.len());
}

#[test]
fn what_the_drain_did_not_fail_of_is_not_remembered() {
    let mut world = World::asking();
    world.pods = vec![pod("a")];
    world.blocked = true;
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.refused > 0));
    world.unlock();
    world.until_label(&mut machine, Label::Failed);
    assert!(world.announced.is_empty(), "{:?}", world.announced);
    let failed = world.journal.failed.unwrap();
    assert!(failed.blocked.is_empty(), "{failed:?}");
}

#[test]
fn answers_that_move_nothing_give_no_more_time() {
    let (mut world, mut machine) = stopped();
    world.kept.clear();
    // Accepted each time, and listed all the same: the list is believed.
    world.evictions = vec![EvictAnswer::Accepted; 10_000].into();
    assert!(world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    let began = world.time;
    assert!(world.until(&mut machine, 2.0 * HOUR, |_, world| !world.holds_slot()));
    let took = world.time - began;
    assert!((295.0..420.0).contains(&took), "{took} s");
}

#[test]
fn a_pod_that_takes_longer_to_end_than_a_drain_may_is_remembered() {
    let mut world = World::asking();
    let mut slow = of("db-0", "db");
    slow.terminating = true;
    slow.ends_by = Some(world.wall + 7200);
    world.pods = vec![slow];
    let mut machine = world.start();
    turn_fails(&mut world, &mut machine);
    let failed = world.journal.failed.unwrap();
    assert!(
        failed.blocked.iter().any(|it| it.name == "db"),
        "{failed:?}"
    );
}

#[test]
fn the_others_have_all_the_time_of_a_drain_once_what_went_first_is_gone() {
    let (mut world, mut machine) = stopped();
    assert!(world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    world.wait(&mut machine, 100.0);
    world.kept = ["web-1-0".into()].into();
    let began = world.time;
    assert!(world.until(&mut machine, 2.0 * HOUR, |_, world| !world.holds_slot()));
    let took = world.time - began;
    assert!(took > 1790.0, "{took} s");
}
