//! Drains one after the other where two turns may run, in the life of one node beside another's entry.

use rollboot::config::{DrainMode, SingleReplica};
use rollboot::drain::ControllerView;
use rollboot::lock::{Entry, TurnId};
use rollboot::machine::{Event, Gate, Label, Machine, Op};

use super::world::{World, plenty_of, pod};

const HOUR: f64 = 3600.0;
const OTHER: &str = "n2.rollboot.io/default";

fn entry(draining: Option<bool>) -> String {
    Entry {
        v: 1,
        turn: TurnId(1),
        stamp: TurnId(2),
        node_uid: "u".into(),
        boot_id: "b".into(),
        since: "2026-01-01T00:00:00Z".into(),
        draining,
    }
    .encode()
}

/// Two turns may run, and another node is in one.
fn beside(other: &str) -> World {
    let mut world = World::asking();
    world.pods = vec![pod("p")];
    let lock = world.lock.as_mut().unwrap();
    lock.data.insert("max.default".into(), "2".into());
    lock.data.insert("max.total".into(), "2".into());
    lock.annotations.insert(OTHER.into(), other.into());
    world
}

fn app_of_two(ready: u32, written: &str) -> ControllerView {
    ControllerView {
        ready,
        available: ready,
        wanted: 2,
        replicas: 2,
        written: written.into(),
        ..plenty_of("app")
    }
}

impl World {
    fn other(&mut self, value: Option<&str>) {
        let lock = self.lock.as_mut().unwrap();
        lock.version = format!("{}0", lock.version);
        match value {
            Some(value) => lock.annotations.insert(OTHER.into(), value.into()),
            None => lock.annotations.remove(OTHER),
        };
    }

    fn draining(&self) -> Option<bool> {
        let lock = self.lock.as_ref().unwrap();
        lock.own_entry("n1").flatten().unwrap().draining
    }

    fn lock_writes(&self) -> usize {
        let writes = |op: &&Op| matches!(op, Op::PatchLock(_));
        self.ops.iter().filter(writes).count()
    }
}

#[test]
fn a_slot_that_is_taken_while_nobody_drains_may_drain_at_once() {
    let mut world = beside(&entry(Some(false)));
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    assert_eq!(world.draining(), Some(true));
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert_eq!(world.draining(), Some(false), "the next may drain");
    assert_eq!(world.lock_writes(), 2);
}

#[test]
fn no_slot_is_taken_while_another_node_drains_or_may_drain() {
    for other in [&entry(Some(true)), &entry(None), "garbage", ""] {
        let mut world = beside(other);
        let mut machine = world.start();
        let shown = |machine: &Machine, _: &World| {
            let blocked = machine.status().blocked_by;
            blocked
                .iter()
                .any(|it| it.gate == Gate::Lock && it.what == "the drain of n2")
        };
        assert!(world.until(&mut machine, HOUR, shown), "{other}");
        world.wait(&mut machine, HOUR);
        assert!(!world.holds_slot() && !world.node.unschedulable && world.evicted.is_empty());
        world.other(Some(&entry(Some(false))));
        assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    }
    // Where nothing is evicted nobody counts anything.
    let mut world = beside(&entry(Some(true)));
    std::sync::Arc::make_mut(&mut world.config).drain.mode = DrainMode::None;
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
}

/// Its drain is done, another one's has begun, and then a pod comes.
fn overtaken(other: &str) -> (World, Machine) {
    let mut world = beside(&entry(Some(false)));
    let mut machine = world.start();
    let done = |_: &Machine, world: &World| world.holds_slot() && world.draining() == Some(false);
    assert!(world.until(&mut machine, HOUR, done));
    world.other(Some(other));
    world.pods.push(pod("late"));
    assert_eq!(world.evicted.len(), 1);
    (world, machine)
}

#[test]
fn a_pod_that_comes_after_the_drain_ends_the_turn_for_another_may_drain_by_now() {
    for other in [&entry(Some(true)), &entry(None), "garbage", ""] {
        let (mut world, mut machine) = overtaken(other);
        let back = |_: &Machine, world: &World| !world.holds_slot() && !world.node.unschedulable;
        assert!(
            world.until(&mut machine, 60.0, back),
            "{}",
            machine.reason()
        );
        // Whatever comes after each drain must not have the pods of this node moved again and again.
        assert!(machine.journal().failed.is_some());
        world.wait(&mut machine, 600.0);
        assert!(back(&machine, &world) && world.evicted.len() == 1);
        world.other(Some(&entry(Some(false))));
        assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
        assert_eq!((world.evicted.len(), world.draining()), (2, Some(false)));
    }
}

#[test]
fn a_lock_that_others_write_meanwhile_is_told_of_the_end_of_the_drain_all_the_same() {
    for how in ["written", "paused", "taken"] {
        let mut world = beside(&entry(Some(false)));
        let mut machine = world.start();
        assert!(world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
        let drains = |_: &Machine, world: &World| world.evicted.len() == 1;
        assert!(world.until(&mut machine, HOUR, drains));
        world.other(Some(&entry(None)));
        let lock = world.lock.as_mut().unwrap();
        match how {
            "paused" => {
                let pause = rollboot::lock::PAUSE.to_owned();
                lock.annotations.insert(pause, "why".into());
            }
            "taken" => {
                lock.annotations.remove("n1.rollboot.io/default");
            }
            _ => {}
        }
        if how == "written" {
            assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
            assert_eq!(world.draining(), Some(false));
        } else {
            world.wait(&mut machine, 300.0);
            assert_eq!(world.asked(), 0, "{how}: {}", machine.reason());
            assert!(!world.node.unschedulable, "{how}");
        }
    }
}

#[test]
fn a_restart_goes_on_with_a_drain_that_nobody_else_may_begin() {
    let mut world = beside(&entry(Some(false)));
    world.blocked = true;
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Cordoned);
    let mut machine = world.start();
    world.wait(&mut machine, 60.0);
    assert_eq!(world.draining(), Some(true));
    world.blocked = false;
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert_eq!(world.draining(), Some(false));
}

#[test]
fn a_boot_in_the_middle_of_a_drain_does_not_end_it_for_the_others() {
    let mut world = beside(&entry(Some(false)));
    world.blocked = true;
    std::sync::Arc::make_mut(&mut world.config).recovery.soak = std::time::Duration::from_secs(600);
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Cordoned);
    assert_eq!(world.draining(), Some(true));
    // Its pod was not evicted. It is down, and its controller may still count it as Ready.
    let mut machine = world.boot();
    world.wait(&mut machine, 60.0);
    assert_eq!(
        (machine.label(), world.draining()),
        (Label::Recovering, Some(true))
    );
    assert!(world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
}

#[test]
fn where_one_turn_may_run_the_lock_is_not_written_for_a_drain() {
    let mut world = World::asking();
    world.pods = vec![pod("p")];
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert_eq!((world.draining(), world.lock_writes()), (None, 1));
    let mut machine = world.boot();
    world.ops.clear();
    assert!(world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
    assert_eq!(
        world.lock_writes(),
        2,
        "the stamp of the new start, and the release"
    );
}

#[test]
fn a_drain_is_given_on_when_controllers_have_seen_it() {
    let mut world = beside(&entry(Some(false)));
    std::sync::Arc::make_mut(&mut world.config)
        .drain
        .single_replica = SingleReplica::Evict;
    world.controllers.insert("app".into(), app_of_two(2, "1"));
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.evicted.len() == 1));
    world.wait(&mut machine, 60.0);
    assert_eq!(world.draining(), Some(true));
    let reason = machine.reason();
    assert!(
        reason.contains("ReplicaSet default/app: its controller has not seen yet"),
        "{reason}"
    );
    world.controllers.insert("app".into(), app_of_two(1, "2"));
    assert!(world.until(&mut machine, 30.0, |_, world| world.draining()
        == Some(false)));
    assert!(world.until(&mut machine, 60.0, |_, world| world.asked() > 0));

    // One that never sees it costs the turn.
    let mut world = beside(&entry(Some(false)));
    world.controllers.insert("app".into(), app_of_two(2, "1"));
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Failed);
    let failed = machine.journal().failed.clone().unwrap();
    assert!(
        failed.why.contains("ReplicaSet default/app"),
        "{}",
        failed.why
    );
}

#[test]
fn a_restart_does_not_give_the_drain_on_before_controllers_have_seen_what_the_earlier_process_did()
{
    let mut world = beside(&entry(Some(false)));
    world.controllers.insert("app".into(), app_of_two(2, "1"));
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.evicted.len() == 1));
    // Its pod is gone, so the new process finds nothing to evict.
    let mut machine = world.start();
    world.wait(&mut machine, 120.0);
    assert_eq!(world.draining(), Some(true), "{}", machine.reason());
    world.controllers.insert("app".into(), app_of_two(1, "2"));
    assert!(world.until(&mut machine, 60.0, |_, world| world.draining()
        == Some(false)));
    assert!(world.until(&mut machine, 60.0, |_, world| world.asked() > 0));
}

#[test]
fn an_undo_right_after_a_restart_waits_for_controllers_as_well() {
    for how in ["abort", "hold", "another Node"] {
        for sees in [true, false] {
            let mut world = beside(&entry(Some(false)));
            world.controllers.insert("app".into(), app_of_two(2, "1"));
            let mut machine = world.start();
            assert!(world.until(&mut machine, HOUR, |_, world| world.evicted.len() == 1));
            if how == "hold" {
                world.node.hold = Some("why".into());
            } else if how == "another Node" {
                world.node.uid = "another".into();
            }
            let mut machine = world.start();
            if how == "abort" {
                machine = world.feed(machine, Event::Abort);
            }
            world.wait(&mut machine, 4.0);
            assert_eq!(world.draining(), Some(true), "{how}: {}", machine.reason());
            if sees {
                world.controllers.insert("app".into(), app_of_two(1, "2"));
            }
            let free = world.until(&mut machine, 60.0, |_, world| !world.holds_slot());
            assert!(free, "{how}: {}", machine.reason());
        }
    }
}

#[test]
fn a_node_on_which_pods_stay_drains_for_the_others_until_it_is_back() {
    // They go down with the node, and the next one would count them: also one that gets Ready only after the drain.
    for ready in [true, false] {
        let mut world = beside(&entry(Some(false)));
        let mut stays = pod("stays");
        stays.wishes.drain = Some("skip".into());
        stays.ready = ready;
        world.pods = vec![stays];
        let mut machine = world.start();
        world.until_label(&mut machine, Label::Rebooting);
        assert_eq!(world.draining(), Some(true), "{ready}");
        let mut machine = world.boot();
        assert!(world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
    }
}
