//! A host that may be going down: what is said while nothing happens.

use rollboot::machine::{Label, Machine};

use super::world::World;

const BOTH: &str = "neither logind nor systemd answers";

/// A bus on which nobody answers, told of in the log.
fn silent() -> (World, Machine) {
    let mut world = World::asking();
    let facts = &mut world.facts;
    (facts.preparing, facts.job, facts.stopping) = (None, None, None);
    let mut machine = world.start();
    assert!(world.until(&mut machine, 60.0, |_, world| told(world, BOTH) == 1));
    (world, machine)
}

fn told(world: &World, words: &str) -> usize {
    let of_this = |it: &&String| it.starts_with("GoingDown") && it.contains(words);
    world.reports.iter().filter(of_this).count()
}

#[test]
fn who_is_silent_is_told_whenever_that_changes() {
    let (mut world, mut machine) = silent();
    // systemd was only slow; logind does not run.
    (world.facts.job, world.facts.stopping) = (Some(false), Some(false));
    world.wait(&mut machine, 120.0);
    let words = ": no turn begins";
    assert_eq!(told(&world, "systemd answers"), 1, "{:?}", world.reports);
    assert_eq!(told(&world, "logind does not answer"), 1);
    assert_eq!(told(&world, words), 2);
    assert!(machine.reason().contains("logind does not answer"));
}

#[test]
fn a_shutdown_that_comes_to_light_is_told() {
    let (mut world, mut machine) = silent();
    world.facts.preparing = Some(true);
    (world.facts.job, world.facts.stopping) = (Some(true), Some(false));
    world.wait(&mut machine, 120.0);
    assert_eq!(told(&world, "this host is going down: no turn begins"), 1);
    assert_eq!(told(&world, ""), 2);
}

#[test]
fn once_all_answer_nothing_is_told_but_the_turn() {
    let (mut world, mut machine) = silent();
    let facts = &mut world.facts;
    (facts.preparing, facts.job, facts.stopping) = (Some(false), Some(false), Some(false));
    world.until_label(&mut machine, Label::Rebooting);
    assert_eq!(told(&world, ""), 1);
}
