use std::collections::BTreeMap;

use super::*;
use crate::drain::PodRef;
use crate::lock::{Noted, TURNS, key};
use crate::reboot::Inhibitor;
use crate::selector::Selector;

const BOOT: &str = "boot-1";

fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config
}

fn gate(closed: impl IntoIterator<Item = Blocked>) -> Option<Gate> {
    let gates = gates(closed);
    assert!(gates.len() < 2, "{gates:?}");
    gates.first().copied()
}

fn gates(closed: impl IntoIterator<Item = Blocked>) -> Vec<Gate> {
    closed.into_iter().map(|blocked| blocked.gate).collect()
}

#[test]
fn a_node_is_open_unless_it_is_another_machine_s_goes_or_is_held_or_cordoned_by_others() {
    type Change = fn(&mut NodeView);
    let wait = Config::default();
    let proceed = config(|it| it.drain.foreign_cordon = ForeignCordon::Proceed);
    let changes: [(Change, Option<Gate>, Option<Gate>); 6] = [
        (|_| (), None, None),
        (
            |node| node.boot_id = "boot-2".into(),
            Some(Gate::Node),
            Some(Gate::Node),
        ),
        (
            |node| node.deleting = true,
            Some(Gate::Node),
            Some(Gate::Node),
        ),
        (
            |node| node.hold = Some(String::new()),
            Some(Gate::Hold),
            Some(Gate::Hold),
        ),
        (
            |node| node.ready.ready = false,
            Some(Gate::Node),
            Some(Gate::Node),
        ),
        (
            |node| node.unschedulable = true,
            Some(Gate::ForeignCordon),
            None,
        ),
    ];
    for (change, waits, proceeds) in changes {
        let mut node = NodeView {
            boot_id: BOOT.into(),
            ..NodeView::default()
        };
        node.ready.ready = true;
        change(&mut node);
        assert_eq!(gate(node_gates(&wait, BOOT, &node)), waits, "{node:?}");
        assert_eq!(
            gate(node_gates(&proceed, BOOT, &node)),
            proceeds,
            "{node:?}"
        );
    }
}

fn lock(uid: &str, annotations: &[(&str, &str)]) -> LockView {
    let annotations = annotations.iter();
    LockView {
        uid: uid.into(),
        version: "1".into(),
        annotations: annotations
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        data: BTreeMap::new(),
    }
}

fn pod(namespace: &str, name: &str) -> PodView {
    let labels = [("app".to_owned(), "backup".to_owned())];
    PodView {
        pod: PodRef {
            namespace: namespace.into(),
            name: name.into(),
            uid: name.into(),
        },
        labels: labels.into_iter().collect(),
        ready: true,
        ..PodView::default()
    }
}

#[test]
fn a_pod_blocks_while_it_runs_is_selected_and_in_the_namespace() {
    let gated = |namespace: Option<&str>, selector: &str| {
        let gate = PodGate {
            namespace: namespace.map(str::to_owned),
            selector: Selector::parse(selector).unwrap(),
        };
        config(|config| config.gates.pods = vec![gate])
    };
    let finished = PodView {
        finished: true,
        ..pod("ns", "done")
    };
    for (namespace, selector, pod, closed) in [
        (None, "app=backup", pod("ns", "a"), true),
        (Some("ns"), "app=backup", pod("ns", "a"), true),
        (Some("other"), "app=backup", pod("ns", "a"), false),
        (None, "app=other", pod("ns", "a"), false),
        (None, "app=backup", finished, false),
    ] {
        let found = blocking_pods_gates(&gated(namespace, selector), &[pod]);
        let expected = closed.then_some(Gate::BlockingPods);
        assert_eq!(gate(found), expected, "{namespace:?} {selector}");
    }
}

#[test]
fn others_that_are_not_ready_count_but_for_this_node_and_those_in_a_turn() {
    let lock = lock("l", &[(&key("in-turn", "default"), "")]);
    let judged = |max: Option<u16>, names: &[&str]| {
        let config = config(|config| config.gates.max_not_ready = max);
        let view = NodesView {
            all: 9,
            not_ready: names.iter().map(|name| (*name).to_owned()).collect(),
            control_plane: Vec::new(),
        };
        gate(nodes_gate(&config, "own", Some(&lock), &Ok(view)))
    };
    assert_eq!(judged(None, &["a", "b"]), None);
    assert_eq!(judged(Some(0), &["own", "in-turn"]), None);
    assert_eq!(judged(Some(0), &["a"]), Some(Gate::Nodes));
    assert_eq!(judged(Some(1), &["own", "a", "in-turn"]), None);
    assert_eq!(judged(Some(1), &["a", "b"]), Some(Gate::Nodes));

    let unread = |max, kind| {
        let config = config(|config| config.gates.max_not_ready = max);
        gate(nodes_gate(
            &config,
            "own",
            None,
            &Err(Failure::new(kind, "no")),
        ))
    };
    assert_eq!(
        unread(Some(9), FailureKind::Forbidden),
        Some(Gate::Nodes),
        "what nobody knows is no open gate"
    );
    assert_eq!(unread(Some(9), FailureKind::Restricted), Some(Gate::Nodes));
    assert_eq!(unread(Some(9), FailureKind::Timeout), Some(Gate::Api));
    assert_eq!(unread(None, FailureKind::Timeout), None);
}

#[test]
fn static_pods_must_be_ready_and_tell_what_a_node_is() {
    let fixed = |name: &str, ready: bool| PodView {
        mirror: true,
        ready,
        ..pod("kube-system", name)
    };
    let node = |control_plane| NodeView {
        control_plane,
        ..NodeView::default()
    };
    let config = Config::default();
    let group = |node: &NodeView, pods: &[PodView]| group_of(&config, node, pods);
    assert_eq!(gate(static_pods_gate(&[fixed("proxy", true)])), None);
    let unready = fixed("proxy", false);
    assert_eq!(
        gate(static_pods_gate(std::slice::from_ref(&unready))),
        Some(Gate::Pods)
    );
    let finished = PodView {
        finished: true,
        ..unready.clone()
    };
    let ordinary = PodView {
        mirror: false,
        ..unready
    };
    assert_eq!(gate(static_pods_gate(&[finished, ordinary])), None);

    assert_eq!(group(&node(false), &[fixed("proxy-n", true)]), "default");
    assert_eq!(group(&node(true), &[]), CONTROL_PLANE);
    for name in ["etcd-n", "kube-apiserver-n"] {
        assert_eq!(group(&node(false), &[fixed(name, true)]), CONTROL_PLANE);
        assert_eq!(group(&node(false), &[pod("x", name)]), "default");
    }
}

#[test]
fn a_lock_of_another_uid_is_closed_until_an_operator_resumes() {
    let view = |resumed: &[(&str, &str)]| lock("new", resumed);
    let judged = |known: Option<&str>, view: &LockView| {
        let known = known.map(|uid| Noted::of(&lock(uid, &[])));
        gate(recreated_gate(known.as_ref(), view))
    };
    assert_eq!(judged(None, &view(&[])), None);
    assert_eq!(judged(Some("new"), &view(&[])), None);
    assert_eq!(judged(Some("old"), &view(&[])), Some(Gate::LockRecreated));
    let resumed = view(&[(crate::lock::RESUMED, "new")]);
    assert_eq!(judged(Some("old"), &resumed), None);
    let of_another = view(&[(crate::lock::RESUMED, "older")]);
    assert_eq!(judged(Some("old"), &of_another), Some(Gate::LockRecreated));
    let seven = Noted {
        uid: "new".into(),
        turns: 7,
    };
    let with = |turns: &str| recreated_gate(Some(&seven), &lock("new", &[(TURNS, turns)]));
    assert_eq!((with("7"), with("8")), (None, None));
    let wiped = with("6").unwrap();
    assert_eq!(wiped.gate, Gate::LockRecreated);
    for said in [
        "wiped",
        "UID new with 7 turns",
        "UID new with 6",
        "rollboot resume",
        "journal.json",
    ] {
        assert!(
            format!("{}: {}", wiped.what, wiped.detail).contains(said),
            "{said}"
        );
    }
}

#[test]
fn a_host_that_starts_is_closed_for_an_hour_and_names_its_jobs() {
    let judged = |start| {
        let gates = HostGates {
            start,
            ..HostGates::default()
        };
        start_gate(&Ok(gates))
    };
    let starting = |seconds| Start::UnderWay {
        seconds,
        jobs: vec!["cloud-final.service".into()],
    };
    assert_eq!(judged(Start::Finished), None);
    assert_eq!(judged(starting(3600)), None);
    let blocked = judged(starting(3599)).unwrap();
    assert_eq!(blocked.gate, Gate::Starting);
    assert_eq!(
        blocked.what,
        "this host has not finished starting: cloud-final.service at work"
    );
    let unknown = judged(Start::Unknown("no answer".into()));
    assert_eq!(gate(unknown), Some(Gate::Starting));
    assert_eq!(
        start_gate(&Err(Failure::new(FailureKind::Timeout, ""))),
        None
    );
}

#[test]
fn a_host_is_open_only_if_nothing_is_in_the_way_and_logind_says_yes() {
    type Change = fn(&mut HostGates);
    let inhibitor = Inhibitor {
        who: "backup".into(),
        why: "at work".into(),
        pid: 7,
    };
    let open = HostGates {
        can_reboot: "yes".into(),
        inhibitors: Vec::new(),
        hold: None,
        package_manager: None,
        configuration: None,
        start: Start::Finished,
    };
    assert_eq!(gate(host_gates(&Ok(open.clone()))), None);
    // It keeps a turn from beginning, and does not end one.
    let mut broken = open.clone();
    assert_eq!(gate(configuration_gate(&broken)), None);
    broken.configuration = Some("config.toml:1:1: unknown key".into());
    assert_eq!(gate(configuration_gate(&broken)), Some(Gate::Configuration));
    assert_eq!(gate(host_gates(&Ok(broken))), None);
    let changes: [(Change, Gate); 5] = [
        (|it| it.hold = Some("/etc/rollboot/hold".into()), Gate::Hold),
        (
            |it| it.package_manager = Some("dpkg is at work".into()),
            Gate::PackageManager,
        ),
        (|it| it.can_reboot = "no".into(), Gate::Logind),
        (|it| it.can_reboot = "challenge".into(), Gate::Logind),
        (|it| it.can_reboot = String::new(), Gate::Logind),
    ];
    for (change, expected) in changes {
        let mut gates = open.clone();
        change(&mut gates);
        assert_eq!(gate(host_gates(&Ok(gates))), Some(expected));
    }
    let inhibited = HostGates {
        inhibitors: vec![inhibitor],
        ..open
    };
    assert_eq!(gate(host_gates(&Ok(inhibited))), Some(Gate::Inhibitor));
    let silent = Err(Failure::new(FailureKind::Timeout, "no answer"));
    assert_eq!(gate(host_gates(&silent)), Some(Gate::Logind));
}

#[test]
fn all_that_one_look_shows_is_told() {
    let busy = HostGates {
        can_reboot: "no".into(),
        inhibitors: vec![Inhibitor {
            who: "backup".into(),
            why: "at work".into(),
            pid: 7,
        }],
        hold: Some("/etc/rollboot/hold".into()),
        package_manager: Some("dpkg is at work".into()),
        ..HostGates::default()
    };
    let of_the_host = [
        Gate::Inhibitor,
        Gate::Hold,
        Gate::PackageManager,
        Gate::Logind,
    ];
    assert_eq!(gates(host_gates(&Ok(busy))), of_the_host);
    let node = NodeView {
        boot_id: BOOT.into(),
        hold: Some("mine".into()),
        unschedulable: true,
        ..NodeView::default()
    };
    assert_eq!(
        gates(node_gates(&Config::default(), BOOT, &node)),
        [Gate::Hold, Gate::Node, Gate::ForeignCordon]
    );
    // Of a Node that is another machine's nothing counts.
    assert_eq!(
        gates(node_gates(&Config::default(), "boot-2", &node)),
        [Gate::Node]
    );
}
