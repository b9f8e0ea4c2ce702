//! What wants a single replica: a matter of policy, and known before the slot is taken.

use super::*;

#[test]
fn a_single_replica_is_a_matter_of_policy() {
    let single = |uid: &str| Ok(Some(view(uid, 1, 1)));
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[pod("1", "a")], single);
    assert_eq!(case.sent, ["1"]);
    let said = case.drain.guard_mut().take_said();
    assert!(said[0].contains("ReplicaSet ns/a is evicted"), "{said:?}");

    let mut case = Case::new(SingleReplica::Block);
    case.pods(&[pod("1", "a")], single);
    assert!(case.sent.is_empty());
    assert!(
        matches!(&case.progress, Progress::Failed(why) if why.contains("ReplicaSet ns/a")),
        "{:?}",
        case.progress
    );

    let mut guard = Guard::new(SingleReplica::Block, BTreeMap::new(), false);
    let pods = [pod("1", "a"), pod("2", "b"), pod("3", "b")];
    let going: Vec<_> = pods.iter().map(|pod| pod.pod.clone()).collect();
    guard.pods(&pods, &going.iter().cloned().collect());
    while guard.next_read().is_some() {
        let wanted = if guard.asked.as_ref().unwrap().uid == "a" {
            1
        } else {
            2
        };
        guard.read(Ok(Some(view(
            &guard.asked.clone().unwrap().uid,
            wanted,
            wanted,
        ))));
    }
    let singles = guard.survey(&going).unwrap();
    assert_eq!(singles.len(), 1, "{singles:?}");
}

#[test]
fn a_survey_ends_when_what_it_found_it_needs_is_read() {
    // A rollout: that nobody else is Ready says the ReplicaSet; that one is all that is wanted, its Deployment.
    let mut guard = Guard::new(SingleReplica::Block, BTreeMap::new(), false);
    let pods = [pod("1", "a"), pod("2", "a")];
    let going: Vec<_> = pods.iter().map(|pod| pod.pod.clone()).collect();
    guard.pods(&pods, &going.iter().cloned().collect());
    let mut read = Vec::new();
    let never = loop {
        match guard.survey(&going) {
            Ok(never) => break never,
            Err(of) => {
                guard.read(Ok(Some(match of.uid.as_str() {
                    "a" => owned(view("a", 2, 2), "web"),
                    _ => view("web", 1, 2),
                })));
                read.push(of.uid);
            }
        }
    };
    assert_eq!(read, ["a", "web"]);
    assert_eq!(never.len(), 1, "{never:?}");
}

#[test]
fn a_drain_that_fails_of_one_pod_counts_no_other_as_on_its_way() {
    // A rollout: one is wanted, and its successor is Ready as well.
    let two = [pod("1", "a"), pod("2", "a")];
    let surge = |uid: &str| Ok(Some(view(uid, 1, 2)));
    let mut case = Case::new(SingleReplica::Block);
    case.pods(&two, surge);
    assert!(matches!(case.progress, Progress::Failed(_)));
    assert_eq!((case.sent.len(), case.drain.in_flight()), (0, 0));

    // That is known before the slot is taken.
    let going = two.each_ref().map(|pod| pod.pod.clone());
    let mut guard = Guard::new(SingleReplica::Block, BTreeMap::new(), false);
    guard.pods(&two, &going.iter().cloned().collect());
    while guard.next_read().is_some() {
        guard.read(surge("a"));
    }
    assert_eq!(guard.survey(&going).unwrap().len(), 1);
}
