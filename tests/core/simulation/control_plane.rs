//! A control-plane node after its reboot: its own API server and etcd must be back, and not only in the eyes of the server.

use rollboot::drain::PodView;
use rollboot::failure::{Failure, FailureKind};
use rollboot::lock::CONTROL_PLANE;
use rollboot::machine::Machine;
use rollboot::node::NodesView;

use super::world::{World, pod};

const HOUR: f64 = 3600.0;
const OLD: &str = "before";
const NEW: &str = "after";

/// A static pod with this container.
fn fixed(name: &str, container: &str) -> PodView {
    let mut pod = pod(name);
    pod.mirror = true;
    pod.ready = true;
    pod.containers = [format!("{name}-{container}").into()].into();
    pod
}

/// A control-plane node that has asked for its reboot, with these pods when it is back.
fn rebooted(back: Vec<PodView>) -> (World, Machine) {
    let mut world = World::asking();
    world.pods = vec![fixed("etcd-n1", OLD), fixed("kube-apiserver-n1", OLD)];
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
    world.pods = vec![fixed("etcd-n1", NEW), fixed("kube-apiserver-n1", NEW)];
    assert!(world.until(&mut machine, 60.0, |_, world| !world.holds_slot()));
}

#[test]
fn static_pods_that_only_look_ready_since_before_the_boot_prove_nothing() {
    let stale = fixed("etcd-n1", OLD);
    let back = vec![stale, fixed("kube-apiserver-n1", NEW)];
    keeps_its_turn(back, "not Ready since this boot: default/etcd-n1");
}

#[test]
fn static_pods_that_are_not_ready_prove_nothing() {
    let mut etcd = fixed("etcd-n1", NEW);
    etcd.ready = false;
    keeps_its_turn(
        vec![etcd, fixed("kube-apiserver-n1", NEW)],
        "not Ready since this boot: default/etcd-n1",
    );
}

/// One may be made anew after the turn has begun: it is of the old boot all the same.
#[test]
fn static_pods_that_were_restarted_during_the_drain_prove_nothing() {
    let mut world = World::asking();
    world.pods = vec![fixed("etcd-n1", OLD)];
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.node.unschedulable));
    world.pods = vec![fixed("etcd-n1", NEW)];
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    let mut machine = world.boot();
    assert!(!world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
    world.pods = vec![fixed("etcd-n1", "newest")];
    assert!(world.until(&mut machine, 60.0, |_, world| !world.holds_slot()));
}

#[test]
fn static_pods_that_are_not_listed_yet_are_waited_for() {
    keeps_its_turn(
        vec![fixed("kube-apiserver-n1", NEW)],
        "not back yet: static pods default/etcd-n1",
    );
}

#[test]
fn a_static_pod_that_was_removed_for_good_is_named_with_the_way_out() {
    let (mut world, mut machine) = rebooted(vec![fixed("kube-apiserver-n1", NEW)]);
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
    let back = vec![fixed("etcd-n1", NEW), fixed("kube-apiserver-n1", NEW)];
    let (mut world, mut machine) = rebooted(back);
    assert!(world.until(&mut machine, 60.0, |_, world| !world.holds_slot()));
    assert!(!world.node.unschedulable);
}

#[test]
fn a_node_whose_static_pods_could_not_prove_it_healthy_takes_no_slot() {
    let mut world = World::asking();
    let mut broken = fixed("proxy-n1", OLD);
    broken.ready = false;
    world.pods = vec![broken];
    let mut machine = world.start();
    assert!(!world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    assert!(world.until(&mut machine, 60.0, |machine, _| {
        machine.reason().contains("default/proxy-n1")
    }));
    world.pods = vec![fixed("proxy-n1", OLD)];
    assert!(world.until(&mut machine, 120.0, |_, world| world.asked() > 0));
}

#[test]
fn a_control_plane_that_is_a_node_short_loses_no_other() {
    let short = |names: &[&str]| {
        Ok(NodesView {
            all: 3,
            not_ready: names.iter().map(|name| (*name).to_owned()).collect(),
            control_plane: names.iter().map(|name| (*name).to_owned()).collect(),
        })
    };
    let mut world = World::asking();
    world.pods = vec![fixed("etcd-n1", OLD)];
    world.nodes = short(&["n2"]);
    let mut machine = world.start();
    assert!(!world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    world.until_told(&mut machine, "of the control plane not Ready: n2");
    // Where Nodes may not be listed nobody looks.
    for seen in [
        short(&["n1"]),
        Err(Failure::new(FailureKind::Forbidden, "no")),
    ] {
        let mut world = World::asking();
        world.pods = vec![fixed("etcd-n1", OLD)];
        world.nodes = seen;
        let mut machine = world.start();
        assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    }
    // A worker does not care, also where it looks at the Nodes for a reason of its own.
    let mut world = World::asking();
    std::sync::Arc::make_mut(&mut world.config)
        .gates
        .max_not_ready = Some(3);
    world.nodes = short(&["n2"]);
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
}
