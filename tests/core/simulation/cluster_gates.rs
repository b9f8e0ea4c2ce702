//! Gates on the cluster: pods on this node that a selector names, and other nodes in trouble. Before the lock, before the cordon,
//! in the drain, before the reboot.

use std::sync::Arc;

use rollboot::config::{DrainMode, PodGate};
use rollboot::drain::PodView;
use rollboot::failure::{Failure, FailureKind};
use rollboot::lock::Entry;
use rollboot::machine::{Event, Gate, Label, Machine, Op};
use rollboot::node::NodesView;
use rollboot::selector::Selector;

use super::world::{World, pod};

const HOUR: f64 = 3600.0;

/// A node with one gate of each kind, all open, and a pod that a drain evicts.
fn gated() -> World {
    let mut world = World::asking();
    let config = Arc::make_mut(&mut world.config);
    config.gates.pods = vec![PodGate {
        namespace: Some("default".into()),
        selector: Selector::parse("app=backup").unwrap(),
    }];
    config.gates.max_not_ready = Some(1);
    world.pods = vec![pod("web")];
    world
}

fn backup(name: &str) -> PodView {
    let label = ("app".to_owned(), "backup".to_owned());
    PodView {
        labels: [label].into_iter().collect(),
        ..pod(name)
    }
}

fn not_ready(names: &[&str]) -> Result<NodesView, Failure> {
    Ok(NodesView {
        all: 9,
        not_ready: names.iter().map(|name| (*name).to_owned()).collect(),
        control_plane: Vec::new(),
    })
}

fn open(world: &mut World) {
    world.pods.retain(|pod| pod.labels.get("app").is_none());
    world.nodes = not_ready(&[]);
}

struct Case {
    close: fn(&mut World),
    gate: Gate,
    says: &'static str,
}

/// Each closes one gate. The last is closed because nobody answers, which passes by itself.
const CASES: [Case; 4] = [
    Case {
        close: |world| world.pods.push(backup("nightly")),
        gate: Gate::BlockingPods,
        says: "default/nightly is here and matches app=backup",
    },
    Case {
        close: |world| world.nodes = not_ready(&["n1", "n2", "n3"]),
        gate: Gate::Nodes,
        says: "not Ready: n2, n3",
    },
    Case {
        close: |world| {
            world.nodes = Err(Failure::new(
                FailureKind::Restricted,
                "403: only its own Node",
            ));
        },
        gate: Gate::Nodes,
        says: "403: only its own Node: apply health.yaml",
    },
    Case {
        close: |world| {
            world.nodes = Err(Failure::new(FailureKind::Timeout, "no answer within 10s"));
        },
        gate: Gate::Api,
        says: "no answer within 10s",
    },
];

fn gate(machine: &Machine) -> Option<Gate> {
    let status = machine.status();
    status.blocked_by.first().map(|blocked| blocked.gate)
}

fn tells(world: &mut World, machine: &mut Machine, expected: Gate) {
    let told = world.until(machine, 100.0, |machine, _| gate(machine) == Some(expected));
    assert!(told, "{expected:?}: {}", machine.reason());
}

fn cordons(world: &World) -> usize {
    let cordon = |op: &&Op| matches!(op, Op::PatchNode(patch) if patch.unschedulable == Some(true));
    world.ops.iter().filter(cordon).count()
}

fn ends_with_a_reboot(world: &mut World, machine: &mut Machine, case: &Case) {
    open(world);
    let asked = world.until(machine, HOUR, |_, world| world.asked() > 0);
    assert!(asked, "{:?}: {}", case.gate, machine.reason());
    assert_eq!(machine.journal().failed, None, "it is no failure");
}

#[test]
fn no_slot_is_taken_while_the_cluster_is_not_as_it_should_be() {
    for case in &CASES {
        let mut world = gated();
        (case.close)(&mut world);
        let mut machine = world.start();
        assert!(!world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
        tells(&mut world, &mut machine, case.gate);
        let reason = machine.reason();
        assert!(reason.contains(case.says), "{reason}");
        assert!(world.ops.iter().all(|op| !matches!(op, Op::PatchLock(_))));
        ends_with_a_reboot(&mut world, &mut machine, case);
    }
}

#[test]
fn a_gate_that_closes_between_lock_and_cordon_gives_the_slot_back_at_once() {
    let host: [fn(&mut World); 3] = [
        |world| world.gates.hold = Some("/etc/rollboot/hold: disk".into()),
        |world| world.gates.package_manager = Some("dpkg".into()),
        |world| world.logind_answers = false,
    ];
    let host = host.map(|close| Case {
        close,
        gate: Gate::Hold,
        says: "",
    });
    for case in CASES.iter().chain(&host) {
        let mut world = gated();
        let (gates, config) = (world.gates.clone(), Arc::clone(&world.config));
        world.hold = |op| matches!(op, Op::PatchLock(_));
        let mut machine = world.start();
        assert!(world.until(&mut machine, HOUR, |_, world| world.held.is_some()));
        (case.close)(&mut world);
        world.hold = |_| false;
        let op = world.held.take().unwrap();
        world.reply(op);
        assert!(world.until(&mut machine, 60.0, |_, world| world.holds_slot()));
        let released = |_: &Machine, world: &World| !world.holds_slot();
        assert!(world.until(&mut machine, 1.0, released), "{:?}", case.gate);
        world.wait(&mut machine, 300.0);
        assert_eq!(cordons(&world), 0, "{:?}", case.gate);
        assert_eq!(world.asked(), 0);
        (world.gates, world.logind_answers, world.config) = (gates, true, config);
        ends_with_a_reboot(&mut world, &mut machine, case);
    }
}

#[test]
fn a_gate_that_closes_after_the_drain_undoes_the_turn_and_nothing_is_a_failure() {
    for case in CASES.iter().filter(|case| case.gate != Gate::Api) {
        let mut world = gated();
        let mut machine = world.start();
        world.until_label(&mut machine, Label::Drained);
        (case.close)(&mut world);
        let undone = |_: &Machine, world: &World| !world.holds_slot();
        assert!(world.until(&mut machine, 60.0, undone), "{:?}", case.gate);
        assert!(!world.node.unschedulable, "{:?}", case.gate);
        world.wait(&mut machine, 200.0);
        assert_eq!(world.asked(), 0);
        tells(&mut world, &mut machine, case.gate);
        assert_eq!(
            world.evicted,
            ["web"],
            "what a gate waits for is not evicted"
        );
        ends_with_a_reboot(&mut world, &mut machine, case);
    }
}

#[test]
fn an_answer_that_is_missing_right_before_the_reboot_is_waited_for() {
    let mut world = gated();
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Drained);
    (CASES[3].close)(&mut world);
    let undone = |_: &Machine, world: &World| !world.holds_slot();
    assert!(!world.until(&mut machine, 600.0, undone));
    assert_eq!(gate(&machine), Some(Gate::Api));
    assert_eq!(world.asked(), 0);
    open(&mut world);
    assert!(world.until(&mut machine, 60.0, |_, world| world.asked() > 0));
    assert_eq!(cordons(&world), 1, "in the same turn");
}

#[test]
fn a_pod_that_came_in_the_moment_of_the_cordon_is_not_evicted_nor_is_any_other() {
    for mode in [DrainMode::Evict, DrainMode::None] {
        let mut world = gated();
        Arc::make_mut(&mut world.config).drain.mode = mode;
        world.hold = |op| matches!(op, Op::PatchNode(patch) if patch.unschedulable == Some(true));
        let mut machine = world.start();
        assert!(world.until(&mut machine, HOUR, |_, world| world.held.is_some()));
        world.pods.push(backup("nightly"));
        world.hold = |_| false;
        let op = world.held.take().unwrap();
        world.reply(op);
        assert!(world.until(&mut machine, 60.0, |_, world| world.node.unschedulable));
        assert!(world.until(&mut machine, 60.0, |_, world| !world.holds_slot()));
        assert!(!world.node.unschedulable);
        world.wait(&mut machine, 300.0);
        assert_eq!(world.evicted, [""; 0]);
        assert_eq!(world.asked(), 0);
        tells(&mut world, &mut machine, Gate::BlockingPods);
        ends_with_a_reboot(&mut world, &mut machine, &CASES[0]);
    }
}

#[test]
fn a_pod_that_comes_while_others_end_stops_the_drain() {
    let mut world = gated();
    world.blocked = true;
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Cordoned);
    world.wait(&mut machine, 60.0);
    world.pods.push(backup("nightly"));
    let pods = world.pods.clone();
    let mut machine = world.feed(machine, Event::PodsSeen(pods));
    assert!(world.until(&mut machine, 60.0, |_, world| !world.holds_slot()));
    world.blocked = false;
    world.wait(&mut machine, 300.0);
    assert_eq!(world.evicted, [""; 0]);
    ends_with_a_reboot(&mut world, &mut machine, &CASES[0]);
}

#[test]
fn only_what_a_gate_means_closes_it() {
    let open: [fn(&mut World); 6] = [
        |world| {
            world.pods.push(PodView {
                finished: true,
                ..backup("done")
            });
        },
        |world| {
            let mut elsewhere = backup("x");
            elsewhere.pod.namespace = "other".into();
            world.pods.push(elsewhere);
        },
        |world| world.nodes = not_ready(&["n2"]),
        |world| world.nodes = not_ready(&["n1", "n2"]),
        // Two turns at once: the other one reboots.
        |world| {
            let lock = world.lock.as_mut().unwrap();
            lock.data.insert("max.total".into(), "2".into());
            lock.data.insert("max.default".into(), "2".into());
            let entry = Entry {
                draining: Some(false),
                ..Entry::parse(ENTRY).unwrap()
            };
            let key = rollboot::lock::key("n2", "default");
            lock.annotations.insert(key, entry.encode());
            world.nodes = not_ready(&["n2", "n3"]);
        },
        // Gates that are not configured are not asked about.
        |world| {
            Arc::make_mut(&mut world.config).gates = rollboot::config::Gates::default();
            world.nodes = not_ready(&["n2", "n3", "n4"]);
            let mut pod = backup("x");
            pod.tolerates_cordon = true;
            world.pods.push(pod);
        },
    ];
    for (number, open) in open.into_iter().enumerate() {
        let mut world = gated();
        open(&mut world);
        let mut machine = world.start();
        let asked = world.until(&mut machine, 120.0, |_, world| world.asked() > 0);
        assert!(asked, "{number}: {}", machine.reason());
        assert_eq!(cordons(&world), 1, "{number}: at the first go");
        if number == 5 {
            assert!(!world.ops.contains(&Op::ListNodes));
        }
    }
}

const ENTRY: &str = r#"{"v":1,"turn":"00000000000000aa","stamp":"00000000000000ab","node_uid":"x","boot_id":"x","since":"2027-01-01T00:00:00Z"}"#;

#[test]
fn nobody_looks_at_all_nodes_while_no_slot_is_free() {
    let mut world = gated();
    let lock = world.lock.as_mut().unwrap();
    let key = rollboot::lock::key("n2", "default");
    lock.annotations.insert(key, ENTRY.into());
    let mut machine = world.start();
    world.wait(&mut machine, HOUR);
    assert_eq!(gate(&machine), Some(Gate::Lock));
    assert!(!world.ops.contains(&Op::ListNodes));
}

#[test]
fn a_restart_in_the_middle_of_a_drain_goes_on_whatever_changes_packages_meanwhile() {
    let mut world = gated();
    world.blocked = true;
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Cordoned);
    world.wait(&mut machine, 5.0);
    // An upgrade of this very package.
    world.gates.package_manager = Some("dpkg".into());
    let mut machine = world.start();
    world.wait(&mut machine, 60.0);
    assert!(world.holds_slot() && world.node.unschedulable);
    world.gates.package_manager = None;
    world.blocked = false;
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert_eq!(cordons(&world), 1);
}

#[test]
fn recovery_heeds_no_gate() {
    let mut world = gated();
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    world.pods.push(backup("nightly"));
    world.nodes = not_ready(&["n2", "n3"]);
    let mut machine = world.boot();
    assert!(world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
    assert!(!world.node.unschedulable);
}

#[test]
fn gates_that_are_taken_away_by_a_reload_count_at_once() {
    let mut world = gated();
    world.nodes = not_ready(&["n2", "n3"]);
    let mut machine = world.start();
    world.wait(&mut machine, 60.0);
    Arc::make_mut(&mut world.config).gates.max_not_ready = Some(2);
    let config = Arc::clone(&world.config);
    let mut machine = world.feed(machine, Event::Reload(config));
    assert!(world.until(&mut machine, 5.0, |_, world| world.holds_slot()));
}

#[test]
fn a_cordon_that_is_set_again_in_a_drain_asks_nobody() {
    let mut world = gated();
    world.blocked = true;
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Cordoned);
    world.wait(&mut machine, 5.0);
    // Somebody uncordons it, and package managers come and go: they are looked at right before the reboot.
    world.gates.package_manager = Some("dpkg".into());
    world.node.unschedulable = false;
    world.node.version = "1000".into();
    assert!(world.until(&mut machine, 60.0, |_, world| cordons(world) == 2));
    world.wait(&mut machine, 60.0);
    assert!(world.holds_slot() && world.node.unschedulable);
}
