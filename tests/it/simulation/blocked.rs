//! After a drain that a budget stopped: nothing is evicted again, and no slot is taken, while the same pods are still blocked.

use rollboot::drain::EvictAnswer;
use rollboot::failure::{Failure, FailureKind};
use rollboot::machine::{Gate, Label, Machine, Op};

use super::world::{World, pod};

const HOUR: f64 = 3600.0;

impl World {
    fn tried(&self) -> usize {
        let is_try = |op: &&Op| matches!(op, Op::TryEviction(_));
        self.ops.iter().filter(is_try).count()
    }
}

/// A drain has run into its time limit because of a budget; from here on everything is counted anew.
fn stopped(pods: &[&str]) -> (World, Machine) {
    let mut world = World::asking();
    world.pods = pods.iter().map(|name| pod(name)).collect();
    world.blocked = true;
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    assert!(world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
    world.until_label(&mut machine, Label::Failed);
    world.ops.clear();
    world.refused = 0;
    (world, machine)
}

fn never(world: &mut World, machine: &mut Machine, seconds: f64) {
    let acts = |_: &Machine, world: &World| world.holds_slot() || world.refused > 0;
    assert!(!world.until(machine, seconds, acts), "{}", machine.reason());
}

#[test]
fn pods_that_are_still_blocked_take_no_slot_and_are_not_evicted() {
    let (mut world, mut machine) = stopped(&["a", "b"]);
    never(&mut world, &mut machine, 24.0 * HOUR);
    // 2, 4, 8 … 256 minutes, then six hours each: eleven attempts, two pods.
    let tries = world.tried();
    assert!((16..=24).contains(&tries), "{tries} questions in a day");
    world.until_label(&mut machine, Label::Failed);
    let status = machine.status();
    let blocked = &status.blocked_by[0];
    assert_eq!(blocked.gate, Gate::BackOff);
    for words in ["default/a: a budget", "default/b: a budget"] {
        assert!(blocked.what.contains(words), "{}", blocked.what);
    }
    let failed = world.journal.failed.clone().unwrap();
    let wait = failed.retry_at.as_second() - world.now().as_second();
    assert!(wait <= 6 * 60 * 60, "{wait}");
    assert_eq!(status.retry_at, Some(failed.retry_at));
}

#[test]
fn what_opens_is_seen_at_the_next_attempt() {
    let (mut world, mut machine) = stopped(&["a", "b"]);
    world.wait(&mut machine, HOUR);
    world.blocked = false;
    assert!(world.until(&mut machine, 2.0 * HOUR, |_, world| world.asked() > 0));
    assert_eq!(world.evicted.len(), 2);
    let mut machine = world.boot();
    assert!(world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
    assert_eq!(world.journal.failed, None);
}

#[test]
fn a_restart_does_not_forget_what_was_blocked() {
    let (mut world, machine) = stopped(&["a"]);
    drop(machine);
    let mut machine = world.start();
    never(&mut world, &mut machine, HOUR);
    assert!(world.tried() > 0);
}

#[test]
fn pods_that_are_gone_are_not_asked_about() {
    let (mut world, mut machine) = stopped(&["a"]);
    world.pods = vec![pod("another")];
    world.blocked = false;
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert_eq!(world.tried(), 0);
}

#[test]
fn a_pod_that_goes_while_it_is_asked_about_blocks_no_turn() {
    for answer in [EvictAnswer::Gone, EvictAnswer::Elsewhere] {
        let (mut world, mut machine) = stopped(&["a"]);
        world.answers = vec![answer];
        assert!(world.until(&mut machine, HOUR, |_, world| world.tried() > 0));
        world.blocked = false;
        assert!(world.until(&mut machine, 60.0, |_, world| world.asked() > 0));
        assert_eq!(world.tried(), 1);
    }
}

#[test]
fn where_nobody_answers_no_turn_begins_and_the_question_is_repeated_slowly() {
    for answer in [
        EvictAnswer::Throttled(1),
        EvictAnswer::Failed(Failure::new(FailureKind::Unavailable, "no connection")),
        EvictAnswer::Invalid(Failure::new(FailureKind::Invalid, "what?")),
    ] {
        let (mut world, mut machine) = stopped(&["a"]);
        world.answers = vec![answer; 1000];
        never(&mut world, &mut machine, HOUR);
        let tries = world.tried();
        assert!((60..=120).contains(&tries), "{tries} questions in an hour");
        world.answers.clear();
        world.blocked = false;
        assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    }
}

#[test]
fn a_drain_that_no_budget_stopped_asks_nothing() {
    let mut world = World::asking();
    world.pods = vec![pod("a")];
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    let lock = world.lock.as_mut().unwrap();
    lock.annotations.clear();
    lock.version = "99".into();
    world.until_label(&mut machine, Label::Failed);
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert_eq!(world.tried(), 0);
}

#[test]
fn two_budgets_over_one_pod_are_remembered_and_a_drain_of_nothing_asks_nothing() {
    let (mut world, machine) = stopped(&["a"]);
    drop(machine);
    world.answers = vec![EvictAnswer::SeveralBudgets("more than one".into()); 3];
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.answers.is_empty()));
    world.until_label(&mut machine, Label::Failed);
    assert!(machine.reason().contains("default/a: more than one"));
    std::sync::Arc::make_mut(&mut world.config).drain.mode = rollboot::config::DrainMode::None;
    world.ops.clear();
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert_eq!(world.tried(), 0);
}

#[test]
fn one_event_names_pods_and_budget_and_dry_runs_make_none() {
    let (mut world, mut machine) = stopped(&["a", "b"]);
    never(&mut world, &mut machine, 24.0 * HOUR);
    assert_eq!(world.announced.len(), 1);
    let event = world.announced[0].clone();
    assert_eq!(
        (event.reason, event.node_uid.as_str()),
        ("DrainBlocked", "node")
    );
    for words in ["default/a: a budget", "default/b: a budget", "kubectl get"] {
        assert!(event.message.contains(words), "{}", event.message);
    }
    // Another turn that fails of it is another event.
    world.answers = vec![EvictAnswer::Accepted; 2];
    assert!(world.until(&mut machine, 24.0 * HOUR, |_, world| world.holds_slot()));
    assert!(world.until(&mut machine, HOUR, |_, world| world.announced.len() == 2));
    assert_ne!(world.announced[1].turn, event.turn);
}

#[test]
fn an_event_is_of_the_turn_that_failed_and_names_a_few_pods_and_when_it_goes_on() {
    let names: Vec<String> = (10..22).map(|number| number.to_string()).collect();
    let mut world = World::asking();
    world.pods = names.iter().map(|name| pod(name)).collect();
    world.blocked = true;
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    let turn = world.journal.turn.as_ref().map(|turn| turn.id);
    world.until_label(&mut machine, Label::Failed);
    assert!(world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
    let [event] = &world.announced[..] else {
        panic!("{:?}", world.announced);
    };
    assert_eq!(Some(event.turn), turn);
    let failed = world.journal.failed.as_ref().unwrap();
    let says = |words: &str| event.message.contains(words);
    assert!(says(&failed.retry_at.to_string()), "{}", event.message);
    assert!(says("forbid to evict 12 of its pods"), "{}", event.message);
    assert!(
        says("default/14: a budget; and 7 more"),
        "{}",
        event.message
    );
    assert!(!says("default/15"), "{}", event.message);
    // Few enough: all of them.
    let (world, _machine) = stopped(&["a", "b", "c", "d", "e"]);
    let message = &world.announced[0].message;
    assert!(message.ends_with("default/e: a budget"), "{message}");
}

#[test]
fn an_event_is_no_longer_than_it_may_be() {
    let names: Vec<String> = (0..40)
        .map(|it| format!("{it}-{}", "ü".repeat(300)))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (world, _machine) = stopped(&names);
    let message = &world.announced[0].message;
    assert!((1000..=1024).contains(&message.len()), "{}", message.len());
    assert_eq!(world.journal.failed.unwrap().blocked.len(), 16);
}

#[test]
fn what_no_budget_stopped_makes_no_event() {
    let mut world = World::asking();
    world.pods = vec![pod("a")];
    world.blocked = true;
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.refused > 0));
    let lock = world.lock.as_mut().unwrap();
    lock.annotations.clear();
    lock.version = "99".into();
    world.until_label(&mut machine, Label::Failed);
    assert!(world.announced.is_empty(), "{:?}", world.announced);
    assert!(
        world
            .journal
            .failed
            .is_some_and(|failed| failed.blocked.is_empty())
    );
}
