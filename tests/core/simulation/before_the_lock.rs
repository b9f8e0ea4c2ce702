//! What keeps a node from a turn is seen before it takes a slot; what changes after the drain, before the reboot.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::time;
use jiff::tz::TimeZone;
use rollboot::config::{Config, PodGate, SingleReplica};
use rollboot::drain::PodView;
use rollboot::failure::{Failure, FailureKind};
use rollboot::journal::Asked;
use rollboot::lock::TurnId;
use rollboot::machine::{Event, Gate, Label, Machine, Op, Reply};
use rollboot::selector::Selector;
use rollboot::window::{Window, Windows, Zone};

use super::world::{World, plenty_of, pod, request};

const HOUR: f64 = 3600.0;

type Change = fn(&mut World);

fn gate(machine: &Machine) -> Option<Gate> {
    machine
        .status()
        .blocked_by
        .first()
        .map(|blocked| blocked.gate)
}

fn static_pod(ready: bool) -> PodView {
    PodView {
        mirror: true,
        controller: None,
        ready,
        ..pod("proxy")
    }
}

fn unmanaged() -> PodView {
    PodView {
        controller: None,
        ..pod("alone")
    }
}

fn configured(world: &mut World, change: fn(&mut Config)) {
    change(Arc::make_mut(&mut world.config));
}

const CLOSED: [(Change, Gate, Change); 8] = [
    (
        |world| world.node.hold = Some("disk".into()),
        Gate::Hold,
        |world| world.node.hold = None,
    ),
    (
        |world| world.node.unschedulable = true,
        Gate::ForeignCordon,
        |world| world.node.unschedulable = false,
    ),
    (
        |world| world.node.boot_id = "b9".into(),
        Gate::Node,
        |world| world.node.boot_id = "b0".into(),
    ),
    (
        |world| world.node.deleting = true,
        Gate::Node,
        |world| world.node.deleting = false,
    ),
    (
        |world| world.pods = vec![unmanaged()],
        Gate::Pods,
        |world| world.pods.clear(),
    ),
    (
        |world| world.pods = vec![static_pod(false)],
        Gate::Pods,
        |world| world.pods = vec![static_pod(true)],
    ),
    (
        |world| {
            configured(world, |config| {
                let selector = Selector::parse("!app").unwrap();
                config.gates.pods = vec![PodGate {
                    namespace: None,
                    selector,
                }];
            });
            world.pods = vec![pod("a")];
        },
        Gate::BlockingPods,
        |world| world.pods.clear(),
    ),
    (
        |world| {
            configured(world, |config| {
                config.drain.single_replica = SingleReplica::Block;
            });
            world.pods = vec![pod("a")];
            let mut single = plenty_of("app");
            (single.wanted, single.ready) = (1, 1);
            world.controllers.insert("app".into(), single);
        },
        Gate::Pods,
        |world| world.pods.clear(),
    ),
];

#[test]
fn no_slot_is_taken_while_a_gate_is_closed_that_can_be_seen_without_one() {
    for (close, expected, open) in CLOSED {
        let mut world = World::asking();
        close(&mut world);
        let mut machine = world.start();
        let takes = |_: &Machine, world: &World| world.holds_slot();
        assert!(!world.until(&mut machine, HOUR, takes), "{expected:?}");
        let told = |machine: &Machine, _: &World| gate(machine) == Some(expected);
        assert!(world.until(&mut machine, 120.0, told), "{expected:?}");
        open(&mut world);
        assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    }
}

/// Drained, and nothing is asked yet.
fn drained() -> (World, Machine) {
    let mut world = World::asking();
    world.pods = vec![pod("a")];
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Drained);
    assert_eq!(
        (world.asked(), &world.evicted[..]),
        (0, &["a".to_owned()][..])
    );
    (world, machine)
}

#[test]
fn a_node_that_is_held_or_goes_after_the_drain_does_not_reboot() {
    let changes: [Change; 2] = [
        |world| world.node.hold = Some("disk".into()),
        |world| world.node.deleting = true,
    ];
    for change in changes {
        let (mut world, mut machine) = drained();
        change(&mut world);
        world.wait(&mut machine, HOUR);
        assert_eq!((world.asked(), world.holds_slot()), (0, false));
    }
}

#[test]
fn a_node_that_lost_its_cordon_or_its_mark_is_cordoned_again_before_it_reboots() {
    let changes: [Change; 2] = [
        |world| world.node.unschedulable = false,
        |world| world.node.marker = None,
    ];
    for change in changes {
        let (mut world, mut machine) = drained();
        change(&mut world);
        world.ops.clear();
        let asked = |_: &Machine, world: &World| world.asked() > 0;
        world.until(&mut machine, HOUR, asked);
        let writes = world.ops.iter().any(|op| matches!(op, Op::PatchNode(_)));
        assert!(writes, "{:?}", world.ops);
    }
}

#[test]
fn a_pod_that_comes_after_the_drain_goes_before_the_reboot() {
    let (mut world, mut machine) = drained();
    world.pods = vec![pod("late")];
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert_eq!(world.evicted, ["a", "late"]);
}

#[test]
fn a_pod_that_refuses_after_the_drain_keeps_the_node_up() {
    let (mut world, mut machine) = drained();
    world.pods = vec![unmanaged()];
    world.wait(&mut machine, HOUR);
    assert_eq!((world.asked(), world.evicted.len()), (0, 1));
    assert!(!world.holds_slot());
}

#[test]
fn a_sentinel_that_is_written_to_after_the_drain_is_waited_for() {
    let (mut world, mut machine) = drained();
    // More often than `settle`.
    for number in 0..20 {
        world.present = BTreeSet::from([request(&format!("written-{number}"))]);
        machine = world.feed(machine, Event::Sentinels(world.present.clone()));
        world.wait(&mut machine, 10.0);
        assert_eq!(world.asked(), 0);
    }
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
}

#[test]
fn a_node_of_another_uid_after_the_drain_does_not_reboot_in_this_turn() {
    let (mut world, mut machine) = drained();
    world.node.uid = "another".into();
    let over = |_: &Machine, world: &World| world.asked() > 0 || !world.holds_slot();
    assert!(world.until(&mut machine, HOUR, over));
    assert_eq!(world.asked(), 0);
}

/// The last read before the slot is taken is on its way.
fn about_to_take() -> (World, Machine) {
    about_to_take_in(World::asking())
}

fn about_to_take_in(mut world: World) -> (World, Machine) {
    let mut machine = world.start();
    // The start reads it as well.
    let looks = |_: &Machine, world: &World| world.ops.contains(&Op::Gates);
    assert!(world.until(&mut machine, HOUR, looks));
    world.hold = |op| *op == Op::ReadLock;
    assert!(world.until(&mut machine, HOUR, |_, world| world.held.is_some()));
    world.hold = |_| false;
    (world, machine)
}

fn answered(world: &mut World, machine: &mut Machine) {
    let op = world.held.take().unwrap();
    world.reply(op);
    let taken = |_: &Machine, world: &World| world.holds_slot();
    assert!(!world.until(machine, 60.0, taken), "{}", machine.reason());
    let writes = |op: &Op| matches!(op, Op::PatchLock(_));
    assert!(!world.ops.iter().any(writes), "{:?}", world.ops);
}

#[test]
fn a_sentinel_that_goes_while_the_gates_are_looked_at_takes_no_slot() {
    let (mut world, mut machine) = about_to_take();
    world.present.clear();
    machine = world.feed(machine, Event::Sentinels(world.present.clone()));
    answered(&mut world, &mut machine);
}

#[test]
fn a_turn_that_fits_no_more_when_the_gates_were_looked_at_takes_no_slot() {
    let mut world = World::asking();
    // It is eight o'clock.
    let window = Window {
        days: [true; 7],
        start: time(7, 0, 0, 0),
        end: Some(time(8, 30, 0, 0)),
        zone: Zone(TimeZone::UTC),
        must_fit: Duration::from_secs(20 * 60),
    };
    Arc::make_mut(&mut world.config).windows = Windows::new(vec![window]);
    let (mut world, mut machine) = about_to_take_in(world);
    world.time += 15.0 * 60.0;
    answered(&mut world, &mut machine);
}

#[test]
fn where_pods_cannot_be_listed_before_the_cordon_nobody_is_cordoned() {
    let mut world = World::asking();
    configured(&mut world, |config| {
        let selector = Selector::parse("app=backup").unwrap();
        config.gates.pods = vec![PodGate {
            namespace: None,
            selector,
        }];
    });
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    world.hold = |op| *op == Op::ListPods;
    assert!(world.until(&mut machine, HOUR, |_, world| world.held.is_some()));
    world.hold = |_| false;
    world.held = None;
    let failure = Failure::new(FailureKind::Timeout, "no answer");
    world
        .queue
        .push_back(Event::Reply(Reply::Pods(Err(failure))));
    let over = |_: &Machine, world: &World| world.node.unschedulable || !world.holds_slot();
    assert!(world.until(&mut machine, HOUR, over));
    assert!(!world.node.unschedulable, "{}", machine.reason());
}

#[test]
fn it_is_quiet_for_as_long_as_is_configured_before_the_last_look() {
    let mut world = World::asking();
    configured(&mut world, |config| {
        config.drain.quiet = Duration::from_secs(90);
    });
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Drained);
    let since = world.time;
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert!(world.time >= since + 90.0, "{}", world.time - since);
}

#[test]
fn a_last_read_of_the_lock_that_took_long_makes_everything_be_looked_at_again() {
    for (seconds, again) in [(4, false), (6, true)] {
        let (mut world, mut machine) = drained();
        world.hold = |op| *op == Op::ReadLock;
        let last = |_: &Machine, world: &World| world.held.is_some() && world.journaled_the_ask();
        assert!(world.until(&mut machine, HOUR, last));
        world.hold = |_| false;
        world.held = None;
        world.ops.clear();
        let reply = Reply::Lock {
            result: Ok(world.lock.clone()),
            took: Duration::from_secs(seconds),
        };
        world.queue.push_back(Event::Reply(reply));
        assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
        assert_eq!(world.ops.contains(&Op::ReadNode), again, "{seconds} s");
    }
}

#[test]
fn a_request_that_is_taken_back_in_a_turn_ends_it_without_a_reboot() {
    for label in [Label::Cordoned, Label::Drained] {
        let mut world = World::asking();
        world.pods = vec![pod("a")];
        let mut machine = world.start();
        world.until_label(&mut machine, label);
        world.present.clear();
        machine = world.feed(machine, Event::Sentinels(world.present.clone()));
        world.wait(&mut machine, 60.0);
        assert_eq!((world.asked(), world.holds_slot()), (0, false), "{label:?}");
        assert!(!world.node.unschedulable);
        assert_eq!(world.journal.failed, None, "nothing went wrong");
    }
}

#[test]
fn a_day_has_so_many_reboots_and_no_more() {
    for (before, turn) in [(2, true), (3, false)] {
        let mut world = World::asking();
        for number in 0..before {
            world.journal.history.push(Asked {
                at: world.now(),
                boot_id: format!("earlier-{number}"),
                turn: TurnId(number),
                requests: BTreeSet::from([request("earlier")]),
            });
        }
        let mut machine = world.start();
        let taken = world.until(&mut machine, HOUR, |_, world| world.holds_slot());
        assert_eq!(taken, turn, "{before} before");
        assert_eq!(gate(&machine) == Some(Gate::DailyLimit), !turn);
    }
}

#[test]
fn while_the_last_read_of_the_lock_is_not_answered_no_ask_is_on_record() {
    let mut world = World::asking();
    let mut machine = world.start();
    world.hold = |op| matches!(op, Op::WriteJournal(journal) if asks(journal));
    assert!(world.until(&mut machine, HOUR, |_, world| world.held.is_some()));
    world.hold = |_| false;
    world.failing_lock_reads = 3;
    let op = world.held.take().unwrap();
    world.reply(op);
    assert!(world.until(&mut machine, 60.0, |_, world| world.failing_lock_reads == 2));
    assert!(world.until(&mut machine, 1.0, |_, world| !world.journaled_the_ask()));
    // A restart now takes nothing for asked.
    world.failing_lock_reads = 0;
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() == 1));
}

fn asks(journal: &rollboot::journal::Journal) -> bool {
    let turn = journal.turn.as_ref();
    turn.is_some_and(|turn| turn.stage == rollboot::journal::Stage::Rebooting)
}
