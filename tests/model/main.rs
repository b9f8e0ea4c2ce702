//! A model check of the production core.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::field_reassign_with_default,
    clippy::enum_variant_names,
    reason = "a model that meets what it does not know ends there: that is its finding"
)]

mod actions;
mod apply;
mod canon;
mod daemon;
mod explore;
mod host;
mod mutants;
mod names;
mod properties;
mod scenario;
mod server;
mod stories;
mod suite;
mod world;

use std::sync::Arc;
use std::time::Instant;

use scenario::Scenario;

/// States that one model may have before it counts as too big.
const LIMIT: usize = 60_000_000;

fn check(scenario: Scenario) {
    let scenario = Arc::new(scenario);
    let begin = Instant::now();
    let found = explore::explore(&scenario, LIMIT);
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
    assert!(!found.incomplete, "{}: too many states", scenario.name);
}

#[test]
fn quick_models() {
    let only = std::env::var("ONLY").unwrap_or_default();
    for scenario in suite::quick() {
        if scenario.name.contains(&only) {
            check(scenario);
        }
    }
}

#[test]
fn full_models() {
    if std::env::var("ROLLBOOT_MODEL").as_deref() != Ok("full") {
        eprintln!("SKIPPED: the full models; run tests/model/full");
        return;
    }
    let only = std::env::var("ONLY").unwrap_or_default();
    for scenario in suite::full() {
        if scenario.name.contains(&only) {
            check(scenario);
        }
    }
}
