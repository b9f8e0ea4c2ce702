//! A model check of the production core.
#![allow(dead_code, missing_docs, clippy::print_stdout, clippy::print_stderr)]

mod actions;
mod apply;
mod canon;
mod daemon;
mod explore;
mod host;
mod names;
mod properties;
mod scenario;
mod server;
mod world;

use std::sync::Arc;
use std::time::Instant;

use actions::Kind;
use scenario::Scenario;

fn check(scenario: Scenario) {
    let scenario = Arc::new(scenario);
    let begin = Instant::now();
    let found = explore::explore(&scenario, 40_000_000);
    println!(
        "{}: {} distinct states, {} steps, {:.1} s",
        scenario.name,
        found.states,
        found.steps,
        begin.elapsed().as_secs_f32()
    );
    if let Some((violation, story)) = found.broken {
        panic!("{}: {violation}\n{story}", scenario.name);
    }
    if let Some((end, story)) = found.stuck {
        panic!("{}: no way to {end}\n{story}", scenario.name);
    }
    assert!(!found.incomplete);
}

#[test]
fn calm() {
    check(Scenario::calm("one", 1, 1));
    check(Scenario::calm("two", 2, 1));
}

#[test]
fn try_one() {
    let kinds = [Kind::Lose, Kind::Refuse, Kind::Crash, Kind::Power, Kind::CallOff];
    check(Scenario::calm("one node, faults 1", 1, 1).faults(1, &kinds));
    check(Scenario::calm("one node, faults 2", 1, 1).faults(2, &kinds));
    check(Scenario::calm("one node, faults 3", 1, 1).faults(3, &kinds));
    check(Scenario::calm("two nodes, faults 1", 2, 1).faults(1, &kinds));
    check(Scenario::calm("two nodes, faults 2", 2, 1).faults(2, &kinds));
}

const OPERATORS: [Kind; 8] = [
    Kind::Unlock,
    Kind::Pause,
    Kind::Cordon,
    Kind::Uncordon,
    Kind::Shutdown,
    Kind::DeleteNode,
    Kind::Sentinel,
    Kind::Limits,
];

#[test]
fn hunt_operators() {
    let faults = [Kind::Lose, Kind::Refuse, Kind::Crash, Kind::Power, Kind::CallOff];
    for (f, o) in [(0, 1), (1, 1), (2, 1), (1, 2), (2, 2)] {
        check(
            Scenario::calm("one node, operators", 1, 1)
                .faults(f, &faults)
                .operators(o, &OPERATORS),
        );
    }
    for (f, o) in [(0, 1), (1, 1)] {
        check(
            Scenario::calm("two nodes, operators", 2, 1)
                .faults(f, &faults)
                .operators(o, &OPERATORS),
        );
    }
}

#[test]
fn hunt_host() {
    let faults = [
        Kind::Lose,
        Kind::Crash,
        Kind::Power,
        Kind::CallOff,
        Kind::Sick,
        Kind::Silence,
        Kind::DiskFull,
        Kind::DrainTimeout,
        Kind::WatchEnds,
        Kind::SlowRead,
        Kind::Heartbeat,
    ];
    for f in [1, 2, 3] {
        check(Scenario::calm("one node, host", 1, 1).faults(f, &faults));
    }
}

#[test]
fn hunt_stop() {
    let faults = [Kind::Lose, Kind::Crash, Kind::Power, Kind::CallOff];
    let stops = [Kind::Stop, Kind::Restart, Kind::Abort, Kind::Shutdown];
    for (f, o) in [(0, 1), (1, 1), (1, 2), (2, 2)] {
        check(
            Scenario::calm("one node, stop", 1, 1)
                .faults(f, &faults)
                .operators(o, &stops),
        );
    }
}
