//! Stories of one node over hours: outages at bad moments, clocks that jump, operators who change their mind. Each was a defect once.

mod answers;
mod before_the_lock;
mod blocked;
mod budgets;
mod called_off;
mod came_back;
mod cluster_gates;
mod control_plane;
mod ending;
mod gates;
mod going_down;
mod guard;
mod handover;
mod hands_off;
mod known_lock;
mod not_ready;
mod observe;
mod one_drain;
mod returned;
mod scheduled;
mod status;
mod unseen;
mod volumes;
mod waits_for_pods;
mod windows;
mod world;

use jiff::Timestamp;
use rollboot::failure::{Failure, FailureKind};
use rollboot::journal::Failed;
use rollboot::machine::{Event, Label, Op, Reply, Timer};
use rollboot::request::Requests;
use world::{World, lock, pod, request};

const HOUR: f64 = 3600.0;

#[test]
fn an_outage_before_the_last_read_makes_everything_be_looked_at_again() {
    let mut world = World::asking();
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.journaled_the_ask()));
    world.failing_lock_reads = 30;
    world.until(&mut machine, HOUR, |_, world| world.failing_lock_reads == 5);
    // During the outage somebody has uncordoned the node, and pods have come.
    world.node.unschedulable = false;
    world.node.cordon_owned = false;
    world.node.version = "99".into();
    world.pods = vec![pod("new")];
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert!(world.node.unschedulable && world.pods.is_empty());
}

#[test]
fn the_slot_is_not_given_up_by_facts_from_before_an_outage() {
    let mut world = World::asking();
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Rebooting);
    world.ops.clear();
    let mut machine = world.boot();
    let lifted =
        |_: &_, world: &World| !world.node.unschedulable && world.ops.last() == Some(&Op::ReadLock);
    assert!(world.until(&mut machine, HOUR, lifted));
    world.failing_lock_reads = 40;
    world.queue.clear();
    world.reply(Op::ReadLock);
    // Somebody shuts the host down during the outage.
    world.facts.preparing = Some(true);
    world.wait(&mut machine, HOUR);
    assert!(world.holds_slot());
}

#[test]
fn a_lock_that_appeared_after_the_start_and_is_created_again_is_no_free_one() {
    let mut world = World::asking();
    world.lock = None;
    let mut machine = world.start();
    world.wait(&mut machine, 120.0);
    let mut armed = lock("lock", 7);
    armed
        .annotations
        .insert("other.rollboot.io/default".into(), "{}".into());
    world.lock = Some(armed);
    assert!(world.until(&mut machine, HOUR, |machine, _| {
        machine.reason().contains("the turn of other")
    }));
    world.lock = Some(lock("created again", 50));
    assert!(
        !world.until(&mut machine, HOUR, |_, world| world.holds_slot()),
        "{}",
        machine.reason()
    );
    assert!(
        machine.reason().contains("created again"),
        "{}",
        machine.reason()
    );
}

#[test]
fn absence_counts_only_while_it_is_observed() {
    let mut world = World::asking();
    let slot = "x.rollboot.io/default";
    let annotations = &mut world.lock.as_mut().unwrap().annotations;
    annotations.insert(slot.into(), "{}".into());
    world.peers.insert("x".into(), false);
    let mut machine = world.start();
    let looks = |world: &World| {
        world
            .ops
            .iter()
            .filter(|op| matches!(op, Op::PeerExists(_)))
            .count()
    };
    assert!(world.until(&mut machine, HOUR, |_, world| looks(world) == 3
        && world.queue.is_empty()));
    // Nobody looks for a day, and the Node is there for all of it.
    let asked = std::mem::take(&mut world.present);
    machine = world.feed(machine, Event::Sentinels(Requests::new()));
    world.time += 24.0 * HOUR;
    world.present = asked.clone();
    machine = world.feed(machine, Event::Sentinels(asked));
    let began = world.time;
    let free = |_: &_, world: &World| !world.lock.as_ref().unwrap().annotations.contains_key(slot);
    assert!(
        world.until(&mut machine, 2.0 * HOUR, free),
        "never reclaimed"
    );
    assert!(
        world.time - began >= 600.0,
        "reclaimed after {} s",
        world.time - began
    );
}

#[test]
fn stale_holders_are_looked_for_although_watches_end_all_the_time() {
    let mut world = World::asking();
    let annotations = &mut world.lock.as_mut().unwrap().annotations;
    annotations.insert("gone.rollboot.io/default".into(), "{}".into());
    world.peers.insert("gone".into(), false);
    let mut machine = world.start();
    let reclaimed = |_: &_, world: &World| {
        let lock = world.lock.as_ref().unwrap();
        !lock.annotations.contains_key("gone.rollboot.io/default")
    };
    assert!(world.until(&mut machine, HOUR, reclaimed));
    assert!(world.time >= 600.0, "after {} s", world.time);
}

#[test]
fn nothing_is_asked_of_logind_while_pid_1_is_asked_why_the_service_stops() {
    let mut world = World::asking();
    world.hold = |op| *op == Op::ReadLock;
    let mut machine = world.start();
    loop {
        world.until(&mut machine, HOUR, |_, world| world.held.is_some());
        if world.journaled_the_ask() {
            break;
        }
        let op = world.held.take().unwrap();
        world.reply(op);
    }
    machine = world.feed(machine, Event::StopRequested);
    let reason = world.queue.pop_back().unwrap();
    let op = world.held.take().unwrap();
    world.hold = |_| false;
    world.reply(op);
    world.until(&mut machine, 1.0, |_, world| world.queue.is_empty());
    assert_eq!(world.asked(), 0);
    machine = world.feed(machine, reason);
    assert!(world.until(&mut machine, HOUR, |_, world| world.exited));
    assert!(!world.holds_slot() && !world.node.unschedulable && world.asked() == 0);
}

#[test]
fn a_node_that_is_being_deleted_for_long_costs_no_more_than_another_wait() {
    let mut world = World::asking();
    world.pods.push(pod("p"));
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Cordoned);
    world.node.deleting = true;
    world.pods.push(pod("q"));
    world.wait(&mut machine, HOUR);
    assert!(
        world.ops.len() < 2000,
        "{} calls in an hour",
        world.ops.len()
    );
    assert!(!world.holds_slot());
}

#[test]
fn a_refused_cordon_ends_with_the_time_limit_or_a_stop() {
    for stop in [false, true] {
        let mut world = World::asking();
        let mut machine = world.start();
        assert!(world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
        world.node_refuses = true;
        world.wait(&mut machine, 60.0);
        if stop {
            machine = world.feed(machine, Event::StopRequested);
            assert!(
                world.until(&mut machine, 60.0, |_, world| world.exited),
                "{}",
                machine.reason()
            );
        } else {
            assert!(
                world.until(&mut machine, HOUR, |_, world| !world.holds_slot()),
                "{}",
                machine.reason()
            );
        }
        assert!(!world.holds_slot());
    }
}

#[test]
fn a_logind_that_says_nothing_before_the_reboot_ends_the_turn_in_time() {
    let mut world = World::asking();
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Drained);
    world.logind_answers = false;
    assert!(
        world.until(&mut machine, HOUR, |_, world| !world.holds_slot()),
        "{}",
        machine.reason()
    );
    assert!(!world.node.unschedulable);
}

#[test]
fn a_back_off_ends_although_the_clock_was_set_back() {
    let mut world = World::asking();
    let retry_at = Timestamp::from_second(world.wall + 60).unwrap();
    world.journal.failed = Some(Failed {
        times: 1,
        why: "a budget".into(),
        retry_at,
        blocked: Vec::new(),
    });
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Failed);
    world.wall -= 24 * 60 * 60;
    assert!(
        world.until(&mut machine, HOUR, |_, world| world.holds_slot()),
        "{}",
        machine.reason()
    );
}

#[test]
fn a_stop_that_meets_a_shutdown_ends_at_once() {
    let mut world = World::asking();
    world.pods.push(pod("p"));
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Cordoned);
    world.facts.job = Some(true);
    machine = world.feed(machine, Event::StopRequested);
    assert!(
        world.until(&mut machine, 60.0, |_, world| world.exited),
        "{}",
        machine.reason()
    );
    assert!(world.holds_slot(), "the next start goes on");
}

#[test]
fn nothing_is_evicted_after_an_abort() {
    let mut world = World::asking();
    world.pods = (0..20).map(|number| pod(&format!("p{number}"))).collect();
    world.hold = |op| matches!(op, Op::PatchNode(_));
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.held.is_some()));
    machine = world.feed(machine, Event::Abort);
    world.hold = |_| false;
    let op = world.held.take().unwrap();
    world.reply(op);
    world.until_label(&mut machine, Label::Latched);
    assert!(world.evicted.is_empty(), "{:?}", world.evicted);
    assert!(
        world.aborts.len() == 1 && world.aborts[0].is_ok(),
        "{:?}",
        world.aborts
    );
}

#[test]
fn an_abort_that_cannot_be_recorded_is_no_success() {
    for fails in [false, true] {
        let mut world = World::asking();
        world.gates.hold = Some("/etc/rollboot/hold".into());
        let mut machine = world.start();
        world.until_label(&mut machine, Label::Waiting);
        world.wait(&mut machine, 60.0);
        world.hold = |op| matches!(op, Op::WriteJournal(_));
        machine = world.feed(machine, Event::Abort);
        assert!(world.until(&mut machine, 60.0, |_, world| world.held.is_some()));
        assert!(world.aborts.is_empty(), "not before it is on disk");
        let full = || Failure::new(FailureKind::Local, "the disk is full");
        let result = if fails { Err(full()) } else { Ok(()) };
        let written = Event::Reply(Reply::JournalWritten(result));
        let machine = world.feed(machine, written);
        let answer = world.aborts.pop().unwrap();
        assert_eq!(answer.is_err(), fails, "{answer:?}");
        assert!(!fails || answer.unwrap_err().contains("the disk is full"));
        assert_eq!(machine.label(), Label::Latched);
    }
}

#[test]
fn an_abort_without_a_turn_is_done_also_where_logind_says_nothing() {
    let mut world = World::new();
    world.facts.preparing = None;
    let mut machine = world.start();
    world.wait(&mut machine, 60.0);
    let _machine = world.feed(machine, Event::Abort);
    assert!(world.aborts[0].is_ok(), "{:?}", world.aborts);
}

#[test]
fn hints_do_not_make_the_wait_for_a_reboot_shorter() {
    let mut world = World::asking();
    let mut machine = world.start();
    assert!(
        world.until(&mut machine, HOUR, |_, world| world.asked() == 1
            && world.queue.is_empty())
    );
    for _ in 0..20 {
        machine = world.feed(machine, Event::ShutdownHint);
        world.until(&mut machine, 1.0, |_, world| {
            world.queue.is_empty()
                && world
                    .timers
                    .get(&Timer::Poll)
                    .is_none_or(|due| *due > world.time)
        });
    }
    assert_eq!(machine.label(), Label::Rebooting);
    world.until_label(&mut machine, Label::Latched);
}

#[test]
fn a_node_that_cannot_prove_anything_after_its_reboot_is_shouted_about() {
    let mut world = World::asking();
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Rebooting);
    world.reports.clear();
    world.failing_lock_reads = u32::MAX;
    let mut machine = world.boot();
    world.wait(&mut machine, HOUR);
    let said = |what: &str| {
        world
            .reports
            .iter()
            .filter(|report| report.starts_with(what))
            .count()
    };
    assert_eq!(
        (said("NotHealthy"), said("Retrying")),
        (1, 1),
        "{:?}",
        world.reports
    );
    assert!(world.holds_slot());
}

#[test]
fn a_new_sentinel_goes_on_after_a_latch() {
    let mut world = World::asking();
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Latched);
    world.present = Requests::from([request("second")]);
    machine = world.feed(machine, Event::Sentinels(world.present.clone()));
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() == 2));
}

#[test]
fn a_stop_while_a_proven_turn_is_given_back_lets_it_finish() {
    let mut world = World::asking();
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Rebooting);
    let mut machine = world.boot();
    let lifted = |_: &_, world: &World| !world.node.unschedulable;
    assert!(world.until(&mut machine, HOUR, lifted));
    machine = world.feed(machine, Event::StopRequested);
    assert!(world.until(&mut machine, HOUR, |_, world| world.exited));
    assert!(!world.holds_slot());
}
