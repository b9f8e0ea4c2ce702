//! Many pods, each of a controller of its own: what is done for each of them does not depend on how many there are. No time is
//! measured; a step that looked at all others for each of them would simply not come to its end.

use std::collections::{BTreeMap, BTreeSet};

use rollboot::config::{Config, SingleReplica};
use rollboot::drain::{
    Controller, ControllerRef, ControllerView, Drain, DrainEvent, EvictAnswer, Guard, Kind, PodRef,
    PodView, Progress,
};

fn owner(kind: &str, name: &str) -> Controller {
    Controller {
        api_version: "apps/v1".into(),
        kind: kind.into(),
        name: name.into(),
        uid: name.into(),
    }
}

/// Ready pods, each of a ReplicaSet of its own.
fn pods(many: usize) -> Vec<PodView> {
    let pod = |number| PodView {
        pod: PodRef {
            namespace: "ns".into(),
            name: format!("p{number:05}"),
            uid: format!("u{number:05}"),
        },
        controller: Some(owner("ReplicaSet", &format!("r{number:05}"))),
        ready: true,
        ..PodView::default()
    };
    (0..many).map(pod).collect()
}

/// Wants so many, all of them Ready; a ReplicaSet is of a Deployment of its own.
fn whole(of: &ControllerRef, wanted: u32) -> ControllerView {
    let deployment = of.name.replace('r', "d");
    ControllerView {
        uid: of.uid.clone(),
        wanted,
        replicas: wanted,
        ready: wanted,
        available: wanted,
        owner: (of.kind == Kind::ReplicaSet).then(|| owner("Deployment", &deployment)),
        written: "1".into(),
        ..ControllerView::default()
    }
}

/// Reads everything that the guard wants to know. How much that was, and how many pods are single replicas.
fn survey(pods: &[PodView], wanted: u32) -> (usize, usize) {
    let going: Vec<_> = pods.iter().map(|pod| pod.pod.clone()).collect();
    let mut guard = Guard::new(SingleReplica::Block, BTreeMap::new(), false);
    guard.pods(pods, &going.iter().cloned().collect());
    let mut read = BTreeSet::new();
    loop {
        match guard.survey(&going) {
            Ok(singles) => return (read.len(), singles.len()),
            Err(next) => {
                guard.read(Ok(Some(whole(&next, wanted))));
                assert!(read.insert(next), "each is read once");
            }
        }
    }
}

#[test]
fn ten_thousand_controllers_are_surveyed() {
    let pods = pods(10_000);
    // One is Ready elsewhere: no Deployment needs to be read.
    assert_eq!(survey(&pods, 2), (10_000, 0));
    assert_eq!(survey(&pods, 1), (20_000, 10_000));
}

#[test]
fn a_thousand_controllers_are_drained() {
    let mut here = pods(1_000);
    let mut drain = Drain::new(&Config::default().drain);
    let (mut due, _) = drain.on(DrainEvent::Pods(here.clone()));
    let mut read = 0;
    while let Some(of) = drain.guard_mut().next_read() {
        let view = whole(&of, 2);
        due.extend(drain.on(DrainEvent::Controller(Ok(Some(view)))).0);
        read += 1;
    }
    assert_eq!(due.len(), 0, "noted in the journal first");
    let note = |drain: &mut Drain| {
        let noted = drain.guard().unnoted().map(DrainEvent::Noted);
        noted.map(|noted| drain.on(noted).0).unwrap_or_default()
    };
    due.extend(note(&mut drain));
    assert_eq!((read, due.len()), (1_000, 16));
    let mut gone = 0;
    let mut progress = Progress::Going;
    while !due.is_empty() {
        let ended: BTreeSet<_> = due.drain(..).collect();
        gone += ended.len();
        for pod in &ended {
            let (more, _) = drain.on(DrainEvent::Answer(pod.clone(), EvictAnswer::Accepted));
            due.extend(more);
        }
        here.retain(|pod| !ended.contains(&pod.pod));
        let (more, now) = drain.on(DrainEvent::Pods(here.clone()));
        due.extend(more);
        due.extend(note(&mut drain));
        progress = now;
    }
    assert_eq!((gone, progress), (1_000, Progress::Done));
}
