//! The guard for the last Ready pod in the life of one node, with a controller that reacts when it likes.

use rollboot::config::SingleReplica;
use rollboot::drain::ControllerView;
use rollboot::machine::{BlockedBy, Gate, Label, Machine, Op};

use super::world::{World, pod};

const HOUR: f64 = 3600.0;

/// The controller of all the pods that [`pod`] makes.
fn app(wanted: u32, ready: u32, written: &str) -> ControllerView {
    ControllerView {
        uid: "app".into(),
        wanted,
        replicas: wanted,
        ready,
        available: ready,
        written: written.into(),
        ..ControllerView::default()
    }
}

impl World {
    fn status(&mut self, view: ControllerView) {
        self.controllers.insert(view.uid.clone(), view);
    }

    fn reads(&self) -> usize {
        let is_read = |op: &&Op| matches!(op, Op::ReadController(_));
        self.ops.iter().filter(is_read).count()
    }

    fn said(&self, what: &str) -> usize {
        let begins = |report: &&String| report.starts_with(what);
        self.reports.iter().filter(begins).count()
    }
}

/// What the status shows as soon as it shows anything.
fn blocked(world: &mut World, machine: &mut Machine) -> Vec<BlockedBy> {
    let shown = |machine: &Machine, _: &World| !machine.status().blocked_by.is_empty();
    assert!(world.until(machine, HOUR, shown));
    machine.status().blocked_by
}

/// All three pods of a controller are here.
fn all_here() -> (World, Machine) {
    let mut world = World::asking();
    world.pods = ["a", "b", "c"].map(pod).to_vec();
    world.status(app(3, 3, "1"));
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.evicted.len() == 2));
    (world, machine)
}

#[test]
fn what_keeps_a_replacement_from_being_created_is_told() {
    let (mut world, mut machine) = all_here();
    world.status(ControllerView {
        fails: Some("pods \"app-x\" is forbidden: exceeded quota: q".into()),
        ..app(3, 1, "2")
    });
    world.until_told(
        &mut machine,
        "waiting for a replacement elsewhere (pods \"app-x\" is forbidden: exceeded quota: q)",
    );
}

#[test]
fn the_last_ready_pod_waits_for_a_replacement() {
    let (mut world, mut machine) = all_here();
    world.wait(&mut machine, 60.0);
    assert_eq!(world.evicted.len(), 2);
    let reason = machine.reason();
    let wanted = "blocked: ReplicaSet default/app: its last ready pod is on this node, waiting for a replacement elsewhere";
    assert!(reason.contains(wanted), "{reason}");
    world.status(app(3, 1, "2"));
    world.wait(&mut machine, 30.0);
    assert_eq!(world.evicted.len(), 2);
    world.status(app(3, 2, "3"));
    assert!(world.until(&mut machine, 60.0, |_, world| world.evicted.len() == 3));
    assert!(world.until(&mut machine, 60.0, |_, world| world.asked() > 0));
    assert!(world.reads() < 30, "{} reads", world.reads());
}

#[test]
fn a_last_ready_pod_that_is_long_waited_for_is_told_of_once() {
    let (mut world, mut machine) = all_here();
    world.wait(&mut machine, 3.0);
    assert_eq!(world.said("DrainWaits"), 0);
    world.wait(&mut machine, 300.0);
    let told = world.reports.iter();
    let told: Vec<_> = told.filter(|it| it.starts_with("DrainWaits")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("its last ready pod is on this node"));
}

#[test]
fn a_budget_of_another_controller_changes_nothing_for_one_that_waits() {
    let mut world = World::asking();
    world.pods = ["a", "b", "c", "z"].map(pod).to_vec();
    world.pods[3].controller.as_mut().unwrap().uid = "other".into();
    world.kept.insert("z".into());
    world.status(app(3, 3, "1"));
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.evicted.len() == 2));
    let of = |world: &World| {
        let is = |op: &&Op| matches!(op, Op::ReadController(of) if of.uid == "app");
        world.ops.iter().filter(is).count()
    };
    let before = of(&world);
    world.wait(&mut machine, 120.0);
    assert!(of(&world) - before <= 25, "{}", of(&world) - before);
    let told = world.reports.iter();
    let told: Vec<_> = told.filter(|it| it.starts_with("DrainWaits")).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().any(|it| it.contains("last ready pod")));
    assert!(told.iter().any(|it| it.contains("default/z: ")));
}

#[test]
fn a_status_that_never_catches_up_fails_the_drain_and_never_evicts() {
    let (mut world, mut machine) = all_here();
    for turn in 0..20 {
        world.until_label(&mut machine, Label::Failed);
        if turn == 0 {
            // The next node would believe it.
            assert!(!world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
            world.unlock();
        }
        let over = |machine: &Machine, _: &World| machine.journal().turn.is_none();
        assert!(world.until(&mut machine, HOUR, over));
        let failed = machine.journal().failed.clone().unwrap();
        assert!(
            failed.why.contains("ReplicaSet default/app"),
            "{}",
            failed.why
        );
        assert!(!world.node.unschedulable);
        // The next turn, and the one after a restart, know that two of the three were evicted by this node.
        machine = world.start();
        assert!(
            world.until(&mut machine, 24.0 * HOUR, |_, world| world.holds_slot()),
            "{turn}: {}",
            machine.reason()
        );
        assert_eq!(world.evicted.len(), 2);
    }
}

#[test]
fn a_restart_while_a_replacement_is_waited_for_changes_nothing() {
    let (mut world, machine) = all_here();
    drop(machine);
    let mut machine = world.start();
    world.wait(&mut machine, 60.0);
    assert_eq!((world.evicted.len(), world.holds_slot()), (2, true));
    world.status(app(3, 3, "2"));
    assert!(world.until(&mut machine, 60.0, |_, world| world.asked() > 0));
    assert_eq!(world.evicted.len(), 3);
    world.status(app(3, 2, "3"));
    let mut machine = world.boot();
    let over = |machine: &Machine, _: &World| machine.journal().turn.is_none();
    assert!(world.until(&mut machine, HOUR, over));
    assert_eq!(machine.journal().evictions, None);
}

#[test]
fn nothing_is_evicted_by_turns_before_the_journal_says_so() {
    let mut world = World::asking();
    world.pods = ["a", "b"].map(pod).to_vec();
    world.status(app(2, 2, "1"));
    world.hold = |op| matches!(op, Op::WriteJournal(journal) if journal.evictions.is_some());
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.held.is_some()));
    world.wait(&mut machine, 60.0);
    assert!(world.evicted.is_empty());
    world.hold = |_| false;
    let op = world.held.take().unwrap();
    world.reply(op);
    assert!(world.until(&mut machine, 70.0, |_, world| world.evicted.len() == 1));
}

#[test]
fn node_and_lock_are_looked_at_while_a_replacement_is_waited_for() {
    let (mut world, mut machine) = all_here();
    world.wait(&mut machine, 120.0);
    world.ops.clear();
    world.wait(&mut machine, 120.0);
    let looks = world.ops.iter().filter(|op| **op == Op::ReadLock).count();
    assert!((8..=13).contains(&looks), "{looks} looks at the lock");
    assert!(
        world.reads() <= 16,
        "{} reads in two minutes",
        world.reads()
    );
    let lock = world.lock.as_mut().unwrap();
    lock.annotations
        .insert(rollboot::lock::PAUSE.into(), "why".into());
    lock.version = "77".into();
    assert!(world.until(&mut machine, 60.0, |_, world| !world.node.unschedulable));
}

#[test]
fn an_undisturbed_drain_reads_each_controller_once() {
    let mut world = World::asking();
    for number in 0..40 {
        let mut one = pod(&format!("p{number}"));
        let owner = one.controller.as_mut().unwrap();
        owner.uid = format!("app{}", number / 4);
        world.pods.push(one);
    }
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    world.ops.clear();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert_eq!((world.evicted.len(), world.reads()), (40, 10));
    let local = |op: &&Op| {
        !matches!(
            op,
            Op::DrawId | Op::Facts | Op::Gates | Op::Sentinels | Op::WriteJournal(_) | Op::Reboot
        )
    };
    // Besides the evictions and these, only the watch of the pods, which begins with a list.
    let asked = world.ops.iter().filter(local).count() + 2;
    assert!(asked <= 10 + 12, "{asked}");
}

#[test]
fn a_single_replica_blocks_before_the_lock() {
    let mut world = World::asking();
    std::sync::Arc::make_mut(&mut world.config)
        .drain
        .single_replica = SingleReplica::Block;
    world.pods = vec![pod("a")];
    world.status(app(1, 1, "1"));
    let mut machine = world.start();
    let acquired = |_: &Machine, world: &World| world.holds_slot();
    assert!(!world.until(&mut machine, HOUR, acquired));
    let blocked = blocked(&mut world, &mut machine);
    assert_eq!(blocked[0].gate, Gate::Pods);
    assert!(
        blocked[0].what.contains("ReplicaSet default/app"),
        "{blocked:?}"
    );
    assert!(world.reads() <= 120, "{} reads in an hour", world.reads());
    world.status(app(2, 2, "2"));
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
}

#[test]
fn a_controller_that_wants_one_only_since_the_slot_was_taken_ends_the_turn() {
    let mut world = World::asking();
    std::sync::Arc::make_mut(&mut world.config)
        .drain
        .single_replica = SingleReplica::Block;
    world.pods = ["a", "b"].map(pod).to_vec();
    world.status(app(2, 2, "1"));
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    world.status(ControllerView {
        ready: 2,
        ..app(1, 1, "1")
    });
    assert!(world.until(&mut machine, HOUR, |_, world| !world.holds_slot()));
    assert!(world.evicted.is_empty() && !world.node.unschedulable);
    let failed = machine.journal().failed.clone().unwrap();
    assert!(
        failed.why.contains("wants a single replica"),
        "{}",
        failed.why
    );
}

#[test]
fn where_nobody_may_look_nobody_blocks_on_a_guess() {
    let mut world = World::asking();
    std::sync::Arc::make_mut(&mut world.config)
        .drain
        .single_replica = SingleReplica::Block;
    world.pods = vec![pod("a")];
    world.unguarded = true;
    let mut machine = world.start();
    assert!(!world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    let blocked = blocked(&mut world, &mut machine);
    assert!(blocked[0].detail.contains("guard.yaml"), "{blocked:?}");
}

#[test]
fn a_single_replica_is_evicted_and_said_where_that_is_the_policy() {
    let mut world = World::asking();
    world.pods = vec![pod("a")];
    world.status(app(1, 1, "1"));
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert_eq!(
        world.said("Interrupted: the only pod of ReplicaSet default/app"),
        1
    );
}

#[test]
fn without_guard_yaml_budgets_are_all_and_that_is_said_once() {
    let mut world = World::asking();
    world.pods = ["a", "b", "c"].map(pod).to_vec();
    world.unguarded = true;
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.asked() > 0));
    assert_eq!((world.evicted.len(), world.reads()), (3, 4));
    assert_eq!(world.said("NotGuarded"), 1);
    assert_eq!(machine.status().not_guarded.as_deref(), Some("ReplicaSets"));
}
