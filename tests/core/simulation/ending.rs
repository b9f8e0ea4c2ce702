//! Pods that were told to end and do not: they are named with what keeps them.

use rollboot::drain::PodView;
use rollboot::machine::{Label, Machine};

use super::world::{World, pod};

const HOUR: f64 = 3600.0;

fn told<'a>(world: &'a World, report: &str) -> Vec<&'a String> {
    let told = world.reports.iter();
    told.filter(|it| it.starts_with(report)).collect()
}

/// A world whose pod was told to end before the drain began.
fn stuck(finalizers: &[&str]) -> World {
    let mut world = World::asking();
    world.pods = vec![PodView {
        terminating: true,
        ends_by: Some(world.wall + 30),
        finalizers: finalizers.iter().map(|it| (*it).to_owned()).collect(),
        ..pod("web")
    }];
    world
}

#[test]
fn a_pod_that_does_not_end_is_named_with_what_keeps_it() {
    for (finalizers, word) in [
        (&["example.com/backup"][..], "example.com/backup"),
        (&[], "kubelet"),
    ] {
        let mut world = stuck(finalizers);
        let mut machine = world.start();
        world.until_label(&mut machine, Label::Cordoned);
        assert!(!machine.reason().contains("should have ended"));
        let named = |machine: &Machine, _: &World| machine.reason().contains("should have ended");
        assert!(world.until(&mut machine, 300.0, named));
        assert!(machine.reason().contains(word), "{}", machine.reason());
        // Once in the journal, with what to type.
        world.wait(&mut machine, 300.0);
        let reports = told(&world, "PodStuck: default/web");
        assert_eq!(reports.len(), 1, "{reports:?}");
        assert!(reports[0].ends_with("kubectl -n default get pod web -o yaml"));
        // And as the reason of the failure.
        assert!(world.until(&mut machine, HOUR, |_, world| {
            !told(world, "TurnFailed").is_empty()
        }));
        let failed = told(&world, "TurnFailed")[0];
        assert!(
            failed.contains("should have ended") && failed.contains(word),
            "{failed}"
        );
        assert_eq!((world.asked(), world.evicted.len()), (0, 0));
    }
}
