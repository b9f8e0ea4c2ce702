//! A lock that lost its slots is not a free one, and what a backup brings back is given up: the node knows its lock, and looks at it
//! now and then while nothing else goes on.

use std::sync::Arc;

use rollboot::config::Config;
use rollboot::lock::{Entry, Noted, RESUMED, REVOKED, TURNS, TurnId};
use rollboot::machine::{Event, Label, Machine, Op};
use rollboot::node::Marker;
use rollboot::request::{Request, Requests};

use super::HOUR;
use super::world::{World, lock, pod, request};

const DAY: f64 = 24.0 * HOUR;

fn annotate(world: &mut World, key: &str, value: &str) {
    let lock = world.lock.as_mut().unwrap();
    lock.annotations.insert(key.into(), value.into());
}

fn ask(world: &mut World, machine: Machine) -> Machine {
    world.present = Requests::from([request("first")]);
    world.feed(machine, Event::Sentinels(world.present.clone()))
}

fn takes_slot(world: &mut World, machine: &mut Machine) -> bool {
    world.until(machine, HOUR, |_, world| world.holds_slot())
}

/// The package comes first, then lock.yaml: the node has nothing to do, and sees the lock all the same.
#[test]
fn a_node_installed_before_the_lock_was_armed_does_not_take_a_recreated_one() {
    let mut world = World::new();
    world.lock = None;
    let mut machine = world.start();
    world.wait(&mut machine, DAY);
    assert_eq!(machine.label(), Label::Idle);
    let told = |it: &&String| it.starts_with("NotArmed");
    assert_eq!(world.reports.iter().filter(told).count(), 1);
    world.lock = Some(lock("lock", 7));
    annotate(&mut world, "other.rollboot.io/default", "{}");
    world.wait(&mut machine, 120.0);
    let uid = world.journal.lock.as_ref().map(|it| it.uid.clone());
    assert_eq!(uid.as_deref(), Some("lock"));
    world.lock = Some(lock("created again", 50));
    machine = ask(&mut world, machine);
    assert!(!takes_slot(&mut world, &mut machine));
    assert!(machine.reason().contains("rollboot resume"));
}

#[test]
fn a_reload_looks_for_the_lock_at_once() {
    let mut world = World::new();
    world.lock = None;
    let mut machine = world.start();
    world.wait(&mut machine, 1.0);
    world.lock = Some(lock("lock", 7));
    machine = world.feed(machine, Event::Reload(Arc::new(Config::default())));
    let before = world.time;
    let noted = |_: &Machine, world: &World| world.journal.lock.is_some();
    assert!(world.until(&mut machine, 1.0, noted));
    assert!(world.time <= before, "it was a timer");
}

/// `kubectl replace`, `helm upgrade --force`: the UID stays. The holder is on its way down and writes nothing.
#[test]
fn slots_wiped_in_place_are_not_free() {
    let mut world = World::asking();
    annotate(&mut world, "other.rollboot.io/default", "{}");
    annotate(&mut world, TURNS, "3");
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |machine, _| {
        machine.reason().contains("the turn of other")
    }));
    world.lock = Some(lock("lock", 50));
    machine = world.feed(machine, Event::LockSeen(world.lock.clone()));
    assert!(!takes_slot(&mut world, &mut machine));
    // After a restart, too; and with the acceptance of its UID alone.
    annotate(&mut world, RESUMED, "lock");
    let mut machine = world.start();
    assert!(!takes_slot(&mut world, &mut machine));
    assert!(machine.reason().contains("wiped"), "{}", machine.reason());
    annotate(&mut world, TURNS, "1800000000");
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() == 1));
}

/// A lock that was created again is accepted by its UID together with a number above every note.
#[test]
fn a_recreated_lock_is_accepted_by_uid_and_number_together() {
    let mut world = World::new();
    annotate(&mut world, TURNS, "3");
    let mut machine = world.start();
    world.wait(&mut machine, 1.0);
    let noted = Noted {
        uid: "lock".into(),
        turns: 3,
    };
    assert_eq!(world.journal.lock, Some(noted));
    world.lock = Some(lock("new", 50));
    annotate(&mut world, RESUMED, "new");
    machine = ask(&mut world, machine);
    assert!(!takes_slot(&mut world, &mut machine));
    annotate(&mut world, TURNS, "1800000000");
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() == 1));
    assert_eq!(world.journal.lock.as_ref().unwrap().uid, "new");
}

/// What a watch has shown is on the disk with the next journal, not what was about to be written.
#[test]
fn the_number_that_was_shown_is_kept() {
    let mut world = World::asking();
    annotate(&mut world, TURNS, "3");
    let mut machine = world.start();
    let noted = |world: &World| world.journal.lock.as_ref().map(|it| it.turns);
    assert!(world.until(&mut machine, HOUR, |_, world| world.journal.turn.is_some()));
    assert_eq!(noted(&world), Some(3));
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() == 1));
    assert_eq!(noted(&world), Some(4));
}

/// etcd is restored from last night's backup, made in the middle of this node's turn: its cordon, its marker and its slot are back,
/// and it is idle since.
#[test]
fn a_cordon_and_a_slot_that_came_back_with_a_backup_are_given_up() {
    let mut world = World::asking();
    world.pods = vec![pod("web")];
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() == 1));
    let backup = (world.lock.clone(), world.node.clone());
    let mut machine = world.boot();
    assert!(world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
    world.wait(&mut machine, HOUR);
    assert!(!world.node.unschedulable);
    let boot = world.node.boot_id.clone();
    (world.lock, world.node) = backup;
    world.node.boot_id = boot;
    world.wait(&mut machine, 2.0 * DAY);
    assert!(!world.node.unschedulable && !world.holds_slot());
    assert_eq!(world.journal.turn, None);
}

/// While it waits for the lock, a node sees its own slot come back.
#[test]
fn an_own_slot_that_appears_while_the_lock_is_watched_is_given_up() {
    let mut world = World::asking();
    annotate(&mut world, "other.rollboot.io/default", "{}");
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |machine, _| {
        machine.reason().contains("the turn of other")
    }));
    annotate(&mut world, "n1.rollboot.io/default", "{}");
    world.lock.as_mut().unwrap().version = "60".into();
    machine = world.feed(machine, Event::LockSeen(world.lock.clone()));
    assert!(world.until(&mut machine, 600.0, |_, world| !world.holds_slot()));
}

#[test]
fn a_clean_idle_node_asks_twice_a_day_and_nothing_else() {
    let mut world = World::new();
    let mut machine = world.start();
    world.wait(&mut machine, HOUR);
    world.ops.clear();
    world.wait(&mut machine, 10.0 * DAY);
    let asks = |op: &&Op| !matches!(op, Op::Facts | Op::DrawId | Op::WriteJournal(_));
    let asked: Vec<_> = world.ops.iter().filter(asks).collect();
    assert!((18..=22).contains(&asked.len()), "{asked:?}");
    assert!(
        asked
            .iter()
            .all(|op| matches!(op, Op::ReadLock | Op::ReadNode))
    );
}

/// A node that only waits for a new sentinel looks, too; nothing else is disturbed by a look that is due.
#[test]
fn a_latched_node_looks_once_a_day_as_well() {
    let mut world = World::asking();
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() == 1));
    world.boot_id = "b1".into();
    world.node.boot_id = "b1".into();
    let mut machine = world.start();
    world.until_label(&mut machine, Label::Latched);
    annotate(&mut world, "n1.rollboot.io/default", "{}");
    world.wait(&mut machine, 2.0 * DAY);
    assert!(!world.holds_slot());
    assert_eq!(machine.label(), Label::Latched);
}

/// The kubeconfig leads to another cluster, or the kubelet does not report: nothing is written there.
#[test]
fn a_look_writes_nothing_where_the_node_is_not_this_machine() {
    for slot in [false, true] {
        let mut world = World::new();
        let mut machine = world.start();
        world.wait(&mut machine, HOUR);
        world.node.boot_id = "of another machine".into();
        world.node.unschedulable = true;
        world.node.marker = Some("{}".into());
        if slot {
            annotate(&mut world, "n1.rollboot.io/default", "{}");
        }
        world.ops.clear();
        world.wait(&mut machine, 3.0 * DAY);
        let writes = |op: &Op| matches!(op, Op::PatchLock(_) | Op::PatchNode(_));
        assert!(!world.ops.iter().any(writes), "{:?}", world.ops);
        assert_eq!(world.holds_slot(), slot);
    }
}

/// A backup brings back an old slot of this node while it waits for another's: nobody else would give that one up.
#[test]
fn an_old_slot_of_ones_own_that_comes_back_in_a_wait_is_given_up() {
    let mut world = World::asking();
    annotate(&mut world, "other.rollboot.io/default", "{}");
    let mut machine = world.start();
    let waits = |machine: &Machine, _: &World| machine.reason().contains("the turn of other");
    assert!(world.until(&mut machine, HOUR, waits));
    stale(&mut world);
    let lock = world.lock.as_mut().unwrap();
    lock.annotations.remove("other.rollboot.io/default");
    lock.version = "99".into();
    let restored = Event::LockSeen(Some(lock.clone()));
    machine = world.feed(machine, restored);
    assert!(world.until(&mut machine, 60.0, |_, world| world.asked() == 1));
}

fn stale(world: &mut World) {
    let entry = Entry {
        v: 1,
        turn: TurnId(7),
        stamp: TurnId(8),
        node_uid: "node".into(),
        boot_id: "an earlier boot".into(),
        since: "2026-01-01T00:00:00Z".into(),
        draining: None,
    };
    annotate(world, "n1.rollboot.io/default", &entry.encode());
}

/// A slot of an earlier boot is there (a backup, a node that was installed anew), while a request waits that was made in this boot:
/// no reboot has served it, and none has used up the day.
#[test]
fn a_stale_slot_does_not_use_up_a_request_of_this_boot() {
    let mut world = World::asking();
    Arc::make_mut(&mut world.config).max_reboots_per_day = 1;
    stale(&mut world);
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() == 1));
    assert_eq!(world.journal.history.len(), 1);
}

/// A request that outlives boots may be what the node has rebooted for: with the journal lost at each boot it would never end.
#[test]
fn a_stale_slot_serves_a_request_that_may_be_older_than_this_boot() {
    let mut world = World::new();
    world.present.insert(Request {
        path: "/var/lib/needs-reboot".into(),
        identity: "1".into(),
    });
    stale(&mut world);
    let mut machine = world.start();
    world.wait(&mut machine, DAY);
    assert_eq!((world.asked(), machine.label()), (0, Label::Latched));
    assert!(!world.holds_slot());
}

/// The same while a turn of this boot drains for that request: no reboot has served it.
#[test]
fn a_slot_from_a_backup_does_not_serve_what_a_turn_of_this_boot_goes_for() {
    let mut world = World::new();
    world.present.insert(Request {
        path: "/var/lib/needs-reboot".into(),
        identity: "1".into(),
    });
    world.pods = vec![pod("p")];
    world.blocked = true;
    let mut machine = world.start();
    assert!(takes_slot(&mut world, &mut machine));
    world.until_label(&mut machine, Label::Cordoned);
    stale(&mut world);
    let mut machine = world.start();
    let back = |_: &Machine, world: &World| !world.holds_slot();
    assert!(
        world.until(&mut machine, HOUR, back),
        "{}",
        machine.reason()
    );
    world.blocked = false;
    assert!(world.until(&mut machine, DAY, |_, world| world.asked() == 1));
}

/// In the middle of a drain that a budget holds up.
fn draining() -> World {
    let mut world = World::asking();
    world.pods = vec![pod("p")];
    world.blocked = true;
    let mut machine = world.start();
    assert!(takes_slot(&mut world, &mut machine));
    world.until_label(&mut machine, Label::Cordoned);
    world
}

/// The slot goes, and no cordon is left.
fn gives_both_back(world: &mut World, machine: &mut Machine) {
    let over = |_: &Machine, world: &World| !world.holds_slot();
    assert!(world.until(machine, HOUR, over), "{}", machine.reason());
    assert!(!world.node.unschedulable, "{:?}", world.reports);
}

/// A backup of the lock from an earlier turn of this node is put back in the middle of another turn.
#[test]
fn a_slot_of_an_earlier_turn_leaves_no_cordon_behind() {
    for boots in [false, true] {
        let mut world = draining();
        let earlier = Entry {
            turn: TurnId(77),
            ..world
                .lock
                .as_ref()
                .unwrap()
                .own_entry("n1")
                .flatten()
                .unwrap()
        };
        annotate(&mut world, "n1.rollboot.io/default", &earlier.encode());
        let mut machine = if boots { world.boot() } else { world.start() };
        gives_both_back(&mut world, &mut machine);
    }
}

/// A backup of the cluster from an earlier turn of this node is put back in the middle of another turn: before it has cordoned
/// its Node, after that, and so that it sees the slot first.
#[test]
fn a_node_of_an_earlier_turn_is_uncordoned_before_its_slot_goes() {
    for (cordoned, at_the_lock) in [(false, false), (true, false), (true, true)] {
        let mut world = World::asking();
        world.pods = vec![pod("p")];
        world.blocked = true;
        let mut machine = world.start();
        let begun = |_: &Machine, world: &World| {
            world.holds_slot() && (world.node.unschedulable || !cordoned)
        };
        assert!(world.until(&mut machine, HOUR, begun));
        if at_the_lock {
            world.hold = |op| matches!(op, Op::ReadLock);
            assert!(world.until(&mut machine, HOUR, |_, world| world.held.is_some()));
            world.hold = |_| false;
        }
        let earlier = (draining().lock.unwrap(), draining().node);
        let mut entry = earlier.0.own_entry("n1").flatten().unwrap();
        let mut marker: Marker = serde_json::from_str(&earlier.1.marker.unwrap()).unwrap();
        (entry.turn, marker.turn) = (TurnId(77), TurnId(77));
        annotate(&mut world, "n1.rollboot.io/default", &entry.encode());
        world.node.unschedulable = true;
        world.node.cordon_owned = true;
        world.node.marker = Some(marker.encode());
        if let Some(read) = world.held.take() {
            world.reply(read);
        }
        gives_both_back(&mut world, &mut machine);
        assert_eq!(world.node.marker, None);
    }
}

/// `rollboot unlock --force` marks a slot and waits until its node has seen that: a restart in between does not take it back.
#[test]
fn a_revoked_slot_stays_revoked_when_the_daemon_is_restarted() {
    let mut world = draining();
    annotate(&mut world, "n1.rollboot.io/default", REVOKED);
    let before = world.ops.len();
    let mut machine = world.start();
    let undone = |_: &Machine, world: &World| !world.node.unschedulable;
    assert!(
        world.until(&mut machine, HOUR, undone),
        "{}",
        machine.reason()
    );
    let takes = |op: &Op| matches!(op, Op::PatchLock(patch) if patch.annotations.values().any(Option::is_some));
    assert!(!world.ops[before..].iter().any(takes), "it was taken back");
}

/// `kubeadm reset` and `join` in the middle of a turn: another Node and another lock, under the same names.
#[test]
fn in_another_cluster_nothing_is_written_and_the_slot_in_the_old_one_is_told_of() {
    for boots in [false, true] {
        let mut world = draining();
        let there = (world.lock.clone(), world.node.clone());
        world.lock = Some(lock("theirs", 3));
        annotate(&mut world, "n1.rollboot.io/default", "{}");
        world.node.uid = "theirs".into();
        world.node.unschedulable = false;
        world.node.marker = None;
        let mut machine = if boots { world.boot() } else { world.start() };
        let here = (world.lock.clone(), world.node.clone());
        world.wait(&mut machine, HOUR);
        assert_eq!(here, (world.lock.clone(), world.node.clone()));
        world.until_told(&mut machine, "began in another cluster");
        assert_eq!(machine.status().blocked_by.len(), 1);
        assert!(world.journal.turn.is_some());
        // Whoever asks for an end gets one, and the record stays.
        let asked = world.feed(machine.clone(), Event::Abort);
        let answer = world.aborts.pop().unwrap().unwrap_err();
        let words = if boots {
            "has happened"
        } else {
            "began in another cluster"
        };
        assert!(answer.contains(words), "{answer}");
        let mut stopped = world.feed(asked, Event::StopRequested);
        assert!(world.until(&mut stopped, 60.0, |_, world| world.exited));
        assert!(world.journal.turn.is_some());
        machine = world.start();
        world.until_told(&mut machine, "began in another cluster");
        // The old cluster again.
        let boot_id = world.boot_id.clone();
        (world.lock, world.node) = there;
        world.node.boot_id = boot_id;
        world.blocked = false;
        let goes_on = |_: &Machine, world: &World| world.asked() > 0 || !world.holds_slot();
        assert!(
            world.until(&mut machine, HOUR, goes_on),
            "{}",
            machine.reason()
        );
    }
}

/// The lock was restored under another UID with this node's slot in it, and the kubelet has not reported since the boot.
#[test]
fn a_slot_in_a_restored_lock_is_voided_on_the_word_of_the_node_s_uid() {
    let mut world = draining();
    world.lock.as_mut().unwrap().uid = "restored".into();
    world.boot_id = "b1".into();
    world.present.clear();
    let before = world.ops.len();
    let mut machine = world.start();
    let written = |_: &Machine, world: &World| {
        let mut ops = world.ops[before..].iter();
        ops.any(|op| matches!(op, Op::PatchLock(_)))
    };
    assert!(
        world.until(&mut machine, 60.0, written),
        "{}",
        machine.reason()
    );
    assert!(world.holds_slot(), "voided, not given up");
}
