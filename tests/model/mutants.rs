//! Damage at the boundary of the core: the world does not keep what the core relies on. The script `mutants` damages the core
//! itself.

use std::sync::Arc;

use crate::actions::Kind;
use crate::explore::explore;
use crate::scenario::{Mutation, Scenario};
use crate::suite;

/// What the models say of a mutation, and which says it first.
fn caught(mutation: Mutation) -> Option<(&'static str, String)> {
    // Only one model has what a reclaim needs.
    let reclaims = |scenario: &Scenario| {
        mutation != Mutation::ReclaimOtherUid || scenario.may.contains(&Kind::Reclaim)
    };
    let models = [
        suite::quick_alone(),
        suite::quick_together(),
        suite::thorough(),
        suite::large_together(),
    ];
    let mut models = models.into_iter().flatten().filter(reclaims);
    models.find_map(|scenario| {
        let name = scenario.name;
        let found = explore(&Arc::new(scenario.mutated(mutation)), 1_000_000);
        let broken = found.broken.map(|(violation, _)| violation.to_string());
        let stuck = found.stuck.map(|(end, _)| format!("no way to {end}"));
        broken.or(stuck).map(|what| (name, what))
    })
}

#[test]
fn damage_at_the_boundary_is_noticed() {
    for mutation in [
        Mutation::NodeUnconditional,
        Mutation::LockUnconditional,
        Mutation::NoJournal,
        Mutation::NoHistory,
        Mutation::ReclaimOtherUid,
        Mutation::Hasty,
        Mutation::Unguarded,
    ] {
        let (model, what) = caught(mutation).unwrap_or_else(|| panic!("{mutation:?} survives"));
        println!("mutant {mutation:?}: {what} ({model})");
    }
}
