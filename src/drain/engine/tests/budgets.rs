//! Pods that budgets hold up: when each is asked for again.

use super::*;

/// A budget called web refuses.
fn refused() -> EvictAnswer {
    EvictAnswer::Budget("The disruption budget web needs 2 healthy pods and has 2 currently".into())
}

/// A drain whose pods a budget has refused, each once; no watch shows it.
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
    let mut asked = Vec::new();
    for _ in 0..8 {
        let (sent, _) = drain.on(DrainEvent::Tick);
        asked.push(names(&sent).join(" "));
        for pod in sent {
            assert_eq!(drain.on(DrainEvent::Answer(pod, refused())).0, []);
        }
    }
    assert_eq!(asked, ["", "", "1", "2", "3", "1", "2", "3"]);
}

#[test]
fn where_no_watch_shows_it_one_that_may_go_is_followed_by_the_others() {
    let mut drain = blocked(&["1", "2", "3"]);
    let (sent, _) = period(&mut drain);
    assert_eq!(names(&sent), ["1"]);
    for (uid, next) in [("1", "2"), ("2", "3")] {
        let (sent, _) = drain.on(DrainEvent::Answer(pod(uid).pod, EvictAnswer::Accepted));
        assert_eq!(names(&sent), [next], "at once, and one at a time");
    }
}

#[test]
fn after_a_wrong_guess_nothing_is_guessed_for_a_period() {
    let mut drain = blocked(&["1", "2", "3", "4"]);
    let (sent, _) = period(&mut drain);
    assert_eq!(names(&sent), ["1", "4"]);
    refuses(&mut drain, "4");
    assert_eq!(names(&accepted(&mut drain, "1")), ["2"]);
    refuses(&mut drain, "2");
    // Another goes when its time has come.
    assert_eq!(drain.on(DrainEvent::Tick).0, []);
    assert_eq!(names(&drain.on(DrainEvent::Tick).0), ["3"]);
    assert_eq!(accepted(&mut drain, "3"), []);
    assert_eq!(
        names(&drain.on(DrainEvent::Tick).0),
        ["4"],
        "nor is it made up for"
    );
    assert_eq!(names(&accepted(&mut drain, "4")), ["2"]);
}

#[test]
fn a_wrong_guess_is_no_news() {
    let mut drain = blocked(&["1", "2"]);
    period(&mut drain);
    assert_eq!(names(&accepted(&mut drain, "1")), ["2"]);
    refuses(&mut drain, "2");
    assert!(drain.take_news().is_empty());
    period(&mut drain);
    refuses(&mut drain, "2");
    assert_eq!(
        drain.take_news().len(),
        1,
        "it blocks, and not only for a moment"
    );
}

#[test]
fn a_refusal_ends_a_guess_that_had_no_time_to_be_tried() {
    let mut drain = blocked(&["1", "2", "3", "4"]);
    assert_eq!(names(&period(&mut drain).0), ["1", "4"]);
    assert_eq!(accepted(&mut drain, "1"), [], "another is on its way");
    refuses(&mut drain, "4");
}

#[test]
fn one_that_went_before_its_answer_is_followed_by_the_others_too() {
    let mut drain = blocked(&["1", "2"]);
    assert_eq!(names(&period(&mut drain).0), ["1"]);
    drain.on(DrainEvent::Pods(vec![pod("2")]));
    assert_eq!(names(&accepted(&mut drain, "1")), ["2"]);
}

#[test]
fn a_pod_that_is_gone_by_itself_says_nothing_about_its_budget() {
    let mut drain = blocked(&["1", "2"]);
    let (sent, _) = period(&mut drain);
    assert_eq!(names(&sent), ["1"]);
    let (sent, _) = drain.on(DrainEvent::Answer(pod("1").pod, EvictAnswer::Gone));
    assert_eq!(sent, []);
    // Nor does one that was asked for because another had gone.
    let mut drain = blocked(&["1", "2", "3"]);
    period(&mut drain);
    assert_eq!(names(&accepted(&mut drain, "1")), ["2"]);
    let (sent, _) = drain.on(DrainEvent::Answer(pod("2").pod, EvictAnswer::Gone));
    assert_eq!(sent, []);
}

/// The budget refuses this one, and nothing else is sent in its place.
fn refuses(drain: &mut Drain, uid: &str) {
    let (sent, _) = drain.on(DrainEvent::Answer(pod(uid).pod, refused()));
    assert_eq!(sent, []);
}

fn shown(drain: &mut Drain, allowed: u32) -> Vec<PodRef> {
    let web = BudgetRef {
        namespace: "ns".into(),
        name: "web".into(),
    };
    drain.on(DrainEvent::Budget(web, allowed)).0
}

fn accepted(drain: &mut Drain, uid: &str) -> Vec<PodRef> {
    drain
        .on(DrainEvent::Answer(pod(uid).pod, EvictAnswer::Accepted))
        .0
}

#[test]
fn what_a_watch_shows_is_more_than_a_guess() {
    let mut drain = blocked(&["1", "2", "3"]);
    assert_eq!(names(&shown(&mut drain, 1)), ["1"]);
    assert_eq!(accepted(&mut drain, "1"), [], "it was seen to allow one");
    assert_eq!(names(&shown(&mut drain, 2)), ["2"]);
    assert_eq!(shown(&mut drain, 9), [], "two at once hinder each other");
    assert_eq!(names(&accepted(&mut drain, "2")), ["3"]);
}

#[test]
fn a_budget_counts_what_was_sent_before_or_after_the_answer() {
    for early in [true, false] {
        let mut drain = blocked(&["1", "2", "3", "4"]);
        assert_eq!(names(&shown(&mut drain, 3)), ["1"]);
        for (uid, next, left) in [("1", "2", 2), ("2", "3", 1)] {
            if early {
                assert_eq!(shown(&mut drain, left), []);
                assert_eq!(shown(&mut drain, left), [], "written for another reason");
            }
            assert_eq!(names(&accepted(&mut drain, uid)), [next]);
            if !early {
                assert_eq!(shown(&mut drain, left), [], "one is on its way");
            }
        }
        assert_eq!(accepted(&mut drain, "3"), [], "three and no more");
        assert_eq!(shown(&mut drain, 0), []);
        assert_eq!(names(&shown(&mut drain, 1)), ["4"]);
    }
}

#[test]
fn what_was_sent_takes_up_room_until_the_budget_counts_it_or_time_passes() {
    let mut drain = blocked(&["1", "2", "3"]);
    assert_eq!(names(&shown(&mut drain, 1)), ["1"]);
    assert_eq!(accepted(&mut drain, "1"), []);
    assert_eq!(shown(&mut drain, 1), [], "written for another reason");
    // Whatever was missed: what it shows is what it allows.
    assert_eq!(names(&drain.on(DrainEvent::Tick).0), ["2"]);
    let mut drain = blocked(&["1", "2", "3"]);
    assert_eq!(names(&shown(&mut drain, 1)), ["1"]);
    assert_eq!(drain.on(DrainEvent::Tick).0, [], "it is still on its way");
    assert_eq!(accepted(&mut drain, "1"), []);
}

#[test]
fn a_refusal_is_newer_than_what_a_watch_has_shown() {
    let mut drain = blocked(&["1", "2", "3"]);
    assert_eq!(names(&shown(&mut drain, 2)), ["1"]);
    refuses(&mut drain, "1");
    assert_eq!(names(&period(&mut drain).0), ["1"], "its time has come");
    refuses(&mut drain, "1");
    assert_eq!(names(&shown(&mut drain, 1)), ["1"]);
}

#[test]
fn a_refusal_that_was_on_its_way_closes_no_budget_that_is_seen_to_open() {
    let mut drain = blocked(&["1", "2", "3"]);
    assert_eq!(names(&period(&mut drain).0), ["1"]);
    assert_eq!(shown(&mut drain, 2), [], "one is on its way");
    let (sent, _) = drain.on(DrainEvent::Answer(pod("1").pod, refused()));
    assert_eq!(names(&sent), ["1"]);
}

#[test]
fn a_first_refusal_takes_nothing_back_that_others_have_taken() {
    let mut drain = blocked(&["1", "2"]);
    let all = ["1", "2", "3"].map(pod).to_vec();
    assert_eq!(names(&drain.on(DrainEvent::Pods(all)).0), ["3"]);
    assert_eq!(names(&shown(&mut drain, 1)), ["1"]);
    refuses(&mut drain, "3");
    assert_eq!(accepted(&mut drain, "1"), [], "it allowed one");
}

#[test]
fn once_no_watch_shows_a_budget_any_more_it_is_guessed() {
    let web = BudgetRef {
        namespace: "ns".into(),
        name: "web".into(),
    };
    let mut drain = blocked(&["1", "2", "3"]);
    assert_eq!(shown(&mut drain, 0), []);
    drain.unwatched(&web);
    assert_eq!(names(&period(&mut drain).0), ["1"]);
    assert_eq!(names(&accepted(&mut drain, "1")), ["2"]);
    // What it showed last says nothing.
    let mut drain = blocked(&["1", "2", "3"]);
    assert_eq!(names(&shown(&mut drain, 2)), ["1"]);
    drain.unwatched(&web);
    let (sent, _) = drain.on(DrainEvent::Answer(pod("1").pod, EvictAnswer::Gone));
    assert_eq!(sent, []);
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
