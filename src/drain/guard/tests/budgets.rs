//! Pods that a budget has held up: what was known of their controllers is old by then.

use super::late::{answer, status};
use super::*;
use crate::drain::EvictAnswer;

fn refused() -> EvictAnswer {
    EvictAnswer::Budget("The disruption budget b needs 2 healthy pods".into())
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
fn one_look_is_enough_for_those_that_follow_each_other() {
    let (mut case, both) = held_up();
    case.period();
    case.settle(status(2, 2));
    assert_eq!(case.sent, ["1"]);
    case.on(answer(&both[0], EvictAnswer::Accepted));
    assert_eq!(case.sent, ["1", "2"]);
}

#[test]
fn unless_the_one_before_takes_its_time() {
    let (mut case, both) = held_up();
    case.period();
    case.settle(status(2, 2));
    assert_eq!(case.sent, ["1"]);
    case.period();
    case.on(answer(&both[0], EvictAnswer::Accepted));
    waits_for_a_look(case, &["1"], "2");
}

/// The same, where one eviction is sent at a time.
fn one_at_a_time() -> (Case, [PodView; 2]) {
    let mut case = Case::new(SingleReplica::Evict);
    case.drain = Drain::new(&crate::config::Drain {
        concurrency: 1,
        ..Config::default().drain
    });
    let both = [pod("1", "a"), pod("2", "b")];
    case.pods(&both, status(2, 2));
    case.on(answer(&both[0], refused()));
    case.settle(status(2, 2));
    case.on(DrainEvent::Tick);
    case.on(answer(&both[1], refused()));
    assert_eq!(case.sent, ["1", "2"]);
    case.sent.clear();
    (case, both)
}

#[test]
fn one_that_others_keep_waiting_is_looked_at_again() {
    let (mut case, both) = one_at_a_time();
    // The first takes its time.
    (0..=PERIOD).for_each(|_| case.on(DrainEvent::Tick));
    case.settle(status(2, 2));
    assert_eq!(case.sent, ["1"]);
    case.period();
    case.on(answer(&both[0], EvictAnswer::Gone));
    waits_for_a_look(case, &["1"], "2");
}

#[test]
fn a_read_that_began_earlier_says_nothing() {
    let (mut case, both) = held_up();
    case.drain.guard_mut().refresh(&both[0].pod);
    assert_eq!(case.drain.guard_mut().next_read().unwrap().uid, "a");
    // It is due while that is being read.
    case.period();
    case.on(DrainEvent::Controller(Ok(Some(view("a", 2, 2)))));
    assert!(case.sent.is_empty(), "the other one may have failed since");
    case.settle(status(2, 2));
    assert_eq!(case.sent, ["2"]);
}

#[test]
fn a_read_that_takes_longer_than_a_tick_counts_for_those_it_was_for() {
    let three = ["1", "2", "3"].map(|uid| pod(uid, "a"));
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&three, status(4, 4));
    three.iter().for_each(|pod| case.on(answer(pod, refused())));
    case.sent.clear();
    for _ in 0..2 {
        while case.drain.guard_mut().next_read().is_none() {
            case.on(DrainEvent::Tick);
        }
        case.on(DrainEvent::Tick);
        assert!(case.sent.is_empty());
        case.on(DrainEvent::Controller(Ok(Some(view("a", 4, 4)))));
        for pod in &three {
            assert_eq!(std::mem::take(&mut case.sent), [pod.pod.uid.as_str()]);
            case.on(answer(pod, refused()));
        }
    }
}

#[test]
fn one_of_a_later_order_is_not_looked_at_before_that_has_come() {
    let mut first = pod("2", "b");
    first.wishes.order = Some("-1".into());
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[pod("1", "a")], status(2, 2));
    case.on(answer(&pod("1", "a"), refused()));
    case.pods(&[pod("1", "a"), first.clone()], status(2, 2));
    assert_eq!(case.sent, ["1", "2"]);
    case.read.clear();
    for _ in 0..4 {
        case.on(answer(&first, refused()));
        case.period();
        case.settle(status(2, 2));
    }
    assert!(case.read.len() > 2 && case.read.iter().all(|of| of == "b"));
}

#[test]
fn one_that_becomes_ready_while_it_may_go_is_looked_at_first() {
    let unready = PodView {
        ready: false,
        ..pod("2", "b")
    };
    let (mut case, both) = one_at_a_time();
    // Nobody has looked at its controller for long.
    case.on(DrainEvent::Pods(vec![both[0].clone(), unready]));
    (1..PERIOD).for_each(|_| case.on(DrainEvent::Tick));
    case.settle(status(2, 2));
    assert_eq!(case.sent, ["1"]);
    (0..2).for_each(|_| case.on(DrainEvent::Tick));
    case.on(DrainEvent::Pods(both.to_vec()));
    case.on(answer(&both[0], refused()));
    waits_for_a_look(case, &["1"], "2");
}

#[test]
fn what_is_due_is_read_before_anything_is_read_again() {
    let mut case = Case::new(SingleReplica::Evict);
    let all = ["a", "b", "c", "d"].map(|of| pod(of, of));
    case.on(DrainEvent::Pods(all.to_vec()));
    let mut read = Vec::new();
    for _ in 0..8 {
        let of = case.drain.guard_mut().next_read().unwrap();
        case.on(DrainEvent::Controller(Ok(Some(view(&of.uid, 2, 2)))));
        // It is to be read again at once.
        case.drain.guard_mut().refresh(&all[0].pod);
        let at = all.iter().position(|pod| pod.pod.uid == of.uid).unwrap();
        case.drain.guard_mut().refresh(&all[at].pod);
        read.push(of.uid);
    }
    assert_eq!(read[..5], ["a", "b", "c", "d", "a"]);
}
