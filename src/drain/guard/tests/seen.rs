//! Whether a controller has seen what was evicted, before the next node relies on its status.

use super::late::{answer, status};
use super::*;
use crate::drain::EvictAnswer;

#[test]
fn a_status_that_never_rests_is_seen_to_be_awake() {
    let mut case = Case::new(SingleReplica::Evict);
    let flaps = |written: u32| {
        move |uid: &str| {
            Ok(Some(ControllerView {
                written: written.to_string().as_str().into(),
                ..view(uid, 9, 7 + written % 2)
            }))
        }
    };
    let one = pod("1", "a");
    case.pods(std::slice::from_ref(&one), flaps(0));
    case.on(answer(&one, EvictAnswer::Accepted));
    case.pods(&[], flaps(0));
    assert_eq!(case.progress, Progress::Done);
    let guard = case.drain.guard_mut();
    guard.close();
    for written in 1..=4 {
        assert!(!case.drain.guard().unobserved().is_empty(), "{written}");
        case.again(flaps(written));
    }
    assert!(case.drain.guard().unobserved().is_empty());
}

#[test]
fn a_status_that_never_rested_before_says_nothing_of_what_goes_now() {
    let of = |times: &'static str, ready| {
        move |uid: &str| {
            Ok(Some(ControllerView {
                written: times.into(),
                ..view(uid, 9, ready)
            }))
        }
    };
    let two = [pod("1", "a"), pod("2", "a")];
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&two, of("0", 2));
    assert_eq!(case.sent, ["1"]);
    case.on(answer(&two[0], EvictAnswer::Accepted));
    for times in ["1", "2", "3", "4"] {
        case.again(of(times, 2));
    }
    case.pods(&two[1..], of("5", 3));
    case.again(of("5", 3));
    assert_eq!(case.sent, ["1", "2"]);
    case.on(answer(&two[1], EvictAnswer::Accepted));
    case.on(DrainEvent::WatchEnded);
    case.pods(&two[1..], of("6", 3));
    assert!(
        !case.drain.guard().unobserved().is_empty(),
        "of one of them?"
    );
}

#[test]
fn a_pod_that_was_replaced_within_a_second_has_been_seen_to_go() {
    let of = |version: &'static str, others| {
        move |uid: &str| {
            Ok(Some(ControllerView {
                written: version_of(version, others),
                ..view(uid, 3, 3)
            }))
        }
    };
    let one = pod("1", "a");
    let gone = || {
        let mut case = Case::new(SingleReplica::Evict);
        case.pods(std::slice::from_ref(&one), of("10", 0));
        assert_eq!(case.sent, ["1"]);
        case.on(answer(&one, EvictAnswer::Accepted));
        case.pods(&[], of("10", 0));
        assert_eq!(case.progress, Progress::Done);
        case.drain.guard_mut().close();
        case.settle(of("10", 0));
        case.again(of("10", 0));
        assert!(
            !case.drain.guard().unobserved().is_empty(),
            "the same version"
        );
        case
    };
    let mut case = gone();
    case.again(of("12", 0));
    assert!(
        !case.drain.guard().unobserved().is_empty(),
        "of one of them?"
    );
    case.again(of("12", 0));
    assert!(case.drain.guard().unobserved().is_empty());
    // Somebody has annotated it, and the controller is dead.
    let mut case = gone();
    for _ in 0..3 {
        case.again(of("11", 1));
        assert!(!case.drain.guard().unobserved().is_empty(), "an annotation");
    }
    case.again(of("12", 1));
    // What is annotated later takes nothing back.
    case.again(of("13", 2));
    assert!(case.drain.guard().unobserved().is_empty());
}

#[test]
fn the_last_that_was_evicted_is_what_has_to_be_seen() {
    let of = |times: &'static str| {
        move |uid: &str| {
            Ok(Some(ControllerView {
                written: times.into(),
                ..view(uid, 3, 3)
            }))
        }
    };
    let (one, two) = (pod("1", "a"), pod("2", "a"));
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[one.clone(), two.clone()], of("1"));
    assert_eq!(case.sent, ["1", "2"]);
    case.on(answer(&one, EvictAnswer::Accepted));
    case.on(answer(&two, EvictAnswer::Budget("no".into())));
    // The first is replaced, and the controller manager dies before the second goes.
    case.pods(std::slice::from_ref(&two), of("2"));
    case.period();
    case.settle(of("2"));
    assert_eq!(case.sent, ["1", "2", "2"]);
    case.on(answer(&two, EvictAnswer::Accepted));
    case.pods(&[], of("2"));
    assert_eq!(case.progress, Progress::Done);
    case.drain.guard_mut().close();
    for _ in 0..4 {
        case.settle(of("2"));
        case.again(of("2"));
    }
    assert!(!case.drain.guard().unobserved().is_empty());
    case.again(of("3"));
    case.again(of("3"));
    assert!(case.drain.guard().unobserved().is_empty());
}

#[test]
fn a_count_that_fell_before_the_last_was_sent_has_not_fallen_by_it() {
    let one = pod("1", "a");
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(std::slice::from_ref(&one), status(5, 5));
    case.on(answer(&one, EvictAnswer::Budget("no".into())));
    // It is scaled down to two, and the controller manager dies. Then the budget lets the pod go.
    case.period();
    case.settle(status(2, 2));
    assert_eq!(case.sent, ["1", "1"]);
    case.on(answer(&one, EvictAnswer::Accepted));
    case.pods(&[], status(2, 2));
    assert_eq!(case.progress, Progress::Done);
    case.drain.guard_mut().close();
    for _ in 0..4 {
        case.settle(status(2, 2));
        case.again(status(2, 2));
    }
    assert!(!case.drain.guard().unobserved().is_empty());
    case.again(status(2, 1));
    assert!(case.drain.guard().unobserved().is_empty());

    // Nor if one went before, of which the scaling down may be what was seen.
    let two = [pod("1", "a"), pod("2", "a")];
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&two, status(5, 5));
    case.on(answer(&two[0], EvictAnswer::Accepted));
    case.on(answer(&two[1], EvictAnswer::Budget("no".into())));
    case.pods(&two[1..], status(5, 5));
    case.period();
    case.settle(status(3, 3));
    assert_eq!(case.sent, ["1", "2", "2"]);
    case.on(answer(&two[1], EvictAnswer::Accepted));
    case.pods(&[], status(3, 3));
    case.drain.guard_mut().close();
    for _ in 0..4 {
        case.settle(status(3, 3));
        case.again(status(3, 3));
    }
    assert!(!case.drain.guard().unobserved().is_empty());
}

#[test]
fn a_count_that_fell_by_one_of_two_has_not_fallen_by_the_other() {
    // Each was sent by a status of its own.
    let two = [pod("1", "a"), pod("2", "a")];
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&two, status(5, 5));
    assert_eq!(case.sent, ["1", "2"]);
    case.on(answer(&two[0], EvictAnswer::Accepted));
    case.on(answer(&two[1], EvictAnswer::Budget("no".into())));
    case.pods(&two[1..], status(5, 5));
    case.period();
    let other = |ready| {
        move |uid: &str| {
            Ok(Some(ControllerView {
                written: "2".into(),
                ..view(uid, 5, ready)
            }))
        }
    };
    case.settle(other(5));
    assert_eq!(case.sent, ["1", "2", "2"]);
    case.on(answer(&two[1], EvictAnswer::Accepted));
    case.pods(&[], other(5));
    case.drain.guard_mut().close();
    case.settle(other(4));
    assert!(!case.drain.guard().unobserved().is_empty());
    case.again(other(3));
    assert!(case.drain.guard().unobserved().is_empty());
}

#[test]
fn a_status_at_rest_while_a_pod_still_ends_is_not_one_that_has_seen_it_end() {
    // Of a StatefulSet, whose Ready count falls only when the pod is gone.
    let one = pod("1", "A");
    let began_to_end = |uid: &str| {
        Ok(Some(ControllerView {
            written: "2".into(),
            available: 2,
            ..view(uid, 3, 3)
        }))
    };
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[one.clone(), pod("2", "A")], status(3, 3));
    assert_eq!(case.sent, ["1", "2"]);
    case.on(answer(&one, EvictAnswer::Accepted));
    case.on(answer(&pod("2", "A"), EvictAnswer::Accepted));
    for _ in 0..2 {
        case.on(DrainEvent::WatchEnded);
        case.pods(&[ending("1", "A"), pod("2", "A")], began_to_end);
    }
    case.pods(&[], began_to_end);
    assert_eq!(case.progress, Progress::Done);
    case.drain.guard_mut().close();
    case.settle(began_to_end);
    assert!(!case.drain.guard().unobserved().is_empty());
    case.again(status(3, 1));
    assert!(case.drain.guard().unobserved().is_empty());
}

#[test]
fn after_a_restart_a_deployment_is_not_what_has_to_see_an_eviction() {
    // It may miss that a pod was replaced, which its ReplicaSet cannot.
    let status = |written: &'static str| {
        move |uid: &str| {
            let mut view = view(uid, 2, 2);
            if uid == "a" {
                view = owned(view, "web");
                view.written = written.into();
            }
            Ok(Some(view))
        }
    };
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[pod("1", "a"), pod("2", "a")], status("1"));
    let records = case.drain.guard().on_disk.clone();
    assert_eq!(records.len(), 2);
    let mut case = Case::new(SingleReplica::Evict);
    case.drain = Drain::resumed(&Config::default().drain, records, true);
    case.pods(&[], status("2"));
    case.drain.guard_mut().close();
    case.settle(status("2"));
    assert!(!case.drain.guard().unobserved().is_empty());
    case.again(status("2"));
    assert_eq!(case.drain.guard().unobserved(), BTreeSet::new());
}
