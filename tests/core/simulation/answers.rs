//! What an eviction is answered is no fact: what counts is a list of the pods that begins after the answer.

use rollboot::drain::EvictAnswer;
use rollboot::machine::{Event, Label, Machine};

use super::world::{World, pod};

const HOUR: f64 = 3600.0;

/// A node whose one pod is not known to whoever judges its eviction.
fn answered(answers: &[EvictAnswer]) -> (World, Machine) {
    let mut world = World::asking();
    world.pods = vec![pod("a")];
    world.evictions = answers.iter().cloned().collect();
    let machine = world.start();
    (world, machine)
}

#[test]
fn a_pod_that_is_answered_to_be_gone_and_is_listed_goes_all_the_same() {
    for answer in [
        EvictAnswer::Gone,
        EvictAnswer::Elsewhere,
        EvictAnswer::Accepted,
    ] {
        let (mut world, mut machine) = answered(&vec![answer.clone(); 3]);
        assert!(world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
        let began = world.time;
        let asked = world.until(&mut machine, 120.0, |_, world| world.asked() > 0);
        assert!(asked, "{answer:?}: {}", machine.reason());
        assert_eq!(world.evicted, ["a"]);
        // Three answers in vain, ten seconds apart.
        let took = world.time - began;
        assert!((25.0..60.0).contains(&took), "{answer:?}: {took} s");
    }
}

#[test]
fn while_answers_lie_lists_are_few_and_nothing_reboots() {
    let (mut world, mut machine) = answered(&vec![EvictAnswer::Gone; 1000]);
    assert!(world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    let before = world.lists;
    world.wait(&mut machine, 100.0);
    let lists = world.lists - before;
    assert!((8..=12).contains(&lists), "{lists} lists in 100 s");
    let asked = 1000 - world.evictions.len();
    assert!((8..=12).contains(&asked), "asked {asked} times in 100 s");
    world.until_label(&mut machine, Label::Failed);
    let failed = world.journal.failed.clone().unwrap();
    assert!(failed.why.contains("default/a"), "{}", failed.why);
    assert!(world.asked() == 0 && world.evicted.is_empty());
}

#[test]
fn a_pod_that_really_went_is_not_asked_for_again() {
    let (mut world, mut machine) = answered(&[EvictAnswer::Gone]);
    assert!(world.until(&mut machine, HOUR, |_, world| world.evictions.is_empty()));
    world.pods.clear();
    assert!(world.until(&mut machine, 60.0, |_, world| world.asked() > 0));
    assert!(world.evicted.is_empty());
}

/// A controller whose template names this node makes another as soon as one goes.
fn pinned(world: &mut World) {
    let mut made = 0;
    world.replacement = Some(Box::new(move |gone, now| {
        made += 1;
        let mut again = pod(&format!("pinned-{made}"));
        again.created = Some(now);
        gone.starts_with("pinned").then_some(again)
    }));
    world.pods.push(pod("pinned-0"));
}

#[test]
fn a_pod_whose_template_names_the_node_is_evicted_a_few_times_then_stays_and_is_named() {
    let mut world = World::asking();
    pinned(&mut world);
    world.dated = true;
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| world.holds_slot()));
    let began = world.time;
    let asked = world.until(&mut machine, 600.0, |_, world| world.asked() > 0);
    assert!(asked, "{}", machine.reason());
    let (took, evicted) = (world.time - began, world.evicted.len());
    assert!((60.0..120.0).contains(&took), "{took} s");
    assert!(
        (5..=8).contains(&evicted),
        "{evicted} evictions in {took} s"
    );
    let named = world.reports.iter().find(|it| it.starts_with("Drained"));
    assert!(
        named.is_some_and(|it| it.contains("its template names this node")),
        "{named:?}"
    );
}

#[test]
fn pods_that_a_scheduler_bound_in_a_race_go_whenever_they_come() {
    let mut world = World::asking();
    world.pods = vec![pod("a"), pod("held-up")];
    world.kept.insert("held-up".into());
    world.dated = true;
    let mut machine = world.start();
    assert!(world.until(&mut machine, HOUR, |_, world| !world.evicted.is_empty()));
    for seconds in [1.0, 5.0, 20.0] {
        world.wait(&mut machine, seconds);
        for name in ["b", "c"] {
            let mut late = pod(&format!("{name}-{seconds}"));
            late.created = Some(world.now().as_second());
            world.pods.push(late);
        }
        world.queue.push_back(Event::PodsSeen(world.pods.clone()));
    }
    world.kept.clear();
    assert!(world.until(&mut machine, 120.0, |_, world| world.asked() > 0));
    assert_eq!(world.evicted.len(), 8, "{:?}", world.evicted);
}
