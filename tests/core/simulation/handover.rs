//! A slot becomes free, and more than one node wants it.

use rollboot::lock::{LockView, TURNS};
use rollboot::machine::{Event, Machine, Op, Timer};

use super::HOUR;
use super::world::World;

/// The lock while another node holds the only slot, or nobody does.
fn seen(world: &mut World, held: bool) -> LockView {
    let lock = world.lock.as_mut().unwrap();
    let version: u64 = lock.version.parse().unwrap();
    lock.version = (version + 1).to_string();
    let turns = lock.turns() + u64::from(held);
    lock.annotations.clear();
    lock.annotations.insert(TURNS.into(), turns.to_string());
    if held {
        let slot = "other.rollboot.io/default".to_owned();
        lock.annotations.insert(slot, "{}".into());
    }
    lock.clone()
}

/// The slot is released; how long this node waits on average before it tries. Another node is quicker while it is at this
/// call.
fn outrun(world: &mut World, machine: &mut Machine, at: fn(&Op) -> bool) -> f64 {
    let free = seen(world, false);
    *machine = world.feed(machine.clone(), Event::LockSeen(Some(free)));
    let wait = world.timers[&Timer::Attempt] - world.time;
    world.hold = at;
    assert!(world.until(machine, HOUR, |_, world| world.held.is_some()));
    world.hold = |_| false;
    seen(world, true);
    let call = world.held.take().unwrap();
    world.reply(call);
    let waits = |machine: &Machine, _: &World| machine.reason().contains("the turn of other");
    assert!(world.until(machine, HOUR, waits));
    assert!(!world.holds_slot());
    wait
}

/// A few waiters start at once, so that a slot does not lie idle; among many each leaves more room, whether its write was
/// refused or its last look before the write shows that another was quicker.
#[test]
fn a_waiter_that_is_outrun_waits_longer_after_the_next_release() {
    let at: [fn(&Op) -> bool; 2] = [
        |op| matches!(op, Op::PatchLock(_)),
        |op| matches!(op, Op::ReadLock),
    ];
    for at in at {
        let mut world = World::asking();
        seen(&mut world, true);
        let mut machine = world.start();
        let waits = |machine: &Machine, _: &World| machine.reason().contains("the turn of other");
        assert!(world.until(&mut machine, HOUR, waits));
        let waited: Vec<f64> = (0..6)
            .map(|_| outrun(&mut world, &mut machine, at))
            .collect();
        assert!(waited[0] < 0.2, "{waited:?}");
        assert!(waited.is_sorted() && waited[3] > 0.9, "{waited:?}");
        assert!(waited[5] <= 1.0, "a bound for the longest wait: {waited:?}");
    }
}
