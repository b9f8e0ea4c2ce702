//! A budget that blocks is watched: its opening is used at once, and nothing depends on the watch.

use rollboot::drain::{BudgetRef, BudgetView, ControllerView, TICK, TICK_SPREAD};
use rollboot::failure::{Failure, FailureKind};
use rollboot::machine::{Event, Label, Machine};

use super::world::{World, plenty_of, pod};

const HOUR: f64 = 3600.0;
const REFUSED: &str = "Cannot evict pod as it would violate the pod's disruption budget. The disruption budget web needs 2 healthy pods and has 2 currently";

fn web() -> BudgetRef {
    BudgetRef {
        namespace: "default".into(),
        name: "web".into(),
    }
}

/// A drain whose pods a budget blocks, right after it has refused each of them once.
fn blocked(pods: &[&str]) -> (World, Machine) {
    let mut world = World::asking();
    world.pods = pods.iter().map(|name| pod(name)).collect();
    world.blocked = true;
    world.refusal = REFUSED;
    let mut machine = world.start();
    let all = pods.len();
    assert!(world.until(&mut machine, HOUR, |_, world| world.refused == all));
    let answered = |_: &Machine, world: &World| world.queue.is_empty();
    assert!(world.until(&mut machine, 1.0, answered));
    (world, machine)
}

/// The watch shows a budget, and whatever the machine asks for before it evicts is answered.
fn shows(world: &mut World, machine: Machine, view: Option<BudgetView>) -> Machine {
    let mut machine = world.feed(machine, Event::BudgetSeen(web(), view));
    let replied = |_: &Machine, world: &World| {
        let is_reply = |event: &Event| matches!(event, Event::Reply(_));
        !world.queue.iter().any(is_reply)
    };
    assert!(world.until(&mut machine, 1.0, replied));
    machine
}

fn sees(world: &mut World, machine: Machine, allowed: u32) -> Machine {
    let view = BudgetView {
        allowed,
        behind: false,
    };
    shows(world, machine, Some(view))
}

#[test]
fn an_opening_is_used_at_once_by_as_many_as_it_allows() {
    let (mut world, machine) = blocked(&["a", "b", "c"]);
    assert_eq!(world.watched, [web()].into());
    let began = world.time;
    let machine = sees(&mut world, machine, 0);
    assert_eq!(world.refused, 3);
    world.blocked = false;
    let mut machine = sees(&mut world, machine, 2);
    assert_eq!(
        world.evicted,
        ["a"],
        "two at once hinder each other in the server"
    );
    assert!(world.until(&mut machine, 0.1, |_, world| world.queue.is_empty()));
    assert_eq!(world.evicted, ["a", "b"]);
    // The server has counted both; a replacement makes room for the last.
    let machine = sees(&mut world, machine, 0);
    assert_eq!(world.evicted.len(), 2);
    let mut machine = sees(&mut world, machine, 1);
    assert_eq!(world.evicted, ["a", "b", "c"]);
    assert!(world.time - began < 1.0);
    world.until_label(&mut machine, Label::Rebooting);
    assert!(world.watched.is_empty(), "no watch outlives its drain");
    assert_eq!(world.watches, 1);
}

#[test]
fn a_controller_is_read_again_before_what_a_budget_held_up_goes() {
    let (mut world, machine) = blocked(&["a"]);
    // Meanwhile all others of it have failed; the budget looks at other pods.
    let last = ControllerView {
        ready: 1,
        written: "now".into(),
        ..plenty_of("app")
    };
    world.controllers.insert("app".into(), last);
    world.blocked = false;
    let machine = sees(&mut world, machine, 1);
    assert_eq!(world.evicted.len(), 0, "{}", machine.reason());
    assert!(machine.reason().contains("last ready pod"));
}

#[test]
fn evictions_in_flight_take_up_room() {
    let (mut world, machine) = blocked(&["a", "b"]);
    world.blocked = false;
    let machine = sees(&mut world, machine, 1);
    // Not answered yet; the status is written once more for another reason.
    let mut machine = sees(&mut world, machine, 1);
    assert_eq!(world.evicted, ["a"]);
    assert!(world.until(&mut machine, HOUR, |_, world| world.evicted.len() == 2));
}

#[test]
fn a_budget_that_is_gone_forbids_nothing() {
    let (mut world, machine) = blocked(&["a", "b"]);
    world.blocked = false;
    let mut machine = shows(&mut world, machine, None);
    assert!(world.until(&mut machine, 0.1, |_, world| world.queue.is_empty()));
    assert_eq!(world.evicted, ["a", "b"]);
}

#[test]
fn a_status_that_is_behind_is_not_believed() {
    let (mut world, machine) = blocked(&["a"]);
    let view = BudgetView {
        allowed: 1,
        behind: true,
    };
    let machine = shows(&mut world, machine, Some(view));
    assert_eq!(world.refused, 1);
    drop(machine);
}

#[test]
fn one_that_seems_to_open_all_the_time_costs_no_more_than_one_request_more() {
    let (mut world, mut machine) = blocked(&["a"]);
    let (began, before) = (world.time, world.refused);
    // It is shown as open whenever anything happens, and never is.
    for _ in 0..60 {
        for _ in 0..10 {
            machine = sees(&mut world, machine, 1);
            world.until(&mut machine, 0.05, |_, world| world.queue.is_empty());
        }
        world.wait(&mut machine, 1.0);
    }
    let ticks = (world.time - began) / 5.0;
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let requests = (world.refused - before) as f64;
    assert!(requests <= 2.0 * ticks + 2.0, "{requests} in {ticks} ticks");
    assert!(requests >= ticks / 2.0, "it is asked for all the same");
}

#[test]
fn one_that_was_not_as_open_as_it_seemed_is_believed_again_after_a_period() {
    let (mut world, machine) = blocked(&["a"]);
    let mut machine = sees(&mut world, machine, 1);
    assert_eq!(world.refused, 2, "asked at once");
    world.wait(&mut machine, 8.0);
    let ticked = world.refused;
    assert!(ticked > 2);
    let machine = sees(&mut world, machine, 1);
    assert_eq!(world.refused, ticked + 1, "at once again");
    drop(machine);
}

#[test]
fn a_refusal_takes_back_all_that_a_budget_seemed_to_allow() {
    let (mut world, machine) = blocked(&["a"]);
    let mut machine = sees(&mut world, machine, 99);
    let before = world.refused;
    world.wait(&mut machine, 60.0);
    let requests = world.refused - before;
    assert!((8..=13).contains(&requests), "{requests} in a minute");
}

#[test]
fn without_a_watch_each_period_asks() {
    let (mut world, mut machine) = blocked(&["a"]);
    let failure = || Failure::new(FailureKind::Forbidden, "no");
    let began = world.time;
    while world.time - began < 20.0 * 60.0 {
        for budget in std::mem::take(&mut world.watched) {
            machine = world.feed(machine, Event::BudgetWatchEnded(budget, Some(failure())));
        }
        world.wait(&mut machine, 1.0);
    }
    assert!((180..=260).contains(&world.refused), "{}", world.refused);
    assert!(
        (5..=12).contains(&world.watches),
        "{} watches in 20 minutes",
        world.watches
    );
    world.blocked = false;
    assert!(world.until(&mut machine, 7.0, |_, world| !world.evicted.is_empty()));
}

#[test]
fn without_a_watch_one_of_several_soon_finds_out() {
    for tenths in 0..20 {
        let (mut world, mut machine) = blocked(&["a", "b", "c"]);
        let (began, before) = (world.time, world.refused);
        world.wait(&mut machine, 100.0 + f64::from(tenths) / 10.0);
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let each = (world.refused - before) as f64 / 3.0;
        let fives = (world.time - began) / 5.0;
        let range = fives * 0.75..=fives;
        assert!(range.contains(&each), "{each} a pod in {fives} times 5 s");
        world.blocked = false;
        let tick = (TICK + TICK_SPREAD).as_secs_f64();
        assert!(world.until(&mut machine, tick, |_, world| world.evicted.len() == 3));
    }
}

#[test]
fn a_watch_that_failed_is_not_waited_for() {
    let (mut world, machine) = blocked(&["a", "b", "c"]);
    let machine = sees(&mut world, machine, 0);
    world.watched.clear();
    let failure = Failure::new(FailureKind::Unavailable, "no");
    let mut machine = world.feed(machine, Event::BudgetWatchEnded(web(), Some(failure)));
    world.wait(&mut machine, 8.0);
    world.blocked = false;
    let tick = (TICK + TICK_SPREAD).as_secs_f64();
    assert!(world.until(&mut machine, tick, |_, world| world.evicted.len() == 3));
}

#[test]
fn a_watch_whose_time_is_over_is_begun_again_while_its_budget_blocks() {
    let (mut world, machine) = blocked(&["a"]);
    world.watched.clear();
    let mut machine = world.feed(machine, Event::BudgetWatchEnded(web(), None));
    assert!(world.watched.is_empty(), "not at once: it may end at once");
    assert!(world.until(&mut machine, 7.0, |_, world| !world.watched.is_empty()));
    world.blocked = false;
    world.watched.clear();
    let mut machine = world.feed(machine, Event::BudgetWatchEnded(web(), None));
    world.until_label(&mut machine, Label::Rebooting);
    assert_eq!(world.watches, 2);
}

#[test]
fn a_refusal_that_comes_while_the_turn_is_being_undone_is_not_watched() {
    let mut world = World::asking();
    // While one is answered, the other is still on its way.
    world.pods = vec![pod("a"), pod("b")];
    world.blocked = true;
    world.refusal = REFUSED;
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.refused == 2));
    assert_eq!(world.watches, 0, "not answered yet");
    let mut machine = world.feed(machine, Event::Abort);
    world.until_label(&mut machine, Label::Latched);
    assert_eq!(world.watches, 0);
}

#[test]
fn a_drain_that_is_given_up_watches_nothing_and_evicts_nothing_more() {
    let (mut world, machine) = blocked(&["a"]);
    let machine = world.feed(machine, Event::Abort);
    world.blocked = false;
    let mut machine = sees(&mut world, machine, 1);
    world.until_label(&mut machine, Label::Latched);
    assert!(world.watched.is_empty() && world.evicted.is_empty());
}

fn told(world: &World) -> Vec<&String> {
    let told = world.reports.iter();
    told.filter(|it| it.starts_with("DrainWaits")).collect()
}

#[test]
fn a_budget_that_holds_up_a_drain_is_told_of_once() {
    let (mut world, mut machine) = blocked(&["a", "b"]);
    assert!(told(&world).is_empty(), "often one goes after the other");
    world.wait(&mut machine, 300.0);
    let told = told(&world);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("default/a: ") && told[0].contains("budget web needs 2"));
}
