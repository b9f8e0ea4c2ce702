//! The models: which nodes, faults and operators meet. The quick ones are part of every test run, the others take minutes.

use std::time::Duration;

use rollboot::config::{DrainMode, ForeignCordon};

use crate::actions::Kind;
use crate::scenario::Scenario;
use crate::world::Pod;

/// What networks, power and programs do.
const FAULTS: [Kind; 5] = [
    Kind::Lose,
    Kind::Refuse,
    Kind::Crash,
    Kind::Power,
    Kind::CallOff,
];

/// What a host does besides.
const HOST: [Kind; 7] = [
    Kind::Sick,
    Kind::Silence,
    Kind::DiskFull,
    Kind::DrainTimeout,
    Kind::WatchEnds,
    Kind::SlowRead,
    Kind::Heartbeat,
];

/// What people do.
const PEOPLE: [Kind; 8] = [
    Kind::Unlock,
    Kind::Pause,
    Kind::Cordon,
    Kind::Uncordon,
    Kind::Shutdown,
    Kind::DeleteNode,
    Kind::Sentinel,
    Kind::Limits,
];

/// What people do to the service.
const SERVICE: [Kind; 6] = [
    Kind::Stop,
    Kind::Restart,
    Kind::Abort,
    Kind::Shutdown,
    Kind::Hold,
    Kind::Observe,
];

/// What one node does, with few faults.
pub(crate) fn quick_alone() -> Vec<Scenario> {
    vec![
        calm("one node, calm", 1, 1),
        calm("one node, two faults", 1, 1)
            .faults(2, &FAULTS)
            .faults(2, &HOST),
        calm("one node, one deed", 1, 1).operators(1, &PEOPLE),
        calm("one node, its service", 1, 1)
            .faults(1, &FAULTS)
            .operators(1, &SERVICE),
        calm("one node, a sentinel that stays", 1, 1)
            .persistent()
            .faults(1, &FAULTS)
            .operators(1, &[Kind::Shutdown]),
        calm("one node, values that nobody can read", 1, 1)
            .garbage()
            .faults(1, &FAULTS)
            .operators(1, &[Kind::DeleteNode]),
        calm("one node, a stale slot that nobody can read", 1, 1).garbage(),
        calm("one node, a backup that is taken into use", 1, 1)
            .operators(1, &[Kind::Restore, Kind::Look]),
        evict("one node, a drain", 0, 0),
        drain("one node, a drain that is cut short", 2, 1)
            .faults(2, &[Kind::Crash, Kind::DrainTimeout]),
        drain("one node, a drain that a budget stops", 1, 2)
            .faults(2, &[Kind::Refuse, Kind::DrainTimeout]),
        guard("one node, all pods of a controller", 1, 2),
        calm("one node, a window that closes, one fault", 1, 1)
            .windowed()
            .faults(1, &FAULTS)
            .operators(2, &[Kind::Window]),
        calm("one node, a gate that closes, one fault", 1, 1)
            .gated()
            .faults(1, &FAULTS)
            .operators(2, &[Kind::Gate]),
    ]
}

/// What two nodes do together, with few faults.
pub(crate) fn quick_together() -> Vec<Scenario> {
    vec![
        calm("two nodes, calm", 2, 1),
        calm("two nodes at once, calm", 2, 2),
        calm("two nodes, one fault", 2, 1).faults(1, &FAULTS),
        calm("two nodes, one asks, one deed", 2, 1)
            .asking(1)
            .operators(1, &PEOPLE),
    ]
}

/// Each combination once, still small enough for a second opinion.
pub(crate) fn thorough() -> Vec<Scenario> {
    vec![
        calm("one node, one fault, one deed", 1, 1)
            .faults(1, &FAULTS)
            .operators(1, &PEOPLE),
        calm("one node, a sentinel that stays, two faults", 1, 1)
            .persistent()
            .faults(2, &FAULTS)
            .operators(1, &[Kind::Shutdown]),
        lock("two nodes, another lock", 1, 0),
        calm(
            "two nodes, armed after they were installed, another lock",
            2,
            1,
        )
        .asking(1)
        .unarmed()
        .operators(1, &[Kind::DeleteLock, Kind::Look]),
        proceed("one node, a cordon that stays", 1),
        guard("one node, all pods of a controller, one fault", 1, 2).faults(
            1,
            &[Kind::Crash, Kind::Lose, Kind::Power, Kind::DrainTimeout],
        ),
        drain("one node, a drain, a gate that closes", 1, 2)
            .gated()
            .faults(1, &FAULTS)
            .operators(2, &[Kind::Gate, Kind::Uncordon]),
        drain("one node, a drain that a budget stops again", 1, 2)
            .faults(3, &[Kind::Refuse, Kind::DrainTimeout]),
        calm("one node, two deeds about its cordon", 1, 1)
            .faults(1, &FAULTS)
            .operators(2, &[Kind::Cordon, Kind::Uncordon]),
        calm("three nodes, calm", 3, 1),
    ]
}

/// One node with several faults and deeds, up to a million states each.
pub(crate) fn large_alone() -> Vec<Scenario> {
    vec![
        calm("one node, four faults", 1, 1)
            .faults(4, &FAULTS)
            .faults(4, &HOST),
        calm("one node, its service, two faults, two deeds", 1, 1)
            .faults(2, &FAULTS)
            .operators(2, &SERVICE),
        // Of a few of its states in a thousand what counts as the same depends on the order, so it is not among those that are
        // explored backwards.
        calm("one node, a backup and a sentinel that is newer", 1, 1)
            .operators(2, &[Kind::Restore, Kind::Look, Kind::Sentinel]),
        proceed("one node, a cordon that stays, two faults", 2),
        evict("one node, a drain, one fault", 1, 1),
        // With a deed as well it has ten million states and more.
        evict("one node, a drain, two faults", 2, 0),
        evict("one node, a drain, a window that closes", 1, 0)
            .windowed()
            .operators(1, &[Kind::Window]),
        drain("one node, a drain whose budget opens, and more", 1, 1)
            .faults(4, &[Kind::Refuse, Kind::Crash, Kind::DrainTimeout]),
    ]
}

/// Two and three nodes, up to a million states each.
pub(crate) fn large_together() -> Vec<Scenario> {
    vec![
        calm("two nodes, one deed", 2, 1).operators(1, &PEOPLE),
        reclaim("two nodes, one is gone", 0),
        calm("two nodes, windows that close, one fault", 2, 1)
            .windowed()
            .faults(1, &FAULTS)
            .operators(1, &[Kind::Window]),
        guard("two nodes at once, a pod of one controller on each", 2, 1),
        calm("three nodes, two at once, calm", 3, 2),
    ]
}

/// One node with all that can happen to it.
pub(crate) fn full_alone() -> Vec<Scenario> {
    vec![
        calm("one node, two faults, two deeds", 1, 1)
            .faults(2, &FAULTS)
            .operators(2, &PEOPLE),
    ]
}

/// Two nodes with all that can happen between them.
pub(crate) fn full_together() -> Vec<Scenario> {
    vec![
        calm("two nodes, two faults", 2, 1)
            .faults(2, &FAULTS)
            .faults(2, &HOST),
        calm("two nodes, one fault, one deed", 2, 1)
            .faults(1, &FAULTS)
            .operators(1, &PEOPLE),
        guard("two nodes at once, a controller, one fault", 2, 1).faults(1, &[Kind::Crash]),
        calm("two nodes, their services", 2, 1)
            .faults(1, &FAULTS)
            .operators(1, &SERVICE),
        reclaim("two nodes, one is gone, one fault", 1),
        lock("two nodes, another lock, one fault", 1, 1),
    ]
}

/// Three nodes.
pub(crate) fn full_crowd() -> Vec<Scenario> {
    vec![
        calm("three nodes, one fault", 3, 1).faults(1, &FAULTS),
        calm("three nodes, two of them at once, one fault", 3, 2)
            .asking(2)
            .faults(1, &FAULTS),
    ]
}

fn calm(name: &'static str, nodes: usize, max: u8) -> Scenario {
    Scenario::calm(name, nodes, max)
}

/// A holder's Node is deleted, or replaced, while another node waits and may look.
fn reclaim(name: &'static str, faults: u8) -> Scenario {
    calm(name, 2, 1)
        .faults(faults, &[Kind::Lose, Kind::Crash, Kind::Power])
        .operators(1, &[Kind::DeleteNode, Kind::Reclaim])
}

/// The lock object is deleted and created again.
fn lock(name: &'static str, deeds: u8, faults: u8) -> Scenario {
    calm(name, 2, 1)
        .faults(faults, &[Kind::Lose, Kind::Crash])
        .operators(deeds, &[Kind::DeleteLock, Kind::Wipe])
}

/// One node with so many pods; so many nodes may be in a turn at once.
fn drain(name: &'static str, max: u8, pods: u8) -> Scenario {
    let pod = |uid| Pod {
        uid,
        terminating: false,
        bare: false,
    };
    calm(name, 1, max)
        .pods((1..=pods).map(pod).collect())
        .configure(|config| config.drain.mode = DrainMode::Evict)
}

/// The same with whatever may happen to it.
fn evict(name: &'static str, faults: u8, deeds: u8) -> Scenario {
    drain(name, 1, 2)
        .faults(faults, &FAULTS)
        .faults(faults, &[Kind::DrainTimeout, Kind::SlowRead, Kind::LatePod])
        .operators(deeds, &PEOPLE)
        .operators(deeds, &[Kind::Stop, Kind::Abort, Kind::BarePod])
}

/// Nodes that all may go at once, each with so many pods of a controller that wants no more than these.
fn guard(name: &'static str, nodes: usize, pods: u8) -> Scenario {
    let pod = |uid| Pod {
        uid,
        terminating: false,
        bare: false,
    };
    let wanted = nodes * usize::from(pods);
    calm(name, nodes, u8::try_from(nodes).unwrap())
        .pods((1..=pods).map(pod).collect())
        .wanted(wanted)
        .configure(|config| config.drain.mode = DrainMode::Evict)
}

/// A node that somebody else has cordoned reboots all the same, and there is a soak time.
fn proceed(name: &'static str, faults: u8) -> Scenario {
    calm(name, 1, 1)
        .faults(faults, &FAULTS)
        .operators(1, &PEOPLE)
        .slow_settle()
        .configure(|config| {
            config.drain.foreign_cordon = ForeignCordon::Proceed;
            config.recovery.soak = Duration::from_secs(60);
        })
}
