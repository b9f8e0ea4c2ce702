mod budgets;

use super::super::{Controller, PERIOD, TICK};
use super::*;
use crate::config::Config;
use crate::failure::{Failure, FailureKind};

fn pod(uid: &str) -> PodView {
    PodView {
        pod: PodRef {
            namespace: "ns".into(),
            name: format!("p{uid}"),
            uid: uid.into(),
        },
        controller: Some(Controller {
            api_version: "batch/v1".into(),
            kind: "Job".into(),
            name: "job".into(),
            uid: "job".into(),
        }),
        ready: true,
        ..PodView::default()
    }
}

fn ending(uid: &str) -> PodView {
    PodView {
        terminating: true,
        ..pod(uid)
    }
}

fn names(pods: &[PodRef]) -> Vec<&str> {
    pods.iter().map(|pod| pod.uid.as_str()).collect()
}

/// So much time that a blocked pod is asked for again: what is sent, and where the drain stands.
fn period(drain: &mut Drain) -> (Vec<PodRef>, Progress) {
    let mut sent = Vec::new();
    let mut progress = Progress::Going;
    for _ in 0..PERIOD {
        let (more, now) = drain.on(DrainEvent::Tick);
        sent.extend(more);
        progress = now;
    }
    (sent, progress)
}

fn drain(concurrency: u16) -> Drain {
    Drain::new(&Policy {
        concurrency,
        ..Config::default().drain
    })
}

#[test]
fn every_pod_is_evicted_once_and_waited_for() {
    let mut drain = drain(2);
    let (sent, progress) = drain.on(DrainEvent::Pods(vec![pod("1"), pod("2"), pod("3")]));
    assert_eq!((names(&sent), progress), (vec!["1", "2"], Progress::Going));
    let (sent, _) = drain.on(DrainEvent::Answer(pod("1").pod, EvictAnswer::Accepted));
    assert_eq!(
        names(&sent),
        ["3"],
        "the bound on evictions in flight is kept"
    );
    for uid in ["2", "3"] {
        let (sent, progress) = drain.on(DrainEvent::Answer(pod(uid).pod, EvictAnswer::Accepted));
        assert_eq!((sent.len(), progress), (0, Progress::Going));
    }
    // A list that is older than the answer must not evict the pod again.
    let (sent, progress) = drain.on(DrainEvent::Pods(vec![pod("1"), ending("2"), ending("3")]));
    assert_eq!((sent.len(), progress), (0, Progress::Going));
    let (_, progress) = drain.on(DrainEvent::Pods(vec![]));
    assert_eq!(progress, Progress::Done);
}

/// A pod of this order.
fn ordered(uid: &str, order: &str) -> PodView {
    let mut pod = pod(uid);
    pod.wishes.order = Some(order.into());
    pod
}

#[test]
fn orders_go_one_after_the_other_and_the_critical_last() {
    let mut drain = drain(16);
    let critical = PodView {
        critical: true,
        ..pod("1")
    };
    let all = [critical, ordered("2", "5"), ordered("3", "-1"), pod("4")];
    let mut left = all.to_vec();
    for (uid, next) in [("3", "4"), ("4", "2"), ("2", "1")] {
        let (sent, _) = drain.on(DrainEvent::Pods(left.clone()));
        let blocked = EvictAnswer::Budget("b".into());
        let (_, _) = drain.on(DrainEvent::Answer(pod(uid).pod, blocked));
        assert_eq!(names(&sent), if uid == "3" { vec![uid] } else { vec![] });
        // Neither a refusal for now nor a pod that takes its time makes way for the next order.
        let (sent, _) = period(&mut drain);
        assert_eq!(names(&sent), [uid]);
        let (sent, _) = drain.on(DrainEvent::Answer(pod(uid).pod, EvictAnswer::Accepted));
        assert_eq!(sent, []);
        for view in &mut left {
            view.terminating |= view.pod.uid == uid;
        }
        let (sent, _) = drain.on(DrainEvent::Pods(left.clone()));
        assert_eq!(sent, []);
        left.retain(|view| view.pod.uid != uid);
        let (sent, _) = drain.on(DrainEvent::Pods(left.clone()));
        assert_eq!(names(&sent), [next]);
    }
}

#[test]
fn a_pod_that_ends_by_itself_holds_up_no_order() {
    let mut drain = drain(16);
    let mut waited = pod("1");
    waited.wishes.drain = Some("wait".into());
    let (sent, _) = drain.on(DrainEvent::Pods(vec![waited.clone(), pod("2")]));
    assert_eq!(names(&sent), ["2"]);
    let (_, progress) = drain.on(DrainEvent::Answer(pod("2").pod, EvictAnswer::Accepted));
    assert_eq!(progress, Progress::Going);
    let (_, progress) = drain.on(DrainEvent::Pods(vec![waited]));
    assert_eq!(progress, Progress::Going, "it is waited for");
    let (_, progress) = drain.on(DrainEvent::Pods(vec![]));
    assert_eq!(progress, Progress::Done);
}

#[test]
fn only_a_list_that_begins_after_an_answer_tells_that_the_pod_is_still_here() {
    for answer in [
        EvictAnswer::Accepted,
        EvictAnswer::Gone,
        EvictAnswer::Elsewhere,
    ] {
        let mut drain = drain(16);
        let sent = |drain: &mut Drain| drain.on(DrainEvent::Pods(vec![pod("1")])).0.len();
        assert_eq!(sent(&mut drain), 1);
        assert!(!drain.needs_list());
        // It begins before the answer, and comes after it.
        drain.on(DrainEvent::WatchEnded);
        drain.begins_list();
        drain.on(DrainEvent::Answer(pod("1").pod, answer.clone()));
        assert_eq!(sent(&mut drain), 0, "{answer:?}");
        assert!(drain.needs_list());
        // What the watch shows from then on may be late.
        drain.begins_list();
        assert_eq!(sent(&mut drain), 0, "{answer:?}");
        drain.on(DrainEvent::WatchEnded);
        drain.begins_list();
        assert_eq!(sent(&mut drain), 1, "{answer:?}");
        drain.on(DrainEvent::Answer(pod("1").pod, EvictAnswer::Accepted));
        assert!(drain.needs_list());
        let (_, progress) = drain.on(DrainEvent::Pods(vec![ending("1")]));
        assert!(!drain.needs_list() && progress == Progress::Going);
    }
}

#[test]
fn a_pod_that_was_to_end_by_itself_goes_once_nobody_says_so_any_more() {
    let mut drain = drain(16);
    let mut waited = pod("1");
    waited.wishes.drain = Some("wait".into());
    assert!(drain.on(DrainEvent::Pods(vec![waited])).0.is_empty());
    assert_eq!(names(&drain.on(DrainEvent::Pods(vec![pod("1")])).0), ["1"]);
}

#[test]
fn one_refusal_and_nothing_is_evicted() {
    let mut drain = drain(16);
    let alone = PodView {
        controller: None,
        ..pod("2")
    };
    let (sent, progress) = drain.on(DrainEvent::Pods(vec![pod("1"), alone]));
    assert!(sent.is_empty());
    assert!(matches!(progress, Progress::Failed(why) if why.contains("ns/p2")));
    assert!(drain.on(DrainEvent::Pods(vec![pod("1")])).0.is_empty());
}

#[test]
fn a_budget_is_asked_once_a_period_and_named() {
    let mut drain = drain(16);
    drain.on(DrainEvent::Pods(vec![pod("1")]));
    for _ in 0..3 {
        let answer = EvictAnswer::Budget("needs 2 healthy pods and has 2 currently".into());
        let (sent, _) = drain.on(DrainEvent::Answer(pod("1").pod, answer));
        assert!(sent.is_empty());
        assert!(drain.needs_tick());
        assert!(drain.describe().contains("needs 2 healthy pods"));
        for _ in 1..PERIOD {
            assert_eq!(drain.on(DrainEvent::Tick).0, []);
        }
        assert_eq!(names(&drain.on(DrainEvent::Tick).0), ["1"]);
    }
}

#[test]
fn each_answer_has_its_own_path() {
    let failure = || Failure::new(FailureKind::Unavailable, "no route");
    let after = |answer: EvictAnswer| {
        let mut drain = drain(16);
        drain.on(DrainEvent::Pods(vec![pod("1")]));
        let (_, progress) = drain.on(DrainEvent::Answer(pod("1").pod, answer));
        let ticks = (1..=200)
            .find(|_| !drain.on(DrainEvent::Tick).0.is_empty())
            .unwrap_or(0);
        let seconds = (TICK * ticks).as_secs();
        (matches!(progress, Progress::Failed(_)), seconds)
    };
    assert_eq!(after(EvictAnswer::Accepted), (false, 0));
    assert_eq!(after(EvictAnswer::Gone), (false, 0));
    assert_eq!(after(EvictAnswer::Elsewhere), (false, 0));
    assert_eq!(after(EvictAnswer::NamespaceTerminating), (false, 5));
    assert_eq!(after(EvictAnswer::Throttled(1)), (false, 5));
    assert_eq!(after(EvictAnswer::Throttled(30)), (false, 32));
    assert_eq!(after(EvictAnswer::Failed(failure())), (false, 10));
    assert_eq!(after(EvictAnswer::Invalid(failure())), (true, 0));
    assert_eq!(after(EvictAnswer::SeveralBudgets("two".into())), (true, 0));
}

#[test]
fn nothing_is_evicted_from_a_stale_view() {
    let mut drain = drain(1);
    drain.on(DrainEvent::Pods(vec![pod("1"), pod("2")]));
    drain.on(DrainEvent::WatchEnded);
    let (sent, progress) = drain.on(DrainEvent::Answer(pod("1").pod, EvictAnswer::Gone));
    assert_eq!((sent.len(), progress), (0, Progress::Going));
    assert_eq!(names(&drain.on(DrainEvent::Pods(vec![pod("2")])).0), ["2"]);
}

#[test]
fn an_empty_list_does_not_end_a_drain_whose_watch_is_gone_or_that_was_stopped() {
    let mut stale = drain(1);
    assert_eq!(stale.on(DrainEvent::Tick).1, Progress::Going);
    let mut stopped = drain(1);
    stopped.stop();
    assert_eq!(stopped.on(DrainEvent::Pods(vec![])).1, Progress::Going);
}

#[test]
fn a_rollback_can_wait_for_what_is_in_flight() {
    let mut drain = drain(16);
    drain.on(DrainEvent::Pods(vec![pod("1"), pod("2")]));
    drain.stop();
    drain.on(DrainEvent::Pods(vec![]));
    assert_eq!(drain.in_flight(), 2, "gone from the list, not answered");
    drain.on(DrainEvent::Answer(pod("1").pod, EvictAnswer::Gone));
    drain.on(DrainEvent::Answer(pod("2").pod, EvictAnswer::Accepted));
    assert_eq!(drain.in_flight(), 0);
}

#[test]
fn a_pod_that_left_the_list_before_its_answer_does_not_hold_up_the_drain() {
    let mut drain = drain(16);
    drain.on(DrainEvent::Pods(vec![pod("1")]));
    assert_eq!(drain.on(DrainEvent::Pods(vec![])).1, Progress::Going);
    let (_, progress) = drain.on(DrainEvent::Answer(pod("1").pod, EvictAnswer::Accepted));
    assert_eq!(progress, Progress::Done);
}

#[test]
fn a_pod_of_a_stateful_set_that_lives_elsewhere_under_its_name_is_left_alone() {
    let named = |uid: &str| {
        let mut pod = pod(uid);
        pod.pod.name = "db-0".into();
        pod
    };
    let mut drain = drain(1);
    drain.on(DrainEvent::Pods(vec![named("1")]));
    drain.on(DrainEvent::Answer(
        named("1").pod,
        EvictAnswer::Budget("b".into()),
    ));
    // It is gone, and is back on another node: what is retried is this very pod, and the server says where its name lives.
    let (sent, _) = period(&mut drain);
    assert_eq!(names(&sent), ["1"]);
    drain.on(DrainEvent::Answer(named("1").pod, EvictAnswer::Elsewhere));
    for _ in 0..100 {
        let (sent, progress) = drain.on(DrainEvent::Tick);
        assert_eq!((sent.len(), progress), (0, Progress::Going));
    }
    // The list of this node does not have it.
    let (sent, progress) = drain.on(DrainEvent::Pods(vec![]));
    assert_eq!((sent.len(), progress), (0, Progress::Done));

    // Bound to this node again, before the cordon was seen: another pod, evicted by its own UID.
    let (sent, _) = drain.on(DrainEvent::Pods(vec![named("2")]));
    assert_eq!(names(&sent), ["2"]);
}
