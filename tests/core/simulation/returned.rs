//! After the boot: the pods of DaemonSets that were Ready before must be so again, after the uncordon and before the release.

use std::sync::Arc;

use rollboot::config::{Config, RecoveryPods};
use rollboot::drain::PodView;
use rollboot::machine::{Event, Label, Machine, Op};

use super::world::{World, pod};

const HOUR: f64 = 3600.0;

/// A pod of the DaemonSet of this name, with this container.
fn daemon(name: &str, container: &str) -> PodView {
    let mut pod = pod(name);
    pod.critical = true;
    pod.containers = [container.into()].into();
    let owner = pod.controller.as_mut().unwrap();
    owner.kind = "DaemonSet".into();
    owner.name = name.into();
    owner.uid = name.into();
    pod
}

fn unready(mut pod: PodView) -> PodView {
    pod.ready = false;
    pod
}

/// A node that had these pods, and has these after its reboot.
fn rebooted(pods: RecoveryPods, before: Vec<PodView>, after: Vec<PodView>) -> (World, Machine) {
    let mut world = World::asking();
    let mut config = Config::default();
    config.recovery.pods = pods;
    world.config = Arc::new(config);
    world.pods = before;
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() == 1));
    world.pods = after;
    let machine = world.boot();
    (world, machine)
}

fn keeps(world: &mut World, machine: &mut Machine) {
    world.wait(machine, HOUR);
    assert!(world.holds_slot(), "{:?}", world.reports);
    assert!(
        !world.node.unschedulable,
        "they may wait for what was evicted"
    );
}

fn gives_on(world: &mut World, machine: &mut Machine) {
    assert!(world.until(machine, 120.0, |_, world| !world.holds_slot()));
}

#[test]
fn one_that_is_not_ready_keeps_the_slot_and_is_named() {
    let after = vec![unready(daemon("csi", "new"))];
    let (mut world, mut machine) =
        rebooted(RecoveryPods::Critical, vec![daemon("csi", "old")], after);
    keeps(&mut world, &mut machine);
    let reason = machine.reason();
    assert!(reason.contains("DaemonSet default/csi"), "{reason}");
    let told = |it: &&String| it.starts_with("NotHealthy") && it.contains("default/csi");
    assert!(world.reports.iter().filter(told).count() > 1);
    // Also when the daemon is restarted.
    let mut machine = world.start();
    keeps(&mut world, &mut machine);
    world.pods = vec![daemon("csi", "new")];
    gives_on(&mut world, &mut machine);
}

#[test]
fn one_that_shows_its_old_container_has_not_been_looked_at_yet() {
    let before = vec![daemon("csi", "old")];
    let (mut world, mut machine) = rebooted(RecoveryPods::Critical, before.clone(), before);
    keeps(&mut world, &mut machine);
    world.pods = vec![daemon("csi", "new")];
    gives_on(&mut world, &mut machine);
}

#[test]
fn one_without_a_pod_here_is_waited_for_for_a_minute() {
    let (mut world, mut machine) =
        rebooted(RecoveryPods::Critical, vec![daemon("csi", "old")], vec![]);
    assert!(world.until(&mut machine, HOUR, |_, world| !world.node.unschedulable));
    world.wait(&mut machine, 45.0);
    assert!(world.holds_slot());
    gives_on(&mut world, &mut machine);
}

#[test]
fn whoever_was_not_ready_before_or_is_of_no_account_is_not_waited_for() {
    let mut common = daemon("logs", "old");
    common.critical = false;
    let before = vec![unready(daemon("csi", "old")), common.clone()];
    let after = vec![unready(daemon("csi", "new")), unready(common.clone())];
    let (mut world, mut machine) = rebooted(RecoveryPods::Critical, before.clone(), after.clone());
    gives_on(&mut world, &mut machine);
    let (mut world, mut machine) = rebooted(RecoveryPods::All, before.clone(), after.clone());
    keeps(&mut world, &mut machine);
    let reason = machine.reason();
    assert!(
        reason.contains("default/logs") && !reason.contains("csi"),
        "{reason}"
    );
    let (mut world, mut machine) = rebooted(RecoveryPods::Ignore, before, after);
    gives_on(&mut world, &mut machine);
}

#[test]
fn without_a_journal_all_that_are_here_count() {
    let after = vec![unready(daemon("csi", "new"))];
    let (mut world, _) = rebooted(RecoveryPods::Critical, vec![], after);
    world.journal.turn = None;
    let mut machine = world.start();
    keeps(&mut world, &mut machine);
    world.pods = vec![daemon("csi", "new")];
    gives_on(&mut world, &mut machine);
}

#[test]
fn a_service_that_is_stopped_meanwhile_ends_and_keeps_the_slot() {
    let after = vec![unready(daemon("csi", "new"))];
    let (mut world, mut machine) =
        rebooted(RecoveryPods::Critical, vec![daemon("csi", "old")], after);
    keeps(&mut world, &mut machine);
    let mut machine = world.feed(machine, Event::StopRequested);
    assert!(world.until(&mut machine, 60.0, |_, world| world.exited));
    assert!(world.holds_slot());
}

#[test]
fn a_slot_that_an_operator_has_taken_meanwhile_ends_the_wait() {
    for restart in [false, true] {
        let after = vec![unready(daemon("csi", "new"))];
        let (mut world, mut machine) =
            rebooted(RecoveryPods::Critical, vec![daemon("csi", "old")], after);
        keeps(&mut world, &mut machine);
        world.unlock();
        if restart {
            machine = world.start();
        }
        let idle = |machine: &Machine, _: &World| machine.label() == Label::Idle;
        assert!(world.until(&mut machine, 120.0, idle), "{restart}");
        assert!(world.journal.turn.is_none());
    }
}

#[test]
fn a_node_that_dies_again_before_the_release_keeps_the_slot() {
    let after = vec![unready(daemon("csi", "new"))];
    let (mut world, mut machine) =
        rebooted(RecoveryPods::Critical, vec![daemon("csi", "old")], after);
    keeps(&mut world, &mut machine);
    world.node.ready.ready = false;
    world.node.ready.message = "PLEG is not healthy".into();
    world.pods = vec![daemon("csi", "new")];
    keeps(&mut world, &mut machine);
    world.until_told(&mut machine, "any more: PLEG is not healthy");
    world.node.ready.ready = true;
    gives_on(&mut world, &mut machine);
}

#[test]
fn the_soak_time_runs_last_and_anew_after_trouble() {
    let (mut world, mut machine) = rebooted(RecoveryPods::Ignore, Vec::new(), Vec::new());
    Arc::make_mut(&mut world.config).recovery.soak = std::time::Duration::from_secs(600);
    machine = world.feed(machine, Event::Reload(Arc::clone(&world.config)));
    let uncordoned = |_: &Machine, world: &World| !world.node.unschedulable;
    assert!(world.until(&mut machine, 60.0, uncordoned));
    let began = world.time;
    world.until_told(&mut machine, "the soak time runs");
    assert!(world.time < began + 10.0);
    // Not whole when it is over: it begins anew.
    world.node.ready.ready = false;
    world.wait(&mut machine, 590.0);
    world.until_told(&mut machine, "is not any more");
    assert!(world.time >= began + 600.0);
    world.node.ready.ready = true;
    let mended = world.time;
    assert!(world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
    assert!(world.time >= mended + 600.0);
}

/// What proved health hours ago is asked again before the slot goes: a static pod, a unit.
#[test]
fn what_proved_health_must_still_hold_at_the_end_of_the_soak_time() {
    let etcd = |container: &str| PodView {
        mirror: true,
        containers: [container.into()].into(),
        ..pod("etcd-n1")
    };
    for unit in [false, true] {
        let (mut world, _) = rebooted(RecoveryPods::Ignore, vec![etcd("old")], vec![etcd("new")]);
        let config = Arc::make_mut(&mut world.config);
        config.recovery.soak = std::time::Duration::from_secs(600);
        config.recovery.units = vec!["etcd.service".into()];
        let mut machine = world.start();
        world.until_told(&mut machine, "the soak time runs");
        if unit {
            world.inactive = vec!["etcd.service".into()];
        } else {
            world.pods = vec![unready(etcd("newer"))];
        }
        keeps(&mut world, &mut machine);
        let words = if unit {
            "not active: etcd.service"
        } else {
            "etcd-n1"
        };
        world.until_told(&mut machine, words);
        // Also while it looks again.
        world.hold = |op| matches!(op, Op::ReadNode);
        assert!(world.until(&mut machine, HOUR, |_, world| world.held.is_some()));
        assert!(machine.reason().contains(words), "{}", machine.reason());
        world.hold = |_| false;
        let read = world.held.take().unwrap();
        world.reply(read);
        world.inactive.clear();
        world.pods = vec![etcd("newer")];
        let mended = world.time;
        assert!(world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
        assert!(world.time >= mended + 600.0);
    }
}

/// The next start begins the soak time anew.
#[test]
fn a_stop_right_before_the_soak_time_does_not_wait_for_it() {
    let after = vec![unready(daemon("csi", "new"))];
    let (mut world, mut machine) =
        rebooted(RecoveryPods::Critical, vec![daemon("csi", "old")], after);
    Arc::make_mut(&mut world.config).recovery.soak = std::time::Duration::from_secs(600);
    machine = world.feed(machine, Event::Reload(Arc::clone(&world.config)));
    let listed = |op: &Op| matches!(op, Op::ListPods);
    world.wait(&mut machine, 30.0);
    world.hold = listed;
    assert!(world.until(&mut machine, HOUR, |_, world| world.held.is_some()));
    world.hold = |_| false;
    machine = world.feed(machine, Event::StopRequested);
    world.pods = vec![daemon("csi", "new")];
    let list = world.held.take().unwrap();
    world.reply(list);
    let ended = |_: &Machine, world: &World| world.exited;
    assert!(
        world.until(&mut machine, 60.0, ended),
        "{}",
        machine.reason()
    );
    assert!(world.holds_slot());
    let mut machine = world.start();
    gives_on_after(&mut world, &mut machine, 600.0);
}

fn gives_on_after(world: &mut World, machine: &mut Machine, seconds: f64) {
    let began = world.time;
    assert!(world.until(machine, HOUR, |_, world| !world.holds_slot()));
    assert!(world.time >= began + seconds);
}
