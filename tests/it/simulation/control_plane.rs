//! A control-plane node after its reboot: its own API server and etcd must be back, and not only in the eyes of the server.

use rollboot::drain::PodView;
use rollboot::lock::CONTROL_PLANE;
use rollboot::machine::Machine;

use super::world::{World, pod};

const HOUR: f64 = 3600.0;
/// What the world says about when it booted: `Op::BootTime` is answered with it.
const BOOTED: i64 = 5;

/// A static pod that runs since then.
fn fixed(name: &str, since: i64) -> PodView {
    let mut pod = pod(name);
    pod.mirror = true;
    pod.ready = true;
    pod.running_since = Some(since);
    pod
}

/// A control-plane node that has asked for its reboot, with these pods when it is back.
fn rebooted(back: Vec<PodView>) -> (World, Machine) {
    let mut world = World::asking();
    world.pods = vec![fixed("etcd-n1", 0), fixed("kube-apiserver-n1", 0)];
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    let turn = world.journal.turn.as_ref().unwrap();
    assert_eq!(turn.group, CONTROL_PLANE);
    world.pods = back;
    let machine = world.boot();
    (world, machine)
}

fn keeps_its_turn(back: Vec<PodView>, says: &str) {
    let (mut world, mut machine) = rebooted(back);
    assert!(!world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
    let reason = machine.reason();
    assert!(reason.contains(says), "{reason}");
    assert!(world.node.unschedulable);
    world.pods = vec![
        fixed("etcd-n1", BOOTED),
        fixed("kube-apiserver-n1", BOOTED + 9),
    ];
    assert!(world.until(&mut machine, 60.0, |_, world| !world.holds_slot()));
}

#[test]
fn static_pods_that_only_look_ready_since_before_the_boot_prove_nothing() {
    let stale = fixed("etcd-n1", BOOTED - 1);
    let back = vec![stale, fixed("kube-apiserver-n1", BOOTED)];
    keeps_its_turn(back, "not Ready since this boot: default/etcd-n1");
}

#[test]
fn static_pods_without_a_running_container_prove_nothing() {
    let mut etcd = fixed("etcd-n1", BOOTED);
    etcd.running_since = None;
    keeps_its_turn(
        vec![etcd, fixed("kube-apiserver-n1", BOOTED)],
        "not Ready since this boot: default/etcd-n1",
    );
}

#[test]
fn static_pods_that_are_not_listed_yet_are_waited_for() {
    keeps_its_turn(
        vec![fixed("kube-apiserver-n1", BOOTED)],
        "not back yet: static pods default/etcd-n1",
    );
}

#[test]
fn a_static_pod_that_was_removed_for_good_is_named_with_the_way_out() {
    let (mut world, mut machine) = rebooted(vec![fixed("kube-apiserver-n1", BOOTED)]);
    assert!(!world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
    let reason = machine.reason();
    let told = "static pods default/etcd-n1 (is the kubelet at work? if one was removed for good: rollboot unlock n1 --force";
    assert!(reason.contains(told), "{reason}");
    world.unlock();
    let mut machine = world.start();
    let over = |machine: &Machine, _: &World| machine.journal().turn.is_none();
    assert!(
        world.until(&mut machine, 60.0, over),
        "{}",
        machine.reason()
    );
    assert!(!world.node.unschedulable && !world.holds_slot());
}

#[test]
fn a_control_plane_that_is_back_gives_the_turn_on() {
    let back = vec![fixed("etcd-n1", BOOTED), fixed("kube-apiserver-n1", BOOTED)];
    let (mut world, mut machine) = rebooted(back);
    assert!(world.until(&mut machine, 60.0, |_, world| !world.holds_slot()));
    assert!(!world.node.unschedulable);
}

#[test]
fn a_node_whose_static_pods_could_not_prove_it_healthy_takes_no_slot() {
    let mut world = World::asking();
    let mut broken = fixed("proxy-n1", 0);
    broken.ready = false;
    world.pods = vec![broken];
    let mut machine = world.start();
    assert!(!world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    assert!(world.until(&mut machine, 60.0, |machine, _| {
        machine.reason().contains("default/proxy-n1")
    }));
    world.pods = vec![fixed("proxy-n1", 0)];
    assert!(world.until(&mut machine, 120.0, |_, world| world.asked() > 0));
}
