//! What a guard may not believe: a reply that is lost, a list that was missed, a status that is older than the drain.

use super::*;
use crate::drain::EvictAnswer;
use crate::drain::observed::REFUSALS;

pub(super) fn status(
    wanted: u32,
    ready: u32,
) -> impl Fn(&str) -> Result<Option<ControllerView>, Failure> {
    move |uid: &str| Ok(Some(view(uid, wanted, ready)))
}

pub(super) fn answer(pod: &PodView, answer: EvictAnswer) -> DrainEvent {
    DrainEvent::Answer(pod.pod.clone(), answer)
}

fn lost() -> EvictAnswer {
    EvictAnswer::Failed(Failure::new(FailureKind::Timeout, "no reply"))
}

#[test]
fn a_pod_whose_eviction_has_no_reply_is_not_one_that_stays() {
    let two = [pod("1", "a"), pod("2", "a")];
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&two, status(2, 2));
    assert_eq!(case.sent, ["1"]);
    // The server may have accepted it, or may yet.
    case.on(answer(&two[0], lost()));
    case.again(status(2, 2));
    assert_eq!(case.sent, ["1"]);
    // Asked again it says that it did not: then the other one may go in its place.
    for _ in 0..2 {
        case.period();
    }
    case.settle(status(2, 2));
    assert_eq!(case.sent, ["1", "1"]);
    case.on(answer(&two[0], EvictAnswer::Budget("no".into())));
    assert_eq!(case.sent, ["1", "1", "2"]);
}

#[test]
fn what_happened_while_nobody_watched_may_be_what_a_status_is_of() {
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[pod("1", "a"), pod("2", "a"), pod("3", "a")], status(3, 3));
    assert_eq!(case.sent, ["1", "2"]);
    case.on(DrainEvent::WatchEnded);
    case.pods(
        &[ending("1", "a"), ending("2", "a"), pod("3", "a")],
        status(3, 3),
    );
    // Of the moment between the two evictions: the other Ready one is one of these.
    case.again(status(3, 2));
    assert_eq!(case.sent.len(), 2);
    case.again(status(3, 1));
    case.again(status(3, 2));
    assert_eq!(case.sent.len(), 3);
}

#[test]
fn a_pod_may_have_become_ready_while_nobody_watched() {
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[pod("1", "a"), unready("2", "a")], status(3, 1));
    assert_eq!(case.sent, ["2"]);
    case.on(DrainEvent::WatchEnded);
    case.pods(&[pod("1", "a"), ending("2", "a")], status(3, 2));
    case.again(status(3, 2));
    assert_eq!(case.sent, ["2"], "it may have been Ready before it ended");
    case.again(status(3, 3));
    assert_eq!(case.sent, ["2", "1"]);
}

#[test]
fn a_status_that_lacks_pods_of_this_node_is_of_another_time() {
    let three = [pod("1", "a"), pod("2", "a"), pod("3", "a")];
    let mut case = Case::new(SingleReplica::Evict);
    // Of before the third was Ready.
    case.pods(&three, status(3, 2));
    case.again(status(3, 2));
    assert!(case.sent.is_empty(), "{:?}", case.sent);
    assert!(case.reason().contains("counts fewer"), "{}", case.reason());
    case.again(status(3, 3));
    assert_eq!(case.sent, ["1", "2"]);
    for here in [&three[1..], &three[2..]] {
        case.pods(here, status(3, 3));
    }
    case.again(status(3, 1));
    case.again(status(3, 2));
    assert_eq!(case.sent, ["1", "2", "3"]);
}

#[test]
fn refusals_in_a_row_mean_that_it_may_not_be_read_and_a_few_mean_nothing() {
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[pod("1", "a"), pod("2", "b")], |_| Err(forbidden()));
    for _ in 2..REFUSALS {
        case.again(|_| Err(forbidden()));
    }
    assert!(case.sent.is_empty() && case.drain.guard().names_of_forbidden().is_none());
    case.again(|_| Err(forbidden()));
    assert_eq!(case.sent, ["1", "2"]);
    assert_eq!(case.read, ["a"; 4], "one of a kind is asked for");
    assert_eq!(
        case.drain.guard().names_of_forbidden().as_deref(),
        Some("ReplicaSets")
    );
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[pod("1", "a")], |_| Err(forbidden()));
    case.again(|uid| Ok(Some(view(uid, 2, 1))));
    assert!(case.sent.is_empty());
    // To block on what cannot be seen is all that is left.
    let mut case = Case::new(SingleReplica::Block);
    case.pods(&[pod("1", "a")], |_| Err(forbidden()));
    for _ in 1..REFUSALS {
        case.again(|_| Err(forbidden()));
    }
    assert!(matches!(case.progress, Progress::Failed(_)));
}

#[test]
fn a_kind_that_could_be_read_does_not_become_unguarded() {
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[pod("1", "a")], status(2, 1));
    for _ in 0..20 {
        case.again(|_| Err(forbidden()));
    }
    assert!(case.sent.is_empty());
    assert_eq!(case.reason().matches("(no)").count(), 1);
    case.again(status(2, 2));
    assert_eq!(case.sent, ["1"]);
}

#[test]
fn refusals_with_another_failure_between_them_are_a_server_that_starts() {
    let mut case = Case::new(SingleReplica::Evict);
    let refused = |_: &str| Err(forbidden());
    case.pods(&[pod("1", "a")], refused);
    for _ in 0..5 {
        case.again(|_| Err(Failure::new(FailureKind::Unavailable, "no connection")));
        case.again(refused);
    }
    assert!(case.sent.is_empty());
}

#[test]
fn pods_that_stay_count_for_their_deployment_too() {
    // A rollout: of the old ReplicaSet one stays by its own wish, until the host goes down.
    let mut stays = pod("1", "old");
    stays.wishes.drain = Some("skip".into());
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[stays, pod("2", "new")], |uid| {
        Ok(Some(match uid {
            "web" => view(uid, 2, 2),
            _ => owned(view(uid, 1, 1), "web"),
        }))
    });
    assert!(case.sent.is_empty(), "{:?}", case.sent);
}

#[test]
fn what_is_tried_again_is_looked_at_again() {
    let one = pod("1", "a");
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(std::slice::from_ref(&one), status(3, 3));
    assert_eq!(case.sent, ["1"]);
    case.on(answer(&one, lost()));
    for _ in 0..2 {
        case.period();
    }
    assert_eq!(case.sent, ["1"], "the others may be gone by now");
    case.settle(status(3, 1));
    assert_eq!(case.sent, ["1"]);
    case.again(status(3, 2));
    assert_eq!(case.sent, ["1", "1"]);
}

#[test]
fn a_budget_that_opens_says_nothing_about_the_controller() {
    // It may look at the pods of others as well.
    let one = pod("1", "a");
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(std::slice::from_ref(&one), status(2, 2));
    for _ in 0..3 {
        case.on(answer(&one, EvictAnswer::Budget("b".into())));
        case.period();
        case.settle(status(2, 2));
    }
    assert_eq!(case.sent, ["1"; 4]);
    case.on(answer(&one, EvictAnswer::Budget("b".into())));
    case.period();
    case.settle(status(2, 1));
    assert_eq!(case.sent, ["1"; 4], "the other one is gone");
    case.again(status(2, 2));
    assert_eq!(case.sent, ["1"; 5]);
}

#[test]
fn a_pod_that_comes_later_is_not_judged_by_an_earlier_look() {
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[pod("1", "a"), pod("3", "b")], status(3, 3));
    assert_eq!(case.sent, ["1", "3"]);
    // Hours later, and somebody had lifted the cordon for a while.
    let late = [pod("2", "a"), ending("3", "b")];
    case.on(DrainEvent::Pods(late.to_vec()));
    case.settle(status(3, 1));
    assert_eq!(case.sent, ["1", "3"], "the others may be gone by now");
    case.again(status(3, 3));
    assert_eq!(case.sent, ["1", "3", "2"]);
}

#[test]
fn pods_of_a_later_order_are_looked_at_when_it_has_come() {
    // A ReplicaSet of the namespace is read before, for it may be of the same Deployment, and then once more.
    for (of, read) in [("B", &["B", "a"][..]), ("b", &["a", "b", "b"])] {
        let mut later = pod("2", of);
        later.wishes.order = Some("1".into());
        let mut case = Case::new(SingleReplica::Evict);
        let first = pod("1", "a");
        case.pods(&[first.clone(), later.clone()], status(3, 3));
        assert_eq!(case.sent, ["1"]);
        case.on(answer(&first, EvictAnswer::Accepted));
        case.pods(&[later], status(3, 1));
        assert_eq!(case.sent, ["1"]);
        case.read.sort();
        assert_eq!(case.read, read);
    }
}

#[test]
fn a_pod_elsewhere_that_is_ending_is_not_one_to_rely_on() {
    // A rolling update of a StatefulSet, whose Ready count has it in it until it stops.
    let update = |ending| {
        move |uid: &str| {
            let terminating = ending;
            Ok(Some(ControllerView {
                terminating,
                ..view(uid, 2, 2)
            }))
        }
    };
    for (of, sent) in [("A", 0), ("a", 1)] {
        let mut case = Case::new(SingleReplica::Evict);
        case.pods(&[pod("1", of)], update(1));
        assert_eq!(case.sent.len(), sent, "other kinds do not count it");
        case.again(update(0));
        assert_eq!(case.sent, ["1"]);
    }
}

#[test]
fn a_scale_down_that_has_just_begun_leaves_fewer_elsewhere_than_the_status_says() {
    // The status is of the pods before it, and has acted on the new number all the same.
    let scaled = |replicas| {
        move |uid: &str| {
            Ok(Some(ControllerView {
                replicas,
                ..view(uid, 2, replicas)
            }))
        }
    };
    for of in ["a", "A"] {
        let mut case = Case::new(SingleReplica::Evict);
        case.pods(&[pod("1", of), pod("2", of)], scaled(4));
        assert_eq!(case.sent, ["1"], "those elsewhere may be the ones that go");
        case.pods(&[pod("2", of)], scaled(2));
        assert_eq!(case.sent, ["1"]);
        case.again(scaled(3));
        case.again(scaled(2));
        assert_eq!(case.sent, ["1"], "{of}");
    }
}

#[test]
fn what_turns_have_noted_of_controllers_that_are_not_here_is_forgotten() {
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[pod("1", "a"), pod("2", "a")], status(2, 2));
    let records = case.drain.guard().on_disk.clone();
    for (same_turn, kept) in [(false, 1), (true, 2)] {
        let mut case = Case::new(SingleReplica::Evict);
        case.drain = Drain::resumed(&Config::default().drain, records.clone(), same_turn);
        case.pods(&[pod("1", "b"), pod("2", "b")], status(2, 2));
        assert_eq!(case.drain.guard().on_disk.len(), kept);
    }
}
