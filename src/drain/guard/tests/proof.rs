//! What proves that a status is of now, so that pods which it counts are Ready elsewhere.

use super::*;

#[test]
fn a_status_that_was_written_anew_and_is_whole_again_has_seen_an_eviction() {
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[pod("1", "a"), pod("2", "a")], |uid| {
        Ok(Some(view(uid, 2, 2)))
    });
    assert_eq!(case.sent, ["1"]);
    case.pods(&[pod("2", "a")], |uid| Ok(Some(view(uid, 2, 2))));
    case.again(|uid| Ok(Some(view(uid, 2, 2))));
    assert_eq!(case.sent, ["1"]);
    case.again(|uid| {
        Ok(Some(ControllerView {
            written: "2".into(),
            ..view(uid, 2, 2)
        }))
    });
    assert_eq!(case.sent, ["1", "2"]);
}

#[test]
fn a_pod_that_was_replaced_within_a_second_is_relied_on() {
    let of = |version: &'static str, others| {
        move |uid: &str| {
            Ok(Some(ControllerView {
                written: version_of(version, others),
                ..view(uid, 2, 2)
            }))
        }
    };
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[pod("1", "a"), pod("2", "a")], of("10", 0));
    assert_eq!(case.sent, ["1"]);
    case.pods(&[pod("2", "a")], of("10", 0));
    case.again(of("11", 1));
    assert_eq!(case.sent, ["1"], "somebody has annotated it");
    case.again(of("12", 1));
    assert_eq!(case.sent, ["1", "2"]);
}

#[test]
fn a_status_of_another_spec_proves_nothing_by_being_written() {
    let of = |wanted, generation, times: &'static str| {
        move |uid: &str| {
            let written = StatusRevision {
                generation,
                ..times.into()
            };
            Ok(Some(ControllerView {
                written,
                wanted,
                ..view(uid, 2, 2)
            }))
        }
    };
    // It is scaled up, its controller says that it knows, and is late with everything else from then on.
    for (generation, sent) in [(1, 2), (2, 1)] {
        let mut case = Case::new(SingleReplica::Evict);
        case.pods(&[pod("1", "a"), pod("2", "a")], of(2, 1, "1"));
        assert_eq!(case.sent, ["1"]);
        case.pods(&[pod("2", "a")], of(2, 1, "1"));
        case.again(of(3, generation, "2"));
        case.again(of(3, generation, "3"));
        assert_eq!(case.sent.len(), sent, "generation {generation}");
    }
}

#[test]
fn a_status_that_may_change_by_itself_proves_nothing_by_being_written() {
    type Change = fn(&mut ControllerView);
    let changes: [(&str, &str, Change); 4] = [
        ("one is Ready but not yet available", "a", |it| {
            it.available = 1;
        }),
        ("an earlier pod still ends", "a", |it| it.terminating = 1),
        ("another pod is on its way", "a", |it| it.replicas = 3),
        ("a StatefulSet", "A", |_| ()),
    ];
    for (what, of, change) in changes {
        let mut case = Case::new(SingleReplica::Evict);
        let whole = |uid: &str| {
            let mut view = view(uid, 2, 2);
            change(&mut view);
            Ok(Some(view))
        };
        case.pods(&[pod("1", of), pod("2", of)], whole);
        case.pods(&[pod("2", of)], whole);
        case.again(|uid| {
            Ok(Some(ControllerView {
                written: "2".into(),
                ..view(uid, 2, 2)
            }))
        });
        assert_eq!(case.sent, ["1"], "{what}");
    }
}

#[test]
fn a_status_behind_its_spec_is_waited_for() {
    let mut case = Case::new(SingleReplica::Evict);
    let answer = |behind| {
        move |uid: &str| {
            Ok(Some(ControllerView {
                behind,
                ..view(uid, 3, 3)
            }))
        }
    };
    case.pods(&[pod("1", "a")], answer(true));
    assert!(case.sent.is_empty() && case.reason().contains("has not acted"));
    case.again(answer(false));
    assert_eq!(case.sent, ["1"]);
    // So is that of its Deployment, however many are here.
    let answer = |behind| {
        move |uid: &str| {
            Ok(Some(match uid {
                "web" => ControllerView {
                    behind,
                    ..view("web", 3, 3)
                },
                _ => owned(view(uid, 2, 2), "web"),
            }))
        }
    };
    let two = [pod("1", "a"), pod("2", "a")];
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&two, answer(true));
    assert!(case.sent.is_empty() && case.reason().contains("has not acted"));
    case.again(answer(false));
    assert_eq!(case.sent, ["1", "2"]);
}

#[test]
fn the_pods_of_a_stateful_set_count_until_they_are_gone_or_not_ready() {
    let mut case = Case::new(SingleReplica::Evict);
    let status = |ready| move |uid: &str| Ok(Some(view(uid, 2, ready)));
    case.pods(&[pod("1", "A"), pod("2", "A")], status(2));
    assert_eq!(case.sent, ["1"]);
    case.pods(&[ending("1", "A"), pod("2", "A")], status(2));
    case.again(status(1));
    case.again(status(2));
    assert_eq!(case.sent, ["1"], "the one that ends may be counted still");
    case.pods(&[pod("2", "A")], status(2));
    case.again(status(1));
    case.again(status(2));
    assert_eq!(case.sent, ["1", "2"]);
}

#[test]
fn a_restart_in_the_middle_of_a_wave_does_not_count_its_pods_again() {
    let status = |ready| move |uid: &str| Ok(Some(view(uid, 3, ready)));
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[pod("1", "a"), pod("2", "a"), pod("3", "a")], status(3));
    assert_eq!(case.sent, ["1", "2"]);
    let records = case.drain.guard().on_disk.clone();
    assert_eq!(records["a"].ready, 3);
    for same_turn in [true, false] {
        let mut case = Case::new(SingleReplica::Evict);
        let policy = Config::default().drain;
        case.drain = Drain::resumed(&policy, records.clone(), same_turn);
        case.pods(&[pod("3", "a")], status(3));
        assert!(
            case.sent.is_empty(),
            "a status that nobody has written since"
        );
        case.again(status(2));
        case.again(status(2));
        assert!(case.sent.is_empty(), "one of them may be the second");
        case.again(status(3));
        assert_eq!(case.sent, ["3"]);
    }
    // In a later turn a status that was written since is believed.
    let later = |uid: &str| {
        Ok(Some(ControllerView {
            written: "2".into(),
            ..view(uid, 3, 2)
        }))
    };
    for (same_turn, sent) in [(true, 0), (false, 1)] {
        let mut case = Case::new(SingleReplica::Evict);
        case.drain = Drain::resumed(&Config::default().drain, records.clone(), same_turn);
        case.pods(&[pod("3", "a")], later);
        assert_eq!(case.sent.len(), sent);
    }
}
