//! A model check of the production core: one to three hosts with their daemons, the API server, logind, and everything that
//! may go wrong between them. The production `Machine::step` decides; nothing of it is written here a second time.
//!
//! ```text
//! world, app, timers ── what there is   actions, possible, telling ── what can happen, in words   suite ── which models there are
//! server, host, daemon, apply ──    what a step does                           stories ── situations with a known moral
//! properties ── what must hold      explore, checked ── all states of a model  mutants ── what the models must notice
//! ```
//!
//! What is abstracted, and why it may be:
//! - A request is handled and answered in one step, or its reply is lost, it becomes a *stray*, and may land at any later
//!   time. Delivery of a reply touches nobody else, so nothing is lost by that; a crash in between is a lost reply and a crash.
//! - A process that ends is started again in the same step; whatever else may happen in between may as well happen before it
//!   asks its first question.
//! - A timer that is set may fire at any time. Where time must decide, it says so: the facts stay clear for two minutes, and
//!   ten minutes pass for a reclaim, only while no call is on its way to logind (the bus keeps one for less than half a minute)
//!   and while nobody is between its final look at the Node and its call.
//! - Names are compared, never ordered ([`canon`]).
//!
//! A lock that has lost slots (deleted, wiped, restored from a backup) is excused where a node could not know: it saw the lock first
//! after the loss, or no later than the state that came back.
//!
//! Not here: several groups, policies, what adapters may get wrong.
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
mod app;
mod apply;
mod canon;
mod checked;
mod daemon;
mod explore;
mod host;
mod mutants;
mod names;
mod possible;
mod properties;
mod scenario;
mod server;
mod stories;
mod suite;
mod telling;
mod timers;
mod world;

use std::sync::Arc;
use std::time::Instant;

use scenario::Scenario;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// States that one model may have before it counts as too big.
const LIMIT: usize = 60_000_000;

fn check(models: Vec<Scenario>) {
    let only = std::env::var("ONLY").unwrap_or_default();
    for scenario in models {
        if scenario.name.contains(&only) {
            explore_all(&Arc::new(scenario));
        }
    }
}

fn explore_all(scenario: &Arc<Scenario>) {
    let begin = Instant::now();
    let found = explore::explore(scenario, LIMIT);
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

/// Whether the long models are wanted; says so if not.
fn wanted(what: &str) -> bool {
    let wanted = std::env::var("ROLLBOOT_MODEL").unwrap_or_default();
    if wanted != what && wanted != "full" {
        eprintln!("SKIPPED: the {what} models; tests/model/run {what} runs them");
    }
    wanted == what || wanted == "full"
}

#[test]
fn quick_models_alone() {
    check(suite::quick_alone());
}

#[test]
fn quick_models_together() {
    check(suite::quick_together());
}

#[test]
fn thorough_models() {
    if wanted("thorough") {
        check(suite::thorough());
    }
}

#[test]
fn large_models_alone() {
    if wanted("thorough") {
        check(suite::large_alone());
    }
}

#[test]
fn large_models_together() {
    if wanted("thorough") {
        check(suite::large_together());
    }
}

#[test]
fn full_models_alone() {
    if wanted("full") {
        check(suite::full_alone());
    }
}

#[test]
fn full_models_together() {
    if wanted("full") {
        check(suite::full_together());
    }
}

#[test]
fn full_models_of_a_crowd() {
    if wanted("full") {
        check(suite::full_crowd());
    }
}

/// Those that are explored once more, in another way: the small ones in which hours pass, and with the long ones all of them.
fn repeated() -> Vec<Scenario> {
    let mut models = suite::quick_alone();
    if wanted("thorough") {
        models.extend(suite::quick_together());
        models.extend(suite::thorough());
    } else {
        models.retain(|scenario| scenario.name.contains("closes"));
    }
    models
}

/// The same numbers by another explorer.
#[test]
fn stateright_agrees() {
    for scenario in repeated() {
        let scenario = Arc::new(scenario);
        let states = checked::check(&scenario);
        let found = explore::explore(&scenario, LIMIT);
        assert_eq!(states, found.states, "{}", scenario.name);
    }
}

/// States that count as the same are the same: whichever of them is looked at, the same follows.
#[test]
fn the_order_does_not_matter() {
    for scenario in repeated() {
        let scenario = Arc::new(scenario);
        let found = explore::explore(&scenario, LIMIT);
        let again = explore::backwards(&scenario, LIMIT);
        assert_eq!(again, (found.states, found.steps), "{}", scenario.name);
    }
}
