//! A read that says less than it seems to: of before the drain began to look, or of before it was asked for.

use super::*;
use crate::drain::EvictAnswer;

fn status(wanted: u32, ready: u32) -> impl Fn(&str) -> Result<Option<ControllerView>, Failure> {
    move |uid: &str| Ok(Some(view(uid, wanted, ready)))
}

#[test]
fn the_first_status_may_be_older_than_all_that_was_seen_here() {
    let mut case = Case::new(SingleReplica::Evict);
    let down = |_: &str| Err(Failure::new(FailureKind::Unavailable, "no connection"));
    case.pods(&[pod("1", "a"), pod("2", "a")], down);
    case.pods(&[pod("2", "a")], down);
    // Of before the second was Ready; then of the time of both.
    case.again(status(3, 1));
    case.again(status(3, 2));
    assert!(case.sent.is_empty(), "{:?}", case.sent);
    case.again(status(3, 3));
    assert_eq!(case.sent, ["2"]);
}

#[test]
fn a_read_that_was_asked_for_before_a_pod_came_says_nothing_about_it() {
    let mut case = Case::new(SingleReplica::Evict);
    case.on(DrainEvent::Pods(vec![pod("1", "a")]));
    assert!(case.drain.guard_mut().next_read().is_some());
    case.on(DrainEvent::Pods(vec![pod("1", "a"), pod("2", "a")]));
    case.on(DrainEvent::Controller(status(3, 3)("a")));
    if let Some(records) = case.drain.guard().unnoted() {
        case.on(DrainEvent::Noted(records));
    }
    assert!(case.sent.is_empty(), "{:?}", case.sent);
    case.settle(status(3, 3));
    assert_eq!(case.sent, ["1", "2"]);
}

#[test]
fn what_is_tried_again_is_looked_at_again_by_its_replica_set() {
    let status = |ready| move |uid: &str| Ok(Some(owned(view(uid, 3, ready), "web")));
    let one = pod("1", "a");
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(std::slice::from_ref(&one), status(3));
    let refused = EvictAnswer::Budget("b".into());
    case.on(DrainEvent::Answer(one.pod, refused));
    case.period();
    assert_eq!(case.sent, ["1"], "the others may be gone by now");
    case.settle(status(3));
    assert_eq!(case.sent, ["1", "1"]);
}

#[test]
fn a_pod_does_not_go_while_its_controller_is_being_read() {
    // What comes may be of before, and would pass for a status that has seen the pod go.
    let two = [pod("1", "a"), pod("2", "a")];
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&two, status(2, 2));
    assert_eq!(case.sent, ["1"]);
    case.on(DrainEvent::LookAgain);
    assert!(case.drain.guard_mut().next_read().is_some());
    // The first stays, so the other may go.
    let refused = EvictAnswer::Budget("b".into());
    case.on(DrainEvent::Answer(two[0].pod.clone(), refused));
    assert_eq!(case.sent, ["1"]);
    assert_eq!(case.reason(), "ReplicaSet ns/a: is being read");
    case.on(DrainEvent::Controller(status(2, 2)("a")));
    assert_eq!(case.sent, ["1", "2"]);
}

#[test]
fn nothing_is_read_before_own_pods_are_counted() {
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[pod("1", "a"), pod("2", "a")], status(2, 2));
    let records = case.drain.guard().on_disk.clone();
    case.drain = Drain::resumed(&Config::default().drain, records, true);
    assert_eq!(case.drain.guard_mut().next_read(), None);
    case.on(DrainEvent::Pods(vec![pod("2", "a")]));
    assert!(case.drain.guard_mut().next_read().is_some());
}

#[test]
fn a_replica_set_whose_read_failed_once_is_read_again_while_it_holds_up_others() {
    let mut case = Case::new(SingleReplica::Evict);
    // x goes later, or stays; whether it is of the same Deployment is not known until it is read.
    let stays = PodView {
        wishes: crate::drain::DrainAnnotations {
            drain: Some("skip".into()),
            ..Default::default()
        },
        ..pod("9", "x")
    };
    let pods = [pod("1", "y"), pod("2", "y"), stays];
    let status = |uid: &str| {
        Ok(Some(match uid {
            "web" => view(uid, 3, 3),
            "x" => owned(view(uid, 1, 1), "web"),
            _ => owned(view(uid, 2, 2), "web"),
        }))
    };
    case.pods(&pods, |uid| match uid {
        "x" => Err(Failure::new(FailureKind::Timeout, "no answer")),
        _ => status(uid),
    });
    assert!(
        case.sent.is_empty() && case.reason().contains("ns/x: no"),
        "{}",
        case.reason()
    );
    case.again(status);
    assert_eq!(case.read.iter().filter(|uid| *uid == "x").count(), 2);
}

/// Of each of its ReplicaSets a Deployment has one pod here, and one elsewhere of another.
fn of_a_deployment(uid: &str) -> Result<Option<ControllerView>, Failure> {
    Ok(Some(match uid {
        "web" => view(uid, 2, 2),
        _ => owned(view(uid, 1, 1), "web"),
    }))
}

/// One pod of it, while the Deployment is being read.
fn reading_a_deployment() -> Case {
    let mut case = Case::new(SingleReplica::Evict);
    case.on(DrainEvent::Pods(vec![pod("1", "a")]));
    for uid in ["a", "web"] {
        assert_eq!(case.drain.guard_mut().next_read().unwrap().uid, uid);
        if uid == "a" {
            case.on(DrainEvent::Controller(of_a_deployment(uid)));
        }
    }
    case
}

#[test]
fn a_deployment_is_read_once_whatever_happens_meanwhile() {
    let mut case = reading_a_deployment();
    case.on(DrainEvent::Tick);
    case.on(DrainEvent::Controller(of_a_deployment("web")));
    case.settle(of_a_deployment);
    assert_eq!(case.sent, ["1"]);
    assert!(case.read.is_empty(), "{:?}", case.read);
}

#[test]
fn a_read_of_a_deployment_that_began_before_a_pod_came_says_nothing_about_it() {
    let mut case = reading_a_deployment();
    case.on(DrainEvent::Pods(vec![pod("1", "a"), pod("2", "a")]));
    case.on(DrainEvent::Controller(of_a_deployment("web")));
    case.settle(of_a_deployment);
    assert!(case.read.contains(&"web".to_owned()), "{:?}", case.read);
}

#[test]
fn nor_does_one_that_began_before_the_watch_broke() {
    let mut case = reading_a_deployment();
    case.on(DrainEvent::WatchEnded);
    case.on(DrainEvent::Pods(vec![pod("1", "a")]));
    case.on(DrainEvent::Controller(of_a_deployment("web")));
    case.settle(of_a_deployment);
    assert!(case.read.contains(&"web".to_owned()), "{:?}", case.read);
}

#[test]
fn a_deployment_that_is_known_by_another_replica_set_is_read_again() {
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[pod("1", "a")], of_a_deployment);
    assert_eq!(case.sent, ["1"]);
    case.read.clear();
    case.pods(&[ending("1", "a"), pod("2", "b")], of_a_deployment);
    assert_eq!(case.read, ["b", "web"]);
}
