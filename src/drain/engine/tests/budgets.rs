//! Pods that budgets hold up: when each is asked for again.

use super::*;

/// A budget called web refuses.
fn refused() -> EvictAnswer {
    EvictAnswer::Budget("The disruption budget web needs 2 healthy pods and has 2 currently".into())
}

/// A drain whose pods a budget has refused, each once.
fn blocked(pods: &[&str]) -> Drain {
    let mut drain = drain(16);
    let (sent, _) = drain.on(DrainEvent::Pods(pods.iter().map(|uid| pod(uid)).collect()));
    assert_eq!(sent.len(), pods.len());
    for pod in sent {
        drain.on(DrainEvent::Answer(pod, refused()));
    }
    drain
}

#[test]
fn pods_of_one_budget_are_asked_for_one_after_the_other() {
    let mut drain = blocked(&["1", "2", "3"]);
    for _ in 0..3 {
        let (mut sent, _) = period(&mut drain);
        for (uid, next) in [("1", Some("2")), ("2", Some("3")), ("3", None)] {
            assert_eq!(names(&sent), [uid], "two at once hinder each other");
            sent = drain.on(DrainEvent::Answer(pod(uid).pod, refused())).0;
            assert_eq!(names(&sent), next.into_iter().collect::<Vec<_>>());
        }
    }
}

#[test]
fn pods_of_several_budgets_do_not_wait_for_each_other() {
    let mut drain = drain(16);
    let (sent, _) = drain.on(DrainEvent::Pods(["1", "2"].map(pod).to_vec()));
    for (pod, budget) in sent.into_iter().zip(["web", "db"]) {
        let why = format!("The disruption budget {budget} needs 2 healthy pods");
        drain.on(DrainEvent::Answer(pod, EvictAnswer::Budget(why)));
    }
    assert_eq!(names(&period(&mut drain).0), ["1", "2"]);
}

#[test]
fn one_that_goes_is_followed_by_the_others_of_its_budget() {
    for answer in [EvictAnswer::Accepted, EvictAnswer::Gone] {
        let mut drain = blocked(&["1", "2"]);
        assert_eq!(names(&period(&mut drain).0), ["1"]);
        let (sent, _) = drain.on(DrainEvent::Answer(pod("1").pod, answer));
        assert_eq!(names(&sent), ["2"]);
    }
}

#[test]
fn a_second_refusal_is_news_and_no_later_one() {
    let mut drain = blocked(&["1"]);
    assert!(drain.take_news().is_empty());
    for told in [1, 0] {
        period(&mut drain);
        drain.on(DrainEvent::Answer(pod("1").pod, refused()));
        assert_eq!(drain.take_news().len(), told);
    }
}

#[test]
fn none_waits_for_others_to_be_refused_again_and_again() {
    let pods: Vec<_> = (10..40).map(|uid| pod(&uid.to_string())).collect();
    let mut drain = drain(1);
    let mut asked: BTreeMap<String, u32> = BTreeMap::new();
    let (mut sent, _) = drain.on(DrainEvent::Pods(pods.clone()));
    // Each request takes as long as a tick, so there is no time for all in a period.
    for _ in 0..120 {
        assert!(sent.len() <= 1);
        let mut next = Vec::new();
        for pod in sent {
            *asked.entry(pod.uid.clone()).or_default() += 1;
            next.extend(drain.on(DrainEvent::Answer(pod, refused())).0);
        }
        next.extend(drain.on(DrainEvent::Tick).0);
        sent = next;
    }
    assert_eq!(asked.len(), pods.len());
    let (least, most) = (asked.values().min(), asked.values().max());
    assert!(least >= Some(&3) && most <= Some(&5), "{asked:?}");
}
