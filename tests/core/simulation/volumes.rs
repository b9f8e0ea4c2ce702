//! Volumes that are still attached after the drain are waited for, within bounds, and never cost a turn.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rollboot::config::{Config, DrainMode};
use rollboot::drain::{Controller, PodView};
use rollboot::machine::{Gate, Machine, Op};

use super::world::{World, pod};

const HOUR: f64 = 3600.0;
const DISK: &str = "kubernetes.io/csi/disk.example^1";

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A pod with a volume, which is attached.
fn with_volume(name: &str) -> PodView {
    PodView {
        volumes: true,
        ..pod(name)
    }
}

fn world(change: impl FnOnce(&mut Config)) -> World {
    let mut world = World::asking();
    change(Arc::make_mut(&mut world.config));
    world.pods = vec![with_volume("web")];
    world.node.attached = names(&[DISK]);
    world
}

fn waits(machine: &Machine) -> bool {
    let blocked = machine.status().blocked_by;
    blocked.iter().any(|it| it.gate == Gate::Volumes)
}

fn node_reads(world: &World) -> usize {
    world.ops.iter().filter(|op| **op == Op::ReadNode).count()
}

#[test]
fn a_node_does_not_go_down_before_its_volumes_are_detached() {
    let mut world = world(|_| ());
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |machine, _| waits(machine)));
    let reason = machine.reason();
    assert!(
        reason.starts_with("drained; volumes are still attached to this node: kubernetes.io/csi"),
        "{reason}"
    );
    let before = node_reads(&world);
    world.wait(&mut machine, 60.0);
    assert!(waits(&machine) && world.asked() == 0);
    assert!(node_reads(&world) - before <= 13, "{}", node_reads(&world));
    world.node.attached.clear();
    assert!(world.until(&mut machine, 60.0, |_, world| world.asked() == 1));
    assert_eq!(
        world
            .reports
            .iter()
            .filter(|it| it.starts_with("StillAttached"))
            .count(),
        0
    );
}

#[test]
fn without_volumes_nothing_more_is_asked() {
    let reads = |attached: &[&str]| {
        let mut world = world(|_| ());
        world.node.attached = names(attached);
        let mut machine = world.start();
        world.until(&mut machine, HOUR, |_, world| world.asked() == 1);
        node_reads(&world)
    };
    // Gates, cordon, the last look; and a start.
    let without = reads(&[]);
    assert!(without <= 4, "{without}");
}

#[test]
fn a_volume_that_is_never_detached_is_named_and_the_node_reboots() {
    let mut world = world(|_| ());
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |machine, _| waits(machine)));
    let began = world.time;
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() == 1));
    let took = world.time - began;
    assert!((110.0..140.0).contains(&took), "{took} s");
    let told: Vec<_> = world
        .reports
        .iter()
        .filter(|it| it.starts_with("StillAttached"))
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains(DISK), "{told:?}");
}

#[test]
fn the_end_of_the_drains_time_ends_the_wait_and_not_the_turn() {
    let mut world = world(|config| {
        config.drain.timeout = Duration::from_secs(60);
        config.drain.volumes_timeout = Duration::from_secs(3000);
    });
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() == 1));
    assert!(world.time < 200.0, "{} s", world.time);
    assert!(
        world
            .reports
            .iter()
            .any(|it| it.starts_with("StillAttached"))
    );
    assert!(!world.reports.iter().any(|it| it.starts_with("TurnFailed")));
}

#[test]
fn what_pods_that_stay_have_in_use_is_not_waited_for() {
    let mut world = world(|_| ());
    let mut keeper = with_volume("storage");
    keeper.controller = Some(Controller {
        kind: "DaemonSet".into(),
        ..keeper.controller.unwrap()
    });
    world.pods.push(keeper);
    world.node.attached = names(&[DISK, "theirs"]);
    world.node.in_use = names(&[DISK, "theirs"]);
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |machine, _| waits(machine)));
    // The kubelet reports ten seconds later what it has unmounted, and the controller detaches.
    world.wait(&mut machine, 8.0);
    world.node.in_use = names(&["theirs"]);
    world.wait(&mut machine, 30.0);
    assert!(waits(&machine), "{}", machine.reason());
    assert!(!machine.reason().contains("theirs"), "{}", machine.reason());
    world.node.attached = names(&["theirs"]);
    assert!(world.until(&mut machine, 20.0, |_, world| world.asked() == 1));
}

/// The kubelet unmounts what a pod that has ended had, so its volumes are waited for like those of the pods that go.
#[test]
fn a_pod_that_has_ended_keeps_no_volume() {
    let mut world = world(|_| ());
    world.pods.push(PodView {
        finished: true,
        ..with_volume("job")
    });
    world.node.in_use = names(&[DISK]);
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |machine, _| waits(machine)));
    world.wait(&mut machine, 60.0);
    assert!(waits(&machine), "{}", machine.reason());
    world.node.attached.clear();
    assert!(world.until(&mut machine, 20.0, |_, world| world.asked() == 1));
}

#[test]
fn nobody_waits_who_does_not_want_to_or_does_not_drain() {
    let changes: [fn(&mut Config); 2] = [
        |config| config.drain.volumes_timeout = Duration::ZERO,
        |config| config.drain.mode = DrainMode::None,
    ];
    for change in changes {
        let mut world = world(change);
        let mut machine = world.start();
        assert!(world.until(&mut machine, HOUR, |machine, world| {
            assert!(!waits(machine));
            world.asked() == 1
        }));
        assert!(
            !world
                .reports
                .iter()
                .any(|it| it.starts_with("StillAttached"))
        );
    }
}

#[test]
fn pods_that_come_meanwhile_are_drained_and_the_wait_goes_on_where_it_was() {
    let mut world = world(|_| ());
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |machine, _| waits(machine)));
    let began = world.time;
    world.wait(&mut machine, 60.0);
    // Somebody uncordons: back to the cordon, the drain, and the last checks.
    world.node.unschedulable = false;
    world.node.cordon_owned = false;
    world.node.version = "99".into();
    world.pods.push(with_volume("late"));
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() == 1));
    assert!(world.pods.is_empty());
    let took = world.time - began;
    assert!(took < 160.0, "{took} s");
}
