//! Whose pods count: those of all ReplicaSets of a Deployment, as far as it is there and may be read.

use super::*;
use crate::drain::observed::REFUSALS;

#[test]
fn a_replica_set_whose_deployment_is_gone_counts_for_itself() {
    // Deleted without its ReplicaSets, which go on by themselves.
    let mut case = Case::new(SingleReplica::Evict);
    let status =
        |ready| move |uid: &str| Ok((uid == "a").then(|| owned(view("a", 2, ready), "web")));
    case.pods(&[pod("1", "a")], status(1));
    case.again(status(1));
    assert!(case.sent.is_empty() && case.reason().contains("last ready pod"));
    assert!(case.read.contains(&"web".to_owned()));
    case.again(status(2));
    assert_eq!(case.sent, ["1"]);
}

#[test]
fn pods_that_come_by_another_replica_set_hold_up_their_deployment_until_a_status_lacks_them() {
    let mut case = Case::new(SingleReplica::Evict);
    let status = |ready| {
        move |uid: &str| {
            Ok(Some(match uid {
                "web" => view(uid, 2, ready),
                _ => owned(view(uid, 1, 1), "web"),
            }))
        }
    };
    case.pods(&[pod("1", "a")], status(1));
    assert!(case.sent.is_empty(), "{:?}", case.sent);
    case.pods(&[pod("1", "a"), pod("2", "b")], status(2));
    case.again(status(2));
    assert_eq!(case.sent, ["1"]);
    case.pods(&[pod("2", "b")], status(2));
    case.again(status(2));
    assert_eq!(case.sent, ["1"], "it may be of the time of both");
    case.again(status(1));
    assert_eq!(case.sent, ["1"]);
    case.again(status(2));
    assert_eq!(case.sent, ["1", "2"], "{}", case.reason());
}

#[test]
fn a_deployment_that_may_not_be_read_counts_by_its_replica_set() {
    let mut case = Case::new(SingleReplica::Evict);
    let status = |ready| {
        move |uid: &str| match uid {
            "a" => Ok(Some(owned(view(uid, 2, ready), "web"))),
            _ => Err(forbidden()),
        }
    };
    case.pods(&[pod("1", "a")], status(1));
    for _ in 0..REFUSALS {
        case.again(status(1));
    }
    assert!(case.sent.is_empty());
    let reason = case.reason();
    assert!(
        reason.contains("ReplicaSet ns/a: its last ready pod"),
        "{reason}"
    );
    case.again(status(2));
    assert_eq!(case.sent, ["1"]);
}

#[test]
fn pods_that_have_ended_and_pods_of_no_server_count_for_nobody() {
    let mut ended = pod("2", "a");
    ended.finished = true;
    let mut mirror = pod("3", "a");
    mirror.mirror = true;
    for (other, sent) in [(ended, &["1"][..]), (mirror, &["1"])] {
        let mut case = Case::new(SingleReplica::Evict);
        case.pods(&[pod("1", "a"), other], |uid| Ok(Some(view(uid, 2, 2))));
        assert_eq!(case.sent, sent, "one is Ready elsewhere: {}", case.reason());
    }
}

#[test]
fn what_a_replica_set_is_about_to_delete_is_no_pod_elsewhere_for_its_deployment() {
    // A rollout begins: the old ReplicaSet is to have one pod less, and its controller may take the one elsewhere.
    let late = |it: ControllerView| ControllerView { behind: true, ..it };
    let surplus = |it: ControllerView| ControllerView { replicas: 2, ..it };
    for change in [late as fn(_) -> _, surplus] {
        let mut case = Case::new(SingleReplica::Evict);
        let status = |uid: &str| {
            Ok(Some(match uid {
                "web" => ControllerView {
                    replicas: 2,
                    ..view(uid, 2, 2)
                },
                _ => change(owned(
                    ControllerView {
                        ready: 2,
                        ..view(uid, 1, 2)
                    },
                    "web",
                )),
            }))
        };
        case.pods(&[pod("1", "old")], status);
        case.again(status);
        assert!(case.sent.is_empty(), "{:?}", case.sent);
        case.again(|uid| {
            Ok(Some(match uid {
                "web" => view(uid, 2, 2),
                _ => owned(view(uid, 1, 1), "web"),
            }))
        });
        assert_eq!(case.sent, ["1"], "{}", case.reason());
    }
}
