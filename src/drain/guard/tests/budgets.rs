//! Pods that a budget has held up: what was known of their controllers is old by then.

use super::late::{answer, status};
use super::*;
use crate::drain::{BudgetRef, EvictAnswer};

fn refused() -> EvictAnswer {
    EvictAnswer::Budget("The disruption budget b needs 2 healthy pods".into())
}

fn shown(allowed: u32) -> DrainEvent {
    let budget = BudgetRef {
        namespace: "ns".into(),
        name: "b".into(),
    };
    DrainEvent::Budget(budget, allowed)
}

/// Two pods of two controllers, both refused by one budget.
fn held_up() -> (Case, [PodView; 2]) {
    let both = [pod("1", "a"), pod("2", "b")];
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&both, status(2, 2));
    assert_eq!(case.sent, ["1", "2"]);
    both.iter().for_each(|pod| case.on(answer(pod, refused())));
    case.sent.clear();
    (case, both)
}

/// The other pod of it has failed meanwhile, and is back some time later.
fn waits_for_a_look(mut case: Case, sent: &[&str], then: &str) {
    assert_eq!(case.sent, sent, "the others of it may be gone by now");
    case.settle(status(2, 1));
    assert_eq!(case.sent, sent);
    case.again(status(2, 2));
    assert_eq!(case.sent[sent.len()..], [then]);
}

#[test]
fn one_that_a_budget_lets_go_says_nothing_about_the_controller_of_the_next() {
    let (mut case, both) = held_up();
    case.period();
    case.settle(status(2, 2));
    assert_eq!(case.sent, ["1"]);
    case.on(answer(&both[0], EvictAnswer::Accepted));
    waits_for_a_look(case, &["1"], "2");
}

#[test]
fn nor_does_a_budget_that_is_not_doubted_any_more() {
    let (mut case, both) = held_up();
    case.on(shown(1));
    case.settle(status(2, 2));
    assert_eq!(case.sent, ["1"]);
    case.on(answer(&both[0], refused()));
    case.on(shown(1));
    // The doubt has an end before the other is due.
    case.period();
    waits_for_a_look(case, &["1"], "1");
}

#[test]
fn nor_does_time_that_makes_room() {
    let (mut case, both) = held_up();
    case.on(shown(1));
    case.settle(status(2, 2));
    case.on(answer(&both[0], EvictAnswer::Accepted));
    case.on(DrainEvent::Tick);
    waits_for_a_look(case, &["1"], "2");
}

#[test]
fn one_look_is_enough_while_a_budget_stays_open() {
    let (mut case, both) = held_up();
    case.on(shown(3));
    case.settle(status(2, 2));
    assert_eq!(case.sent, ["1"]);
    case.on(shown(2));
    case.on(answer(&both[0], EvictAnswer::Accepted));
    assert_eq!(case.sent, ["1", "2"]);
}

#[test]
fn one_that_others_keep_waiting_is_looked_at_again() {
    let mut case = Case::new(SingleReplica::Evict);
    case.drain = Drain::new(&crate::config::Drain {
        concurrency: 1,
        ..Config::default().drain
    });
    let both = [pod("1", "a"), pod("2", "b")];
    case.pods(&both, status(2, 2));
    case.on(answer(&both[0], refused()));
    case.settle(status(2, 2));
    case.on(answer(&both[1], refused()));
    assert_eq!(case.sent, ["1", "2"]);
    // The first takes its time.
    (0..=PERIOD).for_each(|_| case.on(DrainEvent::Tick));
    case.settle(status(2, 2));
    assert_eq!(case.sent, ["1", "2", "1"]);
    case.period();
    case.on(answer(&both[0], EvictAnswer::Gone));
    waits_for_a_look(case, &["1", "2", "1"], "2");
}
