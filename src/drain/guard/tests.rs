use super::super::{Controller, Drain, DrainEvent, PERIOD, Progress, StatusRevision};
use super::*;
use crate::config::Config;

mod budgets;
mod cluster;
mod late;
mod owners;
mod proof;
mod reads;
mod seen;
mod single;

/// A Ready pod of ReplicaSet `of` (or, from a capital letter on, of a StatefulSet).
fn pod(uid: &str, of: &str) -> PodView {
    let stateful = of.starts_with(char::is_uppercase);
    PodView {
        pod: PodRef {
            namespace: "ns".into(),
            name: format!("p{uid}"),
            uid: uid.into(),
        },
        controller: Some(Controller {
            api_version: "apps/v1".into(),
            kind: if stateful {
                "StatefulSet"
            } else {
                "ReplicaSet"
            }
            .into(),
            name: of.into(),
            uid: of.into(),
        }),
        ready: true,
        ..PodView::default()
    }
}

fn unready(uid: &str, of: &str) -> PodView {
    PodView {
        ready: false,
        ..pod(uid, of)
    }
}

fn ending(uid: &str, of: &str) -> PodView {
    PodView {
        terminating: true,
        ..pod(uid, of)
    }
}

/// Wants so many, so many are Ready, and all that is wanted exists.
fn view(uid: &str, wanted: u32, ready: u32) -> ControllerView {
    ControllerView {
        uid: uid.into(),
        wanted,
        replicas: wanted,
        ready,
        available: ready,
        written: "1".into(),
        ..ControllerView::default()
    }
}

/// Of this version of the object, in a second in which much happens.
fn version_of(version: &str, others: u64) -> StatusRevision {
    StatusRevision {
        fresh: true,
        version: version.into(),
        others,
        .."1".into()
    }
}

fn owned(view: ControllerView, by: &str) -> ControllerView {
    let owner = Controller {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        name: by.into(),
        uid: by.into(),
    };
    ControllerView {
        owner: Some(owner),
        ..view
    }
}

fn forbidden() -> Failure {
    Failure::new(FailureKind::Forbidden, "no")
}

/// A drain whose controllers are answered at once; what it sent.
struct Case {
    drain: Drain,
    sent: Vec<String>,
    read: Vec<String>,
    progress: Progress,
}

impl Case {
    fn new(single: SingleReplica) -> Self {
        let policy = crate::config::Drain {
            single_replica: single,
            ..Config::default().drain
        };
        Self {
            drain: Drain::new(&policy),
            sent: Vec::new(),
            read: Vec::new(),
            progress: Progress::Going,
        }
    }

    fn on(&mut self, event: DrainEvent) {
        let (sent, progress) = self.drain.on(event);
        self.sent.extend(sent.into_iter().map(|pod| pod.uid));
        self.progress = progress;
    }

    /// So much time that a blocked pod is asked for again.
    fn period(&mut self) {
        (0..PERIOD).for_each(|_| self.on(DrainEvent::Tick));
    }

    /// The list, then everything that is asked for, answered by `answer`.
    fn pods(
        &mut self,
        pods: &[PodView],
        answer: impl Fn(&str) -> Result<Option<ControllerView>, Failure>,
    ) {
        self.on(DrainEvent::Pods(pods.to_vec()));
        self.settle(answer);
    }

    fn settle(&mut self, answer: impl Fn(&str) -> Result<Option<ControllerView>, Failure>) {
        for _ in 0..50 {
            if let Some(records) = self.drain.guard().unnoted() {
                self.on(DrainEvent::Noted(records));
            } else if let Some(of) = self.drain.guard_mut().next_read() {
                self.read.push(of.uid.clone());
                self.on(DrainEvent::Controller(answer(&of.uid)));
            } else {
                return;
            }
        }
        panic!("asks for ever: {:?}", self.read);
    }

    fn again(&mut self, answer: impl Fn(&str) -> Result<Option<ControllerView>, Failure>) {
        self.on(DrainEvent::LookAgain);
        self.settle(answer);
    }

    fn reason(&self) -> String {
        self.drain
            .guard()
            .reasons()
            .into_iter()
            .collect::<Vec<_>>()
            .join("; ")
    }
}

#[test]
fn all_pods_go_at_once_when_another_is_ready_elsewhere() {
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[pod("1", "a"), pod("2", "a"), pod("3", "b")], |uid| {
        Ok(Some(view(uid, 3, 3)))
    });
    assert_eq!(case.sent, ["1", "2", "3"]);
    assert_eq!(case.read, ["a", "b"], "each is read once");
    assert_eq!(case.drain.guard().waits(), None);
}

#[test]
fn the_last_one_waits_until_a_replacement_is_ready_elsewhere() {
    let mut case = Case::new(SingleReplica::Evict);
    let status = |ready| move |uid: &str| Ok(Some(owned(view(uid, 3, ready), "web")));
    case.pods(&[pod("1", "a"), pod("2", "a"), pod("3", "a")], status(3));
    assert_eq!(case.sent, ["1", "2"]);
    assert_eq!(
        case.reason(),
        "Deployment ns/web: its last ready pod is on this node, waiting for a replacement elsewhere"
    );
    assert!(case.drain.guard().waits().is_some());
    case.pods(
        &[ending("1", "a"), ending("2", "a"), pod("3", "a")],
        status(3),
    );
    // The same three as before the eviction, for all that can be known.
    case.again(status(3));
    assert_eq!(case.sent.len(), 2);
    case.again(status(1));
    assert_eq!(case.sent.len(), 2);
    case.again(status(2));
    assert_eq!(case.sent, ["1", "2", "3"]);
}

#[test]
fn a_pod_that_is_not_ready_counts_nothing_and_goes() {
    let mut case = Case::new(SingleReplica::Block);
    case.pods(&[unready("1", "a")], |_| panic!("nothing to read"));
    assert_eq!(case.sent, ["1"]);
    // And it is not what another one can rely on: by now the status may count it.
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[pod("1", "a"), unready("2", "a")], |uid| {
        Ok(Some(view(uid, 2, 2)))
    });
    assert_eq!(case.sent, ["2"]);
}

#[test]
fn a_deployment_counts_the_pods_of_all_its_replica_sets() {
    // In the middle of a rollout: one pod of each ReplicaSet, both here.
    let answer = |uid: &str| {
        Ok(Some(match uid {
            "web" => view(uid, 2, 2),
            _ => owned(view(uid, 1, 1), "web"),
        }))
    };
    let mut case = Case::new(SingleReplica::Block);
    case.pods(&[pod("1", "old"), pod("2", "new")], answer);
    assert_eq!(case.sent, ["1"], "neither is a single replica");
    assert_eq!(case.read, ["new", "old", "web"]);
    // And with one more of the new one elsewhere.
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[pod("1", "old"), pod("2", "new")], |uid| {
        Ok(Some(match uid {
            "web" => view(uid, 2, 3),
            "new" => owned(view(uid, 2, 2), "web"),
            _ => owned(view(uid, 1, 1), "web"),
        }))
    });
    assert_eq!(case.sent, ["2", "1"]);
}

#[test]
fn what_nobody_wants_or_nobody_keeps_goes() {
    type Change = fn(&mut ControllerView);
    let changes: [(&str, Change); 3] = [
        ("scaled down", |view| view.wanted = 0),
        ("being deleted", |view| view.deleting = true),
        ("another of the same name", |view| view.uid = "x".into()),
    ];
    for (what, change) in changes {
        let mut case = Case::new(SingleReplica::Block);
        case.pods(&[pod("1", "a")], |uid| {
            let mut view = view(uid, 2, 1);
            change(&mut view);
            Ok(Some(view))
        });
        assert_eq!(case.sent, ["1"], "{what}");
    }
    let mut case = Case::new(SingleReplica::Block);
    case.pods(&[pod("1", "a")], |_| Ok(None));
    assert_eq!(case.sent, ["1"]);
    assert!(case.drain.guard_mut().take_said()[0].contains("is gone"));
}

#[test]
fn what_is_deleted_without_its_pods_keeps_them_until_it_is_gone() {
    for policy in [SingleReplica::Evict, SingleReplica::Block] {
        let mut case = Case::new(policy);
        let status = |orphaning, deleting| {
            move |uid: &str| {
                Ok(Some(ControllerView {
                    deleting,
                    orphaning,
                    ..view(uid, 3, 3)
                }))
            }
        };
        case.pods(&[pod("1", "a")], status(true, true));
        assert!(case.sent.is_empty(), "though another is Ready elsewhere");
        assert!(case.reason().contains("is being deleted without its pods"));
        case.again(status(true, false));
        assert_eq!(case.sent, ["1"]);
    }
    // The ReplicaSet of such a Deployment stays, and creates pods.
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[pod("1", "a")], |uid| {
        let mut view = owned(view(uid, 2, 1), "web");
        (view.deleting, view.orphaning) = (uid == "web", uid == "web");
        Ok(Some(view))
    });
    assert!(case.sent.is_empty() && case.reason().contains("its last ready pod is on this node"));
}

#[test]
fn what_is_evicted_by_turns_is_noted_of_a_deployment_too() {
    let mut case = Case::new(SingleReplica::Evict);
    case.pods(&[pod("1", "a"), pod("2", "a")], |uid| {
        Ok(Some(match uid {
            "web" => view(uid, 2, 2),
            _ => owned(view(uid, 2, 2), "web"),
        }))
    });
    assert_eq!(case.sent, ["1"]);
    let noted: Vec<_> = case.drain.guard().on_disk.keys().collect();
    assert_eq!(noted, ["a", "web"]);
}

#[test]
fn what_cannot_be_read_holds_up_its_own_namespace_only() {
    for (namespace, sent) in [("other", vec!["1"]), ("ns", vec![])] {
        let mut case = Case::new(SingleReplica::Evict);
        let mut unread = pod("3", "b");
        unread.pod.namespace = namespace.into();
        case.pods(&[pod("1", "a"), pod("2", "a"), unread], |uid| match uid {
            "a" => Ok(Some(view(uid, 2, 2))),
            _ => Err(Failure::new(FailureKind::Unavailable, "no connection")),
        });
        assert_eq!(case.sent, sent, "{namespace}");
    }
}

#[test]
fn what_is_of_another_kind_is_not_guarded() {
    let mut case = Case::new(SingleReplica::Block);
    let mut job = pod("1", "a");
    job.controller.as_mut().unwrap().kind = "Job".into();
    let mut foreign = pod("2", "a");
    foreign.controller.as_mut().unwrap().api_version = "example.com/v1".into();
    case.pods(&[job, foreign], |_| panic!("nothing to read"));
    assert_eq!(case.sent, ["1", "2"]);
}

#[test]
fn another_failure_is_an_answer_to_come() {
    let mut case = Case::new(SingleReplica::Evict);
    let broken = |_: &str| Err(Failure::new(FailureKind::Unavailable, "no connection"));
    case.pods(&[pod("1", "a")], broken);
    for _ in 0..5 {
        case.again(broken);
    }
    assert!(case.sent.is_empty());
    assert_eq!(case.reason(), "no connection");
    assert!(case.drain.describe().contains("no connection"));
    case.again(|uid| Ok(Some(view(uid, 2, 2))));
    assert_eq!(case.sent, ["1"]);
}
